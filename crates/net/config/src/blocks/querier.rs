//! `querier`: execution of queries.

use serde::{Deserialize, Serialize};
use skald_limits::Period;

/// Execution of queries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct QuerierConfig {
    /// Default `4`. Query parts at work at once in one querier; about two per core.
    pub max_concurrent: u32,
    /// Default `1h`. A live tail ends after this long; clients reconnect.
    pub tail_max_duration: Period,
    /// Default `false`. On: `X-Scope-OrgID: a|b` reads several tenants at once.
    pub multi_tenant_queries_enabled: bool,
    /// Evaluation.
    pub engine: EngineConfig,
}

impl Default for QuerierConfig {
    fn default() -> Self {
        Self {
            max_concurrent: 4,
            tail_max_duration: Period::hours(1),
            multi_tenant_queries_enabled: false,
            engine: EngineConfig::default(),
        }
    }
}

/// Evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EngineConfig {
    /// Default `30s`. How far an instant log query looks back.
    pub max_look_back_period: Period,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self { max_look_back_period: Period::secs(30) }
    }
}
