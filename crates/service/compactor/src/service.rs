//! The service: one task that owns the worker, and a door to it.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use futures::future::join_all;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use skald_blob::BlobStore;
use skald_catalog::{Catalog, Monotonic, SHARD_ZERO, Shard};
use skald_ring::{RingConfig, Rings};
use skald_wire::{
    api::{ClientFactory, GatewayApi},
    pb,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::CompactorConfig,
    error::CompactError,
    metrics::CompactorMetrics,
    neighbours::Neighbours,
    worker::{FoldSummary, Worker},
};

/// Draws the next random number: names of objects and commits.
pub type RandomIds = Arc<dyn Fn() -> u128 + Send + Sync>;

/// Requests to fold now that wait at once: each is answered by the next fold, so a few are enough.
const RUNS_WAITING_MAX: usize = 8;

/// Folds lost to other compactors in one round before it leaves the shard to them until the next.
const LOST_MAX: u64 = 4;

/// A gateway that does not answer a push within this finds the root by gossip or by itself.
const PUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The operating system's random numbers.
pub fn random_ids() -> RandomIds {
    Arc::new(rand::random)
}

/// What a compactor is made of.
pub struct CompactorParts {
    /// Its settings.
    pub config: CompactorConfig,
    /// Its name in the compactor ring.
    pub instance_id: String,
    /// The bucket.
    pub store: Arc<dyn BlobStore>,
    /// The wall clock, in nanoseconds since the epoch. Names objects; decides nothing.
    pub wall_clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// A clock that is never set back and goes on while the machine is suspended.
    pub clock: Monotonic,
    /// Random numbers, see [`random_ids`].
    pub ids: RandomIds,
    /// The cluster's gossip.
    pub rings: watch::Receiver<Arc<Rings>>,
    /// How to read the rings.
    pub ring_config: RingConfig,
    /// Tells gossip of a new root generation.
    pub announce: Arc<dyn Fn(Shard, u64) + Send + Sync>,
    /// Clients of the index gateways, by address.
    pub gateways: ClientFactory<dyn GatewayApi>,
    /// Ends the work; a fold under way is dropped.
    pub shutdown: CancellationToken,
}

/// The running service.
pub struct Compactor {
    runs: mpsc::Sender<oneshot::Sender<Result<FoldSummary, CompactError>>>,
    shutdown: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Compactor {
    /// Begins to work. Reads nothing before it returns.
    pub fn start(parts: CompactorParts, registry: &mut Registry) -> Arc<Self> {
        let metrics = CompactorMetrics::register(registry);
        let catalog = Catalog::new(parts.store, SHARD_ZERO);
        let interval = parts.config.interval;
        let worker = Worker::new(catalog, parts.config, parts.wall_clock, parts.clock, parts.ids, metrics);
        let neighbours = Neighbours { rings: parts.rings, config: parts.ring_config, instance_id: parts.instance_id };
        let (runs, waiting) = mpsc::channel(RUNS_WAITING_MAX);
        let work = Loop { worker, neighbours, announce: parts.announce, gateways: parts.gateways, waiting };
        let shutdown = parts.shutdown.clone();
        let task = tokio::spawn(async move {
            // Dropping a fold in the middle leaves objects that no root names, as a crash would.
            shutdown.run_until_cancelled(work.run(interval)).await;
        });
        Arc::new(Self { runs, shutdown: parts.shutdown, task: Mutex::new(Some(task)) })
    }

    /// Folds everything that is in the bucket by now and waits for it, whoever owns the shard.
    ///
    /// # Errors
    /// When the fold failed or the compactor is stopping.
    pub async fn run_now(&self) -> Result<FoldSummary, CompactError> {
        let (answer, outcome) = oneshot::channel();
        self.runs.send(answer).await.map_err(|_| CompactError::Stopping)?;
        outcome.await.map_err(|_| CompactError::Stopping)?
    }

    /// `POST /compactor/run`: folds now and waits; 200 with what was done, 204 when there was nothing to do.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new().route("/compactor/run", post(run)).with_state(self.clone())
    }

