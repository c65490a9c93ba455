//! Runs the files in `tests/cases`.
//!
//! A case is a paragraph: `== title`, `row {stream} [{metadata}] 1s | line` for every row, then `log …`,
//! `at …` or `range …` with the query, then one line of answer each, or `error text`. Rows carry over
//! to the next case until it has rows of its own. Options before a log query: `backward`, `limit=2`,
//! `interval=30s`, `from=1s`, `to=9s`.

use std::fmt::Write as _;

use skald_logql::{
    LogEvaluator, LogParams, MetricEvaluator, MetricParams, MetricResult, QueryError, format_value, parse,
    parse_matchers_allow_empty, syntax::duration,
};
use skald_model::{Direction, Labels, Rows, RowsBuilder, Timestamp};

const SECOND: i64 = 1_000_000_000;

pub(crate) fn labels(text: &str) -> Labels {
    Labels::from_pairs(
        parse_matchers_allow_empty(text).unwrap().iter().map(|m| (m.name().to_owned(), m.value().to_owned())),
    )
}

pub(crate) fn nanos(text: &str) -> i64 {
    duration::parse_literal(text).unwrap_or_else(|| panic!("no duration: {text}"))
}

/// `{…}` at the start of `text`, outside of quotes, and what follows.
fn braces(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    if !text.starts_with('{') {
        return None;
    }
    let mut quoted = false;
    let mut escaped = false;
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '}' if !quoted => return Some((&text[..=i], &text[i + 1..])),
            _ => {}
        }
    }
    None
}

fn push_row(builder: &mut RowsBuilder, text: &str) {
    let (stream, rest) = braces(text).unwrap();
    let (metadata, rest) = braces(rest).map_or(("{}", rest), |found| found);
    let (at, line) = rest.trim_start().split_once(" |").unwrap();
    let line = line.strip_prefix(' ').unwrap_or(line);
    let metadata = labels(metadata);
    let arrival = builder.len() as u64;
    builder.push(
        &labels(stream),
        Timestamp(nanos(at.trim())),
        arrival,
        line.as_bytes(),
        metadata.iter().map(|(n, v)| (n, v.as_bytes())),
    );
}

fn show_seconds(nanos: i64) -> String {
    duration::format_go(nanos).replace("m0s", "m")
}

pub(crate) fn run_log(query: &str, options: &str, batches: &[Rows]) -> Result<String, QueryError> {
    let mut params = LogParams {
        start: Timestamp(0),
        end: Timestamp(1000 * SECOND),
        direction: Direction::Forward,
        limit: 100,
        interval_ns: 0,
    };
    for option in options.split_whitespace() {
        match option.split_once('=') {
            None => params.direction = Direction::Backward,
            Some(("limit", limit)) => params.limit = limit.parse().unwrap(),
            Some(("interval", interval)) => params.interval_ns = nanos(interval),
            Some(("from", from)) => params.start = Timestamp(nanos(from)),
            Some((_, to)) => params.end = Timestamp(nanos(to)),
        }
    }
    let skald_logql::Expr::Log(log) = parse(query)? else { panic!("no log query: {query}") };
    let mut evaluator = LogEvaluator::new(&log, params)?;
    for batch in batches {
        evaluator.push(batch)?;
    }
    let mut out = String::new();
    for stream in evaluator.finish().streams {
        for entry in stream.entries {
            let line = String::from_utf8_lossy(&entry.line).into_owned();
            writeln!(out, "{} {} | {line}", stream.labels, show_seconds(entry.timestamp.0)).unwrap();
        }
    }
    Ok(out)
}

