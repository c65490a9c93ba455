//! A bucket in a directory, as durable as the disk is.
//!
//! An object is written to a file under `tmp/`, synced, and then given its name under `objects/` by
//! a hard link, which fails if the name is taken: that makes creation atomic, between processes
//! too. Only when the directory is synced as well is the create answered. An overwrite renames
//! instead of linking. Everything under `objects/` is therefore a whole object at any moment.
//!
//! ```text
//! <directory>/objects/<key>        key parts are directories and a file name
//! <directory>/tmp/<process>-<n>    being written, or left by a crash: removed on a later start
//! ```

use std::collections::HashSet;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use skald_disk::{Disk, DiskFile};

use crate::remote::check_size;
use crate::{BlobError, BlobMeta, BlobStore, check_key, check_prefix};

/// Temporary files this much older than the newest one belong to no living writer: the longest
/// write is 128 MB.
const TEMP_AGE_MS_MAX: i64 = 60 * 60 * 1000;

/// Copied from a file at a time.
const COPY_CHUNK_BYTES: usize = 1 << 20;

/// Directories remembered as durable. Forgetting all of them beyond that costs one sync each.
const KNOWN_DIRS_MAX: usize = 16_384;

/// Objects as files. Clones share the directory.
#[derive(Clone)]
pub struct FilesystemStore {
    inner: Arc<Inner>,
}

struct Inner {
    disk: Arc<dyn Disk>,
    objects: PathBuf,
    temp: PathBuf,
    temp_counter: AtomicU64,
    /// Directories that this store knows to be durable, themselves and their parents.
    known_dirs: Mutex<HashSet<PathBuf>>,
}

impl FilesystemStore {
    /// Opens or creates the store in `directory`. Several processes may use it at once. Blocks.
    pub fn open(disk: Arc<dyn Disk>, directory: &Path) -> Result<FilesystemStore, BlobError> {
        let inner = Inner {
            disk,
            objects: directory.join("objects"),
            temp: directory.join("tmp"),
            temp_counter: AtomicU64::new(0),
            known_dirs: Mutex::new(HashSet::new()),
        };
        inner.prepare().map_err(|e| failed(&directory.display().to_string(), &e))?;
        Ok(FilesystemStore { inner: Arc::new(inner) })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        key: &str,
        f: impl FnOnce(&Inner, &str) -> Result<T, BlobError> + Send + 'static,
    ) -> Result<T, BlobError> {
        let (inner, key) = (self.inner.clone(), key.to_owned());
        let task = tokio::task::spawn_blocking(move || f(&inner, &key));
        // The closure does not panic, so the runtime is going down.
        task.await.unwrap_or_else(|e| Err(BlobError::Other { key: String::new(), reason: e.to_string() }))
    }
}

/// What an object is made of.
enum Source {
    Bytes(Bytes),
    File(PathBuf),
}

impl Inner {
    fn prepare(&self) -> io::Result<()> {
        self.disk.create_dir_all(&self.objects)?;
        self.disk.create_dir_all(&self.temp)?;
        let (path, file) = self.temp_file()?;
        drop(file);
        let now = self.disk.metadata(&path)?.modified_ms;
        for entry in self.disk.list(&self.temp)? {
            let left = self.temp.join(entry.name);
            // Another process may be cleaning up too.
            let Ok(meta) = self.disk.metadata(&left) else { continue };
            if left == path || now - meta.modified_ms > TEMP_AGE_MS_MAX {
                let _ = self.disk.remove(&left);
            }
        }
        Ok(())
    }

