//! The role `query-scheduler` as a program of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    skald::run(&[skald::assemble::QUERY_SCHEDULER])
}
