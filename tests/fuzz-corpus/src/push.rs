//! Push bodies as clients send them: the first byte of the input chooses path and headers.

use bytes::Bytes;
use skald_wire::push::{Payload, PayloadLimits, PushApi, parse_any};

/// Small, so that a compressed input that expands is refused and not worked on for seconds.
const LIMITS: PayloadLimits = PayloadLimits { body_bytes_max: 1 << 20, decompressed_bytes_max: 4 << 20 };

/// A content type and a content encoding for each way through the outer layers; the first three are
/// parsed without them.
pub(crate) const MODES: [(PushApi, &str, &str); 10] = [
    (PushApi::V1, "application/json", ""),
    (PushApi::Legacy, "application/json; legacy", ""),
    (PushApi::V1, "application/x-protobuf", ""),
    (PushApi::V1, "application/x-protobuf", "snappy"),
    (PushApi::V1, "application/x-protobuf", "gzip"),
    (PushApi::V1, "application/x-protobuf", "deflate"),
    (PushApi::V1, "application/json", "gzip"),
    (PushApi::V1, "application/json; charset=utf-8", "deflate"),
    (PushApi::Legacy, "application/json", "gzip"),
    (PushApi::Legacy, "application/json", ""),
];

/// Modes below this have their bytes parsed as they are.
pub(crate) const BARE_MODES: usize = 3;

/// Opens and parses a push body, and visits every entry with its metadata.
pub fn push_body(data: &[u8]) {
    let Some((&mode, body)) = data.split_first() else { return };
    let mode = usize::from(mode) % MODES.len();
    let (api, content_type, encoding) = MODES[mode];
    if mode < BARE_MODES {
        let _ = parse_any(content_type, body);
        return;
    }
    let opened = Payload::open(api, content_type, encoding, Bytes::copy_from_slice(body), LIMITS);
    let Ok(payload) = opened else { return };
    assert!(payload.len() <= LIMITS.decompressed_bytes_max);
    let Ok(parsed) = payload.parse() else { return };
    for stream in &parsed.streams {
        for entry in &stream.entries {
            assert!(entry.line.len() <= payload.len());
            stream.metadata_of(entry).iter().for_each(|(name, _)| assert!(name.len() <= payload.len()));
        }
    }
}
