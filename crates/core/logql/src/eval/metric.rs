//! Metric queries: what has to be read, where the samples go, and the operators over what they become.

use hashbrown::HashMap;
use skald_model::{Labels, LabelsBuilder, Rows, Timestamp};

use super::metric_result::{MetricResult, Sample, Series};
use crate::{
    error::QueryError,
    metric::{
        ABSENT, Grid, RangeStore, RunValues, StepSeries, Steps, aggregate, is_absent, label_replace, new_store,
        scalar_op, scalar_with_vector, vector_with_scalar, vector_with_vector,
    },
    pipeline::{Passed, Program, selected_runs},
    row::{ERROR, NameId, Names},
    stage::{Needed, unwrap::UnwrapExec},
    syntax::ast::{Expr, Grouping, LogExpr, MetricExpr, RangeAggregation, RangeOp, VectorAggregation, VectorOp},
};

/// How many steps a query may have; the API allows far fewer.
const STEPS_MAX: i64 = 1_000_000;

/// Series one range aggregation may have before anything is aggregated further: bounds memory.
const RANGE_SERIES_MAX: usize = 200_000;

/// What a metric query asks for beside its expression.
#[derive(Clone, Copy, Debug)]
pub struct MetricParams {
    /// The first instant of evaluation.
    pub start: Timestamp,
    /// No instant of evaluation is later.
    pub end: Timestamp,
    /// Nanoseconds between two; 0 for an instant query at `start`.
    pub step_ns: i64,
    /// How many series the answer may have.
    pub max_series: usize,
}

/// What one range selector of the query reads.
#[derive(Clone, Debug)]
pub struct RangeNeed {
    /// Its number, for [`MetricEvaluator::push`].
    pub index: usize,
    /// Which lines; rows may be narrowed by its stages or only by its matchers before they are pushed.
    pub selector: LogExpr,
    /// The first instant needed.
    pub from: Timestamp,
    /// The first instant not needed any more.
    pub to: Timestamp,
    /// False where lines may be blank.
    pub needs_lines: bool,
    /// False where structured metadata may be left out.
    pub needs_metadata: bool,
}

/// Evaluates one metric query.
#[derive(Debug)]
pub struct MetricEvaluator {
    expr: MetricExpr,
    params: MetricParams,
    steps: Steps,
    needs: Vec<RangeNeed>,
    ranges: Vec<RangeState>,
}

impl MetricEvaluator {
    /// Compiles the query.
    ///
    /// # Errors
    /// It is a log query; or what is wrong with a pattern, template or regular expression.
    pub fn new(expr: &Expr, params: MetricParams) -> Result<Self, QueryError> {
        let Expr::Metric(expr) = expr else {
            return Err(QueryError::BadRequest("a log query has no numeric answer".to_owned()));
        };
        let steps = steps_of(&params)?;
        let mut evaluator = Self { expr: expr.clone(), params, steps, needs: Vec::new(), ranges: Vec::new() };
        evaluator.plan(expr, None)?;
        Ok(evaluator)
    }

    /// One state per range aggregation, in the order of the tree. A sum right above an aggregation that
    /// adds up lends it its grouping, so that no series are kept apart only to be added.
    fn plan(&mut self, expr: &MetricExpr, lent: Option<&Grouping>) -> Result<(), QueryError> {
        match expr {
            MetricExpr::Range(aggregation) => {
                let grid = Grid::new(self.steps, aggregation.range.range_ns, aggregation.range.offset_ns);
                let state = RangeState::new(aggregation, grid, lent)?;
                self.needs.push(state.need(aggregation, grid, self.needs.len()));
                self.ranges.push(state);
                Ok(())
            }
            MetricExpr::Vector(vector) => {
                let everything = Grouping { without: false, labels: Vec::new() };
                let lent = lends(vector).then(|| vector.grouping.as_ref().unwrap_or(&everything));
                self.plan(&vector.inner, lent)
            }
            MetricExpr::Binary(binary) => {
                self.plan(&binary.left, None)?;
                self.plan(&binary.right, None)
            }
            MetricExpr::LabelReplace(replace) => self.plan(&replace.inner, None),
            MetricExpr::Literal(_) | MetricExpr::VectorLiteral(_) => Ok(()),
        }
    }

    /// What has to be read: one need per range selector.
    pub fn needs(&self) -> &[RangeNeed] {
        &self.needs
    }

