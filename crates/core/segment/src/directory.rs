//! The directory of an object: its last part, by which all others are found. It also travels alone:
//! an ingester pushes it to the index gateways after each flush, and the catalog keeps it.

use std::ops::{Range, RangeInclusive};

use skald_model::{
    LogPosition, Writer,
    varint::{self, Reader},
};

use crate::{
    entry::SectionEntry,
    error::{Fault, SegmentError},
    format::{self, HEADER, TRAILER_BYTES, TRAILER_MAGIC, VERSION},
};

const SECTIONS: u64 = 1;
const COMMIT: u64 = 2;

/// Which pushes of one distributor an object covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The distributor's instance id.
    pub distributor: String,
    /// Numbers of its pushes, ascending and apart from one another.
    pub batches: Vec<RangeInclusive<u64>>,
}

/// What makes a flushed object its own commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitInfo {
    /// Its place in its writer's log.
    pub position: LogPosition,
    /// Drawn when the memtable was frozen: by it a writer recognises its own object after an
    /// ambiguous upload.
    pub flush_id: u128,
    /// A hash of all rows in order, set by the writer of the object: equal for equal rows however
    /// they are paged and compressed.
    pub row_hash: u64,
    /// Which pushes it covers.
    pub receipts: Vec<Receipt>,
}

/// All sections of an object, and for a flushed one its place in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// In the order in which they were written.
    pub sections: Vec<SectionEntry>,
    /// Present in flushed objects.
    pub commit: Option<CommitInfo>,
}

/// What the end of an object tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located {
    /// The directory lies within the bytes at hand.
    Directory(Directory),
    /// These bytes of the object, up to its end, are needed.
    NeedMore(Range<u64>),
}

impl Directory {
    /// The directory as bytes, checksum included.
    pub fn encode(&self) -> Vec<u8> {
        let mut sections = Vec::new();
        varint::put_u64(&mut sections, self.sections.len() as u64);
        self.sections.iter().for_each(|entry| varint::put_bytes(&mut sections, &entry.encode()));
        let mut out = vec![VERSION];
        varint::put_u64(&mut out, 1 + u64::from(self.commit.is_some()));
        format::put_block(&mut out, SECTIONS, &sections);
        if let Some(commit) = &self.commit {
            format::put_block(&mut out, COMMIT, &encode_commit(commit));
        }
        format::seal(&mut out);
        out
    }

    /// Reads what [`Directory::encode`] wrote.
    ///
    /// # Errors
    /// For damage, an unknown version or an unknown mandatory block.
    pub fn decode(bytes: &[u8]) -> Result<Self, SegmentError> {
        decode(bytes).map_err(|fault| fault.at("directory", 0))
    }

    /// Finds the directory in `suffix`, the last bytes of an object of `object_len` bytes.
    ///
    /// # Errors
    /// When the object is none of this format, damaged at its end, or of a later version.
    pub fn locate(suffix: &[u8], object_len: u64) -> Result<Located, SegmentError> {
        let trailer_at = object_len.saturating_sub(TRAILER_BYTES);
        if object_len < HEADER.len() as u64 + TRAILER_BYTES || suffix.len() as u64 > object_len {
            return Err(Fault::NotASegment.at("trailer", trailer_at));
        }
        let Some(rest) = suffix.len().checked_sub(TRAILER_BYTES as usize) else {
            return Ok(Located::NeedMore(trailer_at..object_len));
        };
        let range = trailer(&suffix[rest..], trailer_at).map_err(|fault| fault.at("trailer", trailer_at))?;
        let suffix_at = object_len - suffix.len() as u64;
        if range.start < suffix_at {
            return Ok(Located::NeedMore(range.start..object_len));
        }
        let bytes = &suffix[(range.start - suffix_at) as usize..(range.end - suffix_at) as usize];
        let directory = decode(bytes).map_err(|fault| fault.at("directory", range.start))?;
        let inside = |r: &Range<u64>| r.start >= HEADER.len() as u64 && r.end <= range.start;
        if !directory.sections.iter().all(|e| inside(&e.data) && inside(&e.index)) {
            return Err(Fault::Malformed("a section lies outside the object").at("directory", range.start));
        }
        Ok(Located::Directory(directory))
    }
}

