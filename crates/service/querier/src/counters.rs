//! What one task has cost so far; shared by the parts that work on it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use skald_wire::pb;

/// Counts of one task.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) rows: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) rows_after_filter: AtomicU64,
    pub(crate) metadata_bytes: AtomicU64,
    pub(crate) sections: AtomicU64,
    pub(crate) pages_read: AtomicU64,
    pub(crate) pages_skipped: AtomicU64,
    pub(crate) duplicates: AtomicU64,
    pub(crate) ingesters: AtomicU64,
    pub(crate) ingester_rows: AtomicU64,
    pub(crate) cache_bytes: AtomicU64,
    pub(crate) bucket_bytes: AtomicU64,
    pub(crate) bucket_requests: AtomicU64,
}

impl Counters {
    /// The counts as a message; times are the worker's to add.
    pub(crate) fn to_stats(&self) -> pb::TaskStats {
        pb::TaskStats {
            rows: self.rows.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            rows_after_filter: self.rows_after_filter.load(Relaxed),
            metadata_bytes: self.metadata_bytes.load(Relaxed),
            sections: self.sections.load(Relaxed),
            pages_read: self.pages_read.load(Relaxed),
            pages_skipped: self.pages_skipped.load(Relaxed),
            duplicates: self.duplicates.load(Relaxed),
            ingesters: self.ingesters.load(Relaxed),
            ingester_rows: self.ingester_rows.load(Relaxed),
            fetched_memory_bytes: self.cache_bytes.load(Relaxed),
            fetched_redis_bytes: 0,
            fetched_bucket_bytes: self.bucket_bytes.load(Relaxed),
            bucket_requests: self.bucket_requests.load(Relaxed),
            queue_ns: 0,
            exec_ns: 0,
        }
    }
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Relaxed);
}
