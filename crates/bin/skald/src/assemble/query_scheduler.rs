//! The query scheduler.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use skald_query_scheduler::{QueryScheduler, QuerySchedulerParts};
use skald_ring::SCHEDULER_RING;
use skald_wire::api::{SchedulerApi, scheduler_server};

use crate::process::Process;

/// How long a stopping scheduler lets the tasks it has finish; their frontends ask again after it.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn assemble(process: &mut Process) -> Result<()> {
    let shared = Arc::clone(&process.shared);
    let limit = shared.config.query_scheduler.max_outstanding_requests_per_tenant as usize;
    let scheduler = process.metrics.register(|registry| {
        QueryScheduler::start(QuerySchedulerParts { max_outstanding_requests_per_tenant: limit, registry })
    });
    let api: Arc<dyn SchedulerApi> = scheduler.clone();
    process.mount.grpc.add_service(scheduler_server(Arc::clone(&api)));
    // Only this role sets it, and a role is added once.
    let _ = shared.peers.scheduler.set(api);
    shared.join(SCHEDULER_RING, &process.lifecycle).await?;
    process.lifecycle.add_drain_step("query scheduler", move || async move { scheduler.shutdown(PATIENCE).await });
    Ok(())
}
