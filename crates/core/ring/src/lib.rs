//! The ring as a pure function of a snapshot and a clock: who is a member, who owns what, who must answer.
//!
//! - [`Instance`]: one member's record as gossip carries it; [`State`] its place in life.
//! - [`Rings`]: the replicated state of all rings (a CRDT) with the newest log heads and shard
//!   generations beside it; [`Rings::merge`], [`Rings::encode`], [`decode`].
//! - [`Item`]: the parts of the state that travel on their own.
//! - [`RingView`]: one ring at one moment: replica sets for writes, the instances a read must ask,
//!   shuffle shards, owners.
//! - [`QuorumTracker`], [`ReadTracker`]: counting answers. [`auto_forget`]: who may be dropped unasked.
//!
//! Invariants: nothing here reads a clock, draws a random number or does I/O; a record is never
//! larger than [`RECORD_BYTES_MAX`]; [`decode`] never panics, whatever the bytes.
//! Not here: the transport and the heartbeats (they belong to `gossip`).

// Tests may unwrap: a panic there is the failure report.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod codec;
mod forget;
mod instance;
mod item;
mod placement;
mod quorum;
mod shuffle;
mod state;
mod token_file;
mod view;

#[cfg(test)]
mod tests;

pub use codec::{DecodeError, decode};
pub use forget::{AutoForget, FORGET_AFTER_TIMEOUTS, auto_forget};
pub use instance::{Instance, InstanceError, RECORD_BYTES_MAX, State};
pub use item::Item;
pub use placement::token_for;
pub use quorum::{Progress, QuorumTracker, ReadTracker};
pub use state::{Record, Rings, UNSEALED_KEPT_MS};
pub use token_file::{TokenFileError, decode_tokens, encode_tokens};
pub use view::{Member, ReadSet, ReplicaSet, RingConfig, RingError, RingView};

/// The ring of the ingesters: who takes writes and who must be asked by reads.
pub const INGESTER_RING: &str = "ingester";
/// The ring of the distributors: global rate limits divide by its healthy members.
pub const DISTRIBUTOR_RING: &str = "distributor";
/// The ring of the index gateways: who owns which shard of the catalog.
pub const INDEX_GATEWAY_RING: &str = "index-gateway";
/// The ring of the compactors.
pub const COMPACTOR_RING: &str = "compactor";
/// The ring of the query schedulers.
pub const SCHEDULER_RING: &str = "scheduler";
