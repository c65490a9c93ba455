//! What every [`BlobStore`] promises, numbered as in its documentation.

use std::io::Write;

use bytes::Bytes;
use futures::future::join_all;
use skald_blob::{BlobError, BlobStore, OBJECT_BYTES_MAX, ProbeResult, probe_create_only};

/// Concurrent creates of one key, and how often. Few rounds already show a store without a lock.
const RACERS: usize = 8;
const RACES: usize = 20;

/// Checks all promises but durability on an empty store, and leaves objects behind.
pub async fn blob_suite(store: &dyn BlobStore) {
    reads(store).await;
    creation(store).await;
    races(store).await;
    listing(store).await;
    deletion(store).await;
    bad_arguments(store).await;
    assert_eq!(probe_create_only(store).await, ProbeResult::Atomic);
}

fn body(len: usize) -> Bytes {
    (0..len).map(|i| u8::try_from(i * 7 % 251).unwrap()).collect()
}

async fn reads(store: &dyn BlobStore) {
    let whole = body(1_000_000);
    store.create("reads/object", whole.clone()).await.unwrap();
    assert_eq!(store.get("reads/object").await.unwrap(), whole);
    let meta = store.head("reads/object").await.unwrap();
    assert_eq!((meta.key.as_str(), meta.size), ("reads/object", 1_000_000));

    for range in [0..1, 0..1_000_000, 999_999..1_000_000, 500..500, 123..45_678] {
        let expected = whole.slice(range.start as usize..range.end as usize);
        assert_eq!(store.get_range("reads/object", range.clone()).await.unwrap(), expected, "{range:?}");
    }
    for range in [0..1_000_001, 1_000_000..1_000_001, 2_000_000..2_000_010] {
        let error = store.get_range("reads/object", range.clone()).await.unwrap_err();
        assert!(matches!(error, BlobError::InvalidRange { .. }), "{range:?}: {error}");
    }
    let ranges = [900_000..900_010, 0..10, 20..30, 5..25, 7..7, 400_000..500_000];
    let parts = store.get_ranges("reads/object", &ranges).await.unwrap();
    for (range, part) in ranges.iter().zip(&parts) {
        assert_eq!(*part, whole.slice(range.start as usize..range.end as usize), "{range:?}");
    }
    assert_eq!(parts.len(), ranges.len());
    for (len, got) in [(1, 1), (4096, 4096), (1_000_000, 1_000_000), (2_000_000, 1_000_000)] {
        let (suffix, size) = store.get_suffix("reads/object", len).await.unwrap();
        assert_eq!((suffix, size), (whole.slice(1_000_000 - got..), 1_000_000), "{len}");
    }

    for key in ["reads/none", "reads", "reads/object/below", "none/at/all"] {
        let errors = [
            store.get(key).await.unwrap_err(),
            store.get_range(key, 0..1).await.unwrap_err(),
            store.get_suffix(key, 1).await.unwrap_err(),
            store.head(key).await.unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, BlobError::NotFound { .. }), "{key}: {error}");
        }
    }
}

async fn creation(store: &dyn BlobStore) {
    let taken = |result: Result<(), BlobError>| matches!(result, Err(BlobError::AlreadyExists { .. }));
    store.create("create/a", body(10)).await.unwrap();
    assert!(taken(store.create("create/a", body(20)).await));
    assert!(taken(store.create("create/a", body(10)).await), "equal content makes no difference");
    assert_eq!(store.get("create/a").await.unwrap(), body(10));

    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&body(3_000_000)).unwrap();
    assert!(taken(store.create_from_file("create/a", file.path()).await));
    store.create_from_file("create/file", file.path()).await.unwrap();
    assert_eq!(store.get("create/file").await.unwrap(), body(3_000_000));
    assert!(store.create_from_file("create/other", &file.path().join("none")).await.is_err());
    assert!(store.head("create/other").await.is_err());

    store.put("create/a", body(30)).await.unwrap();
    assert_eq!(store.get("create/a").await.unwrap(), body(30));
    store.put("create/put", body(5)).await.unwrap();
    assert!(taken(store.create("create/put", body(6)).await));

    // Sparse, so it costs nothing; it must be refused before it is read.
    file.as_file().set_len(OBJECT_BYTES_MAX + 1).unwrap();
    let error = store.create_from_file("create/large", file.path()).await.unwrap_err();
    assert!(matches!(error, BlobError::TooLarge { .. }), "{error}");
    assert!(store.head("create/large").await.is_err());
}

