//! Writing and reading whole objects, and random rows.

use bytes::Bytes;
use proptest::prelude::*;
use skald_model::{CommitVector, Labels, LogPosition, Rows, RowsBuilder, TenantId, Timestamp, Writer};
use skald_segment::*;

/// A row as tests speak of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) labels: Labels,
    pub(crate) timestamp: i64,
    pub(crate) arrival: u64,
    pub(crate) line: Vec<u8>,
    pub(crate) metadata: Vec<(String, Vec<u8>)>,
}

pub(crate) fn row(app: &str, timestamp: i64, arrival: u64, line: &str) -> Row {
    Row { labels: Labels::from_pairs([("app", app)]), timestamp, arrival, line: line.into(), metadata: Vec::new() }
}

pub(crate) fn to_rows(rows: &[Row]) -> Rows {
    let mut builder = RowsBuilder::new();
    for row in rows {
        let metadata = row.metadata.iter().map(|(name, value)| (&**name, &**value));
        builder.push(&row.labels, Timestamp(row.timestamp), row.arrival, &row.line, metadata);
    }
    builder.finish()
}

pub(crate) fn from_rows(rows: &Rows) -> Vec<Row> {
    let one = |labels: &Labels, i: usize| Row {
        labels: labels.clone(),
        timestamp: rows.timestamps[i],
        arrival: rows.arrivals[i],
        line: rows.lines.get(i).to_vec(),
        metadata: rows.metadata.row(i).map(|(name, value)| (name.to_owned(), value.to_vec())).collect(),
    };
    rows.streams().flat_map(|(labels, range)| range.map(move |i| one(labels, i))).collect()
}

pub(crate) fn key(tenant: &str) -> SectionKey {
    SectionKey {
        shard: 0,
        tenant: TenantId::new(tenant).unwrap(),
        window_start: Timestamp(i64::MIN),
        window_len: u64::MAX,
    }
}

pub(crate) fn commit() -> CommitInfo {
    let position = LogPosition { writer: Writer::new("ing-0").unwrap(), seq: 3 };
    let receipts = vec![Receipt { distributor: "d-0".into(), batches: vec![1..=4, 9..=9] }];
    CommitInfo { position, flush_id: 7, row_hash: 0, receipts }
}

pub(crate) fn sources() -> CommitVector {
    [(Writer::new("ing-0").unwrap(), 3)].into_iter().collect()
}

/// One section with `batches`, which must be sorted.
pub(crate) fn write(batches: &[Rows], options: WriterOptions) -> Bytes {
    write_sections(&[("fake", batches)], options)
}

pub(crate) fn write_sections(sections: &[(&str, &[Rows])], options: WriterOptions) -> Bytes {
    let mut writer = ObjectWriter::new(Vec::new(), options).unwrap();
    for (tenant, batches) in sections {
        writer.begin_section(key(tenant), Level::FLUSHED, 1, sources()).unwrap();
        batches.iter().for_each(|rows| writer.push(rows).unwrap());
    }
    writer.finish(Some(commit())).unwrap().0.into()
}

pub(crate) fn directory(object: &Bytes) -> Directory {
    match Directory::locate(object, object.len() as u64).unwrap() {
        Located::Directory(directory) => directory,
        Located::NeedMore(range) => panic!("the whole object is at hand, {range:?} asked"),
    }
}

pub(crate) fn cut(object: &Bytes, range: &std::ops::Range<u64>) -> Bytes {
    object.slice(range.start as usize..range.end as usize)
}

pub(crate) fn index(object: &Bytes, entry: &SectionEntry) -> SectionIndex {
    SectionIndex::decode(entry, &cut(object, &entry.index)).unwrap()
}

/// Rows of section `number` that are wanted.
pub(crate) fn read(
    object: &Bytes,
    number: usize,
    wanted: &dyn Fn(&Labels) -> bool,
    from: i64,
    to: i64,
    columns: &Columns,
) -> Vec<Row> {
    let entry = &directory(object).sections[number];
    let plan = plan_read(&index(object, entry), wanted, Timestamp(from), Timestamp(to), columns);
    let decode = |page: &PageRead| {
        let fetched: Vec<Bytes> = page.ranges.iter().map(|r| cut(object, r)).collect();
        from_rows(&page.decode(&fetched).unwrap())
    };
    plan.pages.iter().flat_map(decode).collect()
}

pub(crate) fn read_all(object: &Bytes) -> Vec<Row> {
    read(object, 0, &|_| true, i64::MIN, i64::MAX, &Columns::ALL)
}

/// Sorted as the slow reference does it: (stream, timestamp, arrival, hash), of copies the first stays.
pub(crate) fn reference_sort(mut rows: Vec<Row>) -> Vec<Row> {
    let hash = |row: &Row| to_rows(std::slice::from_ref(row)).row_hash(0);
    rows.sort_by_key(|r| (r.labels.clone(), r.timestamp, r.arrival, hash(r)));
    without_copies(rows)
}

pub(crate) fn without_copies(rows: Vec<Row>) -> Vec<Row> {
    let mut kept: Vec<Row> = Vec::new();
    for row in rows {
        let copy = |k: &&Row| {
            k.labels == row.labels && k.timestamp == row.timestamp && k.line == row.line && k.metadata == row.metadata
        };
        if !kept.iter().rev().take_while(|k| k.labels == row.labels && k.timestamp == row.timestamp).any(|k| copy(&k)) {
            kept.push(row);
        }
    }
    kept
}

/// Rows of few streams, timestamps and lines, so that copies and equal timestamps abound.
pub(crate) fn arbitrary_rows(max: usize) -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec(arbitrary_row(), 0..max)
}

fn arbitrary_row() -> impl Strategy<Value = Row> {
    let labels = prop::sample::select(vec![
        Labels::from_pairs([("app", "a")]),
        Labels::from_pairs([("app", "b"), ("service_name", "x")]),
        Labels::from_pairs([("pod", "p-1"), ("service_name", "b")]),
        Labels::from_pairs([("pod", "p-2"), ("service_name", "b")]),
        Labels::empty(),
    ]);
    let timestamp = prop_oneof![8 => 0..12i64, 2 => (0..5i64).prop_map(|s| s * 1_000_000_000), 1 => any::<i64>()];
    let line = prop_oneof![4 => prop::sample::select(vec!["", "x", "level=info done"]).prop_map(|l| l.as_bytes().to_vec()), 1 => prop::collection::vec(any::<u8>(), 0..40)];
    let name = prop::sample::select(vec!["detected_level".to_owned(), "trace_id".to_owned(), "z".to_owned()]);
    let value = prop_oneof![3 => Just(b"info".to_vec()), 1 => prop::collection::vec(any::<u8>(), 1..20)];
    let metadata = prop::collection::btree_map(name, value, 0..3).prop_map(|m| m.into_iter().collect());
    (labels, timestamp, 0..6u64, line, metadata).prop_map(|(labels, timestamp, arrival, line, metadata)| Row {
        labels,
        timestamp,
        arrival,
        line,
        metadata,
    })
}
