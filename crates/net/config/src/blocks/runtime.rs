//! `runtime_config`: the file with the limits of tenants that differ.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use skald_limits::Period;

/// The overrides file; its format is described in [`crate::overrides`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RuntimeConfig {
    /// Default empty: no tenant differs.
    pub file: PathBuf,
    /// Default `10s`. How soon a changed file takes effect.
    pub period: Period,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self { file: PathBuf::new(), period: Period::secs(10) }
    }
}
