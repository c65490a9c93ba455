//! The CRDT laws and the codec.

use crate::{AutoForget, DecodeError, Instance, RECORD_BYTES_MAX, Rings, State, auto_forget, codec, decode};
use proptest::prelude::*;
use skald_model::Writer;
use std::time::Duration;

fn instance() -> impl Strategy<Value = (String, Instance)> {
    let state = prop::sample::select(vec![State::Active, State::Leaving, State::Pending, State::Joining, State::Left]);
    let numbers = (0..6u64, 0..3u64, any::<u32>(), prop::option::of(0..5u64), prop::option::of(0..3u64));
    ("[ab]", "[abc]", "[xyz]{0,2}", state, numbers, any::<bool>()).prop_map(
        |(ring, id, addr, state, numbers, forgotten)| {
            let (stamp, registered_ms, token, read_only_since_ms, seq) = numbers;
            let mut instance = Instance::new(&ring, &id, &addr);
            (instance.state, instance.stamp, instance.token, instance.forgotten) = (state, stamp, token, forgotten);
            (instance.registered_ms, instance.read_only_since_ms) = (registered_ms, read_only_since_ms);
            instance.writer = seq.map(|_| Writer::new("w").unwrap());
            instance.last_seq = seq.unwrap_or(0);
            (ring, instance)
        },
    )
}

fn rings() -> impl Strategy<Value = Rings> {
    let numbers = || prop::collection::vec(("[abc]", 1..9u64), 0..4);
    (prop::collection::vec(instance(), 0..8), numbers(), numbers()).prop_map(|(instances, heads, generations)| {
        let mut rings = Rings::new();
        for (ring, instance) in instances {
            let mut one = Rings::new();
            one.put(&ring, crate::Record { instance: instance.into(), seen_ms: 0 });
            rings.merge(&one, 0);
        }
        for (writer, seq) in heads {
            rings.raise_head(&Writer::new(&writer).unwrap(), seq, 0);
        }
        for (shard, generation) in generations {
            rings.raise_generation(&shard, generation, 0);
        }
        rings
    })
}

fn merged(a: &Rings, b: &Rings) -> Rings {
    let mut out = a.clone();
    out.merge(b, 7);
    out
}

proptest! {
    #[test]
    fn merge_is_commutative_associative_idempotent(a in rings(), b in rings(), c in rings()) {
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
        prop_assert_eq!(merged(&a, &a), a);
    }

    #[test]
    fn a_delta_is_exactly_what_changed(a in rings(), b in rings()) {
        let mut whole = a.clone();
        let delta = whole.merge(&b, 7);
        prop_assert_eq!(merged(&a, &delta), whole.clone());
        prop_assert!(whole.merge(&delta, 7).is_empty());
    }

    #[test]
    fn bytes_round_trip_and_packets_are_small(a in rings()) {
        prop_assert_eq!(decode(&a.encode()).unwrap(), a.clone());
        let (mut again, items, mut sent) = (Rings::new(), a.items(), 0);
        while sent < items.len() {
            let (piece, taken) = a.extract(&items[sent..], 100);
            prop_assert!(taken > 0 && piece.encode().len() <= 100, "{} bytes", piece.encode().len());
            again.merge(&piece, 0);
            sent += taken;
        }
        prop_assert_eq!(again, a);
    }

    #[test]
    fn mutated_bytes_never_panic(a in rings(), cuts in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6)) {
        let mut bytes = a.encode();
        for (position, byte) in cuts {
            let position = position % bytes.len();
            bytes[position] = byte;
        }
        if let Ok(rings) = decode(&bytes) {
            prop_assert_eq!(decode(&rings.encode()).unwrap(), rings);
        }
        let _ = decode(&bytes[..bytes.len() / 2]);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes);
    }
}

#[test]
fn the_largest_record_fits_a_packet() {
    let mut instance = Instance::new("r", &"i".repeat(128), &"a".repeat(160));
    (instance.http_addr, instance.zone, instance.version) = ("h".repeat(160), "z".repeat(64), "v".repeat(48));
    instance.writer = Writer::new(&"w".repeat(100));
    (instance.registered_ms, instance.stamp, instance.heartbeat_ms) = (u64::MAX / 2, u64::MAX / 2, u64::MAX);
    (instance.read_only_since_ms, instance.last_seq, instance.protocol) = (Some(u64::MAX), u64::MAX, u32::MAX);
    let ring = "r".repeat(32);
    assert!(instance.validate(&ring).is_ok());
    let bytes = codec::encode_record(&ring, &instance).len();
    assert!(bytes <= RECORD_BYTES_MAX, "{bytes}");
    instance.zone.push('z');
    assert!(instance.validate(&ring).is_err());
}

