//! One process: its program, its arguments, its folder, its life.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::Service;

/// How long a process may take from SIGTERM to its end.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// Between two looks at a condition that only a look can tell.
const LOOK: Duration = Duration::from_millis(20);

/// How much of a log a failed test shows.
const LAST_WORDS_BYTES: u64 = 6000;

/// A process of a cluster, running or not.
pub struct Process {
    name: String,
    service: Service,
    address: Ipv4Addr,
    program: PathBuf,
    arguments: Vec<String>,
    folder: PathBuf,
    own_group: bool,
    child: Option<Child>,
}

impl Process {
    pub(super) fn new(
        name: String,
        service: Service,
        address: Ipv4Addr,
        program: PathBuf,
        arguments: Vec<String>,
        folder: PathBuf,
    ) -> Self {
        Self { name, service, address, program, arguments, folder, own_group: false, child: None }
    }

    /// Whether it starts in a process group of its own, out of reach of the terminal's Ctrl-C.
    pub(super) fn set_own_group(&mut self, own_group: bool) {
        self.own_group = own_group;
    }

    /// Its name, such as `ingester-1`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is.
    pub fn service(&self) -> Service {
        self.service
    }

    /// Its loopback address.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Where it answers HTTP.
    pub fn http_url(&self) -> String {
        format!("http://{}:3100", self.address)
    }

    /// Its folder with data and log.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// True between start and end.
    pub fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Starts it; its folder keeps what an earlier life left.
    pub fn start(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "{} runs already", self.name);
        std::fs::create_dir_all(&self.folder).context("a folder for a process")?;
        let log = OpenOptions::new().create(true).append(true).open(self.log()).context("a log file")?;
        let mut command = Command::new(&self.program);
        if self.own_group {
            command.process_group(0);
        }
        let child = command
            .args(&self.arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("a second handle on the log")?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", self.program.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// True when it was started and has ended by itself.
    pub fn has_ended(&self) -> bool {
        // Until somebody waits for it, an ended process is a zombie. The name before the state may hold brackets.
        let stat = self.pid().map(|pid| std::fs::read_to_string(format!("/proc/{pid}/stat")));
        stat.is_some_and(|stat| stat.map_or(true, |stat| stat.rsplit(") ").next().is_some_and(|s| s.starts_with('Z'))))
    }

    /// Waits until `/ready` answers 200. Ends early when the process does: another program on the
    /// same port must not answer for it.
    pub async fn wait_ready(&self, timeout: Duration) -> Result<()> {
        let url = format!("{}/ready", self.http_url());
        let client = reqwest::Client::new();
        let deadline = Instant::now() + timeout;
        let mut last = String::new();
        while Instant::now() < deadline {
            ensure!(!self.has_ended(), "{} ended while it started\n{}", self.name, self.last_words());
            match client.get(&url).send().await {
                Ok(answer) if answer.status().is_success() && !self.has_ended() => return Ok(()),
                Ok(answer) => last = answer.text().await.unwrap_or_default(),
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("{} is not ready after {timeout:?}: {last}\n{}", self.name, self.last_words())
    }

    /// kill -9, and waits until it is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Both fail only for a process that is gone.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM, and waits for a clean end.
    pub async fn stop(&mut self) -> Result<()> {
        self.signal("TERM")?;
        let deadline = Instant::now() + STOP_TIMEOUT;
        let name = self.name.clone();
        loop {
            let Some(child) = self.child.as_mut() else { bail!("{name} does not run") };
            if let Some(status) = child.try_wait().context("waiting for a process")? {
                self.child = None;
                ensure!(status.success(), "{name} ended with {status}\n{}", self.last_words());
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{name} does not stop\n{}", self.last_words());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Stops it and starts it again.
    pub async fn restart(&mut self, ready: Duration) -> Result<()> {
        self.stop().await?;
        self.start()?;
        self.wait_ready(ready).await
    }

    /// SIGSTOP: it is there and does nothing.
    pub fn pause(&self) -> Result<()> {
        self.signal("STOP")
    }

    /// SIGCONT.
    pub fn resume(&self) -> Result<()> {
        self.signal("CONT")
    }

    fn signal(&self, signal: &str) -> Result<()> {
        let pid = self.pid().with_context(|| format!("{} does not run", self.name))?;
        let status = Command::new("kill").args([format!("-{signal}"), pid.to_string()]).status().context("kill")?;
        ensure!(status.success(), "signal {signal} to {}", self.name);
        Ok(())
    }

    /// Whether something listens on its HTTP port.
    pub fn listens(&self) -> bool {
        TcpStream::connect_timeout(&SocketAddr::from((self.address, 3100)), LOOK).is_ok()
    }

    /// Everything it has logged.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let read = || -> std::io::Result<String> {
            let mut file = File::open(self.log())?;
            let len = file.metadata()?.len();
            file.seek(SeekFrom::Start(len.saturating_sub(LAST_WORDS_BYTES)))?;
            let mut text = Vec::new();
            file.read_to_end(&mut text)?;
            Ok(String::from_utf8_lossy(&text).into_owned())
        };
        read().unwrap_or_else(|e| format!("(no log: {e})"))
    }
}
