//! Contradictions between settings, all of them at once.

use crate::{Backend, Config, Problem};

/// Above this a memtable's object would no longer fit one conditional PUT of at most 128 MB, even if
/// its rows hardly compress.
const MEMTABLE_BYTES_MAX: u64 = 128 << 20;

/// Below this every few pushes would become an object of their own.
const MEMTABLE_BYTES_MIN: u64 = 64 << 10;

impl Config {
    /// Every contradiction; empty when the configuration can be used.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut check = |ok: bool, text: &str| {
            if !ok {
                problems.push(Problem::new("", text));
            }
        };
        check(!self.target.is_empty(), "target names no role");
        check(skald_model::TenantId::new(&self.no_auth_tenant).is_ok(), "no_auth_tenant is not a valid tenant");

        let prefix = &self.server.http_path_prefix;
        check(
            prefix.is_empty() || (prefix.starts_with('/') && !prefix.ends_with('/')),
            "server.http_path_prefix must begin with a slash and not end with one",
        );
        let ports = [self.server.http_listen_port, self.server.grpc_listen_port, self.memberlist.bind_port];
        let clash = (0..3).any(|i| (0..i).any(|j| ports[i] != 0 && ports[i] == ports[j]));
        check(!clash, "server.http_listen_port, server.grpc_listen_port and memberlist.bind_port must differ");
        check(
            self.server.grpc_server_max_recv_msg_size >= self.distributor.max_recv_msg_size,
            "server.grpc_server_max_recv_msg_size must be at least distributor.max_recv_msg_size",
        );

        check(matches!(self.common.replication_factor, 1 | 3 | 5), "common.replication_factor must be 1, 3 or 5");
        let ring = &self.common.ring;
        check(!ring.heartbeat_period.is_zero(), "common.ring.heartbeat_period must be greater than 0");
        check(
            ring.heartbeat_timeout > ring.heartbeat_period,
            "common.ring.heartbeat_timeout must be longer than common.ring.heartbeat_period",
        );
        check(
            !ring.zone_awareness_enabled
                || !self.roles().contains(&crate::Role::Ingester)
                || !self.ingester.lifecycler.availability_zone.is_empty(),
            "ingester.lifecycler.availability_zone must be set while common.ring.zone_awareness_enabled is true",
        );
        check(!self.memberlist.gossip_interval.is_zero(), "memberlist.gossip_interval must be greater than 0");

        check(
            (MEMTABLE_BYTES_MIN..=MEMTABLE_BYTES_MAX).contains(&self.ingester.memtable_size.bytes()),
            "ingester.memtable_size must be between 64KB and 128MB",
        );
        check(!self.ingester.memtable_age.is_zero(), "ingester.memtable_age must be greater than 0");
        let threshold = self.ingester.wal.disk_full_threshold;
        check(threshold > 0.0 && threshold <= 1.0, "ingester.wal.disk_full_threshold must be between 0 and 1");
        check(!self.ingester_client.remote_timeout.is_zero(), "ingester_client.remote_timeout must be greater than 0");
        check(self.querier.max_concurrent > 0, "querier.max_concurrent must be greater than 0");
        check(
            self.query_scheduler.max_outstanding_requests_per_tenant > 0,
            "query_scheduler.max_outstanding_requests_per_tenant must be greater than 0",
        );
        check(!self.compactor.compaction_interval.is_zero(), "compactor.compaction_interval must be greater than 0");
        check(!self.runtime_config.period.is_zero(), "runtime_config.period must be greater than 0");

        let s3 = &self.storage_config.s3;
        match self.storage_config.backend {
            Backend::S3 => {
                check(!s3.bucketnames.is_empty(), "storage_config.s3.bucketnames must be set for backend s3");
                check(
                    s3.access_key_id.is_empty() == s3.secret_access_key.is_empty(),
                    "storage_config.s3: access_key_id and secret_access_key must be set together",
                );
            }
            Backend::Gcs => check(
                !self.storage_config.gcs.bucket_name.is_empty(),
                "storage_config.gcs.bucket_name must be set for backend gcs",
            ),
            Backend::Azure => check(
                !self.storage_config.azure.account_name.is_empty()
                    && !self.storage_config.azure.container_name.is_empty(),
                "storage_config.azure: account_name and container_name must be set for backend azure",
            ),
            Backend::Auto | Backend::Filesystem | Backend::InMemory => {}
        }

        let redis = &self.cache.redis;
        check(
            redis.master_name.is_empty() || !redis.endpoint.is_empty(),
            "cache.redis.endpoint must name the Sentinels while cache.redis.master_name is set",
        );
        check(redis.endpoint.is_empty() || !redis.timeout.is_zero(), "cache.redis.timeout must be greater than 0");
        let limits = self.limits_config.problems().into_iter();
        problems.extend(limits.map(|text| Problem::new("", format!("limits_config.{text}"))));
        problems
    }
}
