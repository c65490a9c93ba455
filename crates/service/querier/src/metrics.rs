//! What the querier counts, under the names Loki's dashboards know.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};
use skald_wire::pb;

/// The querier's metrics.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) inflight: Gauge,
    pub(crate) tail_active: Gauge,
    pub(crate) redone: Counter,
    bytes: Counter,
    pages: Counter,
    duplicates: Counter,
    ingester_rows: Counter,
    bucket_bytes: Counter,
    cache_bytes: Counter,
}

impl Metrics {
    pub(crate) fn new(registry: &mut Registry, slots: u32) -> Self {
        let metrics = Self {
            inflight: Gauge::default(),
            tail_active: Gauge::default(),
            redone: Counter::default(),
            bytes: Counter::default(),
            pages: Counter::default(),
            duplicates: Counter::default(),
            ingester_rows: Counter::default(),
            bucket_bytes: Counter::default(),
            cache_bytes: Counter::default(),
        };
        let concurrency = Gauge::<i64>::default();
        concurrency.set(slots.into());
        let r = registry.sub_registry_with_prefix("loki_querier");
        r.register("worker_inflight_queries", "Tasks at work", metrics.inflight.clone());
        r.register("worker_concurrency", "Tasks taken at a time", concurrency);
        r.register("tail_active", "Live tails", metrics.tail_active.clone());
        r.register("tasks_redone", "Attempts begun again: object or ingester gone", metrics.redone.clone());
        r.register("bucket_bytes", "Bytes read from the bucket", metrics.bucket_bytes.clone());
        r.register("cache_bytes", "Bytes read from caches", metrics.cache_bytes.clone());
        let r = registry.sub_registry_with_prefix("loki_logql_querystats");
        r.register("bytes_processed", "Bytes of rows evaluated", metrics.bytes.clone());
        r.register("downloaded_chunk", "Pages read", metrics.pages.clone());
        r.register("duplicates", "Copies of rows dropped", metrics.duplicates.clone());
        r.register("ingester_sent_lines", "Rows sent by ingesters", metrics.ingester_rows.clone());
        metrics
    }

    /// Adds a task's counts.
    pub(crate) fn observe(&self, stats: &pb::TaskStats) {
        self.bytes.inc_by(stats.bytes);
        self.pages.inc_by(stats.pages_read);
        self.duplicates.inc_by(stats.duplicates);
        self.ingester_rows.inc_by(stats.ingester_rows);
        self.bucket_bytes.inc_by(stats.fetched_bucket_bytes);
        self.cache_bytes.inc_by(stats.fetched_memory_bytes);
    }
}
