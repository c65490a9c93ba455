//! Rows in any order become sorted rows without copies: what a memtable does when it is flushed or
//! asked.
//!
//! Runs are brought together by stream; per stream small keys are sorted, mostly they are so
//! already, and the columns are then gathered in ranges. Batches come out one at a time, so sorting
//! takes little memory beside the rows.

use std::{cmp::Ordering, convert::Infallible, ops::Range};

use hashbrown::{HashMap, HashSet};
use skald_model::{Labels, Rows, SERVICE_NAME_LABEL};

use crate::{append::RowsAppender, column::rapid, merge::RowSource};

/// Bytes of lines after which a batch is handed on.
const BATCH_BYTES: usize = 1 << 20;
/// Rows after which a batch is handed on.
const BATCH_ROWS: usize = 1 << 16;

/// Sorted batches out of unsorted parts; an iterator and a [`RowSource`].
#[derive(Debug)]
pub struct SortedRows {
    parts: Vec<Rows>,
    /// Pieces of parts by stream, in the order of streams; pieces of one stream in the order of parts.
    pieces: Vec<Piece>,
    /// The next piece that has not been sorted.
    at: usize,
    /// The sorted rows of the current stream, and how many of them have been handed on.
    keys: Vec<Key>,
    done: usize,
    out: RowsAppender,
    duplicates: u64,
}

/// Consecutive rows of one stream in one part.
#[derive(Clone, Copy, Debug)]
struct Piece {
    stream: u32,
    part: u32,
    start: u32,
    end: u32,
    run: u32,
}

/// What one row is sorted by, and where it is.
#[derive(Clone, Copy, Debug)]
struct Key {
    timestamp: i64,
    arrival: u64,
    part: u32,
    row: u32,
}

/// Sorts the rows of `parts` by (stream, timestamp, arrival, hash) and drops copies (same stream,
/// timestamp, line and metadata), of which the one with the smallest arrival stays.
pub fn sort_rows(parts: Vec<Rows>) -> SortedRows {
    let pieces = pieces_by_stream(&parts);
    SortedRows { pieces, parts, at: 0, keys: Vec::new(), done: 0, out: RowsAppender::default(), duplicates: 0 }
}

fn pieces_by_stream(parts: &[Rows]) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(parts.iter().map(|p| p.runs.len()).sum());
    let mut numbers: HashMap<&Labels, u32, rapid::Build> = HashMap::default();
    let mut streams: Vec<&Labels> = Vec::new();
    for (p, part) in parts.iter().enumerate() {
        for (run, (labels, range)) in part.streams().enumerate() {
            let stream = *numbers.entry(labels).or_insert_with(|| {
                streams.push(labels);
                streams.len() as u32 - 1
            });
            pieces.push(Piece {
                stream,
                part: p as u32,
                start: range.start as u32,
                end: range.end as u32,
                run: run as u32,
            });
        }
    }
    // Comparing label sets looks for the service name each time; with it at hand it is a comparison of texts.
    let mut order: Vec<(&str, &Labels, u32)> = streams
        .iter()
        .zip(0u32..)
        .map(|(&labels, i)| (labels.get(SERVICE_NAME_LABEL).unwrap_or(""), labels, i))
        .collect();
    order.sort_unstable_by(|a, b| a.0.cmp(b.0).then_with(|| a.1.iter().cmp(b.1.iter())));
    let mut rank = vec![0; order.len()];
    for (place, &(_, _, stream)) in order.iter().enumerate() {
        rank[stream as usize] = place as u32;
    }
    pieces.iter_mut().for_each(|piece| piece.stream = rank[piece.stream as usize]);
    pieces.sort_by_key(|piece| piece.stream);
    pieces
}

impl Iterator for SortedRows {
    type Item = Rows;

    fn next(&mut self) -> Option<Rows> {
        loop {
            if self.out.lines.bytes.len() >= BATCH_BYTES || self.out.len() >= BATCH_ROWS {
                return Some(self.out.take_batch());
            }
            if self.done == self.keys.len() && !self.sort_stream() {
                return (!self.out.is_empty()).then(|| self.out.take());
            }
            self.gather();
        }
    }
}

