//! The registry of a process, and what every process measures about itself.
//!
//! Names are complete where they are registered (`loki_distributor_lines_received`), so that a search
//! for a name finds it; where a metric means what Loki's means it has Loki's name, so that dashboards
//! and alerts work. `prometheus-client` appends `_total` to counters itself.

use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use crate::{BuildInfo, process::ProcessCollector};

/// The content type of [`Metrics::encode`].
pub const METRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of request durations in seconds; Loki's, which its recording rules expect.
const DURATION_BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0];

/// The registry of a process. Clones share it.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    /// Registries of services that could not be filled under the lock.
    adopted: Arc<Mutex<Vec<Registry>>>,
    own: OwnMetrics,
}

/// What the kit itself counts.
#[derive(Clone)]
pub(crate) struct OwnMetrics {
    pub(crate) requests: Family<RequestLabels, Histogram, fn() -> Histogram>,
    pub(crate) inflight: Family<RouteLabels, Gauge>,
    pub(crate) panics: Counter,
    pub(crate) reload_successful: Gauge,
}

/// Labels of `loki_request_duration_seconds`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    pub(crate) method: String,
    pub(crate) route: String,
    pub(crate) status_code: String,
    pub(crate) ws: &'static str,
}

/// Labels of `loki_inflight_requests`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RouteLabels {
    pub(crate) method: String,
    pub(crate) route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: String,
    revision: String,
    branch: String,
}

impl Metrics {
    /// A registry with the metrics every process has.
    pub fn new(build: &BuildInfo) -> Self {
        let own = OwnMetrics {
            requests: Family::new_with_constructor(duration_histogram as fn() -> Histogram),
            inflight: Family::default(),
            panics: Counter::default(),
            reload_successful: Gauge::default(),
        };
        // Nothing was reloaded yet, so nothing failed.
        own.reload_successful.set(1);
        let build_info = Family::<BuildLabels, Gauge>::default();
        let labels = BuildLabels {
            version: build.version.to_owned(),
            revision: build.revision.to_owned(),
            branch: build.branch.to_owned(),
        };
        build_info.get_or_create(&labels).set(1);

        let mut registry = Registry::default();
        registry.register(
            "loki_request_duration_seconds",
            "Time from a request's arrival to its answer",
            own.requests.clone(),
        );
        registry.register("loki_inflight_requests", "Requests being answered", own.inflight.clone());
        registry.register("loki_panic", "Panics caught while answering requests", own.panics.clone());
        registry.register(
            "loki_runtime_config_last_reload_successful",
            "Whether the overrides file was valid when last read",
            own.reload_successful.clone(),
        );
        registry.register("loki_build_info", "Always 1; the labels say what runs", build_info);
        registry.register_collector(Box::new(ProcessCollector));
        Self { registry: Arc::new(Mutex::new(registry)), adopted: Arc::default(), own }
    }

    /// Lets a component register its metrics: `metrics.register(|registry| Ingester::metrics(registry))`.
    pub fn register<T>(&self, register: impl FnOnce(&mut Registry) -> T) -> T {
        register(&mut self.registry.lock())
    }

    /// Takes in a registry that a service filled during an asynchronous start.
    pub fn adopt(&self, registry: Registry) {
        self.adopted.lock().push(registry);
    }

    /// Everything, in OpenMetrics text. Reads files below `/proc`.
    pub fn encode(&self) -> String {
        let mut out = String::new();
        let infallible = "writing to a string does not fail";
        text::encode_registry(&mut out, &self.registry.lock()).expect(infallible);
        for registry in self.adopted.lock().iter() {
            text::encode_registry(&mut out, registry).expect(infallible);
        }
        text::encode_eof(&mut out).expect(infallible);
        out
    }

    pub(crate) fn own(&self) -> &OwnMetrics {
        &self.own
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(&BuildInfo::default())
    }
}

/// A histogram of seconds with the buckets of `loki_request_duration_seconds`.
pub fn duration_histogram() -> Histogram {
    Histogram::new(DURATION_BUCKETS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lokis() {
        let metrics = Metrics::default();
        let lines: Counter = Counter::default();
        metrics.register(|registry| registry.register("loki_distributor_lines_received", "Lines", lines.clone()));
        lines.inc_by(3);
        metrics.own().panics.inc();
        let labels = RequestLabels {
            method: "POST".to_owned(),
            route: "loki_api_v1_push".to_owned(),
            status_code: "204".to_owned(),
            ws: "false",
        };
        metrics.own().requests.get_or_create(&labels).observe(0.2);
        let text = metrics.encode();
        for expect in [
            "loki_distributor_lines_received_total 3",
            "loki_panic_total 1",
            "loki_runtime_config_last_reload_successful 1",
            "loki_build_info{version=",
            "loki_request_duration_seconds_bucket{le=\"0.25\",method=\"POST\",route=\"loki_api_v1_push\",status_code=\"204\",ws=\"false\"} 1",
            "process_resident_memory_bytes ",
            "process_cpu_seconds_total ",
            "process_open_fds ",
        ] {
            assert!(text.contains(expect), "{expect} in\n{text}");
        }
    }
}
