//! Label sets: the identity of a stream.

use std::{cmp::Ordering, fmt, hash, sync::Arc};

use smallvec::SmallVec;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::{
    SERVICE_NAME_LABEL,
    varint::{self, Reader},
};

/// A canonical label set: sorted by name, names distinct, no empty values. Cheap to clone.
///
/// Equality is that of the pairs. The order is the order of streams in every file and merge of the
/// project: by the value of `service_name` first, then pair by pair.
#[derive(Clone)]
pub struct Labels(Arc<Inner>);

struct Inner {
    /// Names and values one after the other.
    text: Box<str>,
    /// For each pair, where its name and its value end in `text`.
    ends: Box<[(u32, u32)]>,
    hash: u64,
}

impl Labels {
    /// The label set without labels.
    pub fn empty() -> Self {
        LabelsBuilder::new().build()
    }

    /// From pairs in any order. Pairs with an empty value are dropped; of pairs with one name the last counts.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut builder = LabelsBuilder::new();
        for (name, value) in pairs {
            builder.push(name.as_ref(), value.as_ref());
        }
        builder.build()
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|&(n, _)| n == name).map(|(_, value)| value)
    }

    /// Pairs in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        let inner = &*self.0;
        (0..inner.ends.len()).map(move |i| {
            let start = if i == 0 { 0 } else { inner.ends[i - 1].1 as usize };
            let (name_end, value_end) = inner.ends[i];
            (&inner.text[start..name_end as usize], &inner.text[name_end as usize..value_end as usize])
        })
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.0.ends.len()
    }

    /// True when there is no pair.
    pub fn is_empty(&self) -> bool {
        self.0.ends.is_empty()
    }

    /// A hash of the pairs (xxh3-64) that never changes: it may be stored and sent.
    pub fn hash64(&self) -> u64 {
        self.0.hash
    }

    /// Where a stream of `tenant` with these labels lies on the ring.
    pub fn ring_token(&self, tenant: &str) -> u32 {
        let mut hasher = Xxh3::new();
        hasher.update(tenant.as_bytes());
        hasher.update(&self.0.hash.to_le_bytes());
        (hasher.digest() >> 32) as u32
    }

    /// Bytes that this label set keeps in memory, shared by all its clones.
    pub fn heap_bytes(&self) -> usize {
        std::mem::size_of::<Inner>() + 16 + self.0.text.len() + self.0.ends.len() * 8
    }

    /// Appends the encoded form: number of pairs, then name and value of each with their lengths.
    pub fn encode(&self, out: &mut Vec<u8>) {
        varint::put_u64(out, self.len() as u64);
        for (name, value) in self.iter() {
            varint::put_bytes(out, name.as_bytes());
            varint::put_bytes(out, value.as_bytes());
        }
    }

    /// Reads what [`Labels::encode`] wrote; `None` for anything cut or not UTF-8.
    pub fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let count = reader.count()?;
        let mut builder = LabelsBuilder::new();
        for _ in 0..count {
            builder.push(reader.str()?, reader.str()?);
        }
        Some(builder.build())
    }

    fn service(&self) -> &str {
        self.get(SERVICE_NAME_LABEL).unwrap_or("")
    }
}

impl PartialEq for Labels {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.hash == other.0.hash && self.0.text == other.0.text && self.0.ends == other.0.ends)
    }
}

impl Eq for Labels {}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        self.service().cmp(other.service()).then_with(|| self.iter().cmp(other.iter()))
    }
}

impl hash::Hash for Labels {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

/// Prometheus notation: `{a="b", c="d"}`, values quoted and escaped as Go's `%q` does for ASCII controls, quotes and backslashes.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, (name, value)) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{name}=\"")?;
            for c in value.chars() {
                match c {
                    '"' => f.write_str("\\\"")?,
                    '\\' => f.write_str("\\\\")?,
                    '\n' => f.write_str("\\n")?,
                    '\r' => f.write_str("\\r")?,
                    '\t' => f.write_str("\\t")?,
                    c if (c as u32) < 0x20 || c as u32 == 0x7f => write!(f, "\\x{:02x}", c as u32)?,
                    c => write!(f, "{c}")?,
                }
            }
            f.write_str("\"")?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Collects pairs in any order and makes [`Labels`] of them; reusable, so that a hot loop allocates
/// only what the result keeps.
#[derive(Debug, Default)]
pub struct LabelsBuilder {
    text: String,
    /// Start of the name, end of the name, end of the value.
    pairs: SmallVec<[(u32, u32, u32); 16]>,
}

impl LabelsBuilder {
    /// Nothing collected yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a pair. An empty value removes nothing and adds nothing.
    pub fn push(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        let start = self.text.len() as u32;
        self.text.push_str(name);
        let name_end = self.text.len() as u32;
        self.text.push_str(value);
        self.pairs.push((start, name_end, self.text.len() as u32));
    }

