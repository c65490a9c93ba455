//! Settings of the compactor.

use std::time::Duration;

use skald_catalog::FoldPolicy;

/// How a compactor works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactorConfig {
    /// When and how much to fold.
    pub policy: FoldPolicy,
    /// How often it looks at the root and past the end of each log (one GET per writer each time).
    /// Should be a fraction of the policy's fold age.
    pub interval: Duration,
    /// How often it lists the registered writers, to find those that gossip never told of.
    pub writers_probe: Duration,
    /// How long superseded roots and what only they name are kept. Must be equal everywhere.
    pub grace: Duration,
    /// The log of a writer that has been out of the ring and silent for this long is sealed. Too short
    /// costs a writer that returns a new log; too long makes every compactor ask for its next object.
    pub seal_after: Duration,
}

impl Default for CompactorConfig {
    fn default() -> Self {
        Self {
            policy: FoldPolicy::default(),
            interval: Duration::from_secs(30),
            writers_probe: Duration::from_secs(600),
            grace: Duration::from_secs(24 * 3600),
            seal_after: Duration::from_secs(3600),
        }
    }
}
