//! The compactor.

use std::sync::Arc;

use anyhow::Result;
use skald_catalog::FoldPolicy;
use skald_compactor::{Compactor, CompactorConfig, CompactorParts, random_ids};
use skald_ring::COMPACTOR_RING;
use tokio_util::sync::CancellationToken;

use crate::process::Process;

/// Objects wait this many looks before they are folded, so that a fold takes several at once.
const FOLD_AFTER_LOOKS: u32 = 5;

pub(super) async fn assemble(process: &mut Process) -> Result<()> {
    let shared = Arc::clone(&process.shared);
    shared.join(COMPACTOR_RING, &process.lifecycle).await?;
    let interval = shared.config.compactor.compaction_interval.0;
    let gossip = shared.gossip.clone();
    let parts = CompactorParts {
        config: CompactorConfig {
            policy: FoldPolicy { fold_age: interval * FOLD_AFTER_LOOKS, ..FoldPolicy::default() },
            interval,
            ..CompactorConfig::default()
        },
        instance_id: shared.identity.id.clone(),
        store: shared.store().await?,
        wall_clock: Arc::clone(&shared.clock),
        clock: Arc::clone(&shared.monotonic),
        ids: random_ids(),
        rings: shared.gossip.subscribe(),
        ring_config: shared.ring,
        announce: Arc::new(move |shard, generation| gossip.raise_generation(&shard.to_string(), generation)),
        gateways: shared.peers.gateways(),
        // Ended by its own step on the way down.
        shutdown: CancellationToken::new(),
    };
    let compactor = process.metrics.register(|registry| Compactor::start(parts, registry));
    process.route(compactor.router());
    process.lifecycle.add_drain_step("compactor", move || async move { compactor.shutdown().await });
    Ok(())
}
