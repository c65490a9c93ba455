//! What a compactor counts.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

/// Cheap to clone; clones share their values.
#[derive(Clone, Default)]
pub(crate) struct CompactorMetrics {
    pub(crate) folds: Counter,
    pub(crate) failures: Counter,
    pub(crate) lost: Counter,
    pub(crate) objects: Counter,
    pub(crate) rows: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) bytes_written: Counter,
    pub(crate) sections: Counter,
    pub(crate) seals: Counter,
    pub(crate) generation: Gauge,
    pub(crate) tail_objects: Gauge,
    pub(crate) tail_age: Gauge,
}

impl CompactorMetrics {
    /// Registers all of them under `skald_compactor_`.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let m = Self::default();
        let registry = registry.sub_registry_with_prefix("skald_compactor");
        registry.register("folds", "Folds committed", m.folds.clone());
        registry.register("failures", "Rounds that failed", m.failures.clone());
        registry.register("lost", "Folds thrown away because another compactor committed first", m.lost.clone());
        registry.register("objects", "Flushed objects folded", m.objects.clone());
        registry.register("rows", "Rows read by committed folds", m.rows.clone());
        registry.register("duplicates", "Copies dropped by committed folds", m.duplicates.clone());
        registry.register("written_bytes", "Bytes of pack objects written", m.bytes_written.clone());
        registry.register("sections", "Sections made by committed folds", m.sections.clone());
        registry.register("seals", "Logs of dead writers sealed", m.seals.clone());
        registry.register("generation", "Newest root generation known", m.generation.clone());
        registry.register("tail_objects", "Flushed objects waiting for a fold", m.tail_objects.clone());
        let help = "Seconds for which the oldest flushed object has been waiting for a fold";
        registry.register("tail_age_seconds", help, m.tail_age.clone());
        m
    }
}
