//! The cache suite for every tier; Redis has further tests beside its code.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use skald_cache::{MemoryCache, MemoryConfig, RedisCache, RedisConfig, RedisServers, TieredCache};
use skald_conformance::cache::cache_suite;

/// Only a failing test waits for so long.
const DRAIN: Duration = Duration::from_secs(30);

struct Redis(Child);

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn redis() -> (Redis, Arc<RedisCache>) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let process = Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &port.to_string()])
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed (Debian: apt-get install redis-server)");
    let servers = RedisServers::Single { url: format!("redis://127.0.0.1:{port}") };
    let cache = RedisCache::start(RedisConfig::new(servers)).unwrap();
    cache.wait_up().await;
    (Redis(process), Arc::new(cache))
}

#[tokio::test]
async fn cache_memory() {
    cache_suite(&MemoryCache::new(MemoryConfig::default()), async || {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cache_redis() {
    let (_process, cache) = redis().await;
    cache_suite(cache.as_ref(), async || cache.drain(DRAIN).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cache_tiers() {
    let (_process, redis) = redis().await;
    let memory = Arc::new(MemoryCache::new(MemoryConfig::default()));
    let tiers = TieredCache::new(vec![memory, redis.clone()]);
    cache_suite(&tiers, async || redis.drain(DRAIN).await).await;
}
