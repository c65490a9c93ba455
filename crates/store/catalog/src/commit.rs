//! Changing the bucket: registration, flushed objects, seals, roots.
//!
//! Every change is one create that can succeed only once. An answer by which the outcome cannot be
//! known is settled by reading the key: each object carries the name of the attempt that made it.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use skald_blob::BlobError;
use skald_model::{LogPosition, Timestamp, Writer};

use crate::{
    client::Catalog,
    content::Content,
    error::CatalogError,
    keys,
    page::EntryTable,
    root::{Change, CommitId, Root},
    seal, spill,
    view::LogObject,
};

/// How often a create is sent again, with the same bytes, when its outcome was unknown and the key is
/// still free. More would only hide a bucket that is down from the caller, who knows how to wait.
const CREATE_ATTEMPTS: usize = 3;

/// Who won a root generation.
#[derive(Clone, Debug)]
pub enum RootOutcome {
    /// The commit took effect; this is the shard's content after it.
    Committed(Arc<Content>),
    /// Another commit has the generation. Nothing changed; what was prepared is garbage.
    Lost,
}

/// Where a flushed object's bytes are.
#[derive(Clone, Debug)]
pub enum FlushBody<'a> {
    /// In a local file, from which the upload is streamed.
    File(&'a Path),
    /// In memory.
    Bytes(Bytes),
}

/// What became of a flushed object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushOutcome {
    /// It stands in the log: its rows are committed.
    Committed,
    /// The position is taken by a SEAL or by somebody else's object: this log has ended. The same rows
    /// must be flushed again under a new writer id.
    Fenced,
}

/// Whose object stands at a key after a create.
enum Settled {
    Own,
    Other,
    Free,
}

impl Catalog {
    /// Registers `writer`; must be done before its first flushed object. Registering again is harmless.
    ///
    /// # Errors
    /// When the bucket fails.
    pub async fn register_writer(&self, writer: &Writer) -> Result<(), CatalogError> {
        // Content and meaning are the same whoever writes it, so an unconditional write is safe.
        Ok(self.store().put(&keys::writer_key(writer), Bytes::from_static(b"skald writer\n")).await?)
    }

    /// Creates object `seq` of the log of `writer` from `body`, whose footer carries `flush_id`.
    ///
    /// # Errors
    /// When the bucket fails or the outcome stays unknown; then the caller tries again later with the same bytes.
    pub async fn commit_flush(
        &self,
        writer: &Writer,
        seq: u64,
        flush_id: u128,
        body: FlushBody<'_>,
    ) -> Result<FlushOutcome, CatalogError> {
        let key = keys::log_key(writer, seq);
        for _ in 0..CREATE_ATTEMPTS {
            let created = match &body {
                FlushBody::File(path) => self.store().create_from_file(&key, path).await,
                FlushBody::Bytes(bytes) => self.store().create(&key, bytes.clone()).await,
            };
            match created {
                Ok(()) => return Ok(FlushOutcome::Committed),
                Err(BlobError::AlreadyExists { .. } | BlobError::Ambiguous { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            match self.settle_flush(writer, seq, flush_id).await? {
                Settled::Own => return Ok(FlushOutcome::Committed),
                Settled::Other => return Ok(FlushOutcome::Fenced),
                Settled::Free => {}
            }
        }
        Err(CatalogError::Unsettled { key })
    }

    async fn settle_flush(&self, writer: &Writer, seq: u64, flush_id: u128) -> Result<Settled, CatalogError> {
        Ok(match self.log_object(writer, seq).await? {
            None => Settled::Free,
            Some(LogObject::Seal) => Settled::Other,
            Some(LogObject::Flushed(directory)) => match &directory.commit {
                Some(commit) if commit.flush_id == flush_id => Settled::Own,
                _ => Settled::Other,
            },
        })
    }

    /// Ends a log with a SEAL at `position`, one past its head. `false`: an object stands there, the writer lives.
    ///
    /// # Errors
    /// When the bucket fails or the outcome stays unknown.
    pub async fn seal_log(&self, position: &LogPosition) -> Result<bool, CatalogError> {
        let key = keys::log_key(&position.writer, position.seq);
        for _ in 0..CREATE_ATTEMPTS {
            match self.store().create(&key, seal::encode_seal(position)).await {
                Ok(()) => return Ok(true),
                Err(BlobError::AlreadyExists { .. } | BlobError::Ambiguous { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            // All SEALs of a position are equal, so it does not matter whose it is.
            match self.log_object(&position.writer, position.seq).await? {
                Some(LogObject::Seal) => return Ok(true),
                Some(LogObject::Flushed(_)) => return Ok(false),
                None => {}
            }
        }
        Err(CatalogError::Unsettled { key })
    }

    /// Commits `change` as the generation after `base`: pages first, then the root that makes them visible.
    ///
    /// # Errors
    /// When the bucket fails or the outcome stays unknown: the commit may then still take effect.
    pub async fn commit(
        &self,
        base: &Content,
        id: CommitId,
        now: Timestamp,
        change: Change,
    ) -> Result<RootOutcome, CatalogError> {
        let mut root = base.root().successor(id, now, change);
        if spill::needs_spill(&root) {
            let touched: Vec<&EntryTable> = spill::touched_pages(&root).into_iter().map(|i| &**base.page(i)).collect();
            let (spilled, pages) = spill::spill(&root, &touched);
            for (page, bytes) in pages {
                self.store().put(&keys::page_key(self.shard(), page.hash), bytes).await?;
            }
            root = spilled;
        }
        if !self.create_root(&root).await? {
            return Ok(RootOutcome::Lost);
        }
        Ok(RootOutcome::Committed(Arc::new(self.content(Arc::new(root), Some(base)).await?)))
    }

    /// Whether `root` is the one that stands under its generation.
    async fn create_root(&self, root: &Root) -> Result<bool, CatalogError> {
        let key = keys::root_key(self.shard(), root.generation);
        let bytes = root.encode();
        for _ in 0..CREATE_ATTEMPTS {
            let taken = match self.store().create(&key, bytes.clone()).await {
                Ok(()) => return Ok(true),
                Err(BlobError::AlreadyExists { .. }) => true,
                Err(BlobError::Ambiguous { .. }) => false,
                Err(error) => return Err(error.into()),
            };
            match self.root(root.generation).await? {
                Some(found) => return Ok(found.commit == root.commit),
                // It was taken and is gone: collected, so this commit is far behind.
                None if taken => return Ok(false),
                None => {}
            }
        }
        Err(CatalogError::Unsettled { key })
    }
}
