//! The index region of a section: one contiguous range that says which streams it holds and where
//! the columns of its pages lie. Blocks with tags, so that filters and histograms stand beside these
//! later, and a reader that does not know them skips them.

use std::sync::Arc;

use bytes::Bytes;
use skald_model::varint::{self, Reader};

use crate::{
    codec::{self, Codec, Compressor},
    entry::{SectionEntry, SectionKey},
    error::{Fault, SegmentError, WriteError},
    format::{self, VERSION},
    page::{self, PageMeta},
    streams::{self, StreamMeta},
};

const STREAMS: u64 = 1;
const PAGES: u64 = 2;

/// Streams and pages of one section, decoded.
#[derive(Clone, Debug)]
pub struct SectionIndex {
    pub(crate) key: SectionKey,
    /// Where the section's pages begin in the object.
    pub(crate) data_offset: u64,
    pub(crate) streams: Vec<StreamMeta>,
    pub(crate) pages: Vec<PageMeta>,
    pub(crate) keys: Vec<Arc<str>>,
}

impl SectionIndex {
    /// Reads the bytes of `entry.index`.
    ///
    /// # Errors
    /// For damage, for bytes that are another section's, and for versions this code does not know.
    pub fn decode(entry: &SectionEntry, bytes: &Bytes) -> Result<Self, SegmentError> {
        let fail = |fault: Fault, part: &str| fault.within(&entry.key, part, entry.index.start);
        let blocks = blocks(bytes).map_err(|fault| fail(fault, "index region"))?;
        let (mut streams, mut pages) = (None, None);
        for block in blocks {
            let raw = || block.content().map_err(|fault| fail(fault, "index block"));
            match block.tag {
                STREAMS => {
                    streams = Some(streams::decode_streams(&raw()?).map_err(|fault| fail(fault, "streams table"))?)
                }
                PAGES => pages = Some(page::decode_pages(&raw()?).map_err(|fault| fail(fault, "page table"))?),
                other => format::unknown_block(other).map_err(|fault| fail(fault, "index region"))?,
            }
        }
        let (Some(streams), Some((keys, pages))) = (streams, pages) else {
            return Err(fail(Fault::Malformed("a table is missing"), "index region"));
        };
        let index = Self { key: entry.key.clone(), data_offset: entry.data.start, streams, pages, keys };
        if index.fits(entry) {
            Ok(index)
        } else {
            Err(fail(Fault::Malformed("tables and directory disagree"), "index region"))
        }
    }

    /// The streams in their order.
    pub fn streams(&self) -> &[StreamMeta] {
        &self.streams
    }

    /// The pages in the order of their rows.
    pub fn pages(&self) -> &[PageMeta] {
        &self.pages
    }

    /// Names of the section's metadata keys; [`crate::Column::Metadata`] counts in this list.
    pub fn metadata_keys(&self) -> &[Arc<str>] {
        &self.keys
    }

    /// Whose section this is.
    pub fn key(&self) -> &SectionKey {
        &self.key
    }

    /// About how much memory the index takes, for caches.
    pub fn heap_bytes(&self) -> usize {
        let streams: usize = self.streams.iter().map(|s| size_of::<StreamMeta>() + s.labels.heap_bytes()).sum();
        let pages: usize =
            self.pages.iter().map(|p| size_of::<PageMeta>() + p.chunks.len() * size_of::<page::Chunk>()).sum();
        streams + pages + self.keys.iter().map(|k| k.len() + 32).sum::<usize>()
    }

