//! The index gateway: answers which sections may hold rows of a tenant, in a view that misses nothing.
//!
//! It holds one shard's view in memory: the newest root it knows and the directories of all flushed
//! objects above it. Ingesters and compactors push what they commit, gossip carries the newest numbers,
//! slow probes heal what was lost; but an answer is never older than its caller needs, because the
//! caller says which log positions it must cover, and what is missing is fetched before answering.
//! Where to look: [`IndexGateway`] (the service), `shard` (the view and how it catches up), `background`
//! (gossip and probes), [`GatewayConfig`].
//!
//! Memory: about 300 bytes for each section that the root names (25 MB for a hundred days at 1 TB a day),
//! and 400 for each flushed section above it. The latter are as many as the compactors have not folded
//! yet: they cannot be dropped without losing rows, so what bounds them is folding in time (the gauge
//! `skald_index_gateway_tail_sections` shows it).
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
#[cfg(test)]
mod tests;

pub use config::GatewayConfig;
pub use service::{GatewayParts, IndexGateway};
