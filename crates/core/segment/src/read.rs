//! Rows from the bytes of one page.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use skald_model::{Labels, LineColumn, MetadataColumn, MetadataColumns, Rows, StreamRun, Timestamp};

use crate::{
    append::RowsAppender,
    codec, column,
    entry::{SectionKey, is_before},
    error::{Fault, SegmentError},
    page::{Chunk, Column, PAGE_PLAIN},
};

/// One page to read: which bytes to fetch, and what to make of them. Independent of the index it
/// was planned from.
#[derive(Clone, Debug)]
pub struct PageRead {
    /// The page's number in its section.
    pub page: u32,
    /// Byte ranges of the object to fetch, in ascending order.
    pub ranges: Vec<Range<u64>>,
    pub(crate) section: SectionKey,
    pub(crate) encoding: u8,
    pub(crate) rows: usize,
    /// Wanted streams and their rows, counted from the page's first.
    pub(crate) selection: Vec<(Labels, Range<usize>)>,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) chunks: Vec<PlannedChunk>,
}

/// A chunk and where it lies in the fetched ranges.
#[derive(Clone, Debug)]
pub(crate) struct PlannedChunk {
    pub(crate) chunk: Chunk,
    /// The key of a metadata column.
    pub(crate) key: Option<Arc<str>>,
    pub(crate) range: usize,
    pub(crate) at: usize,
    /// Where the chunk begins in the object.
    pub(crate) offset: u64,
}

impl PageRead {
    /// Bytes to fetch.
    pub fn bytes(&self) -> u64 {
        self.ranges.iter().map(|r| r.end - r.start).sum()
    }

    /// The wanted rows out of `fetched`, the bytes of [`PageRead::ranges`] in their order. Sorted;
    /// large parts share the decompressed buffer.
    ///
    /// # Errors
    /// When bytes are damaged, or of an encoding or codec this code does not know. Other pages of the
    /// section are not concerned.
    pub fn decode(&self, fetched: &[Bytes]) -> Result<Rows, SegmentError> {
        if self.encoding != PAGE_PLAIN {
            let offset = self.ranges.first().map_or(0, |r| r.start);
            return Err(Fault::UnknownEncoding(self.encoding.into()).within(
                &self.section,
                format!("page {}", self.page),
                offset,
            ));
        }
        let mut columns = PageColumns::default();
        for planned in &self.chunks {
            columns.take(planned, fetched, self.rows).map_err(|fault| self.fail(fault, planned))?;
        }
        let page = columns.finish(self.rows).map_err(|fault| {
            let offset = self.ranges.first().map_or(0, |r| r.start);
            fault.within(&self.section, format!("page {}", self.page), offset)
        })?;
        Ok(self.pick(page))
    }

    fn fail(&self, fault: Fault, planned: &PlannedChunk) -> SegmentError {
        let column = match &planned.key {
            Some(key) => format!("metadata {key}"),
            None => planned.chunk.column.to_string(),
        };
        fault.within(&self.section, format!("page {} {column}", self.page), planned.offset)
    }

    /// The selected rows within the time range. `page` has all rows and no runs.
    fn pick(&self, page: Rows) -> Rows {
        let mut picked: Vec<(&Labels, Range<usize>)> = Vec::with_capacity(self.selection.len());
        for (labels, range) in &self.selection {
            let times = &page.timestamps[range.clone()];
            let start = range.start + times.partition_point(|&t| t < self.from.0);
            let end = range.start + times.partition_point(|&t| is_before(t, self.to));
            if start < end {
                picked.push((labels, start..end));
            }
        }
        let (Some(first), Some(last)) = (picked.first(), picked.last()) else { return Rows::default() };
        let all = first.1.start..last.1.end;
        let contiguous = picked.windows(2).all(|w| w[0].1.end == w[1].1.start);
        // A small part must not keep the whole page in memory.
        if !contiguous || all.len() * 2 < page.len() {
            let mut rows = RowsAppender::default();
            picked.into_iter().for_each(|(labels, range)| rows.append(labels, &page, range));
            return rows.take();
        }
        let run = |(labels, range): &(&Labels, Range<usize>)| StreamRun {
            labels: (*labels).clone(),
            end: (range.end - all.start) as u32,
        };
        let runs = picked.iter().map(run).collect();
        if all == (0..page.len()) {
            return Rows { runs, ..page };
        }
        Rows {
            runs,
            timestamps: page.timestamps[all.clone()].to_vec(),
            arrivals: page.arrivals[all.clone()].to_vec(),
            lines: page.lines.slice(all.clone()),
            metadata: page.metadata.slice(all),
        }
    }
}

/// Columns of a page as they are decoded.
#[derive(Default)]
struct PageColumns {
    timestamps: Option<Vec<i64>>,
    arrivals: Option<Vec<u64>>,
    line_ends: Option<Vec<u32>>,
    line_bytes: Option<Bytes>,
    metadata: Vec<MetadataColumn>,
}

impl PageColumns {
    fn take(&mut self, planned: &PlannedChunk, fetched: &[Bytes], rows: usize) -> Result<(), Fault> {
        let chunk = &planned.chunk;
        let end = planned.at + chunk.stored_len as usize;
        let range = fetched.get(planned.range).filter(|bytes| bytes.len() >= end);
        let stored = range.ok_or(Fault::Malformed("fewer bytes than planned"))?.slice(planned.at..end);
        if crc32fast::hash(&stored) != chunk.crc {
            return Err(Fault::Checksum);
        }
        let raw = codec::decompress(chunk.codec, &stored, chunk.raw_len)?;
        match chunk.column {
            Column::Timestamps => self.timestamps = Some(column::take_numbers(chunk.encoding, &raw, rows)?),
            Column::Arrivals => {
                let numbers = column::take_numbers(chunk.encoding, &raw, rows)?;
                self.arrivals = Some(numbers.into_iter().map(|n| n as u64).collect());
            }
            Column::LineLengths => self.line_ends = Some(column::take_lengths(chunk.encoding, &raw, rows)?),
            Column::Lines if chunk.encoding == column::RAW => self.line_bytes = Some(raw),
            Column::Lines => return Err(Fault::UnknownEncoding(chunk.encoding.into())),
            Column::Metadata(_) => {
                let name = planned.key.clone().ok_or(Fault::Malformed("a metadata column without key"))?;
                self.metadata.push(MetadataColumn { name, values: column::take_values(chunk.encoding, &raw, rows)? });
            }
            Column::Other(_) => {}
        }
        Ok(())
    }

    /// All rows of the page, without runs.
    fn finish(self, rows: usize) -> Result<Rows, Fault> {
        let timestamps = self.timestamps.ok_or(Fault::Malformed("no timestamps"))?;
        let lines = match (self.line_bytes, self.line_ends) {
            (Some(bytes), Some(ends)) => column::lines(bytes, ends)?,
            (None, None) => LineColumn::blank(rows),
            _ => return Err(Fault::Malformed("lines without lengths or lengths without lines")),
        };
        let metadata =
            MetadataColumns::from_columns(self.metadata, rows).ok_or(Fault::Malformed("a metadata key twice"))?;
        Ok(Rows {
            runs: Vec::new(),
            timestamps,
            arrivals: self.arrivals.unwrap_or_else(|| vec![0; rows]),
            lines,
            metadata,
        })
    }
}
