//! A metric query: all rows of its range selectors, each once, into the evaluator.
//!
//! Where only one section can hold rows of a stretch of time, nothing has to be recognised as a copy,
//! so only the columns that the query uses are read. Where copies may exist (ingesters hold rows, or
//! several sections overlap) whole rows are read, because copies are recognised by content.

use skald_logql::{Expr, MetricEvaluator, MetricParams, MetricResult, RangeNeed};
use skald_model::{Direction, Labels, Timestamp};
use skald_segment::{Columns, MetadataWanted, RowSource, merge, plan_read};
use skald_wire::{labels_to_bytes, pb};

use super::{Attempt, Cancelled, check_bytes, matches, on_thread, selector};
use crate::{
    ask,
    counters::{Counters, add},
    error::Failure,
    section::{self, Section},
    source::{Fetching, Source},
    window::{self, Span},
};

/// Runs a metric task.
pub(crate) async fn metric(a: &Attempt, task: &pb::MetricTask) -> Result<pb::MetricOutcome, Failure> {
    let expr = skald_logql::parse(&task.query).map_err(|error| Failure::bad_request(error.to_string()))?;
    if matches!(expr, Expr::Log(_)) {
        return Err(Failure::bad_request("a metric task with a log query"));
    }
    let params = MetricParams {
        start: Timestamp(task.start_ns),
        end: Timestamp(task.end_ns),
        step_ns: task.step_ns,
        max_series: match a.limits.max_query_series {
            0 => usize::MAX,
            max => max as usize,
        },
    };
    let mut evaluator = MetricEvaluator::new(&expr, params)?;
    for scan in scans(evaluator.needs()) {
        evaluator = read(a, scan, evaluator).await?;
    }
    let result = on_thread(move |_| Ok(evaluator.finish()?)).await?;
    Ok(outcome(result))
}

/// Range selectors that read the same rows.
struct Scan {
    need: RangeNeed,
    /// The numbers of all of them.
    indexes: Vec<usize>,
}

fn scans(needs: &[RangeNeed]) -> Vec<Scan> {
    let mut scans: Vec<Scan> = Vec::new();
    for need in needs {
        let same = |s: &&mut Scan| s.need.selector == need.selector && s.need.from == need.from && s.need.to == need.to;
        match scans.iter_mut().find(same) {
            Some(scan) => {
                scan.indexes.push(need.index);
                scan.need.needs_lines |= need.needs_lines;
                scan.need.needs_metadata |= need.needs_metadata;
            }
            None => scans.push(Scan { need: need.clone(), indexes: vec![need.index] }),
        }
    }
    scans
}

