//! Tasks through the scheduler: which scheduler, how often, how long.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use skald_limits::Limits;
use skald_model::TenantId;
use skald_wire::{api::SchedulerApi, pb};

use crate::{QueryError, metrics::Metrics};

/// The schedulers that can be reached at the moment. Asked for every task, so it must be cheap:
/// whoever provides it resolves names in the background.
pub type Schedulers = Arc<dyn Fn() -> Vec<Arc<dyn SchedulerApi>> + Send + Sync>;

/// What all tasks of one request have in common.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) tenant: TenantId,
    pub(crate) limits: Arc<Limits>,
    /// For logs and traces.
    pub(crate) id: String,
    /// When the client's patience ends.
    pub(crate) deadline: Instant,
    /// The client wants no cached result.
    pub(crate) no_cache: bool,
}

/// Sends tasks to schedulers in turn.
pub(crate) struct Tasks {
    schedulers: Schedulers,
    next: AtomicUsize,
    retries_max: u32,
    metrics: Arc<Metrics>,
}

impl Tasks {
    /// A task that failed on our side is tried again up to `retries_max` times.
    pub(crate) fn new(schedulers: Schedulers, retries_max: u32, metrics: Arc<Metrics>) -> Self {
        Self { schedulers, next: AtomicUsize::new(0), retries_max, metrics }
    }

    /// Runs a task to its end. Dropping the future cancels it.
    ///
    /// # Errors
    /// The task's own error, or why it could not be run.
    pub(crate) async fn run(
        &self,
        request: &Request,
        task: pb::query_task::Task,
    ) -> Result<(pb::task_outcome::Outcome, pb::TaskStats), QueryError> {
        let mut attempt = 0;
        loop {
            let error = match self.once(request, task.clone()).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) => error,
            };
            if !error.is_transient() || attempt >= self.retries_max {
                return Err(error);
            }
            attempt += 1;
            self.metrics.retries.inc();
            tracing::debug!(request_id = %request.id, tenant = %request.tenant, attempt, %error, "task is tried again");
        }
    }

    async fn once(
        &self,
        request: &Request,
        task: pb::query_task::Task,
    ) -> Result<(pb::task_outcome::Outcome, pb::TaskStats), QueryError> {
        let schedulers = (self.schedulers)();
        if schedulers.is_empty() {
            return Err(QueryError { status: 503, message: "no query scheduler is connected".into() });
        }
        let scheduler = schedulers[self.next.fetch_add(1, Ordering::Relaxed) % schedulers.len()].clone();
        let left = request.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(QueryError::timed_out());
        }
        let execute = pb::ExecuteRequest {
            tenant: request.tenant.as_str().to_owned(),
            task: Some(pb::QueryTask { task: Some(task) }),
            request_id: request.id.clone(),
            timeout_ms: (left.as_millis() as u64).max(1),
        };
        let outcome = scheduler.execute(execute).await?;
        let stats = outcome.stats.unwrap_or_default();
        match outcome.outcome {
            Some(pb::task_outcome::Outcome::Error(error)) => Err(error.into()),
            Some(outcome) => Ok((outcome, stats)),
            None => Err(QueryError::internal("a task ended without an outcome")),
        }
    }
}

/// The outcome does not fit the task: a querier of another version, or a bug.
pub(crate) fn unexpected() -> QueryError {
    QueryError::internal("a task ended with the outcome of another kind of task")
}
