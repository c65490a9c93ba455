//! Push bodies: snappy-compressed protobuf, as Promtail and Alloy send it.

use anyhow::{Context, Result};
use prost::Message;
use skald_wire::pb::logproto;

use crate::{
    corpus::{self, Kind},
    random::Random,
};

/// A body and what is in it.
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) line_bytes: u64,
    pub(crate) lines: u64,
}

/// What the bodies of one run have in common.
pub(crate) struct Plan {
    pub(crate) streams: u64,
    pub(crate) streams_per_body: u64,
    pub(crate) body_bytes: u64,
    /// Seconds since the epoch of the first line, and how many seconds the data span.
    pub(crate) start: i64,
    pub(crate) span: i64,
    pub(crate) bodies: u64,
}

/// Labels of stream `n`.
pub(crate) fn labels(n: u64) -> String {
    let app = ["checkout", "catalog", "frontend", "payments", "search", "shipping", "auth", "mail"][(n % 8) as usize];
    format!(r#"{{app="{app}", cluster="bench", namespace="ns-{}", pod="{app}-{n:05}"}}"#, n % 13)
}

/// Body number `index` of the run: the same for the same plan.
pub(crate) fn body(plan: &Plan, index: u64) -> Result<Body> {
    let mut r = Random::new(index.wrapping_mul(0x1234_5678_9abc_def1));
    let per_stream = plan.body_bytes / plan.streams_per_body;
    // Time moves on with the bodies, so that data arrive in order as from agents.
    let base = plan.start + (index as i128 * plan.span as i128 / plan.bodies as i128) as i64;
    let width = (plan.span / plan.bodies as i64).max(1) as u64;
    let (mut line_bytes, mut lines) = (0, 0);
    let mut text = String::new();
    let streams = (0..plan.streams_per_body).map(|k| {
        let stream = (index * plan.streams_per_body + k) % plan.streams;
        let mut entries = Vec::new();
        let mut bytes = 0;
        let mut offset_ns = 0;
        while bytes < per_stream {
            offset_ns += r.below(width * 1_000_000_000 / (per_stream / 200 + 1) + 1) as i64;
            let nanos = base * 1_000_000_000 + offset_ns;
            corpus::line(&mut text, Kind::of_stream(stream), nanos / 1_000_000_000, &mut r);
            bytes += text.len() as u64;
            let timestamp =
                prost_types::Timestamp { seconds: nanos / 1_000_000_000, nanos: (nanos % 1_000_000_000) as i32 };
            entries.push(logproto::EntryAdapter {
                timestamp: Some(timestamp),
                line: text.clone(),
                structured_metadata: Vec::new(),
            });
        }
        line_bytes += bytes;
        lines += entries.len() as u64;
        logproto::StreamAdapter { labels: labels(stream), entries, hash: 0 }
    });
    let request = logproto::PushRequest { streams: streams.collect() };
    let bytes = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).context("compressing a body")?;
    Ok(Body { bytes, line_bytes, lines })
}
