//! The memtables of an ingester: the one being filled, those on their way into the bucket, and the
//! commit vector that stands for those that are there.
//!
//! Readers take all three in one step. A memtable leaves in the same step that raises the vector, so
//! whoever does not see its rows is told to find them in the catalog.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::{Mutex, RwLock};
use skald_memtable::Memtable;
use skald_model::{CommitVector, Writer};
use skald_wal::{FrozenFiles, Owner, Rotated};
use tokio::sync::Notify;

use crate::flush::FlushFile;

/// Bytes of rows beyond which a memtable is frozen early, so that its object stays below
/// [`skald_blob::OBJECT_BYTES_MAX`] even if nothing can be compressed.
pub(crate) const ROWS_BYTES_MAX: u64 = 96 << 20;

/// A memtable that gets no more rows.
pub(crate) struct Frozen {
    /// Its files in the log.
    pub(crate) rotated: Rotated,
    held: RwLock<Held>,
    state: Mutex<Progress>,
}

/// Where the rows of a frozen memtable are read from.
#[derive(Clone)]
pub(crate) enum Held {
    /// Memory.
    Memory(Arc<Memtable>),
    /// The encoded file, because the bucket takes nothing and memory is scarce.
    File(Arc<FlushFile>),
}

#[derive(Default)]
struct Progress {
    /// Its sequence number, once the log's manifest has it.
    place: Option<FrozenFiles>,
    /// Its encoded file, once that is durable.
    file: Option<Arc<FlushFile>>,
}

impl Frozen {
    pub(crate) fn new(rotated: Rotated, memtable: Arc<Memtable>, place: Option<FrozenFiles>) -> Self {
        let state = Mutex::new(Progress { place, file: None });
        Self { rotated, held: RwLock::new(Held::Memory(memtable)), state }
    }

    pub(crate) fn held(&self) -> Held {
        self.held.read().clone()
    }

    pub(crate) fn place(&self) -> Option<FrozenFiles> {
        self.state.lock().place.clone()
    }

    pub(crate) fn file(&self) -> Option<Arc<FlushFile>> {
        self.state.lock().file.clone()
    }

    /// Gives it its number, or another one.
    pub(crate) fn set_place(&self, place: FrozenFiles) {
        self.state.lock().place = Some(place);
    }

    pub(crate) fn set_file(&self, file: Arc<FlushFile>) {
        self.state.lock().file = Some(file);
    }

    /// Forgets the encoded file: it is of no use. The rows are `memtable`'s from here on.
    pub(crate) fn unfile(&self, memtable: Arc<Memtable>) {
        *self.held.write() = Held::Memory(memtable);
        self.state.lock().file = None;
    }

    /// Serves readers from the encoded file, if there is one, and frees the memory.
    pub(crate) fn spill(&self) {
        if let Some(file) = self.file() {
            *self.held.write() = Held::File(file);
        }
    }

    /// Bytes of rows in memory.
    pub(crate) fn memory_bytes(&self) -> u64 {
        match &*self.held.read() {
            Held::Memory(memtable) => memtable.stats().bytes,
            Held::File(_) => 0,
        }
    }
}

struct Inner {
    active: Arc<Memtable>,
    frozen: VecDeque<Arc<Frozen>>,
    need: CommitVector,
}

/// See the module.
pub(crate) struct Tables {
    inner: RwLock<Inner>,
    /// Rung at every change of the list of frozen memtables or of one of them.
    changed: Notify,
}

/// What a reader reads: all rows that are not covered by `need`.
pub(crate) struct Snapshot {
    pub(crate) active: Arc<Memtable>,
    pub(crate) frozen: Vec<Arc<Frozen>>,
    pub(crate) need: CommitVector,
}

impl Tables {
    /// No rows; `need` is what earlier lives have committed.
    pub(crate) fn new(need: CommitVector) -> Self {
        let inner = Inner { active: Arc::default(), frozen: VecDeque::new(), need };
        Self { inner: RwLock::new(inner), changed: Notify::new() }
    }

    pub(crate) fn active(&self) -> Arc<Memtable> {
        self.inner.read().active.clone()
    }

    pub(crate) fn frozen(&self) -> Vec<Arc<Frozen>> {
        self.inner.read().frozen.iter().cloned().collect()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let inner = self.inner.read();
        Snapshot {
            active: inner.active.clone(),
            frozen: inner.frozen.iter().cloned().collect(),
            need: inner.need.clone(),
        }
    }

    /// Freezes the active memtable and begins the next.
    pub(crate) fn freeze(&self, rotated: Rotated) {
        let mut inner = self.inner.write();
        let memtable = std::mem::take(&mut inner.active);
        inner.frozen.push_back(Arc::new(Frozen::new(rotated, memtable, None)));
        drop(inner);
        self.ring();
    }

    /// Adds a frozen memtable that a restart found.
    pub(crate) fn restore(&self, frozen: Frozen) {
        self.inner.write().frozen.push_back(Arc::new(frozen));
        self.ring();
    }

    /// The oldest frozen memtable is object `seq` of `writer` now: it goes, and readers are told so.
    pub(crate) fn committed(&self, writer: &Writer, seq: u64) {
        let mut inner = self.inner.write();
        inner.need.raise(writer, seq);
        let gone = inner.frozen.pop_front();
        drop(inner);
        // Freeing many batches takes a while: not under the lock.
        drop(gone);
        self.ring();
    }

    /// Bytes of rows in frozen memtables that are in memory.
    pub(crate) fn frozen_bytes(&self) -> u64 {
        self.inner.read().frozen.iter().map(|f| f.memory_bytes()).sum()
    }

    /// Says that something has changed.
    pub(crate) fn ring(&self) {
        self.changed.notify_waiters();
    }

    /// Waits until `done` says so; it is asked again at every change.
    pub(crate) async fn until(&self, done: impl Fn(&Self) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before the question, so that no change falls between.
            changed.as_mut().enable();
            if done(self) {
                return;
            }
            changed.await;
        }
    }
}

/// The log's view of the tables.
pub(crate) struct TableOwner {
    tables: Arc<Tables>,
    memtable_bytes: u64,
    /// Files that ended without any row in the memtable: the next one that is frozen takes them.
    carried: Vec<u64>,
}

impl TableOwner {
    pub(crate) fn new(tables: Arc<Tables>, memtable_bytes: u64) -> Self {
        Self { tables, memtable_bytes, carried: Vec::new() }
    }
}

impl Owner for TableOwner {
    fn is_full(&mut self, bytes: usize) -> bool {
        let held = self.tables.active().stats().bytes;
        held >= self.memtable_bytes || (held > 0 && held + bytes as u64 > ROWS_BYTES_MAX)
    }

    fn rotated(&mut self, mut rotated: Rotated) {
        self.carried.append(&mut rotated.files);
        if !self.tables.active().is_empty() {
            rotated.files = std::mem::take(&mut self.carried);
            self.tables.freeze(rotated);
        }
    }
}
