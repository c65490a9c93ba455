//! Two tenants do not see each other.

use anyhow::{Result, ensure};
use skald_testkit::{Line, load::now};

use super::cluster;

#[tokio::test(flavor = "multi_thread")]
async fn tenants_do_not_mix() -> Result<()> {
    let (cluster, _turn) = cluster().await;
    let time = now();
    let line = |tenant: &str| Line { timestamp: time, text: format!("of {tenant}") };
    let tenants = ["alpha", "beta"];
    for tenant in tenants {
        let pushed = cluster.client(tenant)?.push(&[("app", "x"), ("of", tenant)], &[line(tenant)], 20).await?;
        ensure!(pushed, "not acknowledged");
    }
    for tenant in tenants {
        let client = cluster.client(tenant)?;
        // Twice, so that the second answer may come from caches.
        for _ in 0..2 {
            let lines = client.lines(r#"{app="x"}"#, time, time + 1, 10).await?;
            ensure!(lines == [line(tenant)], "{tenant} sees {lines:?}");
            let values = client.json("/loki/api/v1/label/of/values", &[]).await?;
            ensure!(values["data"] == serde_json::json!([tenant]), "{tenant} sees {values}");
            let count = client.instant(r#"sum(count_over_time({app="x"}[5m]))"#, time + 1).await?;
            ensure!(count == 1.0, "{tenant} counts {count}");
        }
    }
    let (status, text) = cluster.client("bad/tenant")?.get("/loki/api/v1/labels", &[]).await?;
    ensure!(status == 400 && text.contains("unsupported character"), "{status} {text}");
    Ok(())
}
