//! Why a read request fails: an HTTP status and the text for the client.

use skald_wire::{RpcError, pb};

/// What Loki's clients look for when they decide whether a smaller query may work.
const TIMED_OUT: &str = "request timed out, decrease the duration of the request or add more label matchers (prefer \
                         exact match over regex match) to reduce the amount of data processed";

/// A failed request, ready for the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// HTTP status.
    pub status: u16,
    /// The whole body.
    pub message: String,
}

impl QueryError {
    /// 400: the request can never succeed.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self { status: 400, message: message.into() }
    }

    /// 500: our fault.
    pub fn internal(message: impl Into<String>) -> Self {
        Self { status: 500, message: message.into() }
    }

    /// 504: the time given to the query is over.
    pub fn timed_out() -> Self {
        Self { status: 504, message: TIMED_OUT.into() }
    }

    /// True when the same request may succeed if it is tried again.
    pub fn is_transient(&self) -> bool {
        self.status >= 500 && self.status != 504
    }
}

impl From<RpcError> for QueryError {
    fn from(error: RpcError) -> Self {
        let status = match error {
            RpcError::Invalid(_) => 400,
            RpcError::Exhausted(_) => 429,
            RpcError::Unavailable(_) => 503,
            RpcError::Deadline(_) => return Self::timed_out(),
            RpcError::Cancelled => {
                return Self { status: 499, message: "the request was cancelled by the client".into() };
            }
            RpcError::Internal(_) => 500,
        };
        Self { status, message: error.to_string() }
    }
}

impl From<pb::TaskError> for QueryError {
    fn from(error: pb::TaskError) -> Self {
        if error.status == 504 {
            return Self::timed_out();
        }
        let status = u16::try_from(error.status).ok().filter(|s| (400..600).contains(s)).unwrap_or(500);
        Self { status, message: error.message }
    }
}
