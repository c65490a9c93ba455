//! Shuffle sharding: each tenant lives on a few instances, and a read need only ask those.
//!
//! A shard is the best-placed members for the tenant's name: `size` of them, at least RF, spread
//! evenly over the zones when zone-aware. One join or departure changes at most one member of a shard.
//!
//! A read over the look-back must ask every instance that was in the tenant's shard at any time
//! within it. Members are ranked for the tenant; an instance was in the shard at time t when fewer than
//! `size` members that had a place at t rank before it. Of today's members those that certainly had a
//! place all the time ("settled": registered before the look-back and not read-only) count, all others
//! that rank before the end are asked without being counted. [`Instance::registered_ms`] says since
//! when a place is held without a break, which is why read-only renews it.
//!
//! [`Instance::registered_ms`]: crate::Instance::registered_ms

use crate::{
    Member, RingView,
    placement::{score, tenant_key},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

impl RingView {
    /// The part of the ring that takes `tenant`'s writes: `size` members (at least RF; rounded up to a multiple
    /// of the zones when zone-aware) that own a place. `size` 0 is the whole ring.
    pub fn shuffle_shard(&self, tenant: &str, size: usize) -> Self {
        if size == 0 {
            return self.clone();
        }
        let candidates = self.members.iter().filter(|m| m.has_place);
        self.shard(tenant, size, candidates, |_| true)
    }

    /// The part of the ring that may hold rows that `tenant` wrote within `lookback` before `now_ms`: the shard,
    /// and whoever stood in it before a member joined, left or turned read-only. `lookback` must cover the
    /// longest life of a row in an ingester, the skew of clocks between instances, and for a tenant whose `size`
    /// changed the caller passes the largest size of that time. `size` 0 is the whole ring.
    pub fn shuffle_shard_with_lookback(&self, tenant: &str, size: usize, lookback: Duration, now_ms: u64) -> Self {
        if size == 0 {
            return self.clone();
        }
        let since_ms = now_ms.saturating_sub(lookback.as_millis() as u64);
        self.shard(tenant, size, self.members.iter(), |m| m.has_place && m.instance.registered_ms < since_ms)
    }

    /// Ranks `candidates` and takes them, zone by zone, until enough of those that count are taken.
    fn shard<'a>(
        &'a self,
        tenant: &str,
        size: usize,
        candidates: impl Iterator<Item = &'a Member>,
        counts: impl Fn(&Member) -> bool,
    ) -> Self {
        let key = tenant_key(tenant);
        let zone_of = |m: &'a Member| if self.config.zone_awareness { &*m.instance.zone } else { "" };
        let mut zones: BTreeMap<&str, Vec<(u64, &Member)>> = BTreeMap::new();
        let mut settled_zones = BTreeSet::new();
        for member in candidates {
            zones.entry(zone_of(member)).or_default().push((score(member.seed, key), member));
            if counts(member) {
                settled_zones.insert(zone_of(member));
            }
        }
        // A zone that appeared within the look-back made the share of each zone smaller: the older one holds.
        let per_zone = size.max(self.config.replication_factor).div_ceil(settled_zones.len().max(1));
        let mut taken = Vec::new();
        for ranked in zones.values_mut() {
            ranked.sort_unstable_by_key(|&(score, _)| std::cmp::Reverse(score));
            let mut counted = 0;
            for &(_, member) in ranked.iter() {
                if counted == per_zone {
                    break;
                }
                counted += usize::from(counts(member));
                taken.push(member.clone());
            }
        }
        taken.sort_unstable_by(|a, b| a.instance.id.cmp(&b.instance.id));
        self.with_members(taken)
    }
}
