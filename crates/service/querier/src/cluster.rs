//! Whom to ask: the ingesters that may hold rows of a tenant, and the index gateways.

use std::{sync::Arc, time::Duration};

use skald_config::LimitsHandle;
use skald_model::{CommitVector, TenantId};
use skald_ring::{INDEX_GATEWAY_RING, INGESTER_RING, ReadSet, RingConfig, RingView, Rings};
use skald_server::Clock;
use skald_wire::api::{ClientFactory, GatewayApi, IngesterApi};
use tokio::sync::watch;

/// The other services as the querier sees them.
pub struct Cluster {
    /// Gossip's state of all rings.
    pub rings: watch::Receiver<Arc<Rings>>,
    /// The ingesters' replication, heartbeats and zones.
    pub ring: RingConfig,
    /// How long a row may stay in an ingester's memory: the longest life of a memtable, the delay of a
    /// flush, and a margin. So far back a tenant's earlier shuffle shards are asked as well.
    pub lookback: Duration,
    /// Makes clients of ingesters.
    pub ingesters: ClientFactory<dyn IngesterApi>,
    /// Makes clients of index gateways.
    pub gateways: ClientFactory<dyn GatewayApi>,
    /// The tenants' limits: the size of their shards.
    pub limits: LimitsHandle,
    /// The wall clock.
    pub clock: Clock,
}

impl Cluster {
    fn now_ms(&self) -> u64 {
        u64::try_from((self.clock)() / 1_000_000).unwrap_or(0)
    }

    /// Every ingester that may hold rows of `tenant` in memory, and what ingesters that have left say
    /// must be read from the bucket.
    pub(crate) fn read_set(&self, tenant: &TenantId) -> (ReadSet, CommitVector) {
        let now_ms = self.now_ms();
        let rings = self.rings.borrow().clone();
        let view = RingView::new(&rings, INGESTER_RING, now_ms, &self.ring);
        let leaving = view.leaving_positions().clone();
        let size = self.limits.for_tenant(tenant).ingestion_tenant_shard_size as usize;
        let shard = view.shuffle_shard_with_lookback(tenant.as_str(), size, self.lookback, now_ms);
        (shard.read_set(), leaving)
    }

    /// The index gateways in the order in which to try them; healthy ones first.
    pub(crate) fn gateways(&self) -> Vec<Arc<dyn GatewayApi>> {
        let rings = self.rings.borrow().clone();
        let view = RingView::new(&rings, INDEX_GATEWAY_RING, self.now_ms(), &self.ring);
        // Every gateway serves the one shard there is, so any order is right; theirs spreads nothing
        // but prefers whoever takes part.
        let mut members: Vec<_> = view.members().iter().collect();
        members.sort_by_key(|m| !m.takes_writes());
        members.into_iter().map(|m| (self.gateways)(&m.instance.addr)).collect()
    }
}
