//! Which sections exist: the catalog of a shard in the bucket, and the protocol by which it changes.
//!
//! A flushed object is its own commit (`log/<writer>/<seq>`); a root names what has been folded and up
//! to where each log is consumed; a [`View`] is both together. No database, no compare-and-swap: every
//! change is the creation of an object that can be created only once. `docs/format/catalog.md` has the
//! layouts, the protocol and what a crash after each step leaves behind. Where to look:
//!
//! - [`keys`]: where things stand in the bucket.
//! - [`Root`], [`Entry`], [`PageRef`]: what a commit consists of. [`Content`]: a root in memory.
//! - [`View`]: what a reader may see, what it covers, and what it must still fetch.
//! - [`plan`], [`Absence`]: what to fold and which logs to seal, as pure functions.
//! - [`Catalog`]: reading and committing over a bucket. [`RootCursor`]: following the newest root.
//!
//! Not here: merging rows (`segment`, `compactor`), serving views (`index-gateway`), deleting anything.
#![cfg_attr(test, allow(clippy::unwrap_used))] // a panic is how a test fails

mod absence;
mod client;
mod commit;
mod content;
mod cursor;
mod entry;
mod error;
mod frame;
pub mod keys;
mod page;
mod plan;
mod root;
#[cfg(test)]
mod samples;
mod seal;
mod spill;
mod view;

pub use absence::Absence;
pub use client::Catalog;
pub use commit::{FlushBody, FlushOutcome, RootOutcome};
pub use content::Content;
pub use cursor::{Monotonic, RootCursor};
pub use entry::{Entry, EntryKey};
pub use error::CatalogError;
pub use frame::FormatError;
pub use keys::{SHARD_ZERO, Shard};
pub use page::{EntryTable, PageRef, decode_page, encode_page};
pub use plan::{FoldPolicy, TailItem, plan};
pub use root::{Change, Closed, CommitId, Root};
pub use seal::{decode_seal, encode_seal, is_seal};
pub use spill::{DELTA_BYTES_MAX, PAGE_BYTES_MAX, needs_spill, spill, touched_pages};
pub use view::{LogObject, TailObject, View, ViewSection};
