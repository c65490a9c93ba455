//! What the roles of one process share: each thing made once, here, and handed on.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use skald_blob::BlobStore;
use skald_cache::Cache;
use skald_catalog::Monotonic;
use skald_config::{Config, LimitsHandle};
use skald_gossip::{Gossip, GossipConfig, Lifecycler, LifecyclerConfig, register_metrics};
use skald_ring::{
    AutoForget, COMPACTOR_RING, DISTRIBUTOR_RING, FORGET_AFTER_TIMEOUTS, INDEX_GATEWAY_RING, INGESTER_RING, RingConfig,
    RingView, SCHEDULER_RING,
};
use skald_server::{Clock, Lifecycle, Metrics, Server, system_clock};
use tokio::sync::OnceCell;

use crate::{identity::Identity, local::Peers, stores};

/// The rings that exist.
pub(crate) const RINGS: [&str; 5] =
    [INGESTER_RING, DISTRIBUTOR_RING, INDEX_GATEWAY_RING, COMPACTOR_RING, SCHEDULER_RING];

/// How long a process waits at its start for gossip to meet somebody, so that it knows its old place.
const JOIN_WAIT: Duration = Duration::from_secs(2);

/// What several roles use.
pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    pub(crate) limits: LimitsHandle,
    pub(crate) clock: Clock,
    pub(crate) monotonic: Monotonic,
    pub(crate) identity: Identity,
    pub(crate) gossip: Gossip,
    pub(crate) ring: RingConfig,
    pub(crate) peers: Arc<Peers>,
    store: OnceCell<Arc<dyn BlobStore>>,
    cache: OnceCell<Arc<dyn Cache>>,
}

impl Shared {
    /// Joins gossip; opens nothing else yet.
    pub(crate) async fn new(
        config: Arc<Config>,
        limits: LimitsHandle,
        server: &Server,
        lifecycle: &Lifecycle,
        metrics: &Metrics,
    ) -> Result<Self> {
        let identity = Identity::new(&config, server)?;
        let clock = system_clock();
        let gossip = gossip(&config, &identity, &clock).await?;
        let settings = &config.common.ring;
        let ring = RingConfig {
            replication_factor: config.common.replication_factor as usize,
            heartbeat_timeout: settings.heartbeat_timeout.0,
            zone_awareness: settings.zone_awareness_enabled,
        };
        metrics.register(|registry| register_metrics(registry, &gossip, &RINGS.map(|name| (name, ring))));
        let watched = gossip.clone();
        lifecycle.add_ready_check(move || {
            // Without ingesters a process can neither write nor read.
            let known = watched.snapshot().records(INGESTER_RING).next().is_some();
            known.then_some(()).ok_or_else(|| "no ingester in the ring yet".to_owned())
        });
        let peers = Arc::new(Peers::new(identity.grpc.clone()));
        Ok(Self {
            config,
            limits,
            clock,
            monotonic: monotonic(),
            identity,
            gossip,
            ring,
            peers,
            store: OnceCell::new(),
            cache: OnceCell::new(),
        })
    }

    /// The bucket.
    pub(crate) async fn store(&self) -> Result<Arc<dyn BlobStore>> {
        let open = || async {
            let config = Arc::clone(&self.config);
            tokio::task::spawn_blocking(move || stores::bucket(&config)).await.context("opening the object store")?
        };
        self.store.get_or_try_init(open).await.cloned()
    }

    /// The cache of stored bytes and of results.
    pub(crate) async fn cache(&self) -> Result<Arc<dyn Cache>> {
        self.cache.get_or_try_init(|| async { stores::cache(&self.config.cache) }).await.cloned()
    }

    /// A ring as it is now.
    pub(crate) fn view(&self, ring: &str) -> RingView {
        self.gossip.view(ring, &self.ring)
    }

    /// How this process lives in a ring of services that keep nothing: silent members are forgotten.
    pub(crate) fn member(&self, ring: &str) -> LifecyclerConfig {
        let settings = &self.config.common.ring;
        LifecyclerConfig {
            http_addr: self.identity.http.clone(),
            zone: self.config.ingester.lifecycler.availability_zone.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            heartbeat_period: settings.heartbeat_period.0,
            join_wait: if self.config.memberlist.join_members.is_empty() { Duration::ZERO } else { JOIN_WAIT },
            auto_forget: Some(AutoForget {
                silent_for: self.ring.heartbeat_timeout * FORGET_AFTER_TIMEOUTS,
                replication_factor: self.ring.replication_factor,
            }),
            ..LifecyclerConfig::new(ring, &self.identity.id, &self.identity.grpc)
        }
    }

    /// Takes a place in a ring of services that keep nothing, and leaves it on the way down.
    pub(crate) async fn join(&self, ring: &str, lifecycle: &Lifecycle) -> Result<()> {
        let member = Lifecycler::start(self.gossip.clone(), self.member(ring)).await?;
        member.activate();
        lifecycle.add_drain_step(format!("leave the {ring} ring"), move || async move { member.leave(0).await });
        Ok(())
    }
}

/// Gossip over the network when there is anybody to join, else within this process.
async fn gossip(config: &Config, identity: &Identity, clock: &Clock) -> Result<Gossip> {
    let settings = &config.memberlist;
    let clock = Arc::clone(clock);
    let millis = Arc::new(move || u64::try_from(clock() / 1_000_000).unwrap_or(0));
    if settings.join_members.iter().all(String::is_empty) {
        return Ok(Gossip::in_process(millis));
    }
    let bind = match settings.bind_addr.as_str() {
        "" => std::net::Ipv4Addr::UNSPECIFIED.into(),
        text => text.parse().context("memberlist.bind_addr")?,
    };
    let advertise = match settings.advertise_addr.as_str() {
        "" => identity.grpc.parse::<SocketAddr>().context("the advertised address")?.ip(),
        text => text.parse().context("memberlist.advertise_addr")?,
    };
    let settings = GossipConfig {
        instance: identity.id.clone(),
        bind_addr: SocketAddr::new(bind, settings.bind_port),
        advertise_addr: (settings.bind_port != 0).then(|| SocketAddr::new(advertise, settings.bind_port)),
        join_members: settings.join_members.clone(),
        cluster_label: settings.cluster_label.clone(),
        gossip_interval: settings.gossip_interval.0,
        ..GossipConfig::default()
    };
    Gossip::start(settings, millis).await.context("memberlist")
}

/// A clock that is never set back and counts the time the machine sleeps.
fn monotonic() -> Monotonic {
    Arc::new(|| {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
    })
}
