//! The querier put together.

use std::{sync::Arc, time::Duration};

use axum::Router;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use skald_blob::BlobStore;
use skald_cache::Cache;
use skald_config::LimitsHandle;
use skald_server::Clock;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    cluster::Cluster,
    fetch::Fetcher,
    metrics::Metrics,
    querier::Querier as Engine,
    tail::{self, TailHub},
    worker::{self, Schedulers},
};

/// What a querier is made of.
pub struct QuerierParts<'a> {
    /// Its name in logs of schedulers.
    pub id: String,
    /// Whom it asks.
    pub cluster: Cluster,
    /// The bucket.
    pub store: Arc<dyn BlobStore>,
    /// What it remembers of the bucket.
    pub cache: Arc<dyn Cache>,
    /// Where it takes tasks from.
    pub schedulers: Schedulers,
    /// The tenants' limits.
    pub limits: LimitsHandle,
    /// Tasks at work at once for each scheduler (`querier.max_concurrent`).
    pub max_concurrent: u32,
    /// `querier.tail_max_duration`.
    pub tail_max_duration: Duration,
    /// The wall clock.
    pub clock: Clock,
    /// Ends the background work at once; [`Querier::shutdown`] ends it in order.
    pub shutdown: CancellationToken,
    /// Where its metrics go.
    pub registry: &'a mut Registry,
}

/// A running querier.
pub struct Querier {
    tails: Arc<TailHub>,
    /// Told to take no more tasks.
    stop: CancellationToken,
    worker: Mutex<Option<JoinHandle<()>>>,
}

impl Querier {
    /// Puts it together and begins to take tasks.
    pub fn start(parts: QuerierParts<'_>) -> Arc<Self> {
        let stop = parts.shutdown.child_token();
        let engine = Arc::new(Engine {
            id: parts.id,
            cluster: Arc::new(parts.cluster),
            fetcher: Arc::new(Fetcher::new(parts.store, parts.cache)),
            limits: parts.limits,
            metrics: Metrics::new(parts.registry, parts.max_concurrent),
        });
        let tails = Arc::new(TailHub::new(engine.clone(), parts.tail_max_duration, parts.clock, stop.clone()));
        let work = worker::run(engine, parts.schedulers, parts.max_concurrent, stop.clone());
        Arc::new(Self { tails, stop, worker: Mutex::new(Some(tokio::spawn(work))) })
    }

    /// Live tail.
    pub fn router(&self) -> Router {
        tail::router(self.tails.clone())
    }

    /// Takes no more tasks, ends tails, and waits for the tasks under way.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        let worker = self.worker.lock().take();
        if let Some(worker) = worker
            && let Err(error) = worker.await
        {
            tracing::error!(%error, "the querier's worker failed");
        }
    }
}
