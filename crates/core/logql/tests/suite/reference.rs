//! Windows by definition: generated rows and windows, counted one by one, compared with the engine.

use std::collections::BTreeMap;

use proptest::prelude::*;
use skald_model::{Labels, Rows, RowsBuilder, Timestamp};

use crate::cases::{run_log, run_metric};

const SECOND: i64 = 1_000_000_000;

#[derive(Clone, Debug)]
struct Row {
    app: u8,
    level: u8,
    second: i64,
    line: String,
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (0u8..3, 0u8..3, 0i64..100, "[abc]{0,4}").prop_map(|(app, level, second, line)| Row {
        app,
        level,
        second,
        line,
    });
    prop::collection::vec(row, 0..40).prop_map(|mut rows| {
        rows.sort_by_key(|row| (row.app, row.second));
        rows
    })
}

fn batch(rows: &[Row]) -> Rows {
    let mut builder = RowsBuilder::new();
    for (i, row) in rows.iter().enumerate() {
        let labels = Labels::from_pairs([("app", format!("a{}", row.app))]);
        let level = format!("l{}", row.level);
        // Level 0 means that the row has no such metadata.
        let metadata = (row.level > 0).then_some(("level", level.as_bytes()));
        let line = format!("level=x{} {}", row.level, row.line);
        builder.push(&labels, Timestamp(row.second * SECOND), i as u64, line.as_bytes(), metadata);
    }
    builder.finish()
}

/// What a row is grouped by.
fn group(row: &Row, by: &str) -> String {
    let labels = match by {
        "app" => Labels::from_pairs([("app", format!("a{}", row.app))]),
        "level" if row.level > 0 => Labels::from_pairs([("level", format!("l{}", row.level))]),
        _ => Labels::empty(),
    };
    labels.to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counts_agree_with_the_definition(
        rows in rows(),
        needle in "[abc]{0,2}",
        negative in any::<bool>(),
        by in prop::sample::select(vec!["app", "level", ""]),
        (start, step, count, range, offset) in (0i64..60, 1i64..20, 1i64..8, 1i64..60, -10i64..10),
        bytes in any::<bool>(),
    ) {
        let op = if negative { "!=" } else { "|=" };
        let function = if bytes { "bytes_over_time" } else { "count_over_time" };
        let query = format!("sum by ({by}) ({function}({{app=~\".+\"}} {op} \"{needle}\" [{range}s] offset {offset}s))");
        let end = start + (count - 1) * step;
        let got = run_metric(&query, start * SECOND, end * SECOND, step * SECOND, &[batch(&rows)]).unwrap();
        let mut expect: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for i in 0..count {
            let t = start + i * step;
            let mut values: BTreeMap<String, usize> = BTreeMap::new();
            for row in &rows {
                let line = format!("level=x{} {}", row.level, row.line);
                let inside = t - offset - range < row.second && row.second <= t - offset;
                if inside && line.contains(&needle) != negative {
                    *values.entry(group(row, by)).or_default() += if bytes { line.len() } else { 1 };
                }
            }
            for (labels, value) in values {
                let at = skald_logql::syntax::duration::format_go(t * SECOND).replace("m0s", "m");
                expect.entry(labels).or_default().push(format!("{value}@{at}"));
            }
        }
        let expect: String = expect.into_iter().map(|(labels, points)| format!("{labels} {}\n", points.join(" "))).collect();
        prop_assert_eq!(got, expect, "{}", query);
    }

    #[test]
    fn log_answers_do_not_depend_on_batches(
        rows in rows(),
        limit in 1usize..10,
        backward in any::<bool>(),
        cut in 0usize..40,
        needle in "[abc]{0,1}",
    ) {
        let options = format!("limit={limit}{}", if backward { " backward" } else { "" });
        let query = format!("{{app=~\".+\"}} | logfmt |= \"{needle}\"");
        let whole = batch(&rows);
        let cut = cut.min(whole.len());
        let parts = [whole.slice(cut..whole.len()), whole.slice(0..cut), whole.slice(0..cut)];
        let once = run_log(&query, &options, &[whole]).unwrap();
        prop_assert_eq!(run_log(&query, &options, &parts).unwrap(), once);
    }
}
