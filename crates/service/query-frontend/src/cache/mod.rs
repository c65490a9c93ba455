//! The results cache of metric range queries.
//!
//! A cached result is used only while it cannot have changed: every extent carries the fingerprint
//! that the catalog gave for its windows before the extent was computed, and is used only while a new
//! freshness answer says the same and no ingester holds rows there. Late lines either are in an
//! ingester's memory or have changed the fingerprint, so they never leave a stale answer.
//!
//! One cache entry holds the extents of one part of a query between two cuts; see [`Extents`].

mod extents;

pub(crate) use extents::{Extent, Extents};

use skald_cache::cache_key;
use skald_model::TenantId;
use xxhash_rust::xxh3::xxh3_128;

use crate::split::StepSplit;

/// The name of a cache entry: a hash, so that neither length nor alphabet of queries matter. Tenant
/// and query go in with their lengths, so that no two of them can run together.
pub(crate) fn key(tenant: &TenantId, query: &str, step_ns: i64, interval_ns: i64, split: StepSplit) -> String {
    let phase = split.start_ns.rem_euclid(step_ns);
    let cut = if interval_ns > 0 { split.start_ns.div_euclid(interval_ns) } else { 0 };
    let mut text = format!("{}:{}:{}:", tenant.as_str().len(), tenant.as_str(), query.len());
    text.push_str(query);
    text.push_str(&format!(":{step_ns}:{phase}:{interval_ns}:{cut}"));
    cache_key("result", tenant.as_str(), &format!("{:032x}", xxh3_128(text.as_bytes())), "")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_differ_where_results_do() {
        let key = |tenant: &str, query: &str, step, interval, start| {
            let split = StepSplit { start_ns: start, end_ns: start + 50 };
            key(&TenantId::new(tenant).unwrap(), query, step, interval, split)
        };
        let all = [
            key("a", "q", 10, 100, 0),
            key("b", "q", 10, 100, 0),
            key("a", "r", 10, 100, 0),
            key("a", "q", 20, 100, 0),
            key("a", "q", 10, 200, 0),
            key("a", "q", 10, 100, 100),
            key("a", "q", 10, 100, 5),
        ];
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        assert_eq!(key("a", "q", 10, 100, 10), key("a", "q", 10, 100, 90));
    }
}
