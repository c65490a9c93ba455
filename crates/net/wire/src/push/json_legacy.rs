//! The JSON body of `/api/prom/push`: `{"streams":[{"labels":"{a=\"b\"}","entries":[{"ts":"<RFC 3339>","line":"x"}]}]}`.

use std::borrow::Cow;

use serde::Deserialize;

use super::{Pair, PushBody, PushBodyError, PushEntry, PushStream, json::Text, parse_label_text, rfc3339};

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    streams: Vec<Stream<'a>>,
}

#[derive(Deserialize)]
struct Stream<'a> {
    #[serde(borrow)]
    labels: Text<'a>,
    #[serde(borrow, default)]
    entries: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow, alias = "timestamp")]
    ts: Text<'a>,
    #[serde(borrow)]
    line: Text<'a>,
}

pub(super) fn parse(bytes: &[u8]) -> Result<PushBody<'_>, PushBodyError> {
    let body: Body<'_> = serde_json::from_slice(bytes).map_err(|e| PushBodyError::invalid(e.to_string()))?;
    let streams = body.streams.into_iter().map(stream).collect::<Result<_, _>>()?;
    Ok(PushBody { streams })
}

fn stream(stream: Stream<'_>) -> Result<PushStream<'_>, PushBodyError> {
    let bad_labels = |e| PushBodyError::invalid(format!("couldn't parse labels: {e}"));
    let own = |(n, v): Pair<'_>| (Cow::Owned(n.into_owned()), Cow::Owned(v.into_owned()));
    let labels = match &stream.labels.0 {
        Cow::Borrowed(text) => parse_label_text(text).map_err(bad_labels)?,
        // The unescaped text lives only here, so its pairs are copied.
        Cow::Owned(text) => parse_label_text(text).map_err(bad_labels)?.into_iter().map(own).collect(),
    };
    let entries = stream.entries.into_iter().map(|entry| {
        let bad_time = || PushBodyError::invalid(format!("timestamp {:?} is not in RFC 3339", entry.ts.0));
        let timestamp = rfc3339::parse(&entry.ts.0).ok_or_else(bad_time)?;
        let line = match entry.line.0 {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        Ok(PushEntry { timestamp, line, metadata: 0..0 })
    });
    Ok(PushStream { labels, entries: entries.collect::<Result<_, PushBodyError>>()?, metadata: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_old_form() {
        let text = r#"{"streams":[{"labels":"{a=\"b\"}","entries":[{"ts":"2020-01-01T00:00:00.5Z","line":"x"}]}]}"#;
        let body = parse(text.as_bytes()).expect("valid");
        assert_eq!(body.streams[0].labels, [("a".into(), "b".into())]);
        assert_eq!(body.streams[0].entries[0].timestamp.0, 1_577_836_800_500_000_000);
    }

    #[test]
    fn refuses_other_times_and_labels() {
        for text in [
            r#"{"streams":[{"labels":"{a=\"b\"}","entries":[{"ts":"yesterday","line":"x"}]}]}"#,
            r#"{"streams":[{"labels":"{a}","entries":[]}]}"#,
            r#"{"streams":[{"entries":[]}]}"#,
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
