//! The index gateway: answers which sections may hold rows of a tenant, in a view that misses nothing.
//!
//! It holds one shard's view in memory: the newest root it knows and the directories of all flushed
//! objects above it. Ingesters and compactors push what they commit, gossip carries the newest numbers,
//! slow probes heal what was lost; but an answer is never older than its caller needs, because the
//! caller says which log positions it must cover, and what is missing is fetched before answering.
//! Where to look: [`IndexGateway`] (the service), `shard` (the view and how it catches up), `background`
//! (gossip and probes), [`GatewayConfig`].
//!
//! Invariants: no LIST after the start, except after a sleep of half the grace; a view never goes
//! backwards; nothing is answered that belongs to another tenant.
//! Not here: reading sections (queriers do), placement of shards (`ring`).
#![cfg_attr(test, allow(clippy::unwrap_used))] // a panic is how a test fails

mod background;
mod config;
mod metrics;
mod service;
mod shard;

pub use config::GatewayConfig;
pub use service::{GatewayParts, IndexGateway};
