//! The querier: runs query tasks over ingesters and segments.
//!
//! The way of a task: `worker` takes it from a scheduler; `querier` runs it, again if an object or an
//! ingester goes away meanwhile; `ask` asks the ingesters and then for a view of the catalog that
//! covers what they said; `section` and `fetch` read indexes and pages through the cache; `exec` has one
//! file per kind of task, which merge everything without copies and evaluate it. `tail` serves live tails.
//!
//! Invariants: ingesters are asked before the catalog; more failures than the replication makes up for
//! fail the task, an answer is never silently partial; nothing blocks the runtime's threads; memory is
//! bounded by limits and numbers of sections, not by rows.
//! Not here: splitting, limits of requests, the read API (`query-frontend`).
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that fails may panic"))]

mod ask;
mod cluster;
mod counters;
mod error;
mod exec;
mod fetch;
mod metrics;
mod querier;
mod section;
mod service;
mod source;
mod tail;
#[cfg(test)]
mod tests;
mod window;
mod worker;

pub use cluster::Cluster;
pub use service::{Querier, QuerierParts};
pub use worker::Schedulers;