    /// True when the tables agree with one another and with the directory. Everything that reads
    /// pages relies on it.
    fn fits(&self, entry: &SectionEntry) -> bool {
        let stream_rows = self.streams.last().map(|s| s.first_row.checked_add(s.rows));
        let page_rows = self.pages.last().map(|p| p.first_row + u64::from(p.rows));
        let stored = self.pages.iter().rev().find_map(|p| p.chunks.last()).map_or(0, |c| c.offset + c.stored_len);
        let streams_of_page = |p: &PageMeta| {
            let end = p.first_row + u64::from(p.rows);
            let begins = self
                .streams
                .get(p.first_stream as usize)
                .is_some_and(|s| (s.first_row..s.first_row + s.rows).contains(&p.first_row));
            let ends = self
                .streams
                .get(p.last_stream as usize)
                .is_some_and(|s| (s.first_row..s.first_row + s.rows).contains(&(end - 1)));
            begins && ends
        };
        self.streams.len() as u64 == entry.streams
            && stream_rows == Some(Some(entry.rows))
            && page_rows == Some(entry.rows)
            && stored == entry.data.end - entry.data.start
            && self.pages.iter().all(streams_of_page)
    }
}

/// One block of an index region.
struct Block {
    tag: u64,
    codec: u8,
    raw_len: u64,
    crc: u32,
    stored: Bytes,
}

impl Block {
    fn content(&self) -> Result<Bytes, Fault> {
        if crc32fast::hash(&self.stored) != self.crc {
            return Err(Fault::Checksum);
        }
        codec::decompress(self.codec, &self.stored, self.raw_len)
    }
}

fn blocks(bytes: &Bytes) -> Result<Vec<Block>, Fault> {
    let cut = Fault::Malformed("ends early");
    let mut reader = Reader::new(bytes);
    let version = reader.u8().ok_or(cut)?;
    let mut heads = Vec::new();
    if version == VERSION {
        for _ in 0..reader.count().ok_or(cut)? {
            heads.push(take_head(&mut reader).ok_or(cut)?);
        }
    }
    if version != VERSION {
        return Err(Fault::UnknownVersion(version.into()));
    }
    let head_len = reader.position();
    let crc = format::take_fixed_u32(&mut reader).ok_or(cut)?;
    if crc32fast::hash(&bytes[..head_len]) != crc {
        return Err(Fault::Checksum);
    }
    let mut blocks = Vec::with_capacity(heads.len());
    for (tag, codec, stored_len, raw_len, crc) in heads {
        let start = reader.position();
        let len = reader.take(stored_len).ok_or(cut)?.len();
        blocks.push(Block { tag, codec, raw_len, crc, stored: bytes.slice(start..start + len) });
    }
    if reader.remaining() == 0 { Ok(blocks) } else { Err(Fault::Malformed("bytes after the last block")) }
}

fn take_head(reader: &mut Reader<'_>) -> Option<(u64, u8, usize, u64, u32)> {
    Some((reader.u64()?, reader.u8()?, reader.usize()?, reader.u64()?, format::take_fixed_u32(reader)?))
}

/// The index region of a section.
pub(crate) fn encode_index(
    streams: &[StreamMeta],
    keys: &[Arc<str>],
    pages: &[PageMeta],
    codec: Codec,
    compressor: &mut Compressor,
) -> Result<Vec<u8>, WriteError> {
    let mut streams_table = Vec::new();
    streams::encode_streams(&mut streams_table, streams);
    let mut page_table = Vec::new();
    page::encode_pages(&mut page_table, keys, pages);
    let tables = [(STREAMS, streams_table), (PAGES, page_table)];
    let mut out = vec![VERSION];
    varint::put_u64(&mut out, tables.len() as u64);
    let mut contents = Vec::new();
    for (tag, table) in &tables {
        let (codec_tag, stored) = compressor.compress(codec.for_numbers(), table)?;
        varint::put_u64(&mut out, *tag);
        out.push(codec_tag);
        varint::put_u64(&mut out, stored.len() as u64);
        varint::put_u64(&mut out, table.len() as u64);
        out.extend_from_slice(&crc32fast::hash(stored).to_le_bytes());
        contents.extend_from_slice(stored);
    }
    format::seal(&mut out);
    out.extend_from_slice(&contents);
    Ok(out)
}
