//! The microservices on one laptop, until Ctrl-C; `cargo xtask dev-cluster` builds and starts this.
//!
//! It is the cluster of the tests with the timers of production: one process per service on a loopback
//! address of its own, an S3 endpoint inside this process, Redis when it is installed, all data in a
//! temporary folder. On a terminal a table of processes and of the ring is redrawn every second, else
//! it is printed once.

mod processes;
mod ring;
mod screen;
mod table;

use std::{io::IsTerminal, time::Duration};

use anyhow::{Context, Result};
use clap::Parser;
use skald_testkit::{Cluster, Redis, Service, Topology};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{processes::Meter, ring::Ring, screen::Screen};

/// Between two redraws of the table.
const REDRAW: Duration = Duration::from_secs(1);

#[derive(Parser)]
#[command(name = "skald-dev-cluster", about = "Skald's microservices on this machine, until Ctrl-C")]
struct Arguments {
    /// The tenant of the printed examples.
    #[arg(long, default_value = "dev")]
    tenant: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut stop = Stop::new()?;
    if !Redis::is_installed() {
        println!("notice: redis-server is not installed, caches are in memory only (apt-get install redis-server)");
    }
    let topology = Topology { own_groups: true, ..Topology::laptop() };
    println!("starting {} processes", topology.processes());
    let mut cluster = tokio::select! {
        cluster = Cluster::start(topology) => cluster?,
        () = stop.asked() => return Ok(()),
    };
    println!("{}", guide(&cluster, &arguments.tenant)?);
    show_until(&cluster, &mut stop).await?;
    println!("\nstopping; Ctrl-C again to kill");
    tokio::select! {
        stopped = cluster.stop() => stopped?,
        () = stop.asked() => println!("killed"),
    }
    Ok(())
}

/// Ctrl-C and SIGTERM.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn new() -> Result<Self> {
        let interrupt = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
        let terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
        Ok(Self { interrupt, terminate })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Where everything is, and a push and a query to copy.
fn guide(cluster: &Cluster, tenant: &str) -> Result<String> {
    let url = |service| -> Result<String> {
        let process = cluster.processes().iter().find(|p| p.service() == service);
        Ok(process.with_context(|| format!("no {}", service.name()))?.http_url())
    };
    let (push, query) = (url(Service::Distributor)?, url(Service::QueryFrontend)?);
    let redis = cluster.redis_address().map_or_else(|| "none".to_owned(), |address| address.to_string());
    Ok(format!(
        "\n\
         push    {push}/loki/api/v1/push\n\
         query   {query} (the URL for Grafana's Loki data source; header X-Scope-OrgID: {tenant})\n\
         ring    {push}/ring\n\
         S3      http://{s3}\n\
         Redis   {redis}\n\
         data    {folder} (each process: data/ and log; removed at the end)\n\n\
         curl {push}/loki/api/v1/push -H 'X-Scope-OrgID: {tenant}' -H 'Content-Type: application/json' \\\n  \
         -d '{{\"streams\":[{{\"stream\":{{\"app\":\"hello\"}},\"values\":[[\"'$(date +%s%N)'\",\"hello, skald\"]]}}]}}'\n\
         curl -G {query}/loki/api/v1/query_range -H 'X-Scope-OrgID: {tenant}' --data-urlencode 'query={{app=\"hello\"}}'\n",
        s3 = cluster.s3_address(),
        folder = cluster.folder().display(),
    ))
}

/// Shows the table until somebody wants to stop.
async fn show_until(cluster: &Cluster, stop: &mut Stop) -> Result<()> {
    let client = reqwest::Client::builder().timeout(REDRAW).build().context("an HTTP client")?;
    let mut meter = Meter::new()?;
    let mut screen = Screen::new(std::io::stdout());
    let live = std::io::stdout().is_terminal();
    let mut ticks = tokio::time::interval(REDRAW);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.asked() => return Ok(()),
        }
        let processes = meter.read(cluster, &client).await;
        let ring = Ring::fetch(cluster, &client).await;
        let hint = if live { "Ctrl-C stops the cluster" } else { "SIGINT or SIGTERM stops the cluster" };
        screen.draw(&format!("{}\n{}\n{hint}\n", processes::render(&processes), ring::render(&ring)))?;
        if !live {
            stop.asked().await;
            return Ok(());
        }
    }
}
