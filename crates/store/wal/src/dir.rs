//! The directory of a log: its lock, its manifest, its files, and what a restart finds in it.
//!
//! Everything here blocks on the disk. The order of steps is what durability rests on: the manifest
//! names the files of a frozen memtable before anything is uploaded under its number, and forgets
//! them before they are removed. A file that neither the manifest nor the memtable being filled
//! needs is left over from between those two steps and is removed by the next start.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::Mutex;
use skald_disk::{DirLock, Disk, DiskFile};
use skald_model::Writer;

use crate::{
    manifest::{FrozenFiles, Manifest},
    record::Record,
    scan::{Found, Scan, header},
};

/// Name of the manifest in the directory.
const MANIFEST: &str = "writer";
/// Name under which a new manifest is written before it is renamed.
const MANIFEST_NEW: &str = "writer.new";
/// Ending of the names of WAL files.
const SUFFIX: &str = ".wal";

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WalError {
    /// The disk refused.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another process uses the directory.
    #[error("the data directory {} is in use by another process", .0.display())]
    Locked(PathBuf),
}

impl WalError {
    fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, path: path.to_path_buf(), source }
    }
}

/// A locked log directory. All methods may be called from any thread.
pub struct WalDir {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    state: Mutex<State>,
    lock: Mutex<Option<DirLock>>,
}

struct State {
    manifest: Manifest,
    /// By number: the salt and the length.
    files: BTreeMap<u64, (u32, u64)>,
    next_file: u64,
    salts: u64,
}

/// What a start finds.
pub struct Recovered {
    /// The directory, locked.
    pub dir: Arc<WalDir>,
    /// Frozen memtables whose objects are not known to be in the bucket, in the order of their numbers.
    pub frozen: Vec<FrozenFiles>,
    /// Files of the memtable that was being filled, ascending.
    pub active: Vec<u64>,
    /// True when there were files but no readable manifest: the log continues under a new writer id
    /// and everything in the files is flushed again.
    pub manifest_lost: bool,
}

/// What replaying one file found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileReport {
    /// Whole records.
    pub records: u64,
    /// Damaged places that were skipped.
    pub skipped: u64,
    /// Bytes in them.
    pub skipped_bytes: u64,
    /// Bytes of an interrupted last write that were cut.
    pub torn_bytes: u64,
}