pub(crate) fn run_metric(
    query: &str,
    start: i64,
    end: i64,
    step_ns: i64,
    batches: &[Rows],
) -> Result<String, QueryError> {
    let params = MetricParams { start: Timestamp(start), end: Timestamp(end), step_ns, max_series: 20 };
    let mut evaluator = MetricEvaluator::new(&parse(query)?, params)?;
    for need in evaluator.needs().to_vec() {
        for batch in batches {
            // What storage does: streams that match, in time order.
            let mut selected: Vec<u32> = Vec::new();
            for (stream, range) in batch.streams() {
                if need.selector.matchers.iter().all(|m| m.matches(stream)) {
                    selected.extend(range.map(|i| i as u32));
                }
            }
            evaluator.push(need.index, &batch.gather(&selected))?;
        }
    }
    let mut out = String::new();
    match evaluator.finish()? {
        MetricResult::Scalar { value, .. } => writeln!(out, "{}", format_value(value)).unwrap(),
        MetricResult::Vector(samples) => {
            samples.iter().for_each(|s| writeln!(out, "{} {}", s.labels, format_value(s.value)).unwrap());
        }
        MetricResult::Matrix(series) => {
            for series in series {
                let point =
                    |(ms, value): &(i64, f64)| format!("{}@{}", format_value(*value), show_seconds(ms * 1_000_000));
                let points: Vec<String> = series.points.iter().map(point).collect();
                writeln!(out, "{} {}", series.labels, points.join(" ")).unwrap();
            }
        }
    }
    Ok(out)
}

/// Runs the query of a case, given as its line in the file.
fn run(command: &str, batches: &[Rows]) -> Result<String, QueryError> {
    let (word, rest) = command.split_once(' ').unwrap();
    match word {
        "log" => {
            let at = rest.find('{').unwrap();
            run_log(&rest[at..], &rest[..at], batches)
        }
        "at" => {
            let (at, query) = rest.split_once(' ').unwrap();
            run_metric(query, nanos(at), nanos(at), 0, batches)
        }
        _ => {
            let mut words = rest.splitn(4, ' ');
            let mut next = || words.next().unwrap();
            let (start, end, step) = (nanos(next()), nanos(next()), nanos(next()));
            run_metric(next(), start, end, step, batches)
        }
    }
}

fn check_file(name: &str, text: &str) -> (usize, Vec<String>) {
    let mut batch = Rows::default();
    let mut failures = Vec::new();
    let mut count = 0;
    for paragraph in text.split("\n== ").skip(1) {
        let (title, body) = paragraph.split_once('\n').unwrap_or((paragraph, ""));
        let lines = || body.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let mut builder = RowsBuilder::new();
        lines().filter_map(|line| line.strip_prefix("row ")).for_each(|row| push_row(&mut builder, row));
        if !builder.is_empty() {
            batch = builder.finish();
        }
        let mut rest = lines().filter(|line| !line.starts_with("row "));
        let Some(command) = rest.next() else { continue };
        let expect: String = rest.map(|line| format!("{line}\n")).collect();
        count += 1;
        // Rows at once, and row by row: how rows are cut into batches never matters.
        let singly: Vec<Rows> = (0..batch.len()).map(|i| batch.slice(i..i + 1)).collect();
        for batches in [std::slice::from_ref(&batch), &singly] {
            let got = run(command, batches)
                .unwrap_or_else(|error| format!("error {}\n", error.to_string().replace('\n', "\\n")));
            if got != expect {
                failures.push(format!("{name}: {title}\n  {command}\nexpected:\n{expect}got:\n{got}"));
                break;
            }
        }
    }
    (count, failures)
}

#[test]
fn worked_cases() {
    let files = [
        ("log.txt", include_str!("../cases/log.txt")),
        ("parsers.txt", include_str!("../cases/parsers.txt")),
        ("metric.txt", include_str!("../cases/metric.txt")),
    ];
    let mut failures = Vec::new();
    let mut total = 0;
    for (name, text) in files {
        let (count, failed) = check_file(name, text);
        total += count;
        failures.extend(failed);
    }
    assert!(failures.is_empty(), "{} of {total} cases failed\n\n{}", failures.len(), failures.join("\n"));
}
