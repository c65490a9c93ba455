//! `rate_counter`: the increase per second of a counter, with resets, extrapolated to the window's
//! ends as Prometheus does. With fewer than two samples it is 0.

use super::{Bucket, Finish};
use crate::metric::ABSENT;

#[derive(Clone, Debug, Default)]
pub(super) struct Points {
    samples: Vec<(i64, f64)>,
}

impl Bucket for Points {
    const MERGES_IN_CONSTANT_TIME: bool = false;

    fn add(&mut self, timestamp: i64, value: f64) {
        self.samples.push((timestamp, value));
    }

    fn merge(&mut self, later: &Self) {
        self.samples.extend_from_slice(&later.samples);
    }

    fn value(&mut self, finish: &Finish) -> f64 {
        if self.samples.is_empty() {
            return ABSENT;
        }
        self.samples.sort_by_key(|(timestamp, _)| *timestamp);
        rate(&self.samples, finish)
    }
}

fn rate(samples: &[(i64, f64)], finish: &Finish) -> f64 {
    let [(first_at, first), .., (last_at, last)] = samples else { return 0.0 };
    if first_at == last_at {
        return 0.0;
    }
    let seconds = |nanos: i64| nanos as f64 / 1e9;
    let resets: f64 = samples.windows(2).filter(|w| w[1].1 < w[0].1).map(|w| w[0].1).sum();
    let increase = last - first + resets;
    let sampled = seconds(last_at - first_at);
    let between = sampled / (samples.len() - 1) as f64;
    let mut before = seconds(first_at - (finish.window_end - finish.range_ns));
    let after = seconds(finish.window_end - last_at);
    if increase > 0.0 && *first >= 0.0 {
        // A counter cannot have been negative before its first sample.
        before = before.min(sampled * (first / increase));
    }
    // Gaps much longer than the usual distance are not filled: the counter may have begun or ended there.
    let threshold = between * 1.1;
    let reach = |gap: f64| if gap < threshold { gap } else { between / 2.0 };
    let covered = sampled + reach(before) + reach(after);
    increase * (covered / sampled) / finish.seconds()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::ast::RangeOp;

    #[test]
    fn increases_resets_and_edges() {
        const S: i64 = 1_000_000_000;
        let finish = Finish { op: RangeOp::RateCounter, range_ns: 60 * S, param: 0.0, window_end: 60 * S };
        let cases: &[(&[(i64, f64)], f64)] = &[
            (&[(30 * S, 5.0)], 0.0),
            (&[(30 * S, 5.0), (30 * S, 9.0)], 0.0),
            (&[(10 * S, 100.0), (30 * S, 120.0), (50 * S, 140.0)], 1.0),
            (&[(10 * S, 100.0), (30 * S, 10.0), (50 * S, 30.0)], 30.0 * 1.5 / 60.0),
        ];
        for (samples, expect) in cases {
            assert!((rate(samples, &finish) - expect).abs() < 1e-9, "{samples:?}: {}", rate(samples, &finish));
        }
    }
}
