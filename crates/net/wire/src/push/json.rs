//! The JSON push body: `{"streams":[{"stream":{..},"values":[["<ns>","<line>",{..}]]}]}`.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize,
    de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use skald_model::Timestamp;

use super::{Pair, PushBody, PushBodyError, PushEntry, PushStream};

pub(super) fn parse(bytes: &[u8]) -> Result<PushBody<'_>, PushBodyError> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow, default)]
        streams: Option<Vec<Option<Stream<'a>>>>,
    }
    let body: Body<'_> = serde_json::from_slice(bytes).map_err(|e| PushBodyError::invalid(e.to_string()))?;
    Ok(PushBody { streams: body.streams.unwrap_or_default().into_iter().flatten().map(|s| s.0).collect() })
}

/// A string that borrows from the body unless it holds escapes.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

struct Stream<'a>(PushStream<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Stream<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<'a>(PhantomData<&'a ()>);

        impl<'de: 'a, 'a> Visitor<'de> for Fields<'a> {
            type Value = PushStream<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a stream with \"stream\" and \"values\"")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut stream = PushStream::default();
                while let Some(Text(key)) = map.next_key()? {
                    match &*key {
                        "stream" => stream.labels = map.next_value::<Option<Pairs<'a>>>()?.unwrap_or_default().0,
                        "values" => map.next_value_seed(Values(&mut stream))?,
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(stream)
            }
        }

        deserializer.deserialize_map(Fields(PhantomData)).map(Stream)
    }
}

/// An object whose values are strings.
#[derive(Default)]
struct Pairs<'a>(Vec<Pair<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut out = Vec::new();
        deserializer.deserialize_map(PairsInto(&mut out))?;
        Ok(Self(out))
    }
}

/// Appends the pairs of an object.
struct PairsInto<'v, 'a>(&'v mut Vec<Pair<'a>>);

impl<'de: 'a, 'a> Visitor<'de> for PairsInto<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((Text(name), Text(value))) = map.next_entry::<Text<'a>, Text<'a>>()? {
            self.0.push((name, value));
        }
        Ok(())
    }
}

impl<'de: 'a, 'a> DeserializeSeed<'de> for PairsInto<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

/// The array of entries; `null` for the whole or for one entry is skipped.
struct Values<'v, 'a>(&'v mut PushStream<'a>);

impl<'de: 'a, 'a> DeserializeSeed<'de> for Values<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de: 'a, 'a> Visitor<'de> for Values<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of entries")
    }

    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Entry(self.0))?.is_some() {}
        Ok(())
    }
}

/// `["<ns>", "<line>"]` or `["<ns>", "<line>", {..}]`.
struct Entry<'v, 'a>(&'v mut PushStream<'a>);

impl<'de: 'a, 'a> DeserializeSeed<'de> for Entry<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de: 'a, 'a> Visitor<'de> for Entry<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an entry: [\"<unix nanoseconds>\", \"<line>\", {optional metadata}]")
    }

    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let missing = |what| de::Error::custom(format!("entry without {what}"));
        let Text(time) = seq.next_element::<Text<'a>>()?.ok_or_else(|| missing("timestamp"))?;
        let nanos = time
            .parse()
            .map_err(|_| de::Error::custom(format!("timestamp {time:?} is not a number of nanoseconds")))?;
        let Text(line) = seq.next_element::<Text<'a>>()?.ok_or_else(|| missing("line"))?;
        let start = self.0.metadata.len() as u32;
        if seq.next_element_seed(OptionalPairs(&mut self.0.metadata))?.is_some() {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
        }
        let line = match line {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        let metadata = start..self.0.metadata.len() as u32;
        self.0.entries.push(PushEntry { timestamp: Timestamp(nanos), line, metadata });
        Ok(())
    }
}

/// An object of strings, or `null`.
struct OptionalPairs<'v, 'a>(&'v mut Vec<Pair<'a>>);

impl<'de: 'a, 'a> DeserializeSeed<'de> for OptionalPairs<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de: 'a, 'a> Visitor<'de> for OptionalPairs<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings as structured metadata")
    }

    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        PairsInto(self.0).deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Result<String, String> {
        let body = parse(text.as_bytes()).map_err(|e| e.to_string())?;
        let stream = |s: &PushStream<'_>| {
            let labels: Vec<_> = s.labels.iter().map(|(n, v)| format!("{n}={v}")).collect();
            let entries = s.entries.iter().map(|e| {
                let meta: Vec<_> = s.metadata_of(e).iter().map(|(n, v)| format!("{n}={v}")).collect();
                format!("{}:{}[{}]", e.timestamp, String::from_utf8_lossy(&e.line), meta.join(","))
            });
            format!("{{{}}} {}", labels.join(","), entries.collect::<Vec<_>>().join(" "))
        };
        Ok(body.streams.iter().map(stream).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn accepts() {
        let cases = [
            (r#"{"streams":[{"stream":{"a":"b"},"values":[["1","x"],["2","y",{"k":"v"}]]}]}"#, "{a=b} 1:x[] 2:y[k=v]"),
            (r#"{"streams":[{"values":[null,["1","x",null]],"stream":{"a":"b"},"more":[1]}],"z":{}}"#, "{a=b} 1:x[]"),
            (r#"{"streams":[null,{"stream":{"a":"b"},"values":null}]}"#, "{a=b} "),
            (r#"{"streams":[{"stream":{"a":"\u00e9"},"values":[["-5","t\"\n"]]}]}"#, "{a=é} -5:t\"\n[]"),
            (r#"{"streams":[]}"#, ""),
            (r"{}", ""),
        ];
        for (text, expect) in cases {
            assert_eq!(shape(text).as_deref(), Ok(expect), "{text}");
        }
    }

    #[test]
    fn refuses() {
        for text in [
            "",
            "[]x",
            r#"{"streams":[{"stream":{"a":"b"},"values":[[1,"x"]]}]}"#,
            r#"{"streams":[{"stream":{"a":"b"},"values":[["1",2]]}]}"#,
            r#"{"streams":[{"stream":{"a":"b"},"values":[["1"]]}]}"#,
            r#"{"streams":[{"stream":{"a":"b"},"values":[["1.5","x"]]}]}"#,
            r#"{"streams":[{"stream":{"a":1},"values":[["1","x"]]}]}"#,
            r#"{"streams":[{"stream":{"a":"b"},"values":[["1","x",{"k":1}]]}]}"#,
            r#"{"streams":{"a":"b"}}"#,
        ] {
            assert!(shape(text).is_err(), "{text}");
        }
    }
}
