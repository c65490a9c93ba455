//! Structured metadata as columns: one per key, a value or nothing for each row.

use std::sync::Arc;

use bytes::Bytes;

use crate::LineColumn;

/// The values of one metadata key. An empty value means that the row does not have the key.
#[derive(Clone, Debug)]
pub struct MetadataColumn {
    /// The key, a valid label name.
    pub name: Arc<str>,
    /// One value per row.
    pub values: LineColumn,
}

impl MetadataColumn {
    /// The value of row `i`, or `None` where the row does not have the key.
    #[inline]
    pub fn get(&self, i: usize) -> Option<&[u8]> {
        let value = self.values.get(i);
        (!value.is_empty()).then_some(value)
    }
}

/// All metadata of a batch of rows: columns sorted by key, keys distinct, each as long as the batch.
#[derive(Clone, Debug, Default)]
pub struct MetadataColumns(Vec<MetadataColumn>);

impl MetadataColumns {
    /// No metadata.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// From columns in any order; `None` when two have one key or their lengths differ from `rows`.
    pub fn from_columns(mut columns: Vec<MetadataColumn>, rows: usize) -> Option<Self> {
        columns.sort_by(|a, b| a.name.cmp(&b.name));
        let distinct = columns.windows(2).all(|w| w[0].name != w[1].name);
        let whole = columns.iter().all(|c| c.values.len() == rows);
        (distinct && whole).then_some(Self(columns))
    }

    /// The columns in the order of their keys.
    pub fn columns(&self) -> &[MetadataColumn] {
        &self.0
    }

    /// The column of `name`.
    pub fn column(&self, name: &str) -> Option<&MetadataColumn> {
        self.0.iter().find(|c| &*c.name == name)
    }

    /// Key and value pairs of row `i`, sorted by key.
    pub fn row(&self, i: usize) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().filter_map(move |c| c.get(i).map(|v| (&*c.name, v)))
    }

    /// True when no row has metadata keys.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rows `range` of every column, sharing the buffers.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        let cut = |c: &MetadataColumn| MetadataColumn { name: c.name.clone(), values: c.values.slice(range.clone()) };
        Self(self.0.iter().map(cut).collect())
    }

    /// Bytes of all values.
    pub fn value_bytes(&self) -> usize {
        self.0.iter().map(|c| c.values.buffer().len()).sum()
    }
}

/// Grows metadata columns row by row; keys may appear at any row.
#[derive(Debug, Default)]
pub(crate) struct MetadataBuilder {
    columns: Vec<Growing>,
    rows: usize,
}

#[derive(Debug)]
struct Growing {
    name: Arc<str>,
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Growing {
    fn pad(&mut self, rows: usize) {
        self.ends.resize(rows, self.bytes.len() as u32);
    }
}

impl MetadataBuilder {
    /// Gives the row being built a value; of two values for one key the last counts.
    pub(crate) fn push(&mut self, name: &str, value: &[u8]) {
        if value.is_empty() {
            return;
        }
        let at = self.columns.iter().position(|c| &*c.name == name).unwrap_or_else(|| {
            self.columns.push(Growing { name: name.into(), bytes: Vec::new(), ends: Vec::new() });
            self.columns.len() - 1
        });
        let column = &mut self.columns[at];
        if column.ends.len() > self.rows {
            column.ends.pop();
            column.bytes.truncate(column.ends.last().copied().unwrap_or(0) as usize);
        }
        column.pad(self.rows);
        column.bytes.extend_from_slice(value);
        column.ends.push(column.bytes.len() as u32);
    }

    /// Ends the row being built.
    pub(crate) fn end_row(&mut self) {
        self.rows += 1;
    }

    pub(crate) fn finish(self) -> MetadataColumns {
        let rows = self.rows;
        let columns = self.columns.into_iter().map(|mut c| {
            c.pad(rows);
            let values = LineColumn::new(Bytes::from(c.bytes), c.ends).expect("ends are pushed in step with bytes");
            MetadataColumn { name: c.name, values }
        });
        MetadataColumns::from_columns(columns.collect(), rows).expect("keys are looked up before they are added")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_may_come_late_and_twice() {
        let mut b = MetadataBuilder::default();
        b.push("z", b"1");
        b.end_row();
        b.push("a", b"2");
        b.push("a", b"33");
        b.end_row();
        b.end_row();
        let m = b.finish();
        let rows: Vec<Vec<_>> = (0..3).map(|i| m.row(i).collect()).collect();
        assert_eq!(rows, [vec![("z", &b"1"[..])], vec![("a", &b"33"[..])], vec![]]);
    }
}