    /// Takes rows of one need, of streams that match its matchers and without copies. Rows of a stream
    /// come in time order; streams in any order and in any number of calls. Rows outside of the need's
    /// time are ignored.
    ///
    /// # Errors
    /// A sample carries an error label, or there are too many series.
    pub fn push(&mut self, need: usize, rows: &Rows) -> Result<(), QueryError> {
        let (Some(state), Some(need)) = (self.ranges.get_mut(need), self.needs.get(need)) else {
            return Err(QueryError::Internal(format!("the query has no range selector {need}")));
        };
        state.push(rows, need.from.0, need.to.0)
    }

    /// The answer.
    ///
    /// # Errors
    /// Series that cannot be matched, or more series than allowed.
    pub fn finish(self) -> Result<MetricResult, QueryError> {
        let Self { expr, params, steps, ranges, .. } = self;
        let mut ranges = ranges.into_iter();
        let value = evaluate(&expr, &mut ranges, steps)?;
        let result = match value {
            Value::Scalar(value) if params.step_ns == 0 => {
                return Ok(MetricResult::Scalar { timestamp_ms: millis(steps.start), value });
            }
            Value::Scalar(value) => vec![StepSeries { labels: Labels::empty(), values: vec![value; steps.count] }],
            Value::Vector(series) => series,
        };
        let mut series: Vec<StepSeries> = result.into_iter().filter(|series| !series.is_empty()).collect();
        if series.len() > params.max_series {
            return Err(QueryError::SeriesLimit { limit: params.max_series });
        }
        series.sort_by_cached_key(|series| series.labels.to_string());
        if params.step_ns == 0 { Ok(vector_result(&expr, series, steps)) } else { Ok(matrix_result(series, steps)) }
    }
}

fn steps_of(params: &MetricParams) -> Result<Steps, QueryError> {
    let MetricParams { start, end, step_ns, .. } = *params;
    if step_ns == 0 {
        return Ok(Steps { start: start.0, step: 1, count: 1 });
    }
    if step_ns < 0 {
        return Err(QueryError::BadRequest(
            "zero or negative query resolution step widths are not accepted. Try a positive integer".to_owned(),
        ));
    }
    let span = end.0.checked_sub(start.0).filter(|span| *span >= 0);
    let span = span
        .ok_or_else(|| QueryError::BadRequest("end timestamp must not be before or equal to start time".to_owned()))?;
    if span / step_ns >= STEPS_MAX {
        return Err(QueryError::BadRequest(
            "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter".to_owned(),
        ));
    }
    Ok(Steps { start: start.0, step: step_ns, count: (span / step_ns) as usize + 1 })
}

/// Whether a vector aggregation's groups may be made while samples are collected.
fn lends(vector: &VectorAggregation) -> bool {
    let MetricExpr::Range(range) = &vector.inner else { return false };
    let adds_up = matches!(
        range.op,
        RangeOp::CountOverTime | RangeOp::Rate | RangeOp::BytesOverTime | RangeOp::BytesRate | RangeOp::SumOverTime
    );
    vector.op == VectorOp::Sum && adds_up && range.grouping.is_none()
}

fn millis(nanos: i64) -> i64 {
    Timestamp(nanos).as_millis()
}

fn vector_result(expr: &MetricExpr, series: Vec<StepSeries>, steps: Steps) -> MetricResult {
    let timestamp_ms = millis(steps.start);
    let sample = |series: StepSeries| Sample { timestamp_ms, value: series.values[0], labels: series.labels };
    let mut samples: Vec<Sample> = series.into_iter().map(sample).collect();
    match sorting(expr) {
        Some(VectorOp::Sort) => samples.sort_by(|a, b| a.value.total_cmp(&b.value)),
        Some(_) => samples.sort_by(|a, b| a.value.is_nan().cmp(&b.value.is_nan()).then(b.value.total_cmp(&a.value))),
        None => {}
    }
    MetricResult::Vector(samples)
}

/// The `sort` or `sort_desc` nearest to the root.
fn sorting(expr: &MetricExpr) -> Option<VectorOp> {
    match expr {
        MetricExpr::Vector(vector) if matches!(vector.op, VectorOp::Sort | VectorOp::SortDesc) => Some(vector.op),
        MetricExpr::Vector(vector) => sorting(&vector.inner),
        MetricExpr::Binary(binary) => sorting(&binary.left).or_else(|| sorting(&binary.right)),
        MetricExpr::LabelReplace(replace) => sorting(&replace.inner),
        MetricExpr::Range(_) | MetricExpr::Literal(_) | MetricExpr::VectorLiteral(_) => None,
    }
}

