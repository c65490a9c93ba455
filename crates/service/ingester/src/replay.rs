//! What a start finds in the log becomes memtables again.
//!
//! Frozen memtables come back from exactly their files, under their numbers. The files of the one that
//! was being filled are read in order; whenever they hold enough for a flush it is frozen there and
//! then. Between files replay waits while too many rows are in memory, so a long log needs no more
//! memory than a short one.

use std::sync::Arc;

use skald_memtable::Memtable;
use skald_model::{BatchId, StreamBatch, TenantId};
use skald_wal::{FileReport, Recovered, Rotated, WalDir, WalError};

use crate::{
    flush::blocking,
    service::Shared,
    tables::{Frozen, ROWS_BYTES_MAX},
};

/// What a replay came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Replayed {
    pub(crate) files: u64,
    pub(crate) report: FileReport,
    /// Batches in whole records that are no batches all the same.
    pub(crate) malformed: u64,
}

impl Replayed {
    fn add(&mut self, other: &Self) {
        self.files += other.files;
        self.malformed += other.malformed;
        self.report.records += other.report.records;
        self.report.skipped += other.report.skipped;
        self.report.skipped_bytes += other.report.skipped_bytes;
        self.report.torn_bytes += other.report.torn_bytes;
    }
}

/// The rows of `files`. Blocks and works.
pub(crate) fn memtable(dir: &WalDir, files: &[u64], now_ns: i64) -> Result<(Arc<Memtable>, Replayed), WalError> {
    let memtable = Arc::new(Memtable::new());
    let mut replayed = Replayed::default();
    for &file in files {
        replayed.add(&replay_file(dir, file, &memtable, now_ns, &mut |_, _| ())?);
    }
    Ok((memtable, replayed))
}

fn replay_file(
    dir: &WalDir,
    file: u64,
    memtable: &Memtable,
    now_ns: i64,
    seen: &mut dyn FnMut(&TenantId, &BatchId),
) -> Result<Replayed, WalError> {
    let mut malformed = 0;
    let report = dir.replay(file, &mut |record| {
        let mut batches = Vec::with_capacity(record.batches.len());
        for bytes in record.batches {
            match StreamBatch::decode(bytes) {
                Ok(batch) => batches.push(batch),
                Err(error) => {
                    malformed += 1;
                    tracing::error!(%error, tenant = %record.tenant, "a batch in the write-ahead log cannot be read");
                }
            }
        }
        memtable.insert(&record.tenant, &record.id, batches, now_ns);
        seen(&record.tenant, &record.id);
    })?;
    Ok(Replayed { files: 1, report, malformed })
}

/// Brings back everything; returns the files of the memtable that goes on being filled.
pub(crate) async fn replay(shared: &Arc<Shared>, recovered: Recovered) -> Result<(Vec<u64>, Replayed), WalError> {
    let mut total = Replayed::default();
    for place in recovered.frozen {
        wait_for_room(shared).await;
        let (dir, files, now_ns) = (recovered.dir.clone(), place.files.clone(), (shared.clock)());
        // A push found here is not remembered: a repetition of it is stored again, and then equal rows are dropped.
        let (memtable, replayed) = blocking(move || memtable(&dir, &files, now_ns)).await?;
        total.add(&replayed);
        let rotated = Rotated { files: place.files.clone(), active_from: 0 };
        shared.tables.restore(Frozen::new(rotated, memtable, Some(place)));
    }
    let mut pending: Vec<u64> = Vec::new();
    let mut files = recovered.active.into_iter().peekable();
    while let Some(file) = files.next() {
        wait_for_room(shared).await;
        let (dir, job) = (recovered.dir.clone(), shared.clone());
        let replayed = blocking(move || {
            let active = job.tables.active();
            replay_file(&dir, file, &active, (job.clock)(), &mut |tenant, id| job.pushes.add(tenant, id))
        })
        .await?;
        total.add(&replayed);
        pending.push(file);
        let held = shared.tables.active().stats().bytes;
        // The next file could bring it beyond what fits one object.
        let full = held >= shared.settings.memtable_bytes || held + shared.file_bytes_max() > ROWS_BYTES_MAX;
        if full && let Some(&next) = files.peek() {
            shared.tables.freeze(Rotated { files: std::mem::take(&mut pending), active_from: next });
        }
    }
    Ok((pending, total))
}

async fn wait_for_room(shared: &Shared) {
    let max = shared.settings.frozen_bytes_max;
    shared.tables.until(|t| t.frozen_bytes() + t.active().stats().bytes <= max || t.frozen_bytes() == 0).await;
}
