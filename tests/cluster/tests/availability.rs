//! Ingesters that die, one or more.

use anyhow::{Result, ensure};
use skald_testkit::{Line, Load, Service, load::now};

use crate::{PATIENCE, cluster};

/// kill -9 of one ingester during load loses nothing and doubles nothing, counts stay exact meanwhile, and
/// it comes back, replays and rejoins.
#[tokio::test(flavor = "multi_thread")]
async fn kill_one_ingester_during_load() -> Result<()> {
    let (mut cluster, _turn) = cluster().await;
    let load = Load::start(cluster.client("t")?);
    let client = cluster.client("t")?;
    load.wait_for(200, PATIENCE).await?;

    cluster.process("ingester-1")?.kill();
    load.wait_for(400, PATIENCE).await?;
    load.snapshot().check_counts(&client).await?;
    load.snapshot().check_lines(&client).await?;

    let ingester = cluster.process("ingester-1")?;
    ingester.start()?;
    ingester.wait_ready(PATIENCE).await?;
    load.wait_for(400, PATIENCE).await?;
    load.snapshot().check_counts(&client).await?;

    let oracle = load.finish().await?;
    oracle.check_lines(&client).await?;
    oracle.check_counts(&client).await
}

/// All ingesters are restarted one after the other, during load.
#[tokio::test(flavor = "multi_thread")]
async fn rolling_restart_of_all_ingesters() -> Result<()> {
    let (mut cluster, _turn) = cluster().await;
    let load = Load::start(cluster.client("t")?);
    let client = cluster.client("t")?;
    load.wait_for(200, PATIENCE).await?;
    for name in cluster.names(Service::Ingester) {
        cluster.process(&name)?.restart(PATIENCE).await?;
        load.wait_for(200, PATIENCE).await?;
        load.snapshot().check_counts(&client).await?;
    }
    let oracle = load.finish().await?;
    oracle.check_lines(&client).await?;
    oracle.check_counts(&client).await
}

/// With one of three ingesters dead answers are complete; with two dead a query fails and says so.
#[tokio::test(flavor = "multi_thread")]
async fn one_dead_is_tolerated_two_are_not() -> Result<()> {
    let (mut cluster, _turn) = cluster().await;
    let client = cluster.client("t")?;
    let time = now();
    let lines: Vec<_> = (0..50).map(|i| Line { timestamp: time + i, text: format!("line {i}") }).collect();
    ensure!(client.push(&[("app", "dead")], &lines, 20).await?, "not acknowledged");

    cluster.process("ingester-0")?.kill();
    let got = client.lines(r#"{app="dead"}"#, time, time + 100, 1000).await?;
    ensure!(got == lines, "with one dead: {} of {} lines", got.len(), lines.len());

    cluster.process("ingester-2")?.kill();
    let (start, end) = (time.to_string(), (time + 100).to_string());
    let parameters = [("query", r#"{app="dead"}"#), ("start", &*start), ("end", &*end)];
    let (status, text) = client.get("/loki/api/v1/query_range", &parameters).await?;
    ensure!(status >= 500, "with two dead: {status} {text}");
    let (status, text) = client.push_once(&[("app", "dead")], &lines).await?;
    ensure!(status >= 500, "a push with two dead: {status} {text}");
    Ok(())
}
