//! The outer layers of a push body: media type, content encoding, size bounds.

use std::io::Read;

use bytes::Bytes;
use flate2::bufread::{DeflateDecoder, GzDecoder};

use super::{PushApi, PushBody, PushBodyError, json, json_legacy, protobuf};

/// Bounds on one push body.
#[derive(Clone, Copy, Debug)]
pub struct PayloadLimits {
    /// Bytes on the wire (`distributor.max_recv_msg_size`).
    pub body_bytes_max: usize,
    /// Bytes after decompression (`distributor.max_decompressed_size`).
    pub decompressed_bytes_max: usize,
}

/// A push body with its encodings undone.
#[derive(Debug)]
pub struct Payload {
    bytes: Bytes,
    format: Format,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Json,
    JsonLegacy,
    Protobuf,
}

impl Payload {
    /// Undoes the content encoding of `body`.
    ///
    /// JSON bodies may be plain, gzip or raw deflate (snappy is ignored, as Loki does); every other
    /// media type is protobuf, which is always a raw snappy block, within gzip or deflate if so encoded.
    ///
    /// # Errors
    /// When a header is unusable, a bound is passed, or the compressed data is damaged.
    pub fn open(
        api: PushApi,
        content_type: &str,
        content_encoding: &str,
        body: Bytes,
        limits: PayloadLimits,
    ) -> Result<Self, PushBodyError> {
        if body.len() > limits.body_bytes_max {
            let (size, max) = (body.len() as u64, limits.body_bytes_max as u64);
            return Err(PushBodyError::TooLarge { what: "", size, max });
        }
        let media_type = media_type(content_type)?;
        let format = match (media_type == "application/json", api) {
            (true, PushApi::V1) => Format::Json,
            (true, PushApi::Legacy) => Format::JsonLegacy,
            (false, _) => Format::Protobuf,
        };
        let max = limits.decompressed_bytes_max;
        let inflated = match content_encoding {
            "" | "snappy" => body,
            "gzip" => inflate(GzDecoder::new(&body[..]), max)?,
            "deflate" => inflate(DeflateDecoder::new(&body[..]), max)?,
            other => return Err(PushBodyError::invalid(format!("Content-Encoding \"{other}\" not supported"))),
        };
        let bytes = match format {
            Format::Protobuf => unsnap(&inflated, max)?,
            Format::Json | Format::JsonLegacy => inflated,
        };
        Ok(Self { bytes, format })
    }

    /// Bytes after decompression.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True for a body without bytes.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Reads the streams.
    ///
    /// # Errors
    /// When the bytes do not have the announced format, or a label set cannot be parsed.
    pub fn parse(&self) -> Result<PushBody<'_>, PushBodyError> {
        match self.format {
            Format::Json => json::parse(&self.bytes),
            Format::JsonLegacy => json_legacy::parse(&self.bytes),
            Format::Protobuf => protobuf::parse(&self.bytes),
        }
    }
}

/// The media type without parameters, lower-cased; the errors are those of Go's `mime` package, which clients see from Loki.
fn media_type(content_type: &str) -> Result<String, PushBodyError> {
    let bare = content_type.split(';').next().unwrap_or_default().trim();
    if bare.is_empty() {
        return Err(PushBodyError::invalid("mime: no media type"));
    }
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-*'`|~%".contains(&b))
    };
    let well_formed = match bare.split_once('/') {
        None => token(bare),
        Some((kind, subtype)) => token(kind) && token(subtype),
    };
    if !well_formed {
        return Err(PushBodyError::invalid("mime: unexpected content after media subtype"));
    }
    Ok(bare.to_ascii_lowercase())
}

