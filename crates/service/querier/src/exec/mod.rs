//! What a task does, one file per kind.

mod freshness;
mod log;
mod metric;
mod streams;

pub(crate) use freshness::freshness;
pub(crate) use log::log;
pub(crate) use metric::metric;
pub(crate) use streams::streams;

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use skald_limits::Limits;
use skald_logql::{LogExpr, Matcher, QueryError, StatusClass};
use skald_model::TenantId;

use crate::{cluster::Cluster, counters::Counters, error::Failure, fetch::Fetcher};

/// What one attempt at a task works with.
#[derive(Clone)]
pub(crate) struct Attempt {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) fetcher: Arc<Fetcher>,
    pub(crate) tenant: TenantId,
    pub(crate) limits: Arc<Limits>,
    pub(crate) counters: Arc<Counters>,
    /// Ingesters that went away during an earlier attempt.
    pub(crate) excluded: Arc<HashSet<String>>,
}

/// True once the task was given up; the thread that evaluates looks between batches.
#[derive(Clone, Default)]
pub(crate) struct Cancelled(Arc<AtomicBool>);

impl Cancelled {
    /// # Errors
    /// When the task was given up.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.0.load(Ordering::Relaxed) { Err(Failure::Cancelled) } else { Ok(()) }
    }
}

/// Gives the task up when it is dropped.
pub(crate) struct CancelOnDrop(pub(crate) Cancelled);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Runs CPU work off the runtime's threads; dropping the future tells the work to stop.
pub(crate) async fn on_thread<T: Send + 'static>(
    work: impl FnOnce(&Cancelled) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let cancelled = Cancelled::default();
    let _guard = CancelOnDrop(cancelled.clone());
    let done = tokio::task::spawn_blocking(move || work(&cancelled)).await;
    done.map_err(|error| Failure::internal(error.to_string()))?
}

/// A selector as the text that travels in requests.
pub(crate) fn selector(matchers: &[Matcher]) -> String {
    let matchers: Vec<String> = matchers.iter().map(Matcher::to_string).collect();
    format!("{{{}}}", matchers.join(","))
}

/// True when all matchers pass.
pub(crate) fn matches(matchers: &[Matcher], labels: &skald_model::Labels) -> bool {
    matchers.iter().all(|m| m.matches(labels))
}

/// True when every row of the selection is part of the answer.
pub(crate) fn takes_every_row(expr: &LogExpr) -> bool {
    expr.stages.is_empty()
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        match error.status_class() {
            StatusClass::BadRequest | StatusClass::Limit => Self::bad_request(error.to_string()),
            StatusClass::Internal => Self::internal(error.to_string()),
        }
    }
}

/// Refuses a task that would read too much.
///
/// # Errors
/// When `bytes` are more than the tenant may read.
pub(crate) fn check_bytes(limits: &Limits, bytes: u64) -> Result<(), Failure> {
    let max = limits.max_query_bytes_read.bytes();
    if max == 0 || bytes <= max {
        return Ok(());
    }
    Err(Failure::bad_request(format!(
        "the query would read too many bytes (query: {}, limit: {}); consider adding more specific stream selectors or \
         reduce the time range of the query",
        human(bytes),
        human(max),
    )))
}

/// Bytes with one decimal and a unit of 1024, as `1.5GiB`.
fn human(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes}B") } else { format!("{value:.1}{}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use skald_limits::ByteSize;

    use super::*;

    #[test]
    fn too_many_bytes() {
        let limits = Limits { max_query_bytes_read: ByteSize::mib(1), ..Limits::default() };
        assert_eq!(check_bytes(&limits, 1 << 20), Ok(()));
        let Err(Failure::Final { status: 400, message }) = check_bytes(&limits, 3 << 19) else { panic!() };
        assert!(
            message.starts_with("the query would read too many bytes (query: 1.5MiB, limit: 1.0MiB);"),
            "{message}"
        );
        assert_eq!(check_bytes(&Limits::default(), u64::MAX), Ok(()));
    }
}
