//! The role `distributor` as a program of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    skald::run(&[skald::assemble::DISTRIBUTOR])
}
