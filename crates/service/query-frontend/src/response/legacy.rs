//! The bodies of `/api/prom/…`, which old clients still ask for.

use std::collections::BTreeSet;

use skald_model::Direction;
use skald_wire::json;

use super::{Stats, streams::grouped};
use crate::merge::StreamEntries;

/// Log entries: labels as text, times as RFC 3339.
pub(crate) fn legacy_streams_body(streams: &[StreamEntries], direction: Direction, stats: &Stats) -> Vec<u8> {
    let mut out = b"{\"streams\":".to_vec();
    json::array(&mut out, &grouped(streams, direction, false), |out, group| {
        out.extend_from_slice(b"{\"labels\":");
        json::string(out, group.labels.to_string().as_bytes());
        out.extend_from_slice(b",\"entries\":");
        json::array(out, &group.entries, |out, entry| {
            let time = jiff::Timestamp::from_nanosecond(i128::from(entry.timestamp_ns))
                .expect("every 64-bit count of nanoseconds is a time");
            json::plain(out, format_args!("{{\"ts\":\"{time}\",\"line\":"));
            json::string(out, &entry.line);
            out.push(b'}');
        });
        out.push(b'}');
    });
    out.extend_from_slice(b",\"stats\":");
    stats.write(&mut out);
    out.extend_from_slice(b"}\n");
    out
}

/// Label names or values.
pub(crate) fn legacy_labels_body(names: &BTreeSet<String>) -> Vec<u8> {
    let mut out = b"{".to_vec();
    if !names.is_empty() {
        out.extend_from_slice(b"\"values\":");
        json::array(&mut out, names, |out, name| json::string(out, name.as_bytes()));
    }
    out.extend_from_slice(b"}\n");
    out
}

#[cfg(test)]
mod tests {
    use skald_model::Labels;

    use super::*;
    use crate::merge::Entry;

    #[test]
    fn shapes() {
        let labels = Labels::from_pairs([("app", "x")]);
        let entry = Entry {
            timestamp_ns: 1_700_000_000_500_000_001,
            arrival: 0,
            line: b"a".to_vec().into(),
            structured_metadata: Labels::empty(),
            parsed: Labels::empty(),
            labels: labels.clone(),
        };
        let streams = [StreamEntries { labels, entries: vec![entry] }];
        let body = String::from_utf8(legacy_streams_body(&streams, Direction::Forward, &Stats::default())).unwrap();
        let expect = concat!(
            r#"{"streams":[{"labels":"{app=\"x\"}","entries":["#,
            r#"{"ts":"2023-11-14T22:13:20.500000001Z","line":"a"}]}],"stats":{"summary""#
        );
        assert!(body.starts_with(expect), "{body}");
        let names = BTreeSet::from(["a".to_owned()]);
        assert_eq!(legacy_labels_body(&names), b"{\"values\":[\"a\"]}\n");
    }
}