    /// Ends the work and waits for that.
    pub async fn shutdown(&self) {
        self.shutdown.cancel();
        let task = self.task.lock().take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "compactor failed");
        }
    }
}

async fn run(State(compactor): State<Arc<Compactor>>) -> Response {
    match compactor.run_now().await {
        Ok(summary) if summary.folds + summary.lost == 0 => StatusCode::NO_CONTENT.into_response(),
        Ok(summary) => Json(summary).into_response(),
        Err(error @ CompactError::Stopping) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// The task behind the service.
struct Loop {
    worker: Worker,
    neighbours: Neighbours,
    announce: Arc<dyn Fn(Shard, u64) + Send + Sync>,
    gateways: ClientFactory<dyn GatewayApi>,
    waiting: mpsc::Receiver<oneshot::Sender<Result<FoldSummary, CompactError>>>,
}

impl Loop {
    /// Runs until dropped, or until nobody holds the service any more.
    async fn run(mut self, period: Duration) {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // In this order, so that simulations repeat: whoever asks goes first.
            tokio::select! {
                biased;
                answer = self.waiting.recv() => {
                    let Some(answer) = answer else { return };
                    // Whoever asked may be gone; the fold was done all the same.
                    let _ = answer.send(self.round(true).await);
                }
                _ = ticks.tick() => {
                    if self.neighbours.owns(self.worker.catalog.shard(), self.now_ms())
                        && let Err(error) = self.round(false).await
                    {
                        tracing::warn!(%error, "fold failed, the next round tries again");
                    }
                }
            }
        }
    }

    /// Observes, seals and folds until there is nothing left to do.
    async fn round(&mut self, now: bool) -> Result<FoldSummary, CompactError> {
        let outcome = self.steps(now).await;
        if outcome.is_err() {
            self.worker.metrics.failures.inc();
        }
        outcome
    }

    async fn steps(&mut self, now: bool) -> Result<FoldSummary, CompactError> {
        let mut total = FoldSummary::default();
        self.worker.observe(&self.neighbours.heads(), now).await?;
        if let Some(present) = self.neighbours.writers() {
            self.worker.seal(&present).await?;
        }
        while let Some(done) = self.worker.fold(now).await? {
            total.add(&done);
            if done.lost > 0 {
                if total.lost >= LOST_MAX {
                    break;
                }
                // Somebody else is at work: see what is left.
                self.worker.observe(&self.neighbours.heads(), false).await?;
                continue;
            }
            tracing::info!(
                generation = done.generation,
                objects = done.objects,
                sections = done.sections,
                rows = done.rows,
                duplicates = done.duplicates,
                written_bytes = done.written_bytes,
                "folded"
            );
            self.tell(done.generation).await;
        }
        total.generation = self.worker.generation();
        Ok(total)
    }

    /// C4: the new generation to gossip and to the gateways. What is lost here heals by itself.
    async fn tell(&self, generation: u64) {
        let shard = self.worker.catalog.shard();
        (self.announce)(shard, generation);
        let notice = pb::RootNotice { shard: shard.to_string(), generation };
        let pushes = self.neighbours.gateways(self.now_ms()).into_iter().map(|addr| {
            let gateway = (self.gateways)(&addr);
            let notice = notice.clone();
            async move {
                match timeout(PUSH_TIMEOUT, gateway.rooted(notice)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!(%addr, %error, "index gateway did not take the new root"),
                    Err(_) => tracing::debug!(%addr, "index gateway did not answer in time"),
                }
            }
        });
        join_all(pushes).await;
    }

    fn now_ms(&self) -> u64 {
        ((self.worker.wall_clock)() / 1_000_000).max(0) as u64
    }
}

impl FoldSummary {
    /// Adds the counts of `other`.
    fn add(&mut self, other: &Self) {
        self.folds += other.folds;
        self.lost += other.lost;
        self.objects += other.objects;
        self.sections += other.sections;
        self.rows += other.rows;
        self.duplicates += other.duplicates;
        self.written_bytes += other.written_bytes;
    }
}
