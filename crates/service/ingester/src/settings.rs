//! What an ingester can be told, and what it takes from outside instead of the machine: clock,
//! randomness, how full the disk is.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use skald_config::IngesterConfig;
use skald_wal::SyncMode;

/// Nanoseconds since the Unix epoch, asked anew at every call.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;
/// Random numbers: writer ids, flush ids, salts of the log's files.
pub type Entropy = Arc<dyn Fn() -> u64 + Send + Sync>;
/// How full the log's file system is, 0 to 1; `None` when nobody can tell.
pub type DiskUsage = Arc<dyn Fn() -> Option<f64> + Send + Sync>;

/// How an ingester works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the log lies; its files `writer` and `LOCK` as well.
    pub wal_dir: PathBuf,
    /// Where frozen memtables are encoded before their upload. Emptied at every start.
    pub flush_dir: PathBuf,
    /// The file whose presence makes the next stop flush and leave the ring.
    pub marker: PathBuf,
    /// When a push is acknowledged.
    pub sync: SyncMode,
    /// Bytes at which a memtable is frozen.
    pub memtable_bytes: u64,
    /// Age at which it is frozen.
    pub memtable_age: Duration,
    /// Bytes of memtables in memory beyond which replay and pushes wait for flushes.
    pub frozen_bytes_max: u64,
    /// Share of the file system beyond which pushes are refused.
    pub disk_full_threshold: f64,
    /// A stream without rows for so long does not count as active.
    pub stream_idle: Duration,
    /// How often ages, the disk and idle streams are looked at, and with [`SyncMode::Interval`] the log is synced.
    pub tick: Duration,
    /// True: a stop flushes everything and leaves the ring. False: the log keeps the rows, the ring the place.
    pub unregister_on_shutdown: bool,
    /// How long a stop waits for the last flush and then for the gateways. What is not flushed by then stays in the log.
    pub shutdown_wait: Duration,
}

impl Settings {
    /// From the `ingester` block, with the log in `wal_dir`.
    pub fn from_config(config: &IngesterConfig, wal_dir: &Path) -> Self {
        let age = config.memtable_age.0;
        let parent = wal_dir.parent().unwrap_or(wal_dir);
        Self {
            wal_dir: wal_dir.to_path_buf(),
            flush_dir: wal_dir.join("flush"),
            marker: parent.join("shutdown-requested.txt"),
            sync: if config.wal.fsync { SyncMode::Always } else { SyncMode::Interval },
            memtable_bytes: config.memtable_size.bytes().max(1),
            memtable_age: age,
            frozen_bytes_max: config.wal.replay_memory_ceiling.bytes(),
            disk_full_threshold: config.wal.disk_full_threshold,
            stream_idle: Duration::from_secs(30 * 60),
            tick: (age / 8).clamp(Duration::from_millis(20), Duration::from_secs(1)),
            unregister_on_shutdown: config.lifecycler.unregister_on_shutdown,
            shutdown_wait: Duration::from_secs(20),
        }
    }
}

/// How full the file system of `dir` is, as unprivileged processes see it.
pub fn disk_usage_of(dir: PathBuf) -> DiskUsage {
    Arc::new(move || {
        let stat = rustix::fs::statvfs(&dir).ok()?;
        let free = stat.f_bavail as f64 / (stat.f_blocks.max(1)) as f64;
        Some(1.0 - free)
    })
}
