//! The memberlist side: packets to peers, whole states on joining and now and then, and good-bye.
//!
//! Everything that memberlist is particular about is kept in this file. A process takes a new name at
//! every start (a known name at a new address is refused by peers for good); an advertise address is
//! always given (memberlist's own choice may be an unreachable IPv6 one); a packet never holds more than
//! [`MESSAGE_BYTES_MAX`], since a larger one is silently never sent. memberlist's view of who is alive is
//! shown on a page and used for nothing else.

use crate::{GossipConfig, GossipError, gossip::Shared, resolve};
use bytes::Bytes;
use memberlist::{
    Memberlist, Options,
    delegate::{CompositeDelegate, EventDelegate, NodeDelegate, VoidDelegate},
    net::NetTransportOptions,
    proto::{
        ChecksumAlgorithm, CompressAlgorithm, EncryptionAlgorithm, Label, MaybeResolvedAddress, NodeState, SecretKey,
    },
    tokio::{TokioNetTransport, TokioSocketAddrResolver, TokioTcp},
};
use std::{
    borrow::Cow,
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The largest message put into a packet: memberlist cuts packets at 1472 bytes and adds its label, checksum and
/// encryption to them.
const MESSAGE_BYTES_MAX: usize = 1200;
const _: () = assert!(skald_ring::RECORD_BYTES_MAX + 100 < MESSAGE_BYTES_MAX);
/// The first pause between attempts to join; it doubles up to the next.
const JOIN_BACKOFF_MIN: Duration = Duration::from_millis(100);
/// The longest pause between attempts to join: how late a process may notice that the others came up.
const JOIN_BACKOFF_MAX: Duration = Duration::from_secs(2);
/// How many peers are told the last news over TCP when leaving: they pass it on.
const FAREWELL_PEERS: usize = 5;
/// How long leaving waits for any one peer.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);

type NodeName = Arc<str>;
type Transport = TokioNetTransport<NodeName, TokioSocketAddrResolver, TokioTcp>;
type Void = VoidDelegate<NodeName, SocketAddr>;
type Delegate = CompositeDelegate<NodeName, SocketAddr, Void, Void, Counter, Void, Exchange, Void>;

/// One process that takes part in gossip.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Node {
    /// Its name for this life.
    pub name: String,
    /// Where it listens.
    pub addr: String,
    /// What memberlist believes of it: alive, suspect, dead or left.
    pub state: String,
}

/// The running network.
pub(crate) struct Network {
    name: NodeName,
    list: Memberlist<Transport, Delegate>,
    shared: Arc<Shared>,
    peers: Arc<AtomicUsize>,
    stop: CancellationToken,
    task: parking_lot::Mutex<Option<JoinHandle<()>>>,
}

