//! Every limit of a tenant: Loki's name, Loki's default, and what changes when it changes.
//!
//! `0`, an empty list and an empty text mean "no limit" wherever the doc does not say otherwise. In
//! the configuration file this is the `limits_config` block; the overrides file holds the same keys
//! per tenant.

use serde::{Deserialize, Serialize};

use crate::{ByteSize, Period};

/// How a tenant's ingestion rate is shared between distributors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IngestionRateStrategy {
    /// Each distributor allows the whole rate.
    Local,
    /// Each distributor allows its share: the rate divided by the healthy distributors.
    #[default]
    Global,
}

/// Splitting of hot streams into several, so that one loud process does not land on one ingester.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShardStreams {
    /// Default `true`. Off: one stream is always one stream, whatever its rate.
    pub enabled: bool,
    /// Default `1536KB` per second. Lower: more `__stream_shard__` streams, spread more evenly.
    pub desired_rate: ByteSize,
}

impl Default for ShardStreams {
    fn default() -> Self {
        Self { enabled: true, desired_rate: ByteSize::kib(1536) }
    }
}

/// All limits of one tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    // --- how much may come in
    /// Default `global`. `local` multiplies the effective rate by the number of distributors.
    pub ingestion_rate_strategy: IngestionRateStrategy,
    /// Default `4` MiB of lines per second. Pushes beyond it get 429 and are retried by agents.
    pub ingestion_rate_mb: f64,
    /// Default `6` MiB. The largest push that can succeed at once; at least the largest batch of an agent.
    pub ingestion_burst_size_mb: f64,
    /// Default `3MB` per second. Lower: one stream can take less of the tenant's rate.
    pub per_stream_rate_limit: ByteSize,
    /// Default `15MB`. The largest batch of one stream that can succeed at once.
    pub per_stream_rate_limit_burst: ByteSize,
    /// Default `256KB`. Longer lines are refused, or cut when `max_line_size_truncate` is set.
    pub max_line_size: ByteSize,
    /// Default `false`. On: long lines are cut to `max_line_size` instead of refused.
    pub max_line_size_truncate: bool,

    // --- how many streams
    /// Default `5000` active streams in the whole cluster. More memory per ingester when raised.
    pub max_global_streams_per_user: u64,
    /// Splitting of hot streams.
    pub shard_streams: ShardStreams,
    /// Default `12` ingesters hold one tenant's rows; never fewer than the replication factor, all
    /// of them when `0`. Lower: a tenant that misbehaves harms fewer ingesters, and queries ask fewer.
    pub ingestion_tenant_shard_size: u32,

    // --- labels
    /// Default `15`. Streams with more label names are refused; `service_name` is not counted.
    pub max_label_names_per_series: u32,
    /// Default `1024` bytes.
    pub max_label_name_length: u32,
    /// Default `2048` bytes.
    pub max_label_value_length: u32,
    /// Default none. Streams that lack one of these labels are refused.
    pub enforced_labels: Vec<String>,

    // --- time
    /// Default `true`. Off: lines of any age are accepted.
    pub reject_old_samples: bool,
    /// Default `7d`. Older lines are refused while `reject_old_samples` is on.
    pub reject_old_samples_max_age: Period,
    /// Default `10m`. Lines further in the future are refused.
    pub creation_grace_period: Period,
    /// Default `false`. On: a line with the timestamp of the one before it in its stream moves on by 1 ns.
    pub increment_duplicate_timestamp: bool,

    // --- structured metadata and what is derived from lines
    /// Default `true`. Off: entries with structured metadata are refused.
    pub allow_structured_metadata: bool,
    /// Default `64KB` of names and values per entry.
    pub max_structured_metadata_size: ByteSize,
    /// Default `128` pairs per entry.
    pub max_structured_metadata_entries_count: u32,
    /// Labels that may name the service, best first; empty switches `service_name` off.
    pub discover_service_name: Vec<String>,
    /// Default `true`. Off: no `detected_level` is derived.
    pub discover_log_levels: bool,
    /// Names of labels, metadata and fields that may hold the level, best first.
    pub log_level_fields: Vec<String>,

    // --- blocking a tenant
    /// Default none. Until this instant (RFC 3339) every push is refused.
    pub block_ingestion_until: String,
    /// Default `260`. The status of those refusals; `260` makes agents drop, `429` makes them retry.
    pub block_ingestion_status_code: u16,

    // --- size of queries
    /// Default `5000` lines. A log query that asks for more gets 400.
    pub max_entries_limit_per_query: u32,
    /// Default `500` series in the result of a metric query.
    pub max_query_series: u32,
    /// Default `721h` between start and end.
    pub max_query_length: Period,
    /// Default `0s`. How far back a query can see; older starts are moved up, silently as in Loki.
    pub max_query_lookback: Period,
    /// Default `0s`. The longest `[range]` in a metric query.
    pub max_query_range: Period,
    /// Default `1m`. Queries that take longer get 504.
    pub query_timeout: Period,
    /// Default `1000` matchers in one query.
    pub max_streams_matchers_per_query: u32,
    /// Default `0B`. The most bytes a query may have to read, before splitting.
    pub max_query_bytes_read: ByteSize,
    /// Default none. Labels that every selector must match on.
    pub required_labels: Vec<String>,
    /// Default `0`. The fewest label matchers a selector must have.
    pub minimum_labels_number: u32,

    // --- how queries are run
    /// Default `1h`. Smaller: more parallel parts and better reuse of the results cache; `0s` switches splitting off.
    pub split_queries_by_interval: Period,
    /// Default `32` parts of one query at work at once.
    pub max_query_parallelism: u32,
    /// Default `10m`. Results newer than this are never cached.
    pub max_cache_freshness_per_query: Period,
    /// Default `0`: all. The most queriers that work for one tenant.
    pub max_queriers_per_tenant: u32,
    /// Default `10` live tails at once.
    pub max_concurrent_tail_requests: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ingestion_rate_strategy: IngestionRateStrategy::Global,
            ingestion_rate_mb: 4.0,
            ingestion_burst_size_mb: 6.0,
            per_stream_rate_limit: ByteSize::mib(3),
            per_stream_rate_limit_burst: ByteSize::mib(15),
            max_line_size: ByteSize::kib(256),
            max_line_size_truncate: false,
            max_global_streams_per_user: 5000,
            shard_streams: ShardStreams::default(),
            ingestion_tenant_shard_size: 12,
            max_label_names_per_series: 15,
            max_label_name_length: 1024,
            max_label_value_length: 2048,
            enforced_labels: Vec::new(),
            reject_old_samples: true,
            reject_old_samples_max_age: Period::days(7),
            creation_grace_period: Period::minutes(10),
            increment_duplicate_timestamp: false,
            allow_structured_metadata: true,
            max_structured_metadata_size: ByteSize::kib(64),
            max_structured_metadata_entries_count: 128,
            discover_service_name: DISCOVER_SERVICE_NAME.map(str::to_owned).to_vec(),
            discover_log_levels: true,
            log_level_fields: LOG_LEVEL_FIELDS.map(str::to_owned).to_vec(),
            block_ingestion_until: String::new(),
            block_ingestion_status_code: 260,
            max_entries_limit_per_query: 5000,
            max_query_series: 500,
            max_query_length: Period::hours(721),
            max_query_lookback: Period::ZERO,
            max_query_range: Period::ZERO,
            query_timeout: Period::minutes(1),
            max_streams_matchers_per_query: 1000,
            max_query_bytes_read: ByteSize(0),
            required_labels: Vec::new(),
            minimum_labels_number: 0,
            split_queries_by_interval: Period::hours(1),
            max_query_parallelism: 32,
            max_cache_freshness_per_query: Period::minutes(10),
            max_queriers_per_tenant: 0,
            max_concurrent_tail_requests: 10,
        }
    }
}

