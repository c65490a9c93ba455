//! One step of a run: its commands, its share of the time, and what they said about tests.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{artifacts::TestProgram, summary::Counts};

/// What a phase took and found.
pub(crate) struct Done {
    pub(crate) name: &'static str,
    pub(crate) took: Duration,
    pub(crate) share: Duration,
    pub(crate) counts: Counts,
    pub(crate) ok: bool,
}

/// A phase under way.
pub(crate) struct Phase {
    name: &'static str,
    share: Duration,
    start: Instant,
    counts: Counts,
    ok: bool,
}

impl Phase {
    /// Begins a phase that should take no more than `share_minutes`.
    pub(crate) fn begin(name: &'static str, share_minutes: u64) -> Self {
        println!("\n=== {name} (share {share_minutes} min)");
        let share = Duration::from_secs(share_minutes * 60);
        Self { name, share, start: Instant::now(), counts: Counts::default(), ok: true }
    }

    /// Runs a command that is a check as a whole; what it prints is shown as it comes.
    pub(crate) fn check(&mut self, mut command: Command) -> Result<()> {
        let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
        self.ok &= status.success();
        Ok(())
    }

    /// Runs a command as a check and returns what it printed on standard output.
    pub(crate) fn output(&mut self, mut command: Command) -> Result<String> {
        let child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start {command:?}"))?;
        let output = child.wait_with_output().with_context(|| format!("waiting for {command:?}"))?;
        self.ok &= output.status.success();
        String::from_utf8(output.stdout).context("cargo prints UTF-8")
    }

    /// Runs cargo's own test command, shows what it prints and counts the tests it reports.
    pub(crate) fn cargo_test(&mut self, command: Command) -> Result<()> {
        let ran = run(command, true)?;
        self.add(ran.counts, ran.ok);
        Ok(())
    }

    /// Runs one test program. Its output is shown as it comes when `live`, else only if it fails. A
    /// program that ends without a result counts as one failure.
    pub(crate) fn test(&mut self, test: &TestProgram, command: Command, live: bool) -> Result<()> {
        let start = Instant::now();
        let mut ran = run(command, live)?;
        ran.ok &= ran.results > 0 && ran.counts.failed == 0;
        if !ran.ok && ran.counts.failed == 0 {
            ran.counts.failed = 1;
        }
        let Counts { passed, failed, ignored } = ran.counts;
        if !ran.ok && !live {
            println!("--- {} failed, its output:\n{}", test.name, ran.text);
        }
        let (verdict, took) = (if ran.ok { "ok    " } else { "FAILED" }, start.elapsed().as_secs_f64());
        println!("{verdict} {:<60} {passed} passed, {failed} failed, {ignored} skipped ({took:.1} s)", test.name);
        self.add(ran.counts, ran.ok);
        Ok(())
    }

    fn add(&mut self, counts: Counts, ok: bool) {
        self.counts.add(counts);
        self.ok &= ok;
    }

    /// True while nothing has failed.
    pub(crate) fn is_ok(&self) -> bool {
        self.ok
    }

    /// Ends the phase.
    pub(crate) fn end(self) -> Done {
        Done { name: self.name, took: self.start.elapsed(), share: self.share, counts: self.counts, ok: self.ok }
    }
}

/// What one command did.
struct Ran {
    ok: bool,
    counts: Counts,
    /// How many `test result:` lines there were.
    results: u64,
    /// Everything it printed, unless it was shown as it came.
    text: String,
}

/// Runs `command` with both its outputs in one pipe, so that they stay in order.
fn run(mut command: Command, live: bool) -> Result<Ran> {
    let (reader, writer) = std::io::pipe().context("a pipe")?;
    let mut out = Ran { ok: false, counts: Counts::default(), results: 0, text: String::new() };
    command.stdin(Stdio::null()).stdout(writer.try_clone().context("a pipe")?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    let shown = format!("{command:?}");
    // The command holds both writing ends; while it lives here, reading would never end.
    drop(command);
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.context("reading what the command prints")?;
        let line = String::from_utf8_lossy(&line);
        out.results += u64::from(out.counts.read(&line));
        match live {
            true => writeln!(std::io::stdout(), "{line}").context("printing")?,
            false => {
                out.text.push_str(&line);
                out.text.push('\n');
            }
        }
    }
    let Ok(status) = child.wait() else { bail!("waiting for {shown}") };
    out.ok = status.success();
    if !status.success() {
        out.text.push_str(&format!("ended with {status}\n"));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::artifacts::Suite;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_test_program_is_judged_by_what_it_says_and_how_it_ends() {
        const OK: &str = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        const BAD: &str = "test result: FAILED. 2 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        // Script; whether it is well, passed, failed.
        let cases = [
            (format!("echo '{OK}'"), true, 3, 0),
            (format!("echo '{BAD}' >&2; exit 101"), false, 2, 2),
            (format!("echo '{OK}'; exit 1"), false, 3, 1),
            ("kill -9 $$".to_owned(), false, 0, 1),
            // Says nothing: nobody knows what it tested.
            ("true".to_owned(), false, 0, 1),
        ];
        let (package, executable) = (PathBuf::new(), PathBuf::new());
        let test = TestProgram { name: "x".to_owned(), package, executable, suite: Suite::Unit };
        for (script, ok, passed, failed) in cases {
            let mut phase = Phase::begin("example", 1);
            phase.test(&test, shell(&script), false).expect("a shell");
            let done = phase.end();
            assert_eq!((done.ok, done.counts.passed, done.counts.failed), (ok, passed, failed), "{script}");
        }
    }

    #[test]
    fn the_output_of_a_check_is_returned() {
        let mut phase = Phase::begin("example", 1);
        assert_eq!(phase.output(shell("echo told; exit 3")).expect("a shell"), "told\n");
        assert!(!phase.is_ok());
    }
}
