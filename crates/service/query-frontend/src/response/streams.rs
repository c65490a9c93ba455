//! Log entries: grouped into streams the way the client asked for.
//!
//! The plain form folds structured metadata and parsed labels into the stream's labels, so that one
//! stored stream may come out as many. The categorised form keeps the stream's own labels and gives
//! every entry a third element with the rest.

use std::collections::BTreeMap;

use skald_model::Direction;
use skald_wire::json;

use super::{Stats, close_data, open_data};
use crate::merge::{Entry, StreamEntries};

/// A `streams` result as `query_range` returns it.
pub(crate) fn streams_body(
    streams: &[StreamEntries],
    direction: Direction,
    categorize: bool,
    stats: &Stats,
) -> Vec<u8> {
    let mut out = Vec::new();
    let flags = if categorize { "\"encodingFlags\":[\"categorize-labels\"]," } else { "" };
    open_data(&mut out, "streams", flags);
    json::array(&mut out, &grouped(streams, direction, categorize), |out, group| {
        out.extend_from_slice(b"{\"stream\":");
        json::labels(out, group.labels);
        out.extend_from_slice(b",\"values\":");
        json::array(out, &group.entries, |out, entry| write_entry(out, entry, categorize));
        out.push(b'}');
    });
    close_data(&mut out, stats);
    out.push(b'\n');
    out
}

/// Entries that are shown under one label set, in the query's direction.
pub(super) struct Group<'a> {
    pub(super) labels: &'a skald_model::Labels,
    pub(super) entries: Vec<&'a Entry>,
}

/// The groups in ascending order of their labels as text.
pub(super) fn grouped(streams: &[StreamEntries], direction: Direction, categorize: bool) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<String, Group<'_>> = BTreeMap::new();
    for stream in streams {
        let mut last: Option<(&skald_model::Labels, String)> = None;
        for entry in &stream.entries {
            let labels = if categorize { &stream.labels } else { &entry.labels };
            // Consecutive entries mostly share their labels: the text is made once for them.
            let key = match &last {
                Some((l, key)) if *l == labels => key.clone(),
                _ => labels.to_string(),
            };
            let group = groups.entry(key.clone()).or_insert_with(|| Group { labels, entries: Vec::new() });
            group.entries.push(entry);
            last = Some((labels, key));
        }
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    for group in &mut groups {
        // Several stored streams may have met in one group; within one stream this changes nothing.
        match direction {
            Direction::Forward => group.entries.sort_by_key(|e| (e.timestamp_ns, e.arrival)),
            Direction::Backward => group.entries.sort_by_key(|e| std::cmp::Reverse((e.timestamp_ns, e.arrival))),
        }
    }
    groups
}

fn write_entry(out: &mut Vec<u8>, entry: &Entry, categorize: bool) {
    let categories = categorize.then_some([&entry.structured_metadata, &entry.parsed]);
    json::log_entry(out, entry.timestamp_ns, &entry.line, categories);
}

#[cfg(test)]
mod tests {
    use skald_model::Labels;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied())
    }

    fn entry(timestamp_ns: i64, line: &str, metadata: &[(&str, &str)], parsed: &[(&str, &str)]) -> Entry {
        let all = [&[("app", "x")], metadata, parsed].concat();
        Entry {
            timestamp_ns,
            arrival: 0,
            line: line.as_bytes().to_vec().into(),
            structured_metadata: labels(metadata),
            parsed: labels(parsed),
            labels: labels(&all),
        }
    }

    /// The body without its statistics.
    fn body(streams: &[StreamEntries], categorize: bool) -> String {
        let body =
            String::from_utf8(streams_body(streams, Direction::Backward, categorize, &Stats::default())).unwrap();
        assert!(body.ends_with("}}}\n"), "{body}");
        let (data, stats) = body.split_once(",\"stats\":").unwrap();
        assert!(stats.starts_with("{\"summary\":"), "{stats}");
        data.to_owned()
    }

    #[test]
    fn both_encodings() {
        let streams = [StreamEntries {
            labels: labels(&[("app", "x")]),
            entries: vec![
                entry(3, "<c>", &[("trace", "1")], &[]),
                entry(2, "b", &[], &[("level", "warn")]),
                entry(1, "a", &[("trace", "1")], &[]),
                entry(0, "", &[], &[]),
            ],
        }];
        let plain = concat!(
            r#"{"status":"success","data":{"resultType":"streams","result":["#,
            r#"{"stream":{"app":"x","level":"warn"},"values":[["2","b"]]},"#,
            r#"{"stream":{"app":"x","trace":"1"},"values":[["3","\u003cc\u003e"],["1","a"]]},"#,
            r#"{"stream":{"app":"x"},"values":[["0",""]]}]"#,
        );
        assert_eq!(body(&streams, false), plain);
        let categorized = concat!(
            r#"{"status":"success","data":{"resultType":"streams","encodingFlags":["categorize-labels"],"result":["#,
            r#"{"stream":{"app":"x"},"values":[["3","\u003cc\u003e",{"structuredMetadata":{"trace":"1"}}],"#,
            r#"["2","b",{"parsed":{"level":"warn"}}],["1","a",{"structuredMetadata":{"trace":"1"}}],["0","",{}]]}]"#,
        );
        assert_eq!(body(&streams, true), categorized);
        assert_eq!(body(&[], false), r#"{"status":"success","data":{"resultType":"streams","result":[]"#);
    }
}
