//! Shuffle shards: size, stability, and that the look-back misses nobody.

use super::{active, member, names, view, zoned};
use crate::{Instance, RingConfig, RingView, Rings, State};
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

fn ids(view: &RingView) -> BTreeSet<String> {
    view.members().iter().map(|m| m.instance.id.clone()).collect()
}

proptest! {
    #[test]
    fn shards_have_their_size_and_change_by_one(count in 3usize..40, size in 1usize..12, tenant in "[a-z]{1,8}") {
        let before = ids(&view(&active(&names(count)), 3, false).shuffle_shard(&tenant, size));
        prop_assert_eq!(before.len(), size.max(3).min(count));
        let after = ids(&view(&active(&names(count + 1)), 3, false).shuffle_shard(&tenant, size));
        prop_assert!(before.difference(&after).count() <= 1);
        let larger = ids(&view(&active(&names(count)), 3, false).shuffle_shard(&tenant, size + 1));
        prop_assert!(before.is_subset(&larger));
    }

    #[test]
    fn zoned_shards_are_even(count in 1usize..12, size in 1usize..12, tenant in "[a-z]{1,8}") {
        let whole = view(&active(&zoned(count * 3)), 3, true);
        let shard = whole.shuffle_shard(&tenant, size);
        let mut zones: BTreeMap<&str, usize> = BTreeMap::new();
        for member in shard.members() {
            *zones.entry(&member.instance.zone).or_default() += 1;
        }
        let per_zone = size.max(3).div_ceil(3).min(count);
        prop_assert!(zones.len() == 3 && zones.values().all(|&n| n == per_zone), "{:?}", zones);
    }
}

#[test]
fn tenants_spread_over_the_ring() {
    let whole = view(&active(&names(10)), 3, false);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for tenant in 0..3000 {
        for id in ids(&whole.shuffle_shard(&format!("tenant-{tenant}"), 3)) {
            *counts.entry(id).or_default() += 1;
        }
    }
    assert!(counts.len() == 10 && counts.values().all(|n| (800..1000).contains(n)), "{counts:?}");
    assert_eq!(ids(&whole.shuffle_shard("t", 0)).len(), 10);
}

/// One step in the life of a cluster.
#[derive(Clone, Debug)]
enum Step {
    /// A member appears, or comes back.
    Join(usize),
    Leave(usize),
    ReadOnly(usize),
    ReadWrite(usize),
    Restart(usize),
}

fn step() -> impl Strategy<Value = Step> {
    (0usize..5, 0usize..9).prop_map(|(kind, n)| match kind {
        0 => Step::Join(n),
        1 => Step::Leave(n),
        2 => Step::ReadOnly(n),
        3 => Step::ReadWrite(n),
        _ => Step::Restart(n),
    })
}

fn apply(rings: &mut Rings, step: &Step, now_ms: u64) {
    let (Step::Join(n) | Step::Leave(n) | Step::ReadOnly(n) | Step::ReadWrite(n) | Step::Restart(n)) = step;
    let id = format!("i{n}");
    let known = rings.get("r", &id).map(|r| Instance::clone(&r.instance)).filter(|i| i.state != State::Left);
    let instance = match (step, known) {
        (Step::Join(_), None) => Some(Instance { registered_ms: now_ms, ..member(&id, ["a", "b", "c"][n % 3]) }),
        (Step::Join(_), Some(i)) => Some(Instance { state: State::Active, ..i }),
        (Step::Leave(_), Some(i)) => Some(Instance { state: State::Left, ..i }),
        (Step::ReadOnly(_), Some(i)) => Some(Instance { read_only_since_ms: Some(now_ms), ..i }),
        (Step::ReadWrite(_), Some(i)) if i.read_only_since_ms.is_some() => {
            Some(Instance { read_only_since_ms: None, registered_ms: now_ms, ..i })
        }
        (Step::Restart(_), Some(i)) => Some(Instance { state: State::Pending, ..i }),
        _ => None,
    };
    if let Some(instance) = instance {
        rings.update("r", instance, now_ms).unwrap();
    }
}

proptest! {
    /// Whoever took a tenant's writes within the look-back and is still registered is asked.
    #[test]
    fn the_lookback_misses_nobody(
        steps in prop::collection::vec((step(), 1u64..30), 1..40),
        size in 1usize..6,
        aware: bool,
    ) {
        let lookback = Duration::from_millis(100);
        let config = RingConfig { replication_factor: 3, zone_awareness: aware, ..RingConfig::default() };
        let mut rings = Rings::new();
        let mut now_ms = 10_000;
        let mut wrote: BTreeMap<String, u64> = BTreeMap::new();
        for (step, pause_ms) in &steps {
            apply(&mut rings, step, now_ms);
            if let Step::Leave(n) = step {
                wrote.remove(&format!("i{n}"));
            }
            // The shard of this moment takes writes until the next step.
            let shard = RingView::new(&rings, "r", now_ms, &config).shuffle_shard("tenant", size);
            now_ms += pause_ms;
            for member in shard.members() {
                wrote.insert(member.instance.id.clone(), now_ms - 1);
            }
            let asked = ids(&RingView::new(&rings, "r", now_ms, &config)
                .shuffle_shard_with_lookback("tenant", size, lookback, now_ms));
            for (id, at_ms) in &wrote {
                prop_assert!(at_ms + 100 < now_ms || asked.contains(id), "{} wrote at {}, {} asked", id, at_ms, now_ms);
            }
        }
    }
}

#[test]
fn an_old_quiet_ring_asks_only_the_shard() {
    let whole = RingView::new(&active(&names(20)), "r", 50_000, &RingConfig::default());
    let write = ids(&whole.shuffle_shard("t", 4));
    assert_eq!(ids(&whole.shuffle_shard_with_lookback("t", 4, Duration::from_secs(10), 50_000)), write);
    // Right after the start nobody is settled, so everybody is asked.
    assert_eq!(ids(&whole.shuffle_shard_with_lookback("t", 4, Duration::from_secs(49), 50_000)).len(), 20);
}
