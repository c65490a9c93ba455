//! Rows of one stream as bytes: encoded once in the distributor, sent to every replica, written to
//! the write-ahead log and kept in the memtable as they are.
//!
//! Layout, version 1 (varints are LEB128, signed ones zigzag, fixed numbers little-endian):
//!
//! ```text
//! u8 version | u64 arrival_base | i64 min timestamp | i64 max timestamp
//! labels: count, then name and value of each with their lengths
//! rows (varint)
//! timestamps: byte length, then the difference to the row before (the first to 0), signed
//! line lengths: byte length, then one varint a row
//! metadata: number of columns, then of each: name, byte length and value lengths, byte length and values
//! lines: byte length, then all lines without separators
//! ```
//!
//! Row `i` arrived as number `arrival_base + i`.

use bytes::Bytes;

use crate::{
    Labels, LineColumn, MetadataColumn, MetadataColumns, Rows, StreamRun, Timestamp,
    metadata::MetadataBuilder,
    varint::{self, Reader},
};

const VERSION: u8 = 1;

/// The name of one push: which distributor and its number there. By it receipts and repeated calls
/// are recognised. Numbers grow, and leave room for one arrival per row of the push.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BatchId {
    /// The distributor's instance id.
    pub distributor: String,
    /// Its number for this push.
    pub number: u64,
}

/// Rows of one stream, encoded and checked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StreamBatch {
    bytes: Bytes,
    labels: Labels,
    rows: usize,
    arrival_base: u64,
    min: Timestamp,
    max: Timestamp,
    /// Where the part after `rows` begins.
    columns_at: usize,
    line_bytes: usize,
    raw_bytes: usize,
}

/// Why bytes are no stream batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The first byte is no version this code knows.
    #[error("unknown stream batch version {0}")]
    UnknownVersion(u8),
    /// The bytes end early, contradict themselves or hold text that is not UTF-8.
    #[error("malformed stream batch: {0}")]
    Malformed(&'static str),
}

impl StreamBatch {
    /// Checks all of `bytes` and keeps them.
    ///
    /// # Errors
    /// When any part does not fit the layout.
    pub fn decode(bytes: Bytes) -> Result<Self, BatchError> {
        let mut reader = Reader::new(&bytes);
        let version = reader.u8().ok_or(BatchError::Malformed("empty"))?;
        if version != VERSION {
            return Err(BatchError::UnknownVersion(version));
        }
        let header = parse_header(&mut reader).ok_or(BatchError::Malformed("header"))?;
        let (labels, arrival_base, min, max, rows) = header;
        let mut batch = Self {
            columns_at: reader.position(),
            bytes: Bytes::new(),
            labels,
            rows,
            arrival_base,
            min,
            max,
            line_bytes: 0,
            raw_bytes: 0,
        };
        batch.bytes = bytes;
        let decoded = batch.parse().ok_or(BatchError::Malformed("columns"))?;
        if decoded.time_range() != Some((min, max)) {
            return Err(BatchError::Malformed("time range"));
        }
        batch.line_bytes = decoded.lines.buffer().len();
        batch.raw_bytes = batch.line_bytes + decoded.metadata.value_bytes();
        Ok(batch)
    }

