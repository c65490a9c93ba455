//! Running a checked query: cut it, run the parts, merge their outcomes.
//!
//! Everything runs inside the future of the request: when the client goes away the future is dropped,
//! and with it every task.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use futures::{StreamExt, TryStreamExt, stream};
use skald_cache::Cache;
use skald_logql::{Expr, LogExpr, MetricExpr};
use skald_model::{Direction, Labels};
use skald_wire::{labels_from_bytes, pb};

use crate::{
    QueryError,
    cache::{self, Extent, Extents},
    check,
    merge::{LogMerge, MetricMerge, Series, StreamEntries},
    metrics::Metrics,
    request::{RangeRequest, StreamsRequest},
    response::Stats,
    split::{self, LogSplit, StepSplit},
    tasks::{Request, Tasks, unexpected},
};

/// The machinery behind the endpoints.
pub(crate) struct Engine {
    pub(crate) tasks: Tasks,
    /// `None`: results are not cached.
    pub(crate) cache: Option<Arc<dyn Cache>>,
    /// Metric queries end on a step, not after it.
    pub(crate) align_with_step: bool,
    pub(crate) metrics: Arc<Metrics>,
}

/// Of each stream its rows and bytes.
pub(crate) type StreamUses = BTreeMap<Labels, (u64, u64)>;

impl Engine {
    /// Log entries, the first ones in the query's direction.
    pub(crate) async fn log(
        &self,
        request: &Request,
        range: &RangeRequest,
        expr: &LogExpr,
    ) -> Result<(Vec<StreamEntries>, Stats), QueryError> {
        let started = Instant::now();
        // Which line comes after an interval depends on all lines before it: such a query is not cut.
        let interval_ns = if range.interval_ns > 0 { 0 } else { request.limits.split_queries_by_interval.as_nanos() };
        let mut splits = split::log_splits(range.start_ns, range.end_ns, interval_ns);
        if range.direction == Direction::Backward {
            splits.reverse();
        }
        let mut stats = Stats { splits: splits.len() as u64, ..Stats::default() };
        self.metrics.partitions.inc_by(stats.splits);
        let parallel_max = request.limits.max_query_parallelism.max(1) as usize;
        // Without a filter the first part very likely fills the limit; with one, nobody knows.
        let mut parallel = if expr.stages.is_empty() { 1 } else { parallel_max };
        let mut merge = LogMerge::new(range.direction, range.limit);
        while !splits.is_empty() && !merge.is_full() {
            let later = splits.split_off(parallel.min(splits.len()));
            let now = std::mem::replace(&mut splits, later);
            let parts = now.into_iter().map(|split| self.log_part(request, range, split));
            let outcomes: Vec<_> = stream::iter(parts).buffered(parallel).try_collect().await?;
            for (outcome, task) in outcomes {
                merge.add(outcome)?;
                stats.add(&task);
            }
            parallel = (parallel * 2).min(parallel_max);
        }
        stats.entries = merge.count() as u64;
        self.close(&mut stats, started);
        Ok((merge.finish(), stats))
    }

    async fn log_part(
        &self,
        request: &Request,
        range: &RangeRequest,
        split: LogSplit,
    ) -> Result<(pb::LogOutcome, pb::TaskStats), QueryError> {
        let task = pb::LogTask {
            query: range.query.clone(),
            from_ns: split.from_ns,
            to_ns: split.to_ns,
            limit: range.limit,
            backward: range.direction == Direction::Backward,
            interval_ns: range.interval_ns,
        };
        match self.tasks.run(request, pb::query_task::Task::Log(task)).await? {
            (pb::task_outcome::Outcome::Log(outcome), stats) => Ok((outcome, stats)),
            _ => Err(unexpected()),
        }
    }

