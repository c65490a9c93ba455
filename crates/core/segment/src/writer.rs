//! Writes an object: sorted rows in, pages out as they fill. Memory is one page plus the tables of
//! the sections, which follow all pages so that one read of the object's end fetches them together.

use std::{io::Write, sync::Arc};

use skald_model::{CommitVector, Labels, LineColumn, Rows, Timestamp};
use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_64_with_seed};

use crate::{
    append::RowsAppender,
    codec::{Codec, Compressor},
    column,
    directory::{self, CommitInfo, Directory},
    entry::{Level, SectionEntry, SectionKey},
    error::WriteError,
    format::{HEADER, PAGE_ROWS_MAX, VALUE_BYTES_MAX},
    index,
    page::{Chunk, Column, PAGE_PLAIN, PageMeta},
    streams::StreamMeta,
};

/// Which arrival numbers an object keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// All: for flushed objects, whose rows still meet copies and neighbours from other ingesters.
    All,
    /// Only those within runs of equal timestamps of one stream, where they decide the order; 0 elsewhere.
    EqualTimestamps,
}

/// How an object is written.
#[derive(Clone, Copy, Debug)]
pub struct WriterOptions {
    /// Bytes of lines (or of one metadata key's values) that fill a page. Larger pages compress a
    /// little better, smaller ones cost less to read for one row. At most 64 MiB.
    pub page_bytes: usize,
    /// How lines and metadata are compressed.
    pub codec: Codec,
    /// Which arrival numbers are kept.
    pub keep_arrivals: Arrivals,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self { page_bytes: 1 << 20, codec: Codec::default(), keep_arrivals: Arrivals::All }
    }
}

/// More than this in a page would come near what `u32` ends can address.
const PAGE_BYTES_MAX: usize = 64 << 20;

/// Writes one object to `W`: begin a section, push its rows in order, begin the next, finish.
#[derive(Debug)]
pub struct ObjectWriter<W> {
    out: W,
    position: u64,
    options: WriterOptions,
    compressor: Compressor,
    ended: Vec<(SectionEntry, Vec<u8>)>,
    open: Option<OpenSection>,
    page: RowsAppender,
    /// Encoded columns before compression, and the hashes of a page's rows.
    scratch: Vec<u8>,
    row_hash: Xxh3Debug,
    duplicates: u64,
}

/// A hasher whose state is nobody's business.
struct Xxh3Debug(Xxh3);

impl std::fmt::Debug for Xxh3Debug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Xxh3")
    }
}

#[derive(Debug)]
struct OpenSection {
    key: SectionKey,
    level: Level,
    run_id: u128,
    sources: CommitVector,
    data_start: u64,
    streams: Vec<StreamMeta>,
    pages: Vec<PageMeta>,
    keys: Vec<Arc<str>>,
    /// The stream of the first row in the page buffer.
    first_stream: u32,
    /// Timestamp and arrival of the row pushed last.
    last: (i64, u64),
    /// Timestamp of the last row of the page written last, while the page buffer goes on with its stream.
    before_page: Option<i64>,
}

impl<W: Write> ObjectWriter<W> {
    /// Begins an object in `out`.
    ///
    /// # Errors
    /// When `out` refuses the first bytes.
    pub fn new(mut out: W, options: WriterOptions) -> Result<Self, WriteError> {
        out.write_all(&HEADER)?;
        let options = WriterOptions { page_bytes: options.page_bytes.clamp(1, PAGE_BYTES_MAX), ..options };
        Ok(Self {
            out,
            position: HEADER.len() as u64,
            options,
            compressor: Compressor::new()?,
            ended: Vec::new(),
            open: None,
            page: RowsAppender::default(),
            scratch: Vec::new(),
            row_hash: Xxh3Debug(Xxh3::new()),
            duplicates: 0,
        })
    }

