//! Reading: which streams and batches can hold what is asked for, and their rows in order.

use std::convert::Infallible;

use skald_model::{Labels, Rows, StreamBatch, Timestamp};
use skald_segment::{RowSource, SortedRows, sort_rows};

use crate::{Memtable, table::Stream};

/// Batches of one stream that may hold rows of a time range. Holds the bytes, not the table.
#[derive(Clone, Debug)]
pub struct StreamRows {
    /// Which stream.
    pub labels: Labels,
    /// In the order of the log.
    pub batches: Vec<StreamBatch>,
}

/// How much of a stream lies in a time range. Copies of a row count as often as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamUse {
    /// Which stream.
    pub labels: Labels,
    /// Rows.
    pub rows: u64,
    /// Bytes of lines and metadata values.
    pub raw_bytes: u64,
    /// Earliest timestamp.
    pub min: Timestamp,
    /// Latest timestamp.
    pub max: Timestamp,
}

impl Memtable {
    /// The streams of `tenant` that `matches` accepts and that may have rows in `from..to` (a `to` of
    /// [`Timestamp::MAX`] is no bound), sorted by labels.
    pub fn select(
        &self,
        tenant: &str,
        matches: &dyn Fn(&Labels) -> bool,
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<StreamRows> {
        let Some(table) = self.tenant(tenant) else { return Vec::new() };
        let mut found: Vec<StreamRows> = Vec::new();
        for (labels, stream) in &*table.streams.read() {
            if overlaps(stream.min, stream.max, from, to) && matches(labels) {
                let batches = stream.batches.iter().filter(|b| batch_overlaps(b, from, to)).cloned().collect();
                found.push(StreamRows { labels: labels.clone(), batches });
            }
        }
        found.retain(|stream| !stream.batches.is_empty());
        found.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        found
    }

    /// What [`Memtable::select`] would find, counted. Unsorted.
    pub fn streams(
        &self,
        tenant: &str,
        matches: &dyn Fn(&Labels) -> bool,
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<StreamUse> {
        let Some(table) = self.tenant(tenant) else { return Vec::new() };
        let mut found = Vec::new();
        let mut cut = Vec::new();
        for (labels, stream) in &*table.streams.read() {
            if !overlaps(stream.min, stream.max, from, to) || !matches(labels) {
                continue;
            }
            if within(stream.min, stream.max, from, to) {
                found.push(whole(labels, stream));
            } else {
                let batches = stream.batches.iter().filter(|b| batch_overlaps(b, from, to)).cloned().collect();
                cut.push(StreamRows { labels: labels.clone(), batches });
            }
        }
        // Decoding happens outside of the lock.
        found.extend(cut.iter().filter_map(|stream| stream.count(from, to)));
        found
    }
}

/// Selections of several memtables as one, sorted by labels; batches of one stream come in the order
/// of the selections.
pub fn join(selections: Vec<Vec<StreamRows>>) -> Vec<StreamRows> {
    let mut all: Vec<StreamRows> = selections.into_iter().flatten().collect();
    // Stable: the order of selections stays.
    all.sort_by(|a, b| a.labels.cmp(&b.labels));
    all.dedup_by(|later, kept| {
        let same = later.labels == kept.labels;
        if same {
            kept.batches.append(&mut later.batches);
        }
        same
    });
    all
}

/// Rows of streams sorted by (stream, timestamp, arrival), exact copies dropped, in batches of about
/// a megabyte. Decodes a few streams at a time, so it takes little memory beside the selection.
#[derive(Debug)]
pub struct SortedBatches {
    streams: std::iter::Peekable<std::vec::IntoIter<StreamRows>>,
    from: Timestamp,
    to: Timestamp,
    current: Option<SortedRows>,
}

/// Encoded bytes that are decoded and sorted at a time; streams are not split.
const SORT_BYTES: usize = 4 << 20;

impl SortedBatches {
    /// The rows of `streams` in `from..to`. The streams must be sorted by labels.
    pub fn new(streams: Vec<StreamRows>, from: Timestamp, to: Timestamp) -> Self {
        Self { streams: streams.into_iter().peekable(), from, to, current: None }
    }

    fn next_group(&mut self) -> Option<SortedRows> {
        self.streams.peek()?;
        let (mut parts, mut bytes) = (Vec::new(), 0);
        while bytes < SORT_BYTES
            && let Some(stream) = self.streams.next()
        {
            for batch in &stream.batches {
                bytes += batch.bytes().len() + size_of::<Rows>();
                let rows = rows_between(batch, self.from, self.to);
                if !rows.is_empty() {
                    parts.push(rows);
                }
            }
        }
        Some(sort_rows(parts))
    }
}

impl Iterator for SortedBatches {
    type Item = Rows;

    fn next(&mut self) -> Option<Rows> {
        loop {
            if let Some(rows) = self.current.as_mut().and_then(Iterator::next) {
                return Some(rows);
            }
            self.current = Some(self.next_group()?);
        }
    }
}

impl RowSource for SortedBatches {
    type Error = Infallible;

    fn next(&mut self) -> Result<Option<Rows>, Infallible> {
        Ok(Iterator::next(self))
    }
}

/// The rows of a batch in `from..to`, in the order of arrival.
fn rows_between(batch: &StreamBatch, from: Timestamp, to: Timestamp) -> Rows {
    let rows = batch.rows();
    let (min, max) = batch.time_range();
    if within(min, max, from, to) {
        return rows;
    }
    let inside = |&i: &u32| {
        let timestamp = Timestamp(rows.timestamps[i as usize]);
        overlaps(timestamp, timestamp, from, to)
    };
    let selection: Vec<u32> = (0..rows.len() as u32).filter(inside).collect();
    rows.gather(&selection)
}

impl StreamRows {
    fn count(&self, from: Timestamp, to: Timestamp) -> Option<StreamUse> {
        let mut sum =
            StreamUse { labels: self.labels.clone(), rows: 0, raw_bytes: 0, min: Timestamp::MAX, max: Timestamp::MIN };
        for batch in &self.batches {
            let (min, max) = batch.time_range();
            if within(min, max, from, to) {
                sum.rows += batch.len() as u64;
                sum.raw_bytes += batch.raw_bytes() as u64;
                (sum.min, sum.max) = (sum.min.min(min), sum.max.max(max));
                continue;
            }
            let rows = batch.rows();
            for (i, timestamp) in rows.timestamps.iter().copied().map(Timestamp).enumerate() {
                if overlaps(timestamp, timestamp, from, to) {
                    sum.rows += 1;
                    sum.raw_bytes +=
                        (rows.lines.get(i).len() + rows.metadata.row(i).map(|(_, v)| v.len()).sum::<usize>()) as u64;
                    (sum.min, sum.max) = (sum.min.min(timestamp), sum.max.max(timestamp));
                }
            }
        }
        (sum.rows > 0).then_some(sum)
    }
}

fn whole(labels: &Labels, stream: &Stream) -> StreamUse {
    StreamUse {
        labels: labels.clone(),
        rows: stream.rows,
        raw_bytes: stream.raw_bytes,
        min: stream.min,
        max: stream.max,
    }
}

fn batch_overlaps(batch: &StreamBatch, from: Timestamp, to: Timestamp) -> bool {
    let (min, max) = batch.time_range();
    overlaps(min, max, from, to)
}

/// True when an instant of `min..=max` may lie in `from..to`.
fn overlaps(min: Timestamp, max: Timestamp, from: Timestamp, to: Timestamp) -> bool {
    max >= from && (min < to || to == Timestamp::MAX)
}

/// True when all of `min..=max` lies in `from..to`.
fn within(min: Timestamp, max: Timestamp, from: Timestamp, to: Timestamp) -> bool {
    min >= from && (max < to || to == Timestamp::MAX)
}
