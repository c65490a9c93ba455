//! `skald-bench load`: pushes and the report of what they cost.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{
    push::{self, Body, Plan},
    server,
};

/// MB of lines per CPU-second of the server that the design asks for, up to and including the flush.
const BUDGET_MB_PER_CPU_SECOND: f64 = 200.0;

#[derive(Args)]
pub(crate) struct Options {
    /// Where to push.
    #[arg(long, default_value = "http://127.0.0.1:3100")]
    url: String,
    /// Tenant to push for; none by default.
    #[arg(long)]
    org_id: Option<String>,
    /// Megabytes of lines to push.
    #[arg(long, default_value_t = 1000)]
    megabytes: u64,
    /// Streams the lines are spread over.
    #[arg(long, default_value_t = 400)]
    streams: u64,
    /// Streams in one body.
    #[arg(long, default_value_t = 20)]
    streams_per_body: u64,
    /// Kilobytes of lines in one body.
    #[arg(long, default_value_t = 1000)]
    body_kilobytes: u64,
    /// Hours that the data span, ending now.
    #[arg(long, default_value_t = 6.0)]
    hours: f64,
    /// Pushes under way at once.
    #[arg(long, default_value_t = 4)]
    concurrency: usize,
    /// The server's process, to read its CPU time and memory.
    #[arg(long)]
    pid: Option<u32>,
    /// The folder of the server's object store, to count what it stores.
    #[arg(long)]
    objects: Option<PathBuf>,
    /// Ask the server to flush at the end and count that too (Loki's `POST /flush`).
    #[arg(long)]
    flush: bool,
}

/// Bodies made before the clock starts; more are made between measured batches, so that making them
/// does not compete with the server for the processor.
const BODIES_AHEAD: u64 = 64;

pub(crate) async fn run(options: Options) -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs() as i64;
    let span = (options.hours * 3600.0) as i64;
    let body_bytes = options.body_kilobytes * 1000;
    let bodies = (options.megabytes * 1_000_000).div_ceil(body_bytes);
    let plan = Plan {
        streams: options.streams,
        streams_per_body: options.streams_per_body,
        body_bytes,
        start: now - span,
        span,
        bodies,
    };
    let client = reqwest::Client::builder().timeout(Duration::from_secs(60)).build().context("an HTTP client")?;
    let client = Arc::new(Client {
        http: client,
        url: format!("{}/loki/api/v1/push", options.url),
        org_id: options.org_id.clone(),
    });
    let cpu_before = options.pid.map(server::cpu_seconds).transpose()?;
    let (mut line_bytes, mut lines, mut took) = (0, 0, Duration::ZERO);
    let mut next = 0;
    while next < bodies {
        let until = (next + BODIES_AHEAD).min(bodies);
        let batch: Vec<Body> = (next..until).map(|i| push::body(&plan, i)).collect::<Result<_>>()?;
        line_bytes += batch.iter().map(|b| b.line_bytes).sum::<u64>();
        lines += batch.iter().map(|b| b.lines).sum::<u64>();
        let start = Instant::now();
        client.push_all(batch, options.concurrency).await?;
        took += start.elapsed();
        next = until;
        eprint!("\r{} of {} MB", line_bytes / 1_000_000, options.megabytes);
    }
    eprintln!();
    if options.flush {
        let start = Instant::now();
        flush(&client.http, &options.url, options.objects.as_deref()).await?;
        took += start.elapsed();
    }
    report(&options, line_bytes, lines, took, cpu_before)
}

fn report(options: &Options, line_bytes: u64, lines: u64, took: Duration, cpu_before: Option<f64>) -> Result<()> {
    let megabytes = line_bytes as f64 / 1e6;
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("machine: {cores} cores");
    println!(
        "pushed: {megabytes:.0} MB of lines, {lines} lines, {} streams, {:.0} hours",
        options.streams, options.hours
    );
    println!("wall: {:.2} s, {:.0} MB/s", took.as_secs_f64(), megabytes / took.as_secs_f64());
    if let (Some(pid), Some(before)) = (options.pid, cpu_before) {
        let cpu = server::cpu_seconds(pid)? - before;
        let rate = megabytes / cpu;
        println!(
            "server CPU: {cpu:.2} s, {rate:.0} MB per CPU-second ({:.2} of the budget of {BUDGET_MB_PER_CPU_SECOND:.0})",
            rate / BUDGET_MB_PER_CPU_SECOND
        );
        let (resident, peak) = server::resident_mib(pid)?;
        println!("server memory: {resident:.0} MiB resident, {peak:.0} MiB at its peak");
    }
    if let Some(folder) = &options.objects {
        let (files, bytes) = server::stored(folder)?;
        println!(
            "stored: {files} objects, {:.1} MB, {:.3} bytes per raw byte",
            bytes as f64 / 1e6,
            bytes as f64 / line_bytes as f64
        );
    }
    Ok(())
}

struct Client {
    http: reqwest::Client,
    url: String,
    org_id: Option<String>,
}

impl Client {
    /// Pushes every body, `concurrency` at a time; a refused body ends the run.
    async fn push_all(self: &Arc<Self>, bodies: Vec<Body>, concurrency: usize) -> Result<()> {
        let bodies = Arc::new(bodies);
        let next = Arc::new(AtomicU64::new(0));
        let mut workers = Vec::new();
        for _ in 0..concurrency.max(1) {
            let (this, bodies, next) = (Arc::clone(self), Arc::clone(&bodies), Arc::clone(&next));
            workers.push(tokio::spawn(async move {
                while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    this.push(body).await?;
                }
                anyhow::Ok(())
            }));
        }
        for worker in workers {
            worker.await.context("a pushing task ended early")??;
        }
        Ok(())
    }

    async fn push(&self, body: &Body) -> Result<()> {
        let mut request =
            self.http.post(&self.url).header("content-type", "application/x-protobuf").body(body.bytes.clone());
        if let Some(tenant) = &self.org_id {
            request = request.header("x-scope-orgid", tenant);
        }
        let response = request.send().await.context("pushing")?;
        if !response.status().is_success() {
            bail!("push refused: {} {}", response.status(), response.text().await.unwrap_or_default());
        }
        Ok(())
    }
}

/// Asks for a flush and waits until the object store stops growing, since Loki's flush answers at once.
async fn flush(http: &reqwest::Client, url: &str, objects: Option<&std::path::Path>) -> Result<()> {
    http.post(format!("{url}/flush")).send().await.context("flushing")?.error_for_status().context("flushing")?;
    let Some(folder) = objects else { return Ok(()) };
    let mut before = server::stored(folder)?;
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = server::stored(folder)?;
        if now == before {
            return Ok(());
        }
        before = now;
    }
}