    /// Begins a section, ending the one before it. `sources` are the log positions its rows come from.
    ///
    /// # Errors
    /// When the rest of the section before cannot be written.
    pub fn begin_section(
        &mut self,
        key: SectionKey,
        level: Level,
        run_id: u128,
        sources: CommitVector,
    ) -> Result<(), WriteError> {
        self.end_section()?;
        self.open = Some(OpenSection {
            key,
            level,
            run_id,
            sources,
            data_start: self.position,
            streams: Vec::new(),
            pages: Vec::new(),
            keys: Vec::new(),
            first_stream: 0,
            last: (i64::MIN, 0),
            before_page: None,
        });
        Ok(())
    }

    /// Adds rows, which must follow those before them in the order (stream, timestamp, arrival). A row
    /// that equals the one before it in stream, timestamp, line and metadata is dropped.
    ///
    /// # Errors
    /// For rows out of order or outside the section's window, values beyond 1 GiB, a failing output.
    /// The object is of no use afterwards.
    ///
    /// # Panics
    /// When no section is open.
    pub fn push(&mut self, rows: &Rows) -> Result<(), WriteError> {
        check_lengths(&rows.lines)?;
        rows.metadata.columns().iter().try_for_each(|c| check_lengths(&c.values))?;
        for (labels, range) in rows.streams() {
            let section = self.open.as_mut().expect("push comes after begin_section");
            let before = range.len();
            let kept = section.admit(labels, rows, range, &self.page)?;
            self.duplicates += (before - kept.iter().map(|r| r.len()).sum::<usize>()) as u64;
            kept.into_iter().try_for_each(|range| self.append(labels, rows, range))?;
        }
        Ok(())
    }

    /// Ends the section, which writes its last page. A section without rows leaves no trace.
    ///
    /// # Errors
    /// When the output fails.
    pub fn end_section(&mut self) -> Result<(), WriteError> {
        self.write_page(None)?;
        let Some(section) = self.open.take().filter(|section| !section.streams.is_empty()) else {
            return Ok(());
        };
        let OpenSection { key, level, run_id, sources, data_start, streams, pages, keys, .. } = section;
        let region = index::encode_index(&streams, &keys, &pages, self.options.codec, &mut self.compressor)?;
        let (Some(first), Some(last)) = (streams.first(), streams.last()) else { return Ok(()) };
        let entry = SectionEntry {
            key,
            level,
            run_id,
            data: data_start..self.position,
            index: 0..0,
            tmin: streams.iter().map(|s| s.tmin).min().unwrap_or_default(),
            tmax: streams.iter().map(|s| s.tmax).max().unwrap_or_default(),
            rows: last.first_row + last.rows,
            raw_bytes: streams.iter().map(|s| s.raw_bytes).sum(),
            stored_bytes: self.position - data_start + region.len() as u64,
            streams: streams.len() as u64,
            first: first.labels.clone(),
            last: last.labels.clone(),
            sources,
        };
        self.ended.push((entry, region));
        Ok(())
    }

    /// Ends the open section and writes index regions, directory and trailer. `commit` belongs in
    /// flushed objects; its row hash is filled in here.
    ///
    /// # Errors
    /// When the output fails.
    pub fn finish(mut self, commit: Option<CommitInfo>) -> Result<(W, Directory), WriteError> {
        self.end_section()?;
        let mut directory = Directory::default();
        for (mut entry, region) in std::mem::take(&mut self.ended) {
            entry.index = self.position..self.position + region.len() as u64;
            self.out.write_all(&region)?;
            self.position = entry.index.end;
            directory.sections.push(entry);
        }
        directory.commit = commit.map(|commit| CommitInfo { row_hash: self.row_hash.0.digest(), ..commit });
        let encoded = directory.encode();
        self.out.write_all(&encoded)?;
        self.out.write_all(&directory::encode_trailer(self.position, &encoded))?;
        self.out.flush()?;
        Ok((self.out, directory))
    }

    /// Bytes written so far, without the tables that follow the pages.
    pub fn bytes_written(&self) -> u64 {
        self.position
    }

