//! The protobuf push request, read in place.
//!
//! A hand-written walk over `proto/push.proto` instead of generated code: it borrows every line from
//! the body, where generated messages would allocate each one. A test compares it with the generated code.

use std::borrow::Cow;

use skald_model::{Timestamp, varint::Reader};

use super::{Pair, PushBody, PushBodyError, PushEntry, PushStream, parse_label_text};

/// A label text longer than this is refused before it is parsed (Loki's bound).
const LABEL_TEXT_BYTES_MAX: usize = 16 << 20;

pub(super) fn parse(bytes: &[u8]) -> Result<PushBody<'_>, PushBodyError> {
    let mut body = PushBody::default();
    let mut fields = Fields(Reader::new(bytes));
    while let Some((number, value)) = fields.next()? {
        if let (1, Value::Bytes(bytes)) = (number, value) {
            body.streams.push(stream(bytes)?);
        }
    }
    Ok(body)
}

fn stream(bytes: &[u8]) -> Result<PushStream<'_>, PushBodyError> {
    let mut out = PushStream::default();
    let mut text = "";
    let mut fields = Fields(Reader::new(bytes));
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Value::Bytes(bytes)) => text = utf8(bytes, "labels")?,
            (2, Value::Bytes(bytes)) => entry(bytes, &mut out)?,
            _ => {}
        }
    }
    if text.len() > LABEL_TEXT_BYTES_MAX {
        return Err(PushBodyError::TooLarge { what: "", size: text.len() as u64, max: LABEL_TEXT_BYTES_MAX as u64 });
    }
    out.labels = parse_label_text(text).map_err(|e| PushBodyError::invalid(format!("couldn't parse labels: {e}")))?;
    Ok(out)
}

fn entry<'a>(bytes: &'a [u8], stream: &mut PushStream<'a>) -> Result<(), PushBodyError> {
    let mut timestamp = Timestamp(0);
    let mut line: &[u8] = b"";
    let start = stream.metadata.len() as u32;
    let mut fields = Fields(Reader::new(bytes));
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Value::Bytes(bytes)) => timestamp = instant(bytes)?,
            (2, Value::Bytes(bytes)) => line = bytes,
            (3, Value::Bytes(bytes)) => stream.metadata.push(pair(bytes)?),
            _ => {}
        }
    }
    let metadata = start..stream.metadata.len() as u32;
    stream.entries.push(PushEntry { timestamp, line: Cow::Borrowed(line), metadata });
    Ok(())
}

/// `google.protobuf.Timestamp`: seconds = 1, nanos = 2.
fn instant(bytes: &[u8]) -> Result<Timestamp, PushBodyError> {
    let (mut seconds, mut nanos) = (0i64, 0i64);
    let mut fields = Fields(Reader::new(bytes));
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Value::Varint(v)) => seconds = v as i64,
            (2, Value::Varint(v)) => nanos = i64::from(v as i32),
            _ => {}
        }
    }
    let total = seconds.checked_mul(1_000_000_000).and_then(|ns| ns.checked_add(nanos));
    total.map(Timestamp).ok_or_else(|| PushBodyError::invalid("timestamp out of range"))
}

fn pair(bytes: &[u8]) -> Result<Pair<'_>, PushBodyError> {
    let (mut name, mut value) = (Cow::Borrowed(""), Cow::Borrowed(""));
    let mut fields = Fields(Reader::new(bytes));
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Value::Bytes(bytes)) => name = Cow::Borrowed(utf8(bytes, "metadata name")?),
            (2, Value::Bytes(bytes)) => value = lossy(bytes),
            _ => {}
        }
    }
    Ok((name, value))
}

fn utf8<'a>(bytes: &'a [u8], what: &str) -> Result<&'a str, PushBodyError> {
    std::str::from_utf8(bytes).map_err(|_| PushBodyError::invalid(format!("{what} is not valid UTF-8")))
}

/// Invalid UTF-8 in a metadata value becomes spaces, as Loki does.
fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(text) => Cow::Borrowed(text),
        Cow::Owned(text) => Cow::Owned(text.replace('\u{fffd}', " ")),
    }
}

/// The fields of one message.
struct Fields<'a>(Reader<'a>);

enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed,
}

impl<'a> Fields<'a> {
    /// The next field with its number; `None` at the end.
    #[inline]
    fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, PushBodyError> {
        if self.0.remaining() == 0 {
            return Ok(None);
        }
        let field = self.field().ok_or_else(|| PushBodyError::invalid("malformed protobuf push request"))?;
        Ok(Some(field))
    }

    #[inline]
    fn field(&mut self) -> Option<(u64, Value<'a>)> {
        let key = self.0.u64()?;
        let value = match key & 7 {
            0 => Value::Varint(self.0.u64()?),
            1 => self.0.take(8).map(|_| Value::Fixed)?,
            2 => Value::Bytes(self.0.bytes()?),
            5 => self.0.take(4).map(|_| Value::Fixed)?,
            _ => return None,
        };
        (key >> 3 != 0).then_some((key >> 3, value))
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::pb::logproto;

    fn sample() -> logproto::PushRequest {
        let entry = |seconds, nanos, line: &str, pairs: &[(&str, &str)]| logproto::EntryAdapter {
            timestamp: Some(prost_types::Timestamp { seconds, nanos }),
            line: line.into(),
            structured_metadata: pairs
                .iter()
                .map(|(n, v)| logproto::LabelPairAdapter { name: (*n).into(), value: (*v).into() })
                .collect(),
        };
        logproto::PushRequest {
            streams: vec![logproto::StreamAdapter {
                labels: r#"{app="x", ns="y"}"#.into(),
                entries: vec![entry(1_700_000_000, 5, "one", &[("k", "v"), ("z", "w")]), entry(-1, 0, "", &[])],
                hash: 77,
            }],
        }
    }

    #[test]
    fn agrees_with_generated_code() {
        let bytes = sample().encode_to_vec();
        let body = parse(&bytes).expect("valid");
        assert_eq!(body.streams.len(), 1);
        let stream = &body.streams[0];
        assert_eq!(stream.labels, [("app".into(), "x".into()), ("ns".into(), "y".into())]);
        let entries: Vec<_> =
            stream.entries.iter().map(|e| (e.timestamp.0, &*e.line, stream.metadata_of(e).len())).collect();
        assert_eq!(entries, [(1_700_000_000_000_000_005, &b"one"[..], 2), (-1_000_000_000, b"", 0)]);
    }

    #[test]
    fn cut_or_flipped_bytes_never_panic() {
        let bytes = sample().encode_to_vec();
        for at in 0..bytes.len() {
            let _ = parse(&bytes[..at]);
            for flip in [1, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                let _ = parse(&damaged);
            }
        }
    }

    #[test]
    fn label_errors_abort_the_request() {
        let mut request = sample();
        request.streams[0].labels = "{app=}".into();
        let error = parse(&request.encode_to_vec()).expect_err("bad labels").to_string();
        assert!(error.starts_with("couldn't parse labels: 1:6: parse error: "), "{error}");
    }
}
