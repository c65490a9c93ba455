//! `cargo xtask dev-cluster`: builds the programs and becomes the one that keeps a cluster running.
//!
//! That one is part of the test kit, so that laptop and tests run the same cluster. It replaces this
//! process, so that Ctrl-C meets one process that knows what to stop in which order.

use std::{convert::Infallible, os::unix::process::CommandExt, process::Command};

use anyhow::{Context, Result};

use crate::{
    artifacts::Artifacts,
    phase::Phase,
    test::{BINARIES, cargo},
};

/// Returns only when something fails, or false when the build did.
pub(crate) fn run(release: bool, tenant: &str) -> Result<bool> {
    let mut build = Phase::begin("build", 7);
    // `--examples` makes cargo unify features as in `cargo xtask test`, so that one build serves both.
    let mut command = cargo(&["build", "--workspace", "--bins", "--examples"]);
    command.arg("--message-format=json-render-diagnostics");
    if release {
        command.arg("--release");
    }
    let messages = build.output(command)?;
    if !build.is_ok() {
        return Ok(false);
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let binaries = Artifacts::parse(&messages, root)?.binaries.context("no program `skald`")?;
    let mut command = Command::new(binaries.join("skald-dev-cluster"));
    command.args(["--tenant", tenant]).env(BINARIES, &binaries);
    let failed: Result<Infallible, _> = Err(command.exec());
    match failed.with_context(|| format!("cannot start {command:?}"))? {}
}
