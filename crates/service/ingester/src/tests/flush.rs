//! The way down: objects, the commit vector, and a bucket that does not do as it should.

use skald_blob::FaultPlan;
use skald_catalog::{Catalog, SHARD_ZERO};
use skald_model::{LogPosition, Writer};

use super::*;
use crate::tables::Held;

#[tokio::test]
async fn rows_move_from_memory_to_the_bucket_in_one_step() {
    let world = World::new(1);
    let ingester = world.start().await;
    let mut rows = BTreeSet::new();
    for number in 1..=20 {
        rows.insert(push(&ingester, number).await.unwrap());
    }
    let (need, found) = query(&ingester, all()).await.unwrap();
    assert!(need.is_empty() && world.bucket_keys().await.is_empty());
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), rows);
    ingester.flush().await;
    let (need, found) = query(&ingester, all()).await.unwrap();
    assert!(found.is_empty());
    let (writer, seq) = need.iter().next().map(|(w, s)| (w.clone(), s)).unwrap();
    assert_eq!((seq, world.bucket_keys().await), (1, vec![format!("log/{writer}/{:020}", 1)]));
    assert_eq!(world.bucket_rows().await.into_iter().collect::<BTreeSet<_>>(), rows);
    assert_eq!(world.memory.list("writers/", None, 9).await.unwrap()[0].key, format!("writers/{writer}"));
    assert_eq!(ingester.shared().dir.bytes(), 0);
    let text = world.metrics();
    for expect in [
        "skald_ingester_flushes_total 1",
        "skald_ingester_flushed_rows_total 20",
        "loki_ingester_wal_records_logged_total 20",
    ] {
        assert!(text.contains(expect), "{expect} in {text}");
    }
}

#[tokio::test]
async fn a_full_memtable_and_an_old_one_are_flushed_by_themselves() {
    let mut world = World::new(1);
    world.memtable_bytes = 1;
    let ingester = world.start().await;
    push(&ingester, 1).await.unwrap();
    let committed = |n: usize| {
        move |t: &crate::tables::Tables| {
            t.frozen().is_empty() && t.snapshot().need.iter().any(|(_, seq)| seq == n as u64)
        }
    };
    ingester.shared().tables.until(committed(1)).await;
    ingester.shutdown().await;

    world.memtable_bytes = 1 << 20;
    let ingester = world.start().await;
    push(&ingester, 2).await.unwrap();
    world.now_ns.fetch_add(61_000_000_000, Relaxed);
    ingester.shared().tables.until(committed(2)).await;
}

#[tokio::test]
async fn a_section_never_crosses_a_window_and_tenants_are_apart() {
    let world = World::new(1);
    let ingester = world.start().await;
    let hour = 3600 * 1_000_000_000i64;
    let lines: Vec<(i64, String)> =
        [-5 * hour, -1, 0, 1, 7 * hour, i64::MAX, i64::MIN].iter().map(|t| (*t, format!("at {t}"))).collect();
    ingester.push(push_of(1, vec![batch("a", 1, &lines), batch("b", 20, &lines[..2])])).await.unwrap();
    let other = pb::PushBatches { tenant: "u".to_owned(), ..push_of(2, vec![batch("c", 1, &lines[..1])]) };
    ingester.push(other).await.unwrap();
    ingester.flush().await;
    let object = world.memory.get(&world.bucket_keys().await[0]).await.unwrap();
    let Located::Directory(directory) = Directory::locate(&object, object.len() as u64).unwrap() else { panic!() };
    let tenants: Vec<_> = directory.sections.iter().map(|s| s.key.tenant.as_str().to_owned()).collect();
    assert_eq!(tenants, ["t", "t", "t", "t", "t", "t", "u"]);
    assert!(directory.sections.iter().all(|s| s.key.contains(s.tmin.0) && s.key.contains(s.tmax.0)));
    assert_eq!(rows_of_object(&object).len(), 10);
    let commit = directory.commit.unwrap();
    assert_eq!(commit.receipts[0].batches, [1..=1, 2..=2]);
}

#[tokio::test]
async fn uploads_of_unknown_outcome_make_one_object_each() {
    for seed in 0..8 {
        let world = World::new(seed);
        world.store.set_plan(FaultPlan { landed: 400, lost: 400, ..FaultPlan::default() });
        let ingester = world.start().await;
        let mut rows = BTreeSet::new();
        for number in 1..=4 {
            rows.insert(push(&ingester, number).await.unwrap());
            ingester.flush().await;
        }
        assert_eq!(world.bucket_keys().await.len(), 4);
        let stored = world.bucket_rows().await;
        assert_eq!((stored.len(), stored.into_iter().collect::<BTreeSet<_>>()), (4, rows));
    }
}

