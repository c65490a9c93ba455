use skald_model::{Labels, TenantId, Timestamp};

use super::*;
use crate::{Level, SectionKey};

fn sample() -> Directory {
    let writer = Writer::new("ing-0").unwrap();
    let entry = SectionEntry {
        key: SectionKey {
            shard: 0,
            tenant: TenantId::new("fake").unwrap(),
            window_start: Timestamp(-7200),
            window_len: 7200,
        },
        level: Level::FLUSHED,
        run_id: u128::MAX - 5,
        data: 8..108,
        index: 108..150,
        tmin: Timestamp(-7000),
        tmax: Timestamp(-1),
        rows: 10,
        raw_bytes: 1000,
        stored_bytes: 142,
        streams: 2,
        first: Labels::from_pairs([("app", "a")]),
        last: Labels::from_pairs([("app", "b")]),
        sources: [(writer.clone(), 7)].into_iter().collect(),
    };
    let receipts = vec![Receipt { distributor: "d-1".into(), batches: vec![5..=9, 12..=12, 100..=u64::MAX] }];
    let commit = CommitInfo { position: LogPosition { writer, seq: 7 }, flush_id: 42, row_hash: 99, receipts };
    Directory { sections: vec![entry], commit: Some(commit) }
}

/// An object of 150 bytes of content before its directory.
fn object(directory: &Directory) -> Vec<u8> {
    let mut out = vec![0; 150];
    let encoded = directory.encode();
    out.extend_from_slice(&encoded);
    out.extend_from_slice(&encode_trailer(150, &encoded));
    out
}

#[test]
fn round_trips() {
    for directory in [sample(), Directory { commit: None, ..sample() }, Directory::default()] {
        assert_eq!(Directory::decode(&directory.encode()).unwrap(), directory);
    }
}

#[test]
fn is_located_from_any_suffix() {
    let directory = sample();
    let object = object(&directory);
    for len in 0..=object.len() {
        let suffix = &object[object.len() - len..];
        match Directory::locate(suffix, object.len() as u64).unwrap() {
            Located::Directory(found) => assert_eq!(found, directory),
            Located::NeedMore(range) => {
                assert!(range.end == object.len() as u64 && range.end - range.start > len as u64, "suffix of {len}");
                assert!(len < object.len() - 150, "suffix of {len}");
            }
        }
    }
}

#[test]
fn every_flipped_byte_and_every_cut_is_noticed() {
    let object = object(&sample());
    for at in 150..object.len() {
        let mut damaged = object.clone();
        damaged[at] ^= 0x10;
        assert!(Directory::locate(&damaged, damaged.len() as u64).is_err(), "byte {at}");
    }
    let bytes = sample().encode();
    for end in 0..bytes.len() {
        assert!(Directory::decode(&bytes[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn hostile_bytes_behind_a_good_checksum_never_panic() {
    let bytes = sample().encode();
    let body = &bytes[..bytes.len() - 4];
    for at in 0..body.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut hostile = body.to_vec();
            hostile[at] = value;
            format::seal(&mut hostile);
            let _ = Directory::decode(&hostile);
        }
    }
}

#[test]
fn optional_blocks_are_skipped_and_mandatory_ones_refused() {
    for (tag, expect) in [(128, None), (3, Some(Fault::UnknownBlock(3)))] {
        let mut out = vec![VERSION, 1];
        format::put_block(&mut out, tag, b"later");
        format::seal(&mut out);
        assert_eq!(Directory::decode(&out).err().map(|e| e.fault), expect, "tag {tag}");
    }
    let mut later = vec![VERSION + 1];
    format::seal(&mut later);
    assert_eq!(Directory::decode(&later).unwrap_err().to_string(), "directory at byte 0: unknown format version 2");
}

#[test]
fn later_entries_may_grow() {
    let entry = sample().sections.remove(0);
    let mut bytes = entry.encode();
    bytes.extend_from_slice(b"fields of the future");
    assert_eq!(SectionEntry::decode(&bytes).unwrap(), entry);
}
