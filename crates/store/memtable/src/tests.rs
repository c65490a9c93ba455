//! The table against a plain list of rows.

use skald_model::{BatchId, Labels, Rows, StreamBatch, StreamBatchBuilder, TenantId, Timestamp};

use crate::{Memtable, MemtableStats, SortedBatches, join};

type Row = (String, i64, u64, String);

fn batch(app: &str, arrival: u64, rows: &[(i64, &str)]) -> StreamBatch {
    let mut builder = StreamBatchBuilder::with_capacity(64);
    for (timestamp, line) in rows {
        builder.push(Timestamp(*timestamp), line.as_bytes(), [("level", &b"info"[..])]);
    }
    builder.finish(&Labels::from_pairs([("app", app)]), arrival).unwrap()
}

fn tenant(id: &str) -> TenantId {
    TenantId::new(id).unwrap()
}

fn id(number: u64) -> BatchId {
    BatchId { distributor: "d".to_owned(), number }
}

fn flatten(rows: &Rows) -> Vec<Row> {
    let row = |labels: &Labels, i: usize| {
        let line = String::from_utf8(rows.lines.get(i).to_vec()).unwrap();
        (labels.get("app").unwrap_or_default().to_owned(), rows.timestamps[i], rows.arrivals[i], line)
    };
    rows.streams().flat_map(|(labels, range)| range.map(move |i| row(labels, i))).collect()
}

fn read(table: &Memtable, who: &str, app: Option<&str>, from: i64, to: i64) -> Vec<Row> {
    let matches = |labels: &Labels| app.is_none_or(|a| labels.get("app") == Some(a));
    let found = table.select(who, &matches, Timestamp(from), Timestamp(to));
    assert!(found.windows(2).all(|w| w[0].labels < w[1].labels));
    SortedBatches::new(found, Timestamp(from), Timestamp(to)).flat_map(|rows| flatten(&rows)).collect()
}

#[test]
fn random_tables_read_like_a_sorted_list() {
    let mut state = 1u64;
    let mut random = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    for _ in 0..40 {
        let table = Memtable::new();
        let mut expect: Vec<Row> = Vec::new();
        for push in 1..30 {
            let app = ["a", "b", "c"][random(3) as usize];
            let lines: Vec<(i64, String)> =
                (0..=random(5)).map(|_| (random(20) as i64, format!("line {}", random(4)))).collect();
            let rows: Vec<(i64, &str)> = lines.iter().map(|(t, l)| (*t, l.as_str())).collect();
            let arrival = push * 100;
            table.insert(&tenant("t"), &id(push), vec![batch(app, arrival, &rows)], 5);
            for (i, (t, line)) in lines.iter().enumerate() {
                expect.push((app.to_owned(), *t, arrival + i as u64, line.clone()));
            }
        }
        assert_eq!(table.stats().rows, expect.len() as u64);
        expect.sort();
        let mut seen = std::collections::HashSet::new();
        expect.retain(|(app, t, _, line)| seen.insert((app.clone(), *t, line.clone())));
        for (from, to) in [(0, i64::MAX), (5, 12), (19, 20), (7, 7)] {
            let in_range = |row: &&Row| row.1 >= from && (row.1 < to || to == i64::MAX);
            let want: Vec<Row> = expect.iter().filter(in_range).cloned().collect();
            assert_eq!(read(&table, "t", None, from, to), want, "{from}..{to}");
            let want: Vec<Row> = want.into_iter().filter(|r| r.0 == "b").collect();
            assert_eq!(read(&table, "t", Some("b"), from, to), want);
        }
    }
}

#[test]
fn a_thousand_equal_timestamps_keep_the_order_of_arrival() {
    let table = Memtable::new();
    // Two halves, the later one first, as replicas may see them.
    for half in [500u64, 0] {
        let lines: Vec<String> = (half..half + 500).map(|i| format!("{}", (i * 7919) % 1000)).collect();
        let rows: Vec<(i64, &str)> = lines.iter().map(|l| (77, l.as_str())).collect();
        table.insert(&tenant("t"), &id(half + 1), vec![batch("a", half, &rows)], 5);
    }
    let lines: Vec<String> = read(&table, "t", None, 0, 100).into_iter().map(|r| r.3).collect();
    assert_eq!(lines, (0..1000).map(|i| format!("{}", (i * 7919) % 1000)).collect::<Vec<_>>());
}

