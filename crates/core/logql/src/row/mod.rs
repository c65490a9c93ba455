//! One row on its way through a pipeline: its line and its labels in their three categories.
//!
//! Label names are numbers ([`NameId`]) so that looking a label up compares integers. Nothing is
//! copied until a stage produces something: stream labels and metadata are read where they are,
//! parsed values lie in one arena that is reused from row to row.

mod labels;
mod names;

pub(crate) use labels::{RowLabels, StreamView};
pub(crate) use names::{ERROR, ERROR_DETAILS, NameId, Names};

/// The line of a row, replaced by some stages.
#[derive(Debug, Default)]
pub(crate) struct LineBuffer {
    bytes: Vec<u8>,
    replaced: bool,
}

impl LineBuffer {
    /// Forgets a replaced line.
    pub(crate) fn reset(&mut self) {
        self.replaced = false;
    }

    /// The line as it is now; `original` is the stored one.
    pub(crate) fn get<'a>(&'a self, original: &'a [u8]) -> &'a [u8] {
        if self.replaced { &self.bytes } else { original }
    }

    /// Replaces the line by what is in `scratch`, which gets the old memory.
    pub(crate) fn replace(&mut self, scratch: &mut Vec<u8>) {
        std::mem::swap(&mut self.bytes, scratch);
        self.replaced = true;
    }
}
