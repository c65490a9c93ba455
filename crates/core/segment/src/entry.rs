//! One section of an object, as the directory and the catalog know it.

use std::{fmt, ops::Range};

use skald_model::{
    CommitVector, Labels, TenantId, Timestamp, Writer,
    varint::{self, Reader},
};

use crate::{
    error::{Fault, SegmentError},
    format::VERSION,
};

/// Whose rows a section holds, and from when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SectionKey {
    /// The catalog shard.
    pub shard: u32,
    /// The owner of the rows.
    pub tenant: TenantId,
    /// First instant of the window that no row of the section leaves.
    pub window_start: Timestamp,
    /// Length of the window in nanoseconds.
    pub window_len: u64,
}

impl SectionKey {
    /// True for an instant within the window.
    pub fn contains(&self, timestamp: i64) -> bool {
        timestamp >= self.window_start.0 && (timestamp.wrapping_sub(self.window_start.0) as u64) < self.window_len
    }
}

/// `tenant/start+length in seconds/shard`, as error messages name a section.
impl fmt::Display for SectionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.window_start.0.div_euclid(1_000_000_000);
        write!(f, "{}/{start}+{}s/{}", self.tenant, self.window_len / 1_000_000_000, self.shard)
    }
}

/// How far rows have come on their way to one copy each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(pub u8);

impl Level {
    /// As one ingester flushed them: other ingesters hold copies.
    pub const FLUSHED: Self = Self(0);
    /// Merged from flushed objects, copies dropped.
    pub const FOLDED: Self = Self(1);
}

/// What the catalog needs to know of one section, and where its parts lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionEntry {
    /// Whose rows, from when.
    pub key: SectionKey,
    /// How far they are merged.
    pub level: Level,
    /// Which run of the catalog the section belongs to.
    pub run_id: u128,
    /// Where the pages lie in the object.
    pub data: Range<u64>,
    /// Where the index region lies in the object.
    pub index: Range<u64>,
    /// Earliest timestamp.
    pub tmin: Timestamp,
    /// Latest timestamp.
    pub tmax: Timestamp,
    /// Number of rows.
    pub rows: u64,
    /// Bytes of lines and metadata values.
    pub raw_bytes: u64,
    /// Bytes of pages and index region.
    pub stored_bytes: u64,
    /// Number of streams.
    pub streams: u64,
    /// The stream that sorts first.
    pub first: Labels,
    /// The stream that sorts last.
    pub last: Labels,
    /// The log positions that contributed rows.
    pub sources: CommitVector,
}

impl SectionEntry {
    /// True when rows of the section may lie in `from..to`; a `to` of [`Timestamp::MAX`] is no bound.
    pub fn overlaps(&self, from: Timestamp, to: Timestamp) -> bool {
        self.tmax >= from && is_before(self.tmin.0, to)
    }

    /// The entry as bytes, for the directory, the catalog's pages and RPC.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        out.push(VERSION);
        varint::put_u64(&mut out, self.key.shard.into());
        varint::put_bytes(&mut out, self.key.tenant.as_str().as_bytes());
        varint::put_i64(&mut out, self.key.window_start.0);
        varint::put_u64(&mut out, self.key.window_len);
        out.push(self.level.0);
        out.extend_from_slice(&self.run_id.to_le_bytes());
        put_range(&mut out, &self.data);
        put_range(&mut out, &self.index);
        varint::put_i64(&mut out, self.tmin.0);
        varint::put_u64(&mut out, self.tmax.0.wrapping_sub(self.tmin.0) as u64);
        for number in [self.rows, self.raw_bytes, self.stored_bytes, self.streams] {
            varint::put_u64(&mut out, number);
        }
        self.first.encode(&mut out);
        self.last.encode(&mut out);
        varint::put_u64(&mut out, self.sources.len() as u64);
        for (writer, seq) in self.sources.iter() {
            varint::put_bytes(&mut out, writer.as_str().as_bytes());
            varint::put_u64(&mut out, seq);
        }
        out
    }

    /// Reads what [`SectionEntry::encode`] wrote. Bytes behind the fields known here are skipped, so
    /// that later versions can add some.
    ///
    /// # Errors
    /// For an unknown version and anything cut or contradictory.
    pub fn decode(bytes: &[u8]) -> Result<Self, SegmentError> {
        decode(bytes).map_err(|fault| fault.at("section entry", 0))
    }
}

/// True before `to`, and for every instant where `to` is the last one: it bounds nothing.
pub(crate) fn is_before(timestamp: i64, to: Timestamp) -> bool {
    timestamp < to.0 || to == Timestamp::MAX
}

fn decode(bytes: &[u8]) -> Result<SectionEntry, Fault> {
    let mut reader = Reader::new(bytes);
    match reader.u8() {
        Some(VERSION) => {}
        Some(other) => return Err(Fault::UnknownVersion(other.into())),
        None => return Err(Fault::Malformed("empty")),
    }
    let entry = fields(&mut reader).ok_or(Fault::Malformed("fields"))?;
    let ranges = entry.data.start <= entry.data.end && entry.index.start <= entry.index.end;
    if !ranges || entry.tmin > entry.tmax || entry.rows == 0 || entry.streams == 0 || entry.streams > entry.rows {
        return Err(Fault::Malformed("contradictory fields"));
    }
    Ok(entry)
}

fn fields(reader: &mut Reader<'_>) -> Option<SectionEntry> {
    let key = SectionKey {
        shard: reader.u32()?,
        tenant: TenantId::new(reader.str()?).ok()?,
        window_start: Timestamp(reader.i64()?),
        window_len: reader.u64()?,
    };
    let level = Level(reader.u8()?);
    let run_id = u128::from_le_bytes(reader.take(16)?.try_into().ok()?);
    let data = take_range(reader)?;
    let index = take_range(reader)?;
    let tmin = reader.i64()?;
    let tmax = tmin.wrapping_add(reader.u64()? as i64);
    let [rows, raw_bytes, stored_bytes, streams] = [reader.u64()?, reader.u64()?, reader.u64()?, reader.u64()?];
    let first = Labels::decode(reader)?;
    let last = Labels::decode(reader)?;
    let sources =
        (0..reader.count()?).map(|_| Some((Writer::new(reader.str()?)?, reader.u64()?))).collect::<Option<_>>()?;
    Some(SectionEntry {
        key,
        level,
        run_id,
        data,
        index,
        tmin: Timestamp(tmin),
        tmax: Timestamp(tmax),
        rows,
        raw_bytes,
        stored_bytes,
        streams,
        first,
        last,
        sources,
    })
}

fn put_range(out: &mut Vec<u8>, range: &Range<u64>) {
    varint::put_u64(out, range.start);
    varint::put_u64(out, range.end - range.start);
}

fn take_range(reader: &mut Reader<'_>) -> Option<Range<u64>> {
    let start = reader.u64()?;
    Some(start..start.checked_add(reader.u64()?)?)
}