/// The last bytes of an object whose directory is `directory`, beginning at `offset`.
pub(crate) fn encode_trailer(offset: u64, directory: &[u8]) -> [u8; TRAILER_BYTES as usize] {
    let mut out = [0; TRAILER_BYTES as usize];
    out[..8].copy_from_slice(&offset.to_le_bytes());
    out[8..12].copy_from_slice(&(directory.len() as u32).to_le_bytes());
    let crc = crc32fast::hash(&out[..12]);
    out[12..16].copy_from_slice(&crc.to_le_bytes());
    out[16..].copy_from_slice(&TRAILER_MAGIC);
    out
}

/// Where the directory lies, by the trailer that begins at `trailer_at`.
fn trailer(bytes: &[u8], trailer_at: u64) -> Result<Range<u64>, Fault> {
    let (sealed, magic) = bytes.split_at(16);
    if magic[..7] != TRAILER_MAGIC[..7] {
        return Err(Fault::NotASegment);
    }
    if magic[7] != TRAILER_MAGIC[7] {
        return Err(Fault::UnknownVersion(magic[7].into()));
    }
    let mut reader = Reader::new(format::unseal(sealed)?);
    let wrong = Fault::Malformed("directory outside the object");
    let offset = format::take_fixed_u64(&mut reader).ok_or(wrong)?;
    let len = format::take_fixed_u32(&mut reader).ok_or(wrong)?;
    let end = offset.checked_add(len.into()).filter(|&end| end == trailer_at && offset >= HEADER.len() as u64);
    Ok(offset..end.ok_or(wrong)?)
}

fn decode(bytes: &[u8]) -> Result<Directory, Fault> {
    // The version stands before the checksum, whose place a later version may move.
    match bytes.first() {
        Some(&VERSION) => {}
        Some(&other) => {
            return Err(if format::unseal(bytes).is_ok() {
                Fault::UnknownVersion(other.into())
            } else {
                Fault::Checksum
            });
        }
        None => return Err(Fault::Malformed("empty")),
    }
    let mut reader = Reader::new(&format::unseal(bytes)?[1..]);
    let mut directory = Directory::default();
    let cut = Fault::Malformed("ends early");
    for _ in 0..reader.count().ok_or(cut)? {
        let (tag, content) = format::take_block(&mut reader).ok_or(cut)?;
        let mut content = Reader::new(content);
        match tag {
            SECTIONS => {
                for _ in 0..content.count().ok_or(cut)? {
                    let entry = SectionEntry::decode(content.bytes().ok_or(cut)?).map_err(|e| e.fault)?;
                    directory.sections.push(entry);
                }
            }
            COMMIT => directory.commit = Some(decode_commit(&mut content).ok_or(Fault::Malformed("commit"))?),
            other => format::unknown_block(other)?,
        }
    }
    Ok(directory)
}

fn encode_commit(commit: &CommitInfo) -> Vec<u8> {
    let mut out = Vec::new();
    varint::put_bytes(&mut out, commit.position.writer.as_str().as_bytes());
    varint::put_u64(&mut out, commit.position.seq);
    out.extend_from_slice(&commit.flush_id.to_le_bytes());
    format::put_fixed_u64(&mut out, commit.row_hash);
    varint::put_u64(&mut out, commit.receipts.len() as u64);
    for receipt in &commit.receipts {
        varint::put_bytes(&mut out, receipt.distributor.as_bytes());
        varint::put_u64(&mut out, receipt.batches.len() as u64);
        let mut last = 0u64;
        for range in &receipt.batches {
            varint::put_u64(&mut out, range.start().wrapping_sub(last));
            varint::put_u64(&mut out, range.end().wrapping_sub(*range.start()));
            last = *range.end();
        }
    }
    out
}

fn decode_commit(reader: &mut Reader<'_>) -> Option<CommitInfo> {
    let position = LogPosition { writer: Writer::new(reader.str()?)?, seq: reader.u64()? };
    let flush_id = u128::from_le_bytes(reader.take(16)?.try_into().ok()?);
    let row_hash = format::take_fixed_u64(reader)?;
    let mut receipts = Vec::new();
    for _ in 0..reader.count()? {
        let distributor = reader.str()?.to_owned();
        let mut batches = Vec::new();
        let mut last = 0u64;
        for _ in 0..reader.count()? {
            let start = last.wrapping_add(reader.u64()?);
            last = start.wrapping_add(reader.u64()?);
            batches.push(start..=last);
        }
        receipts.push(Receipt { distributor, batches });
    }
    Some(CommitInfo { position, flush_id, row_hash, receipts })
}

#[cfg(test)]
mod tests;
