//! One instance's life in one ring: it registers, beats, and leaves.
//!
//! ```text
//! start ──▶ PENDING ──activate──▶ JOINING ▶ ACTIVE ──leaving──▶ LEAVING ──leave──▶ LEFT
//! ```
//! The lifecycler owns the instance's record: every change goes through it, and each heartbeat
//! writes the record again, so that a record somebody else wrote (a forget) is put right. The
//! instance keeps its token in a file and finds its old record in gossip, so that a restart is no
//! departure. Not here: flushing, draining, waiting for the gateways (the service does that between
//! `leaving` and `leave`).

use crate::{Gossip, GossipError, token_store};
use parking_lot::Mutex;
use skald_model::Writer;
use skald_ring::{AutoForget, Instance, State, auto_forget};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Says of a log whether it is closed for good.
pub type SealedFn = Arc<dyn Fn(&Writer) -> bool + Send + Sync>;

/// Who the instance is and how it lives.
#[derive(Clone)]
pub struct LifecyclerConfig {
    /// The ring's name, e.g. [`skald_ring::INGESTER_RING`].
    pub ring: String,
    /// The stable id.
    pub id: String,
    /// Where its gRPC port is reached, `host:port`.
    pub addr: String,
    /// Where its HTTP port is reached, `host:port`.
    pub http_addr: String,
    /// The availability zone, empty for none.
    pub zone: String,
    /// The software version.
    pub version: String,
    /// The log it writes, if it writes one.
    pub writer: Option<Writer>,
    /// How often it says that it lives. Must be well below the ring's heartbeat timeout.
    pub heartbeat_period: Duration,
    /// Where its token is kept; `None`: the token follows from the id.
    pub tokens_file: Option<PathBuf>,
    /// How long to wait for gossip to meet somebody, so that the own old record is known before it is replaced.
    pub join_wait: Duration,
    /// True: a stopping instance leaves the ring and its streams move at once. False: it keeps its place (LEAVING)
    /// until it comes back; the streams stay where they are, with one copy fewer meanwhile.
    pub unregister_on_shutdown: bool,
    /// Drop others that are silent for long; `None`: never.
    pub auto_forget: Option<AutoForget>,
    /// For [`LifecyclerConfig::auto_forget`] in a ring with logs; `None`: no log counts as closed.
    pub sealed: Option<SealedFn>,
}

impl LifecyclerConfig {
    /// Loki's defaults for an instance of that name.
    pub fn new(ring: &str, id: &str, addr: &str) -> Self {
        Self {
            ring: ring.to_owned(),
            id: id.to_owned(),
            addr: addr.to_owned(),
            http_addr: String::new(),
            zone: String::new(),
            version: String::new(),
            writer: None,
            heartbeat_period: Duration::from_secs(5),
            tokens_file: None,
            join_wait: Duration::from_secs(2),
            unregister_on_shutdown: true,
            auto_forget: None,
            sealed: None,
        }
    }
}

/// Why an instance cannot register.
#[derive(Debug, thiserror::Error)]
pub enum LifecyclerError {
    /// Its token cannot be read or kept; the text names the file.
    #[error("{0}")]
    Token(String),
    /// Its record cannot travel.
    #[error(transparent)]
    Gossip(#[from] GossipError),
}

struct Life {
    gossip: Gossip,
    config: LifecyclerConfig,
    record: Mutex<Instance>,
    stop: CancellationToken,
}

/// One registered instance. Dropping it stops the heartbeats and nothing else: to the others that is a crash.
pub struct Lifecycler {
    life: Arc<Life>,
    beating: Mutex<Option<JoinHandle<()>>>,
}

impl Lifecycler {
    /// Registers the instance as PENDING and begins to beat. An instance that is known from before keeps its
    /// place, its token and its read-only mark.
    ///
    /// # Errors
    /// When the token file is unreadable or broken, or a name is too long for a record.
    pub async fn start(gossip: Gossip, config: LifecyclerConfig) -> Result<Self, LifecyclerError> {
        let token = load_token(&config).await?;
        gossip.joined(config.join_wait).await;
        let snapshot = gossip.snapshot();
        let known = snapshot.get(&config.ring, &config.id).map(|r| &*r.instance);
        let mut record = Instance::new(&config.ring, &config.id, &config.addr);
        record.http_addr.clone_from(&config.http_addr);
        record.zone.clone_from(&config.zone);
        record.version.clone_from(&config.version);
        record.writer.clone_from(&config.writer);
        if let Some(known) = known {
            if known.writer == record.writer {
                record.last_seq = known.last_seq;
            }
            record.token = known.token;
            if known.state != State::Left {
                record.registered_ms = known.registered_ms;
                record.read_only_since_ms = known.read_only_since_ms;
            }
        }
        match token {
            Some(token) => record.token = token,
            None => store_token(&config, record.token).await?,
        }
        gossip.update(&config.ring, record.clone())?;
        let life = Arc::new(Life { gossip, config, record: Mutex::new(record), stop: CancellationToken::new() });
        let beating = Mutex::new(Some(tokio::spawn(beat(life.clone()))));
        Ok(Self { life, beating })
    }

    /// Takes its place: JOINING, then ACTIVE. Call it once the instance serves.
    pub fn activate(&self) {
        self.change(|record, _| record.state = State::Joining);
        self.change(|record, now_ms| {
            record.state = State::Active;
            if record.registered_ms == 0 {
                record.registered_ms = now_ms;
            }
        });
    }

    /// Switches new writes off (reads go on being answered) or on again.
    pub fn set_read_only(&self, read_only: bool) {
        self.change(|record, now_ms| match (read_only, record.read_only_since_ms) {
            (true, None) => record.read_only_since_ms = Some(now_ms),
            (false, Some(_)) => {
                record.read_only_since_ms = None;
                // The place was others' meanwhile, which look-backs must see.
                record.registered_ms = now_ms;
            }
            _ => {}
        });
    }

