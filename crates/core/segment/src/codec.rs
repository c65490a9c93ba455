//! Compression of chunks: each carries its codec's tag, so pages of one section may differ.

use std::cell::RefCell;

use bytes::Bytes;

use crate::error::{Fault, WriteError};

/// How the bytes of a chunk are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Not at all.
    None,
    /// Zstandard at a level (1 is the fast default).
    Zstd(i32),
    /// LZ4 block format.
    Lz4,
    /// Snappy block format.
    Snappy,
}

impl Default for Codec {
    fn default() -> Self {
        Self::Zstd(1)
    }
}

/// The level at which numbers and tables are compressed whatever the codec of lines is: they are few,
/// and byte-oriented codecs do nothing for them.
const NUMBERS_LEVEL: i32 = 1;
/// Chunks shorter than this stay uncompressed: a frame's overhead eats the gain.
const COMPRESS_FROM_BYTES: usize = 48;
/// zstd packs a block of 128 KiB of one byte into 4 bytes; nothing claims more than this per stored byte.
const EXPANSION_MAX: u64 = 40_000;
/// Claims below this are believed whatever the stored length.
const EXPANSION_FREE: u64 = 64 * 1024;

const NONE: u8 = 0;
const ZSTD: u8 = 1;
const LZ4: u8 = 2;
const SNAPPY: u8 = 3;

impl Codec {
    /// The codec for columns of numbers and for tables beside lines compressed with `self`.
    pub(crate) fn for_numbers(self) -> Self {
        if self == Self::None { Self::None } else { Self::Zstd(NUMBERS_LEVEL) }
    }
}

/// The name of a stored codec tag.
pub(crate) fn name(tag: u8) -> &'static str {
    match tag {
        NONE => "none",
        ZSTD => "zstd",
        LZ4 => "lz4",
        SNAPPY => "snappy",
        _ => "unknown",
    }
}

/// Compresses chunk after chunk, reusing contexts and the output buffer.
pub(crate) struct Compressor {
    zstd: zstd::bulk::Compressor<'static>,
    level: i32,
    snappy: snap::raw::Encoder,
    out: Vec<u8>,
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compressor").field("level", &self.level).finish_non_exhaustive()
    }
}

impl Compressor {
    pub(crate) fn new() -> Result<Self, WriteError> {
        let zstd = zstd::bulk::Compressor::new(NUMBERS_LEVEL).map_err(|e| WriteError::Compress(e.to_string()))?;
        Ok(Self { zstd, level: NUMBERS_LEVEL, snappy: snap::raw::Encoder::new(), out: Vec::new() })
    }

    /// The tag and bytes to store for `raw`: those of `codec`, or `raw` itself where that is no longer.
    pub(crate) fn compress<'a>(&'a mut self, codec: Codec, raw: &'a [u8]) -> Result<(u8, &'a [u8]), WriteError> {
        if raw.len() < COMPRESS_FROM_BYTES {
            return Ok((NONE, raw));
        }
        let tag = match codec {
            Codec::None => return Ok((NONE, raw)),
            Codec::Zstd(level) => {
                self.zstd(level, raw)?;
                ZSTD
            }
            Codec::Lz4 => {
                self.out.resize(lz4_flex::block::get_maximum_output_size(raw.len()), 0);
                let len = lz4_flex::block::compress_into(raw, &mut self.out)
                    .map_err(|e| WriteError::Compress(e.to_string()))?;
                self.out.truncate(len);
                LZ4
            }
            Codec::Snappy => {
                self.out.resize(snap::raw::max_compress_len(raw.len()), 0);
                let len = self.snappy.compress(raw, &mut self.out).map_err(|e| WriteError::Compress(e.to_string()))?;
                self.out.truncate(len);
                SNAPPY
            }
        };
        if self.out.len() < raw.len() { Ok((tag, &self.out)) } else { Ok((NONE, raw)) }
    }

    fn zstd(&mut self, level: i32, raw: &[u8]) -> Result<(), WriteError> {
        let failed = |e: std::io::Error| WriteError::Compress(e.to_string());
        if level != self.level {
            self.zstd.set_compression_level(level).map_err(failed)?;
            self.level = level;
        }
        self.out.clear();
        self.out.reserve(zstd::zstd_safe::compress_bound(raw.len()));
        self.zstd.compress_to_buffer(raw, &mut self.out).map_err(failed)?;
        Ok(())
    }
}

thread_local! {
    /// A context costs more to make than a small chunk to decompress.
    static ZSTD_CONTEXT: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The `raw_len` bytes that `stored` was made of.
pub(crate) fn decompress(tag: u8, stored: &Bytes, raw_len: u64) -> Result<Bytes, Fault> {
    if raw_len > EXPANSION_FREE.max((stored.len() as u64).saturating_mul(EXPANSION_MAX)) {
        return Err(Fault::Malformed("claims to expand beyond what a codec can"));
    }
    let wrong = Fault::Malformed("does not decompress");
    let raw_len = usize::try_from(raw_len).map_err(|_| wrong)?;
    let raw = match tag {
        NONE => stored.clone(),
        ZSTD => ZSTD_CONTEXT.with_borrow_mut(|context| {
            let context = match context {
                Some(context) => context,
                None => context.insert(zstd::bulk::Decompressor::new().map_err(|_| wrong)?),
            };
            let mut raw = Vec::with_capacity(raw_len);
            context.decompress_to_buffer(stored, &mut raw).map_err(|_| wrong)?;
            Ok(Bytes::from(raw))
        })?,
        LZ4 => {
            let mut raw = vec![0; raw_len];
            let len = lz4_flex::block::decompress_into(stored, &mut raw).map_err(|_| wrong)?;
            raw.truncate(len);
            raw.into()
        }
        SNAPPY => {
            if snap::raw::decompress_len(stored).map_err(|_| wrong)? != raw_len {
                return Err(wrong);
            }
            let mut raw = vec![0; raw_len];
            snap::raw::Decoder::new().decompress(stored, &mut raw).map_err(|_| wrong)?;
            raw.into()
        }
        tag => return Err(Fault::UnknownCodec(tag.into())),
    };
    if raw.len() == raw_len { Ok(raw) } else { Err(wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_round_trips() {
        let text = "level=info msg=\"request done\" path=/api/v1/push ".repeat(200);
        let mut compressor = Compressor::new().unwrap();
        for codec in [Codec::None, Codec::Zstd(1), Codec::Zstd(3), Codec::Lz4, Codec::Snappy] {
            for raw in [&b""[..], b"short", text.as_bytes()] {
                let (tag, stored) = compressor.compress(codec, raw).unwrap();
                let stored = Bytes::copy_from_slice(stored);
                assert_eq!(decompress(tag, &stored, raw.len() as u64).unwrap(), raw, "{codec:?}");
                assert!(decompress(tag, &stored, raw.len() as u64 + 1).is_err(), "{codec:?}: wrong length");
            }
        }
    }

    #[test]
    fn unknown_codecs_and_wild_claims_are_refused() {
        let stored = Bytes::from_static(b"0123");
        assert_eq!(decompress(9, &stored, 4), Err(Fault::UnknownCodec(9)));
        assert!(matches!(decompress(ZSTD, &stored, 1 << 40), Err(Fault::Malformed(_))));
    }
}