impl WalDir {
    /// Locks `path`, creating it if needed, and reads or begins its manifest. `new_writer` is asked
    /// only for a directory that has no readable manifest; `entropy` salts the files to come.
    ///
    /// # Errors
    /// [`WalError::Locked`], or what the disk says.
    pub fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        new_writer: impl FnOnce() -> Writer,
        entropy: u64,
    ) -> Result<Recovered, WalError> {
        disk.create_dir_all(path).map_err(WalError::io("create", path))?;
        let lock = disk.lock_dir(path).map_err(|e| match e.kind() {
            io::ErrorKind::WouldBlock => WalError::Locked(path.to_path_buf()),
            _ => WalError::io("lock", path)(e),
        })?;
        // Names that an earlier process created or removed and did not sync must not change again.
        disk.sync_dir(path).map_err(WalError::io("sync", path))?;
        let mut files = BTreeMap::new();
        for entry in disk.list(path).map_err(WalError::io("list", path))? {
            if let Some((number, salt)) = parse_name(&entry.name) {
                let file = path.join(&entry.name);
                let len = disk.metadata(&file).map_err(WalError::io("look at", &file))?.len;
                files.insert(number, (salt, len));
            }
        }
        let manifest_path = path.join(MANIFEST);
        let found = match disk.read(&manifest_path) {
            Ok(text) => Manifest::decode(&text),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(WalError::io("read", &manifest_path)(e)),
        };
        let manifest_lost = found.is_none() && !files.is_empty();
        let is_new = found.is_none();
        let manifest = found.unwrap_or_else(|| {
            let mut manifest = Manifest::new(new_writer());
            manifest.active_from = files.keys().next().copied().unwrap_or(1);
            manifest
        });
        let next_file = files.keys().last().map_or(1, |last| last + 1).max(manifest.active_from);
        let state = Mutex::new(State { manifest, files, next_file, salts: entropy });
        let dir = Self { disk, path: path.to_path_buf(), state, lock: Mutex::new(Some(lock)) };
        let mut state = dir.state.lock();
        if is_new {
            dir.write_manifest(&state.manifest)?;
        }
        dir.remove_unneeded(&mut state);
        let active_from = state.manifest.active_from;
        let active = state.files.range(active_from..).map(|(&number, _)| number).collect();
        let frozen = state.manifest.frozen.clone();
        drop(state);
        Ok(Recovered { dir: Arc::new(dir), frozen, active, manifest_lost })
    }

    /// Lets another process (or another owner in this one) have the directory. Nothing may be written
    /// through this value any more, whoever still holds it.
    pub fn unlock(&self) {
        *self.lock.lock() = None;
    }

    /// The manifest as it stands.
    pub fn manifest(&self) -> Manifest {
        self.state.lock().manifest.clone()
    }

    /// Bytes of all WAL files.
    pub fn bytes(&self) -> u64 {
        self.state.lock().files.values().map(|&(_, len)| len).sum()
    }

    /// Hands the records of a file that an earlier process wrote to `each`, in their order, after
    /// making durable that they are there: a repeated push may be answered because of them.
    ///
    /// # Errors
    /// When the disk refuses. Damage in the content is no error, see [`FileReport`]. A file that is
    /// gone counts as empty.
    pub fn replay(&self, number: u64, each: &mut dyn FnMut(Record)) -> Result<FileReport, WalError> {
        let mut report = FileReport::default();
        let Some((salt, _)) = self.state.lock().files.get(&number).copied() else { return Ok(report) };
        let path = self.file_path(number, salt);
        let content = Bytes::from(self.disk.read(&path).map_err(WalError::io("read", &path))?);
        let mut file = self.disk.open(&path).map_err(WalError::io("open", &path))?;
        let torn = Scan::new(content.clone(), salt).find_map(|found| match found {
            Found::TornTail(range) => Some(range.start),
            Found::Record(_) | Found::Skipped(_) => None,
        });
        if let Some(end) = torn {
            file.truncate(end as u64).map_err(WalError::io("truncate", &path))?;
        }
        file.sync_data().map_err(WalError::io("sync", &path))?;
        for found in Scan::new(content, salt) {
            match found {
                Found::Record(record) => {
                    report.records += 1;
                    each(record);
                }
                Found::Skipped(range) => {
                    report.skipped += 1;
                    report.skipped_bytes += range.len() as u64;
                    tracing::error!(file = %path.display(), from = range.start, to = range.end, "skipped damage in the write-ahead log");
                }
                Found::TornTail(range) => {
                    report.torn_bytes += range.len() as u64;
                    tracing::warn!(file = %path.display(), from = range.start, bytes = range.len(), "cut an interrupted write off the write-ahead log");
                }
            }
        }
        Ok(report)
    }

    /// Gives the memtable whose rows are in `files` the next sequence number, durably. `active_from`
    /// is the first file of the memtable after it.
    ///
    /// # Errors
    /// When the disk refuses: nothing has changed, the call may be repeated.
    pub fn record_frozen(&self, files: Vec<u64>, active_from: u64, flush_id: u128) -> Result<FrozenFiles, WalError> {
        let mut state = self.state.lock();
        let mut manifest = state.manifest.clone();
        let frozen = FrozenFiles { seq: manifest.next_seq(), flush_id, files };
        manifest.frozen.push(frozen.clone());
        manifest.active_from = active_from;
        self.write_manifest(&manifest)?;
        state.manifest = manifest;
        Ok(frozen)
    }

    /// Remembers that the object of `seq` is durable in the bucket, then removes its files.
    ///
    /// # Errors
    /// When the disk refuses to remember: nothing has changed, the call may be repeated. That a file
    /// cannot be removed is no error; the next start tries again.
    pub fn record_committed(&self, seq: u64) -> Result<(), WalError> {
        let mut state = self.state.lock();
        let mut manifest = state.manifest.clone();
        manifest.frozen.retain(|f| f.seq > seq);
        manifest.committed = manifest.committed.max(seq);
        self.write_manifest(&manifest)?;
        state.manifest = manifest;
        self.remove_unneeded(&mut state);
        Ok(())
    }

    /// Gives the log a new writer id because the old one's log was sealed. Frozen memtables get new
    /// sequence numbers from 1 on, and the flush ids that `flush_id` returns.
    ///
    /// # Errors
    /// When the disk refuses: nothing has changed.
    pub fn change_writer(
        &self,
        writer: Writer,
        mut flush_id: impl FnMut() -> u128,
    ) -> Result<Vec<FrozenFiles>, WalError> {
        let mut state = self.state.lock();
        let mut manifest = state.manifest.clone();
        let former = std::mem::replace(&mut manifest.writer, writer);
        manifest.former.push((former, manifest.committed));
        manifest.committed = 0;
        for (frozen, seq) in manifest.frozen.iter_mut().zip(1..) {
            frozen.seq = seq;
            frozen.flush_id = flush_id();
        }
        self.write_manifest(&manifest)?;
        state.manifest = manifest;
        Ok(state.manifest.frozen.clone())
    }

    /// Creates the next file with its header and makes its name durable: `(number, salt, file)`.
    pub(crate) fn create_file(&self) -> Result<(u64, u32, Box<dyn DiskFile>), io::Error> {
        let mut state = self.state.lock();
        let number = state.next_file;
        // A number is used once even if creating fails half way: its name may be there.
        state.next_file += 1;
        state.salts = splitmix(state.salts);
        let salt = (state.salts >> 32) as u32;
        state.files.insert(number, (salt, 0));
        drop(state);
        let mut file = self.disk.create(&self.file_path(number, salt))?;
        file.append(&header(salt))?;
        self.disk.sync_dir(&self.path)?;
        Ok((number, salt, file))
    }

    /// The number that the next new file will have.
    pub(crate) fn next_file(&self) -> u64 {
        self.state.lock().next_file
    }

    /// Notes how long a file has become.
    pub(crate) fn set_len(&self, number: u64, len: u64) {
        if let Some(file) = self.state.lock().files.get_mut(&number) {
            file.1 = len;
        }
    }

    fn file_path(&self, number: u64, salt: u32) -> PathBuf {
        self.path.join(file_name(number, salt))
    }

    fn write_manifest(&self, manifest: &Manifest) -> Result<(), WalError> {
        let new = self.path.join(MANIFEST_NEW);
        let write = || {
            match self.disk.remove(&new) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
            let mut file = self.disk.create(&new)?;
            file.append(manifest.encode().as_bytes())?;
            file.sync_data()?;
            self.disk.rename(&new, &self.path.join(MANIFEST))?;
            self.disk.sync_dir(&self.path)
        };
        write().map_err(WalError::io("write", &new))
    }

    fn remove_unneeded(&self, state: &mut State) {
        let State { manifest, files, .. } = state;
        files.retain(|&number, &mut (salt, _)| {
            if manifest.needs(number) {
                return true;
            }
            let path = self.file_path(number, salt);
            match self.disk.remove(&path) {
                Ok(()) => false,
                Err(e) if e.kind() == io::ErrorKind::NotFound => false,
                Err(error) => {
                    tracing::warn!(file = %path.display(), %error, "cannot remove a file of the write-ahead log");
                    true
                }
            }
        });
    }
}

fn file_name(number: u64, salt: u32) -> String {
    format!("{number:016}-{salt:08x}{SUFFIX}")
}

fn parse_name(name: &str) -> Option<(u64, u32)> {
    let (number, salt) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    let parsed = (number.parse().ok()?, u32::from_str_radix(salt, 16).ok()?);
    (file_name(parsed.0, parsed.1) == name).then_some(parsed)
}

/// The next number of a SplitMix64 sequence: salts need to be unknown to clients, not secret.
fn splitmix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
