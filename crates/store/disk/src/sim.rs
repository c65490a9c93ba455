//! A disk in memory that forgets, on a crash, what was not synced.
//!
//! Every file has two contents and every directory two lists of names: what the running program
//! sees, and what would be found after a power cut. Syncing copies the first to the second.
//! [`SimDisk::crash`] goes back to the second, or, with [`Loss::Some`], to a seeded state between
//! the two, since a kernel may have written any part of what it was not asked to write yet.
//!
//! Faults: a full disk, a failing sync (whose bytes are then lost for good, as on Linux, although
//! the next sync succeeds), a stop after so many operations (to try every crash point), and a disk
//! that lies about syncing, by which a test proves that it would notice a missing sync.

mod state;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::{DirEntry, DirLock, Disk, DiskFile, Metadata};
use state::State;

/// What a crash takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Everything that was not synced.
    Everything,
    /// A seeded part of it: of each file a prefix of the unsynced bytes survives (so the last write
    /// may be torn), of each directory a prefix of the unsynced changes.
    Some,
}

/// The simulated disk. Clones share it, as processes share a machine.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

impl SimDisk {
    /// An empty disk; `seed` decides what [`Loss::Some`] spares.
    pub fn new(seed: u64) -> SimDisk {
        SimDisk { state: Arc::new(Mutex::new(State::new(seed))) }
    }

    /// Power cut and restart: unsynced state is lost, open files and locks are void (their use
    /// fails), a pending [`SimDisk::stop_after`] is over. Faults set on the disk stay.
    pub fn crash(&self, loss: Loss) {
        self.state.lock().crash(loss);
    }

    /// From now on every operation after the next `operations` fails, until [`SimDisk::crash`].
    pub fn stop_after(&self, operations: u64) {
        self.state.lock().operations_left = Some(operations);
    }

    /// Whether a [`SimDisk::stop_after`] has struck.
    pub fn is_stopped(&self) -> bool {
        self.state.lock().operations_left == Some(0)
    }

    /// Operations performed so far that may change the disk, syncs included.
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// Calls of [`DiskFile::sync_data`] so far.
    pub fn data_syncs(&self) -> u64 {
        self.state.lock().data_syncs
    }

    /// Limits the bytes that all files together may hold (`None`: no limit). An append beyond it
    /// writes what fits and fails with `StorageFull`; removing and truncating make room.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state.lock().capacity = bytes;
    }

    /// Bytes held by all files.
    pub fn used_bytes(&self) -> u64 {
        self.state.lock().used
    }

    /// The next sync of a file fails, and the bytes it should have made durable never become so.
    pub fn fail_next_sync(&self) {
        self.state.lock().fail_next_sync = true;
    }

    /// Whether syncs of files are acknowledged without effect.
    pub fn lie_about_data_sync(&self, lie: bool) {
        self.state.lock().lie_data = lie;
    }

    /// Whether syncs of directories are acknowledged without effect.
    pub fn lie_about_dir_sync(&self, lie: bool) {
        self.state.lock().lie_dir = lie;
    }

    /// Flips one bit of a file, in what the program sees and in what a crash leaves.
    pub fn flip_bit(&self, path: &Path, bit: u64) -> io::Result<()> {
        self.state.lock().flip_bit(path, bit)
    }
}

impl Disk for SimDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.state.lock().create_dir_all(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let (inode, epoch) = self.state.lock().create(path)?;
        Ok(Box::new(SimFile { disk: self.clone(), inode, epoch }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let state = self.state.lock();
        let inode = state.file(path)?;
        let epoch = state.epoch;
        drop(state);
        Ok(Box::new(SimFile { disk: self.clone(), inode, epoch }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.state.lock();
        let inode = state.file(path)?;
        Ok(state.content(inode).to_vec())
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.state.lock().metadata(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.state.lock().list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.state.lock().rename(from, to)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.state.lock().hard_link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.state.lock().remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.state.lock().sync_dir(dir)
    }

    fn lock_dir(&self, dir: &Path) -> io::Result<DirLock> {
        let mut state = self.state.lock();
        state.lock_dir(dir)?;
        let guard = SimLock { disk: self.clone(), dir: dir.to_path_buf(), epoch: state.epoch };
        drop(state);
        Ok(DirLock::new(guard))
    }
}

struct SimLock {
    disk: SimDisk,
    dir: PathBuf,
    epoch: u64,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.disk.state.lock();
        // A crash has already let go, and the lock may be another's by now.
        if state.epoch == self.epoch {
            state.locks.remove(&self.dir);
        }
    }
}

struct SimFile {
    disk: SimDisk,
    inode: u64,
    epoch: u64,
}

impl SimFile {
    fn with<T>(&self, f: impl FnOnce(&mut State, u64) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.state.lock();
        if state.epoch != self.epoch {
            return Err(io::Error::other("the file was opened before a crash"));
        }
        f(&mut state, self.inode)
    }
}

impl DiskFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.with(|state, inode| state.append(inode, bytes))
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.with(|state, inode| state.sync_data(inode))
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.with(|state, inode| {
            let start = usize::try_from(offset).map_err(io::Error::other)?;
            let end = start.saturating_add(buf.len());
            let bytes = state.content(inode).get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?;
            buf.copy_from_slice(bytes);
            Ok(())
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.with(|state, inode| Ok(state.content(inode).len() as u64))
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.with(|state, inode| state.truncate(inode, len))
    }
}
