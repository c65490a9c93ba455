//! The ingester as a whole: start, loops, stop, and what it does for others.
//!
//! Start: lock and read the log, register (PENDING), replay, open the log for writing, take the place
//! in the ring. Stop: refuse pushes and wait for those under way, flush, leave the ring with the end
//! of the log, close the log. What a stop cannot flush stays in the log for the next start.

use std::{
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use skald_blob::BlobStore;
use skald_catalog::{Catalog, SHARD_ZERO};
use skald_config::LimitsHandle;
use skald_disk::Disk;
use skald_gossip::{Gossip, Lifecycler, LifecyclerConfig, LifecyclerError};
use skald_model::{CommitVector, LogPosition};
use skald_ring::{INGESTER_RING, RingConfig};
use skald_wal::{SyncMode, Wal, WalDir, WalError, WalOptions};
use skald_wire::{
    RpcError,
    api::{IngesterApi, RpcStream},
    pb,
};
use tokio::{
    sync::{OwnedSemaphorePermit, RwLock, Semaphore},
    task::JoinHandle,
    time::{MissedTickBehavior, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    dedup::Pushes,
    flush::{Flusher, blocking, new_writer},
    gateways::{self, Gateways},
    http,
    metrics::{Metrics, Sizes},
    push::push,
    read::{self, Wanted},
    replay::replay,
    settings::{Clock, DiskUsage, Entropy, Settings},
    streams::Streams,
    tables::{TableOwner, Tables},
    tail::Tails,
};

/// Bytes at which a new file of the log is begun: replay reads files whole.
const WAL_FILE_BYTES: u64 = 16 << 20;
/// Encoded bytes of pushes under way; a larger push comes alone. More would only wait for the log.
const PUSH_BYTES_MAX: usize = 64 << 20;
/// How long a push waits for memory before it is refused: shorter than a distributor's patience.
const PUSH_WAIT: Duration = Duration::from_secs(4);
/// Queries that read at a time; others wait.
const QUERIES_MAX: usize = 32;
/// Ticks between two looks for idle streams and tails, which walk over all of them.
const TICKS_PER_SWEEP: u32 = 30;

/// What an ingester is made of.
pub struct IngesterParts<'a> {
    /// How it works.
    pub settings: Settings,
    /// Where the log lies.
    pub disk: Arc<dyn Disk>,
    /// Where encoded memtables lie; the object store reads them there, so it is the machine's disk
    /// unless a test injects faults.
    pub flush_disk: Arc<dyn Disk>,
    /// The bucket.
    pub store: Arc<dyn BlobStore>,
    /// Limits per tenant.
    pub limits: LimitsHandle,
    /// The ring's state.
    pub gossip: Gossip,
    /// Its place in the ring; the writer id is filled in.
    pub lifecycler: LifecyclerConfig,
    /// What makes the ring.
    pub ring: RingConfig,
    /// Who hears of commits.
    pub gateways: Gateways,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub entropy: Entropy,
    /// How full the log's disk is.
    pub disk_usage: DiskUsage,
    /// Cancelled when `/ingester/shutdown` asks for the end of the process.
    pub terminate: CancellationToken,
    /// Where its metrics go.
    pub registry: &'a mut Registry,
}

/// Why an ingester does not start.
#[derive(Debug, thiserror::Error)]
pub enum IngesterError {
    /// The log cannot be used.
    #[error(transparent)]
    Wal(#[from] WalError),
    /// The ring cannot be joined.
    #[error(transparent)]
    Lifecycler(#[from] LifecyclerError),
    /// The disk or the system refused something else.
    #[error("ingester: {0}")]
    Io(#[from] io::Error),
}

/// What the parts of an ingester share.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) tables: Arc<Tables>,
    pub(crate) dir: Arc<WalDir>,
    pub(crate) pushes: Pushes,
    pub(crate) streams: Streams,
    pub(crate) tails: Tails,
    pub(crate) limits: LimitsHandle,
    pub(crate) ring: RingConfig,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Clock,
    /// True while pushes are taken. Every push holds a read lock to its end.
    pub(crate) gate: RwLock<bool>,
    wal: OnceLock<Wal>,
    disk_full: AtomicBool,
    healthy: AtomicUsize,
    push_room: Semaphore,
    query_room: Arc<Semaphore>,
}

impl Shared {
    /// The log; not there before replay has ended.
    pub(crate) fn wal(&self) -> Result<&Wal, RpcError> {
        self.wal.get().ok_or_else(|| RpcError::Unavailable("ingester is starting".into()))
    }

    pub(crate) fn healthy_ingesters(&self) -> usize {
        self.healthy.load(Relaxed).max(1)
    }

    pub(crate) const fn file_bytes_max(&self) -> u64 {
        WAL_FILE_BYTES
    }

    /// Refuses while the disk is nearly full, so that flushes have room to make more.
    pub(crate) fn check_disk(&self) -> Result<(), RpcError> {
        match self.disk_full.load(Relaxed) {
            true => Err(RpcError::Unavailable("the disk of the write-ahead log is nearly full".into())),
            false => Ok(()),
        }
    }

    /// Waits until memory has room for a push of `bytes`; gives it back when dropped.
    pub(crate) async fn room_for(&self, bytes: usize) -> Result<impl Sized, RpcError> {
        let share = u32::try_from(bytes.clamp(1, PUSH_BYTES_MAX)).expect("PUSH_BYTES_MAX fits");
        let max = self.settings.frozen_bytes_max;
        let room = async {
            let permit = self.push_room.acquire_many(share).await;
            self.tables.until(|t| t.frozen_bytes() <= max).await;
            permit
        };
        match timeout(PUSH_WAIT, room).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(RpcError::Unavailable("ingester is shutting down".into())),
            Err(_) => Err(RpcError::Unavailable("ingester has no memory for more rows until some are flushed".into())),
        }
    }

    /// Waits for one of the places of queries.
    pub(crate) async fn query_room(&self) -> Result<OwnedSemaphorePermit, RpcError> {
        let permit = self.query_room.clone().acquire_owned().await;
        permit.map_err(|_| RpcError::Unavailable("ingester is shutting down".into()))
    }
}

/// How to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StopOptions {
    /// Bring everything into the bucket and leave the ring; else the log keeps it.
    pub(crate) flush: bool,
    /// Take another place in the ring next time.
    pub(crate) delete_token: bool,
}

/// A running ingester.
pub struct Ingester {
    shared: Arc<Shared>,
    lifecycler: Arc<Lifecycler>,
    gateways: Gateways,
    disk_usage: DiskUsage,
    gossip: Gossip,
    tokens_file: Option<std::path::PathBuf>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    stop: CancellationToken,
    stopping: AtomicBool,
    stopped: CancellationToken,
    terminate: CancellationToken,
    prepared: AtomicBool,
}

impl Ingester {
    /// Replays the log and takes the place in the ring.
    ///
    /// # Errors
    /// When the data directory is in use, cannot be read or written, or the ring refuses the instance.
    pub async fn start(parts: IngesterParts<'_>) -> Result<Arc<Self>, IngesterError> {
        let settings = parts.settings;
        let metrics = Metrics::register(parts.registry);
        let (disk, wal_dir, entropy) = (parts.disk.clone(), settings.wal_dir.clone(), parts.entropy.clone());
        let id = parts.lifecycler.id.clone();
        let recovered = blocking(move || WalDir::open(disk, &wal_dir, || new_writer(&id, &entropy), entropy())).await?;
        if recovered.manifest_lost {
            tracing::error!(
                "the manifest of the write-ahead log is lost, its rows are flushed again under a new writer id"
            );
            metrics.corruptions.inc();
        }
        let (disk, flush_dir, marker) = (parts.flush_disk.clone(), settings.flush_dir.clone(), settings.marker.clone());
        let prepared = blocking(move || -> io::Result<bool> {
            disk.create_dir_all(&flush_dir)?;
            for entry in disk.list(&flush_dir)? {
                disk.remove(&flush_dir.join(entry.name))?;
            }
            Ok(marker.exists())
        })
        .await?;

        let manifest = recovered.dir.manifest();
        let mut need: CommitVector = manifest.former.iter().cloned().collect();
        need.raise(&manifest.writer, manifest.committed);
        let shared = Arc::new(Shared {
            tables: Arc::new(Tables::new(need)),
            dir: recovered.dir.clone(),
            pushes: Pushes::default(),
            streams: Streams::default(),
            tails: Tails::new(metrics.clone()),
            limits: parts.limits,
            ring: parts.ring,
            metrics: metrics.clone(),
            clock: parts.clock.clone(),
            gate: RwLock::new(true),
            wal: OnceLock::new(),
            disk_full: AtomicBool::new(false),
            healthy: AtomicUsize::new(1),
            push_room: Semaphore::new(PUSH_BYTES_MAX),
            query_room: Arc::new(Semaphore::new(QUERIES_MAX)),
            settings,
        });
        parts.registry.register_collector(Box::new(Sizes(shared.clone())));
        let tokens_file = parts.lifecycler.tokens_file.clone();
        let config = LifecyclerConfig { writer: Some(manifest.writer), ..parts.lifecycler };
        let lifecycler = Arc::new(Lifecycler::start(parts.gossip.clone(), config).await?);
        lifecycler.set_last_seq(manifest.committed);
        let stop = CancellationToken::new();
        let flusher = Arc::new(Flusher {
            tables: shared.tables.clone(),
            dir: shared.dir.clone(),
            disk: parts.flush_disk,
            flush_dir: shared.settings.flush_dir.clone(),
            catalog: Catalog::new(parts.store, SHARD_ZERO),
            gateways: parts.gateways.clone(),
            gossip: parts.gossip.clone(),
            lifecycler: lifecycler.clone(),
            metrics: metrics.clone(),
            clock: parts.clock,
            entropy: parts.entropy,
            numbering: tokio::sync::Mutex::new(()),
            registered: Mutex::new(None),
            stop: stop.clone(),
        });
        let tasks = vec![tokio::spawn(flusher.clone().seal_loop()), tokio::spawn(flusher.upload_loop())];
        let ingester = Arc::new(Self {
            shared: shared.clone(),
            lifecycler,
            gateways: parts.gateways,
            disk_usage: parts.disk_usage,
            gossip: parts.gossip,
            tokens_file,
            tasks: Mutex::new(tasks),
            stop,
            stopping: AtomicBool::new(false),
            stopped: CancellationToken::new(),
            terminate: parts.terminate,
            prepared: AtomicBool::new(prepared),
        });

        let started_ns = (shared.clock)();
        metrics.replay_active.set(1);
        let replayed = replay(&shared, recovered).await;
        metrics.replay_active.set(0);
        let (active, replayed) = replayed.inspect_err(|_| ingester.stop.cancel())?;
        let millis = ((shared.clock)() - started_ns) / 1_000_000;
        metrics.replay_millis.set(millis);
        metrics.replayed_records.inc_by(replayed.report.records);
        metrics.corruptions.inc_by(replayed.report.skipped + replayed.malformed);
        if replayed.files > 0 {
            let report = replayed.report;
            tracing::info!(
                files = replayed.files,
                records = report.records,
                damaged_places = report.skipped,
                damaged_bytes = report.skipped_bytes,
                malformed_batches = replayed.malformed,
                torn_bytes = report.torn_bytes,
                millis,
                "replayed the write-ahead log"
            );
        }
        let options = WalOptions { sync: shared.settings.sync, file_bytes_max: WAL_FILE_BYTES };
        let owner = TableOwner::new(shared.tables.clone(), shared.settings.memtable_bytes);
        let wal = Wal::start(shared.dir.clone(), active, options, Box::new(owner))?;
        let _ = shared.wal.set(wal);
        ingester.look_around().await;
        ingester.tasks.lock().push(tokio::spawn(ingester.clone().tick_loop()));
        ingester.lifecycler.activate();
        Ok(ingester)
    }

    /// Its public routes.
    pub fn router(self: &Arc<Self>) -> axum::Router {
        http::router(self.clone())
    }

    /// Stops as configured: flushes and leaves the ring, or lets the log keep what is not flushed.
    /// Returns when it has stopped, also when somebody else has begun to stop it.
    pub async fn shutdown(&self) {
        let flush = self.shared.settings.unregister_on_shutdown || self.is_prepared();
        self.stop(StopOptions { flush, delete_token: false }).await;
    }

    /// Freezes the memtable being filled, so that it is flushed as soon as possible.
    pub async fn freeze(&self) {
        if let Ok(wal) = self.shared.wal() {
            // A closed log has nothing to freeze.
            let _ = wal.rotate().await;
        }
    }

    /// Freezes what there is and waits until everything is committed.
    pub async fn flush(&self) {
        self.freeze().await;
        self.shared.tables.until(|t| t.frozen().is_empty()).await;
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    pub(crate) fn is_prepared(&self) -> bool {
        self.prepared.load(Relaxed)
    }

    pub(crate) fn terminate(&self) {
        self.terminate.cancel();
    }

    /// Sets or removes the mark by which the next stop flushes and leaves; it outlives a restart.
    pub(crate) async fn set_prepared(&self, prepared: bool) -> io::Result<()> {
        let marker = self.shared.settings.marker.clone();
        let done = blocking(move || match prepared {
            true => std::fs::write(marker, b"the next stop flushes and leaves the ring\n"),
            false => match std::fs::remove_file(marker) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
                _ => Ok(()),
            },
        });
        done.await?;
        self.prepared.store(prepared, Relaxed);
        Ok(())
    }

    pub(crate) async fn stop(&self, options: StopOptions) {
        if self.stopping.swap(true, Relaxed) {
            self.stopped.cancelled().await;
            return;
        }
        *self.shared.gate.write().await = false;
        self.shared.tails.close();
        let wait = self.shared.settings.shutdown_wait;
        let mut flushed = true;
        if options.flush {
            self.lifecycler.leaving(self.shared.dir.manifest().committed);
            flushed = timeout(wait, self.flush()).await.is_ok();
        }
        let manifest = self.shared.dir.manifest();
        if flushed {
            let end = LogPosition { writer: manifest.writer, seq: manifest.committed };
            if options.flush {
                self.lifecycler.leaving(end.seq);
                if end.seq > 0 && timeout(wait, gateways::until_seen(&self.gateways, &end)).await.is_err() {
                    tracing::warn!(seq = end.seq, "stops before an index gateway has confirmed the last flush");
                }
            }
            self.lifecycler.leave(end.seq).await;
        } else {
            // LEFT would say that the bucket has everything.
            tracing::error!(
                "stops before everything is flushed; the write-ahead log keeps the rest for the next start"
            );
        }
        if let Ok(wal) = self.shared.wal() {
            wal.close().await;
        }
        self.shared.query_room.close();
        self.stop.cancel();
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            // An error means that the task panicked, which the runtime has reported.
            let _ = task.await;
        }
        // Nothing writes any more; a successor in this process may begin.
        self.shared.dir.unlock();
        if options.delete_token
            && let Some(file) = self.tokens_file.clone()
            && let Err(error) = blocking(move || std::fs::remove_file(file)).await
        {
            tracing::warn!(%error, "cannot remove the token file");
        }
        if flushed && self.is_prepared() {
            // The mark was for this stop.
            let _ = self.set_prepared(false).await;
        }
        self.stopped.cancel();
    }

    /// Looks at everything that changes with time. Cancellation falls between two looks.
    async fn tick_loop(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(self.shared.settings.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut count = 0u32;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            self.look_around().await;
            let now_ns = (self.shared.clock)();
            let age = i64::try_from(self.shared.settings.memtable_age.as_nanos()).unwrap_or(i64::MAX);
            let old =
                self.shared.tables.active().first_insert_ns().is_some_and(|first| now_ns.saturating_sub(first) >= age);
            if old {
                self.freeze().await;
            }
            if self.shared.settings.sync == SyncMode::Interval
                && let Ok(wal) = self.shared.wal()
            {
                wal.sync().await;
            }
            if count.is_multiple_of(TICKS_PER_SWEEP) {
                self.sweep(now_ns).await;
            }
            count = count.wrapping_add(1);
        }
    }

    /// The ring's size and the disk.
    async fn look_around(&self) {
        self.shared.healthy.store(self.gossip.view(INGESTER_RING, &self.shared.ring).healthy_count(), Relaxed);
        let usage = self.disk_usage.clone();
        let Some(used) = blocking(move || usage()).await else { return };
        self.shared.metrics.disk_usage_percent.set((used * 100.0) as i64);
        let full = used >= self.shared.settings.disk_full_threshold;
        if full != self.shared.disk_full.swap(full, Relaxed) {
            match full {
                true => tracing::error!(used, "the disk is nearly full, pushes are refused"),
                false => tracing::info!(used, "the disk has room again, pushes are taken"),
            }
        }
    }

    /// Idle streams and listeners that have gone.
    async fn sweep(&self, now_ns: i64) {
        self.shared.tails.sweep();
        let idle = i64::try_from(self.shared.settings.stream_idle.as_nanos()).unwrap_or(i64::MAX);
        let shared = self.shared.clone();
        blocking(move || {
            for (tenant, removed, left) in shared.streams.expire(now_ns.saturating_sub(idle)) {
                let label = tenant.as_str().into();
                shared.metrics.streams.get_or_create(&label).set(i64::try_from(left).unwrap_or(i64::MAX));
                shared.metrics.streams_removed.get_or_create(&label).inc_by(removed);
            }
        })
        .await;
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

#[async_trait]
impl IngesterApi for Ingester {
    async fn push(&self, request: pb::PushBatches) -> Result<pb::PushOutcome, RpcError> {
        push(&self.shared, request).await
    }

    async fn query(&self, request: pb::QueryRows) -> Result<RpcStream<pb::QueryRowsPart>, RpcError> {
        read::query(&self.shared, request).await
    }

    async fn streams(&self, request: pb::Selection) -> Result<pb::StreamsAnswer, RpcError> {
        let wanted = Wanted::parse(&request)?;
        let _room = self.shared.query_room().await?;
        let snapshot = self.shared.tables.snapshot();
        let need = (&snapshot.need).into();
        let streams = blocking(move || read::streams(&snapshot, &wanted)).await;
        let streams = streams.map_err(|e| RpcError::Internal(e.to_string()))?;
        Ok(pb::StreamsAnswer { need: Some(need), streams })
    }

    async fn bounds(&self, request: pb::BoundsRequest) -> Result<pb::BoundsAnswer, RpcError> {
        let snapshot = self.shared.tables.snapshot();
        let bounds = read::bounds(&snapshot, &request.tenant);
        let (min_ns, max_ns) = bounds.map_or((0, 0), |(min, max)| (min.0, max.0));
        Ok(pb::BoundsAnswer { need: Some((&snapshot.need).into()), any: bounds.is_some(), min_ns, max_ns })
    }

    async fn tail(&self, request: pb::TailRequest) -> Result<RpcStream<pb::TailPart>, RpcError> {
        self.shared.tails.listen(&request)
    }
}
