//! Whole-system benchmarks against any Loki-compatible URL.
//!
//! `load` pushes generated logs and reports what they cost the server: MB of lines per second and per
//! CPU-second, resident memory, bytes stored per raw byte, objects written. `query` runs a set of
//! queries over such data and reports latencies. Nothing here is a test: figures depend on the machine,
//! so quote ratios from one run and the command that made them.

mod corpus;
mod load;
mod push;
mod query;
mod random;
mod server;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "skald-bench", about = "Load generator and query runner for any Loki-compatible URL")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Push generated logs and report what they cost.
    Load(load::Options),
    /// Run queries over loaded data and report latencies.
    Query(query::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    // Installing twice is the only failure, and then one is installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let outcome = match Arguments::parse().command {
        Command::Load(options) => load::run(options).await,
        Command::Query(options) => query::run(options).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("skald-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
