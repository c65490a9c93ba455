//! `first_over_time`, `last_over_time`: of samples with one timestamp the first pushed is the first,
//! the last pushed the last.

use super::{Bucket, Finish};
use crate::metric::ABSENT;

#[derive(Clone, Debug, Default)]
pub(super) struct First(Option<(i64, f64)>);

#[derive(Clone, Debug, Default)]
pub(super) struct Last(Option<(i64, f64)>);

impl Bucket for First {
    fn add(&mut self, timestamp: i64, value: f64) {
        if self.0.is_none_or(|(first, _)| timestamp < first) {
            self.0 = Some((timestamp, value));
        }
    }

    fn merge(&mut self, later: &Self) {
        if let Some((timestamp, value)) = later.0 {
            self.add(timestamp, value);
        }
    }

    fn value(&mut self, _finish: &Finish) -> f64 {
        self.0.map_or(ABSENT, |(_, value)| value)
    }
}

impl Bucket for Last {
    fn add(&mut self, timestamp: i64, value: f64) {
        if self.0.is_none_or(|(last, _)| timestamp >= last) {
            self.0 = Some((timestamp, value));
        }
    }

    fn merge(&mut self, later: &Self) {
        if let Some((timestamp, value)) = later.0 {
            self.add(timestamp, value);
        }
    }

    fn value(&mut self, _finish: &Finish) -> f64 {
        self.0.map_or(ABSENT, |(_, value)| value)
    }
}
