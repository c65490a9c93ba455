//! Time cut into buckets, so that every step's window is a row of whole buckets.
//!
//! Windows of neighbouring steps overlap; a sample goes into one bucket, and a window's value is
//! merged from its buckets. With `q = range / step` and `r = range % step`, a step's interval is cut
//! where a window begins in it:
//!
//! ```text
//!   t(i-1)            t(i) - r        t(i)
//!     |------- A -------|------ B ------|        window i = B(i-q) A(i-q+1) B(i-q+1) … A(i) B(i)
//! ```
//!
//! Where the range is longer than all steps together, everything that lies in every window is one bucket.
//! The number of buckets is therefore bounded by four times the number of steps.

/// The instants at which a query is evaluated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    /// The first, in nanoseconds.
    pub(crate) start: i64,
    /// Nanoseconds between two; at least 1.
    pub(crate) step: i64,
    /// How many; at least 1.
    pub(crate) count: usize,
}

impl Steps {
    /// The instant of step `i`, in nanoseconds.
    pub(crate) fn at(&self, i: usize) -> i64 {
        self.start + i as i64 * self.step
    }
}

/// Where samples of one range aggregation go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    steps: Steps,
    range: i64,
    offset: i64,
    /// Whole steps in a range.
    whole: i64,
    /// What is left of it.
    rest: i64,
}

/// A bucket: its number, and the samples it takes: `after < timestamp <= until`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bucket {
    pub(crate) id: usize,
    pub(crate) after: i64,
    pub(crate) until: i64,
}

impl Grid {
    pub(crate) fn new(steps: Steps, range: i64, offset: i64) -> Self {
        Self { steps, range, offset, whole: range / steps.step, rest: range % steps.step }
    }

    pub(crate) fn steps(&self) -> Steps {
        self.steps
    }

    /// The last instant of step `i`'s window.
    pub(crate) fn window_end(&self, i: usize) -> i64 {
        self.steps.at(i).saturating_sub(self.offset)
    }

    /// The first instant of all windows and the first one behind them, in nanoseconds.
    pub(crate) fn bounds(&self) -> (i64, i64) {
        let first = self.steps.start.saturating_sub(self.range).saturating_sub(self.offset);
        let last = self.steps.at(self.steps.count - 1).saturating_sub(self.offset);
        (first.saturating_add(1), last.saturating_add(1))
    }

    /// True where the range reaches over all steps.
    fn long(&self) -> bool {
        self.whole >= self.steps.count as i64
    }

    /// How many buckets a window has.
    pub(crate) fn window_len(&self) -> usize {
        if self.long() { self.steps.count } else { self.whole as usize * self.width() + usize::from(self.rest > 0) }
    }

    /// Buckets per step.
    fn width(&self) -> usize {
        if !self.long() && self.rest > 0 { 2 } else { 1 }
    }

    /// The first bucket of step `i`'s window.
    pub(crate) fn window_start(&self, i: usize) -> usize {
        i * self.width() + 1
    }

    /// The bucket of a sample; `None` when it is in no window.
    #[inline]
    pub(crate) fn locate(&self, timestamp: i64) -> Option<Bucket> {
        let (from, to) = self.bounds();
        if timestamp < from || timestamp >= to {
            return None;
        }
        let Steps { start, step, count } = self.steps;
        let x = timestamp + self.offset;
        let bucket = |id: i64, after: i64, until: i64| {
            Some(Bucket { id: id as usize, after: after - self.offset, until: until - self.offset })
        };
        if self.long() {
            let last = self.steps.at(count - 1);
            if x <= last - self.range {
                let id = ceil_div(x - (start - self.range), step);
                let until = start - self.range + id * step;
                return bucket(id, until - step, until);
            }
            if x <= start {
                return bucket(count as i64, last - self.range, start);
            }
            let id = ceil_div(x - start, step);
            return bucket(count as i64 + id, start + (id - 1) * step, start + id * step);
        }
        // The step whose interval holds the sample; negative before the first one.
        let j = ceil_div(x - start, step);
        let end = start + j * step;
        let id = j + self.whole;
        if self.rest == 0 {
            return bucket(id, end - step, end);
        }
        let cut = end - self.rest;
        if x > cut {
            bucket(2 * id + 1, cut, end)
        } else if self.whole == 0 {
            // Between two windows.
            None
        } else {
            bucket(2 * id, end - step, cut)
        }
    }
}

fn ceil_div(a: i64, b: i64) -> i64 {
    -((-a).div_euclid(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every sample lies in exactly the windows that hold it by definition.
    #[test]
    fn buckets_make_windows() {
        for (start, step, count) in [(100, 10, 5), (0, 1, 1), (7, 3, 4), (50, 60, 2), (100, 10, 1)] {
            for range in [1, 3, 5, 10, 12, 20, 25, 49, 50, 51, 70, 200] {
                for offset in [0, 4, -13] {
                    let steps = Steps { start, step, count };
                    let grid = Grid::new(steps, range, offset);
                    for timestamp in -300..300 {
                        let bucket = grid.locate(timestamp);
                        for i in 0..count {
                            let t = steps.at(i) - offset;
                            let inside = t - range < timestamp && timestamp <= t;
                            let window = grid.window_start(i)..grid.window_start(i) + grid.window_len();
                            let found = bucket.is_some_and(|b| window.contains(&b.id));
                            assert_eq!(
                                found, inside,
                                "start {start} step {step} count {count} range {range} offset {offset} ts {timestamp} i {i} {bucket:?}"
                            );
                        }
                        if let Some(bucket) = bucket {
                            assert!(bucket.after < timestamp && timestamp <= bucket.until);
                            assert_eq!(grid.locate(bucket.until), Some(bucket), "{grid:?}");
                        }
                    }
                }
            }
        }
    }
}
