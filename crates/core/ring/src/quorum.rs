//! Counting answers: has a write enough copies, has a read lost too many.
//!
//! Both are plain counters so that services decide nothing themselves; each answer is reported once.

/// Where a count stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Neither decided: wait for more answers.
    Pending,
    /// Enough succeeded; later answers change nothing.
    Reached,
    /// Too many failed; later answers change nothing.
    Lost,
}

/// Counts the replicas of one stream's write.
#[derive(Clone, Copy, Debug)]
pub struct QuorumTracker {
    targets: usize,
    quorum: usize,
    succeeded: usize,
    failed: usize,
}

impl QuorumTracker {
    /// A write sent to `targets` replicas that needs `quorum` of them.
    pub const fn new(targets: usize, quorum: usize) -> Self {
        Self { targets, quorum, succeeded: 0, failed: 0 }
    }

    /// One replica acknowledged. Returns where the write stands.
    pub const fn success(&mut self) -> Progress {
        self.succeeded += 1;
        self.progress()
    }

    /// One replica failed or timed out. Returns where the write stands.
    pub const fn failure(&mut self) -> Progress {
        self.failed += 1;
        self.progress()
    }

    /// Where the write stands.
    pub const fn progress(&self) -> Progress {
        if self.succeeded >= self.quorum {
            Progress::Reached
        } else if self.failed + self.quorum > self.targets {
            Progress::Lost
        } else {
            Progress::Pending
        }
    }
}

/// Counts the answers of a read that asks everybody: it is complete when all have answered or failed and
/// no more failed than the replication makes up for.
#[derive(Clone, Debug)]
pub struct ReadTracker {
    outstanding: usize,
    tolerated: usize,
    by_zone: bool,
    failed: usize,
    failed_zones: Vec<String>,
}

impl ReadTracker {
    /// A read that asks `asked` instances and survives `tolerated` failures; `by_zone`: failures in one zone
    /// count once, for no two copies of a stream are in one zone.
    pub const fn new(asked: usize, tolerated: usize, by_zone: bool) -> Self {
        Self { outstanding: asked, tolerated, by_zone, failed: 0, failed_zones: Vec::new() }
    }

    /// One instance answered.
    pub fn success(&mut self) -> Progress {
        self.outstanding = self.outstanding.saturating_sub(1);
        self.progress()
    }

    /// One instance in `zone` failed to answer.
    pub fn failure(&mut self, zone: &str) -> Progress {
        self.outstanding = self.outstanding.saturating_sub(1);
        if !self.by_zone {
            self.failed += 1;
        } else if !self.failed_zones.iter().any(|z| z == zone) {
            self.failed_zones.push(zone.to_owned());
            self.failed += 1;
        }
        self.progress()
    }

    /// Where the read stands: `Reached` only when nobody is outstanding, since each instance may hold rows that
    /// no other has (of a write that never reached its quorum, or of a stream that moved).
    pub const fn progress(&self) -> Progress {
        if self.failed > self.tolerated {
            Progress::Lost
        } else if self.outstanding == 0 {
            Progress::Reached
        } else {
            Progress::Pending
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Progress::{Lost, Pending, Reached};

    #[test]
    fn writes_need_a_quorum_of_their_targets() {
        let cases = [
            (3, 2, "+", Pending),
            (3, 2, "++", Reached),
            (3, 2, "+-", Pending),
            (3, 2, "+-+", Reached),
            (3, 2, "--", Lost),
            (3, 2, "++-", Reached),
            (2, 2, "-", Lost),
            (2, 2, "++", Reached),
            (1, 1, "+", Reached),
            (1, 1, "-", Lost),
            (5, 3, "--+", Pending),
            (5, 3, "---", Lost),
        ];
        for (targets, quorum, answers, expect) in cases {
            let mut tracker = QuorumTracker::new(targets, quorum);
            for answer in answers.chars() {
                if answer == '+' {
                    tracker.success()
                } else {
                    tracker.failure()
                };
            }
            assert_eq!(tracker.progress(), expect, "{targets} {quorum} {answers}");
        }
    }

    #[test]
    fn reads_survive_half_the_copies_or_whole_zones() {
        // Lower case answers, upper case fails; the letter is the zone.
        let cases = [
            (1, false, "abc", Reached),
            (1, false, "aBc", Reached),
            (1, false, "aB", Pending),
            (1, false, "AA", Lost),
            (1, true, "AAbbcc", Reached),
            (1, true, "AAb", Pending),
            (1, true, "AB", Lost),
            (0, false, "A", Lost),
            (2, true, "AABBc", Reached),
        ];
        for (tolerated, by_zone, answers, expect) in cases {
            let asked = if expect == Pending { answers.len() + 1 } else { answers.len() };
            let mut tracker = ReadTracker::new(asked, tolerated, by_zone);
            for answer in answers.chars() {
                let zone = answer.to_ascii_lowercase().to_string();
                if answer.is_lowercase() {
                    tracker.success()
                } else {
                    tracker.failure(&zone)
                };
            }
            assert_eq!(tracker.progress(), expect, "{tolerated} {by_zone} {answers}");
        }
    }
}