    /// Rows dropped because they equalled the row before them.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Copies `range` into page buffers, writing each page when the first row of the next one comes:
    /// only then is it known whether a run of equal timestamps goes on.
    fn append(&mut self, labels: &Labels, rows: &Rows, range: std::ops::Range<usize>) -> Result<(), WriteError> {
        let mut at = range.start;
        while at < range.end {
            if self.page_is_full() {
                let section = self.open.as_ref().expect("rows belong to a section");
                let goes_on = section.streams.last().is_some_and(|s| s.rows > 0);
                self.write_page(goes_on.then_some(rows.timestamps[at]))?;
            }
            let section = self.open.as_mut().expect("rows belong to a section");
            let room = self.options.page_bytes - self.page.lines.bytes.len().min(self.options.page_bytes);
            let mut len = fitting(&rows.lines, at, range.end, room).min(PAGE_ROWS_MAX - self.page.len());
            for column in rows.metadata.columns() {
                len = len.min(fitting(&column.values, at, range.end, self.options.page_bytes));
            }
            let stream = section.streams.len() as u32 - 1;
            if self.page.is_empty() {
                section.first_stream = stream;
            }
            self.page.append(labels, rows, at..at + len);
            section.count(rows, at..at + len);
            at += len;
        }
        Ok(())
    }

    fn page_is_full(&self) -> bool {
        let full = self.options.page_bytes;
        self.page.len() >= PAGE_ROWS_MAX
            || self.page.lines.bytes.len() >= full
            || self.page.metadata.iter().any(|(_, values)| values.bytes.len() >= full)
    }

    /// Writes the rows of the page buffer, if any. `next` is the timestamp of the row that follows in
    /// the same stream.
    fn write_page(&mut self, next: Option<i64>) -> Result<(), WriteError> {
        if self.page.is_empty() {
            return Ok(());
        }
        let section = self.open.as_mut().expect("rows belong to a section");
        let page = &mut self.page;
        page.complete();
        if self.options.keep_arrivals == Arrivals::EqualTimestamps {
            drop_idle_arrivals(page, section.before_page, next);
        }
        hash_rows(&mut self.row_hash.0, page, &mut self.scratch);
        let rows = page.len() as u32;
        let (codec, numbers) = (self.options.codec, self.options.codec.for_numbers());
        let mut chunks = ChunkWriter {
            out: &mut self.out,
            position: &mut self.position,
            data_start: section.data_start,
            compressor: &mut self.compressor,
            chunks: Vec::with_capacity(4 + page.metadata.len()),
        };
        let scratch = &mut self.scratch;
        scratch.clear();
        let encoding = column::put_numbers(scratch, page.timestamps.iter().copied());
        chunks.put(Column::Timestamps, encoding, numbers, scratch)?;
        scratch.clear();
        let encoding = column::put_lengths(scratch, &page.lines.ends);
        chunks.put(Column::LineLengths, encoding, numbers, scratch)?;
        if page.arrivals.iter().any(|&arrival| arrival != 0) {
            scratch.clear();
            let encoding = column::put_numbers(scratch, page.arrivals.iter().map(|&arrival| arrival as i64));
            chunks.put(Column::Arrivals, encoding, numbers, scratch)?;
        }
        for (name, values) in &page.metadata {
            scratch.clear();
            let encoding = column::put_values(scratch, values);
            chunks.put(Column::Metadata(key_number(&mut section.keys, name)), encoding, codec, scratch)?;
        }
        chunks.put(Column::Lines, column::RAW, codec, &page.lines.bytes)?;
        let chunks = chunks.chunks;
        section.pages.push(PageMeta {
            rows,
            first_row: section.pages.last().map_or(0, |p| p.first_row + u64::from(p.rows)),
            tmin: Timestamp(page.timestamps.iter().copied().min().unwrap_or_default()),
            tmax: Timestamp(page.timestamps.iter().copied().max().unwrap_or_default()),
            first_stream: section.first_stream,
            last_stream: section.first_stream + page.runs.len() as u32 - 1,
            encoding: PAGE_PLAIN,
            line_bytes: page.lines.bytes.len() as u64,
            chunks,
        });
        section.before_page = next.and(page.timestamps.last().copied());
        page.clear();
        Ok(())
    }
}

