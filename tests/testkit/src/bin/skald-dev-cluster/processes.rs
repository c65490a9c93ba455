//! What the processes cost, from `/proc`, and whether they are ready, from `/ready`.

use std::{collections::HashMap, fs, net::Ipv4Addr, time::Instant};

use anyhow::{Context, Result};
use skald_testkit::{Cluster, Process};

use crate::table::table;

/// One process at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    name: String,
    address: Ipv4Addr,
    pid: Option<u32>,
    ready: bool,
    /// Resident memory in bytes.
    resident: u64,
    /// Share of one core since the last look, in percent.
    cpu: f64,
}

/// Remembers processor times, so that the next look can tell the share.
pub(crate) struct Meter {
    /// Clock ticks per second of the times in `/proc`.
    ticks_per_second: f64,
    page_bytes: u64,
    /// By process id: ticks used, and when they were read.
    seen: HashMap<u32, (u64, Instant)>,
}

impl Meter {
    /// Nothing seen yet.
    pub(crate) fn new() -> Result<Self> {
        let (ticks_per_second, page_bytes) = (getconf("CLK_TCK")? as f64, getconf("PAGESIZE")?);
        Ok(Self { ticks_per_second, page_bytes, seen: HashMap::new() })
    }

    /// All processes of `cluster`, in the order of their start.
    pub(crate) async fn read(&mut self, cluster: &Cluster, client: &reqwest::Client) -> Vec<Row> {
        let ready = cluster.processes().iter().map(|process| is_ready(process, client));
        let ready = futures::future::join_all(ready).await;
        let rows = cluster.processes().iter().zip(ready).map(|(process, ready)| self.row(process, ready));
        rows.collect()
    }

    fn row(&mut self, process: &Process, ready: bool) -> Row {
        let (name, address) = (process.name().to_owned(), process.address());
        let usage = process.pid().filter(|_| !process.has_ended()).and_then(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            Some((pid, usage(&stat)?))
        });
        let Some((pid, usage)) = usage else {
            return Row { name, address, pid: None, ready: false, resident: 0, cpu: 0.0 };
        };
        let now = Instant::now();
        let before = self.seen.insert(pid, (usage.ticks, now));
        let cpu = before.map_or(0.0, |(ticks, at)| {
            let seconds = now.duration_since(at).as_secs_f64().max(f64::EPSILON);
            usage.ticks.saturating_sub(ticks) as f64 / self.ticks_per_second / seconds * 100.0
        });
        Row { name, address, pid: Some(pid), ready, resident: usage.pages * self.page_bytes, cpu }
    }
}

async fn is_ready(process: &Process, client: &reqwest::Client) -> bool {
    let answer = client.get(format!("{}/ready", process.http_url())).send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

fn getconf(name: &str) -> Result<u64> {
    let output = std::process::Command::new("getconf").arg(name).output().context("getconf")?;
    let text = String::from_utf8(output.stdout).context("getconf")?;
    text.trim().parse().with_context(|| format!("getconf {name} printed {text:?}"))
}

#[derive(Debug, PartialEq)]
struct Usage {
    /// Processor time in clock ticks, user and system.
    ticks: u64,
    /// Resident pages.
    pages: u64,
}

/// Reads `/proc/<pid>/stat`. The program's name may hold spaces and brackets; fields are counted from
/// behind it: state is the third of the page's manual, so the first here.
fn usage(stat: &str) -> Option<Usage> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Usage { ticks: field(14)? + field(15)?, pages: field(24)? })
}

/// The rows as a table.
pub(crate) fn render(rows: &[Row]) -> String {
    let cells: Vec<_> = rows
        .iter()
        .map(|row| {
            let ready = match (row.pid, row.ready) {
                (None, _) => "ended",
                (_, true) => "ready",
                (_, false) => "not ready",
            };
            [
                row.name.clone(),
                row.address.to_string(),
                row.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
                ready.to_owned(),
                format!("{:.1} MB", row.resident as f64 / 1e6),
                format!("{:.1} %", row.cpu),
            ]
        })
        .collect();
    table(["PROCESS", "ADDRESS", "PID", "STATE", "RSS", "CPU"], &["PID", "RSS", "CPU"], &cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_of_a_program_with_an_ugly_name() {
        let stat = "77 (a) b (c) S 1 77 77 0 -1 4194304 900 0 0 0 150 25 0 0 20 0 9 0 5000 123456789 2048 18446744073709551615 1 1";
        assert_eq!(usage(stat), Some(Usage { ticks: 175, pages: 2048 }));
        assert_eq!(usage("77 (cut) S 1"), None);
        assert_eq!(usage(""), None);
    }

    #[test]
    fn usage_of_this_process() {
        let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
        assert!(usage(&stat).expect("a line the kernel wrote").pages > 0);
    }

    #[test]
    fn a_table_of_processes() {
        let row = Row {
            name: "ingester-0".to_owned(),
            address: Ipv4Addr::new(127, 20, 0, 4),
            pid: Some(4711),
            ready: true,
            resident: 52_300_000,
            cpu: 12.34,
        };
        let ended = Row { name: "querier-0".to_owned(), pid: None, ready: false, resident: 0, cpu: 0.0, ..row.clone() };
        let starting = Row { name: "querier-1".to_owned(), ready: false, ..row.clone() };
        let expect = "\
PROCESS     ADDRESS      PID  STATE          RSS     CPU
ingester-0  127.20.0.4  4711  ready      52.3 MB  12.3 %
querier-0   127.20.0.4     -  ended       0.0 MB   0.0 %
querier-1   127.20.0.4  4711  not ready  52.3 MB  12.3 %
";
        assert_eq!(render(&[row, ended, starting]), expect);
    }
}