    /// The encoded form.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Whose rows.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The same rows with `labels` shared from elsewhere (an intern table); they must be equal.
    pub fn with_interned_labels(mut self, labels: Labels) -> Self {
        debug_assert_eq!(labels, self.labels);
        self.labels = labels;
        self
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Never true for a decoded batch: a batch has at least one row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The arrival number of the first row.
    pub fn arrival_base(&self) -> u64 {
        self.arrival_base
    }

    /// Earliest and latest timestamp.
    pub fn time_range(&self) -> (Timestamp, Timestamp) {
        (self.min, self.max)
    }

    /// Bytes of all lines.
    pub fn line_bytes(&self) -> usize {
        self.line_bytes
    }

    /// Bytes of all lines and metadata values, as limits and statistics count them.
    pub fn raw_bytes(&self) -> usize {
        self.raw_bytes
    }

    /// The rows in columns, in the order of arrival; lines and metadata share the encoded bytes.
    pub fn rows(&self) -> Rows {
        self.parse().expect("decode has checked these bytes")
    }

    fn parse(&self) -> Option<Rows> {
        let mut reader = Reader::new(&self.bytes[self.columns_at..]);
        let mut deltas = Reader::new(reader.bytes()?);
        let mut timestamps = Vec::with_capacity(self.rows);
        let mut last = 0i64;
        for _ in 0..self.rows {
            last = last.wrapping_add(deltas.i64()?);
            timestamps.push(last);
        }
        let line_ends = parse_ends(&mut reader, self.rows)?;
        let columns = (0..reader.count()?).map(|_| {
            let name = reader.str()?;
            let ends = parse_ends(&mut reader, self.rows)?;
            let values = LineColumn::new(self.take_bytes(&mut reader)?, ends)?;
            Some(MetadataColumn { name: name.into(), values })
        });
        let metadata = MetadataColumns::from_columns(columns.collect::<Option<_>>()?, self.rows)?;
        let lines = LineColumn::new(self.take_bytes(&mut reader)?, line_ends)?;
        let whole = reader.remaining() == 0 && deltas.remaining() == 0;
        whole.then(|| Rows {
            runs: vec![StreamRun { labels: self.labels.clone(), end: self.rows as u32 }],
            timestamps,
            arrivals: (0..self.rows as u64).map(|i| self.arrival_base.wrapping_add(i)).collect(),
            lines,
            metadata,
        })
    }

    /// A length and that many bytes as a slice that shares the batch's memory.
    fn take_bytes(&self, reader: &mut Reader<'_>) -> Option<Bytes> {
        let taken = reader.bytes()?;
        let end = self.columns_at + reader.position();
        Some(self.bytes.slice(end - taken.len()..end))
    }
}

fn parse_header(reader: &mut Reader<'_>) -> Option<(Labels, u64, Timestamp, Timestamp, usize)> {
    let arrival_base = u64::from_le_bytes(reader.take(8)?.try_into().ok()?);
    let min = i64::from_le_bytes(reader.take(8)?.try_into().ok()?);
    let max = i64::from_le_bytes(reader.take(8)?.try_into().ok()?);
    let labels = Labels::decode(reader)?;
    // Each row has at least one byte of timestamp and one of line length.
    let rows = reader.count()?;
    (rows > 0 && u32::try_from(rows).is_ok()).then_some((labels, arrival_base, Timestamp(min), Timestamp(max), rows))
}

/// A byte length and one value length per row, as ends in the buffer that follows.
fn parse_ends(reader: &mut Reader<'_>, rows: usize) -> Option<Vec<u32>> {
    let mut lens = Reader::new(reader.bytes()?);
    let mut ends = Vec::with_capacity(rows);
    let mut end = 0u32;
    for _ in 0..rows {
        end = end.checked_add(lens.u32()?)?;
        ends.push(end);
    }
    (lens.remaining() == 0).then_some(ends)
}

/// Collects rows of one stream in the order of arrival and encodes them.
#[derive(Debug, Default)]
pub struct StreamBatchBuilder {
    rows: usize,
    deltas: Vec<u8>,
    last: i64,
    min: i64,
    max: i64,
    lens: Vec<u8>,
    lines: Vec<u8>,
    metadata: MetadataBuilder,
}

impl StreamBatchBuilder {
    /// No rows yet; room for about `line_bytes` of lines.
    pub fn with_capacity(line_bytes: usize) -> Self {
        Self { min: i64::MAX, max: i64::MIN, lines: Vec::with_capacity(line_bytes), ..Self::default() }
    }

    /// Adds a row. Metadata with an empty value is dropped; of two values for one key the last counts.
    pub fn push<'a>(
        &mut self,
        timestamp: Timestamp,
        line: &[u8],
        metadata: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) {
        for (name, value) in metadata {
            self.metadata.push(name, value);
        }
        self.metadata.end_row();
        varint::put_i64(&mut self.deltas, timestamp.0.wrapping_sub(self.last));
        self.last = timestamp.0;
        self.min = self.min.min(timestamp.0);
        self.max = self.max.max(timestamp.0);
        varint::put_u64(&mut self.lens, line.len() as u64);
        self.lines.extend_from_slice(line);
        self.rows += 1;
    }

    /// How many rows have been pushed.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// True before the first row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Bytes of lines pushed so far.
    pub fn line_bytes(&self) -> usize {
        self.lines.len()
    }