    /// Series over time.
    pub(crate) async fn metric_range(
        &self,
        request: &Request,
        range: &RangeRequest,
        expr: &MetricExpr,
    ) -> Result<(Vec<Series>, bool, Stats), QueryError> {
        let started = Instant::now();
        let interval_ns = request.limits.split_queries_by_interval.as_nanos();
        let longest_ns = longest_range(expr);
        let (steps, interval_ns) = if interval_ns > 0 {
            let steps = split::align(range.start_ns, range.end_ns, range.step_ns, self.align_with_step);
            (steps, interval_ns.max(longest_ns))
        } else {
            (StepSplit { start_ns: range.start_ns, end_ns: range.end_ns }, 0)
        };
        let splits = split::step_splits(steps, range.step_ns, interval_ns, longest_ns);
        let mut stats = Stats { splits: splits.len() as u64, ..Stats::default() };
        self.metrics.partitions.inc_by(stats.splits);
        let part = |split| self.metric_part(request, range, expr, interval_ns, split);
        let parallel = request.limits.max_query_parallelism.max(1) as usize;
        let mut parts = stream::iter(splits.into_iter().map(part)).buffered(parallel);
        let mut merge = MetricMerge::new(request.limits.max_query_series);
        while let Some((outcomes, part)) = parts.try_next().await? {
            stats.merge(&part);
            outcomes.into_iter().try_for_each(|outcome| merge.add(outcome))?;
        }
        drop(parts);
        let scalar = merge.scalar;
        let series = merge.finish(true);
        stats.entries = series.len() as u64;
        self.close(&mut stats, started);
        Ok((series, scalar, stats))
    }

    /// One part of a metric query: from the cache what cannot have changed, the rest computed.
    async fn metric_part(
        &self,
        request: &Request,
        range: &RangeRequest,
        expr: &MetricExpr,
        interval_ns: i64,
        split: StepSplit,
    ) -> Result<(Vec<pb::MetricOutcome>, Stats), QueryError> {
        let mut stats = Stats::default();
        let cache = self.cache.as_ref().filter(|_| interval_ns > 0 && !request.no_cache);
        let Some(cache) = cache else {
            let outcome = self.steps(request, range, split, &mut stats).await?;
            return Ok((vec![outcome], stats));
        };
        // Asked before anything is computed: a commit in between makes the extent stale, never wrong.
        let Some(fingerprint) = self.fingerprint(request, expr, interval_ns, split, &mut stats).await? else {
            self.metrics.cache_misses.inc();
            let outcome = self.steps(request, range, split, &mut stats).await?;
            return Ok((vec![outcome], stats));
        };
        stats.cache_requested = 1;
        let key = cache::key(&request.tenant, &range.query, range.step_ns, interval_ns, split);
        let mut extents = cache.get(&key).await.map(|bytes| Extents::decode(&bytes)).unwrap_or_default();
        extents.retain_fresh(fingerprint);
        let (known, gaps) = extents.lookup(split, range.step_ns);
        stats.cache_found = u64::from(!known.is_empty());
        let mut parts = known;
        for &gap in &gaps {
            let result = self.steps(request, range, gap, &mut stats).await?;
            let extent = Extent { steps: gap, fingerprint, result };
            extents.insert(extent.clone(), range.step_ns);
            parts.push(extent);
        }
        if gaps.is_empty() {
            self.metrics.cache_hits.inc();
        } else {
            self.metrics.cache_misses.inc();
            stats.cache_stored = 1;
            cache.put(&key, extents.encode()).await;
        }
        parts.sort_by_key(|e| e.steps.start_ns);
        Ok((parts.into_iter().map(|e| e.result).collect(), stats))
    }

    /// The state of everything a part between two cuts reads; `None` while it may change unseen.
    async fn fingerprint(
        &self,
        request: &Request,
        expr: &MetricExpr,
        interval_ns: i64,
        split: StepSplit,
        stats: &mut Stats,
    ) -> Result<Option<u64>, QueryError> {
        let (before, after) = check::reach(expr);
        let cut_ns = split.start_ns.div_euclid(interval_ns).saturating_mul(interval_ns);
        let from_ns = cut_ns.saturating_sub(before);
        let to_ns = cut_ns.saturating_add(interval_ns).saturating_add(after);
        let tenant = request.tenant.as_str().to_owned();
        let selection = pb::Selection { tenant, matchers: "{}".into(), from_ns, to_ns };
        match self.tasks.run(request, pb::query_task::Task::Freshness(selection)).await? {
            (pb::task_outcome::Outcome::Freshness(fresh), task) => {
                stats.add(&task);
                Ok((!fresh.rows_in_memory).then_some(fresh.fingerprint))
            }
            _ => Err(unexpected()),
        }
    }

