//! A bucket in memory, for tests, simulations and processes that need no tomorrow.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::RwLock;

use crate::{BlobError, BlobMeta, BlobStore, OBJECT_BYTES_MAX, check_key, check_prefix};

/// Milliseconds since 1970.
type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Objects in a map. Clones share it. Keeps every promise of [`BlobStore`] but durability.
#[derive(Clone)]
pub struct MemoryStore {
    objects: Arc<RwLock<BTreeMap<String, Object>>>,
    clock: Clock,
}

struct Object {
    body: Bytes,
    modified_ms: i64,
}

impl Default for MemoryStore {
    fn default() -> Self {
        MemoryStore::new()
    }
}

impl MemoryStore {
    /// An empty bucket that stamps objects with the system's time.
    #[allow(clippy::disallowed_methods, reason = "the default of a parameter; `with_clock` takes another")]
    pub fn new() -> MemoryStore {
        MemoryStore::with_clock(|| {
            let age = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(age.as_millis()).unwrap_or(i64::MAX)
        })
    }

    /// An empty bucket that stamps objects with `clock` (milliseconds since 1970).
    pub fn with_clock(clock: impl Fn() -> i64 + Send + Sync + 'static) -> MemoryStore {
        MemoryStore { objects: Arc::default(), clock: Arc::new(clock) }
    }

    fn with<T>(&self, key: &str, f: impl FnOnce(&Object) -> T) -> Result<T, BlobError> {
        check_key(key)?;
        let objects = self.objects.read();
        objects.get(key).map(f).ok_or_else(|| BlobError::NotFound { key: key.to_owned() })
    }

    fn write(&self, key: &str, body: Bytes, replace: bool) -> Result<(), BlobError> {
        check_key(key)?;
        let bytes = body.len() as u64;
        if bytes > OBJECT_BYTES_MAX {
            return Err(BlobError::TooLarge { key: key.to_owned(), bytes });
        }
        let mut objects = self.objects.write();
        if !replace && objects.contains_key(key) {
            return Err(BlobError::AlreadyExists { key: key.to_owned() });
        }
        objects.insert(key.to_owned(), Object { body, modified_ms: (self.clock)() });
        Ok(())
    }
}

#[async_trait]
impl BlobStore for MemoryStore {
    async fn create(&self, key: &str, body: Bytes) -> Result<(), BlobError> {
        self.write(key, body, false)
    }

    async fn create_from_file(&self, key: &str, file: &Path) -> Result<(), BlobError> {
        let unreadable = |reason: String| BlobError::Other { key: key.to_owned(), reason };
        let body = tokio::fs::read(file).await.map_err(|e| unreadable(format!("{}: {e}", file.display())))?;
        self.write(key, body.into(), false)
    }

    async fn put(&self, key: &str, body: Bytes) -> Result<(), BlobError> {
        self.write(key, body, true)
    }

    async fn get(&self, key: &str) -> Result<Bytes, BlobError> {
        self.with(key, |o| o.body.clone())
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, BlobError> {
        self.with(key, |o| {
            if range.start > range.end || range.end > o.body.len() as u64 {
                return Err(BlobError::InvalidRange { key: key.to_owned(), start: range.start, end: range.end });
            }
            let at = |byte: u64| usize::try_from(byte).expect("checked against a length in memory");
            Ok(o.body.slice(at(range.start)..at(range.end)))
        })?
    }

    async fn get_suffix(&self, key: &str, len: u64) -> Result<(Bytes, u64), BlobError> {
        self.with(key, |o| {
            let start = o.body.len().saturating_sub(usize::try_from(len).unwrap_or(usize::MAX));
            (o.body.slice(start..), o.body.len() as u64)
        })
    }

    async fn head(&self, key: &str) -> Result<BlobMeta, BlobError> {
        self.with(key, |o| BlobMeta { key: key.to_owned(), size: o.body.len() as u64, modified_ms: o.modified_ms })
    }

    async fn list(&self, prefix: &str, start_after: Option<&str>, limit: usize) -> Result<Vec<BlobMeta>, BlobError> {
        check_prefix(prefix)?;
        let from = match start_after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let objects = self.objects.read();
        let below = objects.range::<str, _>((from, Bound::Unbounded)).take_while(|(key, _)| key.starts_with(prefix));
        let meta = |(key, o): (&String, &Object)| BlobMeta {
            key: key.clone(),
            size: o.body.len() as u64,
            modified_ms: o.modified_ms,
        };
        Ok(below.take(limit).map(meta).collect())
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BlobError> {
        keys.iter().try_for_each(|key| check_key(key))?;
        let mut objects = self.objects.write();
        for key in keys {
            objects.remove(key);
        }
        Ok(())
    }
}
