//! Counts what goes to a bucket and what comes back: requests cost money, bytes cost time.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{BlobError, BlobMeta, BlobStore, Operation};

/// A store that counts. Whoever exports metrics reads [`MeteredStore::stats`].
pub struct MeteredStore {
    inner: Arc<dyn BlobStore>,
    counters: [Counters; Operation::ALL.len()],
}

#[derive(Default)]
struct Counters {
    requests: AtomicU64,
    errors: AtomicU64,
    bytes: AtomicU64,
}

/// Counts of one operation since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OperationStats {
    /// Calls; those under way not counted.
    pub requests: u64,
    /// Calls that failed, `NotFound` and `AlreadyExists` not counted: those are answers.
    pub errors: u64,
    /// Bytes of objects written or read by calls that succeeded.
    pub bytes: u64,
}

/// Counts of all operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats([OperationStats; Operation::ALL.len()]);

impl StoreStats {
    /// The counts of one operation.
    pub fn of(&self, operation: Operation) -> OperationStats {
        self.0[operation as usize]
    }

    /// All operations with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Operation, OperationStats)> + '_ {
        Operation::ALL.into_iter().zip(self.0)
    }

    /// Calls of any operation.
    pub fn requests(&self) -> u64 {
        self.0.iter().map(|o| o.requests).sum()
    }
}

impl MeteredStore {
    /// Counts what goes through it to `inner`. A range read that was joined from several counts
    /// as the one request it is.
    pub fn new(inner: Arc<dyn BlobStore>) -> MeteredStore {
        MeteredStore { inner, counters: Default::default() }
    }

    /// The counts so far.
    pub fn stats(&self) -> StoreStats {
        let load = |c: &Counters| OperationStats {
            requests: c.requests.load(Ordering::Relaxed),
            errors: c.errors.load(Ordering::Relaxed),
            bytes: c.bytes.load(Ordering::Relaxed),
        };
        StoreStats(std::array::from_fn(|i| load(&self.counters[i])))
    }

    fn count<T>(
        &self,
        operation: Operation,
        result: Result<T, BlobError>,
        bytes: impl FnOnce(&T) -> u64,
    ) -> Result<T, BlobError> {
        let counters = &self.counters[operation as usize];
        counters.requests.fetch_add(1, Ordering::Relaxed);
        match &result {
            Ok(value) => {
                counters.bytes.fetch_add(bytes(value), Ordering::Relaxed);
            }
            Err(BlobError::NotFound { .. } | BlobError::AlreadyExists { .. }) => {}
            Err(_) => {
                counters.errors.fetch_add(1, Ordering::Relaxed);
            }
        }
        result
    }
}

#[async_trait]
impl BlobStore for MeteredStore {
    async fn create(&self, key: &str, body: Bytes) -> Result<(), BlobError> {
        let len = body.len() as u64;
        self.count(Operation::Create, self.inner.create(key, body).await, |()| len)
    }

    async fn create_from_file(&self, key: &str, file: &Path) -> Result<(), BlobError> {
        let len = tokio::fs::metadata(file).await.map_or(0, |m| m.len());
        self.count(Operation::Create, self.inner.create_from_file(key, file).await, |()| len)
    }

    async fn put(&self, key: &str, body: Bytes) -> Result<(), BlobError> {
        let len = body.len() as u64;
        self.count(Operation::Put, self.inner.put(key, body).await, |()| len)
    }

    async fn get(&self, key: &str) -> Result<Bytes, BlobError> {
        self.count(Operation::Get, self.inner.get(key).await, |b| b.len() as u64)
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, BlobError> {
        self.count(Operation::GetRange, self.inner.get_range(key, range).await, |b| b.len() as u64)
    }

    async fn get_suffix(&self, key: &str, len: u64) -> Result<(Bytes, u64), BlobError> {
        self.count(Operation::GetSuffix, self.inner.get_suffix(key, len).await, |(b, _)| b.len() as u64)
    }

    async fn head(&self, key: &str) -> Result<BlobMeta, BlobError> {
        self.count(Operation::Head, self.inner.head(key).await, |_| 0)
    }

    async fn list(&self, prefix: &str, start_after: Option<&str>, limit: usize) -> Result<Vec<BlobMeta>, BlobError> {
        self.count(Operation::List, self.inner.list(prefix, start_after, limit).await, |_| 0)
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BlobError> {
        self.count(Operation::Delete, self.inner.delete(keys).await, |()| 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;

    #[tokio::test]
    async fn counts_by_operation() {
        let store = MeteredStore::new(Arc::new(MemoryStore::new()));
        store.create("a", Bytes::from_static(b"hello")).await.unwrap();
        store.create("a", Bytes::from_static(b"hello")).await.unwrap_err();
        store.get("b").await.unwrap_err();
        store.get_range("a", 0..9).await.unwrap_err();
        store.get_ranges("a", &[0..1, 3..5]).await.unwrap();
        let stats = store.stats();
        let table = [(Operation::Create, 2, 0, 5), (Operation::Get, 1, 0, 0), (Operation::GetRange, 2, 1, 5)];
        for (operation, requests, errors, bytes) in table {
            assert_eq!(stats.of(operation), OperationStats { requests, errors, bytes }, "{operation:?}");
        }
        assert_eq!(stats.requests(), 5);
    }
}
