//! The table: tenants, their streams, the batches of each, and how large it all is.

use std::{
    hash::{BuildHasherDefault, Hasher},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};

use hashbrown::HashMap;
use parking_lot::{Mutex, RwLock};
use skald_model::{BatchId, Labels, StreamBatch, TenantId, Timestamp};

/// Batches of any number of tenants' streams. Shared behind an `Arc`; inserts are expected from one
/// thread, reads from any.
#[derive(Debug, Default)]
pub struct Memtable {
    tenants: RwLock<HashMap<TenantId, Arc<Tenant>>>,
    /// Which pushes of which distributor are in it.
    pushes: Mutex<HashMap<String, Vec<u64>>>,
    bytes: AtomicU64,
    rows: AtomicU64,
    streams: AtomicU64,
    /// When the first row came, in nanoseconds; 0 before.
    first_insert_ns: AtomicI64,
}

/// One tenant's part.
#[derive(Debug)]
pub(crate) struct Tenant {
    pub(crate) streams: RwLock<HashMap<Labels, Stream, BuildHasherDefault<LabelsHasher>>>,
    min: AtomicI64,
    max: AtomicI64,
}

impl Default for Tenant {
    fn default() -> Self {
        Self { streams: RwLock::default(), min: AtomicI64::new(i64::MAX), max: AtomicI64::new(i64::MIN) }
    }
}

/// One stream's batches in the order of the log.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) batches: Vec<StreamBatch>,
    pub(crate) rows: u64,
    pub(crate) raw_bytes: u64,
    pub(crate) min: Timestamp,
    pub(crate) max: Timestamp,
}

/// Sizes of a memtable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemtableStats {
    /// About how much memory it holds, in bytes.
    pub bytes: u64,
    /// Rows, copies included.
    pub rows: u64,
    /// Streams of all tenants.
    pub streams: u64,
}

/// Labels bring a hash of their own; hashing it again would only cost time.
#[derive(Debug, Default)]
pub(crate) struct LabelsHasher(u64);

impl Hasher for LabelsHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Memtable {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the batches of one push, which arrived at `now_ns`.
    pub fn insert(&self, tenant: &TenantId, id: &BatchId, batches: Vec<StreamBatch>, now_ns: i64) {
        if batches.is_empty() {
            return;
        }
        // Zero means "no rows yet".
        let _ = self.first_insert_ns.compare_exchange(0, now_ns.max(1), Relaxed, Relaxed);
        self.note_push(id);
        let table = self.tenant_or_new(tenant);
        let (mut bytes, mut rows, mut new_streams) = (0, 0, 0);
        let mut streams = table.streams.write();
        for batch in batches {
            let (min, max) = batch.time_range();
            table.min.fetch_min(min.0, Relaxed);
            table.max.fetch_max(max.0, Relaxed);
            bytes += batch.bytes().len() + size_of::<StreamBatch>();
            rows += batch.len() as u64;
            match streams.get_key_value_mut(batch.labels()) {
                Some((labels, stream)) => {
                    stream.rows += batch.len() as u64;
                    stream.raw_bytes += batch.raw_bytes() as u64;
                    stream.min = stream.min.min(min);
                    stream.max = stream.max.max(max);
                    let labels = labels.clone();
                    stream.batches.push(batch.with_interned_labels(labels));
                }
                None => {
                    let labels = batch.labels().clone();
                    bytes += labels.heap_bytes() + size_of::<(Labels, Stream)>();
                    new_streams += 1;
                    let stream = Stream {
                        rows: batch.len() as u64,
                        raw_bytes: batch.raw_bytes() as u64,
                        min,
                        max,
                        batches: vec![batch],
                    };
                    streams.insert(labels, stream);
                }
            }
        }
        drop(streams);
        self.bytes.fetch_add(bytes as u64, Relaxed);
        self.rows.fetch_add(rows, Relaxed);
        self.streams.fetch_add(new_streams, Relaxed);
    }

    /// Sizes.
    pub fn stats(&self) -> MemtableStats {
        MemtableStats {
            bytes: self.bytes.load(Relaxed),
            rows: self.rows.load(Relaxed),
            streams: self.streams.load(Relaxed),
        }
    }

    /// True before the first row.
    pub fn is_empty(&self) -> bool {
        self.rows.load(Relaxed) == 0
    }

    /// When the first row came, by the clock given to [`Memtable::insert`]; `None` without rows.
    pub fn first_insert_ns(&self) -> Option<i64> {
        Some(self.first_insert_ns.load(Relaxed)).filter(|&ns| ns != 0)
    }

    /// Tenants that have rows, sorted.
    pub fn tenants(&self) -> Vec<TenantId> {
        let mut tenants: Vec<_> = self.tenants.read().keys().cloned().collect();
        tenants.sort_unstable();
        tenants
    }

    /// Earliest and latest timestamp of a tenant's rows.
    pub fn bounds(&self, tenant: &str) -> Option<(Timestamp, Timestamp)> {
        let table = self.tenant(tenant)?;
        let (min, max) = (table.min.load(Relaxed), table.max.load(Relaxed));
        (min <= max).then_some((Timestamp(min), Timestamp(max)))
    }

    /// The pushes whose rows are in it: per distributor the numbers, ascending. Sorted by distributor.
    pub fn pushes(&self) -> Vec<(String, Vec<u64>)> {
        let mut pushes: Vec<_> = self.pushes.lock().iter().map(|(d, numbers)| (d.clone(), numbers.clone())).collect();
        pushes.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (_, numbers) in &mut pushes {
            numbers.sort_unstable();
            numbers.dedup();
        }
        pushes
    }

    pub(crate) fn tenant(&self, tenant: &str) -> Option<Arc<Tenant>> {
        self.tenants.read().get(tenant).cloned()
    }

    fn tenant_or_new(&self, tenant: &TenantId) -> Arc<Tenant> {
        if let Some(table) = self.tenant(tenant.as_str()) {
            return table;
        }
        self.tenants.write().entry(tenant.clone()).or_default().clone()
    }

    fn note_push(&self, id: &BatchId) {
        let mut pushes = self.pushes.lock();
        match pushes.get_mut(&id.distributor) {
            Some(numbers) => numbers.push(id.number),
            None => _ = pushes.insert(id.distributor.clone(), vec![id.number]),
        }
    }
}
