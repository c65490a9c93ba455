//! Why an internal call failed: kinds that callers branch on, whatever the transport.

use tonic::{Code, Status};

/// The failure of an internal call. The text of every kind is meant for the final caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// The request can never succeed.
    #[error("{0}")]
    Invalid(String),
    /// A limit was hit; trying later may help.
    #[error("{0}")]
    Exhausted(String),
    /// The callee is not there, is starting or stopping, or has no room; another replica may serve.
    #[error("{0}")]
    Unavailable(String),
    /// No answer within the time given; the call may have taken effect.
    #[error("deadline exceeded: {0}")]
    Deadline(String),
    /// The caller went away.
    #[error("cancelled")]
    Cancelled,
    /// The callee failed.
    #[error("{0}")]
    Internal(String),
}

impl RpcError {
    /// True when the same call to another replica, or later, may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Deadline(_) | Self::Exhausted(_))
    }
}

impl From<RpcError> for Status {
    fn from(error: RpcError) -> Self {
        let code = match error {
            RpcError::Invalid(_) => Code::InvalidArgument,
            RpcError::Exhausted(_) => Code::ResourceExhausted,
            RpcError::Unavailable(_) => Code::Unavailable,
            RpcError::Deadline(_) => Code::DeadlineExceeded,
            RpcError::Cancelled => Code::Cancelled,
            RpcError::Internal(_) => Code::Internal,
        };
        let text = match error {
            RpcError::Deadline(text) => text,
            other => other.to_string(),
        };
        Self::new(code, text)
    }
}

impl From<Status> for RpcError {
    fn from(status: Status) -> Self {
        let text = status.message().to_owned();
        match status.code() {
            Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition | Code::Unimplemented => {
                Self::Invalid(text)
            }
            Code::ResourceExhausted => Self::Exhausted(text),
            Code::DeadlineExceeded => Self::Deadline(text),
            Code::Cancelled => Self::Cancelled,
            // A broken connection surfaces as one of these.
            Code::Unavailable | Code::Unknown | Code::Aborted => Self::Unavailable(text),
            _ => Self::Internal(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_survive_the_wire() {
        for error in [
            RpcError::Invalid("a".into()),
            RpcError::Exhausted("b".into()),
            RpcError::Unavailable("c".into()),
            RpcError::Deadline("d".into()),
            RpcError::Cancelled,
            RpcError::Internal("e".into()),
        ] {
            assert_eq!(RpcError::from(Status::from(error.clone())), error);
        }
    }
}
