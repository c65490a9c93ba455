//! One step of a run: a command, its share of the time, and what it printed about tests.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::summary::Counts;

/// What a phase took and found.
pub(crate) struct Done {
    pub(crate) name: &'static str,
    pub(crate) took: Duration,
    pub(crate) budget: Duration,
    pub(crate) counts: Counts,
    pub(crate) ok: bool,
}

/// Runs `command`, shows what it prints, and counts the tests it reports on standard output.
pub(crate) fn run(name: &'static str, budget_minutes: u64, mut command: Command) -> Result<Done> {
    println!("\n=== {name}");
    let start = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start {command:?}"))?;
    let Some(stdout) = child.stdout.take() else { bail!("no standard output from {command:?}") };
    let mut counts = Counts::default();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.context("reading what the command prints")?;
        let line = String::from_utf8_lossy(&line);
        counts.read(&line);
        writeln!(std::io::stdout(), "{line}").context("printing")?;
    }
    let status = child.wait().with_context(|| format!("waiting for {command:?}"))?;
    let budget = Duration::from_secs(budget_minutes * 60);
    Ok(Done { name, took: start.elapsed(), budget, counts, ok: status.success() })
}
