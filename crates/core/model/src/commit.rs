//! Positions in the ingesters' logs.
//!
//! Each ingester owns one log in the bucket, named by its [`Writer`] id: object `seq` of it is the
//! `seq`-th flush. A [`CommitVector`] says, per writer, up to where somebody has seen or needs it.

use std::{collections::BTreeMap, fmt, sync::Arc};

/// The identity of one log: it lives with a WAL directory and continues across restarts of the
/// ingester. Only `[A-Za-z0-9_-]`, so that it can be a path segment of an object key. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Writer(Arc<str>);

impl Writer {
    /// `id` as a writer id; `None` unless it is 1 to 100 characters of `[A-Za-z0-9_-]`.
    pub fn new(id: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        ((1..=100).contains(&id.len()) && id.bytes().all(allowed)).then(|| Self(id.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writer({})", self.0)
    }
}

/// One place in a log: object `seq` of `writer`. Sequence numbers begin at 1; 0 means "none yet".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPosition {
    /// Whose log.
    pub writer: Writer,
    /// Which object of it.
    pub seq: u64,
}

/// Per writer, the highest sequence number that is meant. Absent writers stand at 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitVector(BTreeMap<Writer, u64>);

impl CommitVector {
    /// The empty vector: it needs nothing and covers nothing.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// The number of `writer`, 0 when absent.
    pub fn get(&self, writer: &Writer) -> u64 {
        self.0.get(writer).copied().unwrap_or(0)
    }

    /// Raises `writer` to at least `seq`; never lowers. A `seq` of 0 adds nothing.
    pub fn raise(&mut self, writer: &Writer, seq: u64) {
        if seq > self.get(writer) {
            self.0.insert(writer.clone(), seq);
        }
    }

    /// Raises every writer to at least what `other` says.
    pub fn merge(&mut self, other: &Self) {
        for (writer, &seq) in &other.0 {
            self.raise(writer, seq);
        }
    }

    /// True when no writer of `need` stands higher there than here.
    pub fn covers(&self, need: &Self) -> bool {
        need.0.iter().all(|(writer, &seq)| self.get(writer) >= seq)
    }

    /// Writers and their numbers in the order of writer ids.
    pub fn iter(&self) -> impl Iterator<Item = (&Writer, u64)> {
        self.0.iter().map(|(writer, &seq)| (writer, seq))
    }

    /// How many writers are named.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when no writer is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Writer, u64)> for CommitVector {
    fn from_iter<I: IntoIterator<Item = (Writer, u64)>>(iter: I) -> Self {
        let mut vector = Self::new();
        for (writer, seq) in iter {
            vector.raise(&writer, seq);
        }
        vector
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(entries: &[(&str, u64)]) -> CommitVector {
        entries.iter().map(|&(w, s)| (Writer::new(w).expect("valid id"), s)).collect()
    }

    #[test]
    fn covers_is_pointwise() {
        let cases = [
            (&[][..], &[][..], true),
            (&[("a", 2)], &[("a", 2)], true),
            (&[("a", 2)], &[("a", 3)], false),
            (&[("a", 9)], &[("b", 1)], false),
            (&[("a", 9), ("b", 1)], &[("b", 1)], true),
        ];
        for (have, need, expect) in cases {
            assert_eq!(vector(have).covers(&vector(need)), expect, "{have:?} {need:?}");
        }
    }

    #[test]
    fn raise_never_lowers() {
        let mut v = vector(&[("a", 5)]);
        v.merge(&vector(&[("a", 3), ("b", 1)]));
        assert_eq!(v, vector(&[("a", 5), ("b", 1)]));
    }

    #[test]
    fn writer_ids_are_path_segments() {
        for (id, ok) in [("ing-0_x", true), ("", false), ("a/b", false), ("a.b", false), ("é", false)] {
            assert_eq!(Writer::new(id).is_some(), ok, "{id}");
        }
    }
}
