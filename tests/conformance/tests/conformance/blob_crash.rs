//! The filesystem store over a disk that forgets: after a crash at any point, what was created is
//! there whole, and nothing is there in part. And the proof that this would notice a missing sync.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use skald_blob::{BlobError, BlobStore, FilesystemStore};
use skald_conformance::blob::blob_suite;
use skald_disk::{Loss, SimDisk};

const DIRECTORY: &str = "/data";

/// What may be found under a key after the crash.
#[derive(Default)]
struct Expected {
    /// Contents one of which is there; `None` stands for no object.
    any_of: Vec<Option<Bytes>>,
}

fn open(disk: &SimDisk) -> Result<FilesystemStore, BlobError> {
    FilesystemStore::open(Arc::new(disk.clone()), Path::new(DIRECTORY))
}

/// Creates, overwrites and deletes a few objects until the disk stops, and says what must and what
/// may be found.
async fn work(store: &FilesystemStore) -> BTreeMap<String, Expected> {
    let mut model: BTreeMap<String, Expected> = BTreeMap::new();
    for i in 0..4u8 {
        let key = format!("log/w{}/{i:04}", i % 2);
        let content = Bytes::from(vec![i; 100 + usize::from(i)]);
        let result = store.create(&key, content.clone()).await;
        let any_of = if result.is_ok() { vec![Some(content)] } else { vec![None, Some(content)] };
        model.insert(key, Expected { any_of });
    }
    let key = "log/w0/0000".to_owned();
    let newer = Bytes::from_static(b"newer");
    let result = store.put(&key, newer.clone()).await;
    let entry = model.entry(key).or_default();
    if result.is_ok() {
        entry.any_of.clear();
    }
    entry.any_of.push(Some(newer));
    let key = "log/w1/0001".to_owned();
    let result = store.delete(std::slice::from_ref(&key)).await;
    let entry = model.entry(key).or_default();
    if result.is_ok() {
        entry.any_of.clear();
    }
    entry.any_of.push(None);
    model
}

/// Runs the work with a crash after `operations` disk operations; returns what is wrong afterwards,
/// and whether the disk stopped before the work was done.
async fn crash_after(disk: SimDisk, operations: u64, loss: Loss) -> (Option<String>, bool) {
    let store = open(&disk).expect("nothing has failed yet");
    disk.stop_after(operations);
    let model = work(&store).await;
    let stopped = disk.is_stopped();
    disk.crash(loss);
    let store = match open(&disk) {
        Ok(store) => store,
        Err(e) => return (Some(format!("the store does not open: {e}")), stopped),
    };
    for (key, expected) in &model {
        let found = store.get(key).await.ok();
        if !expected.any_of.contains(&found) {
            return (Some(format!("{key} is {found:?}, not one of {:?}", expected.any_of)), stopped);
        }
    }
    let listed = store.list("", None, 100).await.expect("listing reads only");
    let strange = listed.iter().find(|meta| !model.contains_key(&meta.key));
    (strange.map(|meta| format!("{} was never created", meta.key)), stopped)
}

/// Every crash point, with everything lost and with seeded parts kept; the first thing wrong.
async fn every_crash(seeds: u64, prepare: impl Fn(&SimDisk)) -> Option<String> {
    for operations in 0.. {
        let mut stopped = false;
        for seed in 0..seeds {
            for loss in [Loss::Everything, Loss::Some] {
                let disk = SimDisk::new(seed);
                prepare(&disk);
                let (wrong, early) = crash_after(disk, operations, loss).await;
                stopped |= early;
                if let Some(wrong) = wrong {
                    return Some(format!("seed {seed}, {loss:?} after {operations} operations: {wrong}"));
                }
            }
        }
        if !stopped {
            return None;
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn blob_filesystem_over_a_simulated_disk() {
    // The suite hands over real files, which this disk does not have, so they are not found: all
    // else is checked by reading and writing through the same code.
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    blob_suite(&FromMemory(store)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_created_survives_every_crash() {
    assert_eq!(every_crash(8, |_| {}).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_sync_is_caught() {
    let wrong = every_crash(1, |disk| disk.lie_about_data_sync(true)).await;
    assert!(wrong.is_some(), "objects whose bytes were never synced went unnoticed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_directory_sync_is_caught() {
    let wrong = every_crash(1, |disk| disk.lie_about_dir_sync(true)).await;
    assert!(wrong.is_some(), "objects whose names were never synced went unnoticed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_sync_or_a_full_disk_fails_the_create_and_leaves_no_trace() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    store.create("a/first", Bytes::from_static(b"1")).await.unwrap();
    disk.fail_next_sync();
    let error = store.create("a/k", Bytes::from_static(b"2")).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    disk.set_capacity(Some(disk.used_bytes() + 10));
    let error = store.create("a/k", Bytes::from(vec![0; 100])).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(matches!(store.get("a/k").await, Err(BlobError::NotFound { .. })));
    assert_eq!(disk.used_bytes(), 1, "temporary files are removed");
    disk.set_capacity(None);
    store.create("a/k", Bytes::from_static(b"3")).await.unwrap();
    disk.crash(Loss::Everything);
    assert_eq!(open(&disk).unwrap().get("a/k").await.unwrap(), Bytes::from_static(b"3"));
}

/// Reads the file to be uploaded from the real disk, since the simulated one does not have it.
struct FromMemory(FilesystemStore);

#[async_trait::async_trait]
impl BlobStore for FromMemory {
    async fn create(&self, key: &str, body: Bytes) -> Result<(), BlobError> {
        self.0.create(key, body).await
    }

    async fn create_from_file(&self, key: &str, file: &Path) -> Result<(), BlobError> {
        let len = std::fs::metadata(file).map_or(0, |m| m.len());
        if len > skald_blob::OBJECT_BYTES_MAX {
            return Err(BlobError::TooLarge { key: key.to_owned(), bytes: len });
        }
        let unreadable = |e: std::io::Error| BlobError::Other { key: key.to_owned(), reason: e.to_string() };
        self.0.create(key, std::fs::read(file).map_err(unreadable)?.into()).await
    }

    async fn put(&self, key: &str, body: Bytes) -> Result<(), BlobError> {
        self.0.put(key, body).await
    }

    async fn get(&self, key: &str) -> Result<Bytes, BlobError> {
        self.0.get(key).await
    }

    async fn get_range(&self, key: &str, range: std::ops::Range<u64>) -> Result<Bytes, BlobError> {
        self.0.get_range(key, range).await
    }

    async fn get_suffix(&self, key: &str, len: u64) -> Result<(Bytes, u64), BlobError> {
        self.0.get_suffix(key, len).await
    }

    async fn head(&self, key: &str) -> Result<skald_blob::BlobMeta, BlobError> {
        self.0.head(key).await
    }

    async fn list(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<skald_blob::BlobMeta>, BlobError> {
        self.0.list(prefix, start_after, limit).await
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BlobError> {
        self.0.delete(keys).await
    }
}
