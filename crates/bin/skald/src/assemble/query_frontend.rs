//! The query frontend.

use std::sync::Arc;

use anyhow::Result;
use skald_query_frontend::{QueryFrontend, QueryFrontendParts};

use crate::{process::Process, resolver::SchedulerAddresses};

pub(super) async fn assemble(process: &mut Process) -> Result<()> {
    let shared = Arc::clone(&process.shared);
    let config = &shared.config;
    let addresses = SchedulerAddresses::start(Arc::clone(&shared), process.lifecycle.shutdown_token()).await;
    let cache = match config.query_range.cache_results {
        true => Some(shared.cache().await?),
        false => None,
    };
    let peers = Arc::clone(&shared.peers);
    let frontend = process.metrics.register(|registry| {
        QueryFrontend::start(QueryFrontendParts {
            schedulers: Arc::new(move || addresses.current().iter().map(|addr| peers.scheduler(addr)).collect()),
            limits: shared.limits.clone(),
            cache,
            max_retries: config.query_range.max_retries,
            align_queries_with_step: config.query_range.align_queries_with_step,
            log_queries_longer_than: config.frontend.log_queries_longer_than.0,
            clock: Arc::clone(&shared.clock),
            registry,
        })
    });
    let router = match config.frontend.compress_responses {
        true => frontend.router().layer(skald_server::gzip()),
        false => frontend.router(),
    };
    process.route(router);
    Ok(())
}
