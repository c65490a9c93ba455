//! Buckets of all series of one aggregation, and how they become values of steps.

use skald_model::LineColumn;

use super::{Bucket, Finish};
use crate::metric::{ABSENT, Grid};

/// What the rows of a run count as.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RunValues<'a> {
    /// One each.
    Ones,
    /// The length of their lines.
    LineBytes(&'a LineColumn),
}

/// Collects samples of many series; series are numbers from 0 on.
pub(crate) trait RangeStore: Send + std::fmt::Debug {
    /// Adds one sample.
    fn add(&mut self, series: u32, timestamp: i64, value: f64);

    /// Adds rows of one series.
    fn add_run(&mut self, series: u32, timestamps: &[i64], selected: &[u32], values: RunValues<'_>);

    /// One vector of values per series, one value per step.
    fn finish(self: Box<Self>) -> Vec<Vec<f64>>;
}

#[derive(Debug)]
pub(super) struct Store<B> {
    grid: Grid,
    finish: Finish,
    series: Vec<Buckets<B>>,
}

/// The buckets of one series from the first one touched to the last.
#[derive(Clone, Debug)]
struct Buckets<B> {
    base: usize,
    list: Vec<B>,
}

impl<B: Bucket> Buckets<B> {
    fn at(&mut self, id: usize) -> &mut B {
        if self.list.is_empty() {
            self.base = id;
        }
        if id < self.base {
            let missing = self.base - id;
            self.list.splice(0..0, std::iter::repeat_with(B::default).take(missing));
            self.base = id;
        }
        let at = id - self.base;
        if at >= self.list.len() {
            self.list.resize_with(at + 1, B::default);
        }
        &mut self.list[at]
    }

    fn get(&self, id: usize) -> Option<&B> {
        self.list.get(id.checked_sub(self.base)?)
    }
}

impl<B: Bucket> Store<B> {
    pub(super) fn new(grid: Grid, finish: Finish) -> Self {
        Self { grid, finish, series: Vec::new() }
    }

    fn series(&mut self, series: u32) -> &mut Buckets<B> {
        let at = series as usize;
        if at >= self.series.len() {
            self.series.resize_with(at + 1, || Buckets { base: 0, list: Vec::new() });
        }
        &mut self.series[at]
    }

    fn finish(&self, step: usize) -> Finish {
        Finish { window_end: self.grid.window_end(step), ..self.finish }
    }

    fn values(&self, buckets: &Buckets<B>) -> Vec<f64> {
        let steps = self.grid.steps();
        let len = self.grid.window_len();
        let mut out = vec![ABSENT; steps.count];
        let end = buckets.base + buckets.list.len();
        let touched = |i: &usize| {
            let start = self.grid.window_start(*i);
            start < end && start + len > buckets.base
        };
        if B::MERGES_IN_CONSTANT_TIME && len > 2 {
            self.slide(buckets, &mut out);
            return out;
        }
        for i in (0..steps.count).filter(touched) {
            let mut window = B::default();
            let start = self.grid.window_start(i);
            for id in start.max(buckets.base)..(start + len).min(end) {
                if let Some(bucket) = buckets.get(id) {
                    window.merge(bucket);
                }
            }
            out[i] = window.value(&self.finish(i));
        }
        out
    }

