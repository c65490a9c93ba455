//! One process from its start to its end.

use std::sync::Arc;

use anyhow::{Context, Result};
use skald_config::{Loaded, Role};
use skald_server::{BuildInfo, Lifecycle, Metrics, Mount, Overrides, Server, ServerParts, ServiceState, logging};

use crate::{Part, banner, pages, shared::Shared};

/// A process that is being put together: what its roles share, and what they add.
pub struct Process {
    /// What several roles use.
    pub(crate) shared: Arc<Shared>,
    /// The routes and calls it will answer.
    pub(crate) mount: Mount,
    /// Its state, readiness and way down.
    pub(crate) lifecycle: Lifecycle,
    /// Where metrics are registered.
    pub(crate) metrics: Metrics,
}

impl Process {
    /// Adds public routes.
    pub(crate) fn route(&mut self, router: axum::Router) {
        let http = std::mem::take(&mut self.mount.http);
        self.mount.http = http.merge(router);
    }
}

/// Starts `parts`, waits for the request to stop, and stops them.
pub(crate) async fn run(parts: &[Part], loaded: Loaded) -> Result<()> {
    let config = Arc::new(loaded.config.clone());
    let log = logging::init(&config).context("logging")?;
    for warning in &loaded.warnings {
        tracing::warn!(%warning, "configuration");
    }
    let lifecycle = Lifecycle::new();
    lifecycle.watch_signals().context("signals")?;
    let metrics = Metrics::new(&BuildInfo::default());
    let overrides = Overrides::load(&config, metrics.clone()).await.context("limits per tenant")?;
    let limits = overrides.handle();
    let server = ServerParts {
        config: Arc::clone(&config),
        lifecycle: lifecycle.clone(),
        metrics: metrics.clone(),
        log: log.clone(),
        build: BuildInfo::default(),
    };
    let mut server = Server::bind(server).await?;
    let shared = Shared::new(Arc::clone(&config), limits, &server, &lifecycle, &metrics).await?;
    let reloading = tokio::spawn(overrides.run(lifecycle.shutdown_token()));

    let mut process =
        Process { shared: Arc::new(shared), mount: Mount::default(), lifecycle: lifecycle.clone(), metrics };
    for part in parts {
        let service = lifecycle.register(part.role.name());
        service.set(ServiceState::Starting);
        (part.assemble)(&mut process).await.with_context(|| format!("starting the {}", part.role))?;
        service.set(ServiceState::Running);
    }
    pages::add(&mut process);
    let Process { shared, mount, .. } = process;
    server.mount(mount).await;
    if loaded.file.is_none() {
        banner::print(&config, server.http_addr());
    }
    tracing::info!(roles = %parts.iter().map(|p| p.role.name()).collect::<Vec<_>>().join(","), "started");

    lifecycle.stop_requested().await;
    server.set_not_serving().await;
    // Whoever takes work from outside stops taking it first. An ingester without a distributor beside
    // it goes on answering queries from other processes while it flushes.
    let entry = parts.iter().any(|p| matches!(p.role, Role::Distributor | Role::QueryFrontend));
    if entry {
        server.close().await;
    }
    lifecycle.drain().await;
    shared.gossip.leave().await;
    if !entry {
        server.close().await;
    }
    reloading.await.context("reloading of limits")?;
    tracing::info!("stopped");
    log.finish().await;
    Ok(())
}
