//! Rows appended range by range: how pages fill, how sorted rows are gathered, how merges copy.

use std::{ops::Range, sync::Arc};

use skald_model::{Labels, LineColumn, MetadataColumn, MetadataColumns, Rows, StreamRun};

/// A growing column of byte strings.
#[derive(Debug, Default)]
pub(crate) struct Values {
    pub(crate) bytes: Vec<u8>,
    pub(crate) ends: Vec<u32>,
}

impl Values {
    /// Copies `range` of `from`.
    fn append(&mut self, from: &LineColumn, range: Range<usize>) {
        let start = from.start(range.start);
        let end = from.ends()[range.end - 1] as usize;
        let base = self.bytes.len() as u32;
        self.bytes.extend_from_slice(&from.buffer()[start..end]);
        self.ends.extend(from.ends()[range].iter().map(|&e| base + (e - start as u32)));
    }

    /// Fills up to `rows` values with empty ones.
    fn pad(&mut self, rows: usize) {
        self.ends.resize(rows, self.bytes.len() as u32);
    }

    fn finish(self) -> LineColumn {
        LineColumn::new(self.bytes.into(), self.ends).expect("ends are appended in step with bytes")
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

/// Collects ranges of rows, column by column. After [`RowsAppender::clear`] it keeps its memory.
#[derive(Debug, Default)]
pub(crate) struct RowsAppender {
    pub(crate) runs: Vec<StreamRun>,
    pub(crate) timestamps: Vec<i64>,
    pub(crate) arrivals: Vec<u64>,
    pub(crate) lines: Values,
    /// Shorter than the others while their last rows lack the key.
    pub(crate) metadata: Vec<(Arc<str>, Values)>,
}

impl RowsAppender {
    pub(crate) fn len(&self) -> usize {
        self.timestamps.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.timestamps.is_empty()
    }

    /// Appends `range` of `rows`, all of which belong to `labels`.
    pub(crate) fn append(&mut self, labels: &Labels, rows: &Rows, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let before = self.len();
        self.timestamps.extend_from_slice(&rows.timestamps[range.clone()]);
        self.arrivals.extend_from_slice(&rows.arrivals[range.clone()]);
        self.lines.append(&rows.lines, range.clone());
        for (hint, column) in rows.metadata.columns().iter().enumerate() {
            let values = &column.values;
            if values.start(range.start) == values.ends()[range.end - 1] as usize {
                continue;
            }
            let mine = self.column(&column.name, hint);
            mine.pad(before);
            mine.append(values, range.clone());
        }
        let end = self.len() as u32;
        match self.runs.last_mut() {
            Some(run) if run.labels == *labels => run.end = end,
            _ => self.runs.push(StreamRun { labels: labels.clone(), end }),
        }
    }

    /// The column of `name`, which in most batches stands at `hint`.
    fn column(&mut self, name: &Arc<str>, hint: usize) -> &mut Values {
        let same = |known: &Arc<str>| Arc::ptr_eq(known, name) || known == name;
        let at = match self.metadata.get(hint) {
            Some((known, _)) if same(known) => hint,
            _ => self.metadata.iter().position(|(known, _)| same(known)).unwrap_or_else(|| {
                self.metadata.push((name.clone(), Values::default()));
                self.metadata.len() - 1
            }),
        };
        &mut self.metadata[at].1
    }

    /// Gives every column a value for each row and sorts the columns by name; keys without any value go.
    pub(crate) fn complete(&mut self) {
        let rows = self.len();
        self.metadata.retain(|(_, values)| !values.bytes.is_empty());
        self.metadata.sort_by(|a, b| a.0.cmp(&b.0));
        self.metadata.iter_mut().for_each(|(_, values)| values.pad(rows));
    }

    /// The collected rows; the appender is empty afterwards.
    pub(crate) fn take(&mut self) -> Rows {
        self.complete();
        let rows = self.len();
        let column = |(name, values): (Arc<str>, Values)| MetadataColumn { name, values: values.finish() };
        let columns = std::mem::take(&mut self.metadata).into_iter().map(column).collect();
        let taken = std::mem::take(self);
        Rows {
            runs: taken.runs,
            timestamps: taken.timestamps,
            arrivals: taken.arrivals,
            lines: taken.lines.finish(),
            metadata: MetadataColumns::from_columns(columns, rows).expect("names are distinct and columns padded"),
        }
    }

    /// Like [`RowsAppender::take`], for one batch of many: room for the next one is made at once, as
    /// growing step by step would copy it twice.
    pub(crate) fn take_batch(&mut self) -> Rows {
        let (rows, line_bytes) = (self.len(), self.lines.bytes.len());
        let taken = self.take();
        self.timestamps.reserve(rows);
        self.arrivals.reserve(rows);
        self.lines.ends.reserve(rows);
        self.lines.bytes.reserve(line_bytes);
        taken
    }

    /// Forgets the rows, keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.runs.clear();
        self.timestamps.clear();
        self.arrivals.clear();
        self.lines.clear();
        self.metadata.iter_mut().for_each(|(_, values)| values.clear());
    }
}
