//! Labels, series and counts: answers without log lines.

use std::collections::{BTreeMap, BTreeSet};

use skald_model::Labels;
use skald_wire::json;

/// Label names or values. Without any, `data` is left out.
pub(crate) fn labels_body(names: &BTreeSet<String>) -> Vec<u8> {
    let mut out = b"{\"status\":\"success\"".to_vec();
    if !names.is_empty() {
        out.extend_from_slice(b",\"data\":");
        json::array(&mut out, names, |out, name| json::string(out, name.as_bytes()));
    }
    out.extend_from_slice(b"}\n");
    out
}

/// Label sets.
pub(crate) fn series_body<'a>(series: impl IntoIterator<Item = &'a Labels>) -> Vec<u8> {
    let mut out = b"{\"status\":\"success\",\"data\":".to_vec();
    json::array(&mut out, series, json::labels);
    out.extend_from_slice(b"}\n");
    out
}

/// How much there is: of each stream its rows and bytes, and how many pieces they lie in.
pub(crate) fn index_stats_body(streams: &BTreeMap<Labels, (u64, u64)>, chunks: u64) -> Vec<u8> {
    let (rows, bytes) = streams.values().fold((0, 0), |(rows, bytes), (r, b)| (rows + r, bytes + b));
    let count = streams.len();
    format!("{{\"streams\":{count},\"chunks\":{chunks},\"bytes\":{bytes},\"entries\":{rows}}}\n").into_bytes()
}

/// A laid out query, or what is wrong with it.
pub(crate) fn format_query_body(status: &str, field: &str, text: &str) -> Vec<u8> {
    let mut out = format!("{{\"status\":\"{status}\",\"{field}\":").into_bytes();
    json::string(&mut out, text.as_bytes());
    out.extend_from_slice(b"}\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let text = |body: Vec<u8>| String::from_utf8(body).unwrap();
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        assert_eq!(text(labels_body(&names(&[]))), "{\"status\":\"success\"}\n");
        assert_eq!(text(labels_body(&names(&["b", "a<"]))), "{\"status\":\"success\",\"data\":[\"a\\u003c\",\"b\"]}\n");
        assert_eq!(text(series_body([])), "{\"status\":\"success\",\"data\":[]}\n");
        let x = Labels::from_pairs([("b", "2"), ("a", "1")]);
        assert_eq!(text(series_body([&x])), "{\"status\":\"success\",\"data\":[{\"a\":\"1\",\"b\":\"2\"}]}\n");
        let streams = BTreeMap::from([(x, (3, 30)), (Labels::empty(), (1, 5))]);
        let stats = "{\"streams\":2,\"chunks\":4,\"bytes\":35,\"entries\":4}\n";
        assert_eq!(text(index_stats_body(&streams, 4)), stats);
    }
}
