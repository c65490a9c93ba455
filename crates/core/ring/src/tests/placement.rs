//! Balance, movement, zones, write sets.

use super::{active, member, names, view, zoned};
use crate::{Instance, RingError, Rings, State};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const KEYS: u32 = 20_000;

/// Keys of all kinds: counted up, and spread.
fn keys() -> impl Iterator<Item = u32> {
    (0..KEYS).map(|n| if n % 2 == 0 { n } else { n.wrapping_mul(0x9e37_79b9) })
}

fn first_owner(rings: &Rings, rf: usize) -> Vec<Vec<String>> {
    let view = view(rings, rf, false);
    keys().map(|key| view.replicas_for_write(key).unwrap().targets.iter().map(|t| t.id.clone()).collect()).collect()
}

fn tokens() -> impl Strategy<Value = Vec<u32>> {
    let dense = (any::<u32>(), 1..=100u32).prop_map(|(start, n)| (0..n).map(|i| start.wrapping_add(i)).collect());
    prop_oneof![prop::collection::vec(any::<u32>(), 1..=100), dense]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn nobody_owns_more_than_110_percent_of_its_share(tokens in tokens()) {
        let mut rings = Rings::new();
        for (n, &token) in tokens.iter().enumerate() {
            let instance = Instance { token, ..member(&format!("i{n}"), "") };
            rings.update("r", instance, 1000).unwrap();
        }
        // The true share is 1/n; the sample is large enough that its noise (1 % of a share) stays far below 10 %.
        let count = tokens.len();
        for share in view(&rings, 3, false).ownership(count as u32 * 10_000) {
            let relative = share * count as f64;
            prop_assert!((0.90..=1.10).contains(&relative), "{relative} of its share among {count}");
        }
    }

    #[test]
    fn replica_sets_are_distinct_in_instances_and_zones(count in 3usize..60, rf in 1usize..=3, key: u32) {
        let rings = active(&zoned(count));
        let zones = |aware| {
            let set = view(&rings, rf, aware).replicas_for_write(key).unwrap();
            let ids: BTreeSet<_> = set.targets.iter().map(|t| t.id.clone()).collect();
            assert_eq!(ids.len(), rf);
            assert_eq!(set.quorum, rf / 2 + 1);
            set.targets.iter().map(|t| t.zone.clone()).collect::<BTreeSet<_>>().len()
        };
        prop_assert_eq!(zones(true), rf);
        zones(false);
    }
}

#[test]
fn every_replica_rank_is_balanced_with_and_without_zones() {
    for (members, aware) in [(names(9), false), (zoned(9), true)] {
        let rings = active(&members);
        let view = view(&rings, 3, aware);
        let mut counts: BTreeMap<String, f64> = BTreeMap::new();
        for key in keys() {
            for target in view.replicas_for_write(key).unwrap().targets {
                *counts.entry(target.id.clone()).or_default() += 9.0 / (3.0 * f64::from(KEYS));
            }
        }
        assert!(counts.values().all(|share| (0.95..1.05).contains(share)), "{counts:?}");
    }
}

#[test]
fn a_join_takes_only_what_the_newcomer_owns_and_a_departure_gives_only_that() {
    for count in [1, 2, 3, 10, 50] {
        let before = first_owner(&active(&names(count)), 1);
        let after = first_owner(&active(&names(count + 1)), 1);
        let newcomer = format!("ingester-{count}");
        let moved = before.iter().zip(&after).filter(|(b, a)| b != a).count();
        assert!(before.iter().zip(&after).all(|(b, a)| b == a || a[0] == newcomer));
        let share = moved as f64 / f64::from(KEYS) * (count + 1) as f64;
        assert!((0.85..1.15).contains(&share), "{count}: moved {share} of the newcomer's share");
    }
    // Of replica sets, each loses at most one member and keeps the others.
    let (before, after) = (first_owner(&active(&names(10)), 3), first_owner(&active(&names(11)), 3));
    for (before, after) in before.iter().zip(&after) {
        assert!(before.iter().filter(|id| !after.contains(id)).count() <= 1, "{before:?} {after:?}");
    }
}

