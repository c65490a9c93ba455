//! How gossip is set up, with Loki's defaults.

use std::{net::SocketAddr, time::Duration};

/// Settings of the gossip of one process.
#[derive(Clone, Debug)]
pub struct GossipConfig {
    /// The stable part of this process's name among its peers, e.g. the host name. A random part is added per
    /// start, for a name must not come back under another address.
    pub instance: String,
    /// Where to listen, TCP and UDP.
    pub bind_addr: SocketAddr,
    /// Where peers reach it. `None`: the bind address, or if that is unspecified (0.0.0.0) the address from which
    /// the first join member is reached.
    pub advertise_addr: Option<SocketAddr>,
    /// Who to join: `host:port`, `host` (port 7946) or `dns+host:port`; a name stands for all its addresses. They
    /// are looked up again for every attempt. Empty: this process waits to be joined.
    pub join_members: Vec<String>,
    /// A name of the cluster. Processes with another one are not let in. Empty: only those without one.
    pub cluster_label: String,
    /// How often changes are sent on. Smaller spreads faster and costs more packets.
    pub gossip_interval: Duration,
    /// How often the whole state is exchanged with a random peer, which repairs lost packets.
    pub pull_push_interval: Duration,
    /// How long tombstones of instances that left are kept: longer than any peer can be cut off and come back.
    pub left_timeout: Duration,
    /// How often the join members are joined again, which heals a cluster that fell apart. Zero: never.
    pub rejoin_interval: Duration,
    /// Encrypts all gossip with AES; 16, 24 or 32 bytes. Every process must have the same key.
    pub encryption_key: Option<Vec<u8>>,
}

impl Default for GossipConfig {
    fn default() -> Self {
        Self {
            instance: "skald".to_owned(),
            bind_addr: SocketAddr::from(([0, 0, 0, 0], 7946)),
            advertise_addr: None,
            join_members: Vec::new(),
            cluster_label: String::new(),
            gossip_interval: Duration::from_millis(200),
            // Loki waits 30 s; the state is small here, and a lost packet costs freshness for so long.
            pull_push_interval: Duration::from_secs(10),
            left_timeout: Duration::from_secs(300),
            rejoin_interval: Duration::from_secs(60),
            encryption_key: None,
        }
    }
}

/// Why gossip cannot start or an update cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum GossipError {
    /// The port cannot be bound, or memberlist refuses its options.
    #[error("gossip cannot start on {bind_addr}: {reason}")]
    Start {
        /// Where it should have listened.
        bind_addr: SocketAddr,
        /// What memberlist says.
        reason: String,
    },
    /// Labels have at most 253 bytes.
    #[error("the cluster label is longer than 253 bytes")]
    Label,
    /// AES knows three key lengths.
    #[error("the gossip encryption key has {0} bytes, it must have 16, 24 or 32")]
    Key(usize),
    /// The record does not fit its bounds.
    #[error(transparent)]
    Instance(#[from] skald_ring::InstanceError),
}
