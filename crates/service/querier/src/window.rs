//! The order in which a log query reads time. Pure.
//!
//! Copies of a row have one timestamp, so stretches of time that no section crosses can be merged one
//! after the other, in the query's direction, and reading ends when the limit is reached.

use skald_model::Direction;

/// `from..to` in nanoseconds.
pub(crate) type Span = (i64, i64);

/// Cuts `range` where no section's window lies across the cut; in the query's direction.
pub(crate) fn spans(range: Span, windows: impl IntoIterator<Item = Span>, direction: Direction) -> Vec<Span> {
    let (from, to) = range;
    let mut windows: Vec<Span> =
        windows.into_iter().map(|(a, b)| (a.max(from), b.min(to))).filter(|(a, b)| a < b).collect();
    windows.sort_unstable();
    let mut spans: Vec<Span> = Vec::new();
    let mut next = from;
    for (start, end) in windows {
        match spans.last_mut() {
            // Overlaps the window before: one span.
            Some(last) if start < next => {
                last.1 = last.1.max(end);
                next = last.1;
            }
            _ => {
                if next < start {
                    spans.push((next, start));
                }
                spans.push((start, end));
                next = end;
            }
        }
    }
    if next < to {
        spans.push((next, to));
    }
    if direction == Direction::Backward {
        spans.reverse();
    }
    spans
}

/// Cuts a span so that a query that takes the first `limit` rows need not read all of `rows`: the
/// first parts are small. Only for queries that take (nearly) every row: where a filter decides, the
/// small parts would be read for nothing.
pub(crate) fn slices(span: Span, rows: u64, limit: u64, direction: Direction) -> Vec<Span> {
    /// Below this many times the limit, reading it all is as quick.
    const WORTH_CUTTING: u64 = 16;
    /// Ends of the parts as fractions of the span.
    const ENDS: [i64; 3] = [256, 32, 4];
    let (from, to) = span;
    let length = to.saturating_sub(from);
    if rows < limit.saturating_mul(WORTH_CUTTING) || length < ENDS[0] {
        return vec![span];
    }
    let mut cuts: Vec<i64> = ENDS.iter().map(|fraction| length / fraction).collect();
    cuts.push(length);
    let mut done = 0;
    let part = |cut: i64| {
        let slice = match direction {
            Direction::Forward => (from + done, from + cut),
            Direction::Backward => (to - cut, to - done),
        };
        done = cut;
        slice
    };
    cuts.into_iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_never_cut_a_window() {
        type Case<'a> = (Span, &'a [Span], &'a [Span]);
        let table: &[Case<'_>] = &[
            ((0, 100), &[], &[(0, 100)]),
            ((0, 100), &[(20, 40), (40, 60)], &[(0, 20), (20, 40), (40, 60), (60, 100)]),
            ((30, 50), &[(20, 40), (40, 60)], &[(30, 40), (40, 50)]),
            ((0, 100), &[(20, 40), (20, 40), (20, 40)], &[(0, 20), (20, 40), (40, 100)]),
            ((0, 100), &[(0, 100), (20, 40), (60, 120)], &[(0, 100)]),
            ((0, 100), &[(10, 30), (20, 40), (90, 95)], &[(0, 10), (10, 40), (40, 90), (90, 95), (95, 100)]),
            ((0, 10), &[(20, 40)], &[(0, 10)]),
        ];
        for (range, windows, expect) in table {
            assert_eq!(spans(*range, windows.iter().copied(), Direction::Forward), *expect, "{windows:?}");
            let mut backward = expect.to_vec();
            backward.reverse();
            assert_eq!(spans(*range, windows.iter().copied(), Direction::Backward), backward, "{windows:?}");
        }
    }

    #[test]
    fn slices_cover_the_span() {
        assert_eq!(slices((0, 1000), 100, 100, Direction::Forward), [(0, 1000)]);
        assert_eq!(slices((0, 1024), 10_000, 100, Direction::Forward), [(0, 4), (4, 32), (32, 256), (256, 1024)]);
        assert_eq!(
            slices((0, 1024), 10_000, 100, Direction::Backward),
            [(1020, 1024), (992, 1020), (768, 992), (0, 768)]
        );
    }
}
