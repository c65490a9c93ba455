//! Seeded histories of the storage protocol: the code that ships, in a world that goes wrong.
//!
//! A history runs the real catalog, index gateways and compactors over a bucket in memory that delays,
//! refuses, loses and repeats requests, beside modelled ingesters that push, flush, crash, sleep and are
//! sealed by mistake, and readers that query all the while. Everything random comes from the seed and
//! time is virtual, so a seed is a history. Where to look:
//!
//! - [`run`]: one history; [`Variant`]: the protocol as it is, or deliberately broken.
//! - `world` (what there is), `ingester`, `reader`, `chaos` (who does what), `rows` (what is written).
//! - `checkers`: one file per invariant, by the names of `docs/format/catalog.md`.
//!
//! Not here: real processes and networks (`tests/cluster`), the WAL (its own crate).

mod chaos;
pub mod checkers;
mod history;
mod ingester;
mod reader;
mod rows;
mod world;

pub use checkers::Violation;
pub use history::{Summary, run};
pub use world::Variant;