    /// Encodes what was collected as rows of `labels`, the first of which arrived as `arrival_base`; `None` without rows.
    pub fn finish(self, labels: &Labels, arrival_base: u64) -> Option<StreamBatch> {
        if self.rows == 0 {
            return None;
        }
        let metadata = self.metadata.finish();
        let mut out = Vec::with_capacity(
            64 + labels.heap_bytes()
                + self.deltas.len()
                + self.lens.len()
                + self.lines.len()
                + 2 * metadata.value_bytes()
                + 2 * self.rows,
        );
        out.push(VERSION);
        out.extend_from_slice(&arrival_base.to_le_bytes());
        out.extend_from_slice(&self.min.to_le_bytes());
        out.extend_from_slice(&self.max.to_le_bytes());
        labels.encode(&mut out);
        varint::put_u64(&mut out, self.rows as u64);
        let columns_at = out.len();
        varint::put_bytes(&mut out, &self.deltas);
        varint::put_bytes(&mut out, &self.lens);
        varint::put_u64(&mut out, metadata.columns().len() as u64);
        let mut lens = Vec::new();
        for column in metadata.columns() {
            varint::put_bytes(&mut out, column.name.as_bytes());
            lens.clear();
            column.values.iter().for_each(|v| varint::put_u64(&mut lens, v.len() as u64));
            varint::put_bytes(&mut out, &lens);
            varint::put_bytes(&mut out, column.values.buffer());
        }
        varint::put_bytes(&mut out, &self.lines);
        Some(StreamBatch {
            bytes: out.into(),
            labels: labels.clone(),
            rows: self.rows,
            arrival_base,
            min: Timestamp(self.min),
            max: Timestamp(self.max),
            columns_at,
            line_bytes: self.lines.len(),
            raw_bytes: self.lines.len() + metadata.value_bytes(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> StreamBatch {
        let mut builder = StreamBatchBuilder::with_capacity(16);
        builder.push(Timestamp(50), b"first", [("detected_level", &b"info"[..])]);
        builder.push(Timestamp(-20), b"", []);
        builder.push(Timestamp(60), b"third", [("trace_id", &b"abc"[..]), ("empty", &b""[..])]);
        builder.finish(&Labels::from_pairs([("app", "x")]), 1000).expect("has rows")
    }

    #[test]
    fn round_trips() {
        let batch = sample();
        let again = StreamBatch::decode(batch.bytes().clone()).expect("own encoding");
        assert_eq!(again.labels(), batch.labels());
        assert_eq!(again.time_range(), (Timestamp(-20), Timestamp(60)));
        assert_eq!((again.len(), again.line_bytes(), again.raw_bytes(), again.arrival_base()), (3, 10, 17, 1000));
        let rows = again.rows();
        assert_eq!(rows.timestamps, [50, -20, 60]);
        assert_eq!(rows.arrivals, [1000, 1001, 1002]);
        assert_eq!(rows.lines.iter().collect::<Vec<_>>(), [&b"first"[..], b"", b"third"]);
        assert_eq!(rows.metadata.row(2).collect::<Vec<_>>(), [("trace_id", &b"abc"[..])]);
    }

    #[test]
    fn extreme_timestamps_survive() {
        let mut builder = StreamBatchBuilder::with_capacity(0);
        builder.push(Timestamp(5), b"a", []);
        builder.push(Timestamp(i64::MAX), b"b", []);
        let batch = builder.finish(&Labels::empty(), 0).expect("has rows");
        let again = StreamBatch::decode(batch.bytes().clone()).expect("own encoding");
        assert_eq!(again.rows().timestamps, [5, i64::MAX]);
    }

    #[test]
    fn every_cut_is_refused() {
        let bytes = sample().bytes().clone();
        for end in 0..bytes.len() {
            assert!(StreamBatch::decode(bytes.slice(..end)).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn no_flipped_byte_panics() {
        let bytes = sample().bytes().clone();
        for at in 0..bytes.len() {
            for flip in [1u8, 0x80, 0xff] {
                let mut damaged = bytes.to_vec();
                damaged[at] ^= flip;
                if let Ok(batch) = StreamBatch::decode(damaged.into()) {
                    let _ = batch.rows();
                }
            }
        }
    }
}
