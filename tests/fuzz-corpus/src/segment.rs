//! Objects of the bucket: the parts alone, and whole objects whose checksums are put right.

use std::ops::Range;

use bytes::Bytes;
use skald_model::varint::Reader;
use skald_segment::{Directory, Located, SectionEntry, SectionIndex, describe, verify};

/// Header and trailer of an object, see `docs/format/segment.md`.
const HEADER: &[u8; 8] = b"SKLDSEG\x01";
const TRAILER_MAGIC: &[u8; 8] = b"SKLDEND\x01";
const TRAILER_BYTES: usize = 24;
/// Tag of the block of an index region that holds the page table, and the codec of plain bytes.
const PAGES: u64 = 2;
const PLAIN: u8 = 0;

/// Reads the input as an entry, as a directory, as an object, and as an object with good checksums.
pub fn segment(data: &[u8]) {
    if let Ok(entry) = SectionEntry::decode(data) {
        assert_eq!(SectionEntry::decode(&entry.encode()), Ok(entry));
    }
    let mut sealed = data.to_vec();
    sealed.extend_from_slice(&crc(data));
    for bytes in [data, &sealed] {
        if let Ok(directory) = Directory::decode(bytes) {
            assert_eq!(Directory::decode(&directory.encode()), Ok(directory));
        }
    }
    read(data.to_vec().into());
    let mut object = data.to_vec();
    reseal(&mut object);
    read(object.into());
}

fn read(object: Bytes) {
    let _ = verify(&object);
    let Ok(Located::Directory(directory)) = Directory::locate(&object, object.len() as u64) else { return };
    let cut = |range: &Range<u64>| object.slice(range.start as usize..range.end as usize);
    let indexes = directory.sections.iter().filter_map(|entry| SectionIndex::decode(entry, &cut(&entry.index)).ok());
    let _ = describe(&directory, &indexes.collect::<Vec<_>>()).to_string();
}

fn crc(bytes: &[u8]) -> [u8; 4] {
    crc32fast::hash(bytes).to_le_bytes()
}

/// Puts magics and checksums right from the inside out, as far as the bytes can be followed.
pub(crate) fn reseal(object: &mut [u8]) {
    let Some(trailer) = object.len().checked_sub(TRAILER_BYTES).filter(|&at| at >= HEADER.len() + 4) else { return };
    object[..8].copy_from_slice(HEADER);
    object[trailer + 16..].copy_from_slice(TRAILER_MAGIC);
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0usize, |n, &b| n << 8 | usize::from(b));
    let start = number(&object[trailer..trailer + 8]).clamp(HEADER.len(), trailer - 4);
    let offset = (start as u64).to_le_bytes();
    let length = ((trailer - start) as u32).to_le_bytes();
    object[trailer..trailer + 8].copy_from_slice(&offset);
    object[trailer + 8..trailer + 12].copy_from_slice(&length);
    let sum = crc(&object[trailer..trailer + 12]);
    object[trailer + 12..trailer + 16].copy_from_slice(&sum);
    let sum = crc(&object[start..trailer - 4]);
    object[trailer - 4..trailer].copy_from_slice(&sum);
    let Ok(Located::Directory(directory)) = Directory::locate(object, object.len() as u64) else { return };
    for entry in &directory.sections {
        let range = |r: &Range<u64>| r.start as usize..r.end as usize;
        let (index, data) = (range(&entry.index), range(&entry.data));
        if index.end <= start && data.end <= start && data.end <= index.start && index.start <= index.end {
            reseal_index(object, index, data.start.min(data.end)..data.end);
        }
    }
}

/// A block of an index region: where its checksum and its content stand.
struct Block {
    tag: u64,
    codec: u8,
    crc_at: usize,
    content: Range<usize>,
}

fn reseal_index(object: &mut [u8], index: Range<usize>, data: Range<usize>) {
    let Some((blocks, head_end)) = blocks(&object[index.clone()]) else { return };
    let at = |range: &Range<usize>| index.start + range.start..index.start + range.end;
    for block in &blocks {
        let content = at(&block.content);
        if (block.tag, block.codec) == (PAGES, PLAIN) {
            for (crc_at, chunk) in chunks(&object[content.clone()]) {
                let Some(chunk) = within(&data, &chunk) else { continue };
                let sum = crc(&object[chunk]);
                object[content.start + crc_at..content.start + crc_at + 4].copy_from_slice(&sum);
            }
        }
        let sum = crc(&object[content]);
        object[index.start + block.crc_at..index.start + block.crc_at + 4].copy_from_slice(&sum);
    }
    let sum = crc(&object[index.start..index.start + head_end]);
    object[index.start + head_end..index.start + head_end + 4].copy_from_slice(&sum);
}

/// `part`, counted from the start of `whole`, if it lies inside.
fn within(whole: &Range<usize>, part: &Range<usize>) -> Option<Range<usize>> {
    let end = whole.start.checked_add(part.end).filter(|&end| end <= whole.end)?;
    Some(whole.start + part.start..end)
}

/// Version, heads (tag, codec, stored length, raw length, checksum), checksum of these, contents.
fn blocks(region: &[u8]) -> Option<(Vec<Block>, usize)> {
    let mut reader = Reader::new(region);
    reader.u8()?;
    let mut heads = Vec::new();
    for _ in 0..reader.count()? {
        let (tag, codec, stored, _raw) = (reader.u64()?, reader.u8()?, reader.usize()?, reader.u64()?);
        heads.push((tag, codec, stored, reader.position()));
        reader.take(4)?;
    }
    let head_end = reader.position();
    reader.take(4)?;
    let mut blocks = Vec::with_capacity(heads.len());
    for (tag, codec, stored, crc_at) in heads {
        let start = reader.position();
        reader.take(stored)?;
        blocks.push(Block { tag, codec, crc_at, content: start..start + stored });
    }
    Some((blocks, head_end))
}

/// Of every chunk of a page table: where its checksum stands, and its place in the section's data.
/// Ends where the table cannot be followed.
fn chunks(table: &[u8]) -> Vec<(usize, Range<usize>)> {
    let mut found = Vec::new();
    let _ = collect_chunks(&mut Reader::new(table), &mut found);
    found
}

fn collect_chunks(reader: &mut Reader<'_>, found: &mut Vec<(usize, Range<usize>)>) -> Option<()> {
    for _ in 0..reader.count()? {
        reader.str()?;
    }
    let mut offset = 0usize;
    for _ in 0..reader.count()? {
        // Rows, first and last timestamp, first and last stream.
        for _ in 0..5 {
            reader.u64()?;
        }
        reader.u8()?;
        reader.u64()?;
        for _ in 0..reader.count()? {
            reader.u64()?;
            reader.take(2)?;
            let stored = reader.usize()?;
            reader.u64()?;
            let end = offset.checked_add(stored)?;
            found.push((reader.position(), offset..end));
            reader.take(4)?;
            offset = end;
        }
    }
    Some(())
}
