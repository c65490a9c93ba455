//! Files of an ingester's data directory: records of the write-ahead log and its manifest.

use bytes::Bytes;
use skald_wal::{
    Manifest,
    record::{self, FRAME_BYTES, MARKER, VERSION},
    scan::{Found, Scan, header},
};

/// The salt of the files made here.
const SALT: u32 = 7;
const TYPE_PUSH: u8 = 1;

/// Reads the input as a record, as a file of records, as the body of a record, and as the manifest.
pub fn wal_record(data: &[u8]) {
    record::fuzz(data);
    in_a_file(data);
    if let Some(manifest) = Manifest::decode(data) {
        let again = Manifest::decode(manifest.encode().as_bytes());
        assert_eq!(again.as_ref(), Some(&manifest));
        let _ = manifest.needs(1);
    }
}

/// What is a record alone is one in a file. What stands behind it may be anything, records included:
/// a fuzzer learns checksums by and by.
fn in_a_file(body: &[u8]) {
    let framed = [&frame(body), body].concat();
    let alone = record::decode(&Bytes::from(framed.clone()), 0, SALT);
    let file = Bytes::from([&header(SALT)[..], &framed, body, &framed].concat());
    let found: Vec<Found> = Scan::new(file.clone(), SALT).collect();
    if let Ok((record, end)) = alone {
        assert_eq!(end, framed.len());
        assert_eq!(found.first(), Some(&Found::Record(record)));
    }
    let mut upto = 0;
    for found in found {
        if let Found::Skipped(range) | Found::TornTail(range) = found {
            assert!(upto <= range.start && range.start < range.end && range.end <= file.len());
            upto = range.end;
        }
    }
}

fn frame(body: &[u8]) -> [u8; FRAME_BYTES] {
    let mut frame = [0; FRAME_BYTES];
    frame[..4].copy_from_slice(&MARKER);
    (frame[4], frame[5]) = (VERSION, TYPE_PUSH);
    frame[8..12].copy_from_slice(&(body.len() as u32).to_le_bytes());
    frame[12..16].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
    let mut crc = crc32fast::Hasher::new();
    crc.update(&SALT.to_le_bytes());
    crc.update(&frame[..16]);
    frame[16..].copy_from_slice(&crc.finalize().to_le_bytes());
    frame
}