    fn temp_file(&self) -> io::Result<(PathBuf, Box<dyn DiskFile>)> {
        loop {
            let number = self.temp_counter.fetch_add(1, Ordering::Relaxed);
            let path = self.temp.join(format!("{}-{number}", std::process::id()));
            match self.disk.create(&path) {
                Ok(file) => return Ok((path, file)),
                // Left by a process that had our number before us.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Creates the directory of an object durably, with all its parents.
    fn ensure_dir(&self, dir: &Path) -> io::Result<()> {
        let mut known = self.known_dirs.lock();
        if known.contains(dir) {
            return Ok(());
        }
        if known.len() >= KNOWN_DIRS_MAX {
            known.clear();
        }
        // Outermost first, each with a sync of its parent: a directory that exists may come from a
        // process that was killed between creating and syncing it.
        let mut chain: Vec<&Path> = dir.ancestors().take_while(|d| d.starts_with(&self.objects)).collect();
        chain.reverse();
        for dir in chain {
            if !known.contains(dir) {
                self.disk.create_dir_all(dir)?;
                known.insert(dir.to_path_buf());
            }
        }
        Ok(())
    }

    fn write(&self, key: &str, source: &Source, replace: bool) -> Result<(), BlobError> {
        check_key(key)?;
        let path = self.objects.join(key);
        let dir = path.parent().expect("a key is not empty, so its path is below the directory of objects");
        self.ensure_dir(dir).map_err(|e| failed(key, &e))?;
        if !replace && self.disk.metadata(&path).is_ok() {
            return Err(self.taken(key, dir));
        }
        let (temp, mut file) = self.temp_file().map_err(|e| failed(key, &e))?;
        let written = self.fill(key, file.as_mut(), source);
        drop(file);
        if let Err(e) = written {
            let _ = self.disk.remove(&temp);
            return Err(e);
        }
        self.publish(key, &temp, &path, dir, replace)
    }

    fn fill(&self, key: &str, file: &mut dyn DiskFile, source: &Source) -> Result<(), BlobError> {
        let copied = match source {
            Source::Bytes(bytes) => check_size(key, bytes.len() as u64).map(|()| file.append(bytes))?,
            Source::File(from) => {
                let from_file = self.disk.open(from).map_err(|e| failed(key, &e))?;
                check_size(key, from_file.len().map_err(|e| failed(key, &e))?)?;
                copy(from_file.as_ref(), file)
            }
        };
        copied.and_then(|()| file.sync_data()).map_err(|e| failed(key, &e))
    }

    fn publish(&self, key: &str, temp: &Path, path: &Path, dir: &Path, replace: bool) -> Result<(), BlobError> {
        let ambiguous = |e: io::Error| BlobError::Ambiguous { key: key.to_owned(), reason: e.to_string() };
        if replace {
            let renamed = self.disk.rename(temp, path).and_then(|()| self.disk.sync_dir(dir));
            return renamed.map_err(|e| failed(key, &e));
        }
        let linked = self.disk.hard_link(temp, path);
        let result = match &linked {
            Ok(()) => self.disk.sync_dir(dir).map_err(ambiguous),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(self.taken(key, dir)),
            Err(e) => Err(ambiguous(io::Error::new(e.kind(), format!("hard link: {e}")))),
        };
        // The object has its own name, or does not want one: a left-over would only take room.
        let _ = self.disk.remove(temp);
        result
    }

    /// The answer to a create under a taken key, given only when that object is durable: its
    /// creator may be about to sync, and a power cut must not undo what we have told.
    fn taken(&self, key: &str, dir: &Path) -> BlobError {
        match self.disk.sync_dir(dir) {
            Ok(()) => BlobError::AlreadyExists { key: key.to_owned() },
            Err(e) => failed(key, &e),
        }
    }

    fn read_at(&self, key: &str, range: Range<u64>) -> Result<Bytes, BlobError> {
        check_key(key)?;
        let outside = || BlobError::InvalidRange { key: key.to_owned(), start: range.start, end: range.end };
        let file = self.disk.open(&self.objects.join(key)).map_err(|e| failed(key, &e))?;
        // Before memory is taken for what may be a nonsensical length.
        if range.start > range.end || range.end > file.len().map_err(|e| failed(key, &e))? {
            return Err(outside());
        }
        let mut bytes = vec![0; usize::try_from(range.end - range.start).map_err(|_| outside())?];
        file.read_exact_at(&mut bytes, range.start).map_err(|e| failed(key, &e))?;
        Ok(bytes.into())
    }

    fn meta(&self, key: &str) -> Result<BlobMeta, BlobError> {
        check_key(key)?;
        let meta = self.disk.metadata(&self.objects.join(key)).map_err(|e| failed(key, &e))?;
        if meta.is_dir {
            return Err(BlobError::NotFound { key: key.to_owned() });
        }
        Ok(BlobMeta { key: key.to_owned(), size: meta.len, modified_ms: meta.modified_ms })
    }

    /// Lists `prefix` (empty or ending in a slash) depth first in the order of whole keys.
    fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        found: &mut Vec<BlobMeta>,
    ) -> Result<(), BlobError> {
        let entries = match self.disk.list(&self.objects.join(prefix)) {
            Ok(entries) => entries,
            // Where an object stands there is nothing below it.
            Err(e) if is_absent(&e) => return Ok(()),
            Err(e) => return Err(failed(prefix, &e)),
        };
        // A directory sorts by its name with a slash, since that is what stands in the keys below:
        // `a-b` comes before `a/b`, but `a` before `a-b`.
        let slash = |is_dir: bool| if is_dir { "/" } else { "" };
        let mut keys: Vec<(String, bool)> =
            entries.into_iter().map(|e| (format!("{prefix}{}{}", e.name, slash(e.is_dir)), e.is_dir)).collect();
        keys.sort_unstable();
        for (key, is_dir) in keys {
            if found.len() >= limit {
                return Ok(());
            }
            let done = after.is_some_and(|after| key.as_str() <= after);
            if is_dir {
                // Below a directory that sorts before, keys may still come after, if it is on the way.
                if !done || after.is_some_and(|after| after.starts_with(&key)) {
                    self.list(&key, after, limit, found)?;
                }
            } else if !done {
                match self.meta(&key) {
                    Ok(meta) => found.push(meta),
                    Err(BlobError::NotFound { .. }) => {} // deleted since the directory was read
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(())
    }

    fn delete(&self, keys: &[String]) -> Result<(), BlobError> {
        keys.iter().try_for_each(|key| check_key(key))?;
        let mut dirs: HashSet<PathBuf> = HashSet::new();
        let mut result = Ok(());
        for key in keys {
            let path = self.objects.join(key);
            match self.disk.remove(&path) {
                Ok(()) => {}
                // Gone, but perhaps not durably: a deletion whose sync failed is repeated this way.
                Err(e) if is_absent(&e) => {}
                Err(e) => {
                    result = Err(failed(key, &e));
                    continue;
                }
            }
            dirs.extend(path.parent().map(Path::to_path_buf));
        }
        for dir in dirs {
            match self.disk.sync_dir(&dir) {
                Ok(()) => {}
                Err(e) if is_absent(&e) => {}
                Err(e) => result = Err(failed(&dir.display().to_string(), &e)),
            }
        }
        result
    }
}

/// A key below an existing object (`a/b` where `a` is one) is as absent as any other.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory)
}

fn copy(from: &dyn DiskFile, to: &mut dyn DiskFile) -> io::Result<()> {
    let len = from.len()?;
    let mut buffer = vec![0; COPY_CHUNK_BYTES];
    let mut at = 0;
    while at < len {
        let want = usize::try_from(len - at).unwrap_or(usize::MAX).min(COPY_CHUNK_BYTES);
        from.read_exact_at(&mut buffer[..want], at)?;
        to.append(&buffer[..want])?;
        at += want as u64;
    }
    Ok(())
}

/// An operation that certainly had no effect on any object, or may be repeated.
fn failed(key: &str, error: &io::Error) -> BlobError {
    let (key, reason) = (key.to_owned(), error.to_string());
    match error.kind() {
        _ if is_absent(error) => BlobError::NotFound { key },
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => BlobError::Denied { key, reason },
        _ => BlobError::Unavailable { key, reason },
    }
}

#[async_trait]
impl BlobStore for FilesystemStore {
    async fn create(&self, key: &str, body: Bytes) -> Result<(), BlobError> {
        self.blocking(key, move |inner, key| inner.write(key, &Source::Bytes(body), false)).await
    }

    async fn create_from_file(&self, key: &str, file: &Path) -> Result<(), BlobError> {
        let file = file.to_path_buf();
        self.blocking(key, move |inner, key| inner.write(key, &Source::File(file), false)).await
    }

    async fn put(&self, key: &str, body: Bytes) -> Result<(), BlobError> {
        self.blocking(key, move |inner, key| inner.write(key, &Source::Bytes(body), true)).await
    }

    async fn get(&self, key: &str) -> Result<Bytes, BlobError> {
        self.blocking(key, |inner, key| {
            check_key(key)?;
            let bytes = inner.disk.read(&inner.objects.join(key)).map_err(|e| failed(key, &e))?;
            Ok(bytes.into())
        })
        .await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, BlobError> {
        self.blocking(key, move |inner, key| inner.read_at(key, range)).await
    }

    async fn get_suffix(&self, key: &str, len: u64) -> Result<(Bytes, u64), BlobError> {
        self.blocking(key, move |inner, key| {
            let size = inner.meta(key)?.size;
            Ok((inner.read_at(key, size.saturating_sub(len)..size)?, size))
        })
        .await
    }

    async fn head(&self, key: &str) -> Result<BlobMeta, BlobError> {
        self.blocking(key, |inner, key| inner.meta(key)).await
    }

    async fn list(&self, prefix: &str, start_after: Option<&str>, limit: usize) -> Result<Vec<BlobMeta>, BlobError> {
        check_prefix(prefix)?;
        let after = start_after.map(str::to_owned);
        self.blocking(prefix, move |inner, prefix| {
            let mut found = Vec::new();
            inner.list(prefix, after.as_deref(), limit, &mut found)?;
            Ok(found)
        })
        .await
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BlobError> {
        let keys = keys.to_vec();
        self.blocking("", move |inner, _| inner.delete(&keys)).await
    }
}
