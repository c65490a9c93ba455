//! Reading a whole file: record after record, over damage, up to a torn tail.
//!
//! A crash leaves at most an incomplete last write: bytes at the end that are no record are cut. Bytes
//! that are no record with a valid one behind them are damage (a bad sector, a bug): they are skipped
//! and counted, and what follows is kept.

use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;

use crate::record::{self, MARKER, Record};

/// The first bytes of a file.
pub const MAGIC: [u8; 8] = *b"SKALDWAL";
/// Bytes of a file before its first record.
pub const HEADER_BYTES: usize = 16;

/// The header of a file with `salt`.
pub fn header(salt: u32) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8] = record::VERSION;
    header[12..].copy_from_slice(&salt.to_le_bytes());
    header
}

/// What a file holds, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A whole record.
    Record(Record),
    /// Bytes that are no record, with a valid record behind them: damage.
    Skipped(Range<usize>),
    /// Bytes at the end that are no record: a write that a crash interrupted.
    TornTail(Range<usize>),
}

/// Walks over the content of one file.
#[derive(Debug)]
pub struct Scan {
    bytes: Bytes,
    salt: u32,
    at: usize,
}

impl Scan {
    /// Over all of `bytes`, the content of a file with `salt` (its name carries it, so that a damaged
    /// header loses nothing).
    pub fn new(bytes: Bytes, salt: u32) -> Self {
        let whole = bytes.get(..HEADER_BYTES) == Some(&header(salt)[..]);
        Self { bytes, salt, at: if whole { HEADER_BYTES } else { 0 } }
    }

    /// The next place behind `self.at` where a record begins that is whole.
    fn resync(&self) -> Option<usize> {
        let from = self.at + 1;
        let rest = self.bytes.get(from..)?;
        let mut places = memmem::find_iter(rest, &MARKER).map(|i| from + i);
        places.find(|&at| record::decode(&self.bytes, at, self.salt).is_ok())
    }
}

impl Iterator for Scan {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        if self.at >= self.bytes.len() {
            return None;
        }
        if let Ok((record, end)) = record::decode(&self.bytes, self.at, self.salt) {
            self.at = end;
            return Some(Found::Record(record));
        }
        let start = self.at;
        match self.resync() {
            Some(next) => {
                self.at = next;
                Some(Found::Skipped(start..next))
            }
            None => {
                self.at = self.bytes.len();
                Some(Found::TornTail(start..self.at))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{sample, written};

    const SALT: u32 = 9;

    /// Scans header + records 1, 2, 3 after `damage`; says which records came and what else.
    fn check(damage: impl FnOnce(&mut Vec<u8>, [usize; 4]), expect: &str) {
        let mut file = header(SALT).to_vec();
        let mut ends = [file.len(), 0, 0, 0];
        for number in 1..=3u64 {
            // The content of another record as a batch: resynchronising must not find it.
            let inner = written(&sample(99, &[b"never"]), SALT + 1);
            let record = Record { batches: vec![inner.into(), Bytes::from_static(b"rest")], ..sample(number, &[]) };
            file.extend(written(&record, SALT));
            ends[number as usize] = file.len();
        }
        damage(&mut file, ends);
        let found = Scan::new(file.into(), SALT).map(|f| match f {
            Found::Record(r) => r.id.number.to_string(),
            Found::Skipped(_) => "skipped".to_owned(),
            Found::TornTail(_) => "torn".to_owned(),
        });
        assert_eq!(found.collect::<Vec<_>>().join(" "), expect);
    }

    #[test]
    fn damage_is_skipped_and_a_torn_tail_cut() {
        check(|_, _| {}, "1 2 3");
        check(|f, e| f.truncate(e[2]), "1 2");
        check(|f, e| f.truncate(e[3] - 1), "1 2 torn");
        check(|f, e| f.truncate(e[2] + 3), "1 2 torn");
        check(|f, e| f[e[1] + 40] ^= 1, "1 skipped 3");
        check(|f, e| f[e[1] + 1] ^= 1, "1 skipped 3");
        check(|f, e| f[e[1] + 9] ^= 1, "1 skipped 3");
        check(|f, _| f[3] ^= 1, "skipped 1 2 3");
        check(|f, e| f[e[0]..e[2]].fill(0), "skipped 3");
        check(|f, e| f[e[2]..].fill(0), "1 2 torn");
        check(|f, _| f.truncate(HEADER_BYTES), "");
        check(|f, _| f.truncate(5), "torn");
        check(|f, e| drop(f.drain(e[1]..e[1] + 7)), "1 skipped 3");
    }
}
