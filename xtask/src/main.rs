//! Developer commands: `cargo xtask test`, `cargo xtask dev-cluster`.
//!
//! - `test`: the phases of a whole run, built once and in one order; what CI runs.
//! - `dev_cluster`: builds the programs and hands over to the one that keeps a cluster running.
//! - `tidy`: tests that keep `ARCHITECTURE.md`, `README.md` and the manifests in step.
//!
//! This crate has few dependencies on purpose: it is compiled before anything else, by itself.

mod artifacts;
mod dev_cluster;
mod doc_tests;
mod phase;
mod summary;
mod test;
#[cfg(test)]
mod tidy;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "xtask", about = "Developer commands of Skald")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install or find what tests need, then run every check and test; what CI runs.
    Test {
        /// More cases in every random test; takes an hour or more.
        #[arg(long)]
        long: bool,
    },
    /// Run the real microservices on this machine until Ctrl-C.
    DevCluster {
        /// Optimised programs.
        #[arg(long)]
        release: bool,
        /// The tenant of the printed examples.
        #[arg(long, default_value = "dev")]
        tenant: String,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Test { long } => test::run(long),
        Command::DevCluster { release, tenant } => dev_cluster::run(release, &tenant),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
