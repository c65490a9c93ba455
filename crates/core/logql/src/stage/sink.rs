//! Where parsers put what they find: decides the label's final name and whether anybody wants it.

use super::Needed;
use crate::row::{NameId, Names, RowLabels, StreamView};

/// Takes the labels one parser finds in one line.
pub(super) struct Sink<'a> {
    pub(super) labels: &'a mut RowLabels,
    pub(super) names: &'a mut Names,
    view: &'a StreamView<'a>,
    needed: &'a Needed,
    /// How many wanted labels are still to come; `usize::MAX` where the end of the line must be seen.
    missing: usize,
}

impl<'a> Sink<'a> {
    pub(super) fn new(
        labels: &'a mut RowLabels,
        names: &'a mut Names,
        view: &'a StreamView<'a>,
        needed: &'a Needed,
    ) -> Self {
        let missing = match needed {
            Needed::Some { labels: wanted, errors: false } => {
                // What the row has already cannot come from this parser: it would be `_extracted`.
                wanted.iter().filter(|name| labels.get(view, **name).is_none()).count()
            }
            Needed::Some { errors: true, .. } | Needed::All => usize::MAX,
        };
        Self { labels, names, view, needed, missing }
    }

    /// True when everything wanted has been found.
    pub(super) fn done(&self) -> bool {
        self.missing == 0
    }

    /// The label that `key` of the line becomes, `None` when it is not wanted or taken already.
    pub(super) fn accept(&mut self, key: &[u8]) -> Option<NameId> {
        let name = self.names.key(key)?;
        self.accept_name(name)
    }

    /// The same for a name that is a label name already.
    pub(super) fn accept_name(&mut self, name: NameId) -> Option<NameId> {
        let name = self.labels.parsed_name(self.view, self.names, name);
        (self.needed.contains(name) && !self.labels.has_parsed(name)).then_some(name)
    }

    /// Stores the value of a name that was accepted.
    pub(super) fn add(&mut self, name: NameId, write: impl FnOnce(&mut Vec<u8>)) {
        self.labels.add_parsed_with(name, write);
        self.missing = self.missing.saturating_sub(usize::from(self.missing != usize::MAX));
    }
}
