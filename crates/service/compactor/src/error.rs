//! Why a fold failed. Nothing was changed, except where the outcome of a commit stays unknown.

use skald_blob::BlobError;
use skald_catalog::CatalogError;
use skald_segment::{SegmentError, WriteError};

/// The failure of a fold.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// The catalog could not be read or changed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// Rows could not be read, or the result not written.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A flushed object is damaged or of a newer release. Its log cannot be folded further; queries go on
    /// reading it as it is.
    #[error("{object}: {source}")]
    Segment {
        /// Key of the object.
        object: String,
        /// What is wrong with it.
        source: SegmentError,
    },
    /// The result could not be encoded.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The process is stopping.
    #[error("compactor is stopping")]
    Stopping,
}
