use proptest::prelude::*;
use skald_model::{Labels, Rows, RowsBuilder, Timestamp};
use skald_segment::*;

use crate::support::*;

fn options(page_bytes: usize, codec: Codec) -> WriterOptions {
    WriterOptions { page_bytes, codec, keep_arrivals: Arrivals::All }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(rows in arbitrary_rows(120), page_bytes in 1usize..400, codec in 0usize..4, batch in 1usize..40) {
        let codec = [Codec::None, Codec::Zstd(1), Codec::Lz4, Codec::Snappy][codec];
        let sorted = reference_sort(rows);
        prop_assume!(!sorted.is_empty());
        let batches: Vec<Rows> = sorted.chunks(batch).map(to_rows).collect();
        let object = write(&batches, options(page_bytes, codec));
        prop_assert_eq!(&read_all(&object), &sorted);
        let entry = &directory(&object).sections[0];
        prop_assert_eq!(entry.rows, sorted.len() as u64);
        prop_assert_eq!(entry.tmin.0, sorted.iter().map(|r| r.timestamp).min().unwrap());
        prop_assert_eq!(entry.tmax.0, sorted.iter().map(|r| r.timestamp).max().unwrap());
        prop_assert_eq!(&entry.first, &sorted[0].labels);
        let verified = verify(&object);
        prop_assert!(verified.faults.is_empty() && verified.rows == entry.rows);
    }

    #[test]
    fn a_part_is_the_part_of_all(rows in arbitrary_rows(120), page_bytes in 1usize..400, from in -2i64..14, len in 0i64..10, app in "[ab]") {
        let sorted = reference_sort(rows);
        prop_assume!(!sorted.is_empty());
        let object = write(&[to_rows(&sorted)], options(page_bytes, Codec::default()));
        let to = from + len;
        let wanted = |labels: &Labels| labels.get("app") == Some(&app) || labels.get("pod") == Some("p-2");
        let columns = Columns { lines: false, metadata: MetadataWanted::Keys(vec!["trace_id".into()]), arrivals: false };
        let expect: Vec<Row> = sorted.iter().filter(|r| wanted(&r.labels) && (from..to).contains(&r.timestamp)).cloned().collect();
        prop_assert_eq!(&read(&object, 0, &wanted, from, to, &Columns::ALL), &expect);
        let narrow: Vec<Row> = expect
            .into_iter()
            .map(|r| Row { arrival: 0, line: Vec::new(), metadata: r.metadata.into_iter().filter(|(k, _)| k == "trace_id").collect(), ..r })
            .collect();
        prop_assert_eq!(&read(&object, 0, &wanted, from, to, &columns), &narrow);
    }

    #[test]
    fn the_row_hash_knows_no_pages(rows in arbitrary_rows(60), a in 1usize..200, b in 1usize..200) {
        let sorted = reference_sort(rows);
        let hash = |sorted: &[Row], page_bytes| directory(&write(&[to_rows(sorted)], options(page_bytes, Codec::Lz4))).commit.unwrap().row_hash;
        prop_assert_eq!(hash(&sorted, a), hash(&sorted, b));
        if let Some((_, rest)) = sorted.split_first() {
            prop_assert_ne!(hash(&sorted, a), hash(rest, a));
        }
    }
}

#[test]
fn sections_keep_apart_and_empty_ones_vanish() {
    let (a, b) = (to_rows(&[row("a", 1, 0, "one")]), to_rows(&[row("a", 1, 0, "two")]));
    let object = write_sections(&[("t1", &[a]), ("t2", &[Rows::default()]), ("t3", &[b])], WriterOptions::default());
    let directory = directory(&object);
    assert_eq!(directory.sections.iter().map(|e| e.key.tenant.as_str()).collect::<Vec<_>>(), ["t1", "t3"]);
    assert_eq!(directory.commit.as_ref().unwrap().receipts, commit().receipts);
    assert_eq!(read(&object, 1, &|_| true, 0, 5, &Columns::ALL), [row("a", 1, 0, "two")]);
    for entry in &directory.sections {
        assert_eq!(SectionEntry::decode(&entry.encode()).unwrap(), *entry);
    }
}

