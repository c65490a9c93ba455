//! Rows in columns: what storage hands to the query engine and what replicas exchange.

use std::{cmp::Ordering, ops::Range};

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::{Labels, LineColumn, MetadataColumn, MetadataColumns, Timestamp, metadata::MetadataBuilder};

/// In which order of time a log query returns its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Oldest first.
    Forward,
    /// Newest first; rows with equal timestamps come in reversed order of arrival.
    Backward,
}

/// A run of consecutive rows that belong to one stream.
#[derive(Clone, Debug)]
pub struct StreamRun {
    /// Whose rows.
    pub labels: Labels,
    /// One past the last row of the run; it begins where the run before it ends.
    pub end: u32,
}

/// Rows of any number of streams, column by column.
///
/// Invariants: every column has one value per row; runs are not empty and cover all rows. Producers
/// that promise sorted rows promise the order (stream, timestamp, arrival), see [`RowKey`].
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Whose rows these are.
    pub runs: Vec<StreamRun>,
    /// Nanoseconds since the epoch, see [`Timestamp`].
    pub timestamps: Vec<i64>,
    /// The order in which a distributor received rows of one stream with equal timestamps. Equal on
    /// all replicas. 0 where the order does not matter any more.
    pub arrivals: Vec<u64>,
    /// The log lines.
    pub lines: LineColumn,
    /// Structured metadata.
    pub metadata: MetadataColumns,
}

/// The total order of rows within one stream: timestamp, then arrival, then content, so that all
/// replicas agree even where arrivals are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    /// Nanoseconds since the epoch.
    pub timestamp: i64,
    /// See [`Rows::arrivals`].
    pub arrival: u64,
    /// See [`Rows::row_hash`].
    pub hash: u64,
}

impl Rows {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// True when there is no row.
    pub fn is_empty(&self) -> bool {
        self.timestamps.is_empty()
    }

    /// The runs with their ranges of rows.
    pub fn streams(&self) -> impl Iterator<Item = (&Labels, Range<usize>)> {
        let mut start = 0;
        self.runs.iter().map(move |run| {
            let range = start..run.end as usize;
            start = range.end;
            (&run.labels, range)
        })
    }

    /// Row `i`'s place within its stream.
    pub fn key(&self, i: usize) -> RowKey {
        RowKey { timestamp: self.timestamps[i], arrival: self.arrivals[i], hash: self.row_hash(i) }
    }

    /// A hash of line and metadata of row `i`: rows of one stream with equal timestamps and equal
    /// hashes are copies of one row. Never changes, does not depend on which other rows are in the
    /// batch.
    pub fn row_hash(&self, i: usize) -> u64 {
        let mut hash = xxh3_64(self.lines.get(i));
        for (name, value) in self.metadata.row(i) {
            // Chained: each step depends on all before it, and neither step builds a secret.
            hash = xxh3_64_with_seed(name.as_bytes(), hash);
            hash = xxh3_64_with_seed(value, hash);
        }
        hash
    }

    /// True when row `i` here and row `j` of `other` have the same timestamp, line and metadata.
    pub fn same_row(&self, i: usize, other: &Self, j: usize) -> bool {
        self.timestamps[i] == other.timestamps[j]
            && self.lines.get(i) == other.lines.get(j)
            && self.metadata.row(i).eq(other.metadata.row(j))
    }

    /// Earliest and latest timestamp, `None` without rows.
    pub fn time_range(&self) -> Option<(Timestamp, Timestamp)> {
        let min = self.timestamps.iter().min()?;
        let max = self.timestamps.iter().max()?;
        Some((Timestamp(*min), Timestamp(*max)))
    }

    /// Bytes of lines and metadata values, as limits and statistics count them.
    pub fn raw_bytes(&self) -> u64 {
        (self.lines.buffer().len() + self.metadata.value_bytes()) as u64
    }

