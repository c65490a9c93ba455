//! Loki's other names for settings that have one home here. A key below an alias is found below its
//! target. The home wins when a file holds both.

/// `(Loki's path, ours)`; longer paths stand before their own prefixes.
const ALIASES: [(&str, &str); 26] = [
    ("common.storage", "storage_config"),
    ("storage_config.filesystem.chunks_directory", "storage_config.filesystem.directory"),
    ("storage_config.aws", "storage_config.s3"),
    ("common.ring.instance_addr", "common.instance_addr"),
    ("common.ring.instance_availability_zone", "ingester.lifecycler.availability_zone"),
    ("common.instance_id", "common.ring.instance_id"),
    ("ingester.lifecycler.ring.replication_factor", "common.replication_factor"),
    ("ingester.lifecycler.ring.heartbeat_timeout", "common.ring.heartbeat_timeout"),
    ("ingester.lifecycler.ring.zone_awareness_enabled", "common.ring.zone_awareness_enabled"),
    ("ingester.lifecycler.ring.kvstore", "common.ring.kvstore"),
    ("ingester.lifecycler.heartbeat_period", "common.ring.heartbeat_period"),
    ("ingester.lifecycler.heartbeat_timeout", "common.ring.heartbeat_timeout"),
    ("ingester.lifecycler.address", "common.instance_addr"),
    ("ingester.lifecycler.id", "common.ring.instance_id"),
    ("distributor.ring.kvstore", "common.ring.kvstore"),
    ("distributor.ring.heartbeat_timeout", "common.ring.heartbeat_timeout"),
    ("distributor.ring.instance_addr", "common.instance_addr"),
    ("query_scheduler.scheduler_ring.kvstore", "common.ring.kvstore"),
    ("compactor.compactor_ring.kvstore", "common.ring.kvstore"),
    ("index_gateway.ring.kvstore", "common.ring.kvstore"),
    ("frontend_worker.scheduler_address", "frontend.scheduler_address"),
    ("frontend.address", "common.instance_addr"),
    ("frontend.max_outstanding_per_tenant", "query_scheduler.max_outstanding_requests_per_tenant"),
    ("chunk_store_config.chunk_cache_config.redis", "cache.redis"),
    ("query_range.results_cache.cache.redis", "cache.redis"),
    ("storage_config.s3.bucket_name", "storage_config.s3.bucketnames"),
];

/// `path` with Loki's prefixes replaced by ours until none is left; whether any was.
pub(crate) fn resolve(path: &[String]) -> (Vec<String>, bool) {
    let mut joined = path.join(".");
    let mut renamed = false;
    // Aliases may chain once (`common.storage` and then `storage_config.aws`), never in a circle,
    // which a test checks.
    while let Some(next) = ALIASES.iter().find_map(|(from, to)| {
        let rest = joined.strip_prefix(from)?;
        (rest.is_empty() || rest.starts_with('.')).then(|| format!("{to}{rest}"))
    }) {
        joined = next;
        renamed = true;
    }
    (joined.split('.').map(str::to_owned).collect(), renamed)
}

/// Whether some alias lies below `path`, so that a block of this name is worth walking into.
pub(crate) fn leads_on(path: &[String]) -> bool {
    let prefix = format!("{}.", path.join("."));
    ALIASES.iter().any(|(from, _)| from.starts_with(&prefix))
}

#[cfg(test)]
mod tests {
    use super::{ALIASES, resolve};
    use crate::{
        Config,
        keys::{foreign, schema},
    };

    #[test]
    fn every_alias_ends_at_a_known_key() {
        let schema = schema::of(&Config::default());
        for (from, _) in ALIASES {
            let path: Vec<String> = from.split('.').map(str::to_owned).collect();
            let (ours, renamed) = resolve(&path);
            let known =
                schema::node(&schema, &ours).is_some() || foreign::find(&ours).is_some() || foreign::leads_on(&ours);
            assert!(renamed && known, "{from} -> {}", ours.join("."));
        }
    }

    #[test]
    fn chains() {
        let path: Vec<String> = "common.storage.filesystem.chunks_directory".split('.').map(str::to_owned).collect();
        assert_eq!(resolve(&path).0.join("."), "storage_config.filesystem.directory");
    }
}
