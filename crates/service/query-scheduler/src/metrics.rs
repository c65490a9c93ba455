//! What the scheduler counts, under the names Loki's dashboards know.

use prometheus_client::{
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

type PerUser<M> = Family<[(&'static str, String); 1], M>;

/// The scheduler's metrics, all starting with `loki_query_scheduler_`.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) queue_length: PerUser<Gauge>,
    pub(crate) discarded: PerUser<Counter>,
    pub(crate) inflight: Gauge,
    pub(crate) queue_seconds: Histogram,
    pub(crate) queriers: Gauge,
    pub(crate) requeued: Counter,
}

impl Metrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            queue_length: PerUser::default(),
            discarded: PerUser::default(),
            inflight: Gauge::default(),
            // 1 ms to about a minute.
            queue_seconds: Histogram::new(exponential_buckets(0.001, 4.0, 9)),
            queriers: Gauge::default(),
            requeued: Counter::default(),
        };
        let r = registry.sub_registry_with_prefix("loki_query_scheduler");
        r.register("queue_length", "Tasks waiting", metrics.queue_length.clone());
        r.register("discarded_requests", "Tasks refused because a tenant's queue was full", metrics.discarded.clone());
        r.register("inflight_requests", "Tasks waiting or at a querier", metrics.inflight.clone());
        r.register("queue_duration_seconds", "How long tasks waited for a querier", metrics.queue_seconds.clone());
        r.register("connected_querier_clients", "Queriers connected", metrics.queriers.clone());
        r.register("requeued_requests", "Tasks given to another querier", metrics.requeued.clone());
        metrics
    }
}

/// The label under which Loki counts per tenant.
pub(crate) fn user(tenant: &str) -> [(&'static str, String); 1] {
    [("user", tenant.to_owned())]
}
