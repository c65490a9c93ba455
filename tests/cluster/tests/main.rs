//! The cluster as users run it: real processes, replication factor 3, an S3 endpoint, Redis, and
//! everything that happens to them in a year. The oracle is always the list of acknowledged lines.
//!
//! Every test has a cluster of its own; they take turns, because one cluster fills the machine.

mod agents;
mod availability;
mod dependencies;
mod links;
mod membership;
mod reading;
mod tenants;

use std::time::Duration;

use skald_testkit::{Cluster, Topology};
use tokio::sync::{Mutex, MutexGuard};

/// Bound on everything a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

static TURN: Mutex<()> = Mutex::const_new(());

/// The next turn, and a cluster with short timers. The cluster goes before the turn does.
async fn cluster() -> (Cluster, MutexGuard<'static, ()>) {
    cluster_of(Topology::quick()).await
}

async fn cluster_of(topology: Topology) -> (Cluster, MutexGuard<'static, ()>) {
    let turn = TURN.lock().await;
    (Cluster::start(topology).await.expect("a cluster starts"), turn)
}
