//! The frame around every catalog object: a magic that says what it is, a version, and a checksum.
//!
//! ```text
//! 8 bytes magic | u8 version | body | u32 crc32 of all before, little-endian
//! ```

use skald_model::varint::Reader;

/// Why bytes are not the catalog object they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Too short, or another kind of object.
    #[error("not a {what}")]
    Kind {
        /// What was expected.
        what: &'static str,
    },
    /// The checksum does not fit the bytes.
    #[error("{what} is damaged: checksum mismatch")]
    Damaged {
        /// What was read.
        what: &'static str,
    },
    /// Written by a version whose meaning this code does not know.
    #[error("{what} has unknown version or field {number}: written by a newer release")]
    Newer {
        /// What was read.
        what: &'static str,
        /// The version or the field's tag.
        number: u64,
    },
    /// The checksum fits, the content contradicts the format.
    #[error("malformed {what}: {part}")]
    Malformed {
        /// What was read.
        what: &'static str,
        /// Where the contradiction is.
        part: &'static str,
    },
}

/// One kind of object.
pub(crate) struct Frame {
    pub(crate) what: &'static str,
    pub(crate) magic: &'static [u8; 8],
    pub(crate) version: u8,
}

const CRC_BYTES: usize = 4;

impl Frame {
    /// The object around the body that `write` appends.
    pub(crate) fn seal(&self, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        out.extend_from_slice(self.magic);
        out.push(self.version);
        write(&mut out);
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// The body of `bytes`.
    ///
    /// # Errors
    /// When the frame does not fit.
    pub(crate) fn open<'a>(&self, bytes: &'a [u8]) -> Result<Reader<'a>, FormatError> {
        let kind = FormatError::Kind { what: self.what };
        let rest = bytes.strip_prefix(self.magic.as_slice()).ok_or(kind.clone())?;
        let (body, crc) = rest.split_last_chunk::<CRC_BYTES>().ok_or(kind.clone())?;
        let covered = &bytes[..bytes.len() - CRC_BYTES];
        if crc32fast::hash(covered) != u32::from_le_bytes(*crc) {
            return Err(FormatError::Damaged { what: self.what });
        }
        let (&version, body) = body.split_first().ok_or(kind)?;
        if version != self.version {
            return Err(FormatError::Newer { what: self.what, number: u64::from(version) });
        }
        Ok(Reader::new(body))
    }

    /// The error for a body that ends early or contradicts itself in `part`.
    pub(crate) fn malformed(&self, part: &'static str) -> FormatError {
        FormatError::Malformed { what: self.what, part }
    }
}