    /// The value last given to `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().rev().find(|p| &self.text[p.0 as usize..p.1 as usize] == name)?;
        Some(&self.text[found.1 as usize..found.2 as usize])
    }

    /// Forgets all pairs, keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.pairs.clear();
    }

    /// The label set of what was collected. The builder keeps its pairs until [`LabelsBuilder::clear`].
    pub fn build(&mut self) -> Labels {
        let Self { text, pairs } = self;
        let name_of = |p: &(u32, u32, u32)| &text[p.0 as usize..p.1 as usize];
        if !pairs.windows(2).all(|w| name_of(&w[0]) < name_of(&w[1])) {
            // Stable, so that of equal names the last one pushed is the last of its run.
            pairs.sort_by(|a, b| name_of(a).cmp(name_of(b)));
            let mut kept: SmallVec<[(u32, u32, u32); 16]> = SmallVec::new();
            for pair in pairs.iter() {
                match kept.last_mut() {
                    Some(last) if name_of(last) == name_of(pair) => *last = *pair,
                    _ => kept.push(*pair),
                }
            }
            *pairs = kept;
        }
        let bytes = pairs.iter().map(|p| (p.2 - p.0) as usize).sum();
        let mut sorted = String::with_capacity(bytes);
        let mut ends = Vec::with_capacity(pairs.len());
        for &(start, name_end, value_end) in pairs.iter() {
            sorted.push_str(&text[start as usize..name_end as usize]);
            let name_end_sorted = sorted.len() as u32;
            sorted.push_str(&text[name_end as usize..value_end as usize]);
            ends.push((name_end_sorted, sorted.len() as u32));
        }
        let hash = hash_of(&sorted, &ends);
        Labels(Arc::new(Inner { text: sorted.into(), ends: ends.into(), hash }))
    }
}

/// The text alone does not say where names end, so the ends go into the hash as well.
fn hash_of(text: &str, ends: &[(u32, u32)]) -> u64 {
    let mut bytes: SmallVec<[u8; 512]> = SmallVec::from_slice(text.as_bytes());
    for &(name_end, value_end) in ends {
        bytes.extend_from_slice(&name_end.to_le_bytes());
        bytes.extend_from_slice(&value_end.to_le_bytes());
    }
    xxh3_64(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_form() {
        let cases: &[(&[(&str, &str)], &str)] = &[
            (&[], "{}"),
            (&[("b", "2"), ("a", "1")], r#"{a="1", b="2"}"#),
            (&[("a", "1"), ("a", "2")], r#"{a="2"}"#),
            (&[("a", ""), ("b", "x")], r#"{b="x"}"#),
            (&[("a", "q\"\\\n\u{1}é")], "{a=\"q\\\"\\\\\\n\\x01é\"}"),
        ];
        for (pairs, expect) in cases {
            assert_eq!(Labels::from_pairs(pairs.iter().copied()).to_string(), *expect);
        }
    }

    #[test]
    fn identity_does_not_depend_on_the_order_of_pairs() {
        let a = Labels::from_pairs([("x", "1"), ("service_name", "s")]);
        let b = Labels::from_pairs([("service_name", "s"), ("x", "1")]);
        assert_eq!(a, b);
        assert_eq!(a.hash64(), b.hash64());
        assert_ne!(Labels::from_pairs([("ab", "c")]).hash64(), Labels::from_pairs([("a", "bc")]).hash64());
    }

    #[test]
    fn services_lie_side_by_side() {
        let mut all = [
            Labels::from_pairs([("a", "1"), ("service_name", "z")]),
            Labels::from_pairs([("b", "1"), ("service_name", "a")]),
            Labels::from_pairs([("a", "2"), ("service_name", "z")]),
        ];
        all.sort();
        let services: Vec<_> = all.iter().map(|l| l.get("service_name").unwrap_or("")).collect();
        assert_eq!(services, ["a", "z", "z"]);
    }

    #[test]
    fn encoding_round_trips() {
        let labels = Labels::from_pairs([("app", "x"), ("ns", "y")]);
        let mut out = Vec::new();
        labels.encode(&mut out);
        assert_eq!(Labels::decode(&mut Reader::new(&out)), Some(labels));
        assert_eq!(Labels::decode(&mut Reader::new(&out[..out.len() - 1])), None);
    }
}
