//! A crash after every operation of the disk, with every kind of answer from the bucket: what was
//! acknowledged is in the bucket or in memory of the next life, and nothing appears that was not pushed.

use skald_blob::FaultPlan;
use skald_disk::Loss;

use super::*;

/// One life in a runtime of its own, which ends with all its blocking jobs before the next begins.
fn life<T>(job: impl AsyncFnOnce() -> T) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let result = runtime.block_on(job());
    runtime.shutdown_timeout(Duration::from_secs(30));
    result
}

fn check(world: &World, stop_after: u64, loss: Loss) {
    let mut acknowledged: BTreeSet<Row> = BTreeSet::new();
    let mut pushed: BTreeSet<Row> = BTreeSet::new();
    let mut next = 0;
    for round in 0..3 {
        life(async || {
            let ingester = world.start().await;
            let found = read_everything(world, &ingester).await;
            let lost: Vec<_> = acknowledged.difference(&found).collect();
            assert!(lost.is_empty(), "round {round}, stop after {stop_after}: lost {lost:?}");
            assert!(found.is_subset(&pushed), "round {round}, stop after {stop_after}: rows from nowhere");
            // Served once, served for ever.
            acknowledged.extend(found);
            if round == 2 {
                world.store.set_plan(FaultPlan::default());
                ingester.shutdown().await;
                let stored: BTreeSet<Row> = world.bucket_rows().await.into_iter().collect();
                assert!(acknowledged.is_subset(&stored) && stored.is_subset(&pushed), "stop after {stop_after}");
                assert_eq!(query(&ingester, all()).await.map(|(_, rows)| rows.len()).unwrap_or(0), 0);
                return;
            }
            world.disk.stop_after(stop_after);
            for step in 0..6 {
                next += 1;
                let row = (format!("app{}", next % 3), next as i64, format!("line {next}"));
                pushed.insert(row);
                if let Ok(row) = push(&ingester, next).await {
                    acknowledged.insert(row);
                }
                if step % 2 == 1 {
                    ingester.freeze().await;
                    let tables = &ingester.shared().tables;
                    tables.until(|t| t.frozen().len() < 2 || world.disk.is_stopped()).await;
                }
            }
            let tables = &ingester.shared().tables;
            tables.until(|t| t.frozen().is_empty() || world.disk.is_stopped()).await;
        });
        world.disk.crash(loss);
    }
}

#[test]
fn every_crash_point_keeps_what_was_acknowledged() {
    let plans = [FaultPlan::default(), FaultPlan { landed: 300, lost: 300, ..FaultPlan::default() }];
    for (i, plan) in plans.into_iter().enumerate() {
        for stop_after in 0..28 {
            let world = World::new(stop_after * 2 + i as u64);
            world.store.set_plan(plan);
            let loss = if stop_after % 2 == 0 { Loss::Everything } else { Loss::Some };
            check(&world, stop_after, loss);
        }
    }
}
