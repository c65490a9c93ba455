//! The distributor: takes pushes of every format, checks them, limits them, encodes each stream once
//! and sends the same bytes to all replicas; answers when every stream has its quorum.
//!
//! The way of a push, in this crate: [`http`] (request to push, error to status) → [`push`] (the
//! steps) → [`admission`] ([`labels`], [`entries`], [`level`], [`rates`]) → [`replicate`].
//! Bodies are decoded by `skald_wire::push`; who holds which stream is `skald_ring`'s to say.
//!
//! It keeps no data: what it knows of rates is lost when it stops, and nothing else.

mod admission;
mod entries;
mod http;
mod labels;
mod level;
mod metrics;
mod numbering;
mod push;
mod rates;
mod rejection;
mod replicate;

use std::{sync::Arc, time::Duration};

use skald_config::LimitsHandle;
use skald_limits::Limits;
use skald_model::TenantId;
use skald_ring::RingView;
use skald_server::Clock;
use skald_wire::api::{ClientFactory, IngesterApi};
use tokio::sync::Semaphore;

use crate::{
    metrics::Metrics,
    numbering::Numbering,
    push::INFLIGHT_PUSHES_MAX,
    rates::{StreamRates, TenantRates},
    replicate::Replicator,
};

/// How long a stopping distributor waits for calls that outlived their push.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// What a distributor is made of.
pub struct DistributorParts<'r> {
    /// Its instance id, unique among distributors at any time: it names its pushes.
    pub id: String,
    /// Limits of all tenants.
    pub limits: LimitsHandle,
    /// The ingester ring as it is now.
    pub ingester_ring: Arc<dyn Fn() -> Arc<RingView> + Send + Sync>,
    /// How many distributors share a global rate limit now.
    pub healthy_distributors: Arc<dyn Fn() -> usize + Send + Sync>,
    /// Clients of ingesters by address.
    pub ingesters: ClientFactory<dyn IngesterApi>,
    /// How long one ingester may take (`ingester_client.remote_timeout`).
    pub remote_timeout: Duration,
    /// The largest body, before and after decompression (`distributor.max_recv_msg_size`).
    pub body_bytes_max: usize,
    /// Copies of every stream, for the metric of that name.
    pub replication_factor: usize,
    /// The time.
    pub clock: Clock,
    /// Where its metrics go.
    pub registry: &'r mut prometheus_client::registry::Registry,
}

/// A running distributor.
pub struct Distributor {
    limits: LimitsHandle,
    ingester_ring: Arc<dyn Fn() -> Arc<RingView> + Send + Sync>,
    healthy_distributors: Arc<dyn Fn() -> usize + Send + Sync>,
    body_bytes_max: usize,
    clock: Clock,
    numbering: Numbering,
    tenant_rates: TenantRates,
    stream_rates: StreamRates,
    replicator: Replicator,
    inflight: Semaphore,
    metrics: Arc<Metrics>,
}

impl Distributor {
    /// A distributor that takes pushes at once.
    pub fn new(parts: DistributorParts<'_>) -> Arc<Self> {
        let metrics = Arc::new(Metrics::register(parts.registry, parts.replication_factor));
        Arc::new(Self {
            limits: parts.limits,
            ingester_ring: parts.ingester_ring,
            healthy_distributors: parts.healthy_distributors,
            body_bytes_max: parts.body_bytes_max,
            clock: parts.clock,
            numbering: Numbering::default(),
            tenant_rates: TenantRates::default(),
            stream_rates: StreamRates::default(),
            replicator: Replicator::new(parts.ingesters, parts.remote_timeout, parts.id, Arc::clone(&metrics)),
            inflight: Semaphore::new(INFLIGHT_PUSHES_MAX),
            metrics,
        })
    }

    /// Its public routes.
    pub fn router(self: &Arc<Self>) -> axum::Router {
        http::router(Arc::clone(self))
    }

    /// Waits for calls to ingesters that are still under way. Call it when no new pushes can come.
    pub async fn shutdown(&self) {
        self.replicator.drain(DRAIN_TIMEOUT).await;
    }

    /// The part of the ingester ring that holds the tenant's streams.
    fn ingesters(&self, tenant: &TenantId, limits: &Limits) -> Arc<RingView> {
        let view = (self.ingester_ring)();
        let size = limits.ingestion_tenant_shard_size as usize;
        if size == 0 || view.members().len() <= size {
            return view;
        }
        Arc::new(view.shuffle_shard(tenant.as_str(), size))
    }

    fn healthy_distributors(&self) -> usize {
        (self.healthy_distributors)()
    }
}
