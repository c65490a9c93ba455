//! Why the catalog could not be read or changed.

use skald_blob::BlobError;
use skald_segment::SegmentError;

use crate::frame::FormatError;

/// The failure of a catalog operation. Nothing was changed unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The bucket failed.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// An object of the catalog is damaged or of a newer release.
    #[error("{key}: {source}")]
    Format {
        /// The object.
        key: String,
        /// What is wrong with it.
        source: FormatError,
    },
    /// A flushed object is damaged or of a newer release.
    #[error("{key}: {source}")]
    Segment {
        /// The object.
        key: String,
        /// What is wrong with it.
        source: SegmentError,
    },
    /// The bucket gave no answer by which the outcome of a create could be known, several times: it may
    /// have happened or may still happen.
    #[error("unknown whether {key} was created")]
    Unsettled {
        /// The object.
        key: String,
    },
    /// Roots went away faster than they could be read, several times.
    #[error("roots of shard {shard} change faster than they can be read")]
    Moving {
        /// The shard.
        shard: u32,
    },
    /// A needed object of a log does not exist although the newest root has not consumed it.
    #[error("{key} is needed but does not exist")]
    Missing {
        /// The object.
        key: String,
    },
}

impl CatalogError {
    /// True when the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Blob(error) => error.is_transient() || matches!(error, BlobError::Ambiguous { .. }),
            Self::Unsettled { .. } | Self::Moving { .. } | Self::Missing { .. } => true,
            Self::Format { .. } | Self::Segment { .. } => false,
        }
    }
}
