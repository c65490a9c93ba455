//! The index gateway.

use std::sync::Arc;

use anyhow::Result;
use prometheus_client::registry::Registry;
use skald_index_gateway::{GatewayConfig, GatewayParts, IndexGateway};
use skald_ring::INDEX_GATEWAY_RING;
use skald_wire::api::{GatewayApi, gateway_server};
use tokio_util::sync::CancellationToken;

use crate::process::Process;

pub(super) async fn assemble(process: &mut Process) -> Result<()> {
    let shared = Arc::clone(&process.shared);
    let parts = GatewayParts {
        config: GatewayConfig::default(),
        store: shared.store().await?,
        clock: Arc::clone(&shared.monotonic),
        rings: shared.gossip.subscribe(),
        // Ended by its own step on the way down, after those who need its answers.
        shutdown: CancellationToken::new(),
    };
    let mut registry = Registry::default();
    let gateway = IndexGateway::start(parts, &mut registry).await?;
    process.metrics.adopt(registry);
    let api: Arc<dyn GatewayApi> = gateway.clone();
    process.mount.grpc.add_service(gateway_server(Arc::clone(&api)));
    // Only this role sets it, and a role is added once.
    let _ = shared.peers.gateway.set(api);
    shared.join(INDEX_GATEWAY_RING, &process.lifecycle).await?;
    process.lifecycle.add_drain_step("index gateway", move || async move { gateway.shutdown().await });
    Ok(())
}