/// The default of [`Limits::discover_service_name`].
const DISCOVER_SERVICE_NAME: [&str; 13] = [
    "service",
    "app",
    "application",
    "app_name",
    "name",
    "app_kubernetes_io_name",
    "container",
    "container_name",
    "k8s_container_name",
    "component",
    "workload",
    "job",
    "k8s_job_name",
];

/// The default of [`Limits::log_level_fields`].
const LOG_LEVEL_FIELDS: [&str; 14] = [
    "level",
    "LEVEL",
    "Level",
    "log.level",
    "severity",
    "SEVERITY",
    "Severity",
    "SeverityText",
    "lvl",
    "LVL",
    "Lvl",
    "severity_text",
    "Severity_Text",
    "SEVERITY_TEXT",
];

impl Limits {
    /// What holds when Skald is started without any configuration file: one person on one machine,
    /// for whom Loki's protection of a shared cluster would only be in the way.
    pub fn unconfigured() -> Self {
        Self {
            ingestion_rate_mb: 64.0,
            ingestion_burst_size_mb: 128.0,
            per_stream_rate_limit: ByteSize::mib(64),
            per_stream_rate_limit_burst: ByteSize::mib(128),
            max_global_streams_per_user: 200_000,
            ..Self::default()
        }
    }

    /// The tenant's ingestion rate in bytes per second.
    pub fn ingestion_rate_bytes(&self) -> f64 {
        self.ingestion_rate_mb * 1_048_576.0
    }

    /// The tenant's ingestion burst in bytes.
    pub fn ingestion_burst_bytes(&self) -> f64 {
        self.ingestion_burst_size_mb * 1_048_576.0
    }

    /// Every contradiction in this set, as sentences that name the key.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |ok: bool, text: &str| {
            if !ok {
                problems.push(text.to_owned());
            }
        };
        check(
            self.ingestion_rate_mb.is_finite() && self.ingestion_rate_mb > 0.0,
            "ingestion_rate_mb must be greater than 0",
        );
        check(
            self.ingestion_burst_size_mb.is_finite() && self.ingestion_burst_size_mb > 0.0,
            "ingestion_burst_size_mb must be greater than 0",
        );
        check(
            !self.shard_streams.enabled || self.shard_streams.desired_rate.bytes() > 0,
            "shard_streams.desired_rate must be greater than 0 while shard_streams.enabled is true",
        );
        check(self.max_query_parallelism > 0, "max_query_parallelism must be greater than 0");
        check(!self.query_timeout.is_zero(), "query_timeout must be greater than 0");
        check(
            (200..600).contains(&self.block_ingestion_status_code),
            "block_ingestion_status_code must be an HTTP status between 200 and 599",
        );
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::{ByteSize, Limits, ShardStreams};

    #[test]
    fn both_sets_of_defaults_are_sound() {
        assert!(Limits::default().problems().is_empty());
        assert!(Limits::unconfigured().problems().is_empty());
        assert_eq!(Limits::default().ingestion_rate_bytes(), 4_194_304.0);
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let limits = Limits {
            ingestion_rate_mb: f64::NAN,
            max_query_parallelism: 0,
            shard_streams: ShardStreams { enabled: true, desired_rate: ByteSize(0) },
            block_ingestion_status_code: 7,
            ..Limits::default()
        };
        let problems = limits.problems();
        assert_eq!(problems.len(), 4, "{problems:?}");
        for key in ["ingestion_rate_mb", "max_query_parallelism", "desired_rate", "block_ingestion_status_code"] {
            assert!(problems.iter().any(|p| p.contains(key)), "{key}");
        }
    }
}
