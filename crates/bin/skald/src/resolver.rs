//! Where the query schedulers are: in this process, at configured names, or in their ring.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use skald_ring::{RingView, SCHEDULER_RING};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::shared::Shared;

/// How often configured names are looked up again (Loki's `dns_lookup_duration`).
const LOOKUP_PERIOD: Duration = Duration::from_secs(3);

/// Finds the schedulers' addresses; cheap to ask.
#[derive(Clone)]
pub(crate) struct SchedulerAddresses {
    shared: Arc<Shared>,
    /// What the configured names stand for; `None`: nothing is configured.
    configured: Option<watch::Receiver<Vec<String>>>,
}

impl SchedulerAddresses {
    /// Begins to look up configured names, if there are any, until `shutdown`.
    pub(crate) async fn start(shared: Arc<Shared>, shutdown: CancellationToken) -> Self {
        let names: Vec<String> = shared
            .config
            .frontend
            .scheduler_address
            .split(',')
            .map(|name| name.trim().trim_start_matches("dns+").to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        if names.is_empty() {
            return Self { shared, configured: None };
        }
        let (sender, receiver) = watch::channel(look_up(&names).await);
        tokio::spawn(async move {
            // Between two look-ups nothing is held, so stopping there loses nothing.
            while shutdown.run_until_cancelled(tokio::time::sleep(LOOKUP_PERIOD)).await.is_some() {
                let found = look_up(&names).await;
                // A name that stands for nothing at the moment is a name server that does not answer.
                if !found.is_empty() {
                    sender.send_replace(found);
                }
            }
        });
        Self { shared, configured: Some(receiver) }
    }

    /// The addresses as they are now.
    pub(crate) fn current(&self) -> Vec<String> {
        if self.shared.peers.scheduler.get().is_some() {
            return vec![self.shared.identity.grpc.clone()];
        }
        if let Some(configured) = &self.configured {
            return configured.borrow().clone();
        }
        let view: RingView = self.shared.view(SCHEDULER_RING);
        view.members().iter().filter(|m| m.healthy).map(|m| m.instance.addr.clone()).collect()
    }
}

/// All addresses that `names` (`host:port`) stand for, each once.
async fn look_up(names: &[String]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for name in names {
        match tokio::net::lookup_host(name).await {
            Ok(addresses) => found.extend(addresses.map(|a| a.to_string())),
            Err(error) => tracing::warn!(name, %error, "cannot look up a query scheduler"),
        }
    }
    found.into_iter().collect()
}
