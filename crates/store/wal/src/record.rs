//! One record: a push as the ingester received it, framed so that damage is recognised and the next
//! record is found behind it. Layout and sample bytes: `docs/format/wal.md`.
//!
//! A record is encoded without copying its batches: [`EncodedRecord`] keeps them as they came and
//! adds a frame and a prefix. The checksum of the frame includes the salt of the file, which nobody
//! outside knows: bytes of a log line that look like a record are never taken for one.

use bytes::Bytes;
use skald_model::{
    BatchId, TenantId,
    varint::{self, Reader},
};

/// The first bytes of every record: what a reader looks for behind damage.
pub const MARKER: [u8; 4] = [0xa5, b'S', b'K', 0x5a];
/// The version of the frame and of the body that this code writes.
pub const VERSION: u8 = 1;
/// Bytes of a record before its body.
pub const FRAME_BYTES: usize = 20;
/// The longest body: the largest internal message (128 MiB) with room for names. A longer length in
/// a file is damage.
pub const BODY_BYTES_MAX: usize = 160 << 20;

/// The type byte of a push; there is no other type yet.
const TYPE_PUSH: u8 = 1;

/// A push: whose, which, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who owns the rows.
    pub tenant: TenantId,
    /// Which push of which distributor.
    pub id: BatchId,
    /// `skald_model::StreamBatch`es in their encoded form. Not interpreted here.
    pub batches: Vec<Bytes>,
}

/// A record ready to be written to any file.
#[derive(Clone, Debug)]
pub struct EncodedRecord {
    prefix: Vec<u8>,
    batches: Vec<Bytes>,
    body_len: u32,
    body_crc: u32,
}

/// A record whose body is longer than [`BODY_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a push of {0} bytes does not fit into a record of the write-ahead log")]
pub struct TooLong(pub usize);

/// Why there is no record at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No marker, or the checksum of the frame is wrong: not the beginning of a record of this file.
    #[error("no record")]
    NoFrame,
    /// The frame is right, the bytes end before the body does.
    #[error("record is cut")]
    Cut,
    /// The frame is right, the checksum of the body is wrong.
    #[error("checksum of a record is wrong")]
    BadBody,
    /// Whole, but of a version or type this code does not know.
    #[error("record of version {version} and type {kind} is not known")]
    Unknown {
        /// Version byte.
        version: u8,
        /// Type byte.
        kind: u8,
    },
    /// Whole, but its content contradicts itself.
    #[error("malformed record")]
    Malformed,
}

impl Record {
    /// The written form. Computes the checksum over all batches, so it is for a thread that may work.
    ///
    /// # Errors
    /// When the body would be too long.
    pub fn encode(&self) -> Result<EncodedRecord, TooLong> {
        let mut prefix = Vec::with_capacity(48 + 4 * self.batches.len());
        varint::put_bytes(&mut prefix, self.tenant.as_str().as_bytes());
        varint::put_bytes(&mut prefix, self.id.distributor.as_bytes());
        varint::put_u64(&mut prefix, self.id.number);
        varint::put_u64(&mut prefix, self.batches.len() as u64);
        for batch in &self.batches {
            varint::put_u64(&mut prefix, batch.len() as u64);
        }
        let body_len = prefix.len() + self.batches.iter().map(Bytes::len).sum::<usize>();
        if body_len > BODY_BYTES_MAX {
            return Err(TooLong(body_len));
        }
        let mut crc = crc32fast::Hasher::new();
        crc.update(&prefix);
        self.batches.iter().for_each(|b| crc.update(b));
        Ok(EncodedRecord {
            prefix,
            batches: self.batches.clone(),
            body_len: u32::try_from(body_len).expect("at most BODY_BYTES_MAX"),
            body_crc: crc.finalize(),
        })
    }

    /// Bytes of all batches.
    pub fn batch_bytes(&self) -> usize {
        self.batches.iter().map(Bytes::len).sum()
    }
}

impl EncodedRecord {
    /// The frame for a file with `salt`; it stands before [`EncodedRecord::pieces`].
    pub fn frame(&self, salt: u32) -> [u8; FRAME_BYTES] {
        let mut frame = [0; FRAME_BYTES];
        frame[..4].copy_from_slice(&MARKER);
        frame[4] = VERSION;
        frame[5] = TYPE_PUSH;
        frame[8..12].copy_from_slice(&self.body_len.to_le_bytes());
        frame[12..16].copy_from_slice(&self.body_crc.to_le_bytes());
        let crc = frame_crc(&frame, salt);
        frame[16..].copy_from_slice(&crc.to_le_bytes());
        frame
    }

    /// The body in pieces, to be written one after the other.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&self.prefix[..]).chain(self.batches.iter().map(|b| &b[..]))
    }

    /// Bytes that frame and body take in a file.
    pub fn written_len(&self) -> usize {
        FRAME_BYTES + self.body_len as usize
    }
}

