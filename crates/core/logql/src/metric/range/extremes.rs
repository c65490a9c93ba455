//! `min_over_time`, `max_over_time`. A NaN counts only where there is nothing else.

use super::{Bucket, Finish};
use crate::metric::ABSENT;

#[derive(Clone, Debug, Default)]
pub(super) struct Smallest(Option<f64>);

#[derive(Clone, Debug, Default)]
pub(super) struct Largest(Option<f64>);

impl Bucket for Smallest {
    fn add(&mut self, _timestamp: i64, value: f64) {
        if self.0.is_none_or(|least| value < least || least.is_nan()) {
            self.0 = Some(value);
        }
    }

    fn merge(&mut self, later: &Self) {
        if let Some(value) = later.0 {
            self.add(0, value);
        }
    }

    fn value(&mut self, _finish: &Finish) -> f64 {
        self.0.unwrap_or(ABSENT)
    }
}

impl Bucket for Largest {
    fn add(&mut self, _timestamp: i64, value: f64) {
        if self.0.is_none_or(|most| value > most || most.is_nan()) {
            self.0 = Some(value);
        }
    }

    fn merge(&mut self, later: &Self) {
        if let Some(value) = later.0 {
            self.add(0, value);
        }
    }

    fn value(&mut self, _finish: &Finish) -> f64 {
        self.0.unwrap_or(ABSENT)
    }
}
