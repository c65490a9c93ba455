//! The state of all rings as this process knows it, and its way in and out.
//!
//! Everybody in the process shares one handle. Reading is a snapshot (an `Arc`, no lock held while it is
//! used); writing merges a delta, wakes the subscribers and queues the delta for the peers. Without a
//! network (all-in-one, tests) the queue is simply absent.

use crate::{
    GossipConfig, GossipError,
    network::{Network, Node},
    outbox::Outbox,
};
use skald_model::Writer;
use skald_ring::{Instance, RingConfig, RingView, Rings};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

/// The clock of the ring: milliseconds since the epoch.
pub type MillisClock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What the handle and the network's callbacks share.
pub(crate) struct Shared {
    pub(crate) clock: MillisClock,
    pub(crate) outbox: Option<Outbox>,
    state: watch::Sender<Arc<Rings>>,
    joined: watch::Sender<bool>,
    invalid_messages: AtomicU64,
}

impl Shared {
    fn new(clock: MillisClock, outbox: Option<Outbox>) -> Self {
        let joined = outbox.is_none();
        Self {
            clock,
            outbox,
            state: watch::Sender::new(Arc::default()),
            joined: watch::Sender::new(joined),
            invalid_messages: AtomicU64::new(0),
        }
    }

    pub(crate) fn snapshot(&self) -> Arc<Rings> {
        self.state.borrow().clone()
    }

    /// Applies a change; what it returns as changed goes to subscribers and peers.
    fn change(&self, change: impl FnOnce(&mut Rings, u64) -> Rings) {
        let now_ms = (self.clock)();
        self.state.send_if_modified(|state| {
            let delta = change(Arc::make_mut(state), now_ms);
            if let Some(outbox) = &self.outbox {
                outbox.add(&delta);
            }
            !delta.is_empty()
        });
    }

    /// Takes in what a peer sent. Bytes that are no message are logged and dropped.
    pub(crate) fn receive(&self, bytes: &[u8]) {
        match skald_ring::decode(bytes) {
            Ok(theirs) => self.change(|state, now_ms| state.merge(&theirs, now_ms)),
            Err(error) => {
                self.invalid_messages.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%error, bytes = bytes.len(), "dropped a gossip message");
            }
        }
    }

    pub(crate) fn mark_joined(&self) {
        self.joined.send_replace(true);
    }

    /// Drops old tombstones. Nobody is woken: who left is not in any view.
    pub(crate) fn prune(&self, left_timeout: Duration) {
        let now_ms = (self.clock)();
        self.state.send_if_modified(|state| {
            Arc::make_mut(state).prune(now_ms, left_timeout.as_millis() as u64);
            false
        });
    }
}

/// A handle on the cluster's rings. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Gossip {
    shared: Arc<Shared>,
    network: Option<Arc<Network>>,
}

impl Gossip {
    /// Starts gossiping: binds the port and joins the members in the background, again and again until one
    /// answers. Must run inside a tokio runtime.
    ///
    /// # Errors
    /// When the port cannot be bound or a setting is impossible. Unreachable members are no error.
    pub async fn start(config: GossipConfig, clock: MillisClock) -> Result<Self, GossipError> {
        let shared = Arc::new(Shared::new(clock, Some(Outbox::default())));
        let network = Network::start(config, shared.clone()).await?;
        Ok(Self { shared, network: Some(Arc::new(network)) })
    }

    /// Rings within this process only: nothing is bound and nobody else takes part.
    pub fn in_process(clock: MillisClock) -> Self {
        Self { shared: Arc::new(Shared::new(clock, None)), network: None }
    }

    /// The state of this moment.
    pub fn snapshot(&self) -> Arc<Rings> {
        self.shared.snapshot()
    }

    /// The state and a notice of every change. Only the newest state is kept for a slow subscriber.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Rings>> {
        self.shared.state.subscribe()
    }

    /// The ring's view of this moment.
    pub fn view(&self, ring: &str, config: &RingConfig) -> RingView {
        RingView::new(&self.snapshot(), ring, self.now_ms(), config)
    }

    /// The ring's clock, in ms since the epoch.
    pub fn now_ms(&self) -> u64 {
        (self.shared.clock)()
    }

    /// Waits until a member was joined or has joined us; at most `timeout`. False when nobody was met: the first
    /// process of a cluster goes on alone. True at once without a network or without members to join.
    pub async fn joined(&self, timeout: Duration) -> bool {
        let mut joined = self.shared.joined.subscribe();
        let met = tokio::time::timeout(timeout, joined.wait_for(|&joined| joined)).await;
        matches!(met, Ok(Ok(_)))
    }

    /// Writes one's own record: the stamp and the heartbeat time are set here.
    ///
    /// # Errors
    /// When the record does not fit a packet's bounds.
    pub fn update(&self, ring: &str, instance: Instance) -> Result<(), GossipError> {
        instance.validate(ring)?;
        self.shared
            .change(|state, now_ms| state.update(ring, instance, now_ms).expect("the record was validated above"));
        Ok(())
    }

    /// Reports that object `seq` of a log exists.
    pub fn raise_head(&self, writer: &Writer, seq: u64) {
        self.shared.change(|state, now_ms| state.raise_head(writer, seq, now_ms));
    }

    /// Reports that root `generation` of a shard exists.
    pub fn raise_generation(&self, shard: &str, generation: u64) {
        self.shared.change(|state, now_ms| state.raise_generation(shard, generation, now_ms));
    }

    /// Drops somebody from a ring. One that lives comes back with its next heartbeat. False when there is no such
    /// member.
    pub fn forget(&self, ring: &str, id: &str) -> bool {
        let mut known = false;
        self.shared.change(|state, now_ms| {
            let delta = state.forget(ring, id, now_ms);
            known = !delta.is_empty();
            delta
        });
        known
    }

    /// The processes that gossip, this one included; empty without a network.
    pub async fn members(&self) -> Vec<Node> {
        match &self.network {
            Some(network) => network.members().await,
            None => Vec::new(),
        }
    }

    /// How many processes gossip, this one included; 0 without a network.
    pub(crate) fn peer_count(&self) -> usize {
        self.network.as_ref().map_or(0, |network| network.peer_count())
    }

    /// How many messages could not be decoded since the start.
    pub(crate) fn invalid_messages(&self) -> u64 {
        self.shared.invalid_messages.load(Ordering::Relaxed)
    }

    /// This process's name among its peers; `None` without a network.
    pub fn name(&self) -> Option<&str> {
        self.network.as_ref().map(|network| network.name())
    }

    /// Where peers reach this process; `None` without a network.
    pub fn advertise_addr(&self) -> Option<std::net::SocketAddr> {
        self.network.as_ref().map(|network| network.advertise_addr())
    }

    /// Sends what is still queued to a few peers over TCP, says good-bye and stops. Call it last: after it,
    /// changes stay in this process.
    pub async fn leave(&self) {
        if let Some(network) = &self.network {
            network.leave().await;
        }
    }
}
