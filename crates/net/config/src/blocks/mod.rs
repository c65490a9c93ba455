//! The configuration file as types: the root here, one file per block beside it.

mod cache;
mod common;
mod compactor;
mod distributor;
mod frontend;
mod ingester;
mod memberlist;
mod querier;
mod runtime;
mod server;
mod storage;
mod target;
mod tracing;

use serde::{Deserialize, Serialize};
use skald_limits::{Limits, Period};

pub use cache::{CacheConfig, RedisConfig};
pub use common::{CommonConfig, RingConfig};
pub use compactor::CompactorConfig;
pub use distributor::{DistributorConfig, IngesterClientConfig};
pub use frontend::{FrontendConfig, QueryRangeConfig, QuerySchedulerConfig};
pub use ingester::{IngesterConfig, LifecyclerConfig, WalConfig};
pub use memberlist::MemberlistConfig;
pub use querier::QuerierConfig;
pub use runtime::RuntimeConfig;
pub use server::{LogFormat, LogLevel, ServerConfig};
pub use storage::{AzureConfig, Backend, FilesystemConfig, GcsConfig, S3Config, StorageConfig};
pub use target::{Role, Target};
pub use tracing::TracingConfig;

/// The whole file. [`Default`] is what an empty file means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Default `all`. Which roles this process plays: a list, or names separated by commas.
    pub target: Vec<Target>,
    /// Default `true`. Off: every request belongs to `no_auth_tenant`, whatever its headers say.
    pub auth_enabled: bool,
    /// Default `fake`. The tenant of all requests while `auth_enabled` is off.
    pub no_auth_tenant: String,
    /// Ports, messages, logs.
    pub server: ServerConfig,
    /// What several components share.
    pub common: CommonConfig,
    /// Gossip between the processes of a cluster.
    pub memberlist: MemberlistConfig,
    /// Pushes.
    pub distributor: DistributorConfig,
    /// Calls from other services to ingesters.
    pub ingester_client: IngesterClientConfig,
    /// The write-ahead log, the memtable and its flushes.
    pub ingester: IngesterConfig,
    /// Execution of queries.
    pub querier: QuerierConfig,
    /// The API of the read path.
    pub frontend: FrontendConfig,
    /// Splitting, retries and the results cache.
    pub query_range: QueryRangeConfig,
    /// Queues between frontends and queriers.
    pub query_scheduler: QuerySchedulerConfig,
    /// The object store.
    pub storage_config: StorageConfig,
    /// Folding of flushed objects into segments.
    pub compactor: CompactorConfig,
    /// Caches of stored bytes and results.
    pub cache: CacheConfig,
    /// Limits of tenants that have none of their own.
    pub limits_config: Limits,
    /// The file with the limits of tenants that differ.
    pub runtime_config: RuntimeConfig,
    /// Export of traces.
    pub tracing: TracingConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            target: vec![Target::All],
            auth_enabled: true,
            no_auth_tenant: "fake".to_owned(),
            server: ServerConfig::default(),
            common: CommonConfig::default(),
            memberlist: MemberlistConfig::default(),
            distributor: DistributorConfig::default(),
            ingester_client: IngesterClientConfig::default(),
            ingester: IngesterConfig::default(),
            querier: QuerierConfig::default(),
            frontend: FrontendConfig::default(),
            query_range: QueryRangeConfig::default(),
            query_scheduler: QuerySchedulerConfig::default(),
            storage_config: StorageConfig::default(),
            compactor: CompactorConfig::default(),
            cache: CacheConfig::default(),
            limits_config: Limits::default(),
            runtime_config: RuntimeConfig::default(),
            tracing: TracingConfig::default(),
        }
    }
}

impl Config {
    /// What a start without any configuration file means: one process on one machine, everything
    /// below `./data`, no tenants, generous limits, ready as soon as it is up.
    pub fn unconfigured() -> Self {
        let mut config = Self { auth_enabled: false, limits_config: Limits::unconfigured(), ..Self::default() };
        config.common.replication_factor = 1;
        config.storage_config.backend = Backend::Filesystem;
        config.ingester.lifecycler.min_ready_duration = Period::ZERO;
        config.query_range.cache_results = true;
        config
    }

    /// The roles this process plays, `all` written out, each once.
    pub fn roles(&self) -> Vec<Role> {
        if self.target.contains(&Target::All) {
            return Role::ALL.to_vec();
        }
        Role::ALL.into_iter().filter(|role| self.target.contains(&Target::from(*role))).collect()
    }
}
