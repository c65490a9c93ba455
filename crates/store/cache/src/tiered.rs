//! Several caches as one: asked from the nearest on, filled backwards.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Cache, CacheStats};

/// Tiers in the order in which they are asked.
pub struct TieredCache {
    tiers: Vec<Arc<dyn Cache>>,
}

impl TieredCache {
    /// Tiers, nearest first. None at all is a cache that knows nothing.
    pub fn new(tiers: Vec<Arc<dyn Cache>>) -> TieredCache {
        TieredCache { tiers }
    }
}

#[async_trait]
impl Cache for TieredCache {
    async fn get(&self, key: &str) -> Option<Bytes> {
        for (i, tier) in self.tiers.iter().enumerate() {
            if let Some(value) = tier.get(key).await {
                for nearer in &self.tiers[..i] {
                    nearer.put(key, value.clone()).await;
                }
                return Some(value);
            }
        }
        None
    }

    async fn get_many(&self, keys: &[String]) -> Vec<Option<Bytes>> {
        let mut found = vec![None; keys.len()];
        let mut missing: Vec<usize> = (0..keys.len()).collect();
        for (i, tier) in self.tiers.iter().enumerate() {
            if missing.is_empty() {
                break;
            }
            let wanted: Vec<String> = missing.iter().map(|&at| keys[at].clone()).collect();
            let mut still_missing = Vec::new();
            for (at, value) in missing.into_iter().zip(tier.get_many(&wanted).await) {
                match value {
                    Some(value) => {
                        for nearer in &self.tiers[..i] {
                            nearer.put(&keys[at], value.clone()).await;
                        }
                        found[at] = Some(value);
                    }
                    None => still_missing.push(at),
                }
            }
            missing = still_missing;
        }
        found
    }

    async fn put(&self, key: &str, value: Bytes) {
        for tier in &self.tiers {
            tier.put(key, value.clone()).await;
        }
    }

    fn stats(&self) -> Vec<CacheStats> {
        self.tiers.iter().flat_map(|tier| tier.stats()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryCache, MemoryConfig};

    #[tokio::test]
    async fn a_hit_below_fills_above() {
        let near = Arc::new(MemoryCache::new(MemoryConfig::default()));
        let far = Arc::new(MemoryCache::new(MemoryConfig::default()));
        let cache = TieredCache::new(vec![near.clone(), far.clone()]);
        let value = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
        far.put("a", value("1").unwrap()).await;
        far.put("b", value("2").unwrap()).await;
        near.put("c", value("3").unwrap()).await;
        assert_eq!(cache.get("a").await, value("1"));
        assert_eq!(near.get("a").await, value("1"));
        let keys = ["x", "c", "b", "a"].map(str::to_owned);
        assert_eq!(cache.get_many(&keys).await, [None, value("3"), value("2"), value("1")]);
        assert_eq!(near.get("b").await, value("2"));
        cache.put("d", value("4").unwrap()).await;
        assert_eq!((near.get("d").await, far.get("d").await), (value("4"), value("4")));
        assert_eq!(cache.stats().len(), 2);
        assert_eq!(TieredCache::new(Vec::new()).get("a").await, None);
    }
}