#[test]
fn selections_of_two_tables_become_one() {
    let tables = [Memtable::new(), Memtable::new()];
    tables[0].insert(&tenant("t"), &id(1), vec![batch("b", 1, &[(3, "x"), (4, "y")]), batch("a", 3, &[(1, "z")])], 5);
    tables[1].insert(&tenant("t"), &id(2), vec![batch("b", 9, &[(3, "x"), (2, "w")]), batch("c", 11, &[(1, "z")])], 5);
    let selections = tables.iter().map(|t| t.select("t", &|_| true, Timestamp::MIN, Timestamp::MAX)).collect();
    let rows: Vec<Row> =
        SortedBatches::new(join(selections), Timestamp::MIN, Timestamp::MAX).flat_map(|r| flatten(&r)).collect();
    let found: Vec<String> = rows.iter().map(|(app, t, arrival, line)| format!("{app} {t} {arrival} {line}")).collect();
    assert_eq!(found, ["a 1 3 z", "b 2 10 w", "b 3 1 x", "b 4 2 y", "c 1 11 z"]);
}

#[test]
fn tenants_do_not_see_one_another() {
    let table = Memtable::new();
    table.insert(&tenant("t"), &id(1), vec![batch("a", 1, &[(1, "mine")])], 5);
    table.insert(&tenant("u"), &id(2), vec![batch("a", 2, &[(2, "other")])], 6);
    assert_eq!(read(&table, "t", None, 0, 10).len(), 1);
    assert_eq!(read(&table, "none", None, 0, 10).len(), 0);
    assert_eq!(table.bounds("t"), Some((Timestamp(1), Timestamp(1))));
    assert_eq!(table.bounds("none"), None);
    assert_eq!(table.tenants(), [tenant("t"), tenant("u")]);
    assert_eq!(table.first_insert_ns(), Some(5));
    assert_eq!(table.pushes(), [("d".to_owned(), vec![1, 2])]);
}

#[test]
fn counts_agree_with_rows_also_where_a_batch_is_cut() {
    let table = Memtable::new();
    table.insert(&tenant("t"), &id(1), vec![batch("a", 1, &[(1, "x"), (5, "yy"), (9, "zzz")])], 5);
    table.insert(&tenant("t"), &id(2), vec![batch("a", 9, &[(6, "four"), (6, "five5")])], 5);
    for (from, to, rows, bytes) in [(0, 100, 5, 35), (5, 9, 3, 23), (9, 10, 1, 7), (20, 30, 0, 0)] {
        let found = table.streams("t", &|_| true, Timestamp(from), Timestamp(to));
        let sums = found.iter().fold((0, 0), |sum, s| (sum.0 + s.rows, sum.1 + s.raw_bytes));
        assert_eq!(sums, (rows, bytes), "{from}..{to}");
    }
}

#[test]
fn sizes_grow_by_what_is_inserted() {
    let table = Memtable::new();
    assert!(table.is_empty());
    table.insert(&tenant("t"), &id(1), vec![], 5);
    assert_eq!((table.stats(), table.first_insert_ns()), (MemtableStats::default(), None));
    let one = batch("a", 1, &[(1, "x")]);
    let len = one.bytes().len() as u64;
    table.insert(&tenant("t"), &id(1), vec![one], 5);
    let first = table.stats();
    assert!(first.bytes > len && first.bytes < len + 1000);
    table.insert(&tenant("t"), &id(2), vec![batch("a", 2, &[(2, "x")])], 6);
    let second = table.stats();
    assert_eq!((second.rows, second.streams), (2, 1));
    assert_eq!(second.bytes - first.bytes, len + size_of::<StreamBatch>() as u64);
}
