//! Redis and the object store, gone for a while.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use skald_testkit::Load;

use crate::{PATIENCE, cluster};

/// How long the object store is away: many flush periods of these clusters.
const OUTAGE: Duration = Duration::from_secs(15);

/// A dead Redis fails nothing.
#[tokio::test(flavor = "multi_thread")]
async fn redis_down() -> Result<()> {
    let (mut cluster, _turn) = cluster().await;
    let load = Load::start(cluster.client("t")?);
    let client = cluster.client("t")?;
    load.wait_for(200, PATIENCE).await?;
    load.snapshot().check_lines(&client).await?;

    cluster.redis().context("this test needs Redis; `cargo xtask test` installs it")?.kill();
    load.wait_for(200, PATIENCE).await?;
    load.snapshot().check_lines(&client).await?;
    load.snapshot().check_counts(&client).await?;

    cluster.redis().context("still there")?.restart().await?;
    let oracle = load.finish().await?;
    oracle.check_lines(&client).await?;
    oracle.check_counts(&client).await
}

/// With the object store down pushes go on and nothing is lost; flushes catch up afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn object_store_down() -> Result<()> {
    let (cluster, _turn) = cluster().await;
    let load = Load::start(cluster.client("t")?);
    let client = cluster.client("t")?;
    load.wait_for(200, PATIENCE).await?;

    cluster.s3().fail_all();
    tokio::time::sleep(OUTAGE).await;
    load.wait_for(100, PATIENCE).await.context("pushes must go on without the object store")?;
    cluster.s3().heal();

    load.wait_for(200, PATIENCE).await?;
    let oracle = load.finish().await?;
    oracle.check_lines(&client).await?;
    oracle.check_counts(&client).await?;

    let flushed = async {
        while !cluster.s3().objects("skald").iter().any(|(key, _)| key.starts_with("seg/")) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    ensure!(tokio::time::timeout(PATIENCE, flushed).await.is_ok(), "nothing was folded after the outage");
    oracle.check_lines(&client).await
}
