//! Byte caches in tiers: what was read from the bucket once is found nearer the next time.
//!
//! A cache may forget anything at any time, and never fails: whatever goes wrong in it is a miss
//! and a counter. Nothing here knows what values mean.
//!
//! **Keys** name the tenant and the immutable thing, in this order: `<kind>/<tenant>/<object>/<part>`,
//! as [`cache_key`] builds them. Two tenants therefore never share an entry, whatever their names
//! contain, and an entry never goes stale, since what it names never changes. What does change
//! (query results) carries the version of what it was computed from in the key or the value.
#![cfg_attr(test, allow(clippy::unwrap_used))] // a test that panics has failed, which is what it is for

mod envelope;
mod memory;
mod read_through;
mod redis;
mod tiered;

use async_trait::async_trait;
use bytes::Bytes;

pub use memory::{MemoryCache, MemoryConfig};
pub use read_through::ReadThrough;
pub use redis::{RedisCache, RedisConfig, RedisError, RedisServers};
pub use tiered::TieredCache;

/// A place that may remember.
#[async_trait]
pub trait Cache: Send + Sync + 'static {
    /// What was put under the key, if it is still known. Returns within a bounded, short time.
    async fn get(&self, key: &str) -> Option<Bytes>;

    /// As `get` for several keys, in their order, with fewer round trips.
    async fn get_many(&self, keys: &[String]) -> Vec<Option<Bytes>>;

    /// Remembers a value, perhaps, and perhaps only a moment later. Never waits for a network.
    async fn put(&self, key: &str, value: Bytes);

    /// Counts since the start, one element a tier, nearest first.
    fn stats(&self) -> Vec<CacheStats>;
}

/// Counts of one tier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Which tier: `memory` or `redis`.
    pub tier: &'static str,
    /// Keys asked for and found.
    pub hits: u64,
    /// Keys asked for and not found, for whatever reason.
    pub misses: u64,
    /// Bytes of values found.
    pub hit_bytes: u64,
    /// Values accepted.
    pub puts: u64,
    /// Values not accepted: too large, queue full, server down.
    pub drops: u64,
    /// Failed requests, and values that were not what was put.
    pub errors: u64,
    /// Bytes held in this process.
    pub held_bytes: u64,
}

/// Builds a key; see the crate's documentation. Parts are escaped, so that no tenant's name can
/// imitate another key.
pub fn cache_key(kind: &str, tenant: &str, object: &str, part: &str) -> String {
    let mut key = String::with_capacity(kind.len() + tenant.len() + object.len() + part.len() + 3);
    for (i, text) in [kind, tenant, object, part].into_iter().enumerate() {
        if i > 0 {
            key.push('/');
        }
        for c in text.chars() {
            match c {
                '%' => key.push_str("%25"),
                '/' => key.push_str("%2F"),
                c => key.push(c),
            }
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_injective() {
        let table = [
            ("page", "a", "b/c", "0-9", "page/a/b%2Fc/0-9"),
            ("page", "a/b", "c", "0-9", "page/a%2Fb/c/0-9"),
            ("page", "a%2Fb", "c", "0-9", "page/a%252Fb/c/0-9"),
            ("page", "", "", "", "page///"),
        ];
        for (kind, tenant, object, part, key) in table {
            assert_eq!(cache_key(kind, tenant, object, part), key);
        }
    }
}
