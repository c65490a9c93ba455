//! What an index gateway counts.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

/// Cheap to clone; clones share their values.
#[derive(Clone, Default)]
pub(crate) struct GatewayMetrics {
    pub(crate) views: Counter,
    pub(crate) view_failures: Counter,
    pub(crate) sections: Counter,
    pub(crate) footer_reads: Counter,
    pub(crate) root_refreshes: Counter,
    pub(crate) background_failures: Counter,
    pub(crate) generation: Gauge,
    tail_objects: Gauge,
    tail_sections: Gauge,
}

impl GatewayMetrics {
    /// Registers all of them under `skald_index_gateway_`.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let m = Self::default();
        let registry = registry.sub_registry_with_prefix("skald_index_gateway");
        registry.register("views", "Requests for a view", m.views.clone());
        registry.register("view_failures", "Requests for a view that failed", m.view_failures.clone());
        registry.register("sections", "Sections named in answers", m.sections.clone());
        registry.register("footer_reads", "Directories fetched because nobody had pushed them", m.footer_reads.clone());
        registry.register("root_refreshes", "Looks for a newer root", m.root_refreshes.clone());
        let help = "Background catch-ups and probes that failed";
        registry.register("background_failures", help, m.background_failures.clone());
        registry.register("generation", "Root generation of the view", m.generation.clone());
        registry.register("tail_objects", "Flushed objects held above the root", m.tail_objects.clone());
        registry.register("tail_sections", "Sections of flushed objects held above the root", m.tail_sections.clone());
        m
    }

    pub(crate) fn tail(&self, (objects, sections): (usize, usize)) {
        self.tail_objects.set(objects as i64);
        self.tail_sections.set(sections as i64);
    }
}
