//! Push bodies of Loki's clients: from an HTTP body to entries that borrow from it.
//!
//! Decoding is two steps, so that entries can borrow: [`Payload::open`] undoes the content encoding
//! and owns the bytes, [`Payload::parse`] reads streams out of them. Lines and metadata are not
//! copied; only escaped JSON strings are.
//!
//! Not here: what is valid (label rules, limits, times) and what happens to the entries; that is the
//! distributor's. Formats and statuses: <https://grafana.com/docs/loki/latest/reference/loki-http-api/>.

mod json;
mod json_legacy;
mod label_text;
mod payload;
mod protobuf;
mod rfc3339;

use std::{borrow::Cow, ops::Range};

use skald_model::Timestamp;

pub use label_text::{LabelTextError, parse_label_text};
pub use payload::{Payload, PayloadLimits};

/// A name and its value, borrowed from the body where possible.
pub type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// All streams of one push.
#[derive(Debug, Default)]
pub struct PushBody<'a> {
    /// In the order of the body; one label set may occur more than once.
    pub streams: Vec<PushStream<'a>>,
}

/// Entries of one stream.
#[derive(Debug, Default)]
pub struct PushStream<'a> {
    /// Pairs as they came: not sorted, perhaps with empty or repeated names.
    pub labels: Vec<Pair<'a>>,
    /// In the order of the body.
    pub entries: Vec<PushEntry<'a>>,
    /// The metadata of all entries, one after the other.
    pub metadata: Vec<Pair<'a>>,
}

/// One log line.
#[derive(Debug)]
pub struct PushEntry<'a> {
    /// When it was logged.
    pub timestamp: Timestamp,
    /// The line; protobuf bodies may hold bytes that are not UTF-8.
    pub line: Cow<'a, [u8]>,
    /// Which of [`PushStream::metadata`] belong to it.
    pub metadata: Range<u32>,
}

/// Which body format a path takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushApi {
    /// `/loki/api/v1/push`
    V1,
    /// `/api/prom/push`
    Legacy,
}

/// Why a body was refused. The texts are for the client.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushBodyError {
    /// The body, or what it decompresses to, is larger than allowed.
    #[error("request body too large: {what}message size too large than max ({size} vs {max})")]
    TooLarge {
        /// Empty, or `decompressed `.
        what: &'static str,
        /// Its size in bytes, or the first size that is too much where the whole is not known.
        size: u64,
        /// The bound in bytes.
        max: u64,
    },
    /// Anything else the client has to mend.
    #[error("{0}")]
    Invalid(String),
}

impl PushBodyError {
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(text.into())
    }
}

impl<'a> PushStream<'a> {
    /// The metadata pairs of `entry`.
    pub fn metadata_of(&self, entry: &PushEntry<'a>) -> &[Pair<'a>] {
        &self.metadata[entry.metadata.start as usize..entry.metadata.end as usize]
    }
}

/// Parses a decompressed body of any format; the entry point for fuzzing.
///
/// # Errors
/// When the body does not have the format.
pub fn parse_any(content_type: &str, body: &[u8]) -> Result<usize, PushBodyError> {
    let parsed = match content_type {
        "application/json" => json::parse(body)?,
        "application/json; legacy" => json_legacy::parse(body)?,
        _ => protobuf::parse(body)?,
    };
    Ok(parsed.streams.iter().map(|s| s.entries.len()).sum())
}
