//! The querier.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use skald_querier::{Cluster, Querier, QuerierParts};
use tokio_util::sync::CancellationToken;

use crate::{process::Process, resolver::SchedulerAddresses};

/// Beyond the age at which a memtable is flushed: its upload, retries, a slow bucket.
const LOOKBACK_MARGIN: Duration = Duration::from_secs(3600);

pub(super) async fn assemble(process: &mut Process) -> Result<()> {
    let shared = Arc::clone(&process.shared);
    let config = &shared.config;
    let addresses = SchedulerAddresses::start(Arc::clone(&shared), process.lifecycle.shutdown_token()).await;
    let peers = Arc::clone(&shared.peers);
    let cluster = Cluster {
        rings: shared.gossip.subscribe(),
        ring: shared.ring,
        lookback: config.ingester.memtable_age.0 + LOOKBACK_MARGIN,
        ingesters: shared.peers.ingesters(),
        gateways: shared.peers.gateways(),
        limits: shared.limits.clone(),
        clock: Arc::clone(&shared.clock),
    };
    let (store, cache) = (shared.store().await?, shared.cache().await?);
    let querier = process.metrics.register(|registry| {
        Querier::start(QuerierParts {
            id: shared.identity.id.clone(),
            cluster,
            store,
            cache,
            schedulers: Arc::new(move || {
                addresses.current().into_iter().map(|addr| (addr.clone(), peers.scheduler(&addr))).collect()
            }),
            limits: shared.limits.clone(),
            max_concurrent: config.querier.max_concurrent,
            tail_max_duration: config.querier.tail_max_duration.0,
            clock: Arc::clone(&shared.clock),
            // Ended by its own step on the way down.
            shutdown: CancellationToken::new(),
            registry,
        })
    });
    process.route(querier.router());
    process.lifecycle.add_drain_step("querier", move || async move { querier.shutdown().await });
    Ok(())
}