    /// The rows `range`, sharing the buffers of lines and metadata.
    pub fn slice(&self, range: Range<usize>) -> Self {
        let mut runs = Vec::new();
        for (labels, run) in self.streams() {
            let start = run.start.max(range.start);
            let end = run.end.min(range.end);
            if start < end {
                runs.push(StreamRun { labels: labels.clone(), end: (end - range.start) as u32 });
            }
        }
        Self {
            runs,
            timestamps: self.timestamps[range.clone()].to_vec(),
            arrivals: self.arrivals[range.clone()].to_vec(),
            lines: self.lines.slice(range.clone()),
            metadata: self.metadata.slice(range),
        }
    }

    /// The rows named by `selection`, in that order, copied.
    pub fn gather(&self, selection: &[u32]) -> Self {
        let mut stream_of = vec![0u32; self.len()];
        for (i, (_, range)) in self.streams().enumerate() {
            stream_of[range].fill(i as u32);
        }
        let mut builder = RowsBuilder::new();
        for &i in selection {
            builder.push_row(&self.runs[stream_of[i as usize] as usize].labels, self, i as usize);
        }
        builder.finish()
    }

    /// True when the rows are in the order (stream, timestamp, arrival), streams not repeated.
    pub fn is_sorted(&self) -> bool {
        let streams = self.runs.windows(2).all(|w| w[0].labels < w[1].labels);
        let key = |i: usize| (self.timestamps[i], self.arrivals[i]);
        let rows = self.streams().all(|(_, range)| range.clone().skip(1).all(|i| key(i - 1) <= key(i)));
        streams && rows
    }
}

/// Collects rows one by one; consecutive rows of one stream share a run.
#[derive(Debug, Default)]
pub struct RowsBuilder {
    runs: Vec<StreamRun>,
    timestamps: Vec<i64>,
    arrivals: Vec<u64>,
    line_bytes: Vec<u8>,
    line_ends: Vec<u32>,
    metadata: MetadataBuilder,
}

impl RowsBuilder {
    /// No rows yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many rows have been pushed.
    pub fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// True before the first row.
    pub fn is_empty(&self) -> bool {
        self.timestamps.is_empty()
    }

    /// Bytes of lines pushed so far.
    pub fn line_bytes(&self) -> usize {
        self.line_bytes.len()
    }

    /// Adds a row.
    pub fn push<'a>(
        &mut self,
        labels: &Labels,
        timestamp: Timestamp,
        arrival: u64,
        line: &[u8],
        metadata: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) {
        self.timestamps.push(timestamp.0);
        self.arrivals.push(arrival);
        self.line_bytes.extend_from_slice(line);
        self.line_ends.push(self.line_bytes.len() as u32);
        for (name, value) in metadata {
            self.metadata.push(name, value);
        }
        self.metadata.end_row();
        let end = self.timestamps.len() as u32;
        match self.runs.last_mut() {
            Some(run) if run.labels == *labels => run.end = end,
            _ => self.runs.push(StreamRun { labels: labels.clone(), end }),
        }
    }

    /// Adds row `i` of `rows`, whose stream is `labels`.
    pub fn push_row(&mut self, labels: &Labels, rows: &Rows, i: usize) {
        self.push(labels, Timestamp(rows.timestamps[i]), rows.arrivals[i], rows.lines.get(i), rows.metadata.row(i));
    }

    /// The rows collected.
    pub fn finish(self) -> Rows {
        Rows {
            runs: self.runs,
            timestamps: self.timestamps,
            arrivals: self.arrivals,
            lines: LineColumn::new(self.line_bytes.into(), self.line_ends).expect("ends are pushed in step with bytes"),
            metadata: self.metadata.finish(),
        }
    }
}

