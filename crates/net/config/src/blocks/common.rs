//! `common`: what several components share, the ring among it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use skald_limits::Period;

/// What several components share. `common.storage` is `storage_config` under Loki's other name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CommonConfig {
    /// Default `data`. The directory below which everything is kept that has no path of its own:
    /// the write-ahead log in `wal`, the filesystem object store in `objects`.
    pub path_prefix: PathBuf,
    /// Default `3` (`1` without a configuration file). Ingesters that hold each line: 1, 3 or 5.
    /// 3 survives the loss of one, 5 of two.
    pub replication_factor: u32,
    /// Default empty: found from the network. The address under which others reach this process.
    pub instance_addr: String,
    /// The one ring all components share.
    pub ring: RingConfig,
}

impl Default for CommonConfig {
    fn default() -> Self {
        Self {
            path_prefix: PathBuf::from("data"),
            replication_factor: 3,
            instance_addr: String::new(),
            ring: RingConfig::default(),
        }
    }
}

/// Membership of services and placement of streams.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RingConfig {
    /// Default empty: the host name, or `skald` where there is none. Must differ between processes and
    /// stay the same over restarts.
    pub instance_id: String,
    /// Default `5s`. Shorter: failures are seen sooner, more gossip.
    pub heartbeat_period: Period,
    /// Default `1m`. After this long without a heartbeat a member counts as failed.
    pub heartbeat_timeout: Period,
    /// Default `false`. On: the replicas of a stream lie in different availability zones.
    pub zone_awareness_enabled: bool,
}

impl Default for RingConfig {
    fn default() -> Self {
        Self {
            instance_id: String::new(),
            heartbeat_period: Period::secs(5),
            heartbeat_timeout: Period::minutes(1),
            zone_awareness_enabled: false,
        }
    }
}
