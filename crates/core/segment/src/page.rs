//! The page table: for each page of a section its statistics and where its columns lie.

use std::{fmt, sync::Arc};

use skald_model::{
    Timestamp,
    varint::{self, Reader},
};

use crate::{
    error::Fault,
    format::{self, PAGE_ROWS_MAX},
};

/// Which column of a page a chunk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Column {
    /// Nanoseconds since the epoch.
    Timestamps,
    /// Bytes of each line.
    LineLengths,
    /// Arrival numbers; absent where all are 0.
    Arrivals,
    /// The lines.
    Lines,
    /// The values of the section's metadata key with this number.
    Metadata(u32),
    /// A column of a later version, which a reader of whole pages may skip.
    Other(u32),
}

/// Codes from here on are metadata keys; those below that no column has are left for later ones.
const METADATA_FROM: u64 = 16;
/// A page whose columns are those of [`Column`]: the only page encoding so far.
pub(crate) const PAGE_PLAIN: u8 = 0;

impl Column {
    fn code(self) -> u64 {
        match self {
            Self::Timestamps => 0,
            Self::LineLengths => 1,
            Self::Arrivals => 2,
            Self::Lines => 3,
            Self::Metadata(key) => METADATA_FROM + u64::from(key),
            Self::Other(code) => code.into(),
        }
    }

    fn from_code(code: u64) -> Option<Self> {
        Some(match code {
            0 => Self::Timestamps,
            1 => Self::LineLengths,
            2 => Self::Arrivals,
            3 => Self::Lines,
            METADATA_FROM.. => Self::Metadata(u32::try_from(code - METADATA_FROM).ok()?),
            other => Self::Other(other as u32),
        })
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timestamps => f.write_str("timestamps"),
            Self::LineLengths => f.write_str("line lengths"),
            Self::Arrivals => f.write_str("arrivals"),
            Self::Lines => f.write_str("lines"),
            Self::Metadata(key) => write!(f, "metadata {key}"),
            Self::Other(code) => write!(f, "column {code}"),
        }
    }
}

/// One column of one page as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Which column.
    pub column: Column,
    /// How its values are encoded.
    pub encoding: u8,
    /// How the encoded bytes are compressed.
    pub codec: u8,
    /// Where it begins, in bytes from the start of the section's data.
    pub offset: u64,
    /// Bytes in the object.
    pub stored_len: u64,
    /// Bytes before compression.
    pub raw_len: u64,
    /// CRC-32 of the stored bytes.
    pub crc: u32,
}

/// Statistics and chunks of one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageMeta {
    /// Number of rows.
    pub rows: u32,
    /// Number of rows in all pages before it.
    pub first_row: u64,
    /// Earliest timestamp.
    pub tmin: Timestamp,
    /// Latest timestamp.
    pub tmax: Timestamp,
    /// The stream of the first row, as a number in the section's streams table.
    pub first_stream: u32,
    /// The stream of the last row.
    pub last_stream: u32,
    /// Which layout the page has; only 0, columns side by side, is known.
    pub encoding: u8,
    /// Bytes of all lines.
    pub line_bytes: u64,
    /// The columns in the order in which they are stored, without gaps.
    pub chunks: Vec<Chunk>,
}

/// Appends names of metadata keys and the pages.
pub(crate) fn encode_pages(out: &mut Vec<u8>, keys: &[Arc<str>], pages: &[PageMeta]) {
    varint::put_u64(out, keys.len() as u64);
    keys.iter().for_each(|key| varint::put_bytes(out, key.as_bytes()));
    varint::put_u64(out, pages.len() as u64);
    let mut last_tmin = 0i64;
    let mut last_stream = 0u32;
    for page in pages {
        varint::put_u64(out, page.rows.into());
        varint::put_i64(out, page.tmin.0.wrapping_sub(last_tmin));
        varint::put_u64(out, page.tmax.0.wrapping_sub(page.tmin.0) as u64);
        varint::put_u64(out, (page.first_stream - last_stream).into());
        varint::put_u64(out, (page.last_stream - page.first_stream).into());
        out.push(page.encoding);
        varint::put_u64(out, page.line_bytes);
        varint::put_u64(out, page.chunks.len() as u64);
        for chunk in &page.chunks {
            varint::put_u64(out, chunk.column.code());
            out.push(chunk.encoding);
            out.push(chunk.codec);
            varint::put_u64(out, chunk.stored_len);
            varint::put_u64(out, chunk.raw_len);
            out.extend_from_slice(&chunk.crc.to_le_bytes());
        }
        last_tmin = page.tmin.0;
        last_stream = page.last_stream;
    }
}

/// Reads what [`encode_pages`] wrote.
pub(crate) fn decode_pages(bytes: &[u8]) -> Result<(Vec<Arc<str>>, Vec<PageMeta>), Fault> {
    pages(&mut Reader::new(bytes)).ok_or(Fault::Malformed("page table"))
}

fn pages(reader: &mut Reader<'_>) -> Option<(Vec<Arc<str>>, Vec<PageMeta>)> {
    let keys = (0..reader.count()?).map(|_| reader.str().map(Arc::from)).collect::<Option<Vec<_>>>()?;
    let mut pages = Vec::new();
    let (mut first_row, mut offset, mut last_tmin, mut last_stream) = (0u64, 0u64, 0i64, 0u32);
    for _ in 0..reader.count()? {
        let rows = reader.u32().filter(|&rows| (1..=PAGE_ROWS_MAX as u32).contains(&rows))?;
        let tmin = last_tmin.wrapping_add(reader.i64()?);
        let tmax = tmin.wrapping_add(reader.u64()? as i64);
        let first_stream = last_stream.checked_add(reader.u32()?)?;
        last_stream = first_stream.checked_add(reader.u32()?)?;
        let encoding = reader.u8()?;
        let line_bytes = reader.u64()?;
        let mut chunks = Vec::new();
        for _ in 0..reader.count()? {
            let column = Column::from_code(reader.u64()?)?;
            if let Column::Metadata(key) = column
                && key as usize >= keys.len()
            {
                return None;
            }
            let (encoding, codec) = (reader.u8()?, reader.u8()?);
            let (stored_len, raw_len) = (reader.u64()?, reader.u64()?);
            let crc = format::take_fixed_u32(reader)?;
            chunks.push(Chunk { column, encoding, codec, offset, stored_len, raw_len, crc });
            offset = offset.checked_add(stored_len)?;
        }
        let (tmin, tmax) = (Timestamp(tmin), Timestamp(tmax));
        pages.push(PageMeta { rows, first_row, tmin, tmax, first_stream, last_stream, encoding, line_bytes, chunks });
        first_row += u64::from(rows);
        last_tmin = tmin.0;
    }
    (reader.remaining() == 0).then_some((keys, pages))
}