async fn read(a: &Attempt, scan: Scan, mut evaluator: MetricEvaluator) -> Result<MetricEvaluator, Failure> {
    let Scan { need, indexes } = scan;
    let (from, to) = (need.from.0, need.to.0);
    if from >= to {
        return Ok(evaluator);
    }
    let selection = pb::Selection {
        tenant: a.tenant.as_str().to_owned(),
        matchers: selector(&need.selector.matchers),
        from_ns: from,
        to_ns: to,
    };
    let request = pb::QueryRows {
        selection: Some(selection),
        query: need.selector.to_string(),
        limit: 0,
        backward: false,
        lines: true,
        metadata: true,
    };
    let asked = ask::rows(&a.cluster, &a.counters, &a.tenant, &a.excluded, &request).await?;
    let refs = ask::view(&a.cluster, &a.tenant, from, to, &asked.need).await?;
    let sections = section::load(&a.fetcher, &a.counters, &a.tenant, refs).await?;
    let wanted = |labels: &Labels| matches(&need.selector.matchers, labels);
    let sections: Vec<Section> =
        sections.into_iter().filter(|s| s.index.streams().iter().any(|m| wanted(&m.labels))).collect();
    add(&a.counters.sections, sections.len() as u64);
    let matching = sections.iter().flat_map(|s| s.index.streams()).filter(|m| wanted(&m.labels));
    check_bytes(&a.limits, matching.map(|m| m.raw_bytes).sum())?;

    let mut in_memory = Vec::new();
    for (instance, mut rows) in asked.answers {
        if !rows
            .is_empty()
            .await
            .map_err(|e| Failure::IngesterLost { id: instance.id.clone(), reason: e.to_string() })?
        {
            in_memory.push((instance, rows));
        }
    }
    let whole = vec![(from, to)];
    // Rows of an ingester come stream by stream over the whole time, so with them it is one merge.
    let spans = if in_memory.is_empty() { spans(&sections, (from, to)) } else { whole };
    for span in spans {
        let mut fetching = Fetching::default();
        let mut sources = Vec::new();
        let within: Vec<&Section> =
            sections.iter().filter(|s| s.entry.overlaps(Timestamp(span.0), Timestamp(span.1))).collect();
        let columns = if in_memory.is_empty() && within.len() == 1 { used_columns(&need) } else { Columns::ALL };
        for section in within {
            let plan = plan_read(&section.index, &wanted, Timestamp(span.0), Timestamp(span.1), &columns);
            add(&a.counters.pages_skipped, plan.pages_skipped as u64);
            if !plan.pages.is_empty() {
                sources.push(fetching.section(&a.fetcher, &a.counters, &a.tenant, &section.object, plan.pages));
            }
        }
        for (instance, rows) in in_memory.drain(..) {
            sources.push(fetching.ingester(&a.counters, &instance.id, rows));
        }
        if !sources.is_empty() {
            let (indexes, counters) = (indexes.clone(), a.counters.clone());
            let work = move |cancelled: &Cancelled| evaluate(sources, &indexes, evaluator, &counters, cancelled);
            evaluator = on_thread(work).await?;
        }
    }
    Ok(evaluator)
}

/// Stretches of time that no section crosses, in the order of time.
fn spans(sections: &[Section], range: Span) -> Vec<Span> {
    let windows = sections.iter().map(|s| {
        let start = s.entry.key.window_start.0;
        (start, start.saturating_add_unsigned(s.entry.key.window_len))
    });
    window::spans(range, windows, Direction::Forward)
}

/// What the evaluator looks at when no copies have to be recognised.
fn used_columns(need: &RangeNeed) -> Columns {
    let metadata = if need.needs_metadata { MetadataWanted::All } else { MetadataWanted::None };
    // Rows of one section are in their order already.
    Columns { lines: need.needs_lines, metadata, arrivals: false }
}

fn evaluate(
    sources: Vec<Source>,
    indexes: &[usize],
    mut evaluator: MetricEvaluator,
    counters: &Counters,
    cancelled: &Cancelled,
) -> Result<MetricEvaluator, Failure> {
    let mut merged = merge(sources);
    while let Some(rows) = merged.next()? {
        cancelled.check()?;
        add(&counters.rows, rows.len() as u64);
        add(&counters.bytes, rows.raw_bytes());
        add(&counters.metadata_bytes, rows.metadata.value_bytes() as u64);
        for &index in indexes {
            evaluator.push(index, &rows)?;
        }
    }
    add(&counters.duplicates, merged.stats().duplicates);
    Ok(evaluator)
}

fn outcome(result: MetricResult) -> pb::MetricOutcome {
    let one = |labels: &Labels, timestamp_ms: i64, value: f64| pb::MetricSeries {
        labels: labels_to_bytes(labels),
        timestamps_ms: vec![timestamp_ms],
        values: vec![value],
    };
    match result {
        MetricResult::Scalar { timestamp_ms, value } => {
            pb::MetricOutcome { scalar: true, series: vec![one(&Labels::empty(), timestamp_ms, value)] }
        }
        MetricResult::Vector(samples) => {
            let series = samples.iter().map(|s| one(&s.labels, s.timestamp_ms, s.value)).collect();
            pb::MetricOutcome { scalar: false, series }
        }
        MetricResult::Matrix(series) => {
            let series = series.into_iter().map(|s| {
                let (timestamps_ms, values) = s.points.into_iter().unzip();
                pb::MetricSeries { labels: labels_to_bytes(&s.labels), timestamps_ms, values }
            });
            pb::MetricOutcome { scalar: false, series: series.collect() }
        }
    }
}
