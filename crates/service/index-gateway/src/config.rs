//! Settings of the index gateway.

use std::time::Duration;

/// How an index gateway follows its shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayConfig {
    /// How often it looks for a newer root by itself. Pushes and gossip are faster; this heals a lost
    /// push, at one GET each time.
    pub root_probe: Duration,
    /// How often it looks past the end of every log by itself. Heals a lost push of an ingester that is
    /// gone, at one GET per writer each time.
    pub log_probe: Duration,
    /// How long superseded roots and what only they name are kept. Must be equal everywhere.
    pub grace: Duration,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            root_probe: Duration::from_secs(60),
            log_probe: Duration::from_secs(300),
            grace: Duration::from_secs(24 * 3600),
        }
    }
}
