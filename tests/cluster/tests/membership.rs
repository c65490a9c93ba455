//! Ingesters that come and go.

use anyhow::Result;
use skald_testkit::{Load, Service};

use crate::{PATIENCE, cluster};

/// Out from three to four and in again, with queries throughout.
#[tokio::test(flavor = "multi_thread")]
async fn scale_out_and_in() -> Result<()> {
    let (mut cluster, _turn) = cluster().await;
    let load = Load::start(cluster.client("t")?);
    let client = cluster.client("t")?;
    load.wait_for(200, PATIENCE).await?;

    let newcomer = cluster.add(Service::Ingester)?;
    cluster.process(&newcomer)?.wait_ready(PATIENCE).await?;
    load.snapshot().check_counts(&client).await?;
    load.wait_for(200, PATIENCE).await?;
    load.snapshot().check_lines(&client).await?;

    cluster.process("ingester-0")?.stop().await?;
    load.snapshot().check_counts(&client).await?;
    load.wait_for(200, PATIENCE).await?;

    let oracle = load.finish().await?;
    oracle.check_lines(&client).await?;
    oracle.check_counts(&client).await
}
