//! `memberlist`: gossip between the processes of a cluster.

use serde::{Deserialize, Serialize};
use skald_limits::Period;

/// Gossip. It is on as soon as `join_members` names anybody; a single process needs none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemberlistConfig {
    /// Default empty: every interface.
    pub bind_addr: String,
    /// Default `7946`, TCP. `0`: any free port.
    pub bind_port: u16,
    /// Default empty: `common.instance_addr`. The address others gossip to.
    pub advertise_addr: String,
    /// Default none. Addresses, host names, or `dns+name:port`; names are resolved again on every rejoin.
    pub join_members: Vec<String>,
    /// Default `200ms`. Shorter: news travel faster, more packets.
    pub gossip_interval: Period,
    /// Default empty. Only members with the same label talk to one another: set it where two clusters
    /// share a network.
    pub cluster_label: String,
}

impl Default for MemberlistConfig {
    fn default() -> Self {
        Self {
            bind_addr: String::new(),
            bind_port: 7946,
            advertise_addr: String::new(),
            join_members: Vec::new(),
            gossip_interval: Period::millis(200),
            cluster_label: String::new(),
        }
    }
}
