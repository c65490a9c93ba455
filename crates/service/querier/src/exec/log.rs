//! A log query: the first rows in the query's direction that pass the pipeline.
//!
//! Memory is bounded by the limit: ingesters send at most that many rows each, the evaluator holds at
//! most that many entries, and sections pass through page by page, stretch of time by stretch of time
//! in the query's direction, until nothing that is still unread can enter the answer.

use skald_logql::{LogEvaluator, LogExpr, LogParams, LogResult};
use skald_model::{Direction, Rows, Timestamp};
use skald_segment::{Columns, RowSource, merge, plan_read};
use skald_wire::{labels_to_bytes, pb};

use super::{Attempt, Cancelled, check_bytes, matches, on_thread, selector, takes_every_row};
use crate::{
    ask::{self, IngesterRows},
    counters::{Counters, add},
    error::Failure,
    section::{self, Section},
    source::{Fetching, Source, decode_part},
    window::{self, Span},
};

/// Runs a log task.
pub(crate) async fn log(a: &Attempt, task: &pb::LogTask) -> Result<pb::LogOutcome, Failure> {
    let expr = skald_logql::parse_log_selector(&task.query).map_err(|error| Failure::bad_request(error.to_string()))?;
    let direction = if task.backward { Direction::Backward } else { Direction::Forward };
    // Equal ends mean exactly this instant.
    let range = (task.from_ns, task.to_ns.max(task.from_ns.saturating_add(1)));
    let asked =
        ask::rows(&a.cluster, &a.counters, &a.tenant, &a.excluded, &rows_request(a, task, &expr, range)).await?;
    let mut in_memory = Vec::with_capacity(asked.answers.len());
    for (instance, rows) in asked.answers {
        in_memory.push(collect(&a.counters, &instance.id, rows).await?);
    }
    let refs = ask::view(&a.cluster, &a.tenant, range.0, range.1, &asked.need).await?;
    let sections = section::load(&a.fetcher, &a.counters, &a.tenant, refs).await?;
    let sections: Vec<Section> =
        sections.into_iter().filter(|s| s.index.streams().iter().any(|m| matches(&expr.matchers, &m.labels))).collect();
    add(&a.counters.sections, sections.len() as u64);
    let readable = sections.iter().map(|s| matching_size(s, &expr, range).1).sum();
    check_bytes(&a.limits, readable)?;

    let params = LogParams {
        start: Timestamp(range.0),
        end: Timestamp(range.1),
        direction,
        limit: usize::try_from(task.limit).unwrap_or(usize::MAX),
        interval_ns: task.interval_ns,
    };
    let mut evaluator = LogEvaluator::new(&expr, params)?;
    for slice in order(&expr, range, &sections, task.limit, direction) {
        if evaluator.bound().is_some_and(|bound| beyond(slice, bound, direction)) {
            break;
        }
        evaluator = read_slice(a, &expr, slice, &sections, &in_memory, evaluator).await?;
    }
    let result = evaluator.finish();
    add(&a.counters.rows_after_filter, result.len() as u64);
    Ok(outcome(result, direction))
}

fn rows_request(a: &Attempt, task: &pb::LogTask, expr: &LogExpr, range: Span) -> pb::QueryRows {
    let selection = pb::Selection {
        tenant: a.tenant.as_str().to_owned(),
        matchers: selector(&expr.matchers),
        from_ns: range.0,
        to_ns: range.1,
    };
    pb::QueryRows {
        selection: Some(selection),
        query: task.query.clone(),
        // Which line comes after an interval depends on all lines before it.
        limit: if task.interval_ns > 0 { 0 } else { task.limit },
        backward: task.backward,
        lines: true,
        metadata: true,
    }
}

/// All rows of one ingester; the limit travelled with the request.
async fn collect(counters: &Counters, id: &str, rows: IngesterRows) -> Result<Rows, Failure> {
    use futures::StreamExt;
    let mut parts = vec![decode_part(counters, id, Ok(rows.first))?];
    let mut rest = rows.rest;
    while let Some(part) = rest.next().await {
        parts.push(decode_part(counters, id, part)?);
    }
    Ok(parts.into_iter().collect())
}

/// The stretches of time in the order in which they are read.
fn order(expr: &LogExpr, range: Span, sections: &[Section], limit: u64, direction: Direction) -> Vec<Span> {
    let windows = sections.iter().map(|s| {
        let start = s.entry.key.window_start.0;
        (start, start.saturating_add_unsigned(s.entry.key.window_len))
    });
    let spans = window::spans(range, windows, direction);
    if !takes_every_row(expr) {
        return spans;
    }
    let cut = |span: Span| {
        let rows = sections.iter().map(|s| matching_size(s, expr, span).0).sum();
        window::slices(span, rows, limit, direction)
    };
    spans.into_iter().flat_map(cut).collect()
}