fn inflate(reader: impl Read, max: usize) -> Result<Bytes, PushBodyError> {
    let mut out = Vec::new();
    // One byte more than allowed tells "too large" from "just fits".
    let read = reader.take(max as u64 + 1).read_to_end(&mut out);
    if out.len() > max {
        return Err(PushBodyError::TooLarge { what: "decompressed ", size: out.len() as u64, max: max as u64 });
    }
    read.map_err(|error| PushBodyError::invalid(format!("cannot decompress the body: {error}")))?;
    Ok(out.into())
}

fn unsnap(body: &[u8], max: usize) -> Result<Bytes, PushBodyError> {
    let damaged = |error: snap::Error| PushBodyError::invalid(error.to_string());
    let len = snap::raw::decompress_len(body).map_err(damaged)?;
    if len > max {
        return Err(PushBodyError::TooLarge { what: "decompressed ", size: len as u64, max: max as u64 });
    }
    // No snappy element expands more than 64 bytes for 2, so a length beyond that is a lie not worth an allocation.
    if len / 32 > body.len() {
        return Err(PushBodyError::invalid("snappy: corrupt input"));
    }
    snap::raw::Decoder::new().decompress_vec(body).map(Bytes::from).map_err(damaged)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const LIMITS: PayloadLimits = PayloadLimits { body_bytes_max: 1000, decompressed_bytes_max: 2000 };
    const JSON: &str = r#"{"streams":[{"stream":{"a":"b"},"values":[["1","x"]]}]}"#;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        e.write_all(bytes).expect("in memory");
        e.finish().expect("in memory")
    }

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut e = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        e.write_all(bytes).expect("in memory");
        e.finish().expect("in memory")
    }

    fn outcome(content_type: &str, encoding: &str, body: Vec<u8>) -> Result<usize, String> {
        let payload =
            Payload::open(PushApi::V1, content_type, encoding, body.into(), LIMITS).map_err(|e| e.to_string())?;
        payload.parse().map(|b| b.streams.len()).map_err(|e| e.to_string())
    }

    #[test]
    fn encodings() {
        let snappy = snap::raw::Encoder::new().compress_vec(b"").expect("small");
        let bomb = gzip(&vec![b' '; 3000]);
        let cases = [
            ("application/json", "", JSON.into(), Ok(1)),
            ("application/json; charset=utf-8", "", JSON.into(), Ok(1)),
            ("application/json", "snappy", JSON.into(), Ok(1)),
            ("application/json", "gzip", gzip(JSON.as_bytes()), Ok(1)),
            ("application/json", "deflate", deflate(JSON.as_bytes()), Ok(1)),
            ("application/json", "zstd", JSON.into(), Err("Content-Encoding \"zstd\" not supported")),
            ("", "", JSON.into(), Err("mime: no media type")),
            ("application/x-protobuf", "", snappy.clone(), Ok(0)),
            ("application/x-protobuf", "snappy", snappy.clone(), Ok(0)),
            ("application/x-protobuf", "gzip", gzip(&snappy), Ok(0)),
            (
                "application/json",
                "gzip",
                bomb,
                Err("request body too large: decompressed message size too large than max (2001 vs 2000)"),
            ),
            (
                "application/json",
                "",
                vec![b' '; 1001],
                Err("request body too large: message size too large than max (1001 vs 1000)"),
            ),
        ];
        for (content_type, encoding, body, expect) in cases {
            assert_eq!(
                outcome(content_type, encoding, body),
                expect.map_err(str::to_owned),
                "{content_type} {encoding}"
            );
        }
    }

    #[test]
    fn damaged_compression_is_an_error() {
        for (content_type, encoding, body) in [
            ("application/json", "gzip", b"no gzip".to_vec()),
            ("application/x-protobuf", "", b"\xff\xff\xff\xff\x0fx".to_vec()),
            ("application/x-protobuf", "", b"\xd0\x0fx".to_vec()),
            ("application/x-protobuf", "", b"".to_vec()),
        ] {
            assert!(outcome(content_type, encoding, body.clone()).is_err(), "{encoding} {body:?}");
        }
    }
}
