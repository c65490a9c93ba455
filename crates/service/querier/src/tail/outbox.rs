//! Messages to one reader, and what is dropped when it does not keep up. Pure.

use std::collections::{HashSet, VecDeque};

use bytes::Bytes;
use skald_model::{Labels, Rows};
use skald_wire::json;

/// Lines in one message.
const MESSAGE_ENTRIES_MAX: usize = 100;

/// Messages that wait for the reader; more lines are dropped.
pub(super) const MESSAGES_MAX: usize = 10;

/// Dropped lines that are remembered to be told.
const DROPPED_MAX: usize = 1_000;

/// Rows by which copies are recognised: ingesters that hold a stream send its rows within moments of
/// one another, so this is far more than can lie between two copies.
const SEEN_MAX: usize = 100_000;

/// A line as the reader will see it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TailEntry {
    pub(super) timestamp_ns: i64,
    pub(super) line: Bytes,
    /// All labels in one set.
    pub(super) labels: Labels,
    /// Those of the stored stream that are left.
    pub(super) stream: Labels,
    pub(super) structured_metadata: Labels,
    pub(super) parsed: Labels,
}

/// Lines on their way to one reader.
#[derive(Debug)]
pub(super) struct Outbox {
    categorize: bool,
    waiting: VecDeque<TailEntry>,
    dropped: Vec<(i64, Labels)>,
}

impl Outbox {
    pub(super) fn new(categorize: bool) -> Self {
        Self { categorize, waiting: VecDeque::new(), dropped: Vec::new() }
    }

    /// Adds a line; when too many wait, the oldest one is dropped.
    pub(super) fn push(&mut self, entry: TailEntry) {
        self.waiting.push_back(entry);
        if self.waiting.len() > MESSAGES_MAX * MESSAGE_ENTRIES_MAX
            && let Some(old) = self.waiting.pop_front()
            && self.dropped.len() < DROPPED_MAX
        {
            self.dropped.push((old.timestamp_ns, old.labels));
        }
    }

    /// The next message, `None` when there is nothing to say.
    pub(super) fn message(&mut self) -> Option<String> {
        if self.waiting.is_empty() && self.dropped.is_empty() {
            return None;
        }
        let mut out = b"{\"streams\":".to_vec();
        let count = self.waiting.len().min(MESSAGE_ENTRIES_MAX);
        let entries: Vec<TailEntry> = self.waiting.drain(..count).collect();
        // Each line is a stream of its own unless the one before it has the same labels.
        let shown = |e: &TailEntry| if self.categorize { e.stream.clone() } else { e.labels.clone() };
        let runs = entries.chunk_by(|a, b| shown(a) == shown(b));
        json::array(&mut out, runs, |out, run| {
            out.extend_from_slice(b"{\"stream\":");
            json::labels(out, &shown(&run[0]));
            out.extend_from_slice(b",\"values\":");
            json::array(out, run, |out, e| {
                let categories = self.categorize.then_some([&e.structured_metadata, &e.parsed]);
                json::log_entry(out, e.timestamp_ns, &e.line, categories);
            });
            out.push(b'}');
        });
        if !self.dropped.is_empty() {
            out.extend_from_slice(b",\"dropped_entries\":");
            json::array(&mut out, self.dropped.drain(..), |out, (timestamp_ns, labels)| {
                json::plain(out, format_args!("{{\"timestamp\":\"{timestamp_ns}\",\"labels\":"));
                json::labels(out, &labels);
                out.push(b'}');
            });
        }
        if self.categorize {
            out.extend_from_slice(b",\"encodingFlags\":[\"categorize-labels\"]");
        }
        out.push(b'}');
        Some(String::from_utf8(out).expect("strings are written as UTF-8"))
    }
}

/// Recognises copies among the newest rows.
#[derive(Debug, Default)]
pub(super) struct Seen {
    keys: HashSet<(u64, i64, u64)>,
    order: VecDeque<(u64, i64, u64)>,
}

impl Seen {
    /// The rows that were not there before, in their order.
    pub(super) fn fresh(&mut self, rows: &Rows) -> Vec<u32> {
        let mut fresh = Vec::new();
        for (labels, range) in rows.streams() {
            for i in range {
                if self.insert((labels.hash64(), rows.timestamps[i], rows.row_hash(i))) {
                    fresh.push(i as u32);
                }
            }
        }
        fresh
    }

    /// True when the key was not there before.
    pub(super) fn insert(&mut self, key: (u64, i64, u64)) -> bool {
        if !self.keys.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > SEEN_MAX
            && let Some(old) = self.order.pop_front()
        {
            self.keys.remove(&old);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use skald_model::{RowsBuilder, Timestamp};

    use super::*;

    fn entry(timestamp_ns: i64, app: &str) -> TailEntry {
        let labels = Labels::from_pairs([("app", app)]);
        TailEntry {
            timestamp_ns,
            line: Bytes::from_static(b"<x>"),
            labels: labels.clone(),
            stream: labels,
            structured_metadata: Labels::from_pairs([("t", "1")]),
            parsed: Labels::empty(),
        }
    }

    #[test]
    fn messages() {
        let mut outbox = Outbox::new(false);
        assert_eq!(outbox.message(), None);
        [entry(1, "a"), entry(2, "a"), entry(3, "b")].into_iter().for_each(|e| outbox.push(e));
        let expect = concat!(
            r#"{"streams":[{"stream":{"app":"a"},"values":[["1","\u003cx\u003e"],["2","\u003cx\u003e"]]},"#,
            r#"{"stream":{"app":"b"},"values":[["3","\u003cx\u003e"]]}]}"#,
        );
        assert_eq!(outbox.message().as_deref(), Some(expect));
        assert_eq!(outbox.message(), None);
        let mut outbox = Outbox::new(true);
        outbox.push(entry(1, "a"));
        let expect = concat!(
            r#"{"streams":[{"stream":{"app":"a"},"values":[["1","\u003cx\u003e",{"structuredMetadata":{"t":"1"}}]]}],"#,
            r#""encodingFlags":["categorize-labels"]}"#,
        );
        assert_eq!(outbox.message().as_deref(), Some(expect));
    }

    #[test]
    fn a_slow_reader_is_told_what_it_lost() {
        let mut outbox = Outbox::new(false);
        let room = (MESSAGES_MAX * MESSAGE_ENTRIES_MAX) as i64;
        (0..room + 2).for_each(|t| outbox.push(entry(t, "a")));
        let message = outbox.message().unwrap();
        let dropped = concat!(
            r#","dropped_entries":[{"timestamp":"0","labels":{"app":"a"}},"#,
            r#"{"timestamp":"1","labels":{"app":"a"}}]}"#,
        );
        assert!(message.ends_with(dropped), "{message}");
        assert!(message.starts_with(r#"{"streams":[{"stream":{"app":"a"},"values":[["2","#), "{message}");
        let rest = std::iter::from_fn(|| outbox.message()).count();
        assert_eq!(rest, MESSAGES_MAX - 1);
    }

    #[test]
    fn copies_come_once() {
        let rows = |lines: &[(&str, i64)]| {
            let mut builder = RowsBuilder::new();
            let labels = Labels::from_pairs([("app", "a")]);
            lines.iter().for_each(|(line, t)| builder.push(&labels, Timestamp(*t), 0, line.as_bytes(), []));
            builder.finish()
        };
        let mut seen = Seen::default();
        assert_eq!(seen.fresh(&rows(&[("x", 1), ("y", 1), ("x", 1)])), [0, 1]);
        assert_eq!(seen.fresh(&rows(&[("x", 2), ("y", 1)])), [0]);
    }
}