/// Rows and bytes of the selection's streams in a section, if it has rows in `span`.
fn matching_size(section: &Section, expr: &LogExpr, (from, to): Span) -> (u64, u64) {
    if !section.entry.overlaps(Timestamp(from), Timestamp(to)) {
        return (0, 0);
    }
    let streams = section.index.streams().iter();
    let wanted = streams.filter(|s| s.tmin.0 < to && s.tmax.0 >= from && matches(&expr.matchers, &s.labels));
    wanted.fold((0, 0), |(rows, bytes), s| (rows + s.rows, bytes + s.raw_bytes))
}

/// True when no row of the slice can enter an answer that holds as many rows as it may up to `bound`.
fn beyond((from, to): Span, bound: Timestamp, direction: Direction) -> bool {
    match direction {
        Direction::Forward => from > bound.0,
        Direction::Backward => to <= bound.0,
    }
}

/// Merges everything that lies in the slice into the evaluator.
async fn read_slice(
    a: &Attempt,
    expr: &LogExpr,
    (from, to): Span,
    sections: &[Section],
    in_memory: &[Rows],
    evaluator: LogEvaluator,
) -> Result<LogEvaluator, Failure> {
    let mut sources = Vec::new();
    // Lives until the thread is done: dropping it earlier would cancel the reading.
    let mut fetching = Fetching::default();
    for section in sections.iter().filter(|s| s.entry.overlaps(Timestamp(from), Timestamp(to))) {
        let wanted = |labels: &skald_model::Labels| matches(&expr.matchers, labels);
        let plan = plan_read(&section.index, &wanted, Timestamp(from), Timestamp(to), &Columns::ALL);
        add(&a.counters.pages_skipped, plan.pages_skipped as u64);
        if !plan.pages.is_empty() {
            sources.push(fetching.section(&a.fetcher, &a.counters, &a.tenant, &section.object, plan.pages));
        }
    }
    for rows in in_memory {
        let within: Vec<u32> = (0..rows.len() as u32)
            .filter(|&i| {
                let timestamp = rows.timestamps[i as usize];
                timestamp >= from && timestamp < to
            })
            .collect();
        match within.len() {
            0 => {}
            n if n == rows.len() => sources.push(Source::memory(rows.clone())),
            _ => sources.push(Source::memory(rows.gather(&within))),
        }
    }
    if sources.is_empty() {
        return Ok(evaluator);
    }
    let counters = a.counters.clone();
    on_thread(move |cancelled| evaluate(sources, evaluator, &counters, cancelled)).await
}

fn evaluate(
    sources: Vec<Source>,
    mut evaluator: LogEvaluator,
    counters: &Counters,
    cancelled: &Cancelled,
) -> Result<LogEvaluator, Failure> {
    let mut merged = merge(sources);
    while let Some(rows) = merged.next()? {
        cancelled.check()?;
        add(&counters.rows, rows.len() as u64);
        add(&counters.bytes, rows.raw_bytes());
        add(&counters.metadata_bytes, rows.metadata.value_bytes() as u64);
        evaluator.push(&rows)?;
    }
    add(&counters.duplicates, merged.stats().duplicates);
    Ok(evaluator)
}

/// The answer as a message: entries grouped by the labels that are left of their stored stream.
fn outcome(result: LogResult, direction: Direction) -> pb::LogOutcome {
    let mut streams: Vec<pb::LogStream> = Vec::new();
    let mut index = std::collections::HashMap::new();
    for stream in result.streams {
        let labels = labels_to_bytes(&stream.labels);
        let at = *index.entry(stream.stream.clone()).or_insert_with(|| {
            streams.push(pb::LogStream { stream: labels_to_bytes(&stream.stream), entries: Vec::new() });
            streams.len() - 1
        });
        let set =
            |labels: &skald_model::Labels| if labels.is_empty() { Default::default() } else { labels_to_bytes(labels) };
        streams[at].entries.extend(stream.entries.into_iter().map(|entry| pb::LogEntry {
            timestamp_ns: entry.timestamp.0,
            line: entry.line,
            structured_metadata: set(&entry.structured_metadata),
            parsed: set(&entry.parsed),
            arrival: entry.arrival,
            labels: labels.clone(),
        }));
    }
    for stream in &mut streams {
        // Label sets of one stream took their entries apart; stable, so that ties stay as they were.
        match direction {
            Direction::Forward => stream.entries.sort_by_key(|e| (e.timestamp_ns, e.arrival)),
            Direction::Backward => stream.entries.sort_by_key(|e| std::cmp::Reverse((e.timestamp_ns, e.arrival))),
        }
    }
    pb::LogOutcome { streams }
}
