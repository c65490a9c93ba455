//! How a query is cut into tasks along time. Pure.
//!
//! Cuts lie at absolute multiples of the interval, so that all users' queries are cut alike and share
//! cache entries; the first and the last part are the ragged ones.

/// Entries with `from_ns <= t < to_ns` (`t == from_ns` when both are equal).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogSplit {
    pub(crate) from_ns: i64,
    pub(crate) to_ns: i64,
}

/// Steps `start_ns, start_ns + step, … <= end_ns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StepSplit {
    pub(crate) start_ns: i64,
    pub(crate) end_ns: i64,
}

/// The parts of a log query in the order of time; `interval_ns` 0: one part.
pub(crate) fn log_splits(from_ns: i64, to_ns: i64, interval_ns: i64) -> Vec<LogSplit> {
    if interval_ns <= 0 || from_ns == to_ns {
        return vec![LogSplit { from_ns, to_ns }];
    }
    let mut splits = Vec::new();
    let mut from = from_ns;
    while from < to_ns {
        let to = next_multiple(from, interval_ns).min(to_ns);
        splits.push(LogSplit { from_ns: from, to_ns: to });
        from = to;
    }
    splits
}

/// The range of a metric query moved to multiples of the step: the start back, the end forward, or
/// back as well with `floor_end`.
pub(crate) fn align(start_ns: i64, end_ns: i64, step_ns: i64, floor_end: bool) -> StepSplit {
    let floor = |t: i64| t.saturating_sub(t.rem_euclid(step_ns));
    let end = floor(end_ns);
    let end_ns = if end == end_ns || floor_end { end } else { end.saturating_add(step_ns) };
    StepSplit { start_ns: floor(start_ns), end_ns }
}

/// The parts of a metric query: the steps that lie between two cuts go together, a step on a cut with
/// those after it. `interval_ns` is raised to `longest_range_ns`, or neighbouring parts would read
/// the same rows many times; 0: one part.
pub(crate) fn step_splits(steps: StepSplit, step_ns: i64, interval_ns: i64, longest_range_ns: i64) -> Vec<StepSplit> {
    if interval_ns <= 0 || steps.start_ns == steps.end_ns {
        return vec![steps];
    }
    let interval_ns = interval_ns.max(longest_range_ns);
    let mut splits = Vec::new();
    let mut start_ns = steps.start_ns;
    while start_ns <= steps.end_ns {
        // The last step before the next cut.
        let room = next_multiple(start_ns, interval_ns).saturating_sub(1).min(steps.end_ns) - start_ns;
        let end_ns = start_ns + room / step_ns * step_ns;
        splits.push(StepSplit { start_ns, end_ns });
        match end_ns.checked_add(step_ns) {
            Some(next) => start_ns = next,
            None => break,
        }
    }
    splits
}

/// The least multiple of `interval` greater than `t`.
fn next_multiple(t: i64, interval: i64) -> i64 {
    t.div_euclid(interval).saturating_add(1).saturating_mul(interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_queries_are_half_open() {
        type Case<'a> = (i64, i64, i64, &'a [(i64, i64)]);
        let table: &[Case<'_>] = &[
            (5, 25, 10, &[(5, 10), (10, 20), (20, 25)]),
            (0, 20, 10, &[(0, 10), (10, 20)]),
            (5, 6, 10, &[(5, 6)]),
            (5, 5, 10, &[(5, 5)]),
            (5, 25, 0, &[(5, 25)]),
            (-5, 5, 10, &[(-5, 0), (0, 5)]),
            (i64::MAX - 1, i64::MAX, 10, &[(i64::MAX - 1, i64::MAX)]),
        ];
        for (from, to, interval, expect) in table {
            let splits: Vec<_> = log_splits(*from, *to, *interval).iter().map(|s| (s.from_ns, s.to_ns)).collect();
            assert_eq!(&splits, expect, "{from} {to} {interval}");
        }
    }

    #[test]
    fn ends_move_to_steps() {
        for (start, end, step, floor_end, expect) in [
            (30, 90, 60, false, (0, 120)),
            (30, 90, 60, true, (0, 60)),
            (60, 120, 60, false, (60, 120)),
            (-30, 30, 60, false, (-60, 60)),
        ] {
            let aligned = align(start, end, step, floor_end);
            assert_eq!((aligned.start_ns, aligned.end_ns), expect, "{start} {end}");
        }
    }

    #[test]
    fn every_step_is_in_one_part() {
        // (start, end, step, interval, longest range, parts)
        type Case<'a> = (i64, i64, i64, i64, i64, &'a [(i64, i64)]);
        let table: &[Case<'_>] = &[
            (0, 25, 5, 10, 0, &[(0, 5), (10, 15), (20, 25)]),
            (5, 25, 5, 10, 0, &[(5, 5), (10, 15), (20, 25)]),
            (0, 20, 5, 10, 0, &[(0, 5), (10, 15), (20, 20)]),
            (0, 40, 5, 10, 20, &[(0, 15), (20, 35), (40, 40)]),
            (0, 24, 7, 10, 0, &[(0, 7), (14, 14), (21, 21)]),
            (0, 60, 30, 10, 0, &[(0, 0), (30, 30), (60, 60)]),
            (3, 3, 1, 10, 0, &[(3, 3)]),
            (0, 100, 5, 0, 0, &[(0, 100)]),
        ];
        for (start, end, step, interval, longest, expect) in table {
            let steps = StepSplit { start_ns: *start, end_ns: *end };
            let splits = step_splits(steps, *step, *interval, *longest);
            let splits: Vec<_> = splits.iter().map(|s| (s.start_ns, s.end_ns)).collect();
            assert_eq!(&splits, expect, "{start} {end} {step} {interval}");
        }
    }
}
