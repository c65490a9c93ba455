//! What the distributor counts. Names and labels are Loki's where the meaning is.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use skald_model::TenantId;
use skald_wire::RpcError;

use crate::{admission::Admitted, rejection::Reason};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TenantLabels {
    tenant: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DiscardedLabels {
    reason: String,
    tenant: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IngesterLabels {
    ingester: String,
}

/// Counters of one distributor.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    bytes: Family<TenantLabels, Counter>,
    metadata_bytes: Family<TenantLabels, Counter>,
    lines: Family<TenantLabels, Counter>,
    discarded_samples: Family<DiscardedLabels, Counter>,
    discarded_bytes: Family<DiscardedLabels, Counter>,
    appends: Family<IngesterLabels, Counter>,
    append_failures: Family<IngesterLabels, Counter>,
    append_timeouts: Family<IngesterLabels, Counter>,
    replication_factor: Gauge,
    /// Pushes being worked on.
    pub(crate) inflight: Gauge,
}

impl Metrics {
    /// Registers everything under Loki's names.
    pub(crate) fn register(registry: &mut Registry, replication_factor: usize) -> Self {
        let m = Self::default();
        m.replication_factor.set(replication_factor as i64);
        let r = registry;
        r.register("loki_distributor_bytes_received", "Bytes of accepted lines and metadata", m.bytes.clone());
        r.register(
            "loki_distributor_structured_metadata_bytes_received",
            "Bytes of accepted structured metadata",
            m.metadata_bytes.clone(),
        );
        r.register("loki_distributor_lines_received", "Accepted lines", m.lines.clone());
        r.register("loki_discarded_samples", "Lines that were refused", m.discarded_samples.clone());
        r.register("loki_discarded_bytes", "Bytes of lines that were refused", m.discarded_bytes.clone());
        r.register("loki_distributor_ingester_appends", "Calls to ingesters", m.appends.clone());
        r.register(
            "loki_distributor_ingester_append_failures",
            "Calls to ingesters that failed",
            m.append_failures.clone(),
        );
        r.register(
            "loki_distributor_ingester_append_timeouts",
            "Calls to ingesters that got no answer in time",
            m.append_timeouts.clone(),
        );
        r.register("loki_distributor_replication_factor", "Copies of every stream", m.replication_factor.clone());
        r.register("skald_distributor_inflight_pushes", "Pushes being worked on", m.inflight.clone());
        m
    }

    /// Counts what admission took and refused.
    pub(crate) fn admitted(&self, tenant: &TenantId, admitted: &Admitted) {
        let labels = TenantLabels { tenant: tenant.to_string() };
        self.bytes.get_or_create(&labels).inc_by(admitted.bytes);
        self.metadata_bytes.get_or_create(&labels).inc_by(admitted.metadata_bytes);
        self.lines.get_or_create(&labels).inc_by(admitted.lines);
        for (reason, entries, bytes) in admitted.rejections.counts() {
            self.discarded(tenant, reason.label(), entries, bytes);
        }
    }

    /// Counts lines refused for `reason`.
    pub(crate) fn discarded(&self, tenant: &TenantId, reason: &str, entries: u64, bytes: u64) {
        let labels = DiscardedLabels { reason: reason.to_owned(), tenant: tenant.to_string() };
        self.discarded_samples.get_or_create(&labels).inc_by(entries);
        self.discarded_bytes.get_or_create(&labels).inc_by(bytes);
    }

    /// Counts a whole push that was refused after admission.
    pub(crate) fn refused(&self, tenant: &TenantId, reason: Reason, admitted: &Admitted) {
        self.discarded(tenant, reason.label(), admitted.lines, admitted.bytes);
    }

    /// Counts a call to the ingester at `addr`.
    pub(crate) fn append(&self, addr: &str, error: Option<&RpcError>) {
        let labels = IngesterLabels { ingester: addr.to_owned() };
        self.appends.get_or_create(&labels).inc();
        if let Some(error) = error {
            self.append_failures.get_or_create(&labels).inc();
            if matches!(error, RpcError::Deadline(_)) {
                self.append_timeouts.get_or_create(&labels).inc();
            }
        }
    }
}
