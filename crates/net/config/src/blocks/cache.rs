//! `cache`: stored bytes and results, kept near: in memory, in Redis.

use serde::{Deserialize, Serialize};
use skald_limits::{ByteSize, Period};

use crate::Secret;

/// Tiers from near to far; each is asked only when the one before has nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CacheConfig {
    /// Default `64MB` for all kinds together. `0`: no memory tier.
    pub memory_size: ByteSize,
    /// Shared between processes.
    pub redis: RedisConfig,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { memory_size: ByteSize::mib(64), redis: RedisConfig::default() }
    }
}

/// Redis. A dead Redis costs hits, never errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RedisConfig {
    /// Default none: no Redis tier. One `host:port`; several mean a Redis Cluster, or Sentinels when
    /// `master_name` is set.
    pub endpoint: Vec<String>,
    /// Default empty. The name under which Sentinels know the master.
    pub master_name: String,
    /// Default `200ms`. A slower answer counts as a miss.
    pub timeout: Period,
    /// Default `1h`. How long Redis keeps an entry.
    pub expiration: Period,
    /// Default `0`. The database; clusters have only 0.
    pub db: u32,
    /// Default empty.
    pub username: String,
    /// Default empty.
    pub password: Secret,
    /// Default `false`.
    pub tls_enabled: bool,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            endpoint: Vec::new(),
            master_name: String::new(),
            timeout: Period::millis(200),
            expiration: Period::hours(1),
            db: 0,
            username: String::new(),
            password: Secret::default(),
            tls_enabled: false,
        }
    }
}
