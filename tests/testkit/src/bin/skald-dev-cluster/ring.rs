//! The ring of ingesters, as the first process that answers sees it.

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Deserialize;
use skald_testkit::Cluster;

use crate::table::table;

/// The page `/ring` as JSON, as far as it is shown here.
#[derive(Debug, Deserialize)]
pub(crate) struct Ring {
    shards: Vec<Member>,
    now: String,
}

#[derive(Debug, Deserialize)]
struct Member {
    id: String,
    state: String,
    /// Its last heartbeat, RFC 3339.
    timestamp: String,
    /// Percent of all keys.
    ownership: f64,
    last_seq: u64,
}

impl Ring {
    /// Asks one process after the other; the last error if none answers.
    pub(crate) async fn fetch(cluster: &Cluster, client: &reqwest::Client) -> Result<Self> {
        let mut last = anyhow::anyhow!("no process runs");
        for process in cluster.processes().iter().filter(|p| p.is_running()) {
            let request = client.get(format!("{}/ring", process.http_url())).header("Accept", "application/json");
            let answer = async { request.send().await?.error_for_status()?.text().await };
            match answer.await {
                Ok(text) => return serde_json::from_str(&text).context("the page /ring"),
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }
}

/// The ring as a table, or why there is none.
pub(crate) fn render(ring: &Result<Ring>) -> String {
    let ring = match ring {
        Ok(ring) => ring,
        Err(error) => return format!("ring: {error:#}\n"),
    };
    let rows: Vec<_> = ring
        .shards
        .iter()
        .map(|member| {
            let age = age_seconds(&member.timestamp, &ring.now).map_or_else(|| "-".to_owned(), |s| format!("{s:.1} s"));
            let ownership = format!("{:.1} %", member.ownership);
            [member.id.clone(), member.state.clone(), age, ownership, member.last_seq.to_string()]
        })
        .collect();
    table(["RING", "STATE", "HEARTBEAT", "OWNS", "OBJECTS"], &["HEARTBEAT", "OWNS", "OBJECTS"], &rows)
}

/// Seconds from one RFC 3339 time to another; below zero when clocks differ.
fn age_seconds(then: &str, now: &str) -> Option<f64> {
    let [then, now] = [then, now].map(|text| text.parse::<Timestamp>().ok());
    Some(now?.duration_since(then?).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_the_ring() {
        let page = r#"{
            "ring": "ingester",
            "shards": [
                {"id": "ingester-0", "state": "ACTIVE", "address": "127.20.0.4:9095", "zone": "", "ownership": 33.34,
                 "timestamp": "2026-01-02T03:04:05.25Z", "tokens": [1], "last_seq": 12},
                {"id": "ingester-1", "state": "UNHEALTHY", "ownership": 0.0, "timestamp": "", "last_seq": 0}
            ],
            "now": "2026-01-02T03:04:06.5Z"
        }"#;
        let ring = serde_json::from_str(page).context("the page");
        let expect = "\
RING        STATE      HEARTBEAT    OWNS  OBJECTS
ingester-0  ACTIVE         1.2 s  33.3 %       12
ingester-1  UNHEALTHY          -   0.0 %        0
";
        assert_eq!(render(&ring), expect);
        assert_eq!(render(&Err(anyhow::anyhow!("nobody answers"))), "ring: nobody answers\n");
    }
}
