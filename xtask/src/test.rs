//! `cargo xtask test`: every check and test, each phase with its share of the time.

use std::{env, process::Command};

use anyhow::{Result, bail};

use crate::{phase, summary, tools};

/// Suites that run by themselves, because they start processes or take long.
const SEPARATE: [&str; 3] = ["skald-sim", "skald-conformance", "skald-cluster-tests"];

pub(crate) fn run(long: bool) -> Result<()> {
    tools::ensure_redis()?;
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(arguments);
        if long {
            command.env("SKALD_TEST_LONG", "1");
        }
        command
    };
    let mut unit = vec!["test", "--workspace"];
    SEPARATE.iter().for_each(|package| unit.extend(["--exclude", package]));
    let steps: [(&'static str, u64, Command); 8] = [
        ("formatting", 1, cargo(&["fmt", "--all", "--check"])),
        ("lint", 5, cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])),
        ("build", 7, cargo(&["build", "--workspace", "--all-targets"])),
        ("unit and property tests", 6, cargo(&unit)),
        ("conformance", 2, cargo(&["test", "-p", "skald-conformance"])),
        ("simulation", 4, cargo(&["test", "-p", "skald-sim"])),
        ("cluster", 10, cargo(&["test", "-p", "skald-cluster-tests"])),
        ("documentation builds", 4, {
            let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--quiet"]);
            doc.env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links");
            doc
        }),
    ];
    let mut done = Vec::new();
    for (name, minutes, command) in steps {
        let phase = phase::run(name, minutes, command)?;
        // Without binaries every later phase would only repeat the compiler's errors.
        let hopeless = name == "build" && !phase.ok;
        done.push(phase);
        if hopeless {
            break;
        }
    }
    match summary::print(&done) {
        true => Ok(()),
        false => bail!("not everything passed, see the summary"),
    }
}