impl RowSource for SortedRows {
    type Error = Infallible;

    fn next(&mut self) -> Result<Option<Rows>, Infallible> {
        Ok(Iterator::next(self))
    }
}

impl SortedRows {
    /// All rows as one batch.
    pub fn into_rows(self) -> Rows {
        self.collect()
    }

    /// Copies dropped so far.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Sorts the keys of the next stream; false when there is none.
    fn sort_stream(&mut self) -> bool {
        let Some(first) = self.pieces.get(self.at) else { return false };
        let len = self.pieces[self.at..].partition_point(|piece| piece.stream == first.stream);
        self.keys.clear();
        self.done = 0;
        for piece in &self.pieces[self.at..self.at + len] {
            let rows = &self.parts[piece.part as usize];
            let key = |row: u32| Key {
                timestamp: rows.timestamps[row as usize],
                arrival: rows.arrivals[row as usize],
                part: piece.part,
                row,
            };
            self.keys.extend((piece.start..piece.end).map(key));
        }
        self.at += len;
        let parts = &self.parts;
        let in_order = |a: &Key, b: &Key| (a.timestamp, a.arrival) < (b.timestamp, b.arrival);
        if !self.keys.is_sorted_by(in_order) {
            self.keys.sort_unstable_by(|a, b| compare(parts, a, b));
        }
        self.duplicates += drop_copies(parts, &mut self.keys);
        true
    }

    /// Copies rows of the current stream until it ends or the batch is full: neighbours of one part
    /// in one piece.
    fn gather(&mut self) {
        let labels = {
            // Every piece of the stream has its label set.
            let piece = &self.pieces[self.at - 1];
            &self.parts[piece.part as usize].runs[piece.run as usize].labels
        };
        while self.done < self.keys.len() && self.out.lines.bytes.len() < BATCH_BYTES && self.out.len() < BATCH_ROWS {
            let first = self.keys[self.done];
            let rows = &self.parts[first.part as usize];
            let room = BATCH_BYTES - self.out.lines.bytes.len();
            let mut range = first.row as usize..first.row as usize + 1;
            let start = rows.lines.start(range.start);
            let follows = |key: &Key, range: &Range<usize>| key.part == first.part && key.row as usize == range.end;
            while let Some(key) = self.keys.get(self.done + range.len())
                && follows(key, &range)
                && range.len() < BATCH_ROWS
                && rows.lines.ends()[range.end - 1] as usize - start < room
            {
                range.end += 1;
            }
            self.done += range.len();
            self.out.append(labels, rows, range);
        }
    }
}

/// By timestamp, arrival and, where both are equal, content: replicas get the parts in different orders.
fn compare(parts: &[Rows], a: &Key, b: &Key) -> Ordering {
    let hash = |key: &Key| parts[key.part as usize].row_hash(key.row as usize);
    (a.timestamp, a.arrival).cmp(&(b.timestamp, b.arrival)).then_with(|| hash(a).cmp(&hash(b)))
}

/// Drops rows that have an earlier row's timestamp and content; says how many.
fn drop_copies(parts: &[Rows], keys: &mut Vec<Key>) -> u64 {
    if keys.windows(2).all(|w| w[0].timestamp != w[1].timestamp) {
        return 0;
    }
    let before = keys.len();
    let mut seen: HashSet<u64, rapid::Build> = HashSet::default();
    let (mut kept, mut start) = (0, 0);
    while start < before {
        let timestamp = keys[start].timestamp;
        let end = start + keys[start..].iter().take_while(|key| key.timestamp == timestamp).count();
        seen.clear();
        for i in start..end {
            let key = keys[i];
            if end - start == 1 || seen.insert(parts[key.part as usize].row_hash(key.row as usize)) {
                keys[kept] = key;
                kept += 1;
            }
        }
        start = end;
    }
    keys.truncate(kept);
    (before - kept) as u64
}
