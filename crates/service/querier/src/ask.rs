//! The first two steps of every read: the ingesters, then a view of the catalog that covers what they said.
//!
//! The order is what makes an answer complete: an ingester says in one breath which rows it still
//! holds and up to where its log has been committed, so rows that left its memory before it answered
//! are in the view, and rows that leave it later are in its answer.

use std::{collections::HashSet, future::Future, sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use skald_model::{CommitVector, TenantId};
use skald_ring::{Instance, Progress};
use skald_wire::{
    RpcError,
    api::{IngesterApi, RpcStream},
    pb,
};

use crate::{
    cluster::Cluster,
    counters::{Counters, add},
    error::Failure,
};

/// How long an ingester may take to begin its answer: it has only memory to look at, so past this it
/// is as good as gone, and waiting longer only delays what the others have said.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The same for one whose heartbeats have stopped: it gets a chance, but nobody waits for it.
const SILENT_TIMEOUT: Duration = Duration::from_millis(500);

/// Answers of all ingesters that gave one, and what the catalog view must cover.
pub(crate) struct Asked<T> {
    pub(crate) answers: Vec<(Arc<Instance>, T)>,
    pub(crate) need: CommitVector,
}

/// The rows of one ingester: those of its first message, and the messages to come.
pub(crate) struct IngesterRows {
    pub(crate) first: pb::QueryRowsPart,
    pub(crate) rest: RpcStream<pb::QueryRowsPart>,
}

impl IngesterRows {
    /// True when it has sent all it had, and that was nothing. Reads on until that is known.
    pub(crate) async fn is_empty(&mut self) -> Result<bool, RpcError> {
        while self.first.rows.is_empty() {
            match self.rest.next().await {
                Some(part) => self.first = part?,
                None => return Ok(true),
            }
        }
        Ok(false)
    }
}

/// Asks all ingesters that may hold rows of `tenant` at once. `excluded` ones count as failed.
///
/// # Errors
/// When more fail to answer than the replication makes up for.
async fn ask_all<T, F>(
    cluster: &Cluster,
    counters: &Counters,
    tenant: &TenantId,
    excluded: &HashSet<String>,
    call: impl Fn(Arc<dyn IngesterApi>) -> F,
) -> Result<Asked<T>, Failure>
where
    T: Send + 'static,
    F: Future<Output = Result<(Option<pb::CommitVector>, T), RpcError>> + Send + 'static,
{
    let (set, mut need) = cluster.read_set(tenant);
    if set.members.is_empty() {
        return Err(Failure::internal("empty ring: no ingester is registered"));
    }
    let mut tracker = set.tracker();
    let mut calls: FuturesUnordered<BoxFuture<'_, _>> = FuturesUnordered::new();
    for member in &set.members {
        let instance = member.instance.clone();
        if excluded.contains(&instance.id) {
            calls.push(async move { (instance, Err(RpcError::Unavailable("went away".into()))) }.boxed());
            continue;
        }
        let patience = if member.healthy { ANSWER_TIMEOUT } else { SILENT_TIMEOUT };
        let answer = call((cluster.ingesters)(&instance.addr));
        let answer = async move {
            let answer = tokio::time::timeout(patience, answer).await;
            let answer = answer.unwrap_or_else(|_| Err(RpcError::Deadline(format!("no answer within {patience:?}"))));
            (instance, answer)
        };
        calls.push(answer.boxed());
    }
    let mut answers = Vec::new();
    while let Some((instance, answer)) = calls.next().await {
        match answer {
            Ok((said, answer)) => {
                tracker.success();
                need.merge(&said.as_ref().map(CommitVector::try_from).transpose()?.unwrap_or_default());
                answers.push((instance, answer));
            }
            // It understood and refused: so would the others.
            Err(error @ RpcError::Invalid(_)) => return Err(error.into()),
            Err(error) => {
                tracing::debug!(ingester = %instance.id, %error, "ingester did not answer");
                if tracker.failure(&instance.zone) == Progress::Lost {
                    let text = format!("too many ingesters failed to answer, the last one {}: {error}", instance.id);
                    return Err(Failure::internal(text));
                }
            }
        }
    }
    add(&counters.ingesters, answers.len() as u64);
    answers.sort_by(|a, b| a.0.id.cmp(&b.0.id));
    Ok(Asked { answers, need })
}

/// Rows in memory.
pub(crate) async fn rows(
    cluster: &Cluster,
    counters: &Counters,
    tenant: &TenantId,
    excluded: &HashSet<String>,
    request: &pb::QueryRows,
) -> Result<Asked<IngesterRows>, Failure> {
    ask_all(cluster, counters, tenant, excluded, |api| {
        let request = request.clone();
        async move {
            let mut rest = api.query(request).await?;
            let first = rest.next().await;
            let mut first = first.ok_or_else(|| RpcError::Internal("an ingester answered nothing".into()))??;
            Ok((first.need.take(), IngesterRows { first, rest }))
        }
    })
    .await
}

/// Streams in memory.
pub(crate) async fn streams(
    cluster: &Cluster,
    counters: &Counters,
    tenant: &TenantId,
    selection: &pb::Selection,
) -> Result<Asked<Vec<pb::StreamInfo>>, Failure> {
    ask_all(cluster, counters, tenant, &HashSet::new(), |api| {
        let selection = selection.clone();
        async move {
            let answer = api.streams(selection).await?;
            Ok((answer.need, answer.streams))
        }
    })
    .await
}

/// The time range of rows in memory.
pub(crate) async fn bounds(
    cluster: &Cluster,
    counters: &Counters,
    tenant: &TenantId,
) -> Result<Asked<Option<(i64, i64)>>, Failure> {
    ask_all(cluster, counters, tenant, &HashSet::new(), |api| {
        let request = pb::BoundsRequest { tenant: tenant.as_str().to_owned() };
        async move {
            let answer = api.bounds(request).await?;
            Ok((answer.need, answer.any.then_some((answer.min_ns, answer.max_ns))))
        }
    })
    .await
}

/// The sections that may hold rows of `tenant` in `from_ns..to_ns`, in a view that covers `need`.
///
/// # Errors
/// When no gateway can give such a view.
pub(crate) async fn view(
    cluster: &Cluster,
    tenant: &TenantId,
    from_ns: i64,
    to_ns: i64,
    need: &CommitVector,
) -> Result<Vec<pb::SectionRef>, Failure> {
    let request = pb::ViewRequest {
        tenant: tenant.as_str().to_owned(),
        from_ns,
        to_ns,
        need: Some(pb::CommitVector::from(need)),
    };
    let mut last = RpcError::Unavailable("no index gateway is registered".into());
    for gateway in cluster.gateways() {
        match gateway.view(request.clone()).await {
            Ok(answer) => {
                let covers = answer.covers.as_ref().map(CommitVector::try_from).transpose()?.unwrap_or_default();
                if covers.covers(need) {
                    return Ok(answer.sections);
                }
                last = RpcError::Unavailable("an index gateway gave a view older than needed".into());
            }
            Err(error) => last = error,
        }
        tracing::debug!(error = %last, "index gateway gave no view, trying the next");
    }
    Err(Failure::from(last))
}
