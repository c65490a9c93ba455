//! Sending a push to the replicas of its streams and waiting for the quorum of each.
//!
//! Every ingester gets one call with all batches that it replicates: the same bytes for all of them.
//! The answer is known as soon as each stream has its quorum or has lost it; calls still under way
//! then go on in the background, at most [`BACKGROUND_BYTES_MAX`] of them and none longer than the
//! call's timeout. When the client goes away nothing is taken back: a push may be stored although
//! nobody was told, and its retry is recognised as copies of the same rows.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use skald_model::{StreamBatch, TenantId};
use skald_ring::{Instance, Progress, QuorumTracker, RingError, RingView};
use skald_wire::{
    RpcError,
    api::{ClientFactory, IngesterApi},
    pb,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::metrics::Metrics;

/// Bytes of batches that may be on their way to ingesters at once, copies counted each. A slow replica
/// holds its share until its call times out; beyond the bound pushes wait, and then fail with 503.
const BACKGROUND_BYTES_MAX: usize = 512 << 20;

/// How long a push waits for room in that budget.
const ROOM_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a push was not stored, or not whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReplicateError {
    /// The ring names too few replicas.
    Ring(RingError),
    /// A stream was refused by its ingesters: status and text for the client.
    Refused { status: u16, reason: String, text: String },
    /// A stream lost its quorum.
    Quorum(String),
    /// Too much is on its way already.
    Busy,
}

/// Sends pushes to ingesters.
pub(crate) struct Replicator {
    clients: ClientFactory<dyn IngesterApi>,
    timeout: Duration,
    distributor: String,
    room: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

/// What one ingester gets.
struct Share {
    instance: Arc<Instance>,
    /// Indexes into the push's batches.
    batches: Vec<usize>,
}

/// What one ingester answered.
struct Answer {
    share: usize,
    outcome: Result<pb::PushOutcome, RpcError>,
}

impl Replicator {
    pub(crate) fn new(
        clients: ClientFactory<dyn IngesterApi>,
        timeout: Duration,
        distributor: String,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { clients, timeout, distributor, room: Arc::new(Semaphore::new(BACKGROUND_BYTES_MAX)), metrics }
    }

    /// Stores `batches` on the replicas that `view` names.
    ///
    /// # Errors
    /// When a stream has no quorum; other streams of the push may have been stored.
    pub(crate) async fn replicate(
        &self,
        view: &RingView,
        tenant: &TenantId,
        number: u64,
        batches: Vec<StreamBatch>,
    ) -> Result<(), ReplicateError> {
        let (shares, mut streams) = assign(view, tenant, &batches)?;
        let bytes: Vec<Bytes> = batches.into_iter().map(|batch| batch.bytes().clone()).collect();
        let (answers, mut answered) = mpsc::channel(shares.len().max(1));
        for (index, share) in shares.iter().enumerate() {
            let request = pb::PushBatches {
                tenant: tenant.to_string(),
                distributor: self.distributor.clone(),
                number,
                batches: share.batches.iter().map(|&i| bytes[i].clone()).collect(),
            };
            let room = self.reserve(&request).await?;
            self.send(index, share, request, room, answers.clone());
        }
        drop(answers);
        let mut pending = streams.len();
        while pending > 0 {
            let answer =
                answered.recv().await.ok_or_else(|| ReplicateError::Quorum("ingester calls ended early".into()))?;
            pending -= settle(&shares[answer.share], answer.outcome, &mut streams)?;
        }
        Ok(())
    }

    async fn reserve(&self, request: &pb::PushBatches) -> Result<OwnedSemaphorePermit, ReplicateError> {
        let bytes: usize = request.batches.iter().map(Bytes::len).sum();
        let permits = bytes.clamp(1, BACKGROUND_BYTES_MAX) as u32;
        let room = Arc::clone(&self.room).acquire_many_owned(permits);
        match tokio::time::timeout(ROOM_TIMEOUT, room).await {
            Ok(permit) => Ok(permit.expect("the semaphore is never closed")),
            Err(_) => Err(ReplicateError::Busy),
        }
    }

    /// Starts one call. It owns everything it needs, so that it outlives the push.
    fn send(
        &self,
        index: usize,
        share: &Share,
        request: pb::PushBatches,
        room: OwnedSemaphorePermit,
        answers: mpsc::Sender<Answer>,
    ) {
        let client = (self.clients)(&share.instance.addr);
        let (timeout, metrics, instance) = (self.timeout, Arc::clone(&self.metrics), Arc::clone(&share.instance));
        tokio::spawn(skald_server::in_current_request(async move {
            let outcome = match tokio::time::timeout(timeout, client.push(request)).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    Err(RpcError::Deadline(format!("ingester {} did not answer within {timeout:?}", instance.id)))
                }
            };
            metrics.append(&instance.addr, outcome.as_ref().err());
            // Nobody listens any more once every stream is decided.
            let _ = answers.send(Answer { share: index, outcome }).await;
            drop(room);
        }));
    }

    /// Waits until no call is under way, at most `bound`.
    pub(crate) async fn drain(&self, bound: Duration) {
        let all = Arc::clone(&self.room).acquire_many_owned(BACKGROUND_BYTES_MAX as u32);
        if tokio::time::timeout(bound, all).await.is_err() {
            tracing::warn!("stopped with calls to ingesters still under way");
        }
    }
}

