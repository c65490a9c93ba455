//! The write-ahead log: what an ingester has acknowledged and not yet put into the bucket.
//!
//! This crate is a boundary. It never interprets labels or rows: a record is a tenant, the name of
//! a push and its batches as they came. The life of a file: the records of one memtable go to files
//! of its own; when the memtable is frozen the manifest names them together with the sequence
//! number the memtable will have in the bucket; when its object is committed they are removed.
//!
//! - [`record`] and [`scan`]: the bytes (`docs/format/wal.md`), without any I/O.
//! - [`manifest`]: the small file `writer` that says which files belong to which sequence number.
//! - [`WalDir`]: a locked directory with its manifest; replay.
//! - [`Wal`]: the writing side: one thread, group commit, fdatasync before the answer.
#![cfg_attr(test, allow(clippy::unwrap_used))] // a test that panics has failed, which is what it is for

mod dir;
pub mod manifest;
pub mod record;
pub mod scan;
mod writer;

pub use dir::{FileReport, Recovered, WalDir, WalError};
pub use manifest::{FrozenFiles, Manifest};
pub use record::Record;
pub use writer::{AppendError, Owner, Rotated, SyncMode, Wal, WalOptions, WalStats};

#[cfg(test)]
mod tests;
