//! The way out: rows, streams and bounds of what is not in the bucket yet.
//!
//! A reader takes one [`Snapshot`]: memtables and the commit vector that stands for everything they do
//! not hold. Decoding, sorting and filtering happen on threads that may work, a bounded number of
//! parts ahead of the caller.

mod limited;
mod query;

use std::collections::BTreeMap;

use skald_logql::{Matcher, parse_matchers_allow_empty};
use skald_memtable::{SortedBatches, join};
use skald_model::{Labels, Rows, Timestamp};
use skald_segment::{Merge, RowSource, merge};
use skald_wire::{RpcError, labels_to_bytes, pb};

pub(crate) use query::{query, select_rows};

use crate::{
    flush::{FileError, Pages},
    tables::{Held, Snapshot},
};

/// Which rows somebody wants.
pub(crate) struct Wanted {
    pub(crate) tenant: String,
    matchers: Vec<Matcher>,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

impl Wanted {
    pub(crate) fn parse(selection: &pb::Selection) -> Result<Self, RpcError> {
        Ok(Self {
            tenant: selection.tenant.clone(),
            matchers: parse_matchers(&selection.matchers)?,
            from: Timestamp(selection.from_ns),
            to: Timestamp(selection.to_ns),
        })
    }

    pub(crate) fn matches(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|m| m.matches(labels))
    }
}

fn parse_matchers(text: &str) -> Result<Vec<Matcher>, RpcError> {
    parse_matchers_allow_empty(text).map_err(|e| RpcError::Invalid(e.to_string()))
}

/// Rows of the memtables in memory together, or of one section of an encoded one.
pub(crate) enum Source {
    Memory(Box<SortedBatches>),
    File(Pages),
}

impl RowSource for Source {
    type Error = FileError;

    fn next(&mut self) -> Result<Option<Rows>, FileError> {
        match self {
            Self::Memory(batches) => Ok(Iterator::next(&mut **batches)),
            Self::File(pages) => pages.next(),
        }
    }
}

/// All wanted rows, sorted, without copies.
pub(crate) fn sorted(snapshot: &Snapshot, wanted: &Wanted) -> Result<Merge<Source>, FileError> {
    let (streams, files) = select(snapshot, wanted)?;
    let mut sources: Vec<Source> = files.into_iter().map(Source::File).collect();
    sources.push(Source::Memory(Box::new(SortedBatches::new(streams, wanted.from, wanted.to))));
    Ok(merge(sources))
}

/// What may hold wanted rows: streams in memory, sections in files.
fn select(snapshot: &Snapshot, wanted: &Wanted) -> Result<(Vec<skald_memtable::StreamRows>, Vec<Pages>), FileError> {
    let matches = |labels: &Labels| wanted.matches(labels);
    let (mut selections, mut files) = (Vec::new(), Vec::new());
    for frozen in &snapshot.frozen {
        match frozen.held() {
            Held::Memory(m) => selections.push(m.select(&wanted.tenant, &matches, wanted.from, wanted.to)),
            Held::File(file) => files.extend(file.rows(&wanted.tenant, &matches, wanted.from, wanted.to)?),
        }
    }
    selections.push(snapshot.active.select(&wanted.tenant, &matches, wanted.from, wanted.to));
    Ok((join(selections), files))
}

/// Streams with wanted rows, sorted by labels, with sizes. Blocks and works.
pub(crate) fn streams(snapshot: &Snapshot, wanted: &Wanted) -> Result<Vec<pb::StreamInfo>, FileError> {
    let mut found: BTreeMap<Labels, pb::StreamInfo> = BTreeMap::new();
    let mut add = |labels: &Labels, rows: u64, bytes: u64, min: Timestamp, max: Timestamp| {
        let new =
            || pb::StreamInfo { labels: labels_to_bytes(labels), min_ns: min.0, max_ns: max.0, rows: 0, bytes: 0 };
        let info = found.entry(labels.clone()).or_insert_with(new);
        info.rows += rows;
        info.bytes += bytes;
        info.min_ns = info.min_ns.min(min.0);
        info.max_ns = info.max_ns.max(max.0);
    };
    let matches = |labels: &Labels| wanted.matches(labels);
    let mut memtables = vec![snapshot.active.clone()];
    for frozen in &snapshot.frozen {
        match frozen.held() {
            Held::Memory(memtable) => memtables.push(memtable),
            Held::File(file) => {
                for s in file.streams(&wanted.tenant, wanted.from, wanted.to)?.iter().filter(|s| matches(&s.labels)) {
                    add(&s.labels, s.rows, s.raw_bytes, s.tmin, s.tmax);
                }
            }
        }
    }
    for memtable in memtables {
        for s in memtable.streams(&wanted.tenant, &matches, wanted.from, wanted.to) {
            add(&s.labels, s.rows, s.raw_bytes, s.min, s.max);
        }
    }
    Ok(found.into_values().collect())
}

/// Earliest and latest timestamp of a tenant's rows.
pub(crate) fn bounds(snapshot: &Snapshot, tenant: &str) -> Option<(Timestamp, Timestamp)> {
    let frozen = snapshot.frozen.iter().filter_map(|f| match f.held() {
        Held::Memory(memtable) => memtable.bounds(tenant),
        Held::File(file) => file.bounds(tenant),
    });
    frozen.chain(snapshot.active.bounds(tenant)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}
