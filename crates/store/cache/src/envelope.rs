//! How a value lies in a cache that others can write to: behind a checksum over key and value.
//!
//! ```text
//! 0      4           8
//! +------+-----------+---------
//! | SKC1 | crc32 LE  | value ...
//! +------+-----------+---------
//! ```
//! A value that was cut, damaged, written by something else or stored under another key does not
//! open, and is a miss.

use bytes::{BufMut, Bytes, BytesMut};

const MAGIC: &[u8; 4] = b"SKC1";
const HEAD_BYTES: usize = 8;

fn checksum(key: &str, value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&(key.len() as u64).to_le_bytes());
    hasher.update(key.as_bytes());
    hasher.update(value);
    hasher.finalize()
}

pub(crate) fn seal(key: &str, value: &[u8]) -> Bytes {
    let mut sealed = BytesMut::with_capacity(HEAD_BYTES + value.len());
    sealed.put_slice(MAGIC);
    sealed.put_u32_le(checksum(key, value));
    sealed.put_slice(value);
    sealed.freeze()
}

pub(crate) fn open(key: &str, sealed: &Bytes) -> Option<Bytes> {
    let head = sealed.get(..HEAD_BYTES)?;
    let stored = u32::from_le_bytes(head[4..].try_into().ok()?);
    let value = sealed.slice(HEAD_BYTES..);
    (head.starts_with(MAGIC) && stored == checksum(key, &value)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sealed_opens() {
        let sealed = seal("key", b"value");
        assert_eq!(open("key", &sealed).as_deref(), Some(&b"value"[..]));
        assert_eq!(open("kez", &sealed), None);
        assert_eq!(open("key", &seal("key", b"")).as_deref(), Some(&b""[..]));
        for len in 0..sealed.len() {
            assert_eq!(open("key", &sealed.slice(..len)), None, "cut to {len}");
        }
        for byte in 0..sealed.len() {
            let mut damaged = sealed.to_vec();
            damaged[byte] ^= 0x10;
            assert_eq!(open("key", &damaged.into()), None, "byte {byte}");
        }
    }
}
