//! The frontend put together.

use std::{sync::Arc, time::Duration};

use axum::Router;
use prometheus_client::registry::Registry;
use skald_cache::Cache;
use skald_config::LimitsHandle;
use skald_server::Clock;

use crate::{
    engine::Engine,
    metrics::Metrics,
    routes,
    tasks::{Schedulers, Tasks},
};

/// What a query frontend is made of.
pub struct QueryFrontendParts<'a> {
    /// Where tasks go.
    pub schedulers: Schedulers,
    /// The tenants' limits.
    pub limits: LimitsHandle,
    /// The results cache; `None`: results are not cached (`query_range.cache_results`).
    pub cache: Option<Arc<dyn Cache>>,
    /// `query_range.max_retries`.
    pub max_retries: u32,
    /// `query_range.align_queries_with_step`.
    pub align_queries_with_step: bool,
    /// `frontend.log_queries_longer_than`; zero: never.
    pub log_queries_longer_than: Duration,
    /// The wall clock.
    pub clock: Clock,
    /// Where its metrics go.
    pub registry: &'a mut Registry,
}

/// A running query frontend. It has no background work: a request is one future, and shutting down is
/// letting the server's requests end.
pub struct QueryFrontend {
    shared: Arc<Shared>,
}

/// What the routes see.
pub(crate) struct Shared {
    pub(crate) engine: Arc<Engine>,
    pub(crate) limits: LimitsHandle,
    pub(crate) clock: Clock,
    pub(crate) log_queries_longer_than: Duration,
}

impl QueryFrontend {
    /// Puts it together.
    pub fn start(parts: QueryFrontendParts<'_>) -> Arc<Self> {
        let metrics = Arc::new(Metrics::new(parts.registry));
        let engine = Engine {
            tasks: Tasks::new(parts.schedulers, parts.max_retries, metrics.clone()),
            cache: parts.cache,
            align_with_step: parts.align_queries_with_step,
            metrics,
        };
        let shared = Shared {
            engine: Arc::new(engine),
            limits: parts.limits,
            clock: parts.clock,
            log_queries_longer_than: parts.log_queries_longer_than,
        };
        Arc::new(Self { shared: Arc::new(shared) })
    }

    /// The read API.
    pub fn router(&self) -> Router {
        routes::router(self.shared.clone())
    }
}
