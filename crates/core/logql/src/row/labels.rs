//! The labels of one row: what the stream has, what its metadata adds, what stages parsed.

use std::ops::Range;

use skald_model::{Labels, LabelsBuilder, MetadataColumn, MetadataColumns};
use smallvec::SmallVec;

use super::{ERROR, ERROR_DETAILS, NameId, Names};

/// What all rows of a run share: stream labels and the metadata columns under their visible names.
#[derive(Debug)]
pub(crate) struct StreamView<'a> {
    pub(crate) labels: &'a Labels,
    // Vectors, not small ones: those would make the lifetime invariant.
    stream: Vec<(NameId, &'a str)>,
    metadata: Vec<(NameId, &'a MetadataColumn)>,
}

impl<'a> StreamView<'a> {
    pub(crate) fn new(labels: &'a Labels, metadata: &'a MetadataColumns, names: &mut Names) -> Self {
        let stream: Vec<(NameId, &str)> = labels.iter().map(|(name, value)| (names.id(name), value)).collect();
        let metadata = metadata.columns().iter().map(|column| {
            let id = names.id(&column.name);
            let clashes = stream.iter().any(|(name, _)| *name == id);
            (if clashes { names.extracted(id) } else { id }, column)
        });
        Self { labels, metadata: metadata.collect(), stream }
    }

    fn stream_value(&self, name: NameId) -> Option<&'a str> {
        self.stream.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
    }

    fn metadata_value(&self, name: NameId, row: usize) -> Option<&'a [u8]> {
        self.metadata.iter().find(|(n, _)| *n == name).and_then(|(_, column)| column.get(row))
    }
}

/// What stages did to the labels of one row. Reused from row to row.
#[derive(Debug, Default)]
pub(crate) struct RowLabels {
    parsed: SmallVec<[(NameId, Range<u32>); 16]>,
    arena: Vec<u8>,
    /// Names of stream labels and metadata that are gone.
    deleted: SmallVec<[NameId; 8]>,
    error: Option<&'static str>,
    details: String,
    /// Which row of the batch.
    row: usize,
}

impl RowLabels {
    /// Begins with row `row` of a batch.
    pub(crate) fn reset(&mut self, row: usize) {
        self.parsed.clear();
        self.arena.clear();
        self.deleted.clear();
        self.error = None;
        self.details.clear();
        self.row = row;
    }

    /// The value of a label of any category.
    #[inline]
    pub(crate) fn get<'s>(&'s self, view: &StreamView<'s>, name: NameId) -> Option<&'s [u8]> {
        if name == ERROR {
            return self.error.map(str::as_bytes);
        }
        if name == ERROR_DETAILS {
            return (!self.details.is_empty()).then_some(self.details.as_bytes());
        }
        if let Some((_, range)) = self.parsed.iter().find(|(n, _)| *n == name) {
            return Some(&self.arena[range.start as usize..range.end as usize]);
        }
        if self.deleted.contains(&name) {
            return None;
        }
        view.metadata_value(name, self.row).or_else(|| view.stream_value(name).map(str::as_bytes))
    }

    /// The value as text; bytes that are no UTF-8 hide the value.
    pub(crate) fn get_str<'s>(&'s self, view: &StreamView<'s>, name: NameId) -> Option<&'s str> {
        self.get(view, name).and_then(|value| std::str::from_utf8(value).ok())
    }

