//! The limits as they are at this moment: read by every request, replaced by a reload.

use std::sync::Arc;

use arc_swap::ArcSwap;
use skald_limits::{Limits, LimitsTable};
use skald_model::TenantId;

/// A shared, replaceable [`LimitsTable`]. Clones see the same table; a read takes no lock.
#[derive(Clone, Debug)]
pub struct LimitsHandle(Arc<ArcSwap<LimitsTable>>);

impl LimitsHandle {
    /// A handle on `table`.
    pub fn new(table: LimitsTable) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(table)))
    }

    /// The limits of `tenant` now. Hold on to the result for the length of one request, not longer.
    pub fn for_tenant(&self, tenant: &TenantId) -> Arc<Limits> {
        Arc::clone(self.0.load().for_tenant(tenant))
    }

    /// The whole table now.
    pub fn current(&self) -> Arc<LimitsTable> {
        self.0.load_full()
    }

    /// Puts `table` in the place of the one before, for all clones at once.
    pub fn replace(&self, table: LimitsTable) {
        self.0.store(Arc::new(table));
    }
}

impl Default for LimitsHandle {
    fn default() -> Self {
        Self::new(LimitsTable::default())
    }
}
