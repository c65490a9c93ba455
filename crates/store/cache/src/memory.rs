//! The nearest tier: this process's memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache as QuickCache;

use crate::{Cache, CacheStats};

/// What an entry costs beside its key and value: table slot, list links, two allocations.
const ENTRY_BYTES: u64 = 128;

/// Settings of a [`MemoryCache`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryConfig {
    /// Bytes of keys, values and their management that are held at most. More of it saves
    /// requests to the next tier; it is resident memory.
    pub bytes_max: u64,
    /// Values larger than this are not kept: one of them would push out many useful ones.
    pub value_bytes_max: usize,
    /// Age at which an entry is forgotten; `None`: only when room is needed.
    pub ttl: Option<Duration>,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        MemoryConfig { bytes_max: 64 << 20, value_bytes_max: 8 << 20, ttl: None }
    }
}

/// A cache in memory, bounded in bytes, that keeps what is asked for often.
///
/// A value is held as it was given: if it is a slice of a larger buffer, the whole buffer stays in
/// memory, so callers put copies of small parts.
pub struct MemoryCache {
    entries: QuickCache<Box<str>, Entry, ByBytes>,
    config: MemoryConfig,
    /// Time since some fixed moment.
    clock: Box<dyn Fn() -> Duration + Send + Sync>,
    hits: AtomicU64,
    misses: AtomicU64,
    hit_bytes: AtomicU64,
    puts: AtomicU64,
    drops: AtomicU64,
}

#[derive(Clone)]
struct Entry {
    value: Bytes,
    expires: Option<Duration>,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Box<str>, Entry> for ByBytes {
    fn weight(&self, key: &Box<str>, entry: &Entry) -> u64 {
        (key.len() + entry.value.len()) as u64 + ENTRY_BYTES
    }
}

impl MemoryCache {
    /// An empty cache.
    #[allow(clippy::disallowed_methods, reason = "the default of a parameter; `with_clock` takes another")]
    pub fn new(config: MemoryConfig) -> MemoryCache {
        let start = Instant::now();
        MemoryCache::with_clock(config, move || start.elapsed())
    }

    /// An empty cache that takes the time since some fixed moment from `clock`.
    pub fn with_clock(config: MemoryConfig, clock: impl Fn() -> Duration + Send + Sync + 'static) -> MemoryCache {
        // The estimate sizes the tables: pages are tens of kilobytes, so this is rather too many.
        let estimate = usize::try_from(config.bytes_max / 16_384).unwrap_or(usize::MAX).clamp(64, 1 << 20);
        MemoryCache {
            entries: QuickCache::with_weighter(estimate, config.bytes_max, ByBytes),
            config,
            clock: Box::new(clock),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            hit_bytes: AtomicU64::new(0),
            puts: AtomicU64::new(0),
            drops: AtomicU64::new(0),
        }
    }

    fn lookup(&self, key: &str) -> Option<Bytes> {
        let entry = self.entries.get(key);
        let live = entry.filter(|e| e.expires.is_none_or(|at| (self.clock)() < at));
        match &live {
            Some(entry) => {
                self.hits.fetch_add(1, Ordering::Relaxed);
                self.hit_bytes.fetch_add(entry.value.len() as u64, Ordering::Relaxed);
            }
            None => {
                self.misses.fetch_add(1, Ordering::Relaxed);
            }
        }
        live.map(|e| e.value)
    }
}

#[async_trait]
impl Cache for MemoryCache {
    async fn get(&self, key: &str) -> Option<Bytes> {
        self.lookup(key)
    }

    async fn get_many(&self, keys: &[String]) -> Vec<Option<Bytes>> {
        keys.iter().map(|key| self.lookup(key)).collect()
    }

    async fn put(&self, key: &str, value: Bytes) {
        if value.len() > self.config.value_bytes_max {
            self.drops.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.puts.fetch_add(1, Ordering::Relaxed);
        let expires = self.config.ttl.map(|ttl| (self.clock)() + ttl);
        self.entries.insert(key.into(), Entry { value, expires });
    }

    fn stats(&self) -> Vec<CacheStats> {
        vec![CacheStats {
            tier: "memory",
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            hit_bytes: self.hit_bytes.load(Ordering::Relaxed),
            puts: self.puts.load(Ordering::Relaxed),
            drops: self.drops.load(Ordering::Relaxed),
            errors: 0,
            held_bytes: self.entries.weight(),
        }]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn memory_stays_bounded() {
        let config = MemoryConfig { bytes_max: 1 << 20, value_bytes_max: 10_000, ttl: None };
        let cache = MemoryCache::new(config);
        for i in 0..1000 {
            cache.put(&format!("key {i}"), vec![0; 8_000].into()).await;
            assert!(cache.stats()[0].held_bytes <= config.bytes_max);
        }
        cache.put("large", vec![0; 10_001].into()).await;
        assert_eq!(cache.get("large").await, None);
        let stats = &cache.stats()[0];
        assert_eq!((stats.puts, stats.drops, stats.misses), (1000, 1, 1));
        assert!(stats.held_bytes > config.bytes_max / 2);
    }

    #[tokio::test]
    async fn entries_expire() {
        let seconds = Arc::new(AtomicU64::new(0));
        let clock = seconds.clone();
        let config = MemoryConfig { ttl: Some(Duration::from_secs(60)), ..MemoryConfig::default() };
        let cache = MemoryCache::with_clock(config, move || Duration::from_secs(clock.load(Ordering::Relaxed)));
        cache.put("key", Bytes::from_static(b"value")).await;
        for (now, found) in [(0, true), (59, true), (60, false)] {
            seconds.store(now, Ordering::Relaxed);
            assert_eq!(cache.get("key").await.is_some(), found, "after {now} s");
        }
    }
}
