//! `distributor` and `ingester_client`: the way of a push to the ingesters.

use serde::{Deserialize, Serialize};
use skald_limits::{ByteSize, Period};

/// Pushes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DistributorConfig {
    /// Default `100MB`, before and after decompression. Larger push bodies get 413.
    pub max_recv_msg_size: ByteSize,
}

impl Default for DistributorConfig {
    fn default() -> Self {
        Self { max_recv_msg_size: ByteSize::mib(100) }
    }
}

/// Calls to ingesters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IngesterClientConfig {
    /// Default `5s`. After this long an ingester counts as failed for this push.
    pub remote_timeout: Period,
}

impl Default for IngesterClientConfig {
    fn default() -> Self {
        Self { remote_timeout: Period::secs(5) }
    }
}
