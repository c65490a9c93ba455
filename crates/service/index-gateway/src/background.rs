//! What a gateway does unasked: follow gossip, and probe in case pushes and gossip were lost.

use std::{sync::Arc, time::Duration};

use skald_catalog::CatalogError;
use skald_model::CommitVector;
use skald_ring::Rings;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval_at},
};
use tokio_util::sync::CancellationToken;

use crate::{config::GatewayConfig, metrics::GatewayMetrics, shard::ShardReader};

pub(crate) struct Background {
    pub(crate) shard: Arc<ShardReader>,
    pub(crate) shard_name: String,
    pub(crate) rings: watch::Receiver<Arc<Rings>>,
    pub(crate) config: GatewayConfig,
    pub(crate) metrics: GatewayMetrics,
    pub(crate) shutdown: CancellationToken,
}

impl Background {
    /// Runs until shutdown. Each branch only catches up, so dropping it in the middle loses nothing:
    /// the next one finds the same gap.
    pub(crate) async fn run(mut self) {
        let mut root_probe = ticks(self.config.root_probe);
        let mut log_probe = ticks(self.config.log_probe);
        let mut gossip_alive = true;
        let mut followed = CommitVector::new();
        let shutdown = self.shutdown.clone();
        let work = async {
            loop {
                // In this order, so that simulations repeat; a change of the rings is rare and soon done.
                tokio::select! {
                    biased;
                    changed = self.rings.changed(), if gossip_alive => match changed {
                        Ok(()) => self.follow_gossip(&mut followed).await,
                        Err(_) => gossip_alive = false,
                    },
                    _ = root_probe.tick() => self.report("root probe", self.shard.probe_root().await),
                    _ = log_probe.tick() => self.report("log probe", self.shard.probe_logs(Vec::new()).await),
                }
            }
        };
        shutdown.run_until_cancelled(work).await;
    }

    /// Catches up with the newest numbers. `followed` are the heads of the last success: most changes
    /// of the rings are heartbeats.
    async fn follow_gossip(&mut self, followed: &mut CommitVector) {
        let (heads, generation) = {
            let rings = self.rings.borrow_and_update();
            (rings.heads().clone(), rings.generation(&self.shard_name))
        };
        if self.shard.with_view(|view| view.root().generation) < generation {
            self.report("gossiped root", self.shard.refresh_root(generation - 1).await);
        }
        if heads != *followed {
            let covered = self.shard.cover(&heads).await;
            if covered.is_ok() {
                *followed = heads;
            }
            self.report("gossiped heads", covered);
        }
    }

    fn report(&self, what: &str, outcome: Result<(), CatalogError>) {
        if let Err(error) = outcome {
            self.metrics.background_failures.inc();
            tracing::warn!(%error, "{what} failed");
        }
    }
}

/// Ticks of `period`, the first one after one period.
fn ticks(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval_at(tokio::time::Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
