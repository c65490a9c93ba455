//! A memtable as one object: every tenant's sections, cut at windows, in the order of the format.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use skald_disk::DiskFile;
use skald_memtable::{Memtable, SortedBatches, StreamRows};
use skald_model::{CommitVector, LogPosition, Timestamp};
use skald_segment::{CommitInfo, Directory, Level, ObjectWriter, Receipt, SectionKey, WriteError, WriterOptions};

/// Sections never cross a multiple of this (2 h): so later merges of windows never need to cut one.
const WINDOW_NS: i64 = 2 * 3600 * 1_000_000_000;

/// The one shard of the catalog.
const SHARD: u32 = 0;

/// Writes all rows of `memtable` to `out`. The same memtable, position and id give the same bytes.
///
/// # Errors
/// When the output refuses bytes.
pub(crate) fn encode<W: Write>(
    out: W,
    memtable: &Memtable,
    position: &LogPosition,
    flush_id: u128,
) -> Result<(W, Directory), WriteError> {
    let mut writer = ObjectWriter::new(out, WriterOptions::default())?;
    let sources: CommitVector = [(position.writer.clone(), position.seq)].into_iter().collect();
    for tenant in memtable.tenants() {
        let streams = memtable.select(tenant.as_str(), &|_| true, Timestamp::MIN, Timestamp::MAX);
        let windows = windows_of(&streams);
        let one = windows.len() == 1;
        let mut streams = Some(streams);
        for window in windows {
            let start = Timestamp(window.saturating_mul(WINDOW_NS));
            let end = Timestamp(window.saturating_add(1).saturating_mul(WINDOW_NS));
            let key =
                SectionKey { shard: SHARD, tenant: tenant.clone(), window_start: start, window_len: WINDOW_NS as u64 };
            writer.begin_section(key, Level::FLUSHED, flush_id, sources.clone())?;
            let rows = match one {
                true => streams.take().unwrap_or_default(),
                false => memtable.select(tenant.as_str(), &|_| true, start, end),
            };
            for rows in SortedBatches::new(rows, start, end) {
                writer.push(&rows)?;
            }
        }
    }
    let receipt = |(distributor, numbers): (String, Vec<u64>)| Receipt {
        distributor,
        batches: numbers.into_iter().map(|n| n..=n).collect(),
    };
    let receipts = memtable.pushes().into_iter().map(receipt).collect();
    writer.finish(Some(CommitInfo { position: position.clone(), flush_id, row_hash: 0, receipts }))
}

/// Numbers of the windows in which there are rows.
fn windows_of(streams: &[StreamRows]) -> BTreeSet<i64> {
    let mut windows = BTreeSet::new();
    for batch in streams.iter().flat_map(|s| &s.batches) {
        let (min, max) = batch.time_range();
        let (first, last) = (min.0.div_euclid(WINDOW_NS), max.0.div_euclid(WINDOW_NS));
        windows.extend([first, last]);
        if last - first > 1 {
            windows.extend(batch.rows().timestamps.iter().map(|t| t.div_euclid(WINDOW_NS)));
        }
    }
    windows
}

/// A file of the disk as something to write to.
pub(crate) struct DiskWriter(pub(crate) Box<dyn DiskFile>);

impl Write for DiskWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.append(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
