//! Between messages and the model.

use bytes::Bytes;
use skald_model::{CommitVector, Labels, Writer, varint::Reader};

use crate::{RpcError, pb};

impl From<&CommitVector> for pb::CommitVector {
    fn from(vector: &CommitVector) -> Self {
        let position = |(writer, seq): (&Writer, u64)| pb::LogPosition { writer: writer.to_string(), seq };
        Self { positions: vector.iter().map(position).collect() }
    }
}

impl TryFrom<&pb::CommitVector> for CommitVector {
    type Error = RpcError;

    fn try_from(vector: &pb::CommitVector) -> Result<Self, RpcError> {
        vector.positions.iter().map(|p| Ok((pb_writer(&p.writer)?, p.seq))).collect()
    }
}

fn pb_writer(id: &str) -> Result<Writer, RpcError> {
    Writer::new(id).ok_or_else(|| RpcError::Invalid(format!("malformed writer id {id:?}")))
}

/// Labels as the bytes that messages carry.
pub fn labels_to_bytes(labels: &Labels) -> Bytes {
    let mut out = Vec::new();
    labels.encode(&mut out);
    out.into()
}

/// Labels from the bytes that messages carry; no bytes are no labels.
pub fn labels_from_bytes(bytes: &[u8]) -> Result<Labels, RpcError> {
    if bytes.is_empty() {
        return Ok(Labels::empty());
    }
    Labels::decode(&mut Reader::new(bytes)).ok_or_else(|| RpcError::Invalid("malformed labels".into()))
}
