//! What can be wrong with stored bytes, and with rows handed to the writer.

use std::{fmt, io};

/// Where in an object something was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The section in words (`tenant "a" window 0+7200s shard 0`); empty outside sections.
    pub section: String,
    /// The part of it: a column, the page table, the directory.
    pub part: String,
    /// Where the part begins, in bytes from the start of the object; relative to the directory or
    /// entry itself where these travel alone.
    pub offset: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.section.is_empty() {
            write!(f, "section {}, ", self.section)?;
        }
        write!(f, "{} at byte {}", self.part, self.offset)
    }
}

/// Why bytes of an object cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {fault}")]
pub struct SegmentError {
    /// What is wrong.
    pub fault: Fault,
    /// Where.
    pub place: Place,
}

/// What is wrong with a part of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The magic bytes are others: not an object of this format, or cut off.
    #[error("not a segment object")]
    NotASegment,
    /// Written by a later version that this code must not guess about.
    #[error("unknown format version {0}")]
    UnknownVersion(u64),
    /// A part that later versions require a reader to know.
    #[error("unknown mandatory block {0}")]
    UnknownBlock(u64),
    /// A compression codec this code does not have.
    #[error("unknown codec {0}")]
    UnknownCodec(u64),
    /// A column or page encoding this code does not have.
    #[error("unknown encoding {0}")]
    UnknownEncoding(u64),
    /// The bytes are not those that were written.
    #[error("checksum differs")]
    Checksum,
    /// The checksum holds, but the content contradicts itself.
    #[error("malformed: {0}")]
    Malformed(&'static str),
}

impl Fault {
    /// This fault at a place outside sections.
    pub(crate) fn at(self, part: &str, offset: u64) -> SegmentError {
        SegmentError { fault: self, place: Place { section: String::new(), part: part.to_owned(), offset } }
    }

    /// This fault within a section.
    pub(crate) fn within(self, section: &dyn fmt::Display, part: impl Into<String>, offset: u64) -> SegmentError {
        SegmentError { fault: self, place: Place { section: section.to_string(), part: part.into(), offset } }
    }
}

/// Why an object cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The output refused bytes.
    #[error("cannot write segment: {0}")]
    Io(#[from] io::Error),
    /// Rows came in another order than (stream, timestamp, arrival).
    #[error("rows of stream {0} are not sorted")]
    Unsorted(String),
    /// A row's timestamp lies outside its section's window.
    #[error("timestamp {0} lies outside the section's window")]
    OutsideWindow(i64),
    /// A line or metadata value is longer than a page can hold.
    #[error("a value of {0} bytes is too long")]
    TooLong(usize),
    /// A codec failed, which only a lack of memory explains.
    #[error("cannot compress: {0}")]
    Compress(String),
}
