//! The contract of a bucket.

use std::ops::Range;
use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use crate::ranges::{join_ranges, slice_joined};
use crate::{BlobError, RANGE_JOIN_BYTES_MAX, RANGE_JOIN_GAP_BYTES};

/// The largest object: one conditional PUT, which no multipart upload can be. Past some hundred
/// megabytes a single request is too long to repeat after a broken connection.
pub const OBJECT_BYTES_MAX: u64 = 128 << 20;

/// Joined range requests of one call under way at once: enough to hide the latency of a bucket,
/// few enough that one query does not take every connection.
const RANGE_REQUESTS_MAX: usize = 8;

/// A bucket of immutable objects under `/`-separated keys (see [`crate::check_key`]).
///
/// What every implementation promises, and `tests/conformance` checks:
///
/// 1. `create` is atomic: of any number of concurrent creates of one key at most one succeeds, and
///    a reader sees either no object or the whole one.
/// 2. `create`, `put` and `delete` that returned `Ok` survive a crash of everything.
/// 3. After a write returned `Ok`, every `get`, `head` and `list` sees it.
/// 4. `list` is sorted by the bytes of the keys, so a complemented number in the key lists the
///    newest first.
/// 5. A call whose future is dropped may still happen, then or later.
/// 6. An error says what is known: [`BlobError::Ambiguous`] and nothing else means that a write may
///    have happened.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Creates the object; `AlreadyExists` if the key is taken, `Ambiguous` if the outcome is
    /// unknown: read the key and compare. Bodies over [`OBJECT_BYTES_MAX`] are refused.
    async fn create(&self, key: &str, body: Bytes) -> Result<(), BlobError>;

    /// As `create`, with the content of a local file, which must not change meanwhile. The file is
    /// streamed where the backend can do it, not held in memory.
    async fn create_from_file(&self, key: &str, file: &Path) -> Result<(), BlobError>;

    /// Writes the object whether or not the key is taken. For content that is the same whoever
    /// writes it; repeated by itself after transient errors.
    async fn put(&self, key: &str, body: Bytes) -> Result<(), BlobError>;

    /// The whole object.
    async fn get(&self, key: &str) -> Result<Bytes, BlobError>;

    /// Exactly these bytes of the object; `InvalidRange` if it ends before.
    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, BlobError>;

    /// Several ranges of one object, in the order asked for. Neighbouring ranges share a request
    /// (see [`join_ranges`]).
    async fn get_ranges(&self, key: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, BlobError> {
        let joined = join_ranges(ranges, RANGE_JOIN_GAP_BYTES, RANGE_JOIN_BYTES_MAX);
        let parts: Vec<Bytes> = stream::iter(joined.iter().cloned())
            .map(|range| self.get_range(key, range))
            .buffered(RANGE_REQUESTS_MAX)
            .try_collect()
            .await?;
        Ok(slice_joined(ranges, &joined, &parts))
    }

    /// The last `len` bytes of the object, or all of a shorter one, and the object's size in bytes.
    async fn get_suffix(&self, key: &str, len: u64) -> Result<(Bytes, u64), BlobError>;

    /// Size and age of the object.
    async fn head(&self, key: &str) -> Result<BlobMeta, BlobError>;

    /// The first `limit` objects under `prefix` (empty, or ending in `/`) whose keys are greater
    /// than `start_after`, sorted by key. Fewer than `limit` means that there are no more.
    async fn list(&self, prefix: &str, start_after: Option<&str>, limit: usize) -> Result<Vec<BlobMeta>, BlobError>;

    /// Deletes the objects; a missing one is no error. After an error any of them may be gone.
    async fn delete(&self, keys: &[String]) -> Result<(), BlobError>;
}

/// What is known of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobMeta {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, in milliseconds since 1970 by the store's clock, which is not ours.
    pub modified_ms: i64,
}
