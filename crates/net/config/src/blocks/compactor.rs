//! `compactor`: folding of flushed objects into segments.

use serde::{Deserialize, Serialize};
use skald_limits::Period;

/// Folding of flushed objects into segments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CompactorConfig {
    /// Default `1m`. How often the log is looked at for something to fold. Longer: fewer objects
    /// written, replicas' copies stay longer.
    pub compaction_interval: Period,
}

impl Default for CompactorConfig {
    fn default() -> Self {
        Self { compaction_interval: Period::minutes(1) }
    }
}