/// The count of one stream, and the refusal to report if it fails.
struct Stream {
    tracker: QuorumTracker,
    refused: Option<(u16, String, String)>,
    failed: Option<String>,
}

/// Groups batches by ingester.
fn assign(
    view: &RingView,
    tenant: &TenantId,
    batches: &[StreamBatch],
) -> Result<(Vec<Share>, Vec<Stream>), ReplicateError> {
    let mut shares: Vec<Share> = Vec::new();
    let mut by_id: HashMap<String, usize> = HashMap::new();
    let mut streams = Vec::with_capacity(batches.len());
    for (index, batch) in batches.iter().enumerate() {
        let token = batch.labels().ring_token(tenant.as_str());
        let replicas = view.replicas_for_write(token).map_err(ReplicateError::Ring)?;
        streams.push(Stream { tracker: replicas.tracker(), refused: None, failed: None });
        for instance in &replicas.targets {
            let share = match by_id.get(&instance.id) {
                Some(&share) => share,
                None => {
                    by_id.insert(instance.id.clone(), shares.len());
                    shares.push(Share { instance: Arc::clone(instance), batches: Vec::new() });
                    shares.len() - 1
                }
            };
            shares[share].batches.push(index);
        }
    }
    Ok((shares, streams))
}

/// Counts one ingester's answer; returns how many streams reached their quorum by it.
fn settle(
    share: &Share,
    outcome: Result<pb::PushOutcome, RpcError>,
    streams: &mut [Stream],
) -> Result<usize, ReplicateError> {
    let mut reached = 0;
    let refused = match &outcome {
        Ok(outcome) => &outcome.refused[..],
        Err(_) => &[],
    };
    for (place, &index) in share.batches.iter().enumerate() {
        let stream = &mut streams[index];
        let decided = stream.tracker.progress() != Progress::Pending;
        let refusal = refused.iter().find(|r| r.batch as usize == place);
        let progress = match (&outcome, refusal) {
            (Ok(_), None) => stream.tracker.success(),
            (Ok(_), Some(r)) => {
                stream.refused = Some((r.status as u16, r.reason.clone(), r.message.clone()));
                stream.tracker.failure()
            }
            (Err(error), _) => {
                stream.failed = Some(format!("ingester {}: {error}", share.instance.addr));
                stream.tracker.failure()
            }
        };
        match progress {
            Progress::Reached if !decided => reached += 1,
            // A refusal tells the client more than a lost call does, and a retry would meet it again.
            Progress::Lost => {
                return Err(match (stream.refused.take(), stream.failed.take()) {
                    (Some((status, reason, text)), _) => ReplicateError::Refused { status, reason, text },
                    (None, failed) => ReplicateError::Quorum(failed.unwrap_or_default()),
                });
            }
            _ => {}
        }
    }
    Ok(reached)
}

#[cfg(test)]
mod tests;
