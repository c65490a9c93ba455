//! Gossip: memberlist below, the ring's state above.
//!
//! - [`Gossip`]: the replicated [`Rings`](skald_ring::Rings) of a cluster, shared by everything in this
//!   process: snapshots, a subscription, updates. Over a network, or in process for the all-in-one.
//! - [`Lifecycler`]: one instance's life in one ring: registers, beats, leaves.
//! - [`RingStatus`], [`MemberlistStatus`]: what the `/ring` and `/memberlist` pages show.
//! - [`register_metrics`]: the rings in `/metrics`.
//!
//! Invariants: who is healthy follows from heartbeats in the ring, never from the gossip layer's own
//! opinion of a node; memberlist's types appear in one file only. Not here: what a ring decides (that is
//! `skald_ring`), the HTTP routes.

// Tests may unwrap: a panic there is the failure report.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod config;
mod gossip;
mod lifecycler;
mod metrics;
mod network;
mod outbox;
mod resolve;
mod status;
mod token_store;

#[cfg(test)]
mod tests;

pub use config::{GossipConfig, GossipError};
pub use gossip::{Gossip, MillisClock};
pub use lifecycler::{Lifecycler, LifecyclerConfig, LifecyclerError, SealedFn};
pub use metrics::register_metrics;
pub use network::Node;
pub use status::{MemberlistStatus, RingMemberStatus, RingStatus, forget_request, status_html, status_json};

/// Directives for the log filter that keep memberlist to what an operator can use: by itself it reports every
/// suspicion, and its own orderly shutdown as errors.
pub const LOG_DIRECTIVES: [&str; 3] = ["memberlist_core=warn", "memberlist_net=off", "memberlist=warn"];
