//! Rows in memory between the write-ahead log and the bucket.
//!
//! A [`Memtable`] keeps the batches of each stream as the encoded bytes they arrived as; nothing is
//! decoded until somebody reads. One thread inserts (the one that writes the log, in the log's
//! order), any number read: they take cheap copies of handles under a short lock and decode outside
//! of it. Rows come out sorted by (stream, timestamp, arrival) with exact copies dropped.
//!
//! Not here: when to freeze and how to flush (the ingester's), durability (the log's).
#![cfg_attr(test, allow(clippy::unwrap_used))] // a test that panics has failed, which is what it is for

mod select;
mod table;

pub use select::{SortedBatches, StreamRows, StreamUse, join};
pub use table::{Memtable, MemtableStats};

#[cfg(test)]
mod tests;
