use super::*;
use crate::{
    encode_page,
    samples::{entry, section, vector, writer},
};

fn sample() -> Root {
    let (page, _) = encode_page(&[entry("seg/0/20260101/A", section("a", 10, 900, 8, "x1"))]);
    Root {
        shard: 0,
        generation: 3,
        parent: CommitId(5),
        commit: CommitId(u128::MAX - 1),
        created_at: Timestamp(-3),
        consumed: vector("x4 y2"),
        ended: [writer("y")].into(),
        pages: vec![page],
        added: vec![
            entry("seg/0/20260101/B", section("a", 10, 20, 8, "x4")),
            entry("seg/0/20260101/B", section("b", 10, 20, 300, "x4 y1")),
        ],
        removed: vec![entry("seg/0/20260101/A", section("a", 10, 900, 8, "x1")).key()],
        orphan_floor: Timestamp(77),
        retention_version: 9,
        closed_through: vec![Closed { window_ns: 1000, through: Timestamp(-5) }],
        unknown: vec![(200, Bytes::from_static(b"later"))],
    }
}

#[test]
fn round_trips() {
    for root in [sample(), Root { generation: 1, ..Root::genesis(9) }] {
        assert_eq!(Root::decode(&root.encode()), Ok(root));
    }
}

#[test]
fn every_cut_and_flip_is_an_error() {
    let bytes = sample().encode();
    for at in 0..bytes.len() {
        assert!(Root::decode(&bytes[..at]).is_err(), "cut at {at}");
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 0x20;
        assert!(Root::decode(&damaged).is_err(), "flip at {at}");
    }
}

#[test]
fn hostile_content_behind_a_good_checksum_never_panics() {
    let bytes = sample().encode();
    let body = &bytes[..bytes.len() - 4];
    for at in 0..body.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut hostile = body.to_vec();
            hostile[at] = value;
            let crc = crc32fast::hash(&hostile);
            hostile.extend_from_slice(&crc.to_le_bytes());
            let _ = Root::decode(&hostile);
        }
    }
}

#[test]
fn unknown_fields_are_carried_or_refused() {
    let with = |tag| Root { unknown: vec![(tag, Bytes::from_static(b"x"))], ..sample() };
    assert_eq!(Root::decode(&with(64).encode()), Ok(with(64)));
    assert_eq!(Root::decode(&with(14).encode()), Err(FormatError::Newer { what: "catalog root", number: 14 }));
    let next = with(64).successor(CommitId(1), Timestamp(0), Change::default());
    assert_eq!(next.unknown, with(64).unknown);
}

#[test]
fn successors_raise_and_replace() {
    let root = sample();
    let inline = root.added[0].key();
    let change = Change {
        consumed: vector("x3 y9 z1"),
        ended: vec![writer("z")],
        added: vec![entry("seg/0/20260102/C", section("a", -9, -1, 8, "z1"))],
        removed: vec![inline.clone()],
    };
    let next = root.successor(CommitId(8), Timestamp(1), change);
    assert_eq!((next.generation, next.parent, next.commit), (4, root.commit, CommitId(8)));
    assert_eq!(next.consumed, vector("x4 y9 z1"), "consumed never falls");
    assert_eq!(next.ended.len(), 2);
    let keys: Vec<_> = next.added.iter().map(|e| &*e.object).collect();
    assert_eq!(keys, ["seg/0/20260102/C", "seg/0/20260101/B"], "in the order of keys, without the removed one");
    assert_eq!(next.removed, root.removed, "an inline entry leaves no trace");
}

/// `docs/format/catalog.md` shows these bytes.
#[test]
fn documented_bytes() {
    let root = Root {
        generation: 1,
        parent: CommitId(0),
        commit: CommitId(0x0102),
        created_at: Timestamp(5),
        consumed: vector("x4"),
        ..Root::genesis(0)
    };
    let hex: String = root.encode().iter().map(|byte| format!("{byte:02x}")).collect();
    let page = include_str!("../../../../../docs/format/catalog.md");
    let documented: String = page
        .lines()
        .skip_while(|line| *line != "<!-- golden: root -->")
        .skip(2)
        .take_while(|line| !line.starts_with("```"))
        .flat_map(|line| line.split('|').next().unwrap_or_default().chars())
        .filter(char::is_ascii_hexdigit)
        .collect();
    assert_eq!(hex, documented);
}
