//! The words of the field, as types: tenants, labels, timestamps, rows in columns.
//!
//! Everything else in the project speaks in these types. The crate is pure: it knows no I/O, no
//! clock, no storage and no query language. Where to look:
//!
//! - [`TenantId`]: who owns a row; its character rules.
//! - [`Timestamp`]: nanoseconds since the epoch, always `i64`.
//! - [`Labels`]: one stream's identity; canonical, sorted, cheap to clone.
//! - [`Rows`]: rows of any number of streams, column by column: what every layer hands to the next.
//! - [`StreamBatch`]: rows of one stream as the bytes that travel from the distributor through the
//!   write-ahead log into the memtable without being re-encoded.
//! - [`Writer`], [`CommitVector`]: positions in the ingesters' logs, which readers and the catalog exchange.
//!
//! Not here: matchers (they belong to LogQL), on-disk layouts (they belong to `segment`, `wal`, `catalog`).

mod batch;
mod commit;
mod labels;
mod lines;
mod metadata;
mod rows;
mod rows_codec;
mod tenant;
mod time;
pub mod varint;

pub use batch::{BatchError, BatchId, StreamBatch, StreamBatchBuilder};
pub use commit::{CommitVector, LogPosition, Writer};
pub use labels::{Labels, LabelsBuilder};
pub use lines::LineColumn;
pub use metadata::{MetadataColumn, MetadataColumns};
pub use rows::{Direction, RowKey, Rows, RowsBuilder, StreamRun};
pub use rows_codec::RowsError;
pub use tenant::{TenantId, TenantIdError};
pub use time::Timestamp;

/// The label that names the service of a stream; it leads the sort order of streams, so that one
/// service's rows lie side by side in a segment.
pub const SERVICE_NAME_LABEL: &str = "service_name";
