//! Counts tests as the standard test harness reports them, and sums a run up.

use crate::phase::Done;

/// Tests by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Counts {
    /// Adds what a `test result:` line of the standard test harness says, and returns true; other
    /// lines say nothing.
    pub(crate) fn read(&mut self, line: &str) -> bool {
        let Some(rest) = line.trim_start().strip_prefix("test result:") else { return false };
        let mut found = false;
        for part in rest.split(['.', ';']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(kind)) = (words.next(), words.next()) else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match kind {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => continue,
            }
            found = true;
        }
        found
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

/// Prints a line per phase and, last, the one line that sums up. Returns whether all is well: a test
/// that is ignored is not.
pub(crate) fn print(phases: &[Done]) -> bool {
    println!("\n=== summary");
    let minutes = |time: std::time::Duration| time.as_secs_f64() / 60.0;
    for phase in phases {
        let verdict = if phase.ok { "ok" } else { "FAILED" };
        let (took, share) = (minutes(phase.took), minutes(phase.share));
        println!("{:<28} {verdict:<7} {took:>6.1} min (share {share:.0} min)", phase.name);
    }
    let took = minutes(phases.iter().map(|p| p.took).sum());
    let share = minutes(phases.iter().map(|p| p.share).sum());
    println!("{:<28} {:<7} {took:>6.1} min (share {share:.0} min)", "all", "");
    let (line, ok) = verdict(phases);
    println!("{line}");
    ok
}

/// The last line of a run, and whether all is well. A phase that fails without a failed test (such as
/// formatting) counts as one failure.
fn verdict(phases: &[Done]) -> (String, bool) {
    let mut total = Counts::default();
    phases.iter().for_each(|phase| total.add(phase.counts));
    total.failed += phases.iter().filter(|p| !p.ok && p.counts.failed == 0).count() as u64;
    let Counts { passed, failed, ignored } = total;
    (format!("{passed} passed, {failed} failed, {ignored} skipped"), failed == 0 && ignored == 0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn reads_result_lines() {
        let mut counts = Counts::default();
        for (line, is_result) in [
            ("test result: ok. 23 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s", true),
            ("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out", true),
            ("running 5 tests", false),
            ("test result: nonsense", false),
        ] {
            assert_eq!(counts.read(line), is_result, "{line}");
        }
        assert_eq!(counts, Counts { passed: 25, failed: 3, ignored: 1 });
    }

    #[test]
    fn the_last_line() {
        let done = |passed, failed, ignored, ok| Done {
            name: "example",
            took: Duration::from_secs(1),
            share: Duration::from_secs(60),
            counts: Counts { passed, failed, ignored },
            ok,
        };
        for (phases, line, ok) in [
            (vec![], "0 passed, 0 failed, 0 skipped", true),
            (vec![done(0, 0, 0, true), done(7, 0, 0, true)], "7 passed, 0 failed, 0 skipped", true),
            (vec![done(0, 0, 0, false), done(7, 0, 0, true)], "7 passed, 1 failed, 0 skipped", false),
            (vec![done(7, 2, 0, false)], "7 passed, 2 failed, 0 skipped", false),
            (vec![done(7, 0, 1, true)], "7 passed, 0 failed, 1 skipped", false),
        ] {
            assert_eq!(verdict(&phases), (line.to_owned(), ok));
        }
    }
}
