//! What there is in a history: a bucket, ingesters, gateways, compactors, gossip, and a ledger of what
//! clients were told.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use skald_blob::{BlobStore, FaultPlan, FaultStore, MemoryStore, MeteredStore, Operation};
use skald_catalog::{Catalog, FoldPolicy, Monotonic};
use skald_compactor::{Compactor, CompactorConfig, CompactorParts};
use skald_index_gateway::{GatewayConfig, GatewayParts, IndexGateway};
use skald_model::Writer;
use skald_ring::{INDEX_GATEWAY_RING, INGESTER_RING, Instance, RingConfig, Rings, State};
use skald_wire::{RpcError, api::GatewayApi, pb};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{checkers::Checks, ingester::Ingester, rows::Row};

/// How many ingesters, gateways and compactors there are.
pub(crate) const INGESTERS: usize = 4;
pub(crate) const GATEWAYS: usize = 2;
pub(crate) const COMPACTORS: usize = 2;

/// Virtual wall time at the start of a history, in ns: a minute before a window ends.
pub(crate) const EPOCH_NS: i64 = 1_800_007_140 * 1_000_000_000;

/// The protocol, or one of the ways to break it that the checkers must notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// As it ships.
    Protocol,
    /// Readers ask the catalog before the ingesters.
    CatalogFirst,
    /// Readers do not say what the view must cover.
    NoCommitVector,
}

/// What clients were told of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) row: Row,
    pub(crate) acknowledged: bool,
}

pub(crate) struct World {
    pub(crate) variant: Variant,
    rng: RefCell<SmallRng>,
    pub(crate) start: Instant,
    /// The bucket as it is, for checkers.
    pub(crate) truth: Arc<dyn BlobStore>,
    pub(crate) metered: Arc<MeteredStore>,
    pub(crate) faults: Arc<FaultStore>,
    pub(crate) catalog: Catalog,
    gossip: Arc<Gossip>,
    pub(crate) ingesters: Vec<RefCell<Ingester>>,
    pub(crate) disks_lost: Cell<usize>,
    gateways: Arc<Mutex<Vec<Option<Arc<IndexGateway>>>>>,
    gateway_stops: RefCell<Vec<CancellationToken>>,
    pub(crate) compactors: RefCell<Vec<Option<Arc<Compactor>>>>,
    pub(crate) ledger: RefCell<BTreeMap<u64, Told>>,
    pub(crate) checks: RefCell<Checks>,
    pub(crate) over: Cell<bool>,
    seeds: Cell<u64>,
    /// Gateways and compactors started: each may list twice.
    pub(crate) starts: Cell<u64>,
}

impl World {
    pub(crate) fn new(seed: u64, variant: Variant) -> Rc<Self> {
        let start = Instant::now();
        let truth: Arc<dyn BlobStore> = Arc::new(MemoryStore::with_clock(|| 0));
        let metered = Arc::new(MeteredStore::new(truth.clone()));
        let faults = Arc::new(FaultStore::new(metered.clone(), seed));
        faults.set_plan(FaultPlan { refused: 10, landed: 60, lost: 40, late: 40, doubled: 20 });
        let latency = Mutex::new(SmallRng::seed_from_u64(seed ^ 0x1a7e));
        faults.set_hook(move |operation, _| {
            let millis = match operation {
                // Deleting is not part of this version, listing is rare; writes take longest.
                Operation::Create | Operation::Put => latency.lock().random_range(5..120),
                _ => latency.lock().random_range(1..40),
            };
            Box::pin(tokio::time::sleep(Duration::from_millis(millis)))
        });
        let catalog = Catalog::new(faults.clone(), 0);
        Rc::new(Self {
            variant,
            rng: RefCell::new(SmallRng::seed_from_u64(seed)),
            start,
            truth,
            metered,
            faults,
            catalog,
            gossip: Arc::new(Gossip::new()),
            ingesters: (0..INGESTERS).map(|i| RefCell::new(Ingester::new(i))).collect(),
            disks_lost: Cell::new(0),
            gateways: Arc::new(Mutex::new(vec![None; GATEWAYS])),
            gateway_stops: RefCell::new(vec![CancellationToken::new(); GATEWAYS]),
            compactors: RefCell::new(vec![None; COMPACTORS]),
            ledger: RefCell::default(),
            checks: RefCell::default(),
            over: Cell::new(false),
            seeds: Cell::new(seed.wrapping_mul(1_000_003)),
            starts: Cell::new(0),
        })
    }

