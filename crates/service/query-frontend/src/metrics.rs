//! What the frontend counts, under the names Loki's dashboards know.

use prometheus_client::{metrics::counter::Counter, metrics::histogram::Histogram, registry::Registry};

/// The frontend's metrics, all starting with `loki_query_frontend_`.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) retries: Counter,
    pub(crate) partitions: Counter,
    pub(crate) cache_hits: Counter,
    pub(crate) cache_misses: Counter,
    pub(crate) cancelled: Counter,
    pub(crate) queue_seconds: Histogram,
}

impl Metrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            retries: Counter::default(),
            partitions: Counter::default(),
            cache_hits: Counter::default(),
            cache_misses: Counter::default(),
            cancelled: Counter::default(),
            queue_seconds: Histogram::new([0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0]),
        };
        let r = registry.sub_registry_with_prefix("loki_query_frontend");
        r.register("retries", "Tasks tried again after a failure", metrics.retries.clone());
        r.register("partitions", "Parts that queries were cut into along time", metrics.partitions.clone());
        r.register("result_cache_hits", "Parts answered from the results cache alone", metrics.cache_hits.clone());
        r.register("result_cache_misses", "Parts that were computed, wholly or partly", metrics.cache_misses.clone());
        r.register("cancelled_requests", "Requests whose client went away", metrics.cancelled.clone());
        r.register("queue_duration_seconds", "How long a query's tasks waited, in sum", metrics.queue_seconds.clone());
        metrics
    }
}
