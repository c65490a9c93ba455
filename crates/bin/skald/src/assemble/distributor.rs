//! The distributor.

use std::sync::Arc;

use anyhow::Result;
use skald_distributor::{Distributor, DistributorParts};
use skald_ring::{DISTRIBUTOR_RING, INGESTER_RING};

use crate::process::Process;

pub(super) async fn assemble(process: &mut Process) -> Result<()> {
    let shared = Arc::clone(&process.shared);
    shared.join(DISTRIBUTOR_RING, &process.lifecycle).await?;
    let (rings, members) = (Arc::clone(&shared), Arc::clone(&shared));
    let distributor = process.metrics.register(|registry| {
        Distributor::new(DistributorParts {
            id: shared.identity.id.clone(),
            limits: shared.limits.clone(),
            ingester_ring: Arc::new(move || Arc::new(rings.view(INGESTER_RING))),
            healthy_distributors: Arc::new(move || members.view(DISTRIBUTOR_RING).healthy_count()),
            ingesters: shared.peers.ingesters(),
            remote_timeout: shared.config.ingester_client.remote_timeout.0,
            body_bytes_max: shared.config.distributor.max_recv_msg_size.as_usize(),
            replication_factor: shared.ring.replication_factor,
            clock: Arc::clone(&shared.clock),
            registry,
        })
    });
    process.route(distributor.router());
    process.lifecycle.add_drain_step("distributor", move || async move { distributor.shutdown().await });
    Ok(())
}
