//! Answers of the query API, as far as the program reads them.

use std::collections::BTreeMap;

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny},
};
use skald_model::Labels;

/// What most endpoints wrap their data in.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de> + Default"))]
pub(crate) struct Envelope<T> {
    /// Left out by label endpoints that found nothing.
    #[serde(default)]
    pub(crate) data: T,
    /// What the server wants known.
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
}

/// The data of a query.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct QueryData {
    /// What was found.
    #[serde(flatten)]
    pub(crate) result: QueryResult,
    /// What it cost.
    #[serde(default)]
    pub(crate) stats: Option<Stats>,
}

/// Found by a query.
#[derive(Debug, Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
pub(crate) enum QueryResult {
    /// Lines.
    Streams(Vec<Stream>),
    /// Series over a range.
    Matrix(Vec<Series>),
    /// Series at an instant.
    Vector(Vec<Sample>),
    /// A number.
    Scalar(Point),
}

impl Default for QueryResult {
    fn default() -> Self {
        Self::Streams(Vec::new())
    }
}

/// Lines of one stream.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Stream {
    /// Its labels, metadata and parsed labels among them.
    #[serde(rename = "stream", deserialize_with = "labels")]
    pub(crate) labels: Labels,
    /// In the query's direction.
    pub(crate) values: Vec<Entry>,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "RawEntry")]
pub(crate) struct Entry {
    /// Nanoseconds since the epoch.
    pub(crate) timestamp: i64,
    /// Its text.
    pub(crate) line: String,
}

/// A server that was asked to categorize labels adds a third element.
#[derive(Deserialize)]
struct RawEntry(#[serde(deserialize_with = "integer")] i64, String, #[serde(default)] Option<IgnoredAny>);

impl From<RawEntry> for Entry {
    fn from(raw: RawEntry) -> Self {
        let RawEntry(timestamp, line, _categories) = raw;
        Self { timestamp, line }
    }
}

/// A series over a range.
#[derive(Debug, Deserialize)]
pub(crate) struct Series {
    /// Its labels.
    #[serde(deserialize_with = "labels")]
    pub(crate) metric: Labels,
    /// Ascending in time.
    pub(crate) values: Vec<Point>,
}

/// A series at an instant.
#[derive(Debug, Deserialize)]
pub(crate) struct Sample {
    /// Its labels.
    #[serde(deserialize_with = "labels")]
    pub(crate) metric: Labels,
    /// Its value.
    pub(crate) value: Point,
}

/// Seconds since the epoch and the value's text, which may be `NaN` or `+Inf`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Point(pub(crate) f64, pub(crate) String);

impl Point {
    /// Nanoseconds since the epoch; the API counts milliseconds.
    pub(crate) fn nanos(&self) -> i64 {
        (self.0 * 1000.0).round() as i64 * 1_000_000
    }
}

/// What a query cost.
#[derive(Debug, Deserialize)]
pub(crate) struct Stats {
    /// In all.
    #[serde(default)]
    pub(crate) summary: Summary,
}

/// What a query cost in all.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Summary {
    /// Bytes of lines looked at.
    pub(crate) total_bytes_processed: u64,
    /// Lines looked at.
    pub(crate) total_lines_processed: u64,
    /// Lines returned.
    pub(crate) total_entries_returned: u64,
    /// Seconds it took.
    pub(crate) exec_time: f64,
    /// Seconds it waited before.
    pub(crate) queue_time: f64,
}

/// A message of the tail websocket.
#[derive(Debug, Deserialize)]
pub(crate) struct TailMessage {
    /// New lines.
    #[serde(default)]
    pub(crate) streams: Vec<Stream>,
    /// Lines that were not sent because this client was too slow.
    #[serde(default)]
    pub(crate) dropped_entries: Option<Vec<DroppedEntry>>,
}