    /// Sliding windows by blocks of the window's length: a window is the tail of one block and the
    /// head of the next, both kept merged, so that a step costs one merge whatever the range.
    fn slide(&self, buckets: &Buckets<B>, out: &mut [f64]) {
        let len = self.grid.window_len();
        let end = buckets.base + buckets.list.len();
        let (first_block, last_block) = (buckets.base / len, end.div_ceil(len));
        let offset = first_block * len;
        let size = (last_block - first_block + 1) * len;
        let at = |i: usize| buckets.get(offset + i).cloned().unwrap_or_default();
        let mut heads: Vec<B> = Vec::with_capacity(size);
        for i in 0..size {
            let mut head = if i % len == 0 { B::default() } else { heads[i - 1].clone() };
            head.merge(&at(i));
            heads.push(head);
        }
        let mut tails: Vec<B> = vec![B::default(); size];
        for i in (0..size).rev() {
            let mut tail = at(i);
            if i % len != len - 1 {
                tail.merge(&tails[i + 1]);
            }
            tails[i] = tail;
        }
        for (i, value) in out.iter_mut().enumerate() {
            let start = self.grid.window_start(i);
            if start >= end || start + len <= buckets.base {
                continue;
            }
            // A window that begins before the first block ends inside of it.
            let mut window = match start.checked_sub(offset) {
                Some(start) => tails[start].clone(),
                None => B::default(),
            };
            let last = start + len - 1;
            let begins_block = start >= offset && (start - offset).is_multiple_of(len);
            if !begins_block && last - offset < size {
                window.merge(&heads[last - offset]);
            }
            *value = window.value(&self.finish(i));
        }
    }
}

impl<B: Bucket> RangeStore for Store<B> {
    fn add(&mut self, series: u32, timestamp: i64, value: f64) {
        if let Some(bucket) = self.grid.locate(timestamp) {
            self.series(series).at(bucket.id).add(timestamp, value);
        }
    }

    fn add_run(&mut self, series: u32, timestamps: &[i64], selected: &[u32], values: RunValues<'_>) {
        let grid = self.grid;
        let buckets = self.series(series);
        let value = |row: usize| match values {
            RunValues::Ones => 1.0,
            RunValues::LineBytes(lines) => lines.get(row).len() as f64,
        };
        let mut next = 0;
        while next < selected.len() {
            let timestamp = timestamps[selected[next] as usize];
            let Some(bucket) = grid.locate(timestamp) else {
                next += 1;
                continue;
            };
            // Rows come by time: many in a row share a bucket, found once.
            let into = buckets.at(bucket.id);
            while let Some(row) = selected.get(next).map(|row| *row as usize) {
                let timestamp = timestamps[row];
                if timestamp <= bucket.after || timestamp > bucket.until {
                    break;
                }
                into.add(timestamp, value(row));
                next += 1;
            }
        }
    }

    fn finish(self: Box<Self>) -> Vec<Vec<f64>> {
        self.series
            .iter()
            .map(
                |buckets| {
                    if buckets.list.is_empty() { vec![ABSENT; self.grid.steps().count] } else { self.values(buckets) }
                },
            )
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        metric::{
            Steps,
            range::{Counting, quantile::Values},
        },
        syntax::ast::RangeOp,
    };

    /// Sliding, direct merging and counting by definition agree.
    #[test]
    fn windows_agree_with_the_definition() {
        let samples: Vec<i64> = (0..400).map(|i| (i * 7919) % 500 - 100).collect();
        for step in [1, 5, 10, 33] {
            for count in [1, 2, 7, 20] {
                for range in [1, 4, 10, 17, 50, 100, 1000] {
                    let steps = Steps { start: 90, step, count };
                    let grid = Grid::new(steps, range, 0);
                    let finish = Finish { op: RangeOp::CountOverTime, range_ns: range, param: 0.0, window_end: 0 };
                    let mut counts = Box::new(Store::<Counting>::new(grid, finish));
                    let mut values = Box::new(Store::<Values>::new(
                        grid,
                        Finish { op: RangeOp::QuantileOverTime, param: 1.0, ..finish },
                    ));
                    for timestamp in &samples {
                        counts.add(0, *timestamp, 1.0);
                        values.add(0, *timestamp, *timestamp as f64);
                    }
                    let (counts, values) = (counts.finish(), values.finish());
                    for i in 0..count {
                        let t = steps.at(i);
                        let inside: Vec<i64> = samples.iter().copied().filter(|x| t - range < *x && *x <= t).collect();
                        let expect = |value: Option<f64>| value.unwrap_or(ABSENT).to_bits();
                        let got = |list: &[Vec<f64>]| list.first().map_or(ABSENT, |v| v[i]).to_bits();
                        let n = (!inside.is_empty()).then_some(inside.len() as f64);
                        assert_eq!(got(&counts), expect(n), "step {step} count {count} range {range} i {i}");
                        assert_eq!(
                            got(&values),
                            expect(inside.iter().max().map(|m| *m as f64)),
                            "step {step} range {range} i {i}"
                        );
                    }
                }
            }
        }
    }
}