fn matrix_result(series: Vec<StepSeries>, steps: Steps) -> MetricResult {
    let points = |values: Vec<f64>| {
        let present = values.into_iter().enumerate().filter(|(_, value)| !is_absent(*value));
        present.map(|(i, value)| (millis(steps.at(i)), value)).collect()
    };
    MetricResult::Matrix(series.into_iter().map(|s| Series { labels: s.labels, points: points(s.values) }).collect())
}

/// What a part of the query evaluates to.
enum Value {
    Scalar(f64),
    Vector(Vec<StepSeries>),
}

fn evaluate(expr: &MetricExpr, ranges: &mut std::vec::IntoIter<RangeState>, steps: Steps) -> Result<Value, QueryError> {
    Ok(match expr {
        MetricExpr::Literal(value) => Value::Scalar(*value),
        MetricExpr::VectorLiteral(value) => {
            Value::Vector(vec![StepSeries { labels: Labels::empty(), values: vec![*value; steps.count] }])
        }
        MetricExpr::Range(aggregation) => {
            let state =
                ranges.next().ok_or_else(|| QueryError::Internal("a range aggregation was not planned".to_owned()))?;
            Value::Vector(state.finish(aggregation, steps))
        }
        MetricExpr::Vector(aggregation) => match evaluate(&aggregation.inner, ranges, steps)? {
            Value::Vector(series) => Value::Vector(aggregate(aggregation, series, steps.count)),
            Value::Scalar(_) => {
                return Err(QueryError::BadRequest(format!("{} of a number instead of series", aggregation.op.name())));
            }
        },
        MetricExpr::LabelReplace(replace) => match evaluate(&replace.inner, ranges, steps)? {
            Value::Vector(series) => Value::Vector(label_replace(replace, series).map_err(QueryError::BadRequest)?),
            Value::Scalar(_) => {
                return Err(QueryError::BadRequest("label_replace of a number instead of series".to_owned()));
            }
        },
        MetricExpr::Binary(binary) => {
            let left = evaluate(&binary.left, ranges, steps)?;
            let right = evaluate(&binary.right, ranges, steps)?;
            match (left, right) {
                (Value::Scalar(left), Value::Scalar(right)) => Value::Scalar(scalar_op(binary.op, left, right)),
                (Value::Vector(left), Value::Scalar(right)) => Value::Vector(vector_with_scalar(binary, left, right)),
                (Value::Scalar(left), Value::Vector(right)) => Value::Vector(scalar_with_vector(binary, left, right)),
                (Value::Vector(left), Value::Vector(right)) => {
                    Value::Vector(vector_with_vector(binary, left, right, steps.count)?)
                }
            }
        }
    })
}

/// Which labels make a series.
#[derive(Debug)]
enum Keying {
    /// These, where they are.
    By(Vec<NameId>),
    /// All but these.
    Without(Vec<NameId>),
}

/// What a row counts as.
#[derive(Debug)]
enum SampleKind {
    Line,
    LineBytes,
    Unwrapped(UnwrapExec),
}

/// One range aggregation while its rows come in.
#[derive(Debug)]
struct RangeState {
    program: Program,
    keying: Keying,
    kind: SampleKind,
    /// Rows with errors make samples instead of failing the query.
    keeps_errors: bool,
    /// Series by what a row's identity is made of; several identities may mean one series.
    keys: HashMap<Box<[u8]>, u32, rapidhash::fast::RandomState>,
    series: HashMap<Labels, u32>,
    labels: Vec<Labels>,
    store: Box<dyn RangeStore>,
    key: Vec<u8>,
    builder: LabelsBuilder,
    selection: Vec<u32>,
}

