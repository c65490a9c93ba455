//! How a task fails, by what is done about it.

use skald_blob::BlobError;
use skald_segment::SegmentError;
use skald_wire::{RpcError, pb};

/// Why a task, or one attempt at it, came to no end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// Final: an HTTP status and the text for the client.
    #[error("{message}")]
    Final {
        /// HTTP status.
        status: u16,
        /// For the client.
        message: String,
    },
    /// An object of the view is gone: the view is older than the garbage collection. A new one helps.
    #[error("{0}")]
    Stale(String),
    /// An ingester went away in the middle of its answer. Without it, the rest may still be enough.
    #[error("ingester {id} went away: {reason}")]
    IngesterLost {
        /// Its instance id.
        id: String,
        /// The error of its stream.
        reason: String,
    },
    /// Nobody waits for the outcome.
    #[error("cancelled")]
    Cancelled,
}

impl Failure {
    /// 400: the query is at fault.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::Final { status: 400, message: message.into() }
    }

    /// 500: we are.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::Final { status: 500, message: message.into() }
    }

    /// As the outcome of a task.
    pub(crate) fn into_task_error(self) -> pb::TaskError {
        match self {
            Self::Final { status, message } => pb::TaskError { status: status.into(), message },
            Self::Cancelled => pb::TaskError { status: 499, message: "the request was cancelled by the client".into() },
            other => pb::TaskError { status: 500, message: other.to_string() },
        }
    }
}

impl From<RpcError> for Failure {
    fn from(error: RpcError) -> Self {
        let status = match error {
            RpcError::Invalid(_) => 400,
            RpcError::Exhausted(_) => 429,
            RpcError::Deadline(_) => 504,
            RpcError::Cancelled => return Self::Cancelled,
            RpcError::Unavailable(_) | RpcError::Internal(_) => 500,
        };
        Self::Final { status, message: error.to_string() }
    }
}

impl From<BlobError> for Failure {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::NotFound { .. } => Self::Stale(error.to_string()),
            other => Self::internal(other.to_string()),
        }
    }
}

impl From<SegmentError> for Failure {
    fn from(error: SegmentError) -> Self {
        Self::internal(error.to_string())
    }
}
