//! `quantile_over_time`: linear interpolation between the two nearest values.

use super::{Bucket, Finish};
use crate::metric::ABSENT;

#[derive(Clone, Debug, Default)]
pub(super) struct Values(Vec<f64>);

impl Bucket for Values {
    const MERGES_IN_CONSTANT_TIME: bool = false;

    fn add(&mut self, _timestamp: i64, value: f64) {
        self.0.push(value);
    }

    fn merge(&mut self, later: &Self) {
        self.0.extend_from_slice(&later.0);
    }

    fn value(&mut self, finish: &Finish) -> f64 {
        if self.0.is_empty() { ABSENT } else { quantile(finish.param, &mut self.0) }
    }
}

/// The quantile `q` of values, which are not none and get reordered.
fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    let rank = q * (values.len() - 1) as f64;
    let lower = rank.floor() as usize;
    let weight = rank - rank.floor();
    // NaN sorts first, as in Prometheus.
    let order = |a: &f64, b: &f64| b.is_nan().cmp(&a.is_nan()).then(a.total_cmp(b));
    let (_, low, above) = values.select_nth_unstable_by(lower, order);
    let low = *low;
    let high = above.iter().copied().min_by(order).unwrap_or(low);
    low * (1.0 - weight) + high * weight
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn interpolates() {
        let cases = [(0.5, 2.5), (0.0, 1.0), (1.0, 4.0), (0.25, 1.75), (-1.0, f64::NEG_INFINITY), (1.5, f64::INFINITY)];
        for (q, expect) in cases {
            assert_eq!(quantile(q, &mut [4.0, 1.0, 3.0, 2.0]), expect, "{q}");
        }
        assert_eq!(quantile(0.9, &mut [7.0]), 7.0);
    }
}