impl RangeState {
    fn new(aggregation: &RangeAggregation, grid: Grid, lent: Option<&Grouping>) -> Result<Self, QueryError> {
        let mut names = Names::new();
        let unwrap = aggregation.range.unwrap.as_ref();
        let nothing = Grouping { without: false, labels: Vec::new() };
        let grouping = match aggregation.op {
            // Nobody asks which series was there.
            RangeOp::AbsentOverTime => Some(&nothing),
            _ => aggregation.grouping.as_ref().or(lent),
        };
        let ids = |grouping: &Grouping, names: &mut Names| {
            grouping.labels.iter().map(|label| names.id(label)).collect::<Vec<_>>()
        };
        let keying = match grouping {
            Some(grouping) if !grouping.without => {
                let mut ids = ids(grouping, &mut names);
                ids.sort_unstable();
                ids.dedup();
                Keying::By(ids)
            }
            Some(grouping) => Keying::Without(ids(grouping, &mut names)),
            None => Keying::Without(Vec::new()),
        };
        let mut needed = match &keying {
            Keying::By(labels) => {
                let mut needed = Needed::none();
                labels.iter().for_each(|label| needed.add(*label));
                needed
            }
            Keying::Without(_) => Needed::All,
        };
        if let Some(unwrap) = unwrap {
            needed.add_unwrap(unwrap, &mut names);
        }
        let kind = match (unwrap, aggregation.op) {
            (Some(unwrap), _) => {
                SampleKind::Unwrapped(UnwrapExec::compile(unwrap, &mut names).map_err(QueryError::BadRequest)?)
            }
            (None, RangeOp::BytesOverTime | RangeOp::BytesRate) => SampleKind::LineBytes,
            (None, _) => SampleKind::Line,
        };
        let mut keying = keying;
        // An unwrapped label would make a series of every value.
        if let (SampleKind::Unwrapped(unwrap), Keying::Without(labels)) = (&kind, &mut keying) {
            labels.push(unwrap.label);
        }
        Ok(Self {
            keeps_errors: matches!(&keying, Keying::By(labels) if labels.contains(&ERROR)),
            program: Program::compile(&aggregation.range.selector, names, needed)?,
            keying,
            kind,
            keys: HashMap::default(),
            series: HashMap::new(),
            labels: Vec::new(),
            store: new_store(aggregation, grid),
            key: Vec::new(),
            builder: LabelsBuilder::new(),
            selection: Vec::new(),
        })
    }

    fn need(&self, aggregation: &RangeAggregation, grid: Grid, index: usize) -> RangeNeed {
        let (from, to) = grid.bounds();
        let by_nothing = matches!(&self.keying, Keying::By(labels) if labels.is_empty());
        let plain = self.program.only_line_filters() && !matches!(self.kind, SampleKind::Unwrapped(_));
        RangeNeed {
            index,
            selector: aggregation.range.selector.clone(),
            from: Timestamp(from),
            to: Timestamp(to),
            needs_lines: self.program.reads_lines() || matches!(self.kind, SampleKind::LineBytes),
            needs_metadata: !(by_nothing && plain),
        }
    }

    fn push(&mut self, rows: &Rows, from: i64, to: i64) -> Result<(), QueryError> {
        let mut selection = std::mem::take(&mut self.selection);
        selection.clear();
        let inside = |i: &usize| (from..to).contains(&rows.timestamps[*i]);
        selection.extend((0..rows.len()).filter(inside).map(|i| i as u32));
        self.program.filter_lines(rows, &mut selection);
        let plain = self.program.only_line_filters() && !matches!(self.kind, SampleKind::Unwrapped(_));
        for (labels, selected) in selected_runs(rows, &selection) {
            if plain && !self.metadata_counts(rows) {
                self.push_plain(rows, labels, selected)?;
            } else {
                self.push_rows(rows, labels, selected)?;
            }
        }
        self.selection = selection;
        if self.program.end_batch() {
            // Identities hold numbers of names, which begin anew.
            self.keys.clear();
        }
        Ok(())
    }

    /// Whether structured metadata may tell rows of a stream apart.
    fn metadata_counts(&self, rows: &Rows) -> bool {
        match &self.keying {
            Keying::By(labels) => !labels.is_empty() && !rows.metadata.is_empty(),
            Keying::Without(_) => !rows.metadata.is_empty(),
        }
    }

