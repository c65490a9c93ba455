//! The SEAL: the object that ends the log of a dead writer.
//!
//! It is created where the writer's next object would go. If the writer is alive after all, its next
//! create fails and it starts a new log with a new id. SEALs are kept for ever: without one, a PUT of
//! the dead writer that lands late would extend a log that everybody believes to have ended.

use bytes::Bytes;
use skald_model::{LogPosition, Writer, varint};

use crate::frame::{FormatError, Frame};

const FRAME: Frame = Frame { what: "log seal", magic: b"SKALDEND", version: 1 };

/// The SEAL object for a position.
pub fn encode_seal(position: &LogPosition) -> Bytes {
    FRAME
        .seal(|out| {
            varint::put_bytes(out, position.writer.as_str().as_bytes());
            varint::put_u64(out, position.seq);
        })
        .into()
}

/// Whether an object that begins like this is a SEAL (and not a flushed object).
pub fn is_seal(bytes: &[u8]) -> bool {
    bytes.starts_with(FRAME.magic)
}

/// Reads what [`encode_seal`] wrote.
///
/// # Errors
/// When the bytes are anything else.
pub fn decode_seal(bytes: &[u8]) -> Result<LogPosition, FormatError> {
    let mut reader = FRAME.open(bytes)?;
    let writer = reader.str().and_then(Writer::new);
    let position = writer.zip(reader.u64()).map(|(writer, seq)| LogPosition { writer, seq });
    position.filter(|_| reader.remaining() == 0).ok_or_else(|| FRAME.malformed("position"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seals_are_read_back_and_damage_is_noticed() {
        let position = LogPosition { writer: Writer::new("ing-1").expect("valid id"), seq: 9 };
        let bytes = encode_seal(&position);
        assert!(is_seal(&bytes));
        assert_eq!(decode_seal(&bytes), Ok(position));
        for at in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1;
            assert!(decode_seal(&damaged).is_err(), "flip at {at}");
            assert!(decode_seal(&bytes[..at]).is_err(), "cut at {at}");
        }
    }
}
