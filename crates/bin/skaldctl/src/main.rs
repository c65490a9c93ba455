//! `skaldctl`, the command line for people: asks, follows and feeds any server that speaks Loki's
//! HTTP API, and looks into segment objects on disk.
//!
//! Where to look: `cli` is what a user can type; each command has a file of its name; `client` is the
//! only file that talks HTTP; `output` turns answers into text. Results go to stdout, everything said
//! about them to stderr, so that pipes carry only data.
//!
//! Exit status: 0 done, 1 an error, 2 wrong usage. A reader that closes the pipe early is no error.

// In tests a panic is how a test fails, and the type of a table of cases is no interface.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::type_complexity))]

mod cli;
mod client;
mod error;
mod labels;
mod notes;
mod output;
mod paging;
mod push;
mod query;
mod response;
mod ring;
mod segment;
mod series;
mod session;
mod stats;
mod table;
mod tail;
mod time;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    cli::{Cli, Command, SegmentCommand},
    session::Session,
};

fn main() -> ExitCode {
    // An error means that a provider is installed already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => error::report(&failure),
    }
}

/// Runs the command on this one thread: whatever it awaits, there is nothing else to do meanwhile.
fn run(cli: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let session = Session::new(&cli.global)?;
        match cli.command {
            Command::Query(args) => query::run(&session, &args).await,
            Command::InstantQuery(args) => query::run_instant(&session, &args).await,
            Command::Tail(args) => tail::run(&session, &args).await,
            Command::Labels(args) => labels::run(&session, &args).await,
            Command::Series(args) => series::run(&session, &args).await,
            Command::Stats(args) => stats::run(&session, &args).await,
            Command::Push(args) => push::run(&session, &args).await,
            Command::Ring(args) => ring::run(&session, &args).await,
            Command::Segment(SegmentCommand::Inspect(args)) => segment::inspect(&session, &args),
        }
    })
}