    async fn steps(
        &self,
        request: &Request,
        range: &RangeRequest,
        steps: StepSplit,
        stats: &mut Stats,
    ) -> Result<pb::MetricOutcome, QueryError> {
        let (query, StepSplit { start_ns, end_ns }) = (range.query.clone(), steps);
        let task = pb::MetricTask { query, start_ns, end_ns, step_ns: range.step_ns };
        self.metric_task(request, task, stats).await
    }

    async fn metric_task(
        &self,
        request: &Request,
        task: pb::MetricTask,
        stats: &mut Stats,
    ) -> Result<pb::MetricOutcome, QueryError> {
        match self.tasks.run(request, pb::query_task::Task::Metric(task)).await? {
            (pb::task_outcome::Outcome::Metric(outcome), task) => {
                stats.add(&task);
                Ok(outcome)
            }
            _ => Err(unexpected()),
        }
    }

    /// Series at one instant.
    pub(crate) async fn metric_instant(
        &self,
        request: &Request,
        query: &str,
        time_ns: i64,
        expr: &MetricExpr,
    ) -> Result<(Vec<Series>, bool, Stats), QueryError> {
        let started = Instant::now();
        let mut stats = Stats { splits: 1, ..Stats::default() };
        let task = pb::MetricTask { query: query.to_owned(), start_ns: time_ns, end_ns: time_ns, step_ns: 0 };
        let outcome = self.metric_task(request, task, &mut stats).await?;
        let mut merge = MetricMerge::new(request.limits.max_query_series);
        merge.add(outcome)?;
        let scalar = merge.scalar;
        let series = merge.finish(!check::keeps_order(expr));
        stats.entries = series.len() as u64;
        self.close(&mut stats, started);
        Ok((series, scalar, stats))
    }

    /// The streams that match any of the selectors, and how many pieces they lie in.
    pub(crate) async fn streams(
        &self,
        request: &Request,
        wanted: &StreamsRequest,
    ) -> Result<(StreamUses, u64), QueryError> {
        let selectors = if wanted.selectors.is_empty() { vec!["{}".to_owned()] } else { wanted.selectors.clone() };
        let run = |matchers: String| {
            let selection = pb::Selection {
                tenant: request.tenant.as_str().to_owned(),
                matchers,
                from_ns: wanted.start_ns,
                to_ns: wanted.end_ns,
            };
            self.tasks.run(request, pb::query_task::Task::Streams(selection))
        };
        let parallel = request.limits.max_query_parallelism.max(1) as usize;
        let mut outcomes = stream::iter(selectors.into_iter().map(run)).buffered(parallel);
        let mut uses = StreamUses::new();
        let mut pieces = 0;
        while let Some((outcome, _)) = outcomes.try_next().await? {
            let pb::task_outcome::Outcome::Streams(outcome) = outcome else { return Err(unexpected()) };
            pieces += outcome.chunks;
            for stream in outcome.streams {
                let labels = labels_from_bytes(&stream.labels).map_err(|e| QueryError::internal(e.to_string()))?;
                uses.insert(labels, (stream.rows, stream.bytes));
            }
        }
        Ok((uses, pieces))
    }

    fn close(&self, stats: &mut Stats, started: Instant) {
        stats.elapsed = started.elapsed();
        self.metrics.queue_seconds.observe(stats.tasks.queue_ns as f64 / 1e9);
    }
}

fn longest_range(expr: &MetricExpr) -> i64 {
    let mut longest = 0;
    expr.for_each_range(&mut |r| longest = longest.max(r.range.range_ns));
    longest
}

/// A query's tree, or why it is no query.
pub(crate) fn parse(query: &str) -> Result<Expr, QueryError> {
    skald_logql::parse(query).map_err(|e| QueryError::bad_request(e.to_string()))
}