impl Network {
    pub(crate) async fn start(config: GossipConfig, shared: Arc<Shared>) -> Result<Self, GossipError> {
        let name: NodeName = format!("{}-{:08x}", config.instance, rand::random::<u32>()).into();
        let bind = config.bind_addr;
        let mut transport = NetTransportOptions::<NodeName, TokioSocketAddrResolver, TokioTcp>::new(name.clone());
        transport.add_bind_address(bind);
        // Port 0 (tests) is only known once bound; memberlist then advertises the bound address itself.
        let advertise = match config.advertise_addr {
            Some(addr) => Some(addr),
            None if bind.port() == 0 => None,
            None => Some(SocketAddr::new(resolve::advertise_ip(bind.ip(), &config.join_members).await, bind.port())),
        };
        let transport = transport.maybe_advertise_address(advertise);
        let peers = Arc::new(AtomicUsize::new(0));
        let delegate = CompositeDelegate::new()
            .with_event_delegate(Counter { peers: peers.clone() })
            .with_node_delegate(Exchange { shared: shared.clone(), peers: peers.clone() });
        let list = Memberlist::with_delegate(delegate, transport, options(&config)?)
            .await
            .map_err(|e| GossipError::Start { bind_addr: bind, reason: e.to_string() })?;
        let stop = CancellationToken::new();
        let keeper = Keeper { list: list.clone(), config, shared: shared.clone(), stop: stop.clone() };
        let task = parking_lot::Mutex::new(Some(tokio::spawn(keeper.run())));
        Ok(Self { name, list, shared, peers, stop, task })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn peer_count(&self) -> usize {
        self.peers.load(Ordering::Relaxed)
    }

    pub(crate) fn advertise_addr(&self) -> SocketAddr {
        *self.list.advertise_address()
    }

    pub(crate) async fn members(&self) -> Vec<Node> {
        let describe = |node: &Arc<NodeState<NodeName, SocketAddr>>| Node {
            name: node.id().to_string(),
            addr: node.address().to_string(),
            state: format!("{:?}", node.state()).to_lowercase(),
        };
        let mut nodes: Vec<Node> = self.list.members().await.iter().map(describe).collect();
        nodes.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        nodes
    }

    pub(crate) async fn leave(&self) {
        self.stop.cancel();
        let Some(task) = self.task.lock().take() else { return };
        // An error means that the task panicked, which tokio has reported.
        let _ = task.await;
        let outbox = self.shared.outbox.as_ref();
        let news = outbox.map(|outbox| outbox.pending(&self.shared.snapshot())).unwrap_or_default();
        if !news.is_empty() {
            let message = Bytes::from(news.encode());
            let peers = self.list.online_members().await;
            let peers = peers.iter().filter(|peer| *peer.id() != self.name).take(FAREWELL_PEERS);
            let sends = peers.map(|peer| {
                let message = message.clone();
                async move {
                    match tokio::time::timeout(FAREWELL_TIMEOUT, self.list.send_reliable(peer.address(), message)).await
                    {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => tracing::debug!(peer = %peer.id(), %error, "farewell not delivered"),
                        Err(_) => tracing::debug!(peer = %peer.id(), "farewell timed out"),
                    }
                }
            });
            futures::future::join_all(sends).await;
        }
        if let Err(error) = self.list.leave(FAREWELL_TIMEOUT).await {
            tracing::debug!(%error, "peers were not told that this process left gossip");
        }
        if let Err(error) = self.list.shutdown().await {
            tracing::debug!(%error, "gossip did not shut down cleanly");
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn options(config: &GossipConfig) -> Result<Options, GossipError> {
    let label = Label::try_from(config.cluster_label.as_str()).map_err(|_| GossipError::Label)?;
    let mut options = Options::lan()
        .with_label(label)
        .with_gossip_interval(config.gossip_interval)
        .with_push_pull_interval(config.pull_push_interval)
        .with_checksum_algo(ChecksumAlgorithm::Crc32)
        .with_compress_algo(CompressAlgorithm::Snappy);
    if let Some(key) = &config.encryption_key {
        let key = SecretKey::try_from(key.as_slice()).map_err(|_| GossipError::Key(key.len()))?;
        options = options
            .with_primary_key(key)
            .with_encryption_algo(EncryptionAlgorithm::default())
            .with_gossip_verify_incoming(true)
            .with_gossip_verify_outgoing(true);
    }
    Ok(options)
}

/// Joins, rejoins and drops old tombstones until it is stopped. Cancelling it between two steps leaves nothing
/// half done.
struct Keeper {
    list: Memberlist<Transport, Delegate>,
    config: GossipConfig,
    shared: Arc<Shared>,
    stop: CancellationToken,
}

impl Keeper {
    async fn run(self) {
        let stop = self.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.keep_joined() => {}
            () = self.keep_pruned() => {}
        }
    }

    async fn keep_joined(&self) {
        if self.config.join_members.is_empty() {
            self.shared.mark_joined();
            return std::future::pending().await;
        }
        let mut backoff = JOIN_BACKOFF_MIN;
        loop {
            let pause = if self.join().await {
                backoff = JOIN_BACKOFF_MIN;
                self.shared.mark_joined();
                if self.config.rejoin_interval.is_zero() {
                    return std::future::pending().await;
                }
                self.config.rejoin_interval
            } else {
                let pause = backoff;
                backoff = (backoff * 2).min(JOIN_BACKOFF_MAX);
                pause
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Exchanges states with every address of every join member; true when at least one answered.
    async fn join(&self) -> bool {
        let own = *self.list.advertise_address();
        let mut peers: Vec<SocketAddr> = Vec::new();
        for member in &self.config.join_members {
            match resolve::resolve(member).await {
                Ok(addrs) => peers.extend(addrs.into_iter().filter(|addr| *addr != own)),
                Err(error) => tracing::warn!(%member, %error, "join member does not resolve"),
            }
        }
        peers.sort_unstable();
        peers.dedup();
        // One by one rather than by `join_many`, whose future cannot move between threads.
        let joins = peers.into_iter().map(|peer| async move {
            let joined = self.list.join(MaybeResolvedAddress::resolved(peer)).await;
            if let Err(error) = &joined {
                tracing::debug!(%peer, %error, "join member does not answer");
            }
            joined.is_ok()
        });
        futures::future::join_all(joins).await.contains(&true)
    }

    async fn keep_pruned(&self) {
        // A tenth of the time is soon enough, and often enough not to pile up.
        let mut ticks = tokio::time::interval((self.config.left_timeout / 10).max(Duration::from_millis(100)));
        loop {
            ticks.tick().await;
            self.shared.prune(self.config.left_timeout);
        }
    }
}

/// What memberlist asks and tells us.
struct Exchange {
    shared: Arc<Shared>,
    peers: Arc<AtomicUsize>,
}

impl NodeDelegate for Exchange {
    fn notify_message(&self, msg: Cow<'_, [u8]>) -> impl Future<Output = ()> + Send {
        self.shared.receive(&msg);
        std::future::ready(())
    }

    async fn broadcast_messages<F>(&self, limit: usize, encoded_len: F) -> impl Iterator<Item = Bytes> + Send
    where
        F: Fn(Bytes) -> (usize, Bytes) + Send + Sync + 'static,
    {
        // The framing of a message of this size takes no more than what a message of no bytes and a long length do.
        let (framing, _) = encoded_len(Bytes::new());
        let room = limit.saturating_sub(framing + 8).min(MESSAGE_BYTES_MAX);
        let outbox = self.shared.outbox.as_ref();
        let size = self.peers.load(Ordering::Relaxed);
        outbox.and_then(|outbox| outbox.next(&self.shared.snapshot(), room, size)).map(Bytes::from).into_iter()
    }

    async fn local_state(&self, _join: bool) -> Bytes {
        Bytes::from(self.shared.snapshot().encode())
    }

    fn merge_remote_state(&self, buf: &[u8], join: bool) -> impl Future<Output = ()> + Send {
        self.shared.receive(buf);
        if join {
            self.shared.mark_joined();
        }
        std::future::ready(())
    }
}

/// Counts the processes that gossip, this one included.
struct Counter {
    peers: Arc<AtomicUsize>,
}

impl EventDelegate for Counter {
    type Id = NodeName;
    type Address = SocketAddr;

    async fn notify_join(&self, _node: Arc<NodeState<NodeName, SocketAddr>>) {
        self.peers.fetch_add(1, Ordering::Relaxed);
    }

    async fn notify_leave(&self, _node: Arc<NodeState<NodeName, SocketAddr>>) {
        // Saturating: a count that is off changes how often news is repeated, nothing else.
        let _ = self.peers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| Some(n.saturating_sub(1)));
    }

    async fn notify_update(&self, _node: Arc<NodeState<NodeName, SocketAddr>>) {}
}