    /// Notes the newest object of the instance's log; the next heartbeat carries it.
    pub fn set_last_seq(&self, seq: u64) {
        let mut record = self.life.record.lock();
        record.last_seq = record.last_seq.max(seq);
    }

    /// Moves to another log: the old one was sealed by others.
    pub fn set_writer(&self, writer: Writer) {
        self.change(|record, _| {
            record.writer = Some(writer);
            record.last_seq = 0;
        });
    }

    /// Begins to leave: LEAVING, carrying the newest object of the log. If the instance is to unregister, its
    /// streams move to others at once. Call it again after the last flush.
    pub fn leaving(&self, last_seq: u64) {
        let unregister = self.life.config.unregister_on_shutdown;
        self.change(|record, now_ms| {
            record.state = State::Leaving;
            record.last_seq = record.last_seq.max(last_seq);
            if unregister {
                record.read_only_since_ms.get_or_insert(now_ms);
            }
        });
    }

    /// Ends the life: heartbeats stop and the record becomes LEFT with the end of the log, or stays LEAVING when
    /// the instance does not unregister. Follow it by [`Gossip::leave`], which carries the news out.
    pub async fn leave(&self, last_seq: u64) {
        self.life.stop.cancel();
        let beating = self.beating.lock().take();
        if let Some(beating) = beating {
            // An error means that the task panicked, which tokio has reported.
            let _ = beating.await;
        }
        self.leaving(last_seq);
        if self.life.config.unregister_on_shutdown {
            self.change(|record, _| record.state = State::Left);
        }
    }

    /// The record as this instance last wrote it.
    pub fn record(&self) -> Instance {
        self.life.record.lock().clone()
    }

    /// The state it is in.
    pub fn state(&self) -> State {
        self.life.record.lock().state
    }

    fn change(&self, change: impl FnOnce(&mut Instance, u64)) {
        self.life.write(change);
    }
}

impl Drop for Lifecycler {
    fn drop(&mut self) {
        self.life.stop.cancel();
    }
}

impl Life {
    /// Changes the record and tells everybody; the lock is held so that changes reach gossip in their order.
    fn write(&self, change: impl FnOnce(&mut Instance, u64)) {
        let mut record = self.record.lock();
        change(&mut record, self.gossip.now_ms());
        if let Err(error) = self.gossip.update(&self.config.ring, record.clone()) {
            tracing::error!(%error, id = %record.id, "the instance's ring record was not written");
        }
    }

    fn beat(&self) {
        let snapshot = self.gossip.snapshot();
        let known = snapshot.get(&self.config.ring, &self.config.id).map(|r| &*r.instance);
        if let Some(known) = known.filter(|k| k.addr != self.config.addr && k.state != State::Left) {
            let (id, ring) = (&self.config.id, &self.config.ring);
            tracing::error!(%id, %ring, other = %known.addr, "another process lives under this instance's id");
        }
        let forgotten = known.is_some_and(|known| known.forgotten && known.state == State::Left);
        if forgotten {
            tracing::warn!(id = %self.config.id, ring = %self.config.ring, "was forgotten while alive, registers again");
        }
        self.write(|record, now_ms| {
            if forgotten && record.registered_ms != 0 {
                record.registered_ms = now_ms;
            }
        });
    }

    fn forget_others(&self, rule: &AutoForget) {
        let sealed = |writer: &Writer| self.config.sealed.as_ref().is_some_and(|sealed| sealed(writer));
        let snapshot = self.gossip.snapshot();
        for id in auto_forget(&snapshot, &self.config.ring, self.gossip.now_ms(), rule, sealed) {
            if id != self.config.id && self.gossip.forget(&self.config.ring, &id) {
                tracing::warn!(%id, ring = %self.config.ring, silent_for = ?rule.silent_for, "forgot a silent instance");
            }
        }
    }
}

/// Beats until stopped. Cancellation falls between two beats.
async fn beat(life: Arc<Life>) {
    let period = life.config.heartbeat_period.max(Duration::from_millis(1));
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    let mut last_ms = life.gossip.now_ms();
    let mut steady_since_ms = last_ms;
    loop {
        tokio::select! {
            () = life.stop.cancelled() => return,
            _ = ticks.tick() => life.beat(),
        }
        // Who has been stopped itself (a paused process, a suspended machine) saw nobody beat meanwhile: it
        // judges others only after it has been awake for as long as they must be silent.
        let now_ms = life.gossip.now_ms();
        if now_ms.saturating_sub(last_ms) > 3 * period.as_millis() as u64 {
            steady_since_ms = now_ms;
        }
        last_ms = now_ms;
        if let Some(rule) = &life.config.auto_forget
            && now_ms.saturating_sub(steady_since_ms) > rule.silent_for.as_millis() as u64
        {
            life.forget_others(rule);
        }
    }
}

async fn load_token(config: &LifecyclerConfig) -> Result<Option<u32>, LifecyclerError> {
    let Some(path) = config.tokens_file.clone() else { return Ok(None) };
    let loaded = tokio::task::spawn_blocking(move || token_store::load(&path)).await;
    loaded.expect("loading does not panic").map_err(|e| LifecyclerError::Token(e.to_string()))
}

async fn store_token(config: &LifecyclerConfig, token: u32) -> Result<(), LifecyclerError> {
    let Some(path) = config.tokens_file.clone() else { return Ok(()) };
    let stored = tokio::task::spawn_blocking(move || token_store::store(&path, token)).await;
    stored.expect("storing does not panic").map_err(|e| LifecyclerError::Token(e.to_string()))
}
