//! The ingester: makes pushes durable, serves what is not in the bucket yet, brings it there.
//!
//! A push goes through `push` (decode, limits, log, memtable); a full or old memtable is frozen by the
//! log's thread, encoded and uploaded by `flush`, and leaves memory when its object is committed.
//! Where to look:
//!
//! - `service`: start (replay included), shutdown, the loops, [`skald_wire::api::IngesterApi`].
//! - `tables`: the memtables, and what readers must demand of the catalog instead of what has left them.
//! - `push`, `dedup`, `streams`: the way in. `flush/`: the way down. `read/`, `tail`: the way out.
//! - `http`: `/flush`, `/ingester/shutdown`, `/ingester/prepare_shutdown`.
//!
//! Invariants: a push is acknowledged only when the log has it; a memtable leaves memory only in the
//! same step that raises the commit vector; the files of the log outlive every doubt about the object.
//! Not here: bytes of the log (`wal`), bytes of objects (`segment`), placement (`ring`).
#![cfg_attr(test, allow(clippy::unwrap_used))] // a test that panics has failed, which is what it is for

mod dedup;
mod flush;
mod gateways;
mod http;
mod metrics;
mod push;
mod read;
mod replay;
mod service;
mod settings;
mod streams;
mod tables;
mod tail;

pub use gateways::Gateways;
pub use service::{Ingester, IngesterError, IngesterParts};
pub use settings::{Clock, DiskUsage, Entropy, Settings, disk_usage_of};

#[cfg(test)]
mod tests;