    pub(crate) fn error(&self) -> Option<&'static str> {
        self.error
    }

    /// Sets the error unless there is one.
    pub(crate) fn set_error(&mut self, error: &'static str, details: impl FnOnce() -> String) {
        if self.error.is_none() {
            self.error = Some(error);
            self.details = details();
        }
    }

    pub(crate) fn clear_error(&mut self) {
        self.error = None;
        self.details.clear();
    }

    pub(crate) fn clear_details(&mut self) {
        self.details.clear();
    }

    /// The name under which a parser stores `name`: `_extracted` is added where stream or metadata have it.
    pub(crate) fn parsed_name(&self, view: &StreamView<'_>, names: &mut Names, name: NameId) -> NameId {
        let taken = !self.deleted.contains(&name)
            && (view.stream_value(name).is_some() || view.metadata_value(name, self.row).is_some());
        if taken { names.extracted(name) } else { name }
    }

    pub(crate) fn has_parsed(&self, name: NameId) -> bool {
        self.parsed.iter().any(|(n, _)| *n == name)
    }

    /// Adds a parsed value that `write` appends to the arena. Bytes that are no UTF-8 become blanks.
    pub(crate) fn add_parsed_with(&mut self, name: NameId, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.arena.len();
        write(&mut self.arena);
        if std::str::from_utf8(&self.arena[start..]).is_err() {
            let text = String::from_utf8_lossy(&self.arena[start..]).replace('\u{fffd}', " ");
            self.arena.truncate(start);
            self.arena.extend_from_slice(text.as_bytes());
        }
        self.parsed.push((name, start as u32..self.arena.len() as u32));
    }

    /// Sets a parsed value, replacing one that was parsed before.
    pub(crate) fn set_parsed(&mut self, name: NameId, value: &[u8]) {
        self.parsed.retain(|(n, _)| *n != name);
        self.add_parsed_with(name, |arena| arena.extend_from_slice(value));
    }

    /// Sets a label as `label_format` does: the parsed value hides whatever else has the name.
    pub(crate) fn overwrite(&mut self, name: NameId, value: &[u8]) {
        self.hide(name);
        self.set_parsed(name, value);
    }

    fn hide(&mut self, name: NameId) {
        if !self.deleted.contains(&name) {
            self.deleted.push(name);
        }
    }

    /// Removes a label of any category.
    pub(crate) fn delete(&mut self, name: NameId) {
        self.parsed.retain(|(n, _)| *n != name);
        self.hide(name);
    }

    /// Removes every label but the errors for which `keep` answers no.
    pub(crate) fn retain(&mut self, view: &StreamView<'_>, mut keep: impl FnMut(NameId, &[u8]) -> bool) {
        let Self { parsed, arena, deleted, row, .. } = self;
        parsed.retain(|(name, range)| keep(*name, &arena[range.start as usize..range.end as usize]));
        for (name, value) in &view.stream {
            if !deleted.contains(name) && !keep(*name, value.as_bytes()) {
                deleted.push(*name);
            }
        }
        for (name, column) in &view.metadata {
            if let Some(value) = column.get(*row)
                && !deleted.contains(name)
                && !keep(*name, value)
            {
                deleted.push(*name);
            }
        }
    }

    /// True while nothing but the stream's own labels is visible.
    pub(crate) fn only_stream(&self, view: &StreamView<'_>) -> bool {
        self.parsed.is_empty()
            && self.deleted.is_empty()
            && self.error.is_none()
            && view.metadata.iter().all(|(_, column)| column.get(self.row).is_none())
    }

    /// Visible stream labels: not deleted, not hidden by a parsed value.
    pub(crate) fn stream_pairs<'s>(&'s self, view: &'s StreamView<'_>) -> impl Iterator<Item = (NameId, &'s str)> {
        view.stream.iter().copied().filter(|(name, _)| !self.deleted.contains(name) && !self.has_parsed(*name))
    }

    /// Visible metadata.
    pub(crate) fn metadata_pairs<'s>(&'s self, view: &'s StreamView<'_>) -> impl Iterator<Item = (NameId, &'s [u8])> {
        let visible = |name: NameId| !self.deleted.contains(&name) && !self.has_parsed(name);
        view.metadata.iter().filter_map(move |(name, column)| {
            column.get(self.row).filter(|_| visible(*name)).map(|value| (*name, value))
        })
    }

    /// Parsed labels, the errors among them.
    pub(crate) fn parsed_pairs(&self) -> impl Iterator<Item = (NameId, &[u8])> {
        let error = self.error.map(|error| (ERROR, error.as_bytes()));
        let details = (!self.details.is_empty()).then_some((ERROR_DETAILS, self.details.as_bytes()));
        let parsed =
            self.parsed.iter().map(|(name, range)| (*name, &self.arena[range.start as usize..range.end as usize]));
        parsed.chain(error).chain(details)
    }

    /// Appends bytes that are equal for two rows only if their visible labels are.
    pub(crate) fn identity(&self, view: &StreamView<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(&view.labels.hash64().to_le_bytes());
        out.extend_from_slice(&(self.deleted.len() as u32).to_le_bytes());
        self.deleted.iter().for_each(|name| out.extend_from_slice(&name.0.to_le_bytes()));
        for (name, value) in self.metadata_pairs(view).chain(self.parsed_pairs()) {
            out.extend_from_slice(&name.0.to_le_bytes());
            out.extend_from_slice(&(value.len() as u32).to_le_bytes());
            out.extend_from_slice(value);
        }
    }

    /// All visible labels as one set, except `without`.
    pub(crate) fn build(
        &self,
        view: &StreamView<'_>,
        names: &Names,
        out: &mut LabelsBuilder,
        without: &[NameId],
    ) -> Labels {
        out.clear();
        for (name, value) in self.stream_pairs(view).filter(|(n, _)| !without.contains(n)) {
            out.push(names.text(name), value);
        }
        for (name, value) in self.metadata_pairs(view).chain(self.parsed_pairs()).filter(|(n, _)| !without.contains(n))
        {
            out.push(names.text(name), &String::from_utf8_lossy(value));
        }
        out.build()
    }
}
