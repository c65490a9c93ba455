//! What a compactor takes from gossip: who should fold, who writes, who wants to know of new roots.

use std::{collections::BTreeSet, sync::Arc};

use skald_model::{CommitVector, Writer};
use skald_ring::{COMPACTOR_RING, INDEX_GATEWAY_RING, INGESTER_RING, RingConfig, RingView, Rings, State};
use tokio::sync::watch;

/// The cluster as one compactor sees it.
pub(crate) struct Neighbours {
    pub(crate) rings: watch::Receiver<Arc<Rings>>,
    pub(crate) config: RingConfig,
    pub(crate) instance_id: String,
}

impl Neighbours {
    /// Whether this compactor ought to fold `shard`. A hint: two that both think so waste work only.
    pub(crate) fn owns(&self, shard: u32, now_ms: u64) -> bool {
        let ring = RingView::new(&self.rings.borrow(), COMPACTOR_RING, now_ms, &self.config);
        ring.owners(shard, 1).is_empty() || ring.is_owner(shard, 1, &self.instance_id)
    }

    /// Where the living index gateways answer.
    pub(crate) fn gateways(&self, now_ms: u64) -> Vec<String> {
        let ring = RingView::new(&self.rings.borrow(), INDEX_GATEWAY_RING, now_ms, &self.config);
        ring.members().iter().filter(|member| member.healthy).map(|member| member.instance.addr.clone()).collect()
    }

    /// Writers whose ingesters are in the ring, dead or alive; `None` while no ingester is known, which
    /// says more about this process than about them.
    pub(crate) fn writers(&self) -> Option<BTreeSet<Writer>> {
        let rings = self.rings.borrow();
        let mut registered = rings.records(INGESTER_RING).map(|record| &record.instance).peekable();
        registered.peek()?;
        let present = registered.filter(|instance| instance.state != State::Left);
        Some(present.filter_map(|instance| instance.writer.clone()).collect())
    }

    /// Every writer that gossip has heard of.
    pub(crate) fn heads(&self) -> CommitVector {
        self.rings.borrow().heads().clone()
    }
}
