//! Response bodies, byte by byte as Loki's clients expect them.
//!
//! Bodies are written by hand rather than through a serialiser: key order, escaping and the form of
//! numbers are part of the contract, and the same few shapes are written over and over.

mod legacy;
mod metadata;
mod metric;
mod stats;
mod streams;

pub(crate) use legacy::{legacy_labels_body, legacy_streams_body};
pub(crate) use metadata::{format_query_body, index_stats_body, labels_body, series_body};
pub(crate) use metric::{matrix_body, scalar_body, vector_body};
pub(crate) use stats::Stats;
pub(crate) use streams::streams_body;

/// How a query's `data` begins: `result_type` as Loki names it.
fn open_data(out: &mut Vec<u8>, result_type: &str, flags: &str) {
    out.extend_from_slice(b"{\"status\":\"success\",\"data\":{\"resultType\":\"");
    out.extend_from_slice(result_type.as_bytes());
    out.extend_from_slice(b"\",");
    out.extend_from_slice(flags.as_bytes());
    out.extend_from_slice(b"\"result\":");
}

/// How a query's `data` ends: with the statistics.
fn close_data(out: &mut Vec<u8>, stats: &Stats) {
    out.extend_from_slice(b",\"stats\":");
    stats.write(out);
    out.extend_from_slice(b"}}");
}
