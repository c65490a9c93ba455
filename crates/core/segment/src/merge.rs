//! Sorted rows of several sources as one sorted sequence without copies: what folds objects together
//! and what gives queries one answer from replicas.
//!
//! Within a stream the sources that have it advance together by timestamp. Where one of them is
//! alone, up to the next timestamp of any other, its rows pass in ranges without being looked at.
//! Where several have rows with one timestamp, these rows are put in order (arrival, then source,
//! then place in the source) and each that equals an earlier one is dropped.

use std::{ops::Range, sync::Arc};

use hashbrown::HashSet;
use skald_model::{Labels, Rows};

use crate::{append::RowsAppender, column::rapid};

/// Batches of rows: sorted within and from one to the next, free of copies among themselves.
pub trait RowSource {
    /// Why a batch cannot be had.
    type Error;

    /// The next batch, `None` at the end. Batches may be empty.
    ///
    /// # Errors
    /// When rows are missing; the merge then ends with that error.
    fn next(&mut self) -> Result<Option<Rows>, Self::Error>;
}

/// Counts of one merge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergeStats {
    /// Rows the sources gave.
    pub rows_in: u64,
    /// Rows dropped as copies.
    pub duplicates: u64,
}

/// Batches are handed on when they reach this many bytes of lines: a page.
const BATCH_BYTES: usize = 1 << 20;
/// Or this many rows.
const BATCH_ROWS: usize = 1 << 16;
/// A range of at least this many bytes of lines passes as a slice of its source's buffer; below it a
/// copy is cheaper than a batch of its own.
const PASS_BYTES: usize = 128 << 10;
/// Groups of equal timestamps up to this size are compared row by row, larger ones by hash.
const COMPARE_ROWS_MAX: usize = 8;

/// The merge in progress; itself a source.
#[derive(Debug)]
pub struct Merge<S> {
    cursors: Vec<Cursor<S>>,
    /// The cursors that stand in the stream being merged, in the order of sources.
    active: Vec<usize>,
    started: bool,
    out: RowsAppender,
    /// A range that passes uncopied, after what `out` holds.
    passing: Option<Rows>,
    group: Group,
    stats: MergeStats,
}

/// Merges `sources`; where rows tie in everything but content, the earlier source comes first, so
/// older runs stand before younger ones.
pub fn merge<S: RowSource>(sources: Vec<S>) -> Merge<S> {
    Merge {
        cursors: sources.into_iter().map(Cursor::new).collect(),
        active: Vec::new(),
        started: false,
        out: RowsAppender::default(),
        passing: None,
        group: Group::default(),
        stats: MergeStats::default(),
    }
}

impl<S: RowSource> RowSource for Merge<S> {
    type Error = S::Error;

    fn next(&mut self) -> Result<Option<Rows>, S::Error> {
        if !self.started {
            self.started = true;
            for cursor in &mut self.cursors {
                cursor.fill(&mut self.stats)?;
            }
        }
        loop {
            if let Some(rows) = self.ready() {
                return Ok(Some(rows));
            }
            if self.active.is_empty() && !self.begin_stream() {
                return Ok((!self.out.is_empty()).then(|| self.out.take()));
            }
            self.step()?;
        }
    }
}

impl<S: RowSource> Merge<S> {
    /// Counts so far.
    pub fn stats(&self) -> MergeStats {
        self.stats
    }

    fn ready(&mut self) -> Option<Rows> {
        let full = self.out.lines.bytes.len() >= BATCH_BYTES || self.out.len() >= BATCH_ROWS;
        if full || (self.passing.is_some() && !self.out.is_empty()) {
            return Some(self.out.take_batch());
        }
        self.passing.take()
    }

    /// Finds the first stream of all cursors and who has it; false at the end.
    fn begin_stream(&mut self) -> bool {
        let Some(first) = self.cursors.iter().filter_map(Cursor::labels).min().cloned() else { return false };
        self.active = (0..self.cursors.len()).filter(|&i| self.cursors[i].labels() == Some(&first)).collect();
        true
    }

    /// Moves on by one range of one source, or by one group of equal timestamps.
    fn step(&mut self) -> Result<(), S::Error> {
        let (mut first, mut other, mut at) = (i64::MAX, i64::MAX, 0);
        let mut tied = false;
        for (place, &i) in self.active.iter().enumerate() {
            let time = self.cursors[i].time();
            if place == 0 || time < first {
                (other, first, at, tied) = (if place == 0 { i64::MAX } else { first }, time, place, false);
            } else {
                tied |= time == first;
                other = other.min(time);
            }
        }
        if tied {
            return self.take_group(first);
        }
        let alone = self.active.len() == 1;
        let cursor = &mut self.cursors[self.active[at]];
        let range = if alone { cursor.at..cursor.run_end } else { cursor.until(other) };
        let bytes = cursor.line_bytes(&range);
        if bytes >= PASS_BYTES {
            self.passing = Some(cursor.pass(range.clone()));
        } else {
            let labels = &cursor.rows.runs[cursor.run].labels;
            self.out.append(labels, &cursor.rows, range.clone());
        }
        self.advance(at, range.end)
    }

    /// Moves the cursor at `place` of the active ones to row `to` of its batch; it leaves the active
    /// ones where its stream ends.
    fn advance(&mut self, place: usize, to: usize) -> Result<(), S::Error> {
        let cursor = &mut self.cursors[self.active[place]];
        if !cursor.advance(to, &mut self.stats)? {
            self.active.remove(place);
        }
        Ok(())
    }

