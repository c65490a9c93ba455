//! The columnar segment format: how rows lie in objects of the bucket. Bytes in, bytes out.
//!
//! One container serves flushed log objects and folded segments: sections of sorted rows, each with
//! its index region, a directory at the end (`docs/format/segment.md` draws every byte). Where to look:
//!
//! - [`ObjectWriter`]: sorted rows in, an object out, one page in memory.
//! - [`Directory`], [`SectionEntry`]: what an object holds; kept by the catalog, pushed by RPC.
//! - [`SectionIndex`], [`plan_read`], [`PageRead`]: which byte ranges a query needs, and rows from them.
//! - [`sort_rows`], [`merge`]: how rows become sorted and copies of one row become one.
//! - [`verify`], [`describe`]: a whole object checked, an object in words.
//!
//! Not here: any I/O (callers fetch the ranges), object keys, the catalog, matchers. Every decoder
//! takes hostile bytes: it answers with a [`SegmentError`], never panics, and allocates only in
//! proportion to what it was given.
#![cfg_attr(test, allow(clippy::unwrap_used))] // a panic is how a test fails

mod append;
mod codec;
mod column;
mod describe;
mod directory;
mod entry;
mod error;
mod format;
mod index;
mod merge;
mod page;
mod plan;
mod read;
mod sort;
mod streams;
mod verify;
mod writer;

pub use codec::Codec;
pub use describe::{ColumnShare, Description, describe};
pub use directory::{CommitInfo, Directory, Located, Receipt};
pub use entry::{Level, SectionEntry, SectionKey};
pub use error::{Fault, Place, SegmentError, WriteError};
pub use index::SectionIndex;
pub use merge::{Merge, MergeStats, RowSource, merge};
pub use page::{Chunk, Column, PageMeta};
pub use plan::{Columns, MetadataWanted, ReadPlan, plan_read};
pub use read::PageRead;
pub use sort::{SortedRows, sort_rows};
pub use streams::StreamMeta;
pub use verify::{Verification, verify};
pub use writer::{Arrivals, ObjectWriter, WriterOptions};

/// Bytes at the end of an object that a reader asks for first when it knows nothing of it: they hold
/// the directory and the index regions of most objects.
pub const SUFFIX_BYTES: u64 = 256 * 1024;
