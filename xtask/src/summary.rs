//! Counts the tests that `cargo test` reports.

use crate::phase::Done;

/// Tests by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Counts {
    /// Adds what a `test result:` line of the standard test harness says; other lines say nothing.
    pub(crate) fn read(&mut self, line: &str) {
        let Some(rest) = line.trim_start().strip_prefix("test result:") else { return };
        for part in rest.split(['.', ';']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(kind)) = (words.next(), words.next()) else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match kind {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }

    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

/// Prints a line per phase and, last, the one line that sums up. Returns whether all is well.
pub(crate) fn print(phases: &[Done]) -> bool {
    println!("\n=== summary");
    let mut total = Counts::default();
    for phase in phases {
        total.add(phase.counts);
        let (took, budget) = (phase.took.as_secs_f64() / 60.0, phase.budget.as_secs_f64() / 60.0);
        let verdict = if phase.ok { "ok" } else { "FAILED" };
        println!("{:<28} {verdict:<7} {took:>6.1} min (share {budget:.0} min)", phase.name);
    }
    let broken = phases.iter().filter(|p| !p.ok && p.counts.failed == 0).count() as u64;
    let ok = phases.iter().all(|p| p.ok) && total.failed == 0 && total.ignored == 0;
    println!("{} passed, {} failed, {} skipped", total.passed, total.failed + broken, total.ignored);
    ok
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_result_lines() {
        let mut counts = Counts::default();
        for line in [
            "test result: ok. 23 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "running 5 tests",
            "test result: nonsense",
        ] {
            counts.read(line);
        }
        assert_eq!(counts, Counts { passed: 25, failed: 3, ignored: 1 });
    }
}
