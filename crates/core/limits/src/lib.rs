//! What a tenant may do: every limit with its default, and the arithmetic that enforces rates.
//!
//! - [`Limits`]: all limits of one tenant, under Loki's names and with Loki's defaults.
//! - [`LimitsTable`]: the defaults plus the tenants that differ; what a lookup reads.
//! - [`RateLimiter`]: a token bucket that is told the time.
//! - [`ByteSize`], [`Period`]: sizes and durations as people write them in configuration files.
//!
//! Not here: reading files, reloading them, counting who hit a limit. The crate is pure.

#![cfg_attr(test, allow(clippy::unwrap_used))] // a failing test may panic

mod byte_size;
mod limits;
mod period;
mod rate;
mod table;

pub use byte_size::{ByteSize, ByteSizeError};
pub use limits::{IngestionRateStrategy, Limits, ShardStreams};
pub use period::{Period, PeriodError};
pub use rate::RateLimiter;
pub use table::LimitsTable;
