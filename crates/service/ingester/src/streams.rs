//! Active streams per tenant: what the stream limit counts, and where label sets are shared.
//!
//! A stream is active while it got rows lately, whether or not these are still in a memtable; so the
//! count does not fall at every flush. Every memtable uses the label sets kept here.

use hashbrown::HashMap;
use parking_lot::Mutex;
use skald_model::{Labels, TenantId};

/// The active streams of all tenants.
#[derive(Default)]
pub(crate) struct Streams {
    tenants: Mutex<HashMap<TenantId, HashMap<Labels, i64>>>,
}

impl Streams {
    /// Asks for every stream of a push: the shared label set, or `None` where the tenant has `limit`
    /// (0: any number) active streams already and this is another one. Says how many are new.
    pub(crate) fn admit<'a>(
        &self,
        tenant: &TenantId,
        streams: impl Iterator<Item = &'a Labels>,
        limit: usize,
        now_ns: i64,
    ) -> (Vec<Option<Labels>>, u64) {
        let mut tenants = self.tenants.lock();
        let active = tenants.entry_ref(tenant).or_default();
        let mut created = 0;
        let admitted = streams.map(|labels| {
            if let Some((shared, last)) = active.get_key_value_mut(labels) {
                *last = now_ns;
                return Some(shared.clone());
            }
            if limit > 0 && active.len() >= limit {
                return None;
            }
            created += 1;
            active.insert(labels.clone(), now_ns);
            Some(labels.clone())
        });
        (admitted.collect(), created)
    }

    /// Forgets streams whose last rows came before `before_ns`; says how many of each tenant went and stay.
    pub(crate) fn expire(&self, before_ns: i64) -> Vec<(TenantId, u64, usize)> {
        let mut tenants = self.tenants.lock();
        let mut report = Vec::with_capacity(tenants.len());
        tenants.retain(|tenant, active| {
            let had = active.len();
            active.retain(|_, last| *last >= before_ns);
            report.push((tenant.clone(), (had - active.len()) as u64, active.len()));
            if active.capacity() > 4 * active.len() {
                active.shrink_to_fit();
            }
            !active.is_empty()
        });
        report
    }
}

/// A tenant's limit on this ingester: its share of `global` (0: no limit) by which a stream, which
/// lives on `replicas` of the `shard` ingesters that take the tenant's rows, is counted.
pub(crate) fn local_limit(global: u64, replicas: usize, shard: usize) -> usize {
    if global == 0 {
        return 0;
    }
    let local = global.saturating_mul(replicas as u64).div_ceil(shard.max(1) as u64);
    usize::try_from(local.min(global)).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_counts_active_streams_only() {
        let streams = Streams::default();
        let tenant = TenantId::new("t").unwrap();
        let labels = |v: &str| Labels::from_pairs([("app", v)]);
        let admit = |names: &[&str], now| {
            let wanted: Vec<Labels> = names.iter().map(|n| labels(n)).collect();
            let (admitted, created) = streams.admit(&tenant, wanted.iter(), 2, now);
            (admitted.iter().map(Option::is_some).collect::<Vec<_>>(), created)
        };
        assert_eq!(admit(&["a", "b", "c"], 1), (vec![true, true, false], 2));
        assert_eq!(admit(&["b", "c"], 5), (vec![true, false], 0));
        assert_eq!(streams.expire(5), [(tenant.clone(), 1, 1)]);
        assert_eq!(admit(&["c", "a"], 6), (vec![true, false], 1));
        assert_eq!(streams.expire(7), [(tenant.clone(), 2, 0)]);
    }

    #[test]
    fn shares_of_the_global_limit() {
        for (global, replicas, shard, expect) in
            [(0, 3, 3, 0), (5000, 3, 3, 5000), (5000, 3, 10, 1500), (5000, 1, 3, 1667), (1, 1, 100, 1), (10, 3, 0, 10)]
        {
            assert_eq!(local_limit(global, replicas, shard), expect, "{global} {replicas} {shard}");
        }
    }
}
