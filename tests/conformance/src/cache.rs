//! What every [`Cache`] promises.

use bytes::Bytes;
use skald_cache::Cache;

/// Checks an empty cache that has room for a few values. `settle` is awaited after writes, for
/// caches that write in the background.
pub async fn cache_suite(cache: &dyn Cache, settle: impl AsyncFn()) {
    assert_eq!(cache.get("page/a/1").await, None);
    assert_eq!(cache.get_many(&[]).await, Vec::<Option<Bytes>>::new());

    let binary: Bytes = (0..=255).collect();
    let table = [
        ("page/a/1", Bytes::from_static(b"one")),
        ("page/b/1", Bytes::from_static(b"two")),
        ("page/a/empty", Bytes::new()),
        ("page/a/binary", binary),
        ("page/a/large", Bytes::from(vec![1; 100_000])),
        ("strange key \u{e4} %\r\n", Bytes::from_static(b"strange")),
    ];
    for (key, value) in &table {
        cache.put(key, value.clone()).await;
    }
    settle().await;
    for (key, value) in &table {
        assert_eq!(cache.get(key).await.as_ref(), Some(value), "{key}");
    }
    // In the order asked for, with gaps and repetitions.
    let keys = ["none", "page/b/1", "page/a/1", "none", "page/b/1"].map(str::to_owned);
    let (one, two) = (Some(table[0].1.clone()), Some(table[1].1.clone()));
    assert_eq!(cache.get_many(&keys).await, [None, two.clone(), one, None, two]);

    cache.put("page/a/1", Bytes::from_static(b"newer")).await;
    settle().await;
    assert_eq!(cache.get("page/a/1").await.as_deref(), Some(&b"newer"[..]));

    let stats = cache.stats();
    assert!(stats.iter().all(|tier| tier.errors == 0 && tier.drops == 0), "{stats:?}");
    assert_eq!(stats[0].puts, 7, "{stats:?}");
    assert!(stats[0].hits > 0 && stats[0].misses > 0 && stats[0].hit_bytes > 0, "{stats:?}");
}