    /// A number below `bound`.
    pub(crate) fn dice(&self, bound: u64) -> u64 {
        self.rng.borrow_mut().random_range(0..bound)
    }

    /// True in `percent` of cases.
    pub(crate) fn chance(&self, percent: u64) -> bool {
        self.dice(100) < percent
    }

    /// Waits for a random time in milliseconds.
    pub(crate) async fn idle(&self, millis: std::ops::Range<u64>) {
        let millis = self.rng.borrow_mut().random_range(millis);
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    pub(crate) fn now_ns(&self) -> i64 {
        EPOCH_NS + self.start.elapsed().as_nanos() as i64
    }

    fn now_ms(&self) -> u64 {
        (self.now_ns() / 1_000_000) as u64
    }

    fn clock(&self) -> Monotonic {
        let start = self.start;
        Arc::new(move || start.elapsed())
    }

    /// Changes what gossip says.
    pub(crate) fn gossip(&self, change: impl FnOnce(&mut Rings, u64)) {
        let now_ms = self.now_ms();
        self.gossip.change(|rings| change(rings, now_ms));
    }

    /// Ingester `i` is in the ring with this writer.
    pub(crate) fn join_ring(&self, i: usize, writer: &Writer) {
        self.gossip(|rings, now_ms| {
            let mut instance = Instance::new(INGESTER_RING, &format!("ingester-{i}"), "nowhere:1");
            instance.state = State::Active;
            instance.writer = Some(writer.clone());
            rings.update(INGESTER_RING, instance, now_ms).expect("a small record");
        });
    }

    /// Ingester `i` is forgotten by the ring, whether or not it lives.
    pub(crate) fn leave_ring(&self, i: usize) {
        self.gossip(|rings, now_ms| {
            rings.forget(INGESTER_RING, &format!("ingester-{i}"), now_ms);
        });
    }

    /// Starts gateway `i` anew, with nothing in memory.
    pub(crate) async fn start_gateway(&self, i: usize) {
        self.gateway_stops.borrow()[i].cancel();
        self.gateways.lock()[i] = None;
        let addr = format!("gateway-{i}:1");
        self.gossip(|rings, now_ms| {
            let mut instance = Instance::new(INDEX_GATEWAY_RING, &addr, &addr);
            instance.state = State::Active;
            rings.update(INDEX_GATEWAY_RING, instance, now_ms).expect("a small record");
        });
        loop {
            self.starts.set(self.starts.get() + 1);
            let shutdown = CancellationToken::new();
            let parts = GatewayParts {
                config: GatewayConfig {
                    root_probe: Duration::from_secs(7),
                    log_probe: Duration::from_secs(11),
                    ..GatewayConfig::default()
                },
                store: self.faults.clone(),
                clock: self.clock(),
                rings: self.gossip.subscribe(i),
                shutdown: shutdown.clone(),
            };
            // A start fails when the bucket refuses a request: the process is started again.
            if let Ok(gateway) = IndexGateway::start(parts, &mut Registry::default()).await {
                self.gateway_stops.borrow_mut()[i] = shutdown;
                self.gateways.lock()[i] = Some(gateway);
                self.checks.borrow_mut().covers.restarted(i);
                return;
            }
        }
    }

    /// Gateway `i`, unless it is starting.
    pub(crate) fn gateway(&self, i: usize) -> Option<Arc<IndexGateway>> {
        self.gateways.lock()[i].clone()
    }

    /// Kills compactor `i`, wherever it is.
    pub(crate) async fn kill_compactor(&self, i: usize) {
        let killed = self.compactors.borrow_mut()[i].take();
        if let Some(compactor) = killed {
            compactor.shutdown().await;
        }
    }

    /// Starts compactor `i`.
    pub(crate) fn start_compactor(&self, i: usize) {
        self.starts.set(self.starts.get() + 1);
        let mut rng = SmallRng::seed_from_u64(self.next_seed());
        let pushes = Mutex::new(SmallRng::seed_from_u64(rng.random()));
        let ids = Mutex::new(rng);
        let (gateways, gossip) = (self.gateways.clone(), self.gossip.clone());
        let start = self.start;
        let now_ns = move || EPOCH_NS + start.elapsed().as_nanos() as i64;
        let parts = CompactorParts {
            config: CompactorConfig {
                policy: FoldPolicy {
                    fold_age: Duration::from_millis(600),
                    job_objects_max: 5,
                    ..FoldPolicy::default()
                },
                interval: Duration::from_millis(400),
                seal_after: Duration::from_secs(3),
                ..CompactorConfig::default()
            },
            instance_id: format!("compactor-{i}"),
            store: self.faults.clone(),
            wall_clock: Arc::new(now_ns),
            clock: self.clock(),
            ids: Arc::new(move || ids.lock().random()),
            rings: self.gossip.subscribe(GATEWAYS + i),
            ring_config: RingConfig { heartbeat_timeout: Duration::from_secs(100_000), ..RingConfig::default() },
            announce: Arc::new(move |shard, generation| {
                let now_ms = (now_ns() / 1_000_000) as u64;
                gossip.change(|rings| {
                    rings.raise_generation(&shard.to_string(), generation, now_ms);
                });
            }),
            gateways: Arc::new(move |addr| {
                let at = (0..GATEWAYS).find(|i| addr == format!("gateway-{i}:1"));
                let target = at.and_then(|i| gateways.lock()[i].clone());
                let lost = pushes.lock().random_range(0..100) < 50;
                Arc::new(LossyGateway(target.filter(|_| !lost))) as Arc<dyn GatewayApi>
            }),
            shutdown: CancellationToken::new(),
        };
        self.compactors.borrow_mut()[i] = Some(Compactor::start(parts, &mut Registry::default()));
    }

    fn next_seed(&self) -> u64 {
        self.seeds.set(self.seeds.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        self.seeds.get()
    }
}

/// The rings, to one channel per listener: a channel wakes several listeners in no particular order,
/// which would make a seed more than one history.
struct Gossip {
    rings: Mutex<Arc<Rings>>,
    listeners: Vec<watch::Sender<Arc<Rings>>>,
}

impl Gossip {
    fn new() -> Self {
        let listeners = (0..GATEWAYS + COMPACTORS).map(|_| watch::Sender::new(Arc::default())).collect();
        Self { rings: Mutex::default(), listeners }
    }

    fn change(&self, change: impl FnOnce(&mut Rings)) {
        let mut rings = self.rings.lock();
        change(Arc::make_mut(&mut rings));
        self.listeners.iter().for_each(|listener| {
            listener.send_replace(rings.clone());
        });
    }

    fn subscribe(&self, listener: usize) -> watch::Receiver<Arc<Rings>> {
        self.listeners[listener].subscribe()
    }
}

/// A gateway behind a network that loses pushes.
struct LossyGateway(Option<Arc<IndexGateway>>);

#[async_trait]
impl GatewayApi for LossyGateway {
    async fn view(&self, request: pb::ViewRequest) -> Result<pb::ViewAnswer, RpcError> {
        self.reach()?.view(request).await
    }

    async fn committed(&self, notice: pb::CommitNotice) -> Result<(), RpcError> {
        self.reach()?.committed(notice).await
    }

    async fn rooted(&self, notice: pb::RootNotice) -> Result<(), RpcError> {
        self.reach()?.rooted(notice).await
    }

    async fn seen(&self) -> Result<pb::CommitVector, RpcError> {
        self.reach()?.seen().await
    }
}

impl LossyGateway {
    fn reach(&self) -> Result<&Arc<IndexGateway>, RpcError> {
        self.0.as_ref().ok_or_else(|| RpcError::Unavailable("lost".into()))
    }
}
