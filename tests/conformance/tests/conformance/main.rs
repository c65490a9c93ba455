//! Runs every suite for every implementation, in one binary.
// A test that panics has failed, which is what it is for.
#![allow(clippy::unwrap_used)]

mod blob_crash;
mod blob_s3;
mod caches;

use std::sync::Arc;

use bytes::Bytes;
use skald_blob::{BlobStore, FaultStore, FilesystemStore, MemoryStore, MeteredStore, StoreConfig, open};
use skald_conformance::blob::blob_suite;

#[tokio::test]
async fn blob_memory() {
    blob_suite(&MemoryStore::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blob_filesystem() {
    let directory = tempfile::tempdir().unwrap();
    let config = StoreConfig::Filesystem { directory: directory.path().join("data") };
    blob_suite(open(&config).unwrap().as_ref()).await;
    // A second opening finds the same objects and leaves nothing under `tmp`.
    let again = open(&config).unwrap();
    assert!(!again.list("", None, 10).await.unwrap().is_empty());
    let left: Vec<_> = std::fs::read_dir(directory.path().join("data/tmp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn blob_wrappers_change_nothing() {
    let memory = Arc::new(MemoryStore::new());
    blob_suite(&MeteredStore::new(Arc::new(FaultStore::new(memory, 1)))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_on_one_directory_are_one_store() {
    let directory = tempfile::tempdir().unwrap();
    let open = || FilesystemStore::open(Arc::new(skald_disk::RealDisk), directory.path()).unwrap();
    let stores = [open(), open()];
    for round in 0..50 {
        let key = format!("race/{round}");
        let creates = (0..8).map(|i| stores[i % 2].create(&key, Bytes::from(vec![0; i])));
        let results = futures::future::join_all(creates).await;
        assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1, "{results:?}");
    }
}
