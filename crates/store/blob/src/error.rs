//! What can go wrong with a bucket, by what the caller should do.

/// The outcome of a failed operation.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum BlobError {
    /// There is no such object. Final, unless a write of it is under way.
    #[error("object {key} does not exist")]
    NotFound {
        /// The key asked for.
        key: String,
    },
    /// The key of a create is taken: somebody else's object stands there. Final.
    #[error("object {key} already exists")]
    AlreadyExists {
        /// The key asked for.
        key: String,
    },
    /// A create may or may not have happened, now or within the next minutes: read the key and
    /// compare before deciding anything.
    #[error("unknown whether object {key} was created: {reason}")]
    Ambiguous {
        /// The key asked for.
        key: String,
        /// What happened instead of an answer.
        reason: String,
    },
    /// The store asks for fewer requests. Nothing happened; try again later and more slowly.
    #[error("object store is throttling, at {key}: {reason}")]
    Throttled {
        /// The key asked for.
        key: String,
        /// The store's words.
        reason: String,
    },
    /// The store cannot be reached, is broken or full. Nothing happened; try again later.
    #[error("object store is unavailable, at {key}: {reason}")]
    Unavailable {
        /// The key asked for.
        key: String,
        /// What was tried and failed.
        reason: String,
    },
    /// The store knows us and says no, or does not know us: for the operator, retrying is useless.
    #[error("object store denies access, at {key}: {reason}")]
    Denied {
        /// The key asked for.
        key: String,
        /// The store's words.
        reason: String,
    },
    /// The key or prefix cannot be stored portably: a mistake of the caller.
    #[error("invalid object key {key:?}: {reason}")]
    InvalidKey {
        /// The offending key.
        key: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// The object ends before the range does: the caller's idea of the object is wrong.
    #[error("range {start}..{end} is outside of object {key}")]
    InvalidRange {
        /// The key asked for.
        key: String,
        /// First byte asked for.
        start: u64,
        /// End (exclusive) asked for.
        end: u64,
    },
    /// The body exceeds [`crate::OBJECT_BYTES_MAX`]: a mistake of the caller.
    #[error("object {key} of {bytes} bytes is too large")]
    TooLarge {
        /// The key asked for.
        key: String,
        /// Its size.
        bytes: u64,
    },
    /// The store is set up or behaves in a way that nothing here expects: for the operator.
    #[error("object store failed, at {key}: {reason}")]
    Other {
        /// The key asked for, or what was being set up.
        key: String,
        /// The cause.
        reason: String,
    },
}

impl BlobError {
    /// Whether the same call may succeed later, and is safe to repeat as it is.
    pub fn is_transient(&self) -> bool {
        matches!(self, BlobError::Throttled { .. } | BlobError::Unavailable { .. })
    }
}
