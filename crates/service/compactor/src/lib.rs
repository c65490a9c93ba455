//! The compactor: folds the logs of the ingesters into segments where every row is stored once.
//!
//! It reads the newest root and the logs above it, asks `skald_catalog::plan` what to fold, merges the
//! flushed sections of each tenant and window, drops the copies that replication made, writes the result
//! into pack objects and commits the next root. Which compactor ought to do it is a hint of the ring;
//! the next root generation is the fence, so that any number may run. Where to look: [`Compactor`] (the
//! service), `worker` (what it knows and the order of steps), `fold` (rows in, pack objects out),
//! `slices` (how a job is cut so that it fits in memory), [`CompactorConfig`].
//!
//! Invariants: nothing is visible before its root is committed; nothing is deleted; a job that is
//! killed, fails or loses its generation leaves garbage objects and no other trace.
#![cfg_attr(test, allow(clippy::unwrap_used))] // a panic is how a test fails

mod config;
mod error;
mod fold;
mod heavy;
mod metrics;
mod neighbours;
mod pack;
mod service;
mod slices;
#[cfg(test)]
mod tests;
mod worker;

pub use config::CompactorConfig;
pub use error::CompactError;
pub use service::{Compactor, CompactorParts, RandomIds, random_ids};
pub use worker::FoldSummary;
