//! `count_over_time`, `rate`, `bytes_over_time`, `bytes_rate`: lines and their bytes, in whole numbers
//! so that any order of merging gives the same.

use super::{Bucket, Finish};
use crate::{metric::ABSENT, syntax::ast::RangeOp};

#[derive(Clone, Debug, Default)]
pub(super) struct Counting {
    lines: u64,
    sum: u64,
}

impl Bucket for Counting {
    #[inline]
    fn add(&mut self, _timestamp: i64, value: f64) {
        self.lines += 1;
        self.sum += value as u64;
    }

    fn merge(&mut self, later: &Self) {
        self.lines += later.lines;
        self.sum += later.sum;
    }

    fn value(&mut self, finish: &Finish) -> f64 {
        if self.lines == 0 {
            return ABSENT;
        }
        let sum = self.sum as f64;
        match finish.op {
            RangeOp::Rate | RangeOp::BytesRate => sum / finish.seconds(),
            _ => sum,
        }
    }
}