/// A line that was not sent.
#[derive(Debug, Deserialize)]
pub(crate) struct DroppedEntry {
    /// Nanoseconds since the epoch.
    #[serde(deserialize_with = "integer")]
    pub(crate) timestamp: i64,
    /// Of its stream.
    #[serde(deserialize_with = "labels")]
    pub(crate) labels: Labels,
}

/// Bare answer of `index/stats`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct IndexStats {
    /// Streams that match.
    pub(crate) streams: u64,
    /// Pieces of storage that hold them.
    pub(crate) chunks: u64,
    /// Bytes of lines.
    pub(crate) bytes: u64,
    /// Lines.
    pub(crate) entries: u64,
}

/// Label sets travel as objects.
pub(crate) fn labels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Labels, D::Error> {
    let pairs = BTreeMap::<String, String>::deserialize(deserializer)?;
    Ok(Labels::from_pairs(pairs))
}

/// Nanoseconds travel as strings, because JavaScript cannot count that far; some servers' dropped
/// entries carry RFC 3339.
fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let rfc3339 = || text.parse::<jiff::Timestamp>().ok().and_then(|t| i64::try_from(t.as_nanosecond()).ok());
    text.parse().ok().or_else(rfc3339).ok_or_else(|| D::Error::custom(format!("{text:?} is no timestamp")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Envelope<QueryData> {
        serde_json::from_str(body).expect(body)
    }

    #[test]
    fn streams() {
        let got = parse(
            r#"{"status":"success","data":{"resultType":"streams","encodingFlags":["categorize-labels"],"result":
            [{"stream":{"b":"2","a":"1"},"values":[["5","x\u003c"],["6","y",{"parsed":{"p":"q"}}]]}],
            "stats":{"summary":{"totalBytesProcessed":7,"execTime":0.5}}},"warnings":["w"]}"#,
        );
        assert_eq!(got.warnings, ["w"]);
        let summary = got.data.stats.unwrap().summary;
        assert_eq!((summary.total_bytes_processed, summary.exec_time), (7, 0.5));
        let QueryResult::Streams(streams) = got.data.result else { panic!("not streams") };
        assert_eq!(streams[0].labels.to_string(), r#"{a="1", b="2"}"#);
        let lines: Vec<_> = streams[0].values.iter().map(|e| (e.timestamp, &*e.line)).collect();
        assert_eq!(lines, [(5, "x<"), (6, "y")]);
    }

    #[test]
    fn metrics() {
        let matrix = r#"{"data":{"resultType":"matrix","result":[{"metric":{},"values":[[1.5,"NaN"]]}]}}"#;
        let QueryResult::Matrix(series) = parse(matrix).data.result else { panic!("not a matrix") };
        assert_eq!((series[0].values[0].nanos(), &*series[0].values[0].1), (1_500_000_000, "NaN"));
        let vector = r#"{"data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1,"2"]}]}}"#;
        assert!(matches!(parse(vector).data.result, QueryResult::Vector(v) if v[0].value == Point(1.0, "2".into())));
        let scalar = r#"{"data":{"resultType":"scalar","result":[1,"2"]}}"#;
        assert!(matches!(parse(scalar).data.result, QueryResult::Scalar(p) if p.0 == 1.0));
    }

    #[test]
    fn labels_may_be_left_out() {
        let got: Envelope<Vec<String>> = serde_json::from_str(r#"{"status":"success"}"#).unwrap();
        assert!(got.data.is_empty() && got.warnings.is_empty());
    }

    #[test]
    fn tails() {
        let body = r#"{"streams":[],"dropped_entries":[{"timestamp":"9","labels":{"a":"b"}}]}"#;
        let message: TailMessage = serde_json::from_str(body).unwrap();
        assert_eq!(message.dropped_entries.unwrap()[0].timestamp, 9);
        assert!(serde_json::from_str::<TailMessage>(r#"{"streams":[{"stream":{},"values":[["x","y"]]}]}"#).is_err());
    }
}
