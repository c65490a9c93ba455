//! Queries: text to tree and back, and what parses is run over a few rows.

use std::sync::LazyLock;

use skald_logql::{
    Expr, LogEvaluator, LogParams, MetricEvaluator, MetricParams, Pipeline, parse, parse_matchers_allow_empty, pretty,
};
use skald_model::{Direction, Rows, Timestamp};

/// What queries run over. Made once: making them takes longer than parsing a query.
static ROWS: LazyLock<Rows> = LazyLock::new(crate::seeds::rows);

/// Runs over seconds 0 to 60 of the sample rows.
const END: Timestamp = Timestamp(60_000_000_000);

/// Parses a query; its canonical text and its layout parse to the same.
pub fn logql(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = parse_matchers_allow_empty(text);
    let Ok(expr) = parse(text) else { return };
    let canonical = expr.to_string();
    for (what, text) in [("canonical text", canonical.clone()), ("layout", pretty(&expr))] {
        match parse(&text) {
            Ok(again) => assert_eq!(again.to_string(), canonical, "{what}: {text}"),
            Err(error) => panic!("{what} does not parse: {error}\n{text}"),
        }
    }
    run(&expr, &ROWS);
}

fn run(expr: &Expr, rows: &Rows) {
    match expr {
        Expr::Log(log) => {
            if let Ok(mut pipeline) = Pipeline::compile(log) {
                let mut selected = Vec::new();
                let _ = pipeline.select(rows, &mut selected);
                assert!(selected.is_sorted() && selected.iter().all(|&row| (row as usize) < rows.len()));
            }
            for direction in [Direction::Forward, Direction::Backward] {
                let params = LogParams { start: Timestamp(0), end: END, direction, limit: 3, interval_ns: 0 };
                if let Ok(mut evaluator) = LogEvaluator::new(log, params)
                    && evaluator.push(rows).is_ok()
                {
                    assert!(evaluator.finish().len() <= 3);
                }
            }
        }
        Expr::Metric(_) => {
            for step_ns in [0, 7_000_000_000] {
                let params = MetricParams { start: Timestamp(0), end: END, step_ns, max_series: 10 };
                let Ok(mut evaluator) = MetricEvaluator::new(expr, params) else { return };
                for need in 0..evaluator.needs().len() {
                    let _ = evaluator.push(need, rows);
                }
                let _ = evaluator.finish();
            }
        }
    }
}
