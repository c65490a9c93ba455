//! A real Redis on a loopback address.

use std::{
    net::{Ipv4Addr, SocketAddr},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

/// How long Redis may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Between two looks whether it listens.
const LOOK: Duration = Duration::from_millis(20);

/// A running Redis; dropping it kills it.
pub struct Redis {
    address: Ipv4Addr,
    folder: PathBuf,
    own_group: bool,
    child: Option<Child>,
}

impl Redis {
    /// True when `redis-server` is on the PATH.
    pub fn is_installed() -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join("redis-server").is_file())
    }

    /// Starts it on port 6379 of `address`, keeping nothing on disk; `own_group` as in [`Topology::own_groups`].
    ///
    /// [`Topology::own_groups`]: super::Topology::own_groups
    pub async fn start(address: Ipv4Addr, folder: PathBuf, own_group: bool) -> Result<Self> {
        std::fs::create_dir_all(&folder).context("a folder for Redis")?;
        let mut redis = Self { address, folder, own_group, child: None };
        redis.restart().await?;
        Ok(redis)
    }

    /// Starts it again after [`Redis::kill`].
    pub async fn restart(&mut self) -> Result<()> {
        self.kill();
        let bind = self.address.to_string();
        let mut command = Command::new("redis-server");
        if self.own_group {
            command.process_group(0);
        }
        let child = command
            .args(["--bind", &bind, "--port", "6379", "--save", "", "--appendonly", "no"])
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("redis-server cannot be started; `cargo xtask test` installs it")?;
        self.child = Some(child);
        let deadline = Instant::now() + START_TIMEOUT;
        while tokio::net::TcpStream::connect(self.address()).await.is_err() {
            ensure!(Instant::now() < deadline, "redis-server does not listen on {}", self.address());
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Both fail only for a process that is gone.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((self.address, 6379))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
