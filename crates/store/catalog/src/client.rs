//! Reading the catalog of one shard from the bucket.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use skald_blob::{BlobError, BlobStore};
use skald_model::Writer;
use skald_segment::{Directory, Located, SUFFIX_BYTES};

use crate::{
    Shard,
    content::Content,
    error::CatalogError,
    keys,
    page::{self, EntryTable, PageRef},
    root::Root,
    seal,
    view::LogObject,
};

/// Pages read at once: a cold start reads all of them, and a bucket serves this many side by side.
const PAGE_READS_MAX: usize = 8;

/// Keys per LIST of the writers' registrations: what S3 gives in one answer.
const LIST_KEYS: usize = 1000;

/// How often the newest root is looked up again when it is collected between LIST and GET.
const ROOT_READS_MAX: usize = 4;

/// One shard's catalog in a bucket. Cheap to clone. Keeps no state: what is read is handed out.
#[derive(Clone)]
pub struct Catalog {
    store: Arc<dyn BlobStore>,
    shard: Shard,
}

impl Catalog {
    /// The catalog of `shard` in `store`.
    pub fn new(store: Arc<dyn BlobStore>, shard: Shard) -> Self {
        Self { store, shard }
    }

    /// Which shard.
    pub fn shard(&self) -> Shard {
        self.shard
    }

    /// The bucket.
    pub fn store(&self) -> &Arc<dyn BlobStore> {
        &self.store
    }

    /// Every registered writer. One LIST per thousand of them: for cold starts only.
    ///
    /// # Errors
    /// When the bucket cannot be listed.
    pub async fn writers(&self) -> Result<Vec<Writer>, CatalogError> {
        let mut writers = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let found = self.store.list(keys::WRITERS_PREFIX, after.as_deref(), LIST_KEYS).await?;
            writers.extend(found.iter().filter_map(|meta| keys::parse_writer_key(&meta.key)));
            if found.len() < LIST_KEYS {
                return Ok(writers);
            }
            after = found.into_iter().next_back().map(|last| last.key);
        }
    }

    /// The newest root, by LIST; `None` for a shard without commits.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn newest_root(&self) -> Result<Option<Root>, CatalogError> {
        for _ in 0..ROOT_READS_MAX {
            let newest = self.store.list(&keys::roots_prefix(self.shard), None, 1).await?;
            let Some(generation) = newest.first().and_then(|meta| keys::parse_root_key(self.shard, &meta.key)) else {
                return Ok(None);
            };
            if let Some(root) = self.root(generation).await? {
                return Ok(Some(root));
            }
        }
        Err(CatalogError::Moving { shard: self.shard })
    }

    /// The root `generation`, `None` when it does not exist.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn root(&self, generation: u64) -> Result<Option<Root>, CatalogError> {
        let key = keys::root_key(self.shard, generation);
        let bytes = match self.store.get(&key).await {
            Ok(bytes) => bytes,
            Err(BlobError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Root::decode(&bytes).map(Some).map_err(|source| CatalogError::Format { key, source })
    }

    /// The content of `root`. Pages that `known` holds are shared, the others are read.
    ///
    /// # Errors
    /// When a page cannot be read; `NotFound` means that the root has been collected.
    pub async fn content(&self, root: Arc<Root>, known: Option<&Content>) -> Result<Content, CatalogError> {
        let read = |page: PageRef| async move {
            match known.and_then(|content| content.page_by_hash(page.hash)) {
                Some(table) => Ok(table.clone()),
                None => self.page(&page).await.map(Arc::new),
            }
        };
        let pages = stream::iter(root.pages.clone()).map(read).buffered(PAGE_READS_MAX).try_collect().await?;
        Ok(Content::new(root, pages))
    }

    async fn page(&self, page: &PageRef) -> Result<EntryTable, CatalogError> {
        let key = keys::page_key(self.shard, page.hash);
        let bytes = self.store.get(&key).await?;
        page::decode_page(page, &bytes).map_err(|source| CatalogError::Format { key, source })
    }

    /// What stands at a position of a log, `None` when there is nothing. Reads the end of the object only.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn log_object(&self, writer: &Writer, seq: u64) -> Result<Option<LogObject>, CatalogError> {
        let key = keys::log_key(writer, seq);
        let (suffix, size) = match self.store.get_suffix(&key, SUFFIX_BYTES).await {
            Ok(found) => found,
            Err(BlobError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if suffix.len() as u64 == size && seal::is_seal(&suffix) {
            seal::decode_seal(&suffix).map_err(|source| CatalogError::Format { key, source })?;
            return Ok(Some(LogObject::Seal));
        }
        let damaged = |source| CatalogError::Segment { key: key.clone(), source };
        let mut located = Directory::locate(&suffix, size).map_err(damaged)?;
        if let Located::NeedMore(range) = located {
            let longer = self.store.get_range(&key, range).await?;
            located = Directory::locate(&longer, size).map_err(damaged)?;
        }
        let Located::Directory(directory) = located else {
            unreachable!("locate was given the bytes it asked for");
        };
        Ok(Some(LogObject::Flushed(Arc::new(directory))))
    }
}
