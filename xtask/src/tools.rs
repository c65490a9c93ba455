//! Programs that tests need and that do not come with cargo.

use std::process::Command;

use anyhow::{Context, Result, bail};

/// Finds `redis-server`, or installs it from the distribution's packages.
pub(crate) fn ensure_redis() -> Result<()> {
    if on_path("redis-server") {
        println!("redis-server: found");
        return Ok(());
    }
    println!("redis-server: not found, installing it with apt-get");
    let apt = |arguments: &[&str]| -> Result<()> {
        let status = Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").status();
        match status.context("apt-get cannot be started; install redis-server by hand")?.success() {
            true => Ok(()),
            false => bail!("`apt-get {}` failed; install redis-server by hand", arguments.join(" ")),
        }
    };
    apt(&["-qq", "update"])?;
    apt(&["-qq", "install", "-y", "--no-install-recommends", "redis-server"])?;
    match on_path("redis-server") {
        true => Ok(()),
        false => bail!("redis-server was installed but is not on the PATH"),
    }
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
