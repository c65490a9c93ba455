//! `frontend`, `query_range` and `query_scheduler`: the read path before the queriers.

use serde::{Deserialize, Serialize};
use skald_limits::Period;

/// The API of the read path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FrontendConfig {
    /// Default `true`. Off: responses are never gzipped.
    pub compress_responses: bool,
    /// Default `0s`: none. Queries that take longer are logged as slow.
    pub log_queries_longer_than: Period,
    /// Default empty: schedulers are found in the ring. `host:port` of the schedulers, which frontends
    /// send queries to and queriers take them from.
    pub scheduler_address: String,
}

impl Default for FrontendConfig {
    fn default() -> Self {
        Self { compress_responses: true, log_queries_longer_than: Period::ZERO, scheduler_address: String::new() }
    }
}

/// Splitting and the results cache.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueryRangeConfig {
    /// Default `false`. On: start and end are moved to multiples of the step, so that dashboards that
    /// reload hit the cache more often and graphs do not shimmer.
    pub align_queries_with_step: bool,
    /// Default `false` (`true` without a configuration file). On: results of metric queries are kept
    /// in `cache`; an answer is used only while nothing was added to its windows.
    pub cache_results: bool,
    /// Default `5`. How often a part of a query that failed with 5xx is tried again.
    pub max_retries: u32,
}

impl Default for QueryRangeConfig {
    fn default() -> Self {
        Self { align_queries_with_step: false, cache_results: false, max_retries: 5 }
    }
}

/// Queues between frontends and queriers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct QuerySchedulerConfig {
    /// Default `32000` query parts of one tenant. Beyond it queries get 429.
    pub max_outstanding_requests_per_tenant: u32,
}

impl Default for QuerySchedulerConfig {
    fn default() -> Self {
        Self { max_outstanding_requests_per_tenant: 32_000 }
    }
}
