//! From settings to a bucket and to caches.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use skald_blob::{BlobStore, S3Config, StoreConfig};
use skald_cache::{Cache, MemoryCache, MemoryConfig, RedisCache, RedisConfig, RedisServers, TieredCache};
use skald_config::{Backend, CacheConfig, Config};

/// Opens the bucket. Touches the disk for a filesystem store, so call it off the runtime's threads.
pub(crate) fn bucket(config: &Config) -> Result<Arc<dyn BlobStore>> {
    let storage = &config.storage_config;
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let store = match storage.backend {
        Backend::Filesystem | Backend::Auto => {
            StoreConfig::Filesystem { directory: storage.filesystem.directory.clone() }
        }
        Backend::InMemory => StoreConfig::Memory,
        Backend::S3 => {
            let s3 = &storage.s3;
            let endpoint = given(&s3.endpoint).map(|endpoint| match endpoint.contains("://") {
                true => endpoint,
                false if s3.insecure => format!("http://{endpoint}"),
                false => format!("https://{endpoint}"),
            });
            let allow_http = s3.insecure || endpoint.as_ref().is_some_and(|e| e.starts_with("http://"));
            StoreConfig::S3(S3Config {
                bucket: s3.bucketnames.first().cloned().unwrap_or_default(),
                endpoint,
                region: given(&s3.region),
                access_key_id: given(&s3.access_key_id),
                secret_access_key: given(s3.secret_access_key.reveal()),
                session_token: None,
                path_style: s3.s3forcepathstyle,
                allow_http,
            })
        }
        Backend::Gcs | Backend::Azure => {
            bail!("this program was built without this object store; build it with the feature `gcs` or `azure`")
        }
    };
    skald_blob::open(&store).context("object store")
}

/// The cache in tiers, near to far.
pub(crate) fn cache(config: &CacheConfig) -> Result<Arc<dyn Cache>> {
    let mut tiers: Vec<Arc<dyn Cache>> = Vec::new();
    if config.memory_size.0 > 0 {
        let memory = MemoryConfig { bytes_max: config.memory_size.0, ..MemoryConfig::default() };
        tiers.push(Arc::new(MemoryCache::new(memory)));
    }
    if let Some(redis) = redis(config)? {
        tiers.push(Arc::new(redis));
    }
    Ok(Arc::new(TieredCache::new(tiers)))
}

fn redis(config: &CacheConfig) -> Result<Option<RedisCache>> {
    let redis = &config.redis;
    let scheme = if redis.tls_enabled { "rediss" } else { "redis" };
    let suffix = if redis.db == 0 { String::new() } else { format!("/{}", redis.db) };
    let endpoints = redis.endpoint.iter().filter(|e| !e.is_empty());
    let urls: Vec<String> = endpoints.map(|endpoint| format!("{scheme}://{endpoint}{suffix}")).collect();
    let servers = match (urls.as_slice(), redis.master_name.as_str()) {
        ([], _) => return Ok(None),
        ([url], "") => RedisServers::Single { url: url.clone() },
        (_, "") => RedisServers::Cluster { urls },
        (_, master) => RedisServers::Sentinel { master: master.to_owned(), urls },
    };
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let settings = RedisConfig {
        username: given(&redis.username),
        password: given(redis.password.reveal()),
        ttl: redis.expiration.0,
        get_timeout: redis.timeout.0,
        ..RedisConfig::new(servers)
    };
    Ok(Some(RedisCache::start(settings).context("cache.redis")?))
}