/// Promise 1: of concurrent creates at most one succeeds, and its content stands.
async fn races(store: &dyn BlobStore) {
    for race in 0..RACES {
        let key = format!("race/{race}");
        let bodies: Vec<Bytes> = (0..RACERS).map(|i| Bytes::from(vec![u8::try_from(i).unwrap(); 1000 + i])).collect();
        let results = join_all(bodies.iter().map(|body| store.create(&key, body.clone()))).await;
        let winners: Vec<usize> = (0..RACERS).filter(|&i| results[i].is_ok()).collect();
        assert_eq!(winners.len(), 1, "{results:?}");
        let lost = |r: &Result<(), BlobError>| matches!(r, Err(BlobError::AlreadyExists { .. }));
        assert_eq!(results.iter().filter(|r| lost(r)).count(), RACERS - 1, "{results:?}");
        assert_eq!(store.get(&key).await.unwrap(), bodies[winners[0]]);
    }
}

/// Promise 4: sorted by the bytes of whole keys, across what a file system calls directories.
async fn listing(store: &dyn BlobStore) {
    let mut keys =
        ["a", "a-b", "a.b", "a0", "b/c", "b/c-d", "b/d/e", "b-c/x", "b0/x", "z"].map(|k| format!("list/{k}"));
    for key in &keys {
        store.put(key, body(key.len())).await.unwrap();
    }
    store.put("list2/x", body(1)).await.unwrap();
    keys.sort();
    let listed = |found: Vec<skald_blob::BlobMeta>| {
        for meta in &found {
            assert_eq!(meta.size, meta.key.len() as u64);
        }
        found.into_iter().map(|m| m.key).collect::<Vec<_>>()
    };
    assert_eq!(listed(store.list("list/", None, 100).await.unwrap()), keys);
    for limit in 0..=keys.len() {
        assert_eq!(listed(store.list("list/", None, limit).await.unwrap()), keys[..limit], "limit {limit}");
    }
    let after = ["list/", "list/a-b", "list/aa", "list/b/c", "list/b/ca", "list/b0", "list/z", "zz", "a"];
    for after in after {
        let expected: Vec<&String> = keys.iter().filter(|k| k.as_str() > after).collect();
        let found = store.list("list/", Some(after), 100).await.unwrap();
        assert_eq!(found.iter().map(|m| &m.key).collect::<Vec<_>>(), expected, "after {after}");
        let two = store.list("list/", Some(after), 2).await.unwrap();
        assert_eq!(two.iter().map(|m| &m.key).collect::<Vec<_>>(), expected[..expected.len().min(2)], "after {after}");
    }
    assert_eq!(listed(store.list("list/b/", None, 100).await.unwrap()), ["list/b/c", "list/b/c-d", "list/b/d/e"]);
    assert!(store.list("list/a/", None, 100).await.unwrap().is_empty());
    assert!(store.list("nothing/here/", None, 100).await.unwrap().is_empty());
    let all = store.list("", None, 10_000).await.unwrap();
    assert!(all.is_sorted_by(|a, b| a.key < b.key) && all.len() > keys.len());
}

async fn deletion(store: &dyn BlobStore) {
    let keys: Vec<String> = (0..20).map(|i| format!("delete/{i:02}")).collect();
    for key in &keys {
        store.create(key, body(1)).await.unwrap();
    }
    store.delete(&keys[..10]).await.unwrap();
    store.delete(&keys[5..15]).await.unwrap();
    store.delete(&[]).await.unwrap();
    store.delete(&["delete/none".to_owned(), "none/none".to_owned()]).await.unwrap();
    let left = store.list("delete/", None, 100).await.unwrap();
    assert_eq!(left.into_iter().map(|m| m.key).collect::<Vec<_>>(), keys[15..]);
    // A deleted key is free again.
    store.create(&keys[0], body(2)).await.unwrap();
    assert_eq!(store.get(&keys[0]).await.unwrap(), body(2));
}

async fn bad_arguments(store: &dyn BlobStore) {
    for key in ["", "/a", "a/", "a//b", "../a", "a b", "ä"] {
        let errors = [
            store.create(key, body(1)).await.unwrap_err(),
            store.put(key, body(1)).await.unwrap_err(),
            store.get(key).await.unwrap_err(),
            store.head(key).await.unwrap_err(),
            store.delete(&[key.to_owned()]).await.unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, BlobError::InvalidKey { .. }), "{key:?}: {error}");
        }
    }
    let error = store.list("a", None, 1).await.unwrap_err();
    assert!(matches!(error, BlobError::InvalidKey { .. }), "{error}");
}