/// Appends the columns of several batches one after the other: cheaper than row by row. The order of
/// rows is that of the batches; runs of one stream that meet become one.
impl FromIterator<Rows> for Rows {
    fn from_iter<I: IntoIterator<Item = Rows>>(iter: I) -> Self {
        let mut parts: Vec<Rows> = iter.into_iter().filter(|r| !r.is_empty()).collect();
        if parts.len() <= 1 {
            return parts.pop().unwrap_or_default();
        }
        let rows = parts.iter().map(Rows::len).sum();
        let mut out =
            Rows { timestamps: Vec::with_capacity(rows), arrivals: Vec::with_capacity(rows), ..Rows::default() };
        for part in &parts {
            let base = out.timestamps.len() as u32;
            for run in &part.runs {
                let end = base + run.end;
                match out.runs.last_mut() {
                    Some(last) if last.labels == run.labels => last.end = end,
                    _ => out.runs.push(StreamRun { labels: run.labels.clone(), end }),
                }
            }
            out.timestamps.extend_from_slice(&part.timestamps);
            out.arrivals.extend_from_slice(&part.arrivals);
        }
        out.lines = concat(rows, parts.iter().map(|p| (p.len(), Some(&p.lines))));
        let mut names: Vec<_> =
            parts.iter().flat_map(|p| p.metadata.columns().iter().map(|c| c.name.clone())).collect();
        names.sort();
        names.dedup();
        let column = |name: std::sync::Arc<str>| {
            let values = concat(rows, parts.iter().map(|p| (p.len(), p.metadata.column(&name).map(|c| &c.values))));
            MetadataColumn { name, values }
        };
        out.metadata = MetadataColumns::from_columns(names.into_iter().map(column).collect(), rows)
            .expect("names are distinct and every column has all rows");
        out
    }
}

/// One column of `rows` values from pieces; a piece that lacks the column counts as empty values.
fn concat<'a>(rows: usize, pieces: impl Iterator<Item = (usize, Option<&'a LineColumn>)> + Clone) -> LineColumn {
    let total = pieces.clone().filter_map(|(_, p)| p).map(|p| p.buffer().len()).sum();
    let mut bytes = Vec::with_capacity(total);
    let mut ends = Vec::with_capacity(rows);
    for (len, piece) in pieces {
        let base = bytes.len() as u32;
        match piece {
            Some(piece) => {
                bytes.extend_from_slice(piece.buffer());
                ends.extend(piece.ends().iter().map(|e| base + e));
            }
            None => ends.resize(ends.len() + len, base),
        }
    }
    LineColumn::new(bytes.into(), ends).expect("ends are shifted in step with bytes")
}

impl Direction {
    /// Compares two instants so that the one to return first is the smaller.
    pub fn compare(self, a: i64, b: i64) -> Ordering {
        match self {
            Self::Forward => a.cmp(&b),
            Self::Backward => b.cmp(&a),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Rows {
        let a = Labels::from_pairs([("app", "a")]);
        let b = Labels::from_pairs([("app", "b")]);
        let mut builder = RowsBuilder::new();
        builder.push(&a, Timestamp(1), 10, b"one", [("k", &b"v"[..])]);
        builder.push(&a, Timestamp(2), 11, b"two", []);
        builder.push(&b, Timestamp(1), 12, b"three", [("z", &b"w"[..])]);
        builder.finish()
    }

    #[test]
    fn slices_keep_streams_and_metadata() {
        let rows = sample();
        assert!(rows.is_sorted());
        let part = rows.slice(1..3);
        let streams: Vec<_> = part.streams().map(|(l, r)| (l.to_string(), r)).collect();
        assert_eq!(streams, [("{app=\"a\"}".to_owned(), 0..1), ("{app=\"b\"}".to_owned(), 1..2)]);
        assert_eq!(part.metadata.row(1).collect::<Vec<_>>(), [("z", &b"w"[..])]);
    }

    #[test]
    fn row_hash_does_not_depend_on_the_batch() {
        let rows = sample();
        for i in 0..rows.len() {
            assert_eq!(rows.row_hash(i), rows.slice(i..i + 1).row_hash(0));
            assert_eq!(rows.row_hash(i), rows.gather(&[i as u32]).row_hash(0));
        }
        assert_ne!(rows.row_hash(0), rows.row_hash(1));
    }

    #[test]
    fn concatenation_equals_row_by_row() {
        let rows = sample();
        let joined: Rows = [rows.slice(0..1), Rows::default(), rows.slice(1..3)].into_iter().collect();
        assert_eq!(joined.len(), 3);
        assert_eq!(joined.runs.len(), 2);
        assert!((0..3).all(|i| joined.same_row(i, &rows, i) && joined.key(i) == rows.key(i)));
    }
}
