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
}

impl Default for QuerierConfig {
    fn default() -> Self {
        Self { max_concurrent: 4, tail_max_duration: Period::hours(1) }
    }
}