impl OpenSection {
    /// Checks that rows `range` of stream `labels` may follow, and names those that are no copies of
    /// the row before them. `page` ends with the row pushed last.
    fn admit(
        &mut self,
        labels: &Labels,
        rows: &Rows,
        range: std::ops::Range<usize>,
        page: &RowsAppender,
    ) -> Result<Vec<std::ops::Range<usize>>, WriteError> {
        let unsorted = || WriteError::Unsorted(labels.to_string());
        let mut continues = match self.streams.last().map(|s| s.labels.cmp(labels)) {
            Some(std::cmp::Ordering::Equal) => true,
            Some(std::cmp::Ordering::Greater) => return Err(unsorted()),
            Some(std::cmp::Ordering::Less) | None => {
                self.begin_stream(labels, rows.timestamps[range.start]);
                false
            }
        };
        let mut kept = Vec::new();
        let mut start = range.start;
        for i in range.clone() {
            let key = (rows.timestamps[i], rows.arrivals[i]);
            if !self.key.contains(key.0) {
                return Err(WriteError::OutsideWindow(key.0));
            }
            if continues {
                if key < self.last {
                    return Err(unsorted());
                }
                let same_time = key.0 == self.last.0;
                if same_time && if i > range.start { rows.same_row(i, rows, i - 1) } else { ends_with(page, rows, i) } {
                    if start < i {
                        kept.push(start..i);
                    }
                    start = i + 1;
                }
            }
            self.last = key;
            continues = true;
        }
        if start < range.end {
            kept.push(start..range.end);
        }
        Ok(kept)
    }

    fn begin_stream(&mut self, labels: &Labels, timestamp: i64) {
        let first_row = self.streams.last().map_or(0, |s| s.first_row + s.rows);
        let at = Timestamp(timestamp);
        self.streams.push(StreamMeta { labels: labels.clone(), rows: 0, first_row, tmin: at, tmax: at, raw_bytes: 0 });
    }

    /// Adds rows of the last stream to its statistics.
    fn count(&mut self, rows: &Rows, range: std::ops::Range<usize>) {
        let bytes = |column: &LineColumn| u64::from(column.ends()[range.end - 1]) - column.start(range.start) as u64;
        let stream = self.streams.last_mut().expect("admit has begun the stream");
        stream.rows += range.len() as u64;
        stream.tmax = Timestamp(rows.timestamps[range.end - 1]);
        stream.raw_bytes += bytes(&rows.lines) + rows.metadata.columns().iter().map(|c| bytes(&c.values)).sum::<u64>();
    }
}

/// Writes the chunks of one page.
struct ChunkWriter<'a, W> {
    out: &'a mut W,
    position: &'a mut u64,
    data_start: u64,
    compressor: &'a mut Compressor,
    chunks: Vec<Chunk>,
}

impl<W: Write> ChunkWriter<'_, W> {
    fn put(&mut self, column: Column, encoding: u8, codec: Codec, raw: &[u8]) -> Result<(), WriteError> {
        let (codec, stored) = self.compressor.compress(codec, raw)?;
        self.out.write_all(stored)?;
        self.chunks.push(Chunk {
            column,
            encoding,
            codec,
            offset: *self.position - self.data_start,
            stored_len: stored.len() as u64,
            raw_len: raw.len() as u64,
            crc: crc32fast::hash(stored),
        });
        *self.position += stored.len() as u64;
        Ok(())
    }
}

