//! Log queries: the best `limit` lines of all that pass the pipeline.
//!
//! Rows come in any order and possibly more than once (replicas). At most `limit` entries are held,
//! ordered by the query's direction; what cannot enter any more is not even run through the stages.

use std::collections::BTreeMap;

use bytes::Bytes;
use hashbrown::{HashMap, HashSet};
use skald_model::{Direction, Labels, LabelsBuilder, Rows, Timestamp};

use super::log_result::{LogEntry, LogResult, LogStream, sort_streams};
use crate::{
    error::QueryError,
    pipeline::{Passed, Program, selected_runs},
    row::Names,
    stage::Needed,
    syntax::ast::LogExpr,
};

/// With an interval every line may turn out to be the next one to show, so all are held: up to so many.
const INTERVAL_CANDIDATES_MAX: usize = 1_000_000;

/// What a log query asks for beside its expression.
#[derive(Clone, Copy, Debug)]
pub struct LogParams {
    /// First instant that counts.
    pub start: Timestamp,
    /// First instant that does not count any more; equal to `start`: exactly that instant counts.
    pub end: Timestamp,
    /// Which end of the range comes first.
    pub direction: Direction,
    /// How many lines at most.
    pub limit: usize,
    /// After a line only lines this many nanoseconds further on; 0 for all lines.
    pub interval_ns: i64,
}

/// Place of an entry in the answer: earlier places are better.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// The timestamp, turned around for backward queries.
    time: i64,
    stream_hash: u64,
    stream: Labels,
    /// Arrival, turned around for backward queries.
    arrival: u64,
    row_hash: u64,
}

#[derive(Debug)]
struct Held {
    labels: Labels,
    stream: Labels,
    entry: LogEntry,
}

/// Evaluates one log query.
#[derive(Debug)]
pub struct LogEvaluator {
    program: Program,
    params: LogParams,
    held: BTreeMap<Place, Held>,
    /// Rows that are held: hash of the stream, timestamp, hash of line and metadata. The value is the
    /// arrival under which the row is held.
    seen: HashMap<(u64, i64, u64), u64, rapidhash::fast::RandomState>,
    sets: LabelSets,
    selection: Vec<u32>,
}

impl LogEvaluator {
    /// Compiles the query.
    ///
    /// # Errors
    /// What is wrong with a pattern, template or regular expression.
    pub fn new(log: &LogExpr, params: LogParams) -> Result<Self, QueryError> {
        Ok(Self {
            program: Program::compile(log, Names::new(), Needed::All)?,
            params,
            held: BTreeMap::new(),
            seen: HashMap::default(),
            sets: LabelSets::default(),
            selection: Vec::new(),
        })
    }

    /// Takes rows of streams that match the query's matchers.
    ///
    /// # Errors
    /// A budget of the query is exceeded.
    pub fn push(&mut self, rows: &Rows) -> Result<(), QueryError> {
        let (from, to) = self.range();
        let mut selection = std::mem::take(&mut self.selection);
        selection.clear();
        let worst = self.worst_time();
        selection.extend(
            (0..rows.len())
                .filter(|i| {
                    let timestamp = rows.timestamps[*i];
                    from <= timestamp && timestamp <= to && worst.is_none_or(|worst| self.time_key(timestamp) <= worst)
                })
                .map(|i| i as u32),
        );
        self.program.filter_lines(rows, &mut selection);
        let mut part = Vec::new();
        for (labels, selected) in selected_runs(rows, &selection) {
            // A run that ends with the best rows is looked at from there, so that the others need no stages.
            part.clear();
            part.extend_from_slice(selected);
            if self.params.direction == Direction::Backward {
                part.reverse();
            }
            self.push_run(rows, labels, &part)?;
        }
        self.selection = selection;
        self.program.end_batch();
        self.sets.trim();
        Ok(())
    }

    fn push_run(&mut self, rows: &Rows, labels: &Labels, selected: &[u32]) -> Result<(), QueryError> {
        let Self { program, params, held, seen, sets, .. } = self;
        let view = program.view(labels, rows);
        // Rows too bad to enter are dropped in chunks, since the bound moves while rows enter.
        const CHUNK: usize = 64;
        for chunk in selected.chunks(CHUNK) {
            let full = held.len() >= capacity(params);
            let worst = if full { held.last_key_value().map(|(place, _)| place.time) } else { None };
            let turn = |timestamp: i64| turned(params.direction, timestamp);
            let mut good: smallvec::SmallVec<[u32; CHUNK]> = smallvec::SmallVec::from_slice(chunk);
            good.retain(|row| worst.is_none_or(|worst| turn(rows.timestamps[*row as usize]) <= worst));
            program.run(rows, &view, &good, |passed| enter(rows, labels, passed, params, held, seen, sets))?;
        }
        Ok(())
    }

    /// First and last instant that count.
    fn range(&self) -> (i64, i64) {
        let LogParams { start, end, .. } = self.params;
        (start.0, if start == end { end.0 } else { end.0.saturating_sub(1) })
    }

    fn time_key(&self, timestamp: i64) -> i64 {
        turned(self.params.direction, timestamp)
    }

    fn worst_time(&self) -> Option<i64> {
        if self.held.len() < capacity(&self.params) {
            return None;
        }
        self.held.last_key_value().map(|(place, _)| place.time)
    }

    /// Once `limit` entries are held: rows beyond this timestamp can no longer enter (later ones for a
    /// forward query, earlier ones for a backward query), so a reader may stop there.
    pub fn bound(&self) -> Option<Timestamp> {
        self.worst_time().map(|time| Timestamp(turned(self.params.direction, time)))
    }