#[tokio::test]
async fn a_sealed_log_continues_under_a_new_id() {
    let world = World::new(1);
    let ingester = world.start().await;
    let mut rows = BTreeSet::from([push(&ingester, 1).await.unwrap()]);
    ingester.flush().await;
    let old = ingester.shared().dir.manifest().writer;
    let catalog = Catalog::new(world.memory.clone(), SHARD_ZERO);
    assert!(catalog.seal_log(&LogPosition { writer: old.clone(), seq: 2 }).await.unwrap());
    rows.insert(push(&ingester, 2).await.unwrap());
    ingester.flush().await;
    rows.insert(push(&ingester, 3).await.unwrap());
    ingester.flush().await;
    let new = ingester.shared().dir.manifest().writer;
    assert_ne!(new, old);
    let (need, _) = query(&ingester, all()).await.unwrap();
    assert_eq!(need, [(old.clone(), 1), (new.clone(), 2)].into_iter().collect());
    assert_eq!(world.bucket_rows().await.into_iter().collect::<BTreeSet<_>>(), rows);
    assert_eq!(world.memory.list("writers/", None, 9).await.unwrap().len(), 2);
    ingester.shutdown().await;
    // The next life still demands both.
    let (need, _) = query(&*world.start().await, all()).await.unwrap();
    assert_eq!((need.get(&old), need.get(&new)), (1, 2));
}

#[tokio::test]
async fn pushes_go_on_without_a_bucket_and_memory_is_freed() {
    let mut world = World::new(1);
    world.frozen_bytes_max = 4000;
    let ingester = world.start().await;
    world.store.refuse_next(u64::MAX);
    let mut rows = BTreeSet::new();
    for number in 1..=30 {
        rows.insert(push(&ingester, number).await.unwrap());
        if number % 5 == 0 {
            ingester.freeze().await;
        }
    }
    let tables = &ingester.shared().tables;
    let on_disk = |t: &crate::tables::Tables| t.frozen().iter().filter(|f| matches!(f.held(), Held::File(_))).count();
    tables.until(|t| on_disk(t) >= 4 && t.frozen_bytes() <= 4000).await;
    let (_, found) = query(&ingester, all()).await.unwrap();
    assert!(found.is_sorted_by_key(|r| (r.0.clone(), r.1)));
    assert_eq!((found.len(), found.into_iter().collect::<BTreeSet<_>>()), (30, rows.clone()));
    let limited = pb::QueryRows { limit: 7, backward: true, ..all() };
    let (_, newest) = query(&ingester, limited).await.unwrap();
    assert_eq!(newest.iter().map(|r| r.1).collect::<BTreeSet<_>>(), (24..=30).collect());
    let streams = ingester.streams(selection("{}", 0, 100)).await.unwrap();
    assert_eq!(streams.streams.iter().map(|s| s.rows).collect::<Vec<_>>(), [10, 10, 10]);
    let bounds = ingester.bounds(pb::BoundsRequest { tenant: "t".to_owned() }).await.unwrap();
    assert_eq!((bounds.any, bounds.min_ns, bounds.max_ns), (true, 1, 30));
    world.store.refuse_next(0);
    ingester.flush().await;
    let stored = world.bucket_rows().await;
    assert_eq!((stored.len(), stored.into_iter().collect::<BTreeSet<_>>()), (30, rows));
}

#[tokio::test]
async fn a_sealed_log_with_spilled_memtables_loses_nothing() {
    let mut world = World::new(1);
    world.frozen_bytes_max = 4000;
    let ingester = world.start().await;
    world.store.refuse_next(u64::MAX);
    let mut rows = BTreeSet::new();
    for number in 1..=20 {
        rows.insert(push(&ingester, number).await.unwrap());
        if number % 5 == 0 {
            ingester.freeze().await;
        }
    }
    let spilled = |t: &crate::tables::Tables| t.frozen().iter().any(|f| matches!(f.held(), Held::File(_)));
    ingester.shared().tables.until(spilled).await;
    let old: Writer = ingester.shared().dir.manifest().writer;
    let catalog = Catalog::new(world.memory.clone(), SHARD_ZERO);
    catalog.seal_log(&LogPosition { writer: old, seq: 1 }).await.unwrap();
    world.store.refuse_next(0);
    ingester.flush().await;
    let stored = world.bucket_rows().await;
    assert_eq!((stored.len(), stored.into_iter().collect::<BTreeSet<_>>()), (20, rows));
}
