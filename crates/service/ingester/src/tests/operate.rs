//! Starting, stopping, and what operators ask for.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use skald_ring::State;
use tower::ServiceExt;

use super::*;

async fn call(ingester: &Arc<Ingester>, method: Method, uri: &str) -> (StatusCode, String) {
    let request = Request::builder().method(method).uri(uri).body(Body::empty()).unwrap();
    let response = ingester.router().oneshot(request).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
    (status, text(&body))
}

fn record(world: &World) -> (State, u64) {
    let gossip = world.gossip.lock().clone().unwrap();
    let snapshot = gossip.snapshot();
    let instance = &snapshot.get(INGESTER_RING, "ing-0").unwrap().instance;
    (instance.state, instance.last_seq)
}

#[tokio::test]
async fn a_stop_flushes_and_leaves_with_the_end_of_the_log() {
    let world = World::new(1);
    let ingester = world.start().await;
    assert_eq!(record(&world), (State::Active, 0));
    let row = push(&ingester, 1).await.unwrap();
    ingester.shutdown().await;
    assert_eq!(record(&world), (State::Left, 1));
    assert_eq!(world.bucket_rows().await, [row]);
    assert!(matches!(push(&ingester, 2).await, Err(RpcError::Unavailable(_))));
    // Again is harmless.
    ingester.shutdown().await;
    drop(ingester);
    let again = world.start().await;
    assert!(query(&again, all()).await.unwrap().1.is_empty());
}

#[tokio::test]
async fn an_ingester_that_keeps_its_place_keeps_its_rows_in_the_log() {
    let mut world = World::new(1);
    world.unregister = false;
    let ingester = world.start().await;
    let row = push(&ingester, 1).await.unwrap();
    ingester.shutdown().await;
    assert_eq!(record(&world).0, State::Leaving);
    assert!(world.bucket_keys().await.is_empty());
    drop(ingester);
    let again = world.start().await;
    assert_eq!(query(&again, all()).await.unwrap().1, [row]);
    // The repetition of a push from before the restart is known.
    push(&again, 1).await.unwrap();
    assert_eq!(again.shared().tables.active().stats().rows, 1);

    assert_eq!(call(&again, Method::GET, "/ingester/prepare_shutdown").await.1, "unset\n");
    assert_eq!(call(&again, Method::POST, "/ingester/prepare_shutdown").await.0, StatusCode::NO_CONTENT);
    assert_eq!(call(&again, Method::GET, "/ingester/prepare_shutdown").await.1, "set\n");
    again.shutdown().await;
    assert_eq!(world.bucket_keys().await.len(), 1);
    drop(again);
    let third = world.start().await;
    assert_eq!(call(&third, Method::GET, "/ingester/prepare_shutdown").await.1, "unset\n");
    assert_eq!(call(&third, Method::DELETE, "/ingester/prepare_shutdown").await.0, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn routes_flush_and_shut_down() {
    let world = World::new(1);
    let ingester = world.start().await;
    push(&ingester, 1).await.unwrap();
    assert_eq!(call(&ingester, Method::POST, "/flush").await.0, StatusCode::NO_CONTENT);
    let committed = |t: &crate::tables::Tables| !t.snapshot().need.is_empty();
    ingester.shared().tables.until(committed).await;
    push(&ingester, 2).await.unwrap();
    let (status, _) = call(&ingester, Method::GET, "/ingester/shutdown?flush=true&terminate=true").await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert!(world.terminate.is_cancelled());
    assert_eq!(world.bucket_rows().await.len(), 2);
    assert_eq!(call(&ingester, Method::POST, "/ingester/shutdown").await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_data_directory_has_one_owner() {
    let world = World::new(1);
    let _first = world.start().await;
    assert!(matches!(world.try_start().await, Err(IngesterError::Wal(skald_wal::WalError::Locked(_)))));
}

#[tokio::test]
async fn a_long_log_is_replayed_in_little_memory() {
    let mut world = World::new(1);
    world.unregister = false;
    let ingester = world.start().await;
    let line = "x".repeat(200_000);
    let mut total = 0;
    // More than one file of the log, all of one memtable: its size is only checked by the next life.
    for number in 1..=120u64 {
        let lines = [(number as i64, format!("{number} {line}"))];
        ingester.push(push_of(number, vec![batch("a", number, &lines)])).await.unwrap();
        total += 1;
    }
    ingester.shutdown().await;
    drop(ingester);
    world.memtable_bytes = 1 << 20;
    world.frozen_bytes_max = 1 << 20;
    let again = world.start().await;
    let (need, rows) = query(&again, all()).await.unwrap();
    assert!(need.iter().all(|(_, seq)| seq >= 1));
    assert!(read_everything(&world, &again).await.len() == total, "{}", rows.len());
}
