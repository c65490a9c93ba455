//! [`Rows`] as bytes: how processes hand rows of many streams to one another. Not for storage.
//!
//! Layout, version 1: `u8 version`, number of runs, of each its labels and number of rows; then the
//! columns: timestamps and arrivals as signed differences, line lengths, metadata columns, lines.

use bytes::Bytes;

use crate::{
    Labels, LineColumn, MetadataColumn, MetadataColumns, Rows, StreamRun,
    varint::{self, Reader},
};

const VERSION: u8 = 1;

/// The bytes are no encoded rows: cut, contradictory, or of a version this code does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed rows")]
pub struct RowsError;

impl Rows {
    /// The encoded form.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(64 + self.len() * 8 + self.raw_bytes() as usize);
        out.push(VERSION);
        varint::put_u64(&mut out, self.runs.len() as u64);
        for (labels, range) in self.streams() {
            labels.encode(&mut out);
            varint::put_u64(&mut out, range.len() as u64);
        }
        let mut last = 0i64;
        for &timestamp in &self.timestamps {
            varint::put_i64(&mut out, timestamp.wrapping_sub(last));
            last = timestamp;
        }
        let mut last = 0u64;
        for &arrival in &self.arrivals {
            varint::put_i64(&mut out, arrival.wrapping_sub(last) as i64);
            last = arrival;
        }
        put_column(&mut out, &self.lines);
        varint::put_u64(&mut out, self.metadata.columns().len() as u64);
        for column in self.metadata.columns() {
            varint::put_bytes(&mut out, column.name.as_bytes());
            put_column(&mut out, &column.values);
        }
        out.into()
    }

    /// Reads what [`Rows::encode`] wrote; lines and metadata share `bytes`.
    ///
    /// # Errors
    /// For anything else.
    pub fn decode(bytes: &Bytes) -> Result<Self, RowsError> {
        decode(bytes).ok_or(RowsError)
    }
}

fn put_column(out: &mut Vec<u8>, column: &LineColumn) {
    for i in 0..column.len() {
        varint::put_u64(out, (column.ends()[i] as usize - column.start(i)) as u64);
    }
    varint::put_bytes(out, column.buffer());
}

fn decode(bytes: &Bytes) -> Option<Rows> {
    let mut reader = Reader::new(bytes);
    if reader.u8()? != VERSION {
        return None;
    }
    let mut runs = Vec::new();
    let mut rows = 0u32;
    for _ in 0..reader.count()? {
        let labels = Labels::decode(&mut reader)?;
        let len = reader.u32()?;
        rows = rows.checked_add(len).filter(|_| len > 0)?;
        runs.push(StreamRun { labels, end: rows });
    }
    let rows = rows as usize;
    if rows > reader.remaining() {
        return None;
    }
    let mut timestamps = Vec::with_capacity(rows);
    let mut last = 0i64;
    for _ in 0..rows {
        last = last.wrapping_add(reader.i64()?);
        timestamps.push(last);
    }
    let mut arrivals = Vec::with_capacity(rows);
    let mut last = 0u64;
    for _ in 0..rows {
        last = last.wrapping_add(reader.i64()? as u64);
        arrivals.push(last);
    }
    let lines = take_column(bytes, &mut reader, rows)?;
    let columns = (0..reader.count()?).map(|_| {
        let name = reader.str()?.into();
        Some(MetadataColumn { name, values: take_column(bytes, &mut reader, rows)? })
    });
    let metadata = MetadataColumns::from_columns(columns.collect::<Option<_>>()?, rows)?;
    (reader.remaining() == 0).then_some(Rows { runs, timestamps, arrivals, lines, metadata })
}

fn take_column(bytes: &Bytes, reader: &mut Reader<'_>, rows: usize) -> Option<LineColumn> {
    if rows > reader.remaining() {
        return None;
    }
    let mut ends = Vec::with_capacity(rows);
    let mut end = 0u32;
    for _ in 0..rows {
        end = end.checked_add(reader.u32()?)?;
        ends.push(end);
    }
    let taken = reader.bytes()?.len();
    LineColumn::new(bytes.slice(reader.position() - taken..reader.position()), ends)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RowsBuilder, Timestamp};

    fn sample() -> Rows {
        let mut builder = RowsBuilder::new();
        for (i, app) in ["a", "a", "b"].into_iter().enumerate() {
            let labels = Labels::from_pairs([("app", app)]);
            builder.push(&labels, Timestamp(i as i64 * 7 - 3), u64::MAX - i as u64, b"line", [("k", app.as_bytes())]);
        }
        builder.finish()
    }

    #[test]
    fn round_trips() {
        for rows in [Rows::default(), sample()] {
            let again = Rows::decode(&rows.encode()).expect("own encoding");
            assert_eq!(again.len(), rows.len());
            assert!((0..rows.len()).all(|i| again.same_row(i, &rows, i) && again.key(i) == rows.key(i)));
            assert_eq!(
                again.streams().map(|(l, _)| l).collect::<Vec<_>>(),
                rows.streams().map(|(l, _)| l).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn cut_or_flipped_bytes_never_panic() {
        let bytes = sample().encode();
        for end in 0..bytes.len() {
            assert!(Rows::decode(&bytes.slice(..end)).is_err(), "cut at {end}");
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 0x81;
            let _ = Rows::decode(&damaged.into());
        }
    }
}
