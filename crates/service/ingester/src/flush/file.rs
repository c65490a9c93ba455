//! An encoded memtable on the local disk: what is uploaded, and what readers may be served from while
//! the bucket takes nothing.

use std::{
    io::{self, BufWriter},
    path::{Path, PathBuf},
    sync::Arc,
    vec,
};

use bytes::Bytes;
use skald_disk::{Disk, DiskFile};
use skald_memtable::Memtable;
use skald_model::{Labels, LogPosition, Rows, Timestamp};
use skald_segment::{
    Columns, Directory, PageRead, RowSource, SectionIndex, SegmentError, StreamMeta, WriteError, plan_read,
};

use super::encode::{DiskWriter, encode};

/// Bytes collected before they are handed to the disk.
const BUFFER_BYTES: usize = 1 << 20;

/// Why an encoded memtable cannot be read back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("cannot read an encoded memtable: {0}")]
    Io(#[from] io::Error),
    #[error("an encoded memtable is damaged: {0}")]
    Damaged(#[from] SegmentError),
}

/// Why a memtable cannot be encoded to a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EncodeError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// A durable file. It stays readable after its name is gone.
pub(crate) struct FlushFile {
    pub(crate) path: PathBuf,
    pub(crate) position: LogPosition,
    pub(crate) flush_id: u128,
    pub(crate) directory: Directory,
    pub(crate) bytes: u64,
    file: Box<dyn DiskFile>,
}

impl FlushFile {
    /// Encodes `memtable` into a new file of `dir` and makes it durable. Blocks and works.
    ///
    /// # Errors
    /// When the disk refuses; the next attempt begins anew.
    pub(crate) fn write(
        disk: &dyn Disk,
        dir: &Path,
        memtable: &Memtable,
        position: LogPosition,
        flush_id: u128,
    ) -> Result<Self, EncodeError> {
        let path = dir.join(format!("{}-{:020}.log", position.writer, position.seq));
        match disk.remove(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e.into()),
            _ => {}
        }
        let out = BufWriter::with_capacity(BUFFER_BYTES, DiskWriter(disk.create(&path)?));
        let written =
            encode(out, memtable, &position, flush_id).map_err(EncodeError::from).and_then(|(out, directory)| {
                let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?.0;
                file.sync_data()?;
                disk.sync_dir(dir)?;
                Ok((file, directory))
            });
        let (file, directory) = written.inspect_err(|_| {
            // Makes room on a full disk; the next attempt would remove it anyway.
            let _ = disk.remove(&path);
        })?;
        let bytes = file.len()?;
        Ok(Self { path, position, flush_id, directory, bytes, file })
    }

    /// Streams of `tenant` that have rows in `from..to`.
    pub(crate) fn streams(&self, tenant: &str, from: Timestamp, to: Timestamp) -> Result<Vec<StreamMeta>, FileError> {
        let indexes = self.indexes(tenant, from, to)?;
        let overlaps = |s: &&StreamMeta| s.tmax >= from && (s.tmin < to || to == Timestamp::MAX);
        Ok(indexes.iter().flat_map(SectionIndex::streams).filter(overlaps).cloned().collect())
    }

    /// The rows of streams that `matches` accepts in `from..to`, one source a section.
    pub(crate) fn rows(
        self: &Arc<Self>,
        tenant: &str,
        matches: &dyn Fn(&Labels) -> bool,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Pages>, FileError> {
        let indexes = self.indexes(tenant, from, to)?;
        let pages = |index: &SectionIndex| {
            let plan = plan_read(index, matches, from, to, &Columns::ALL);
            Pages { file: self.clone(), pages: plan.pages.into_iter() }
        };
        Ok(indexes.iter().map(pages).collect())
    }

    /// Earliest and latest timestamp of a tenant's rows.
    pub(crate) fn bounds(&self, tenant: &str) -> Option<(Timestamp, Timestamp)> {
        let mine = || self.directory.sections.iter().filter(|e| e.key.tenant.as_str() == tenant);
        Some((mine().map(|e| e.tmin).min()?, mine().map(|e| e.tmax).max()?))
    }

    /// Indexes of the sections of `tenant` with rows in `from..to`.
    fn indexes(&self, tenant: &str, from: Timestamp, to: Timestamp) -> Result<Vec<SectionIndex>, FileError> {
        let wanted = self.directory.sections.iter().filter(|e| e.key.tenant.as_str() == tenant && e.overlaps(from, to));
        wanted.map(|entry| Ok(SectionIndex::decode(entry, &self.read(entry.index.start, entry.index.end)?)?)).collect()
    }

    fn read(&self, start: u64, end: u64) -> io::Result<Bytes> {
        let len = usize::try_from(end.saturating_sub(start)).map_err(io::Error::other)?;
        let mut buf = vec![0; len];
        self.file.read_exact_at(&mut buf, start)?;
        Ok(buf.into())
    }
}

/// Rows of one section, page by page.
pub(crate) struct Pages {
    file: Arc<FlushFile>,
    pages: vec::IntoIter<PageRead>,
}

impl RowSource for Pages {
    type Error = FileError;

    fn next(&mut self) -> Result<Option<Rows>, FileError> {
        let Some(page) = self.pages.next() else { return Ok(None) };
        let fetched = page.ranges.iter().map(|r| self.file.read(r.start, r.end)).collect::<io::Result<Vec<_>>>()?;
        Ok(Some(page.decode(&fetched)?))
    }
}
