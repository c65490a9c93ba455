//! The bytes of gossip: one layout for deltas and for whole states.
//!
//! ```text
//! message    := 0x01 count record* count head* count generation*
//! record     := len { ring id addr http_addr zone state:u8 flags:u8 token:u32le registered stamp heartbeat
//!                     [read_only_since] [writer last_seq] version protocol unknown* }
//! head       := writer seq            generation := shard number
//! ```
//! Texts are length-prefixed, numbers LEB128. A record's unknown tail is ignored, so that a newer
//! version may add fields. Every bound of a record is checked on the way in as on the way out.

use crate::{Instance, Record, Rings, State};
use skald_model::{
    Writer,
    varint::{Reader, put_bytes, put_u64},
};
use std::sync::Arc;

/// First byte of every message.
const VERSION: u8 = 1;
/// Version byte and three counts.
pub(crate) const HEADER_BYTES_MAX: usize = 1 + 3 * 5;
/// Longest shard name, in bytes.
pub(crate) const SHARD_BYTES_MAX: usize = 64;
/// Stamps beyond are no clock's: they could not be counted up any further, so they are refused.
const STAMP_MAX: u64 = u64::MAX / 2;

const FLAG_READ_ONLY: u8 = 1;
const FLAG_WRITER: u8 = 2;
const FLAG_FORGOTTEN: u8 = 4;

/// Why bytes are no gossip message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The first byte names a layout this version does not know.
    #[error("unknown gossip message version {0}")]
    Version(u8),
    /// The bytes end early or hold what no encoder writes.
    #[error("malformed gossip message at byte {0}")]
    Malformed(usize),
}

impl Rings {
    /// The replicated content as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_u64(&mut out, self.rings.values().map(|records| records.len() as u64).sum());
        for (ring, records) in &self.rings {
            for record in records.values() {
                put_bytes(&mut out, &encode_record(ring, &record.instance));
            }
        }
        put_u64(&mut out, self.heads.len() as u64);
        for (writer, seq) in self.heads.iter() {
            put_bytes(&mut out, writer.as_str().as_bytes());
            put_u64(&mut out, seq);
        }
        put_u64(&mut out, self.generations.len() as u64);
        for (shard, &generation) in &self.generations {
            put_bytes(&mut out, shard.as_bytes());
            put_u64(&mut out, generation);
        }
        out
    }
}

/// The state in `bytes`; its records count as never seen until they are merged. Never panics.
///
/// # Errors
/// When the bytes are no message of a known version, or a record breaks its bounds.
pub fn decode(bytes: &[u8]) -> Result<Rings, DecodeError> {
    let mut reader = Reader::new(bytes);
    let version = reader.u8().ok_or(DecodeError::Malformed(0))?;
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    let mut rings = Rings::new();
    decode_body(&mut reader, &mut rings).ok_or(DecodeError::Malformed(reader.position()))?;
    Ok(rings)
}

fn decode_body(reader: &mut Reader<'_>, rings: &mut Rings) -> Option<()> {
    for _ in 0..reader.count()? {
        let (ring, instance) = decode_record(reader.bytes()?)?;
        rings.put(ring, Record { instance: Arc::new(instance), seen_ms: 0 });
    }
    for _ in 0..reader.count()? {
        let writer = Writer::new(reader.str()?)?;
        rings.heads.raise(&writer, reader.u64()?);
    }
    for _ in 0..reader.count()? {
        let shard = reader.str().filter(|s| s.len() <= SHARD_BYTES_MAX)?;
        let generation = reader.u64().filter(|&g| g > 0)?;
        rings.generations.insert(shard.into(), generation);
    }
    (reader.remaining() == 0).then_some(())
}

/// One record without its length.
pub(crate) fn encode_record(ring: &str, instance: &Instance) -> Vec<u8> {
    let mut out = Vec::with_capacity(160);
    for text in [ring, &instance.id, &instance.addr, &instance.http_addr, &instance.zone] {
        put_bytes(&mut out, text.as_bytes());
    }
    out.push(instance.state as u8);
    let flag = |on: bool, bit: u8| if on { bit } else { 0 };
    out.push(
        flag(instance.read_only_since_ms.is_some(), FLAG_READ_ONLY)
            | flag(instance.writer.is_some(), FLAG_WRITER)
            | flag(instance.forgotten, FLAG_FORGOTTEN),
    );
    out.extend_from_slice(&instance.token.to_le_bytes());
    for number in [instance.registered_ms, instance.stamp, instance.heartbeat_ms] {
        put_u64(&mut out, number);
    }
    if let Some(since) = instance.read_only_since_ms {
        put_u64(&mut out, since);
    }
    if let Some(writer) = &instance.writer {
        put_bytes(&mut out, writer.as_str().as_bytes());
        put_u64(&mut out, instance.last_seq);
    }
    put_bytes(&mut out, instance.version.as_bytes());
    put_u64(&mut out, u64::from(instance.protocol));
    out
}

fn decode_record(bytes: &[u8]) -> Option<(&str, Instance)> {
    let mut reader = Reader::new(bytes);
    let ring = reader.str()?;
    let mut text = || reader.str().map(str::to_owned);
    let (id, addr, http_addr, zone) = (text()?, text()?, text()?, text()?);
    let state = State::from_wire(reader.u8()?)?;
    let flags = reader.u8()?;
    let token = u32::from_le_bytes(reader.take(4)?.try_into().ok()?);
    let (registered_ms, stamp, heartbeat_ms) = (reader.u64()?, reader.u64()?, reader.u64()?);
    let read_only_since_ms = if flags & FLAG_READ_ONLY != 0 { Some(reader.u64()?) } else { None };
    let (writer, last_seq) =
        if flags & FLAG_WRITER != 0 { (Some(Writer::new(reader.str()?)?), reader.u64()?) } else { (None, 0) };
    let instance = Instance {
        id,
        addr,
        http_addr,
        zone,
        state,
        token,
        registered_ms,
        stamp,
        heartbeat_ms,
        read_only_since_ms,
        writer,
        last_seq,
        forgotten: flags & FLAG_FORGOTTEN != 0,
        version: reader.str()?.to_owned(),
        protocol: reader.u32()?,
    };
    (stamp <= STAMP_MAX && instance.validate(ring).is_ok()).then_some((ring, instance))
}
