//! Pack objects: folded sections of many tenants side by side, so that small tenants cost no requests
//! of their own.

use std::sync::Arc;

use bytes::Bytes;
use skald_blob::BlobStore;
use skald_catalog::{Entry, Shard, keys};
use skald_model::{CommitVector, Timestamp};
use skald_segment::{Arrivals, Level, ObjectWriter, SectionKey, WriterOptions};

use crate::{error::CompactError, heavy::heavy, service::RandomIds};

/// A pack is closed once its pages take this much: with the slice that closed it, it stays below what
/// one PUT may carry, and it bounds the memory of a fold together with `fold::SLICE_RAW_BYTES`.
const PACK_BYTES: u64 = 48 << 20;

/// Arrival numbers are all kept: rows of one timestamp may be spread over several folds, and only
/// these numbers put them in order when they meet.
const OPTIONS: fn() -> WriterOptions = || WriterOptions { keep_arrivals: Arrivals::All, ..WriterOptions::default() };

/// The writer of a pack under way, and the section that is open in it.
pub(crate) type PackWriter = ObjectWriter<Vec<u8>>;

/// What is written of a fold so far.
pub(crate) struct Packs {
    store: Arc<dyn BlobStore>,
    shard: Shard,
    now: Timestamp,
    ids: RandomIds,
    run_id: u128,
    open: Option<PackWriter>,
    section: Option<(SectionKey, CommitVector)>,
    entries: Vec<Entry>,
    bytes: u64,
}

impl Packs {
    /// Nothing yet. Objects are named by `now` and `ids`.
    pub(crate) fn new(store: Arc<dyn BlobStore>, shard: Shard, now: Timestamp, ids: RandomIds) -> Self {
        let run_id = ids();
        Self { store, shard, now, ids, run_id, open: None, section: None, entries: Vec::new(), bytes: 0 }
    }

    /// Begins the section of a tenant and window; ends the one before.
    pub(crate) fn begin(&mut self, key: SectionKey, sources: CommitVector) -> Result<(), CompactError> {
        if let Some(writer) = &mut self.open {
            writer.begin_section(key.clone(), Level::FOLDED, self.run_id, sources.clone())?;
        }
        self.section = Some((key, sources));
        Ok(())
    }

    /// The writer to push the next rows of the open section to; give it back with [`Packs::put_back`].
    pub(crate) fn take(&mut self) -> Result<PackWriter, CompactError> {
        if let Some(writer) = self.open.take() {
            return Ok(writer);
        }
        let mut writer = ObjectWriter::new(Vec::new(), OPTIONS())?;
        if let Some((key, sources)) = self.section.clone() {
            writer.begin_section(key, Level::FOLDED, self.run_id, sources)?;
        }
        Ok(writer)
    }

    /// Goes on with `writer`, or closes its pack when it is large enough.
    pub(crate) async fn put_back(&mut self, writer: PackWriter) -> Result<(), CompactError> {
        if writer.bytes_written() < PACK_BYTES {
            self.open = Some(writer);
            return Ok(());
        }
        self.close(writer).await
    }

    /// Writes what is open. The entries of all sections, and the bytes of all packs.
    pub(crate) async fn finish(mut self) -> Result<(Vec<Entry>, u64), CompactError> {
        if let Some(writer) = self.open.take() {
            self.close(writer).await?;
        }
        Ok((self.entries, self.bytes))
    }

    async fn close(&mut self, writer: PackWriter) -> Result<(), CompactError> {
        let (body, directory) = heavy(move || writer.finish(None)).await??;
        if directory.sections.is_empty() {
            return Ok(());
        }
        let object: Arc<str> = keys::segment_key(self.shard, self.now, (self.ids)()).into();
        self.bytes += body.len() as u64;
        // Nobody else can draw this key, so writing it twice after an unclear answer is harmless.
        self.store.put(&object, Bytes::from(body)).await?;
        let entries = directory.sections.into_iter().map(|section| Entry { object: object.clone(), section });
        self.entries.extend(entries);
        Ok(())
    }
}
