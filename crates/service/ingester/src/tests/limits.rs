//! What is refused and what is only delayed.

use super::*;

#[tokio::test]
async fn streams_beyond_the_limit_are_refused_by_name() {
    let mut world = World::new(1);
    world.limits.max_global_streams_per_user = 2;
    let ingester = world.start().await;
    let batches: Vec<Bytes> = (1..=3).map(|i| batch(&format!("app{i}"), i, &[(1, "x".to_owned())])).collect();
    let outcome = ingester.push(push_of(1, batches.clone())).await.unwrap();
    let refused = &outcome.refused[0];
    assert_eq!(
        (outcome.refused.len(), refused.batch, refused.reason.as_str(), refused.status),
        (1, 2, "stream_limit", 429)
    );
    assert_eq!(
        refused.message,
        "maximum active stream limit exceeded when trying to create stream {app=\"app3\"}, reduce the number of active \
         streams (reduce labels or reduce label values), or contact your Skald administrator to see if the limit can be \
         increased, user: 't'"
    );
    // The same push again is judged again, and stores nothing twice.
    assert_eq!(ingester.push(push_of(1, batches)).await.unwrap().refused.len(), 1);
    assert_eq!(query(&ingester, all()).await.unwrap().1.len(), 2);
    // Of another tenant there is none yet.
    let other = pb::PushBatches { tenant: "u".to_owned(), ..push_of(2, vec![batch("z", 1, &[(1, "x".to_owned())])]) };
    assert!(ingester.push(other).await.unwrap().refused.is_empty());
}

#[tokio::test]
async fn a_repeated_call_is_answered_and_not_logged_again() {
    let world = World::new(1);
    let ingester = world.start().await;
    for _ in 0..3 {
        push(&ingester, 1).await.unwrap();
    }
    push(&ingester, 2).await.unwrap();
    assert_eq!(ingester.shared().tables.active().stats().rows, 2);
    assert!(world.metrics().contains("skald_ingester_repeated_pushes_total 2"));
}

#[tokio::test]
async fn malformed_pushes_get_an_error_and_change_nothing() {
    let world = World::new(1);
    let ingester = world.start().await;
    let good = batch("a", 1, &[(1, "x".to_owned())]);
    for request in [
        push_of(1, vec![good.clone(), Bytes::from_static(b"no batch")]),
        pb::PushBatches { tenant: "a/b".to_owned(), ..push_of(1, vec![good.clone()]) },
        push_of(1, vec![good.slice(..good.len() - 1)]),
    ] {
        assert!(matches!(ingester.push(request).await, Err(RpcError::Invalid(_))));
    }
    assert!(query(&ingester, all()).await.unwrap().1.is_empty());
    assert!(matches!(
        query(&ingester, pb::QueryRows { query: "{a=".to_owned(), ..all() }).await,
        Err(RpcError::Invalid(_))
    ));
}

#[tokio::test]
async fn a_full_disk_refuses_pushes_and_recovers() {
    let world = World::new(1);
    let ingester = world.start().await;
    let first = push(&ingester, 1).await.unwrap();
    world.disk.set_capacity(Some(world.disk.used_bytes() + 10));
    assert!(matches!(push(&ingester, 2).await, Err(RpcError::Unavailable(_))));
    world.disk.set_capacity(None);
    let third = push(&ingester, 3).await.unwrap();
    assert_eq!(read_everything(&world, &ingester).await, BTreeSet::from([first, third]));

    *world.disk_used.lock() = 0.95;
    let refused = async {
        while push(&ingester, 4).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    refused.await;
    *world.disk_used.lock() = 0.5;
    while push(&ingester, 5).await.is_err() {
        tokio::task::yield_now().await;
    }
}
