//! Live tails: new rows on their way into the memtable are shown to those who listen.
//!
//! The log's thread hands over handles of batches and never waits: a listener whose queue is full
//! loses the batch and is told how many rows it lost.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use futures::{StreamExt, stream};
use hashbrown::HashMap;
use parking_lot::RwLock;
use skald_logql::{Matcher, Pipeline, parse_log_selector};
use skald_model::{Rows, StreamBatch, TenantId};
use skald_wire::{RpcError, api::RpcStream, pb};
use tokio::sync::mpsc;

use crate::{flush::blocking, metrics::Metrics, read::select_rows};

/// Batches a listener may lag behind: some seconds of a busy selector.
const BATCHES_MAX: usize = 1024;
/// Batches that become one part when they wait together.
const BATCHES_PER_PART: usize = 64;

struct Listener {
    matchers: Vec<Matcher>,
    batches: mpsc::Sender<StreamBatch>,
    dropped: Arc<AtomicU64>,
}

/// Everyone who listens.
pub(crate) struct Tails {
    listeners: RwLock<Option<HashMap<TenantId, Vec<Listener>>>>,
    metrics: Arc<Metrics>,
}

impl Tails {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self { listeners: RwLock::new(Some(HashMap::new())), metrics }
    }

    /// Shows a push to the tenant's listeners.
    pub(crate) fn publish(&self, tenant: &TenantId, batches: &[StreamBatch]) {
        let listeners = self.listeners.read();
        let Some(listeners) = listeners.as_ref().and_then(|l| l.get(tenant)) else { return };
        for listener in listeners {
            for batch in batches.iter().filter(|b| listener.matchers.iter().all(|m| m.matches(b.labels()))) {
                if let Err(mpsc::error::TrySendError::Full(batch)) = listener.batches.try_send(batch.clone()) {
                    listener.dropped.fetch_add(batch.len() as u64, Relaxed);
                    self.metrics.tail_dropped.inc_by(batch.len() as u64);
                }
            }
        }
    }

    /// Begins to listen. The stream ends when the ingester stops.
    pub(crate) fn listen(&self, request: &pb::TailRequest) -> Result<RpcStream<pb::TailPart>, RpcError> {
        let tenant = TenantId::new(&request.tenant).map_err(|e| RpcError::Invalid(e.to_string()))?;
        let log = parse_log_selector(&request.query).map_err(|e| RpcError::Invalid(e.to_string()))?;
        let pipeline = Pipeline::compile(&log).map_err(|e| RpcError::Invalid(e.to_string()))?;
        let (batches, receiver) = mpsc::channel(BATCHES_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let listener = Listener { matchers: log.matchers.clone(), batches, dropped: dropped.clone() };
        let mut listeners = self.listeners.write();
        let tenants = listeners.as_mut().ok_or_else(|| RpcError::Unavailable("ingester is shutting down".into()))?;
        tenants.entry(tenant).or_default().push(listener);
        drop(listeners);
        let state = Some((receiver, pipeline, dropped));
        Ok(stream::unfold(state, next_part).boxed())
    }

    /// Forgets listeners that went away.
    pub(crate) fn sweep(&self) {
        if let Some(listeners) = self.listeners.write().as_mut() {
            listeners.retain(|_, of_tenant| {
                of_tenant.retain(|l| !l.batches.is_closed());
                !of_tenant.is_empty()
            });
        }
    }

    /// Ends all tails, and those to come.
    pub(crate) fn close(&self) {
        *self.listeners.write() = None;
    }
}

type TailState = Option<(mpsc::Receiver<StreamBatch>, Pipeline, Arc<AtomicU64>)>;

/// Waits for batches and makes a part of those that wait together.
async fn next_part(state: TailState) -> Option<(Result<pb::TailPart, RpcError>, TailState)> {
    let (mut receiver, mut pipeline, dropped) = state?;
    loop {
        let mut batches = Vec::new();
        if receiver.recv_many(&mut batches, BATCHES_PER_PART).await == 0 {
            return None;
        }
        let (selected, back) = blocking(move || {
            let rows: Rows = batches.iter().map(StreamBatch::rows).collect();
            let selected = select_rows(rows, Some(&mut pipeline), &mut Vec::new());
            (selected, pipeline)
        })
        .await;
        pipeline = back;
        let lost = dropped.swap(0, Relaxed);
        match selected {
            Ok(rows) if rows.is_empty() && lost == 0 => {}
            Ok(rows) => {
                let part = pb::TailPart { rows: rows.encode(), dropped: lost };
                return Some((Ok(part), Some((receiver, pipeline, dropped))));
            }
            Err(error) => return Some((Err(error), None)),
        }
    }
}