/// How many values from `at` on it takes to reach `room` bytes: at least one, at most to `end`.
fn fitting(column: &LineColumn, at: usize, end: usize, room: usize) -> usize {
    let start = column.start(at);
    let below = column.ends()[at..end].partition_point(|&e| (e as usize - start) < room);
    (below + 1).min(end - at)
}

fn check_lengths(column: &LineColumn) -> Result<(), WriteError> {
    if column.buffer().len() <= VALUE_BYTES_MAX {
        return Ok(());
    }
    match column.iter().map(<[u8]>::len).find(|&len| len > VALUE_BYTES_MAX) {
        Some(len) => Err(WriteError::TooLong(len)),
        None => Ok(()),
    }
}

/// True when the last row of `page` has the line and metadata of row `i`.
fn ends_with(page: &RowsAppender, rows: &Rows, i: usize) -> bool {
    let last = page.len() - 1;
    let value = |ends: &[u32], bytes: &[u8]| {
        let start = if last == 0 { 0 } else { ends[last - 1] as usize };
        bytes[start..ends[last] as usize].to_vec()
    };
    if value(&page.lines.ends, &page.lines.bytes) != rows.lines.get(i) {
        return false;
    }
    // A column that is not padded to the last row has no value there.
    let columns = page.metadata.iter().filter(|(_, values)| values.ends.len() == page.len());
    let mut mine: Vec<_> =
        columns.map(|(name, v)| (&**name, value(&v.ends, &v.bytes))).filter(|(_, v)| !v.is_empty()).collect();
    mine.sort_unstable();
    mine.iter().map(|(name, value)| (*name, &**value)).eq(rows.metadata.row(i))
}

/// Sets arrivals to 0 where neither neighbour in the stream has the same timestamp.
fn drop_idle_arrivals(page: &mut RowsAppender, before: Option<i64>, next: Option<i64>) {
    let mut start = 0;
    let last_run = page.runs.len() - 1;
    for (r, run) in page.runs.iter().enumerate() {
        let end = run.end as usize;
        let times = &page.timestamps[start..end];
        for i in 0..times.len() {
            let left = if i > 0 { Some(times[i - 1]) } else { before.filter(|_| r == 0) };
            let right = if i + 1 < times.len() { Some(times[i + 1]) } else { next.filter(|_| r == last_run) };
            if left != Some(times[i]) && right != Some(times[i]) {
                page.arrivals[start + i] = 0;
            }
        }
        start = end;
    }
}

/// Adds stream, timestamp, line and metadata of each row to `hasher`.
fn hash_rows(hasher: &mut Xxh3, page: &RowsAppender, scratch: &mut Vec<u8>) {
    let names: Vec<u64> = page.metadata.iter().map(|(name, _)| xxh3_64(name.as_bytes())).collect();
    let mut starts = vec![0usize; page.metadata.len()];
    scratch.clear();
    let mut row = 0;
    let mut line_start = 0;
    for run in &page.runs {
        let stream = run.labels.hash64();
        while row < run.end as usize {
            let line_end = page.lines.ends[row] as usize;
            let mut hash = xxh3_64(&page.lines.bytes[line_start..line_end]);
            line_start = line_end;
            for (((_, values), name), start) in page.metadata.iter().zip(&names).zip(&mut starts) {
                let end = values.ends[row] as usize;
                if end > *start {
                    hash = xxh3_64_with_seed(&values.bytes[*start..end], hash ^ name);
                    *start = end;
                }
            }
            scratch.extend_from_slice(&stream.to_le_bytes());
            scratch.extend_from_slice(&page.timestamps[row].to_le_bytes());
            scratch.extend_from_slice(&hash.to_le_bytes());
            row += 1;
        }
    }
    hasher.update(scratch);
}

fn key_number(keys: &mut Vec<Arc<str>>, name: &Arc<str>) -> u32 {
    let at = keys.iter().position(|key| key == name).unwrap_or_else(|| {
        keys.push(name.clone());
        keys.len() - 1
    });
    at as u32
}