#[test]
fn an_object_without_rows_is_an_object() {
    let object = write(&[], WriterOptions::default());
    assert!(directory(&object).sections.is_empty());
    assert!(verify(&object).faults.is_empty());
}

#[test]
fn many_tiny_streams_cost_little() {
    const STREAMS: usize = 57_000;
    let mut labels: Vec<Labels> = (0..STREAMS)
        .map(|i| {
            Labels::from_pairs([
                ("service_name", format!("svc-{}", i % 40)),
                ("pod", format!("pod-{i:06}")),
                ("cluster", "eu-1".to_owned()),
            ])
        })
        .collect();
    labels.sort();
    let mut builder = RowsBuilder::new();
    for (i, labels) in labels.iter().enumerate() {
        for row in 0..3 {
            let line = format!("level=info stream={i} row={row} took={}ms", i * 7 % 1000);
            builder.push(labels, Timestamp(row * 1_000_000), 5, line.as_bytes(), [("detected_level", &b"info"[..])]);
        }
    }
    let rows = builder.finish();
    let object = write(std::slice::from_ref(&rows), WriterOptions::default());
    let entry = &directory(&object).sections[0];
    assert_eq!((entry.streams, entry.rows), (STREAMS as u64, 3 * STREAMS as u64));
    let index = index(&object, entry);
    assert!(index.pages().len() < 10, "{} pages", index.pages().len());
    assert!(entry.index.end - entry.index.start < 8 * STREAMS as u64, "{:?}", entry.index);
    assert_eq!(read_all(&object), from_rows(&rows));
    let one = read(&object, 0, &|l| l.get("pod") == Some("pod-031234"), i64::MIN, i64::MAX, &Columns::ALL);
    assert_eq!(one.len(), 3);
}

#[test]
fn constant_metadata_costs_next_to_nothing() {
    let line = |i: usize| format!("{:016x}", (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let with = |levels: bool| {
        let mut builder = RowsBuilder::new();
        let labels = Labels::from_pairs([("app", "a")]);
        for i in 0..50_000 {
            let level = [("detected_level", if i % 100 == 0 { &b"error"[..] } else { b"info" })];
            builder.push(&labels, Timestamp(i as i64), 0, line(i).as_bytes(), level.into_iter().filter(|_| levels));
        }
        write(&[builder.finish()], WriterOptions::default()).len()
    };
    assert!(with(true) - with(false) < 1000, "{} more", with(true) - with(false));
}

#[test]
fn wrong_rows_are_refused() {
    let narrow = SectionKey { window_start: Timestamp(0), window_len: 100, ..key("fake") };
    let cases: &[(&[Row], &str)] = &[
        (&[row("b", 1, 0, "x"), row("a", 1, 0, "x")], "rows of stream {app=\"a\"} are not sorted"),
        (&[row("a", 2, 0, "x"), row("a", 1, 0, "x")], "rows of stream {app=\"a\"} are not sorted"),
        (&[row("a", 2, 2, "x"), row("a", 2, 1, "y")], "rows of stream {app=\"a\"} are not sorted"),
        (&[row("a", 100, 0, "x")], "timestamp 100 lies outside the section's window"),
        (&[row("a", -1, 0, "x")], "timestamp -1 lies outside the section's window"),
    ];
    for (rows, expect) in cases {
        for batch in [1, 2] {
            let mut writer = ObjectWriter::new(Vec::new(), WriterOptions::default()).unwrap();
            writer.begin_section(narrow.clone(), Level::FLUSHED, 0, sources()).unwrap();
            let error = rows.chunks(batch).try_for_each(|rows| writer.push(&to_rows(rows))).unwrap_err();
            assert_eq!(error.to_string(), *expect);
        }
    }
}

#[test]
fn descriptions_name_every_column() {
    let rows = to_rows(&[Row { metadata: vec![("trace_id".into(), b"abc".to_vec())], ..row("a", 1, 5, "line") }]);
    let object = write(&[rows], WriterOptions::default());
    let directory = directory(&object);
    let text = describe(&directory, &[index(&object, &directory.sections[0])]).to_string();
    for part in [
        "log object ing-0/3",
        "covers 5 batches of d-0",
        "1 rows in 1 streams",
        "metadata trace_id",
        "timestamps",
        "lines",
        "index",
        "arrivals",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}
