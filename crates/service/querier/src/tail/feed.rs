//! The ingesters' streams of new rows, as many as there are ingesters to ask.

use std::{collections::HashMap, sync::Arc};

use futures::StreamExt;
use skald_model::{Rows, TenantId};
use skald_wire::{api::IngesterApi, pb};
use tokio::{sync::mpsc, task::AbortHandle, task::JoinSet};

use crate::cluster::Cluster;

/// Parts from all ingesters that wait to be merged; an ingester whose part waits drops rows itself.
const PARTS_MAX: usize = 16;

/// Rows as they arrive at any ingester of the read set.
pub(super) struct Feed {
    cluster: Arc<Cluster>,
    request: pb::TailRequest,
    tenant: TenantId,
    sender: mpsc::Sender<Rows>,
    parts: mpsc::Receiver<Rows>,
    tasks: JoinSet<()>,
    connected: HashMap<String, AbortHandle>,
}

impl Feed {
    pub(super) fn new(cluster: Arc<Cluster>, tenant: TenantId, query: String) -> Self {
        let (sender, parts) = mpsc::channel(PARTS_MAX);
        let request = pb::TailRequest { tenant: tenant.as_str().to_owned(), query };
        Self { cluster, request, tenant, sender, parts, tasks: JoinSet::new(), connected: HashMap::new() }
    }

    /// Connects to ingesters of the read set that are not connected, and leaves those that are not in
    /// it any more. Returns how many are connected.
    pub(super) async fn refresh(&mut self) -> usize {
        while self.tasks.try_join_next().is_some() {}
        self.connected.retain(|_, task| !task.is_finished());
        let (set, _) = self.cluster.read_set(&self.tenant);
        self.connected.retain(|id, task| {
            let stays = set.members.iter().any(|m| m.instance.id == *id);
            if !stays {
                task.abort();
            }
            stays
        });
        let mut calls = Vec::new();
        for member in set.members.iter().filter(|m| m.healthy && !self.connected.contains_key(&m.instance.id)) {
            let api: Arc<dyn IngesterApi> = (self.cluster.ingesters)(&member.instance.addr);
            let (id, request) = (member.instance.id.clone(), self.request.clone());
            calls.push(async move { (id, api.tail(request).await) });
        }
        for (id, stream) in futures::future::join_all(calls).await {
            match stream {
                Ok(mut stream) => {
                    let sender = self.sender.clone();
                    let task = self.tasks.spawn(async move {
                        while let Some(Ok(part)) = stream.next().await {
                            let Ok(rows) = Rows::decode(&part.rows) else { break };
                            if !rows.is_empty() && sender.send(rows).await.is_err() {
                                break;
                            }
                        }
                    });
                    self.connected.insert(id, task);
                }
                Err(error) => tracing::debug!(ingester = %id, %error, "cannot tail"),
            }
        }
        self.connected.len()
    }

    /// The next rows of any ingester. Waits for ever while there are none: whether anybody is
    /// connected is for [`Feed::refresh`] to say.
    pub(super) async fn next(&mut self) -> Option<Rows> {
        self.parts.recv().await
    }
}
