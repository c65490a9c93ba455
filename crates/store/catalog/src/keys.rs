//! Where things stand in the bucket: every key of the catalog is made and read here.
//!
//! ```text
//! writers/<writer>                      an ingester's log exists; created before its first object
//! log/<writer>/<seq, 20 digits>         flushed object `seq` of a writer, or the SEAL that ends its log
//! cat/<shard>/r/<!generation, 16 hex>   shard root; complemented, so that the newest is listed first
//! cat/<shard>/p/<hash, 32 hex>          immutable page of entries, named by its content
//! seg/<shard>/<yyyymmdd>/<id>           folded sections; the day is the day of creation
//! ```

use skald_model::{Timestamp, Writer};

/// Part of the catalog with a root of its own. Sections name their shard; one shard exists so far.
pub type Shard = u32;

/// The only shard of a cluster whose tenants are not divided.
pub const SHARD_ZERO: Shard = 0;

/// Under which all writers are registered.
pub const WRITERS_PREFIX: &str = "writers/";

/// The registration of `writer`.
pub fn writer_key(writer: &Writer) -> String {
    format!("{WRITERS_PREFIX}{writer}")
}

/// The writer registered under `key`; `None` when it is no such key.
pub fn parse_writer_key(key: &str) -> Option<Writer> {
    Writer::new(key.strip_prefix(WRITERS_PREFIX)?)
}

/// Object `seq` of the log of `writer`.
pub fn log_key(writer: &Writer, seq: u64) -> String {
    format!("log/{writer}/{seq:020}")
}

/// Under which the roots of `shard` stand.
pub fn roots_prefix(shard: Shard) -> String {
    format!("cat/{shard}/r/")
}

/// The root `generation` of `shard`. Listing the prefix in order gives the newest first.
pub fn root_key(shard: Shard, generation: u64) -> String {
    format!("cat/{shard}/r/{:016x}", !generation)
}

/// The generation named by a root's key; `None` when it is no such key of `shard`.
pub fn parse_root_key(shard: Shard, key: &str) -> Option<u64> {
    let digits = key.strip_prefix(&roots_prefix(shard))?;
    let plain = digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
    plain.then(|| u64::from_str_radix(digits, 16).ok().map(|complement| !complement))?
}

/// The page with the content hash `hash`.
pub fn page_key(shard: Shard, hash: u128) -> String {
    format!("cat/{shard}/p/{hash:032x}")
}

/// A new folded object, created at `now`, told apart from all others by `random`.
///
/// Its name sorts by the time of creation and has 80 random bits, so that two compactors never
/// write the same key.
pub fn segment_key(shard: Shard, now: Timestamp, random: u128) -> String {
    let millis = now.as_millis().max(0) as u128;
    let id = (millis << 80) | (random & ((1 << 80) - 1));
    format!("seg/{shard}/{}/{}", day(now), base32(id))
}

/// The UTC day of `at` as `yyyymmdd`.
fn day(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_nanosecond(i128::from(at.0)).expect("every i64 of nanoseconds is in jiff's range");
    at.strftime("%Y%m%d").to_string()
}

/// The low 130 bits of `id` as 26 characters of Crockford's alphabet, highest first.
fn base32(id: u128) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    (0..26).rev().map(|digit| char::from(ALPHABET[((id >> (digit * 5)) & 31) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(id: &str) -> Writer {
        Writer::new(id).expect("valid id")
    }

    #[test]
    fn keys_look_as_documented() {
        let w = writer("ing-1");
        assert_eq!(writer_key(&w), "writers/ing-1");
        assert_eq!(log_key(&w, 42), "log/ing-1/00000000000000000042");
        assert_eq!(root_key(0, 1), "cat/0/r/fffffffffffffffe");
        assert_eq!(page_key(0, 255), "cat/0/p/000000000000000000000000000000ff");
        let at = Timestamp::from_secs(1_795_000_000);
        assert_eq!(segment_key(0, at, 7), "seg/0/20261118/01M7Q5CQG00000000000000007");
        assert!(segment_key(0, at, 7) < segment_key(0, at.saturating_add(2_000_000), 0));
    }

    #[test]
    fn keys_are_read_back() {
        for generation in [0, 1, 77, u64::MAX] {
            assert_eq!(parse_root_key(0, &root_key(0, generation)), Some(generation));
        }
        assert!(root_key(0, 2) < root_key(0, 1), "the newest comes first");
        for key in ["cat/0/r/", "cat/0/r/+ffffffffffffffe", "cat/0/r/FFFFFFFFFFFFFFFE", "cat/1/r/fffffffffffffffe", "x"]
        {
            assert_eq!(parse_root_key(0, key), None, "{key}");
        }
        assert_eq!(parse_writer_key("writers/a_b"), Some(writer("a_b")));
        for key in ["writers/", "writers/a/b", "log/a/1"] {
            assert_eq!(parse_writer_key(key), None, "{key}");
        }
    }
}
