//! Entries, directories and contents for tests, from a few words each.

use std::sync::Arc;

use skald_model::{CommitVector, Labels, LogPosition, TenantId, Timestamp, Writer};
use skald_segment::{CommitInfo, Directory, Level, SectionEntry, SectionKey};

use crate::{Content, Entry, Root};

/// Length of the windows of samples.
pub(crate) const WINDOW_NS: i64 = 1000;

pub(crate) fn writer(id: &str) -> Writer {
    Writer::new(id).unwrap()
}

pub(crate) fn tenant(id: &str) -> TenantId {
    TenantId::new(id).unwrap()
}

/// `w1 w2` style vector: each word is a writer id of one letter and its number.
pub(crate) fn vector(text: &str) -> CommitVector {
    text.split_whitespace().map(|word| (writer(&word[..1]), word[1..].parse().unwrap())).collect()
}

pub(crate) fn show(vector: &CommitVector) -> String {
    vector.iter().map(|(writer, seq)| format!("{writer}{seq}")).collect::<Vec<_>>().join(" ")
}

/// A section of ten rows at `min..=max`, in the window of `min`.
pub(crate) fn section(owner: &str, min: i64, max: i64, offset: u64, sources: &str) -> SectionEntry {
    let window_start = Timestamp(min.div_euclid(WINDOW_NS) * WINDOW_NS);
    let labels = Labels::from_pairs([("app", owner)]);
    SectionEntry {
        key: SectionKey { shard: 0, tenant: tenant(owner), window_start, window_len: WINDOW_NS as u64 },
        level: Level::FOLDED,
        run_id: 7,
        data: offset..offset + 100,
        index: offset + 100..offset + 120,
        tmin: Timestamp(min),
        tmax: Timestamp(max),
        rows: 10,
        raw_bytes: 1000,
        stored_bytes: 120,
        streams: 1,
        first: labels.clone(),
        last: labels,
        sources: vector(sources),
    }
}

pub(crate) fn entry(object: &str, section: SectionEntry) -> Entry {
    Entry { object: object.into(), section }
}

/// The directory of a flushed object.
pub(crate) fn directory(writer_id: &str, seq: u64, sections: Vec<SectionEntry>) -> Arc<Directory> {
    let position = LogPosition { writer: writer(writer_id), seq };
    let commit = CommitInfo { position, flush_id: 1, row_hash: 2, receipts: Vec::new() };
    Arc::new(Directory { sections, commit: Some(commit) })
}

/// A root without pages.
pub(crate) fn content(generation: u64, consumed: &str, mut added: Vec<Entry>) -> Arc<Content> {
    added.sort_by_key(Entry::key);
    let root = Root { generation, consumed: vector(consumed), added, ..Root::genesis(0) };
    Arc::new(Content::new(Arc::new(root), Vec::new()))
}
