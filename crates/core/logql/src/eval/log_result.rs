//! The answer of a log query and how answers of parts become one.

use bytes::Bytes;
use skald_model::{Direction, Labels, Timestamp};

/// A line of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct LogEntry {
    /// When.
    pub timestamp: Timestamp,
    /// Its place among lines of its stored stream with one timestamp, see [`skald_model::Rows::arrivals`].
    pub arrival: u64,
    /// The line after all stages; normally UTF-8.
    pub line: Bytes,
    /// Visible structured metadata.
    pub structured_metadata: Labels,
    /// Labels that stages made, errors among them.
    pub parsed: Labels,
}

/// Lines that share all their labels.
#[derive(Clone, Debug, PartialEq)]
pub struct LogStream {
    /// All labels folded into one set.
    pub labels: Labels,
    /// Only those of the stored stream that are still visible.
    pub stream: Labels,
    /// By timestamp in the query's direction.
    pub entries: Vec<LogEntry>,
}

/// The answer of a log query: streams ascending by their label text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogResult {
    /// The streams; none is empty.
    pub streams: Vec<LogStream>,
}

impl LogResult {
    /// How many lines.
    pub fn len(&self) -> usize {
        self.streams.iter().map(|stream| stream.entries.len()).sum()
    }

    /// True without lines.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// One answer from answers to parts of the query's time (which must not overlap) in any order:
    /// the first `limit` lines in `direction`.
    pub fn merge(parts: impl IntoIterator<Item = Self>, direction: Direction, limit: usize) -> Self {
        let mut streams: Vec<LogStream> = parts.into_iter().flat_map(|part| part.streams).collect();
        sort_streams(&mut streams);
        let mut merged: Vec<LogStream> = Vec::new();
        for stream in streams {
            match merged.last_mut() {
                Some(last) if last.labels == stream.labels && last.stream == stream.stream => {
                    last.entries.extend(stream.entries)
                }
                _ => merged.push(stream),
            }
        }
        for stream in &mut merged {
            // Stable: lines of one part with equal timestamps stay in their order.
            stream.entries.sort_by(|a, b| direction.compare(a.timestamp.0, b.timestamp.0));
        }
        let mut result = Self { streams: merged };
        result.truncate(direction, limit);
        result
    }

    /// Keeps the first `limit` lines in `direction` over all streams.
    fn truncate(&mut self, direction: Direction, limit: usize) {
        if self.len() <= limit {
            return;
        }
        let mut order: Vec<(i64, usize)> = Vec::with_capacity(self.len());
        for (i, stream) in self.streams.iter().enumerate() {
            order.extend(stream.entries.iter().map(|entry| (entry.timestamp.0, i)));
        }
        order.sort_by(|a, b| direction.compare(a.0, b.0).then_with(|| self.tie(a.1, b.1)));
        let mut kept = vec![0; self.streams.len()];
        for (_, stream) in order.into_iter().take(limit) {
            kept[stream] += 1;
        }
        for (stream, kept) in self.streams.iter_mut().zip(kept) {
            stream.entries.truncate(kept);
        }
        self.streams.retain(|stream| !stream.entries.is_empty());
    }

    /// Between lines with equal timestamps: the stream's hash, then its place in the answer.
    fn tie(&self, a: usize, b: usize) -> std::cmp::Ordering {
        self.streams[a].stream.hash64().cmp(&self.streams[b].stream.hash64()).then(a.cmp(&b))
    }
}

/// Ascending by label text, as responses list them.
pub(super) fn sort_streams(streams: &mut [LogStream]) {
    streams.sort_by_cached_key(|stream| (stream.labels.to_string(), stream.stream.to_string()));
}