#[test]
fn one_token_twice_is_resolved_the_same_way_everywhere() {
    let mut rings = Rings::new();
    for (id, registered_ms) in [("a", 900), ("b", 500), ("c", 700)] {
        rings.update("r", Instance { token: 7, registered_ms, ..member(id, "") }, 1000).unwrap();
    }
    let shares = view(&rings, 1, false).ownership(30_000);
    assert!(shares.iter().all(|s| (0.30..0.37).contains(s)), "{shares:?}");
    let mut alone = Rings::new();
    alone.update("r", Instance { token: 7, registered_ms: 500, ..member("b", "") }, 1000).unwrap();
    let seed = |rings: &Rings| view(rings, 1, false).members().iter().find(|m| m.instance.id == "b").unwrap().seed;
    assert_eq!(seed(&rings), seed(&alone), "the one registered first keeps the token");
}

/// Three members; each letter is the fate of one: A active, U unhealthy, L leaving, J joining anew,
/// P restarting, R read-only, X left.
fn fates(letters: &str) -> Rings {
    let mut rings = Rings::new();
    for (n, fate) in letters.chars().enumerate() {
        let mut instance = member(&format!("i{n}"), "");
        match fate {
            'L' => instance.state = State::Leaving,
            'J' => (instance.state, instance.registered_ms) = (State::Joining, 0),
            'P' => instance.state = State::Pending,
            'R' => instance.read_only_since_ms = Some(1),
            'X' => instance.state = State::Left,
            _ => {}
        }
        rings.update("r", instance, if fate == 'U' { 1000 } else { 100_000 }).unwrap();
    }
    rings
}

#[test]
fn writes_go_to_active_healthy_members_and_never_beyond_the_set() {
    let too_few = |found, text: &str| Err(format!("at least 2 live replicas required, could only find {found}{text}"));
    let cases = [
        ("AAA", Ok(3)),
        ("AAU", Ok(2)),
        ("AAL", Ok(2)),
        ("AAP", Ok(2)),
        ("AUU", too_few(1, " - unhealthy instances: i1:9095,i2:9095")),
        ("A", too_few(1, "")),
        ("AAJ", Ok(2)),
        ("AJJ", too_few(1, "")),
        ("AAAR", Ok(3)),
        ("AAAX", Ok(3)),
        ("JJJ", Err("empty ring".to_owned())),
        ("", Err("empty ring".to_owned())),
    ];
    for (letters, expect) in cases {
        let config = crate::RingConfig::default();
        let view = crate::RingView::new(&fates(letters), "r", 100_000, &config);
        for key in keys().take(50) {
            let got = view.replicas_for_write(key).map(|set| set.targets.len()).map_err(|e| match e {
                // Which member comes first depends on the key.
                RingError::TooFewReplicas { required, found, mut unhealthy } => {
                    unhealthy.sort();
                    RingError::TooFewReplicas { required, found, unhealthy }.to_string()
                }
                RingError::Empty => e.to_string(),
            });
            assert_eq!(got, expect, "{letters}");
        }
    }
    // Four members, one down: its streams have two targets, no third one steps in.
    let view = crate::RingView::new(&fates("AAAU"), "r", 100_000, &crate::RingConfig::default());
    let sizes: BTreeSet<_> = keys().map(|key| view.replicas_for_write(key).unwrap().targets.len()).collect();
    assert_eq!(sizes, BTreeSet::from([2, 3]));
}

#[test]
fn reads_ask_every_registered_instance_and_owners_pass_over_the_dead() {
    let view = crate::RingView::new(&fates("AULJPRX"), "r", 100_000, &crate::RingConfig::default());
    let set = view.read_set();
    assert_eq!(set.members.len(), 6);
    assert_eq!((set.tolerated, set.by_zone), (1, false));
    assert_eq!(view.healthy_count(), 2, "A and R");
    assert_eq!(view.unhealthy().count(), 1);
    for key in keys().take(50) {
        let owners = view.owners(key, 2);
        assert_eq!(owners.iter().map(|o| &*o.id).collect::<Vec<_>>(), ["i0"]);
        assert!(view.is_owner(key, 1, "i0") && !view.is_owner(key, 2, "i1"));
    }
}

#[test]
fn leavers_hand_their_log_positions_to_readers() {
    let writer = |id: &str| skald_model::Writer::new(id).unwrap();
    let mut rings = Rings::new();
    for (id, state, seq) in [("a", State::Active, 9), ("b", State::Leaving, 5), ("c", State::Left, 7)] {
        let instance = Instance { state, writer: Some(writer(id)), last_seq: seq, ..member(id, "") };
        rings.update("r", instance, 1000).unwrap();
    }
    let expect = [(writer("b"), 5), (writer("c"), 7)].into_iter().collect();
    assert_eq!(*view(&rings, 3, false).leaving_positions(), expect);
}
