//! The constants of the format and the two framings everything in it uses: checksummed bytes and
//! tagged blocks. `docs/format/segment.md` is the same in pictures.

use skald_model::varint::{self, Reader};

use crate::error::Fault;

/// First bytes of an object; the last of them is the version.
pub(crate) const HEADER: [u8; 8] = *b"SKLDSEG\x01";
/// Last bytes of an object; the last of them is the version.
pub(crate) const TRAILER_MAGIC: [u8; 8] = *b"SKLDEND\x01";
/// Directory offset (8), its length (4), checksum of these (4), magic (8).
pub(crate) const TRAILER_BYTES: u64 = 24;
/// Version of directories, entries and index regions.
pub(crate) const VERSION: u8 = 1;

/// Blocks with this tag or a higher one are skipped by readers that do not know them; lower tags are
/// mandatory.
pub(crate) const OPTIONAL_FROM: u64 = 128;

/// Rows per page at most. It bounds what a hostile page table can make a reader allocate (a few MB),
/// and cuts pages of empty lines, which never reach the byte limit.
pub(crate) const PAGE_ROWS_MAX: usize = 1 << 17;
/// The longest line or metadata value. A page is cut after the value that fills it, so a page's
/// column stays below twice this, far from the 4 GiB that a column's `u32` ends can address.
pub(crate) const VALUE_BYTES_MAX: usize = 1 << 30;
/// What dictionary and constant columns of a page may expand to; the writer stores more plainly.
pub(crate) const EXPANDED_BYTES_MAX: usize = 64 << 20;
/// What the label sets of one section's streams may expand to: 1 M streams with 1 KB each.
pub(crate) const LABEL_BYTES_MAX: usize = 1 << 30;

/// Appends the checksum of `out`.
pub(crate) fn seal(out: &mut Vec<u8>) {
    let crc = crc32fast::hash(out);
    out.extend_from_slice(&crc.to_le_bytes());
}

/// The bytes before a trailing checksum that holds.
pub(crate) fn unseal(bytes: &[u8]) -> Result<&[u8], Fault> {
    let (body, crc) = bytes.split_last_chunk::<4>().ok_or(Fault::Malformed("too short"))?;
    if crc32fast::hash(body) == u32::from_le_bytes(*crc) { Ok(body) } else { Err(Fault::Checksum) }
}

/// Appends a block: tag, length, content.
pub(crate) fn put_block(out: &mut Vec<u8>, tag: u64, content: &[u8]) {
    varint::put_u64(out, tag);
    varint::put_bytes(out, content);
}

/// Reads the next block.
pub(crate) fn take_block<'a>(reader: &mut Reader<'a>) -> Option<(u64, &'a [u8])> {
    Some((reader.u64()?, reader.bytes()?))
}

/// What a reader does with a block whose tag it does not know.
pub(crate) fn unknown_block(tag: u64) -> Result<(), Fault> {
    if tag < OPTIONAL_FROM { Err(Fault::UnknownBlock(tag)) } else { Ok(()) }
}

/// Appends a fixed-width `u64`, for numbers that are random and do not gain from a varint.
pub(crate) fn put_fixed_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Reads a fixed-width `u64`.
pub(crate) fn take_fixed_u64(reader: &mut Reader<'_>) -> Option<u64> {
    Some(u64::from_le_bytes(reader.take(8)?.try_into().ok()?))
}

/// Reads a fixed-width `u32`.
pub(crate) fn take_fixed_u32(reader: &mut Reader<'_>) -> Option<u32> {
    Some(u32::from_le_bytes(reader.take(4)?.try_into().ok()?))
}
