//! What is written: rows that can be told apart, as batches, as flushed objects, and back.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use skald_blob::{BlobError, BlobStore};
use skald_model::{CommitVector, Labels, LogPosition, Rows, RowsBuilder, TenantId, Timestamp, Writer};
use skald_segment::{
    Columns, CommitInfo, Directory, Level, ObjectWriter, SectionEntry, SectionIndex, SectionKey, WriterOptions,
    plan_read, sort_rows,
};

/// Sections are cut at two hours, as everywhere.
const WINDOW_NS: i64 = 2 * 3600 * 1_000_000_000;

/// The tenants of a history.
pub(crate) const TENANTS: [&str; 2] = ["a", "b"];

/// One row. The line holds `id`, so that rows of equal time and stream differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) id: u64,
    pub(crate) tenant: usize,
    pub(crate) stream: u8,
    pub(crate) timestamp: i64,
    /// A retry of a client has a new arrival and is the same row.
    pub(crate) arrival: u64,
}

/// Rows as columns, in the order given.
pub(crate) fn columns<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Rows {
    let mut builder = RowsBuilder::new();
    for row in rows {
        let labels = Labels::from_pairs([("app", format!("s{}", row.stream))]);
        let line = format!("line {}", row.id);
        builder.push(&labels, Timestamp(row.timestamp), row.arrival, line.as_bytes(), []);
    }
    builder.finish()
}

/// The ids of `rows`, in their order.
pub(crate) fn ids(rows: &Rows) -> Vec<u64> {
    let id = |line: &[u8]| std::str::from_utf8(line).ok()?.strip_prefix("line ")?.parse().ok();
    rows.lines.iter().map(|line| id(line).expect("the simulation wrote this line")).collect()
}

/// The flushed object of `rows` at a position.
pub(crate) fn flushed_object(rows: &[Row], position: LogPosition, flush_id: u128) -> (Bytes, Directory) {
    let mut groups: BTreeMap<SectionKey, Vec<Row>> = BTreeMap::new();
    for row in rows {
        let key = SectionKey {
            shard: 0,
            tenant: tenant(row.tenant),
            window_start: Timestamp(row.timestamp.div_euclid(WINDOW_NS) * WINDOW_NS),
            window_len: WINDOW_NS as u64,
        };
        groups.entry(key).or_default().push(*row);
    }
    let sources: CommitVector = [(position.writer.clone(), position.seq)].into_iter().collect();
    let mut object = ObjectWriter::new(Vec::new(), WriterOptions::default()).expect("memory takes all bytes");
    for (key, rows) in groups {
        object.begin_section(key, Level::FLUSHED, flush_id, sources.clone()).expect("memory takes all bytes");
        for batch in sort_rows(vec![columns(&rows)]) {
            object.push(&batch).expect("rows are sorted and within their window");
        }
    }
    let commit = CommitInfo { position, flush_id, row_hash: 0, receipts: Vec::new() };
    let (bytes, directory) = object.finish(Some(commit)).expect("memory takes all bytes");
    (bytes.into(), directory)
}

/// Tenant number `i`.
pub(crate) fn tenant(i: usize) -> TenantId {
    TenantId::new(TENANTS[i]).expect("valid id")
}

/// Writer `incarnation` of ingester `i`.
pub(crate) fn writer(i: usize, incarnation: u32) -> Writer {
    Writer::new(&format!("ingester-{i}-{incarnation}")).expect("valid id")
}

/// All rows of a section.
pub(crate) async fn read_section(
    store: &Arc<dyn BlobStore>,
    object: &str,
    entry: &SectionEntry,
) -> Result<Vec<Rows>, BlobError> {
    let index = store.get_range(object, entry.index.clone()).await?;
    let index = SectionIndex::decode(entry, &index).expect("the bucket damages nothing");
    let plan = plan_read(&index, &|_| true, Timestamp::MIN, Timestamp::MAX, &Columns::ALL);
    let mut rows = Vec::new();
    for page in plan.pages {
        let fetched = store.get_ranges(object, &page.ranges).await?;
        rows.push(page.decode(&fetched).expect("the bucket damages nothing"));
    }
    Ok(rows)
}
