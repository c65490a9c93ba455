//! Loki's keys that have no meaning here: accepted with a warning that says what stands in their place.
//!
//! A data table. An entry covers the key and everything below it; paths are written after
//! [`super::aliases`] were resolved.

use yaml_serde::Value;

/// One key of Loki's, and what to know about it.
pub(crate) struct Foreign {
    path: &'static str,
    /// The sentence of the warning.
    pub(crate) instead: &'static str,
    /// Values that ask for exactly what happens here anyway, and so deserve no warning.
    same_as: &'static [&'static str],
}

const fn key(path: &'static str, instead: &'static str) -> Foreign {
    Foreign { path, instead, same_as: &[] }
}

const fn same(path: &'static str, same_as: &'static [&'static str], instead: &'static str) -> Foreign {
    Foreign { path, instead, same_as }
}

impl Foreign {
    /// Whether a warning about `value` would tell nobody anything.
    pub(crate) fn is_silent(&self, value: &Value) -> bool {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Bool(value) => value.to_string(),
            Value::Number(number) => number.to_string(),
            _ => return false,
        };
        self.same_as.contains(&text.as_str())
    }
}

/// The entry that covers `path`.
pub(crate) fn find(path: &[String]) -> Option<&'static Foreign> {
    let joined = path.join(".");
    TABLE
        .iter()
        .find(|entry| joined.strip_prefix(entry.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// Whether some entry lies below `path`.
pub(crate) fn leads_on(path: &[String]) -> bool {
    let prefix = format!("{}.", path.join("."));
    TABLE.iter().any(|entry| entry.path.starts_with(&prefix))
}

/// Names of entries directly below `path`, for suggestions.
pub(crate) fn children(path: &[String]) -> impl Iterator<Item = &'static str> {
    let prefix = if path.is_empty() { String::new() } else { format!("{}.", path.join(".")) };
    TABLE.iter().filter_map(move |entry| entry.path.strip_prefix(prefix.as_str())?.split('.').next())
}

const SEGMENTS: &str = "there are no chunks: memtables are flushed whole, see ingester.memtable_size and memtable_age";
const ONE_RING: &str = "all components share one ring, see common.ring and memberlist";
const CACHE: &str = "all caches are configured in the cache block";
const LATER: &str = "not part of this version";
const CONSTANT: &str = "not configurable, a fixed value serves";
const NO_KAFKA: &str = "there is no Kafka path";
const RULER: &str = "the ruler is not part of this version";
const RETENTION: &str = "retention and deletes are not part of this version: everything is kept";
const PARALLEL: &str = "see limits_config.max_query_parallelism";

const TABLE: &[Foreign] = &[
    // --- whole blocks
    key("schema_config", "segments carry their own version; the store is chosen by storage_config.backend"),
    key("chunk_store_config", CACHE),
    key("cache_config", CACHE),
    key("table_manager", RETENTION),
    key("bloom_build", "every segment holds text filters, nothing needs building"),
    key("bloom_gateway", "every segment holds text filters, nothing needs building"),
    key("bloom_compactor", "every segment holds text filters, nothing needs building"),
    key("pattern_ingester", LATER),
    key("ruler", RULER),
    key("ruler_storage", RULER),
    key("analytics", "nothing is reported to anybody"),
    key("query_engine", "there is one engine"),
    key("dataobj", "segments are the only format"),
    key("kafka_config", NO_KAFKA),
    key("ingest_limits", NO_KAFKA),
    key("ingest_limits_frontend", NO_KAFKA),
    key("ingest_limits_frontend_client", NO_KAFKA),
    key("distributor.kafka_config", NO_KAFKA),
    key("block_builder", NO_KAFKA),
    key("ui", "the status page is at /"),
    key("operational_config", LATER),
    key("profiling", CONSTANT),
    key("internal_server", "status pages share the HTTP port"),
    key("ballast_bytes", "there is no garbage collector to trick"),
    key("metrics_namespace", "metrics are named as in Loki"),
    key("http_prefix", "see server.http_path_prefix"),
    key("shutdown_delay", "see server.graceful_shutdown_timeout"),
    key("legacy-read-mode", "name the roles in target"),
    key("querier_rf1", NO_KAFKA),
    key("ingester_rf1", NO_KAFKA),
    key("index_gateway", "gateways share the ring, none needs settings"),
    key("tracing.enabled", "traces are exported when tracing.otlp_endpoint is set"),
    // --- server
    key("server.http_listen_network", CONSTANT),
    key("server.grpc_listen_network", CONSTANT),
    key("server.grpc_listen_address", "both ports listen on server.http_listen_address"),
    key("server.http_listen_conn_limit", CONSTANT),
    key("server.grpc_listen_conn_limit", CONSTANT),
    key("server.http_server_read_timeout", CONSTANT),
    key("server.http_server_read_header_timeout", CONSTANT),
    key("server.http_server_write_timeout", "see limits_config.query_timeout"),
    key("server.http_server_idle_timeout", CONSTANT),
    key("server.http_tls_config", "terminate TLS in front of the process"),
    key("server.grpc_tls_config", "terminate TLS in front of the process"),
    key("server.http_log_closed_connections_without_response_enabled", CONSTANT),
    key("server.grpc_server_max_send_msg_size", "server.grpc_server_max_recv_msg_size holds for both directions"),
    key("server.grpc_server_max_concurrent_streams", CONSTANT),
    key("server.grpc_server_max_connection_idle", CONSTANT),
    key("server.grpc_server_max_connection_age", CONSTANT),
    key("server.grpc_server_max_connection_age_grace", CONSTANT),
    key("server.grpc_server_keepalive_time", CONSTANT),
    key("server.grpc_server_keepalive_timeout", CONSTANT),
    key("server.grpc_server_min_time_between_pings", CONSTANT),
    key("server.grpc_server_ping_without_stream_allowed", CONSTANT),
    key("server.grpc_server_num_workers", CONSTANT),
    key("server.log_source_ips_enabled", CONSTANT),
    key("server.log_request_headers", CONSTANT),
    key("server.log_request_at_info_level_enabled", CONSTANT),
    same("server.register_instrumentation", &["true"], "status pages are always there"),
    // --- common and rings
    same("common.ring.kvstore.store", &["memberlist", "inmemory"], "the ring travels by gossip, see memberlist"),
    key("common.ring.kvstore", "the ring travels by gossip, see memberlist"),
    key("common.ring.tokens_file_path", "see ingester.lifecycler.tokens_file_path"),
    key("common.ring.instance_interface_names", "see common.instance_addr"),
    key("common.ring.instance_port", "see server.grpc_listen_port"),
    key("common.ring.instance_enable_ipv6", "see common.instance_addr"),
    key("common.instance_interface_names", "see common.instance_addr"),
    key("common.instance_enable_ipv6", "see common.instance_addr"),
    key("common.persist_tokens", "tokens are always kept"),
    key("common.compactor_address", "the compactor is found in the ring"),
    key("common.compactor_grpc_address", "the compactor is found in the ring"),
    key("distributor.ring", ONE_RING),
    key("query_scheduler.scheduler_ring", ONE_RING),
    key("compactor.compactor_ring", ONE_RING),
    key("memberlist.node_name", "see common.ring.instance_id"),
    key("memberlist.randomize_node_name", CONSTANT),
    key("memberlist.advertise_port", "see memberlist.bind_port"),
    key("memberlist.stream_timeout", CONSTANT),
    key("memberlist.retransmit_factor", CONSTANT),
    key("memberlist.pull_push_interval", CONSTANT),
    key("memberlist.gossip_nodes", CONSTANT),
    key("memberlist.gossip_to_dead_nodes_time", CONSTANT),
    key("memberlist.dead_node_reclaim_time", CONSTANT),
    key("memberlist.compression_enabled", CONSTANT),
    key("memberlist.notify_interval", CONSTANT),
    key("memberlist.cluster_label_verification_disabled", "the label is always verified"),
    key("memberlist.min_join_backoff", CONSTANT),
    key("memberlist.max_join_backoff", CONSTANT),
    key("memberlist.max_join_retries", "joining is tried until it succeeds"),
    key("memberlist.abort_if_cluster_join_fails", "joining is tried until it succeeds"),
    key("memberlist.rejoin_interval", CONSTANT),
    key("memberlist.left_ingesters_timeout", CONSTANT),
    key("memberlist.obsolete_entries_timeout", CONSTANT),
    key("memberlist.leave_timeout", CONSTANT),
    key("memberlist.broadcast_timeout_for_local_updates_on_shutdown", CONSTANT),
    key("memberlist.message_history_buffer_bytes", CONSTANT),
    key("memberlist.packet_dial_timeout", CONSTANT),
    key("memberlist.packet_write_timeout", CONSTANT),
    key("memberlist.max_concurrent_writes", CONSTANT),
    key("memberlist.acquire_writer_timeout", CONSTANT),
    key("memberlist.tls_enabled", LATER),
    key("memberlist.zone_aware_routing", CONSTANT),
    // --- write path
    key("distributor.push_worker_count", CONSTANT),
    key("distributor.rate_store", CONSTANT),
    key("distributor.write_failures_logging", CONSTANT),
    key("distributor.otlp_config", LATER),
    key("distributor.tenant_topic", NO_KAFKA),
    key("distributor.kafka_writes_enabled", NO_KAFKA),
    key("distributor.ingester_writes_enabled", "ingesters are always written to"),
    key("distributor.max_decompressed_size", "see distributor.max_recv_msg_size"),
    key("ingester_client.pool_config", CONSTANT),
    key("ingester_client.grpc_client_config", "see server.grpc_server_max_recv_msg_size"),
    key("ingester.lifecycler.ring", ONE_RING),
    key("ingester.lifecycler.num_tokens", "every ingester has the same number of tokens, spread evenly"),
    key("ingester.lifecycler.observe_period", CONSTANT),
    key("ingester.lifecycler.join_after", CONSTANT),
    key("ingester.lifecycler.final_sleep", CONSTANT),
    key("ingester.lifecycler.interface_names", "see common.instance_addr"),
    key("ingester.lifecycler.enable_inet6", "see common.instance_addr"),
    key("ingester.lifecycler.port", "see server.grpc_listen_port"),
    key("ingester.lifecycler.readiness_check_ring_health", CONSTANT),
    key("ingester.concurrent_flushes", CONSTANT),
    key("ingester.flush_check_period", CONSTANT),
    key("ingester.flush_op_timeout", CONSTANT),
    key("ingester.flush_op_backoff", CONSTANT),
    key("ingester.chunk_retain_period", SEGMENTS),
    key("ingester.chunk_idle_period", SEGMENTS),
    key("ingester.chunk_block_size", SEGMENTS),
    key("ingester.chunk_target_size", SEGMENTS),
    key("ingester.chunk_encoding", SEGMENTS),
    key("ingester.max_chunk_age", SEGMENTS),
    key("ingester.sync_period", SEGMENTS),
    key("ingester.sync_min_utilization", SEGMENTS),
    key("ingester.index_shards", SEGMENTS),
    key("ingester.max_returned_stream_errors", CONSTANT),
    key("ingester.query_store_max_look_back_period", "every query asks ingesters and the store"),
    key("ingester.autoforget_unhealthy", "ingesters are forgotten when that is safe"),
    key("ingester.max_dropped_streams", CONSTANT),
    key("ingester.shutdown_marker_path", "the marker lies in ingester.wal.dir"),
    key("ingester.owned_streams_check_interval", CONSTANT),
    key("ingester.tee", NO_KAFKA),
    key("ingester.kafka_ingestion", NO_KAFKA),
    key("ingester.chunk_filterer", CONSTANT),
    same("ingester.wal.enabled", &["true"], "the write-ahead log is always on"),
    key("ingester.wal.checkpoint_duration", "the log needs no checkpoints"),
    key("ingester.wal.flush_on_shutdown", "ingesters flush when they leave"),
    // --- read path
    key("querier.query_ingesters_within", "every query asks the ingesters, which know what they hold"),
    key("querier.extra_query_delay", CONSTANT),
    key("querier.query_store_only", "every query asks ingesters and the store"),
    key("querier.query_ingester_only", "every query asks ingesters and the store"),
    key("querier.query_partition_ingesters", NO_KAFKA),
    key("querier.per_request_limits_enabled", LATER),
    key("querier.engine.max_count_min_sketch_heap_size", CONSTANT),
    same("querier.multi_tenant_queries_enabled", &["false"], "a request reads one tenant"),
    key("querier.engine.max_look_back_period", "instant queries are metric queries"),
    key("querier.engine.timeout", "see limits_config.query_timeout"),
    key("querier.engine_v2", "there is one engine"),
    key("querier.ingester_query_store_max_look_back_period", "every query asks ingesters and the store"),
    key("frontend.max_body_size", CONSTANT),
    key("frontend.query_stats_enabled", CONSTANT),
    key("frontend.querier_forget_delay", CONSTANT),
    key("frontend.scheduler_dns_lookup_period", CONSTANT),
    key("frontend.scheduler_worker_concurrency", CONSTANT),
    key("frontend.graceful_shutdown_timeout", "see server.graceful_shutdown_timeout"),
    key("frontend.grpc_client_config", "see server.grpc_server_max_recv_msg_size"),
    key("frontend.instance_interface_names", "see common.instance_addr"),
    key("frontend.port", "see server.grpc_listen_port"),
    key("frontend.downstream_url", "frontends reach queriers through schedulers, see frontend.scheduler_address"),
    key("frontend.tail_proxy_url", "queriers serve tails: route /loki/api/v1/tail to them"),
    key("frontend.tail_tls_config", CONSTANT),
    same("frontend.encoding", &["protobuf"], CONSTANT),
    key("frontend.support_parquet_encoding", LATER),
    key(
        "frontend_worker.frontend_address",
        "queriers reach frontends through schedulers, see frontend.scheduler_address",
    ),
    key("frontend_worker", CONSTANT),
    key("query_range.results_cache", CACHE),
    key("query_range.index_stats_results_cache", CACHE),
    key("query_range.volume_results_cache", CACHE),
    key("query_range.instant_metric_results_cache", CACHE),
    key("query_range.series_results_cache", CACHE),
    key("query_range.label_results_cache", CACHE),
    key("query_range.cache_index_stats_results", CACHE),
    key("query_range.cache_volume_results", CACHE),
    key("query_range.cache_instant_metric_results", CACHE),
    key("query_range.cache_series_results", CACHE),
    key("query_range.cache_label_results", CACHE),
    key("query_range.instant_metric_query_split_align", CONSTANT),
    same("query_range.parallelise_shardable_queries", &["true"], PARALLEL),
    key("query_range.shard_aggregations", PARALLEL),
    key("query_range.split_queries_by_interval", "see limits_config.split_queries_by_interval"),
    key("query_scheduler.max_queue_hierarchy_levels", CONSTANT),
    key("query_scheduler.querier_forget_delay", CONSTANT),
    key("query_scheduler.grpc_client_config", "see server.grpc_server_max_recv_msg_size"),
    same("query_scheduler.use_scheduler_ring", &["true"], "schedulers are found in the ring"),
    // --- storage
    key("storage_config.tsdb_shipper", "there is no index to ship, see the cache block"),
    key("storage_config.boltdb_shipper", "there is no index to ship, see the cache block"),
    key("storage_config.boltdb", "there is no index to ship"),
    key("storage_config.index_queries_cache_config", CACHE),
    key("storage_config.index_cache_validity", CACHE),
    key("storage_config.disable_broad_index_queries", CONSTANT),
    key("storage_config.max_parallel_get_chunk", CONSTANT),
    key("storage_config.max_chunk_batch_size", CONSTANT),
    key("storage_config.hedging", CONSTANT),
    key("storage_config.congestion_control", CONSTANT),
    key("storage_config.object_prefix", CONSTANT),
    key("storage_config.named_stores", "there is one store, see storage_config.backend"),
    key("storage_config.use_thanos_objstore", "the blocks of storage_config are used, see storage_config.backend"),
    key("storage_config.object_store", "the blocks of storage_config are used, see storage_config.backend"),
    key("storage_config.swift", "no such store, see storage_config.backend"),
    key("storage_config.alibabacloud", "use the S3 interface, see storage_config.s3"),
    key("storage_config.bos", "use the S3 interface, see storage_config.s3"),
    key("storage_config.cos", "use the S3 interface, see storage_config.s3"),
    key("storage_config.bigtable", "no such store, see storage_config.backend"),
    key("storage_config.cassandra", "no such store, see storage_config.backend"),
    key("storage_config.grpc_store", "no such store, see storage_config.backend"),
    key("storage_config.filesystem.rules_directory", RULER),
    key("storage_config.filesystem.admin_directory", LATER),
    key("storage_config.s3.s3", "write endpoint, bucketnames and keys out"),
    key("storage_config.s3.session_token", "temporary credentials come from the environment"),
    key("storage_config.s3.sse", LATER),
    key("storage_config.s3.sse_encryption", LATER),
    key("storage_config.s3.http_config", CONSTANT),
    key("storage_config.s3.signature_version", CONSTANT),
    key("storage_config.s3.storage_class", LATER),
    key("storage_config.s3.backoff_config", CONSTANT),
    key("storage_config.s3.disable_dualstack", CONSTANT),
    key("storage_config.s3.dynamodb", "there is no DynamoDB"),
    key("storage_config.s3.chunk_delimiter", CONSTANT),
    key("storage_config.gcs.service_account", "credentials come from the environment"),
    key("storage_config.gcs.chunk_buffer_size", CONSTANT),
    key("storage_config.gcs.request_timeout", CONSTANT),
    key("storage_config.gcs.enable_opencensus", CONSTANT),
    key("storage_config.gcs.enable_http2", CONSTANT),
    key("storage_config.gcs.enable_retries", CONSTANT),
    key("storage_config.azure.environment", CONSTANT),
    key("storage_config.azure.endpoint_suffix", CONSTANT),
    key("storage_config.azure.use_managed_identity", "credentials come from the environment"),
    key("storage_config.azure.use_federated_token", "credentials come from the environment"),
    key("storage_config.azure.use_service_principal", "credentials come from the environment"),
    key("storage_config.azure.user_assigned_id", "credentials come from the environment"),
    key("storage_config.azure.connection_string", "write account and container out"),
    key("storage_config.azure.request_timeout", CONSTANT),
    key("storage_config.azure.max_retries", CONSTANT),
    key("compactor.working_directory", "compaction needs no directory"),
    key("compactor.apply_retention_interval", RETENTION),
    key("compactor.retention_enabled", RETENTION),
    key("compactor.retention_delete_delay", RETENTION),
    key("compactor.retention_delete_worker_count", RETENTION),
    key("compactor.retention_table_timeout", RETENTION),
    key("compactor.retention_backoff_config", RETENTION),
    key("compactor.delete_request_store", RETENTION),
    key("compactor.delete_request_store_key_prefix", RETENTION),
    key("compactor.delete_request_store_db_type", RETENTION),
    key("compactor.delete_batch_size", RETENTION),
    key("compactor.delete_request_cancel_period", RETENTION),
    key("compactor.delete_max_interval", RETENTION),
    key("compactor.deletion_mode", RETENTION),
    key("compactor.max_compaction_parallelism", CONSTANT),
    key("compactor.upload_parallelism", CONSTANT),
    key("compactor.run_once", CONSTANT),
    key("compactor.tables_to_compact", CONSTANT),
    key("compactor.skip_latest_n_tables", CONSTANT),
    key("compactor.horizontal_scaling_mode", CONSTANT),
    key("compactor.worker_config", CONSTANT),
    key("compactor.jobs_config", CONSTANT),
    key("compactor.shared_store", "the store is chosen by storage_config.backend"),
    // --- caches
    key("cache.redis.pool_size", "one connection carries all calls"),
    key("cache.redis.idle_timeout", CONSTANT),
    key("cache.redis.max_connection_age", CONSTANT),
    key("cache.redis.route_randomly", CONSTANT),
    key("cache.redis.sentinel_password", "see cache.redis.password"),
    key("cache.redis.tls_insecure_skip_verify", "certificates are always verified"),
    // --- limits
    key("limits_config.max_streams_per_user", "see limits_config.max_global_streams_per_user"),
    key("limits_config.use_owned_stream_count", CONSTANT),
    key("limits_config.max_line_size_truncate_identifier", CONSTANT),
    key("limits_config.log_level_from_json_max_depth", CONSTANT),
    key("limits_config.discover_generic_fields", LATER),
    key("limits_config.otlp_config", LATER),
    key("limits_config.block_ingestion_policy_until", LATER),
    key("limits_config.policy_stream_mapping", LATER),
    key("limits_config.policy_enforced_labels", LATER),
    key("limits_config.policy_override_limits", LATER),
    key("limits_config.blocked_queries", LATER),
    key("limits_config.unordered_writes", "lines are accepted in any order"),
    key("limits_config.max_chunks_per_query", "see limits_config.max_query_bytes_read"),
    key("limits_config.cardinality_limit", "see limits_config.max_query_series"),
    key("limits_config.max_querier_bytes_read", "see limits_config.max_query_bytes_read"),
    key("limits_config.max_queriers_per_user", "see limits_config.max_queriers_per_tenant"),
    key("limits_config.max_query_capacity", "see limits_config.max_queriers_per_tenant"),
    key("limits_config.split_metadata_queries_by_interval", CONSTANT),
    key("limits_config.split_recent_metadata_queries_by_interval", CONSTANT),
    key("limits_config.recent_metadata_query_window", CONSTANT),
    key("limits_config.split_instant_metric_queries_by_interval", "see limits_config.split_queries_by_interval"),
    key("limits_config.split_ingester_queries_by_interval", CONSTANT),
    key("limits_config.max_stats_cache_freshness", CONSTANT),
    key("limits_config.max_metadata_cache_freshness", CONSTANT),
    key("limits_config.query_ready_index_num_days", "there is no index to load ahead"),
    key("limits_config.index_gateway_shard_size", CONSTANT),
    key("limits_config.index_gateway_max_capacity", CONSTANT),
    key("limits_config.tsdb_max_query_parallelism", PARALLEL),
    key("limits_config.tsdb_max_bytes_per_shard", PARALLEL),
    key("limits_config.tsdb_sharding_strategy", PARALLEL),
    key("limits_config.tsdb_precompute_chunks", PARALLEL),
    key("limits_config.min_sharding_lookback", PARALLEL),
    key("limits_config.shard_aggregations", PARALLEL),
    key("limits_config.shard_streams.time_sharding_enabled", "lines are accepted in any order"),
    key("limits_config.shard_streams.time_sharding_ignore_recent", "lines are accepted in any order"),
    key("limits_config.shard_streams.logging_enabled", CONSTANT),
    same("limits_config.volume_enabled", &["true"], LATER),
    key("limits_config.volume_max_series", LATER),
    same("limits_config.retention_period", &["0", "0s"], RETENTION),
    key("limits_config.retention_stream", RETENTION),
    key("limits_config.deletion_mode", RETENTION),
    key("limits_config.allow_deletes", RETENTION),
    key("limits_config.per_tenant_override_config", "see runtime_config.file"),
    key("limits_config.per_tenant_override_period", "see runtime_config.period"),
    key("limits_config.ruler_max_rules_per_rule_group", RULER),
    key("limits_config.ruler_max_rule_groups_per_tenant", RULER),
    key("limits_config.ruler_tenant_shard_size", RULER),
    key("limits_config.ruler_evaluation_delay_duration", RULER),
    key("limits_config.ruler_alertmanager_config", RULER),
    key("limits_config.ruler_enable_wal_replay", RULER),
    key("limits_config.ruler_remote_write_disabled", RULER),
    key("limits_config.ruler_remote_write_url", RULER),
    key("limits_config.ruler_remote_write_timeout", RULER),
    key("limits_config.ruler_remote_write_headers", RULER),
    key("limits_config.ruler_remote_write_config", RULER),
    key("limits_config.ruler_remote_evaluation_timeout", RULER),
    key("limits_config.ruler_remote_evaluation_max_response_size", RULER),
    key("limits_config.pattern_ingester_tokenizable_json_fields_default", LATER),
    key("limits_config.pattern_ingester_tokenizable_json_fields_append", LATER),
    key("limits_config.pattern_ingester_tokenizable_json_fields_delete", LATER),
    key("limits_config.metric_aggregation_enabled", LATER),
    key("limits_config.pattern_persistence_enabled", LATER),
    key("limits_config.bloom_gateway_enable_filtering", "every segment holds text filters"),
    key("limits_config.bloom_gateway_shard_size", "every segment holds text filters"),
    key("limits_config.bloom_creation_enabled", "every segment holds text filters"),
    key("limits_config.ingestion_partition_tenant_shard_size", NO_KAFKA),
    key("limits_config.tenant_limits_allow_publish", LATER),
];

#[cfg(test)]
mod tests {
    use super::TABLE;
    use crate::{
        Config,
        keys::{aliases, schema},
    };

    #[test]
    fn no_entry_hides_a_setting_or_another_entry() {
        let schema = schema::of(&Config::default());
        for (i, entry) in TABLE.iter().enumerate() {
            let path: Vec<String> = entry.path.split('.').map(str::to_owned).collect();
            assert!(schema::node(&schema, &path).is_none(), "{} is ours", entry.path);
            let earlier = TABLE[..i].iter().find(|other| {
                entry.path.strip_prefix(other.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            });
            assert!(earlier.is_none(), "{} is never reached", entry.path);
            assert_eq!(aliases::resolve(&path).0, path, "{} is an alias", entry.path);
        }
    }
}