#[test]
fn unknown_versions_and_trailing_bytes_are_refused() {
    assert_eq!(decode(&[2, 0, 0, 0]).unwrap_err(), DecodeError::Version(2));
    assert_eq!(decode(&[1, 0, 0, 0, 0]).unwrap_err(), DecodeError::Malformed(4));
    assert!(decode(&[1, 0, 0, 0]).unwrap().is_empty());
}

#[test]
fn no_clock_jump_blocks_the_owner() {
    let mut rings = Rings::new();
    // The clock: right, far ahead, back again, behind.
    for now in [1_000_000, 4_000_000_000_000, 1_000_100, 10] {
        let delta = rings.update("r", Instance::new("r", "a", &now.to_string()), now).unwrap();
        assert!(!delta.is_empty());
        assert_eq!(rings.get("r", "a").unwrap().instance.addr, now.to_string());
    }
}

#[test]
fn a_clock_ahead_makes_nobody_immortal_and_one_behind_nobody_dead() {
    for skew in [4_000_000_000_000u64, 0] {
        let (mut owner, mut peer) = (Rings::new(), Rings::new());
        let mut instance = Instance::new("r", "a", "");
        (instance.state, instance.registered_ms) = (State::Active, 1);
        for beat in 0..3 {
            let delta = owner.update("r", instance.clone(), skew + beat).unwrap();
            peer.merge(&delta, 1_000_000_000 + beat * 1000);
        }
        let healthy = |now| crate::RingView::new(&peer, "r", now, &crate::RingConfig::default()).healthy_count();
        assert_eq!(healthy(1_000_002_000), 1, "skew {skew}");
        assert_eq!(healthy(1_000_063_000), 0, "skew {skew}");
    }
}

#[test]
fn forgetting_wins_until_the_owner_beats_again_and_tombstones_end() {
    let mut rings = super::active(&super::names(2));
    assert!(!rings.forget("r", "ingester-0", 900).is_empty());
    assert!(rings.forget("r", "ingester-0", 900).is_empty());
    assert!(rings.forget("r", "nobody", 900).is_empty());
    let left = rings.get("r", "ingester-0").unwrap().instance.clone();
    assert_eq!((left.state, left.forgotten, left.stamp), (State::Left, true, 1001));
    assert_eq!(rings.prune(1500, 1000), 0);
    assert_eq!(rings.clone().prune(1900, 1000), 1);
    rings.update("r", super::member("ingester-0", ""), 800).unwrap();
    assert_eq!(rings.get("r", "ingester-0").unwrap().instance.state, State::Active);
}

#[test]
fn ingesters_are_forgotten_only_while_a_quorum_of_every_stream_stays() {
    let writer = |n: usize| Writer::new(&format!("w{n}")).unwrap();
    let state = |silent: usize| {
        let mut rings = Rings::new();
        for n in 0..5 {
            let mut instance = super::member(&format!("i{n}"), "");
            instance.writer = Some(writer(n));
            rings.update("r", instance, if n < silent { 1000 } else { 99_000 }).unwrap();
        }
        rings
    };
    let rule = |rf| AutoForget { silent_for: Duration::from_secs(50), replication_factor: rf };
    let cases: [(usize, usize, &[usize], &[&str]); 7] = [
        (0, 3, &[], &[]),
        (1, 3, &[], &["i0"]),
        (2, 3, &[], &[]),
        (2, 3, &[1], &["i0", "i1"]),
        (3, 3, &[0], &["i0"]),
        (2, 5, &[], &["i0", "i1"]),
        (1, 1, &[], &[]),
    ];
    for (silent, rf, sealed, expect) in cases {
        let sealed = |w: &Writer| sealed.iter().any(|&n| *w == writer(n));
        assert_eq!(auto_forget(&state(silent), "r", 100_000, &rule(rf), sealed), expect, "{silent} silent, rf {rf}");
    }
    // A forgotten one still counts: the next to go silent stays.
    let mut rings = state(2);
    rings.forget("r", "i0", 100_000);
    assert!(auto_forget(&rings, "r", 100_000, &rule(3), |_| false).is_empty());
    rings.prune(200_000, 1000);
    assert!(auto_forget(&rings, "r", 100_000, &rule(3), |_| false).is_empty());
    // Unless its log came back under another name.
    let mut moved = super::member("i9", "");
    moved.writer = Some(writer(0));
    rings.update("r", moved, 99_000).unwrap();
    assert_eq!(auto_forget(&rings, "r", 100_000, &rule(3), |_| false), ["i1"]);
    // Without logs everybody silent goes.
    let rings = super::active(&super::names(4));
    assert_eq!(auto_forget(&rings, "r", 100_000, &rule(3), |_| false).len(), 4);
}
