//! The ingester.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use prometheus_client::registry::Registry;
use skald_disk::RealDisk;
use skald_gossip::LifecyclerConfig;
use skald_ingester::{Ingester, IngesterParts, Settings, disk_usage_of};
use skald_ring::{INDEX_GATEWAY_RING, INGESTER_RING};
use skald_wire::api::{IngesterApi, ingester_server};
use tokio_util::sync::CancellationToken;

use crate::{process::Process, shared::Shared};

pub(super) async fn assemble(process: &mut Process) -> Result<()> {
    let shared = Arc::clone(&process.shared);
    let config = &shared.config.ingester;
    std::fs::create_dir_all(&config.wal.dir)
        .with_context(|| format!("ingester.wal.dir {}", config.wal.dir.display()))?;
    let terminate = CancellationToken::new();
    let mut registry = Registry::default();
    let parts = IngesterParts {
        settings: Settings::from_config(config, &config.wal.dir),
        disk: Arc::new(RealDisk),
        flush_disk: Arc::new(RealDisk),
        store: shared.store().await?,
        limits: shared.limits.clone(),
        gossip: shared.gossip.clone(),
        lifecycler: place(&shared),
        ring: shared.ring,
        gateways: gateways(&shared),
        clock: Arc::clone(&shared.clock),
        entropy: Arc::new(rand::random),
        disk_usage: disk_usage_of(config.wal.dir.clone()),
        terminate: terminate.clone(),
        registry: &mut registry,
    };
    let ingester = Ingester::start(parts).await?;
    process.metrics.adopt(registry);
    let api: Arc<dyn IngesterApi> = ingester.clone();
    process.mount.grpc.add_service(ingester_server(Arc::clone(&api)));
    // Only this role sets it, and a role is added once.
    let _ = shared.peers.ingester.set(api);
    process.route(ingester.router());
    let lifecycle = process.lifecycle.clone();
    tokio::spawn(async move {
        // `/ingester/shutdown` ends the process as a signal does.
        if lifecycle.shutdown_token().run_until_cancelled(terminate.cancelled()).await.is_some() {
            lifecycle.request_stop();
        }
    });
    settle(process, config.lifecycler.min_ready_duration.0);
    process.lifecycle.add_drain_step("ingester", move || async move { ingester.shutdown().await });
    Ok(())
}

/// Says that the process is not ready for a while after it could be: a rolling update then moves on slowly
/// enough for the others to see the ingester back.
fn settle(process: &Process, duration: Duration) {
    let since = Instant::now();
    process.lifecycle.add_ready_check(move || match since.elapsed() < duration {
        true => Err(format!("Ingester not ready: waiting for {duration:?} after being ready")),
        false => Ok(()),
    });
}

/// Its place in the ring: kept over restarts, forgotten by others only when nothing is lost by it.
fn place(shared: &Shared) -> LifecyclerConfig {
    let config = &shared.config.ingester;
    LifecyclerConfig {
        tokens_file: Some(config.lifecycler.tokens_file_path.clone()),
        unregister_on_shutdown: config.lifecycler.unregister_on_shutdown,
        ..shared.member(INGESTER_RING)
    }
}

/// The gateways that hear of commits: all of them, since each serves every shard.
fn gateways(shared: &Arc<Shared>) -> skald_ingester::Gateways {
    let (shared, clients) = (Arc::clone(shared), shared.peers.gateways());
    Arc::new(move || {
        let view = shared.view(INDEX_GATEWAY_RING);
        view.members().iter().filter(|m| m.takes_writes()).map(|m| clients(&m.instance.addr)).collect()
    })
}
