//! `sum_over_time`, `avg_over_time`, unwrapped `rate`, `stddev_over_time`, `stdvar_over_time`.

use super::{Bucket, Finish};
use crate::{metric::ABSENT, syntax::ast::RangeOp};

#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    count: u64,
    sum: f64,
}

impl Bucket for Sums {
    fn add(&mut self, _timestamp: i64, value: f64) {
        self.count += 1;
        self.sum += value;
    }

    fn merge(&mut self, later: &Self) {
        self.count += later.count;
        self.sum += later.sum;
    }

    fn value(&mut self, finish: &Finish) -> f64 {
        match finish.op {
            _ if self.count == 0 => ABSENT,
            RangeOp::AvgOverTime => self.sum / self.count as f64,
            RangeOp::Rate => self.sum / finish.seconds(),
            _ => self.sum,
        }
    }
}

/// Mean and squared distance from it, updated sample by sample (Welford) and merged (Chan).
#[derive(Clone, Debug, Default)]
pub(super) struct Spread {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Bucket for Spread {
    fn add(&mut self, _timestamp: i64, value: f64) {
        self.count += 1;
        let delta = value - self.mean;
        self.mean += delta / self.count as f64;
        self.squares += delta * (value - self.mean);
    }

    fn merge(&mut self, later: &Self) {
        if later.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = later.clone();
            return;
        }
        let count = self.count + later.count;
        let delta = later.mean - self.mean;
        let share = later.count as f64 / count as f64;
        self.squares += later.squares + delta * delta * self.count as f64 * share;
        self.mean += delta * share;
        self.count = count;
    }

    fn value(&mut self, finish: &Finish) -> f64 {
        if self.count == 0 {
            return ABSENT;
        }
        let variance = self.squares / self.count as f64;
        if finish.op == RangeOp::StddevOverTime { variance.sqrt() } else { variance }
    }
}
