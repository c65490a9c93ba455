//! Which limits hold for which tenant: the defaults, and whole sets for the tenants that differ.

use std::{collections::HashMap, sync::Arc};

use skald_model::TenantId;

use crate::Limits;

/// An immutable lookup table; a reload builds a new one and swaps it in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LimitsTable {
    default: Arc<Limits>,
    tenants: HashMap<TenantId, Arc<Limits>>,
}

impl LimitsTable {
    /// A table in which every tenant has `default`.
    pub fn new(default: Limits) -> Self {
        Self { default: Arc::new(default), tenants: HashMap::new() }
    }

    /// A table in which `tenants` have sets of their own. A set is complete: the defaults are
    /// already merged into it.
    pub fn with_tenants(default: Limits, tenants: impl IntoIterator<Item = (TenantId, Limits)>) -> Self {
        let tenants = tenants.into_iter().map(|(tenant, limits)| (tenant, Arc::new(limits))).collect();
        Self { default: Arc::new(default), tenants }
    }

    /// The limits of `tenant`.
    pub fn for_tenant(&self, tenant: &TenantId) -> &Arc<Limits> {
        self.tenants.get(tenant).unwrap_or(&self.default)
    }

    /// The limits of tenants without a set of their own.
    pub fn default_limits(&self) -> &Arc<Limits> {
        &self.default
    }

    /// Tenants with a set of their own, in no order.
    pub fn tenants(&self) -> impl Iterator<Item = (&TenantId, &Arc<Limits>)> {
        self.tenants.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, LimitsTable};
    use skald_model::TenantId;

    #[test]
    fn tenants_differ_and_others_have_the_default() {
        let (a, b) = (TenantId::new("a").unwrap(), TenantId::new("b").unwrap());
        let own = Limits { max_query_series: 7, ..Limits::default() };
        let table = LimitsTable::with_tenants(Limits::default(), [(a.clone(), own)]);
        assert_eq!(table.for_tenant(&a).max_query_series, 7);
        assert_eq!(table.for_tenant(&b).max_query_series, 500);
        assert_eq!(table.tenants().count(), 1);
    }
}