/// The record that begins at `at` in the content of a file with `salt`, and where it ends. Its
/// batches share `bytes`.
///
/// # Errors
/// When there is none, see [`DecodeError`].
pub fn decode(bytes: &Bytes, at: usize, salt: u32) -> Result<(Record, usize), DecodeError> {
    let frame: &[u8; FRAME_BYTES] =
        bytes.get(at..at.saturating_add(FRAME_BYTES)).and_then(|f| f.try_into().ok()).ok_or(DecodeError::NoFrame)?;
    let body_len = u32_at(frame, 8) as usize;
    if frame[..4] != MARKER || u32_at(frame, 16) != frame_crc(frame, salt) || body_len > BODY_BYTES_MAX {
        return Err(DecodeError::NoFrame);
    }
    let start = at + FRAME_BYTES;
    let end = start + body_len;
    let body = bytes.get(start..end).ok_or(DecodeError::Cut)?;
    if crc32fast::hash(body) != u32_at(frame, 12) {
        return Err(DecodeError::BadBody);
    }
    if (frame[4], frame[5]) != (VERSION, TYPE_PUSH) {
        return Err(DecodeError::Unknown { version: frame[4], kind: frame[5] });
    }
    let record = decode_body(&bytes.slice(start..end)).ok_or(DecodeError::Malformed)?;
    Ok((record, end))
}

/// For a fuzzer: decodes `data` as a body and as a file; must neither panic nor allocate without bound.
pub fn fuzz(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    let _ = decode(&bytes, 0, 0);
    if let Some(record) = decode_body(&bytes) {
        let again = record.encode().map(|e| e.pieces().collect::<Vec<_>>().concat());
        assert_eq!(again.map(|b| decode_body(&b.into())), Ok(Some(record)));
    }
    crate::scan::Scan::new(bytes, 0).for_each(drop);
}

fn decode_body(body: &Bytes) -> Option<Record> {
    let mut reader = Reader::new(body);
    let tenant = TenantId::new(reader.str()?).ok()?;
    let distributor = reader.str()?.to_owned();
    let number = reader.u64()?;
    let count = reader.count()?;
    let mut lens = Vec::with_capacity(count);
    for _ in 0..count {
        lens.push(reader.usize()?);
    }
    let mut batches = Vec::with_capacity(count);
    for len in lens {
        let start = reader.position();
        reader.take(len)?;
        batches.push(body.slice(start..start + len));
    }
    (reader.remaining() == 0).then_some(Record { tenant, id: BatchId { distributor, number }, batches })
}

fn frame_crc(frame: &[u8; FRAME_BYTES], salt: u32) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&salt.to_le_bytes());
    crc.update(&frame[..16]);
    crc.finalize()
}

fn u32_at(frame: &[u8; FRAME_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]])
}

#[cfg(test)]
pub(crate) fn sample(number: u64, batches: &[&'static [u8]]) -> Record {
    Record {
        tenant: TenantId::new("acme").unwrap(),
        id: BatchId { distributor: "dist-0".to_owned(), number },
        batches: batches.iter().map(|b| Bytes::from_static(b)).collect(),
    }
}

#[cfg(test)]
pub(crate) fn written(record: &Record, salt: u32) -> Vec<u8> {
    let encoded = record.encode().unwrap();
    let mut out = encoded.frame(salt).to_vec();
    encoded.pieces().for_each(|p| out.extend_from_slice(p));
    assert_eq!(out.len(), encoded.written_len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: u32 = 0x1234_5678;

    #[test]
    fn round_trips() {
        for record in [sample(1, &[b"one", b"", b"three"]), sample(u64::MAX, &[])] {
            let bytes = Bytes::from(written(&record, SALT));
            assert_eq!(decode(&bytes, 0, SALT), Ok((record, bytes.len())));
        }
    }

    #[test]
    fn the_salt_of_another_file_is_refused() {
        let bytes = Bytes::from(written(&sample(1, &[b"x"]), SALT));
        assert_eq!(decode(&bytes, 0, SALT + 1), Err(DecodeError::NoFrame));
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_noticed() {
        let bytes = Bytes::from(written(&sample(7, &[b"one", b"three"]), SALT));
        for end in 0..bytes.len() {
            let expect = if end < FRAME_BYTES { DecodeError::NoFrame } else { DecodeError::Cut };
            assert_eq!(decode(&bytes.slice(..end), 0, SALT), Err(expect), "cut at {end}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&damaged.into(), 0, SALT).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn mutated_bodies_never_panic() {
        let record = sample(300, &[b"one", b"three"]);
        let body: Vec<u8> = record.encode().unwrap().pieces().collect::<Vec<_>>().concat();
        for at in 0..body.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut damaged = body.clone();
                damaged[at] = value;
                fuzz(&damaged);
                damaged.truncate(at);
                fuzz(&damaged);
            }
        }
    }
}