    /// All rows of the run are of one series: found once.
    fn push_plain(&mut self, rows: &Rows, labels: &Labels, selected: &[u32]) -> Result<(), QueryError> {
        self.builder.clear();
        for (name, value) in labels.iter() {
            let id = self.program.names.find(name);
            let listed = |list: &[NameId]| id.is_some_and(|id| list.contains(&id));
            let keep = match &self.keying {
                Keying::By(list) => listed(list),
                Keying::Without(list) => !listed(list),
            };
            if keep {
                self.builder.push(name, value);
            }
        }
        let labels = self.builder.build();
        let series = intern(&mut self.series, &mut self.labels, labels)?;
        let values = match self.kind {
            SampleKind::LineBytes => RunValues::LineBytes(&rows.lines),
            _ => RunValues::Ones,
        };
        self.store.add_run(series, &rows.timestamps, selected, values);
        Ok(())
    }

    fn push_rows(&mut self, rows: &Rows, labels: &Labels, selected: &[u32]) -> Result<(), QueryError> {
        let Self { program, keying, kind, keeps_errors, keys, series, labels: known, store, key, builder, .. } = self;
        let view = program.view(labels, rows);
        program.run(rows, &view, selected, |passed| {
            let Passed { row, view, line, labels, names } = passed;
            let value = match &*kind {
                SampleKind::Line => 1.0,
                SampleKind::LineBytes => line.len() as f64,
                SampleKind::Unwrapped(unwrap) => match unwrap.value(view, labels) {
                    Some(value) => value,
                    None => return Ok(()),
                },
            };
            if let Some(error) = labels.error()
                && !*keeps_errors
            {
                let series = labels.build(view, names, builder, &[]);
                return Err(QueryError::Pipeline { kind: error.to_owned(), series });
            }
            key.clear();
            match &*keying {
                Keying::By(list) => {
                    for name in list {
                        let value = labels.get(view, *name).unwrap_or_default();
                        key.extend_from_slice(&(value.len() as u32).to_le_bytes());
                        key.extend_from_slice(value);
                    }
                }
                Keying::Without(_) => labels.identity(view, key),
            }
            let number = match keys.get(key.as_slice()) {
                Some(number) => *number,
                None => {
                    let made = match &*keying {
                        Keying::By(list) => {
                            builder.clear();
                            for name in list {
                                let value = labels.get(view, *name).unwrap_or_default();
                                builder.push(names.text(*name), &String::from_utf8_lossy(value));
                            }
                            builder.build()
                        }
                        Keying::Without(list) => labels.build(view, names, builder, list),
                    };
                    let number = intern(series, known, made)?;
                    // Identities may be as many as rows where an unwrapped label is left out of the series.
                    if keys.len() >= IDENTITIES_MAX {
                        keys.clear();
                    }
                    keys.insert(key.as_slice().into(), number);
                    number
                }
            };
            store.add(number, rows.timestamps[row], value);
            Ok(())
        })
    }

    fn finish(self, aggregation: &RangeAggregation, steps: Steps) -> Vec<StepSeries> {
        let values = self.store.finish();
        if aggregation.op == RangeOp::AbsentOverTime {
            let present = values.into_iter().next().unwrap_or_else(|| vec![ABSENT; steps.count]);
            let values = present.into_iter().map(|value| if is_absent(value) { 1.0 } else { ABSENT }).collect();
            return vec![StepSeries { labels: absent_labels(&aggregation.range.selector), values }];
        }
        let mut series: Vec<StepSeries> =
            self.labels.into_iter().zip(values).map(|(labels, values)| StepSeries { labels, values }).collect();
        series.retain(|series| !series.is_empty());
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        series
    }
}

/// How many identities of rows are remembered.
const IDENTITIES_MAX: usize = 100_000;

fn intern(series: &mut HashMap<Labels, u32>, known: &mut Vec<Labels>, labels: Labels) -> Result<u32, QueryError> {
    if let Some(number) = series.get(&labels) {
        return Ok(*number);
    }
    if known.len() >= RANGE_SERIES_MAX {
        return Err(QueryError::SeriesLimit { limit: RANGE_SERIES_MAX });
    }
    let number = known.len() as u32;
    known.push(labels.clone());
    series.insert(labels, number);
    Ok(number)
}

/// What a selector says for sure about the streams it would have found: names compared once, for equality.
fn absent_labels(selector: &LogExpr) -> Labels {
    let once = |name: &str| selector.matchers.iter().filter(|m| m.name() == name).count() == 1;
    let equal = selector.matchers.iter().filter(|m| m.op() == crate::MatchOp::Eq && once(m.name()));
    Labels::from_pairs(equal.map(|m| (m.name(), m.value())))
}
