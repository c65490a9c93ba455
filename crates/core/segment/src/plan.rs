//! What to fetch for a query: which pages of a section, and which byte ranges of each.

use std::ops::Range;

use skald_model::{Labels, Timestamp};

use crate::{
    entry::is_before,
    index::SectionIndex,
    page::{Chunk, Column, PageMeta},
    read::{PageRead, PlannedChunk},
};

/// Which metadata columns a reader wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetadataWanted {
    /// Every key.
    All,
    /// No key.
    None,
    /// These keys.
    Keys(Vec<String>),
}

/// Which columns a reader wants; timestamps always come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// The lines; without them rows have empty ones.
    pub lines: bool,
    /// Structured metadata.
    pub metadata: MetadataWanted,
    /// Arrival numbers; without them they are 0.
    pub arrivals: bool,
}

impl Columns {
    /// Everything: what a merge needs.
    pub const ALL: Self = Self { lines: true, metadata: MetadataWanted::All, arrivals: true };
}

/// What to read of one section.
#[derive(Clone, Debug)]
pub struct ReadPlan {
    /// The pages in the order of their rows. Each stands for itself: fetch its ranges, decode.
    pub pages: Vec<PageRead>,
    /// Streams that are wanted and have rows in the time range.
    pub streams: usize,
    /// Pages that were skipped because no wanted stream has rows there in the time range.
    pub pages_skipped: usize,
}

/// Ranges of one page that lie no further apart than this are fetched as one: a request costs more
/// than the bytes between.
const JOIN_GAP_BYTES: u64 = 16 * 1024;

/// Which pages and which of their columns to read for the streams that are `wanted`, in `from..to`.
/// A `to` of [`Timestamp::MAX`] is no bound.
pub fn plan_read(
    index: &SectionIndex,
    wanted: &dyn Fn(&Labels) -> bool,
    from: Timestamp,
    to: Timestamp,
    columns: &Columns,
) -> ReadPlan {
    let overlaps = |tmin: Timestamp, tmax: Timestamp| tmax >= from && is_before(tmin.0, to);
    let matching: Vec<bool> = index.streams.iter().map(|s| overlaps(s.tmin, s.tmax) && wanted(&s.labels)).collect();
    let mut pages = Vec::new();
    for (number, page) in index.pages.iter().enumerate() {
        if !overlaps(page.tmin, page.tmax) {
            continue;
        }
        let selection = select(index, page, &matching);
        if selection.is_empty() {
            continue;
        }
        let (ranges, chunks) = ranges(index, page, columns);
        pages.push(PageRead {
            page: number as u32,
            ranges,
            section: index.key.clone(),
            encoding: page.encoding,
            rows: page.rows as usize,
            selection,
            from,
            to,
            chunks,
        });
    }
    let pages_skipped = index.pages.len() - pages.len();
    ReadPlan { pages, streams: matching.iter().filter(|&&m| m).count(), pages_skipped }
}

/// The rows of matching streams in `page`, counted from its first row.
fn select(index: &SectionIndex, page: &PageMeta, matching: &[bool]) -> Vec<(Labels, Range<usize>)> {
    let end = page.first_row + u64::from(page.rows);
    let streams = page.first_stream as usize..=page.last_stream as usize;
    let rows_of = |stream: usize| {
        let meta = &index.streams[stream];
        let start = meta.first_row.max(page.first_row) - page.first_row;
        let end = (meta.first_row + meta.rows).min(end) - page.first_row;
        (meta.labels.clone(), start as usize..end as usize)
    };
    streams.filter(|&stream| matching[stream]).map(rows_of).collect()
}

/// The byte ranges that hold the wanted columns, and where in them each chunk lies.
fn ranges(index: &SectionIndex, page: &PageMeta, columns: &Columns) -> (Vec<Range<u64>>, Vec<PlannedChunk>) {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    let mut chunks = Vec::new();
    for chunk in page.chunks.iter().filter(|chunk| is_wanted(index, chunk, columns)) {
        let start = index.data_offset + chunk.offset;
        let end = start + chunk.stored_len;
        match ranges.last_mut() {
            Some(last) if start - last.end <= JOIN_GAP_BYTES => last.end = end,
            _ => ranges.push(start..end),
        }
        let range = ranges.len() - 1;
        let key = match chunk.column {
            Column::Metadata(key) => Some(index.keys[key as usize].clone()),
            _ => None,
        };
        chunks.push(PlannedChunk {
            chunk: *chunk,
            key,
            range,
            at: (start - ranges[range].start) as usize,
            offset: start,
        });
    }
    (ranges, chunks)
}

fn is_wanted(index: &SectionIndex, chunk: &Chunk, columns: &Columns) -> bool {
    match chunk.column {
        Column::Timestamps => true,
        Column::LineLengths | Column::Lines => columns.lines,
        Column::Arrivals => columns.arrivals,
        Column::Metadata(key) => match &columns.metadata {
            MetadataWanted::All => true,
            MetadataWanted::None => false,
            MetadataWanted::Keys(keys) => keys.iter().any(|k| **k == *index.keys[key as usize]),
        },
        Column::Other(_) => false,
    }
}
