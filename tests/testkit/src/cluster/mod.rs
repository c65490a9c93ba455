//! A cluster in a box: the real binaries on loopback addresses, with an S3 endpoint and Redis.
//!
//! - [`Binaries`]: where the programs are; builds them when asked.
//! - [`Topology`]: how many of each service, and how it is set up.
//! - [`Cluster`]: the running processes; start, kill -9, stop, pause, restart, add.
//! - [`Process`]: one of them.
//!
//! Every process has a loopback address of its own, so that all use the standard ports, and a folder
//! of its own for data and log. Used by the cluster tests and by `cargo xtask dev-cluster`.

mod binaries;
mod process;
mod redis;
mod topology;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

pub use binaries::{Binaries, workspace_root};
pub use process::Process;
pub use redis::Redis;
pub use topology::{Service, Topology};

use crate::{
    client::Client,
    s3::{S3Handle, S3Server},
};

/// How long a process may take until it says that it is ready.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// Clusters of this test process, so that each gets addresses of its own.
static CLUSTERS: AtomicU8 = AtomicU8::new(0);

/// A running cluster. Dropping it kills what still runs; its folder goes with it.
pub struct Cluster {
    topology: Topology,
    binaries: Binaries,
    network: Network,
    folder: tempfile::TempDir,
    /// The object store.
    s3: S3Server,
    redis: Option<Redis>,
    processes: Vec<Process>,
}

/// Hands out loopback addresses `127.a.b.1` upwards.
#[derive(Clone, Copy, Debug)]
struct Network {
    a: u8,
    b: u8,
    next: u8,
}

impl Network {
    /// Addresses that no other cluster of this machine uses at the same time, as far as process ids tell.
    fn new() -> Self {
        let pid = std::process::id();
        let cluster = CLUSTERS.fetch_add(1, Ordering::Relaxed);
        Self { a: 16 + (pid % 200) as u8, b: (pid / 200 % 8 * 32) as u8 + cluster % 32, next: 1 }
    }

    fn take(&mut self) -> Ipv4Addr {
        let address = Ipv4Addr::new(127, self.a, self.b, self.next);
        self.next += 1;
        address
    }
}

impl Cluster {
    /// Starts everything and waits until all processes are ready.
    pub async fn start(topology: Topology) -> Result<Self> {
        let binaries = Binaries::locate()?;
        Self::start_with(topology, binaries).await
    }

    /// As [`Cluster::start`], with programs from elsewhere.
    pub async fn start_with(topology: Topology, binaries: Binaries) -> Result<Self> {
        // Fails only when there is a provider already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut network = Network::new();
        let folder = tempfile::Builder::new().prefix("skald-cluster-").tempdir().context("a temporary folder")?;
        let s3 = S3Server::start(SocketAddr::from((network.take(), 9000))).await?;
        let redis_address = network.take();
        let redis = match topology.redis {
            true => Some(Redis::start(redis_address, folder.path().join("redis"), topology.own_groups).await?),
            false => None,
        };
        let mut cluster = Self { topology, binaries, network, folder, s3, redis, processes: Vec::new() };
        for service in Service::ALL {
            for _ in 0..cluster.topology.count(service) {
                cluster.add(service)?;
            }
        }
        cluster.wait_ready().await?;
        Ok(cluster)
    }

    /// Starts one more process of `service`; returns its name.
    pub fn add(&mut self, service: Service) -> Result<String> {
        let number = self.processes.iter().filter(|p| p.service() == service).count();
        let name = format!("{}-{number}", service.name());
        let address = self.network.take();
        let folder = self.folder.path().join(&name);
        let arguments = self.topology.arguments(self, service, &name, address, &folder);
        let program = self.binaries.path(service);
        let mut process = Process::new(name.clone(), service, address, program, arguments, folder);
        process.set_own_group(self.topology.own_groups);
        process.start()?;
        self.processes.push(process);
        Ok(name)
    }

    /// Waits until every running process is ready.
    pub async fn wait_ready(&self) -> Result<()> {
        for process in self.processes.iter().filter(|p| p.is_running()) {
            process.wait_ready(READY_TIMEOUT).await?;
        }
        Ok(())
    }

    /// All processes, in the order of their start.
    pub fn processes(&self) -> &[Process] {
        &self.processes
    }

    /// The process `name`, such as `ingester-1`.
    pub fn process(&mut self, name: &str) -> Result<&mut Process> {
        self.processes.iter_mut().find(|p| p.name() == name).with_context(|| format!("no process {name}"))
    }

    /// Names of all processes of `service`.
    pub fn names(&self, service: Service) -> Vec<String> {
        self.processes.iter().filter(|p| p.service() == service).map(|p| p.name().to_owned()).collect()
    }

    /// A client that pushes to the distributors and queries the frontend, for one tenant.
    pub fn client(&self, tenant: &str) -> Result<Client> {
        let urls = |service| -> Vec<String> {
            self.processes.iter().filter(|p| p.service() == service).map(Process::http_url).collect()
        };
        let (distributors, frontends) = (urls(Service::Distributor), urls(Service::QueryFrontend));
        ensure!(!distributors.is_empty() && !frontends.is_empty(), "a client needs a distributor and a frontend");
        Client::new(distributors, frontends, tenant)
    }

    /// Faults and contents of the object store.
    pub fn s3(&self) -> &S3Handle {
        &self.s3.handle
    }

    /// Where the object store answers.
    pub fn s3_address(&self) -> SocketAddr {
        self.s3.address()
    }

    /// The Redis of the cluster, when it has one.
    pub fn redis(&mut self) -> Option<&mut Redis> {
        self.redis.as_mut()
    }

    /// Where Redis answers, when there is one.
    pub fn redis_address(&self) -> Option<SocketAddr> {
        self.redis.as_ref().map(Redis::address)
    }

    /// The folder of all processes' data and logs.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// The gossip address that newcomers join: the first process's.
    pub(crate) fn seed(&self, own: Ipv4Addr) -> Ipv4Addr {
        self.processes.first().map_or(own, Process::address)
    }

    /// Addresses of all processes of `service`.
    pub(crate) fn addresses(&self, service: Service) -> Vec<Ipv4Addr> {
        self.processes.iter().filter(|p| p.service() == service).map(Process::address).collect()
    }

    /// Stops every process in the order that loses nothing: those that take work first. One that does
    /// not end well keeps no other from ending; the first such is the error.
    pub async fn stop(&mut self) -> Result<()> {
        let mut outcome = Ok(());
        for service in Service::STOP_ORDER {
            for process in self.processes.iter_mut().filter(|p| p.service() == service && p.is_running()) {
                let stopped = process.stop().await;
                outcome = outcome.and(stopped);
            }
        }
        outcome
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for process in &mut self.processes {
            process.kill();
        }
        // A failed test shows what the processes said last.
        if std::thread::panicking() {
            for process in &self.processes {
                eprintln!("--- {}\n{}", process.name(), process.last_words());
            }
        }
    }
}
