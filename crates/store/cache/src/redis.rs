//! The shared tier: Redis, alone, behind Sentinel, or as a cluster.
//!
//! A cache must not make anything slower than it was without one. So reads give up after a short
//! time; a server that fails or stalls a few times in a row is not asked again until a task in the
//! background has reached it (`connection`); and writes go through a bounded queue into which they
//! fit or are dropped (`writer`). Values lie behind a checksum, so what is damaged or foreign is a
//! miss.

mod connection;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Cache, CacheStats, envelope};
use connection::Link;
use writer::Writer;

/// Keys in one MGET: enough to save round trips, few enough that other answers on the same
/// connection need not wait for megabytes.
const KEYS_PER_REQUEST_MAX: usize = 64;

/// Which servers to use. Addresses are URLs: `redis://[user:password@]host:port[/db]`, or
/// `rediss://` for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisServers {
    /// One server.
    Single {
        /// Its URL.
        url: String,
    },
    /// Whichever server Sentinel calls the master.
    Sentinel {
        /// URLs of the sentinels.
        urls: Vec<String>,
        /// The name under which they watch the master.
        master: String,
    },
    /// A cluster.
    Cluster {
        /// URLs of some of its nodes.
        urls: Vec<String>,
    },
}

/// Settings of a [`RedisCache`].
#[derive(Clone, PartialEq, Eq)]
pub struct RedisConfig {
    /// Where it runs.
    pub servers: RedisServers,
    /// User for the data servers, if the URL does not say.
    pub username: Option<String>,
    /// Password for the data servers, if the URL does not say.
    pub password: Option<String>,
    /// Prepended to every key, for servers shared with others.
    pub key_prefix: String,
    /// Age at which the server forgets an entry. Longer keeps more; the server's own memory limit
    /// and eviction policy still rule.
    pub ttl: Duration,
    /// A read that takes longer is a miss. Longer than the bucket would take makes no sense.
    pub get_timeout: Duration,
    /// A write that takes longer has failed. Nobody waits for it.
    pub put_timeout: Duration,
    /// Larger values are not sent: they would delay the answers behind them.
    pub value_bytes_max: usize,
}

impl RedisConfig {
    /// The defaults for these servers.
    pub fn new(servers: RedisServers) -> RedisConfig {
        RedisConfig {
            servers,
            username: None,
            password: None,
            key_prefix: "skald/".to_owned(),
            ttl: Duration::from_secs(24 * 60 * 60),
            get_timeout: Duration::from_millis(100),
            put_timeout: Duration::from_millis(500),
            value_bytes_max: 2 << 20,
        }
    }
}

impl std::fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without `servers` and `password`: URLs may hold passwords too.
        f.debug_struct("RedisConfig")
            .field("username", &self.username)
            .field("key_prefix", &self.key_prefix)
            .field("ttl", &self.ttl)
            .field("get_timeout", &self.get_timeout)
            .field("put_timeout", &self.put_timeout)
            .field("value_bytes_max", &self.value_bytes_max)
            .finish_non_exhaustive()
    }
}

/// The configuration cannot be used, whether or not the server is up.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("invalid Redis configuration: {reason}")]
pub struct RedisError {
    reason: String,
}

/// A cache in Redis. Dropping it ends its background tasks.
pub struct RedisCache {
    link: Arc<Link>,
    writer: Writer,
    config: RedisConfig,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    hit_bytes: AtomicU64,
    puts: AtomicU64,
    drops: AtomicU64,
    errors: AtomicU64,
}

fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Ordering::Relaxed);
}

impl RedisCache {
    /// Starts the cache on the current Tokio runtime. The server need not be up: until it is
    /// reached everything is a miss.
    pub fn start(config: RedisConfig) -> Result<RedisCache, RedisError> {
        // Fails only if another provider was installed first, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let link = Link::start(&config).map_err(|e| RedisError { reason: e.to_string() })?;
        let counters = Arc::new(Counters::default());
        let writer = Writer::start(link.clone(), &config, counters.clone());
        Ok(RedisCache { link, writer, config, counters })
    }

    /// Whether the server is being asked at the moment.
    pub fn is_up(&self) -> bool {
        self.link.is_up()
    }

    /// Waits until the server is being asked.
    pub async fn wait_up(&self) {
        self.link.wait_up().await;
    }

    /// Waits until the queue of writes is empty, or `timeout` has passed: what tests and a clean
    /// shutdown want.
    pub async fn drain(&self, timeout: Duration) {
        self.writer.drain(timeout).await;
    }

    async fn lookup(&self, keys: &[String]) -> Option<Vec<Option<Bytes>>> {
        let mut command = redis::cmd("MGET");
        for key in keys {
            command.arg(format!("{}{key}", self.config.key_prefix));
        }
        let answer = self.link.query::<Vec<Option<Vec<u8>>>>(&command, self.config.get_timeout).await?;
        let answer = answer.ok().filter(|values| values.len() == keys.len());
        if answer.is_none() {
            add(&self.counters.errors, 1);
        }
        Some(answer?.into_iter().zip(keys).map(|(sealed, key)| self.open(key, sealed?)).collect())
    }

    fn open(&self, key: &str, sealed: Vec<u8>) -> Option<Bytes> {
        let value = envelope::open(key, &sealed.into());
        if value.is_none() {
            add(&self.counters.errors, 1);
        }
        value
    }
}

#[async_trait]
impl Cache for RedisCache {
    async fn get(&self, key: &str) -> Option<Bytes> {
        self.get_many(&[key.to_owned()]).await.pop().flatten()
    }

    async fn get_many(&self, keys: &[String]) -> Vec<Option<Bytes>> {
        let requests = keys.chunks(KEYS_PER_REQUEST_MAX).map(|chunk| async {
            let values = self.lookup(chunk).await;
            values.unwrap_or_else(|| vec![None; chunk.len()])
        });
        let values: Vec<Option<Bytes>> = futures::future::join_all(requests).await.into_iter().flatten().collect();
        let hits = values.iter().flatten().count();
        add(&self.counters.hits, hits);
        add(&self.counters.misses, values.len() - hits);
        add(&self.counters.hit_bytes, values.iter().flatten().map(Bytes::len).sum());
        values
    }

    async fn put(&self, key: &str, value: Bytes) {
        let accepted =
            value.len() <= self.config.value_bytes_max && self.link.is_up() && self.writer.enqueue(key, value);
        add(if accepted { &self.counters.puts } else { &self.counters.drops }, 1);
    }

    fn stats(&self) -> Vec<CacheStats> {
        let c = &self.counters;
        vec![CacheStats {
            tier: "redis",
            hits: c.hits.load(Ordering::Relaxed),
            misses: c.misses.load(Ordering::Relaxed),
            hit_bytes: c.hit_bytes.load(Ordering::Relaxed),
            puts: c.puts.load(Ordering::Relaxed),
            drops: c.drops.load(Ordering::Relaxed),
            errors: c.errors.load(Ordering::Relaxed),
            held_bytes: self.writer.queued_bytes(),
        }]
    }
}

#[cfg(test)]
mod tests;
