use std::convert::Infallible;

use proptest::prelude::*;
use skald_model::Rows;
use skald_segment::*;

use crate::support::*;

/// Batches from memory.
struct Batches(std::vec::IntoIter<Rows>);

impl RowSource for Batches {
    type Error = Infallible;

    fn next(&mut self) -> Result<Option<Rows>, Infallible> {
        Ok(self.0.next())
    }
}

fn merged(sources: &[Vec<Row>], batch: usize) -> (Vec<Row>, MergeStats) {
    let batches = |rows: &Vec<Row>| Batches(rows.chunks(batch).map(to_rows).collect::<Vec<_>>().into_iter());
    let mut merge = merge(sources.iter().map(batches).collect());
    let mut out = Vec::new();
    while let Ok(Some(rows)) = merge.next() {
        assert!(rows.is_sorted() && !rows.is_empty());
        out.extend(from_rows(&rows));
    }
    (out, merge.stats())
}

/// By the book: all rows in the order (stream, timestamp, arrival, source, place), copies dropped.
fn reference_merge(sources: &[Vec<Row>]) -> Vec<Row> {
    let mut all: Vec<(usize, usize, &Row)> =
        sources.iter().enumerate().flat_map(|(s, rows)| rows.iter().enumerate().map(move |(i, r)| (s, i, r))).collect();
    all.sort_by_key(|&(s, i, r)| (r.labels.clone(), r.timestamp, r.arrival, s, i));
    without_copies(all.into_iter().map(|(_, _, r)| r.clone()).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn sorting_equals_the_reference(parts in prop::collection::vec(arbitrary_rows(30), 0..8)) {
        let all: Vec<Row> = parts.iter().flatten().cloned().collect();
        let mut sorted = sort_rows(parts.iter().map(|p| to_rows(p)).collect());
        let got: Vec<Row> = sorted.by_ref().flat_map(|rows| from_rows(&rows)).collect();
        let expect = reference_sort(all.clone());
        prop_assert_eq!(sorted.duplicates() as usize, all.len() - expect.len());
        prop_assert_eq!(got, expect);
    }

    #[test]
    fn merging_equals_the_reference(sources in prop::collection::vec(arbitrary_rows(40), 0..5), batch in 1usize..20) {
        let sources: Vec<Vec<Row>> = sources.into_iter().map(reference_sort).collect();
        let (got, stats) = merged(&sources, batch);
        let expect = reference_merge(&sources);
        prop_assert_eq!(stats.rows_in as usize, sources.iter().map(Vec::len).sum::<usize>());
        prop_assert_eq!(stats.duplicates as usize, stats.rows_in as usize - expect.len());
        prop_assert_eq!(got, expect);
    }

    #[test]
    fn folding_keeps_what_the_order_needs(rows in arbitrary_rows(80), page_bytes in 1usize..100) {
        let sorted = reference_sort(rows);
        prop_assume!(!sorted.is_empty());
        let folded = write(&[to_rows(&sorted)], WriterOptions { page_bytes, keep_arrivals: Arrivals::EqualTimestamps, ..WriterOptions::default() });
        let expect: Vec<Row> = sorted
            .iter()
            .enumerate()
            .map(|(i, row)| {
                let same = |j: Option<usize>| j.and_then(|j| sorted.get(j)).is_some_and(|r| r.labels == row.labels && r.timestamp == row.timestamp);
                let keep = same(i.checked_sub(1)) || same(Some(i + 1));
                Row { arrival: if keep { row.arrival } else { 0 }, ..row.clone() }
            })
            .collect();
        prop_assert_eq!(read_all(&folded), expect);
    }
}

/// A thousand lines with one timestamp, in three replicas that each lack some and got them in other orders.
#[test]
fn a_thousand_lines_of_one_instant_keep_their_order() {
    let all: Vec<Row> = (0..1000u64).map(|i| row("a", 7, 500 + i, &format!("line {}", (i * 7919) % 1000))).collect();
    let replicas: Vec<Vec<Row>> = (0..3)
        .map(|r| {
            let mut mine: Vec<Row> =
                all.iter().enumerate().filter(|(i, _)| i % 3 != r).map(|(_, row)| row.clone()).collect();
            mine.reverse();
            mine.rotate_left(r * 100);
            let sorted = sort_rows(mine.chunks(10).map(to_rows).collect()).into_rows();
            let object = write(&[sorted], WriterOptions { page_bytes: 300, ..WriterOptions::default() });
            read_all(&object)
        })
        .collect();
    let (folded, stats) = merged(&replicas, 64);
    assert_eq!(folded, all);
    assert_eq!(stats.duplicates, 1000, "each line is in two of three replicas");
    let object = write(
        &[to_rows(&folded)],
        WriterOptions { page_bytes: 300, keep_arrivals: Arrivals::EqualTimestamps, ..WriterOptions::default() },
    );
    assert_eq!(read_all(&object), all);
    assert_eq!(merged(&[read_all(&object), replicas[1].clone()], 50).0, all, "a late replica adds nothing");
}

#[test]
fn a_long_stretch_of_one_source_passes_in_its_own_buffer() {
    let line = "x".repeat(1000);
    let source =
        |app: &str, from: i64| to_rows(&(from..from + 1000).map(|t| row(app, t, 0, &line)).collect::<Vec<_>>());
    let (a, b) = (source("a", 0), source("a", 5000));
    let buffers = [a.lines.buffer().as_ptr(), b.lines.buffer().as_ptr()];
    let mut merge = merge(vec![Batches(vec![b].into_iter()), Batches(vec![a].into_iter())]);
    for buffer in buffers {
        let rows = merge.next().unwrap().unwrap();
        assert_eq!((rows.len(), rows.lines.buffer().as_ptr()), (1000, buffer));
    }
    assert!(merge.next().unwrap().is_none());
}
