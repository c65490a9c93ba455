//! What each fuzz target does with its input, and the inputs it starts from.
//!
//! The bodies stand here and not in `fuzz/`, so that ordinary tests replay every file of
//! `fuzz/corpus/` through the very same code without a fuzzer. A body panics where a decoder breaks
//! its promise: no input may panic, and what decodes must survive being encoded again. Checksums would
//! stop a fuzzer at the door, so bodies put right ones over what they were given.
//!
//! [`seeds`] are made by our own encoders: run the example `seeds` to write them to the corpora.
// A body that panics has found something, which is what it is for.
#![allow(clippy::unwrap_used)]

mod batches;
mod catalog;
mod logql;
mod push;
mod ring;
mod seeds;
mod segment;
mod wal;

pub use batches::stream_batch;
pub use catalog::catalog_root;
pub use logql::logql;
pub use push::push_body;
pub use ring::ring_message;
pub use seeds::{Seed, seeds};
pub use segment::segment;
pub use wal::wal_record;

/// Takes any input.
pub type Body = fn(&[u8]);

/// Every target by the name of its binary and of its corpus.
pub const TARGETS: [(&str, Body); 7] = [
    ("push_body", push_body),
    ("logql", logql),
    ("wal_record", wal_record),
    ("segment", segment),
    ("ring_message", ring_message),
    ("catalog_root", catalog_root),
    ("stream_batch", stream_batch),
];
