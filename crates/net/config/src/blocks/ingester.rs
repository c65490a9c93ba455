//! `ingester`: the write-ahead log, the memtable and its flushes, joining and leaving.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use skald_limits::{ByteSize, Period};

/// The write-ahead log, the memtable and its flushes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IngesterConfig {
    /// Joining and leaving the ring.
    pub lifecycler: LifecyclerConfig,
    /// Durability before the flush.
    pub wal: WalConfig,
    /// Default `64MB` of rows. Larger: fewer objects, more memory, longer replay.
    pub memtable_size: ByteSize,
    /// Default `5m`. Rows reach the object store at most this long after they came, plus the upload.
    pub memtable_age: Period,
}

impl Default for IngesterConfig {
    fn default() -> Self {
        Self {
            lifecycler: LifecyclerConfig::default(),
            wal: WalConfig::default(),
            memtable_size: ByteSize::mib(64),
            memtable_age: Period::minutes(5),
        }
    }
}

/// Joining and leaving the ring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LifecyclerConfig {
    /// Default `15s` (`0s` without a configuration file). How long an ingester must be active before
    /// `/ready` says so; spaces rolling updates.
    pub min_ready_duration: Period,
    /// Default `true`. Off: an ingester that stops keeps its place in the ring, so that a restart moves nothing.
    pub unregister_on_shutdown: bool,
    /// Default `tokens` in the log's directory. Where the ring tokens are kept over restarts.
    pub tokens_file_path: PathBuf,
    /// Default empty. The zone of this process, for `common.ring.zone_awareness_enabled`.
    pub availability_zone: String,
}

impl Default for LifecyclerConfig {
    fn default() -> Self {
        Self {
            min_ready_duration: Period::secs(15),
            unregister_on_shutdown: true,
            tokens_file_path: PathBuf::new(),
            availability_zone: String::new(),
        }
    }
}

/// The write-ahead log. It is always on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WalConfig {
    /// Default `wal` below `common.path_prefix`.
    pub dir: PathBuf,
    /// Default `true`: a push is acknowledged only after fdatasync. Off: a power cut may lose the last
    /// seconds of what was acknowledged.
    pub fsync: bool,
    /// Default `256MB` of rows. Replay after a crash flushes whenever it holds more than this.
    pub replay_memory_ceiling: ByteSize,
    /// Default `0.9` of the file system. Beyond it pushes are refused, so that flushes can still finish.
    pub disk_full_threshold: f64,
}

impl Default for WalConfig {
    fn default() -> Self {
        Self { dir: PathBuf::new(), fsync: true, replay_memory_ceiling: ByteSize::mib(256), disk_full_threshold: 0.9 }
    }
}
