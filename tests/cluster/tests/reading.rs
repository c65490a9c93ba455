//! Exact answers wherever rows lie: in memory, in flushed objects, in folded segments.

use std::time::Duration;

use anyhow::{Result, ensure};
use skald_testkit::{Cluster, Line, Topology, load::now};

use crate::{PATIENCE, cluster, cluster_of};

/// Waits until the bucket holds an object whose key begins with `prefix`.
async fn wait_for_object(cluster: &Cluster, prefix: &str) -> Result<()> {
    let seen = async {
        while !cluster.s3().objects("skald").iter().any(|(key, _)| key.starts_with(prefix)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    ensure!(tokio::time::timeout(PATIENCE, seen).await.is_ok(), "no object {prefix}… within {PATIENCE:?}");
    Ok(())
}

/// A thousand lines with one timestamp come back in order, forward, and reversed backward: from memory, from
/// flushed objects, after folding.
#[tokio::test(flavor = "multi_thread")]
async fn equal_timestamps_keep_their_order() -> Result<()> {
    let topology = Topology::quick().with("ingester.memtable_age", "4s");
    let (cluster, _turn) = cluster_of(topology).await;
    let client = cluster.client("t")?;
    let time = now();
    let lines: Vec<_> =
        (0..1000).map(|i| Line { timestamp: time, text: format!("line {}", i * 7919 % 1000) }).collect();
    for batch in lines.chunks(100) {
        ensure!(client.push(&[("app", "order")], batch, 20).await?, "not acknowledged");
    }
    let reversed: Vec<_> = lines.iter().rev().cloned().collect();
    for prefix in ["", "log/", "seg/"] {
        wait_for_object(&cluster, prefix).await?;
        let forward = client.page(r#"{app="order"}"#, time, time + 1, 2000, "forward").await?;
        ensure!(forward == lines, "forward, once there is {prefix:?}: {} lines, or another order", forward.len());
        let backward = client.page(r#"{app="order"}"#, time, time + 1, 2000, "backward").await?;
        ensure!(backward == reversed, "backward, once there is {prefix:?}: {} lines, or another order", backward.len());
    }
    Ok(())
}

/// Lines pushed in three waves, so that some are folded, some flushed and some in memory when they are read;
/// retries of one push are stored once.
#[tokio::test(flavor = "multi_thread")]
async fn exact_across_memory_and_segments() -> Result<()> {
    let (cluster, _turn) = cluster().await;
    let client = cluster.client("t")?;
    let start = now();
    let mut all = Vec::new();
    for (wave, prefix) in ["seg/", "log/", ""].into_iter().enumerate() {
        let time = now();
        let lines: Vec<_> = (0..300)
            .map(|i| Line { timestamp: time + i, text: format!("wave={wave} status={} n={i}", 200 + i % 3) })
            .collect();
        for _retry in 0..2 {
            ensure!(client.push(&[("app", "waves")], &lines, 20).await?, "not acknowledged");
        }
        all.extend(lines);
        wait_for_object(&cluster, prefix).await?;
    }
    let got = client.lines(r#"{app="waves"}"#, start, now(), 1000).await?;
    ensure!(got == all, "{} lines, expected {}", got.len(), all.len());
    let filtered = client.lines(r#"{app="waves"} | logfmt | status="201""#, start, now(), 1000).await?;
    ensure!(filtered.len() == 300, "{} lines with status 201", filtered.len());
    let seconds = (now() - start) / 1_000_000_000 + 60;
    let count =
        client.instant(&format!(r#"sum(count_over_time({{app="waves"}} |= "wave" [{seconds}s]))"#), now()).await?;
    ensure!(count == 900.0, "counted {count}");
    let labels = client.json("/loki/api/v1/label/app/values", &[]).await?;
    ensure!(labels["data"] == serde_json::json!(["waves"]), "label values: {labels}");
    Ok(())
}
