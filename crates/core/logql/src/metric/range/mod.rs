//! Range aggregations: samples into buckets, buckets into the values of steps. One file per family.

mod counter;
mod counting;
mod extremes;
mod moments;
mod order;
mod quantile;
mod store;

pub(crate) use store::{RangeStore, RunValues};

use super::Grid;
use crate::syntax::ast::{RangeAggregation, RangeOp};
use counting::Counting;
use extremes::{Largest, Smallest};
use moments::{Spread, Sums};
use order::{First, Last};
use store::Store;

/// What a bucket's value depends on beside its samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finish {
    op: RangeOp,
    /// The range in nanoseconds.
    range_ns: i64,
    /// The quantile.
    param: f64,
    /// The last instant of the window, nanoseconds.
    window_end: i64,
}

impl Finish {
    fn seconds(&self) -> f64 {
        self.range_ns as f64 / 1e9
    }
}

/// Samples of one stretch of time, merged or side by side.
pub(super) trait Bucket: Default + Clone + Send + std::fmt::Debug + 'static {
    /// Whether merging two costs the same however many samples they hold.
    const MERGES_IN_CONSTANT_TIME: bool = true;

    fn add(&mut self, timestamp: i64, value: f64);

    /// Takes in the samples of a bucket that is later in time.
    fn merge(&mut self, later: &Self);

    /// The value of a window; [`super::ABSENT`] without samples. May reorder what it holds.
    fn value(&mut self, finish: &Finish) -> f64;
}

/// The place where the samples of an aggregation are collected.
pub(crate) fn new_store(aggregation: &RangeAggregation, grid: Grid) -> Box<dyn RangeStore> {
    let op = aggregation.op;
    let finish =
        Finish { op, range_ns: aggregation.range.range_ns, param: aggregation.param.unwrap_or(0.0), window_end: 0 };
    match op {
        RangeOp::Rate if aggregation.range.unwrap.is_some() => Box::new(Store::<Sums>::new(grid, finish)),
        RangeOp::CountOverTime
        | RangeOp::Rate
        | RangeOp::BytesOverTime
        | RangeOp::BytesRate
        | RangeOp::AbsentOverTime => Box::new(Store::<Counting>::new(grid, finish)),
        RangeOp::SumOverTime | RangeOp::AvgOverTime => Box::new(Store::<Sums>::new(grid, finish)),
        RangeOp::StddevOverTime | RangeOp::StdvarOverTime => Box::new(Store::<Spread>::new(grid, finish)),
        RangeOp::MinOverTime => Box::new(Store::<Smallest>::new(grid, finish)),
        RangeOp::MaxOverTime => Box::new(Store::<Largest>::new(grid, finish)),
        RangeOp::FirstOverTime => Box::new(Store::<First>::new(grid, finish)),
        RangeOp::LastOverTime => Box::new(Store::<Last>::new(grid, finish)),
        RangeOp::QuantileOverTime => Box::new(Store::<quantile::Values>::new(grid, finish)),
        RangeOp::RateCounter => Box::new(Store::<counter::Points>::new(grid, finish)),
    }
}
