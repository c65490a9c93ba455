//! A task from its request to its outcome, with the attempts in between.

use std::{collections::HashSet, sync::Arc};

use skald_config::LimitsHandle;
use skald_model::TenantId;
use skald_wire::pb::{self, query_task::Task, task_outcome::Outcome};

use crate::{
    cluster::Cluster,
    counters::Counters,
    error::Failure,
    exec::{self, Attempt},
    fetch::Fetcher,
    metrics::Metrics,
};

/// Attempts at one task: a view may outlive the objects it names, an ingester may stop in the middle
/// of its answer. Both are rare, so that a third in a row means something else is wrong.
const ATTEMPTS_MAX: u32 = 4;

/// Executes query tasks.
pub(crate) struct Querier {
    pub(crate) id: String,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) fetcher: Arc<Fetcher>,
    pub(crate) limits: LimitsHandle,
    pub(crate) metrics: Metrics,
}

impl Querier {
    /// The name schedulers know it by.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Runs a task to its end; failures are part of the outcome. Dropping the future stops the work.
    pub(crate) async fn execute(&self, request: pb::ExecuteRequest) -> pb::TaskOutcome {
        let counters = Arc::new(Counters::default());
        self.metrics.inflight.inc();
        let _inflight = Inflight(&self.metrics);
        let outcome = self.attempts(&request, &counters).await;
        let stats = counters.to_stats();
        self.metrics.observe(&stats);
        let outcome = outcome.unwrap_or_else(|failure| {
            let error = failure.into_task_error();
            if error.status >= 500 {
                tracing::warn!(tenant = %request.tenant, error = %error.message, "task failed");
            }
            Outcome::Error(error)
        });
        pb::TaskOutcome { outcome: Some(outcome), stats: Some(stats) }
    }

    async fn attempts(&self, request: &pb::ExecuteRequest, counters: &Arc<Counters>) -> Result<Outcome, Failure> {
        let tenant = TenantId::new(&request.tenant).map_err(|error| Failure::bad_request(error.to_string()))?;
        let task = request.task.as_ref().and_then(|t| t.task.as_ref());
        let task = task.ok_or_else(|| Failure::bad_request("a request without a task"))?;
        let mut excluded: HashSet<String> = HashSet::new();
        let mut attempt = 1;
        loop {
            let a = Attempt {
                cluster: self.cluster.clone(),
                fetcher: self.fetcher.clone(),
                limits: self.limits.for_tenant(&tenant),
                tenant: tenant.clone(),
                counters: counters.clone(),
                excluded: Arc::new(excluded.clone()),
            };
            let failure = match run(&a, task).await {
                Err(failure @ (Failure::Stale(_) | Failure::IngesterLost { .. })) if attempt < ATTEMPTS_MAX => failure,
                end => return end,
            };
            tracing::info!(%tenant, attempt, error = %failure, "task is begun again");
            self.metrics.redone.inc();
            if let Failure::IngesterLost { id, .. } = failure {
                excluded.insert(id);
            }
            attempt += 1;
        }
    }
}

async fn run(a: &Attempt, task: &Task) -> Result<Outcome, Failure> {
    match task {
        Task::Log(task) => exec::log(a, task).await.map(Outcome::Log),
        Task::Metric(task) => exec::metric(a, task).await.map(Outcome::Metric),
        Task::Streams(selection) => exec::streams(a, selection).await.map(Outcome::Streams),
        Task::Freshness(selection) => exec::freshness(a, selection).await.map(Outcome::Freshness),
    }
}

struct Inflight<'a>(&'a Metrics);

impl Drop for Inflight<'_> {
    fn drop(&mut self) {
        self.0.inflight.dec();
    }
}
