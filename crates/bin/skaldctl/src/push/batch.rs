//! Lines collected into push requests.

use bytes::Bytes;
use prost::Message;
use skald_model::Labels;
use skald_wire::pb::logproto::{EntryAdapter, PushRequest, StreamAdapter};

/// A request is sent when its lines take this much: large enough that its cost per line is small, and
/// a fraction of the second's worth of lines that rate limits allow at once.
const BATCH_BYTES: usize = 1_000_000;
/// What an entry takes beside its line, about: many empty lines are a large request, too.
const ENTRY_BYTES: usize = 16;

/// The lines of one request.
#[derive(Debug)]
pub(super) struct Batch {
    request: PushRequest,
    /// Bytes that were read for it, line ends included.
    pub(super) read_bytes: u64,
}

impl Batch {
    /// How many lines it holds.
    pub(super) fn lines(&self) -> u64 {
        self.request.streams.iter().map(|stream| stream.entries.len() as u64).sum()
    }

    /// The body of the request.
    pub(super) fn snappy(&self) -> Result<Bytes, snap::Error> {
        snap::raw::Encoder::new().compress_vec(&self.request.encode_to_vec()).map(Bytes::from)
    }
}

/// Collects lines of one stream.
#[derive(Debug)]
pub(super) struct Batcher {
    labels: String,
    entries: Vec<EntryAdapter>,
    bytes: usize,
    read_bytes: u64,
    last: i64,
}

impl Batcher {
    /// Of the stream `labels`.
    pub(super) fn new(labels: &Labels) -> Self {
        Self { labels: labels.to_string(), entries: Vec::new(), bytes: 0, read_bytes: 0, last: i64::MIN }
    }

    /// Takes a line as it was read, its end included. Returns the batch that it did not fit into.
    pub(super) fn add(&mut self, line: Vec<u8>, now: i64) -> Option<Batch> {
        let text = line.strip_suffix(b"\n").map_or(&*line, |text| text.strip_suffix(b"\r").unwrap_or(text));
        let size = text.len() + ENTRY_BYTES;
        let full = if self.bytes + size > BATCH_BYTES { self.take() } else { None };
        // Every line gets an instant of its own: two equal ones at one instant would be stored once.
        self.last = now.max(self.last.saturating_add(1));
        let timestamp = prost_types::Timestamp {
            seconds: self.last.div_euclid(1_000_000_000),
            nanos: self.last.rem_euclid(1_000_000_000) as i32,
        };
        // The field is text; what is none has the bytes replaced that are wrong.
        let text = String::from_utf8_lossy(text).into_owned();
        self.entries.push(EntryAdapter { timestamp: Some(timestamp), line: text, structured_metadata: Vec::new() });
        self.bytes += size;
        self.read_bytes += line.len() as u64;
        full
    }

    /// What was collected; `None` when it is nothing.
    pub(super) fn take(&mut self) -> Option<Batch> {
        if self.entries.is_empty() {
            return None;
        }
        self.bytes = 0;
        let stream = StreamAdapter { labels: self.labels.clone(), entries: std::mem::take(&mut self.entries), hash: 0 };
        let request = PushRequest { streams: vec![stream] };
        Some(Batch { request, read_bytes: std::mem::take(&mut self.read_bytes) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batcher() -> Batcher {
        Batcher::new(&Labels::from_pairs([("app", "x")]))
    }

    fn sizes(lines: &[(usize, usize)]) -> Vec<u64> {
        let mut batcher = batcher();
        let mut batches = Vec::new();
        for &(count, len) in lines {
            for _ in 0..count {
                batches.extend(batcher.add(vec![b'x'; len], 0));
            }
        }
        batches.extend(batcher.take());
        assert!(batcher.take().is_none());
        batches.iter().map(Batch::lines).collect()
    }

    #[test]
    fn batches_are_about_a_megabyte() {
        // Count and length of the lines, lines of each batch.
        let cases: &[(&[(usize, usize)], &[u64])] = &[
            (&[], &[]),
            (&[(1, 0)], &[1]),
            (&[(1, 5_000_000)], &[1]),
            (&[(1, 10), (1, 5_000_000), (2, 10)], &[1, 1, 2]),
            (&[(2, 499_984)], &[2]),
            (&[(3, 499_984)], &[2, 1]),
            (&[(62_501, 0)], &[62_500, 1]),
        ];
        for (lines, expect) in cases {
            assert_eq!(sizes(lines), *expect, "{lines:?}");
        }
    }

    #[test]
    fn lines_have_instants_of_their_own_and_no_ends() {
        let mut batcher = batcher();
        let typed: [&[u8]; 5] = [b"a\n", b"b\r\n", b"\n", b"c\r", b"\xff"];
        for (line, now) in typed.into_iter().zip([5, 5, 1_000_000_000, 3, 4]) {
            assert!(batcher.add(line.to_vec(), now).is_none());
        }
        let batch = batcher.take().unwrap();
        assert_eq!(batch.read_bytes, 9);
        let body = snap::raw::Decoder::new().decompress_vec(&batch.snappy().unwrap()).unwrap();
        let request = PushRequest::decode(&*body).unwrap();
        assert_eq!(request.streams[0].labels, r#"{app="x"}"#);
        let got: Vec<_> = request.streams[0]
            .entries
            .iter()
            .map(|e| (e.timestamp.map(|t| (t.seconds, t.nanos)).unwrap(), &*e.line))
            .collect();
        let expect = [((0, 5), "a"), ((0, 6), "b"), ((1, 0), ""), ((1, 1), "c\r"), ((1, 2), "\u{fffd}")];
        assert_eq!(got, expect);
    }
}