    /// The answer.
    pub fn finish(self) -> LogResult {
        let Self { params, held, .. } = self;
        let mut streams: Vec<LogStream> = Vec::new();
        let mut index: HashMap<(Labels, Labels), usize> = HashMap::new();
        let mut last: Option<i64> = None;
        let mut emitted = 0;
        for Held { labels, stream, entry } in held.into_values() {
            if emitted == params.limit {
                break;
            }
            let timestamp = entry.timestamp.0;
            if params.interval_ns > 0 && last.is_some_and(|last| timestamp.abs_diff(last) < params.interval_ns as u64) {
                continue;
            }
            last = Some(timestamp);
            emitted += 1;
            let at = *index.entry((labels, stream)).or_insert_with_key(|(labels, stream)| {
                streams.push(LogStream { labels: labels.clone(), stream: stream.clone(), entries: Vec::new() });
                streams.len() - 1
            });
            streams[at].entries.push(entry);
        }
        sort_streams(&mut streams);
        LogResult { streams }
    }
}

/// Timestamps of backward queries are compared turned around; turning twice gives the timestamp back.
fn turned(direction: Direction, timestamp: i64) -> i64 {
    match direction {
        Direction::Forward => timestamp,
        Direction::Backward => !timestamp,
    }
}

fn capacity(params: &LogParams) -> usize {
    if params.interval_ns > 0 { usize::MAX } else { params.limit }
}

fn enter(
    rows: &Rows,
    labels: &Labels,
    passed: Passed<'_>,
    params: &LogParams,
    held: &mut BTreeMap<Place, Held>,
    seen: &mut HashMap<(u64, i64, u64), u64, rapidhash::fast::RandomState>,
    sets: &mut LabelSets,
) -> Result<(), QueryError> {
    if params.limit == 0 {
        return Ok(());
    }
    let row = passed.row;
    let timestamp = rows.timestamps[row];
    let row_hash = rows.row_hash(row);
    let turned_arrival = |arrival: u64| match params.direction {
        Direction::Forward => arrival,
        Direction::Backward => !arrival,
    };
    let mut arrival = rows.arrivals[row];
    let place = |arrival: u64| Place {
        time: turned(params.direction, timestamp),
        stream_hash: labels.hash64(),
        stream: labels.clone(),
        arrival: turned_arrival(arrival),
        row_hash,
    };
    let identity = (labels.hash64(), timestamp, row_hash);
    if let Some(before) = seen.get(&identity).copied() {
        // A copy: the row stands where its first arrival puts it.
        if before <= arrival {
            return Ok(());
        }
        if let Some(mut entry) = held.remove(&place(before)) {
            entry.entry.arrival = arrival;
            held.insert(place(arrival), entry);
            seen.insert(identity, arrival);
            return Ok(());
        }
        arrival = arrival.min(before);
    }
    let place = place(arrival);
    if held.len() >= capacity(params) && held.last_key_value().is_some_and(|(worst, _)| place > *worst) {
        return Ok(());
    }
    let entry = sets.entry(timestamp, arrival, &passed);
    held.insert(place, entry);
    seen.insert(identity, arrival);
    if held.len() > capacity(params)
        && let Some((worst, _)) = held.pop_last()
    {
        seen.remove(&(worst.stream_hash, turned(params.direction, worst.time), worst.row_hash));
    }
    if held.len() > INTERVAL_CANDIDATES_MAX && params.interval_ns > 0 {
        return Err(QueryError::BadRequest(format!(
            "a query with an interval may not look at more than {INTERVAL_CANDIDATES_MAX} lines; shorten its time range or add filters"
        )));
    }
    Ok(())
}

/// Label sets of entries, each kept once.
#[derive(Debug, Default)]
struct LabelSets {
    builder: LabelsBuilder,
    interned: HashSet<Labels>,
}

/// Beyond so many different sets the table begins anew; entries keep theirs.
const INTERNED_SETS_MAX: usize = 10_000;

impl LabelSets {
    fn entry(&mut self, timestamp: i64, arrival: u64, passed: &Passed<'_>) -> Held {
        let Passed { view, labels, names, line, .. } = passed;
        let mut entry = LogEntry {
            timestamp: Timestamp(timestamp),
            arrival,
            line: Bytes::copy_from_slice(line),
            structured_metadata: Labels::empty(),
            parsed: Labels::empty(),
        };
        if labels.only_stream(view) {
            return Held { labels: view.labels.clone(), stream: view.labels.clone(), entry };
        }
        self.builder.clear();
        labels.stream_pairs(view).for_each(|(name, value)| self.builder.push(names.text(name), value));
        let stream = self.intern();
        self.builder.clear();
        labels
            .metadata_pairs(view)
            .for_each(|(name, value)| self.builder.push(names.text(name), &String::from_utf8_lossy(value)));
        entry.structured_metadata = self.intern();
        self.builder.clear();
        labels
            .parsed_pairs()
            .for_each(|(name, value)| self.builder.push(names.text(name), &String::from_utf8_lossy(value)));
        entry.parsed = self.intern();
        let all = labels.build(view, names, &mut self.builder, &[]);
        let all = self.interned.get_or_insert_with(&all, Labels::clone).clone();
        Held { labels: all, stream, entry }
    }

    fn intern(&mut self) -> Labels {
        let labels = self.builder.build();
        self.interned.get_or_insert_with(&labels, Labels::clone).clone()
    }

    fn trim(&mut self) {
        if self.interned.len() > INTERNED_SETS_MAX {
            self.interned.clear();
        }
    }
}
