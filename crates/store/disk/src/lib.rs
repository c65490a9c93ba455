//! The local disk, reduced to the operations whose order durability depends on.
//!
//! The WAL and the filesystem object store write through [`Disk`], so that the code that ships also
//! runs over [`SimDisk`], which on a crash forgets every write and directory entry that was not
//! synced. [`RealDisk`] is the operating system. Calls block: async code wraps them in
//! `spawn_blocking` or owns a thread.
//!
//! What the trait promises is what POSIX promises and no more: syncing a file makes its bytes
//! durable, not its name; syncing a directory makes the names in it durable, not their bytes.
#![cfg_attr(test, allow(clippy::unwrap_used))] // a test that panics has failed, which is what it is for

mod real;
mod sim;

use std::any::Any;
use std::io;
use std::path::Path;

pub use real::RealDisk;
pub use sim::{Loss, SimDisk};

/// The operations on a file system. All paths are handed to the operating system as they are.
///
/// Errors are [`io::Error`]s with the kinds of `std::fs`: `NotFound`, `AlreadyExists`,
/// `StorageFull` and so on. A failed operation may have happened in part; what is on disk then is
/// unknown until read.
pub trait Disk: Send + Sync + 'static {
    /// Creates `dir` and every missing parent. On return all of them exist durably: the parents of
    /// the created ones have been synced, and that of `dir` even if nothing was missing.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// Creates a new, empty file, open for appending and reading; `AlreadyExists` if the name is
    /// taken. The name is durable only after [`Disk::sync_dir`] on its directory.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens an existing file for appending and reading.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// The whole content of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Size and age of a file or directory.
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;

    /// The entries of a directory, sorted by the bytes of their names. Names that are not UTF-8
    /// are left out: nothing here creates such.
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>>;

    /// Moves a file, atomically replacing what was at `to`. Durable after both directories are synced.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file a second name; `AlreadyExists` if `to` is taken. Atomic, hence the way to
    /// publish a file under a name that must never be overwritten.
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes one name of a file. Durable after [`Disk::sync_dir`]; until then the name may come back.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in `dir` durable: creations, renames, links and removals.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the exclusive lock of a directory, held until the returned value is dropped or the
    /// process ends; `WouldBlock` if another process (or another holder in this one) has it.
    fn lock_dir(&self, dir: &Path) -> io::Result<DirLock>;
}

/// An open file: bytes are only ever added at the end or cut off there.
// There is no `is_empty`: `len` asks the disk and may fail.
#[allow(clippy::len_without_is_empty)]
pub trait DiskFile: Send + Sync {
    /// Writes all of `bytes` at the end. After an error any prefix of them may have been written:
    /// the caller truncates to the length it knows, or gives the file up.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Writes all of `pieces`, one after the other, at the end; after an error as [`DiskFile::append`].
    fn append_vectored(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        pieces.iter().try_for_each(|piece| self.append(piece))
    }

    /// Makes everything appended so far durable. After an error the bytes since the last success
    /// may be lost even if a later call succeeds: never retry on the same file, write a new one.
    fn sync_data(&mut self) -> io::Result<()>;

    /// Fills `buf` from byte `offset` on; `UnexpectedEof` if the file ends before.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;

    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Cuts the file to `len` bytes. Durable after [`DiskFile::sync_data`].
    fn truncate(&mut self, len: u64) -> io::Result<()>;
}

/// What [`Disk::metadata`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Length in bytes; for a directory without meaning.
    pub len: u64,
    /// Last modification, in milliseconds since 1970 by the clock of the file system.
    pub modified_ms: i64,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// The name, without its directory.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// The exclusive lock of a directory; dropping it lets go.
#[must_use = "dropping the lock releases the directory"]
pub struct DirLock {
    _guard: Box<dyn Any + Send + Sync>,
}

impl DirLock {
    fn new(guard: impl Any + Send + Sync) -> DirLock {
        DirLock { _guard: Box::new(guard) }
    }
}

impl std::fmt::Debug for DirLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DirLock")
    }
}

/// Name of the file that carries the lock of a data directory.
pub const LOCK_FILE: &str = "LOCK";

#[cfg(test)]
mod tests;
