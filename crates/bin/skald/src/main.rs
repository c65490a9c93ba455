//! Skald in one process: every role, or those of `-target`.

use std::process::ExitCode;

fn main() -> ExitCode {
    skald::run(&skald::assemble::ALL)
}