    /// Takes all rows of the stream with timestamp `time` out of all sources, in order, without copies.
    fn take_group(&mut self, time: i64) -> Result<(), S::Error> {
        self.group.clear();
        let labels = self.cursors[self.active[0]].labels().cloned().unwrap_or_else(Labels::empty);
        let mut place = 0;
        while place < self.active.len() {
            let source = self.active[place];
            // The group may go on in the source's next batch, even where the stream's run ends.
            loop {
                let cursor = &mut self.cursors[source];
                let end = cursor.until_past(time);
                self.group.add(&cursor.rows, cursor.at..end);
                let same_batch = end < cursor.run_end;
                if !cursor.advance(end, &mut self.stats)? {
                    self.active.remove(place);
                    break;
                }
                if same_batch || self.cursors[source].time() != time {
                    place += 1;
                    break;
                }
            }
        }
        self.stats.duplicates += self.group.emit(&labels, &mut self.out);
        Ok(())
    }
}

/// Where a source stands.
#[derive(Debug)]
struct Cursor<S> {
    source: S,
    rows: Arc<Rows>,
    /// The next row.
    at: usize,
    /// Its run, and where that ends.
    run: usize,
    run_end: usize,
}

impl<S: RowSource> Cursor<S> {
    fn new(source: S) -> Self {
        Self { source, rows: Arc::default(), at: 0, run: 0, run_end: 0 }
    }

    /// The stream of the next row, `None` at the end.
    fn labels(&self) -> Option<&Labels> {
        self.rows.runs.get(self.run).map(|run| &run.labels)
    }

    fn time(&self) -> i64 {
        self.rows.timestamps[self.at]
    }

    /// Gets the next batch that has rows; without one the cursor stands at the end.
    fn fill(&mut self, stats: &mut MergeStats) -> Result<(), S::Error> {
        loop {
            let batch = self.source.next()?;
            let ended = batch.is_none();
            let rows = batch.unwrap_or_default();
            if ended || !rows.is_empty() {
                stats.rows_in += rows.len() as u64;
                self.run_end = rows.runs.first().map_or(0, |run| run.end as usize);
                (self.rows, self.at, self.run) = (Arc::new(rows), 0, 0);
                return Ok(());
            }
        }
    }

    /// Moves to row `to`, at most the end of the run. True while the stream goes on.
    fn advance(&mut self, to: usize, stats: &mut MergeStats) -> Result<bool, S::Error> {
        self.at = to;
        if to < self.run_end {
            return Ok(true);
        }
        if self.run + 1 < self.rows.runs.len() {
            self.run += 1;
            self.run_end = self.rows.runs[self.run].end as usize;
            return Ok(false);
        }
        let before = self.labels().cloned();
        self.fill(stats)?;
        Ok(before.as_ref() == self.labels())
    }

    /// Rows of the run from here on that are before `time`.
    fn until(&self, time: i64) -> Range<usize> {
        self.at..self.gallop(|t| t < time)
    }

    /// Where rows of the run with timestamp `time`, which begin here, end.
    fn until_past(&self, time: i64) -> usize {
        self.gallop(|t| t <= time)
    }

    /// The first row of the run that is not `before`: most answers are near.
    fn gallop(&self, before: impl Fn(i64) -> bool) -> usize {
        let times = &self.rows.timestamps[self.at..self.run_end];
        let mut bound = 1;
        while bound < times.len() && before(times[bound - 1]) {
            bound *= 2;
        }
        let bound = bound.min(times.len());
        self.at + bound / 2 + times[bound / 2..bound].partition_point(|&t| before(t))
    }

    fn line_bytes(&self, range: &Range<usize>) -> usize {
        if range.is_empty() {
            0
        } else {
            self.rows.lines.ends()[range.end - 1] as usize - self.rows.lines.start(range.start)
        }
    }

    /// The rows `range`, which begin at this cursor, sharing buffers; the whole batch moves.
    fn pass(&mut self, range: Range<usize>) -> Rows {
        if range.len() < self.rows.len() { self.rows.slice(range) } else { Rows::clone(&self.rows) }
    }
}

/// Rows with one timestamp, from all sources.
#[derive(Debug, Default)]
struct Group {
    batches: Vec<Arc<Rows>>,
    /// Arrival, batch, row. Batches stand in the order of sources, so this is the order of rows.
    rows: Vec<(u64, u32, u32)>,
    kept: Vec<(u32, u32)>,
    seen: HashSet<u64, rapid::Build>,
}

impl Group {
    fn clear(&mut self) {
        self.batches.clear();
        self.rows.clear();
    }

    fn add(&mut self, rows: &Arc<Rows>, range: Range<usize>) {
        let batch = self.batches.len() as u32;
        self.batches.push(rows.clone());
        self.rows.extend(range.map(|row| (rows.arrivals[row], batch, row as u32)));
    }

    /// Appends the rows in order without copies and says how many copies there were.
    fn emit(&mut self, labels: &Labels, out: &mut RowsAppender) -> u64 {
        self.rows.sort_unstable();
        self.kept.clear();
        self.seen.clear();
        let by_hash = self.rows.len() > COMPARE_ROWS_MAX;
        for &(_, batch, row) in &self.rows {
            let rows = &self.batches[batch as usize];
            let new = if by_hash {
                self.seen.insert(rows.row_hash(row as usize))
            } else {
                !self.kept.iter().any(|&(b, r)| rows.same_row(row as usize, &self.batches[b as usize], r as usize))
            };
            if new {
                self.kept.push((batch, row));
                out.append(labels, rows, row as usize..row as usize + 1);
            }
        }
        (self.rows.len() - self.kept.len()) as u64
    }
}
