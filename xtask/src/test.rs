//! `cargo xtask test`: every check and test, each phase with its share of the time.
//!
//! Everything is compiled once, in the phases `lint` (checked) and `build` (compiled); the test
//! programs are then run directly. See [`crate::artifacts`] for why cargo does not run them.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    artifacts::{Artifacts, Suite, TestProgram},
    doc_tests,
    phase::{Done, Phase},
    summary, tools,
};

/// Phases that run test programs: name, share in minutes, suite, and whether output is shown as it
/// comes because one program takes minutes.
const SUITES: [(&str, u64, Suite, bool); 4] = [
    ("unit and property tests", 6, Suite::Unit, false),
    ("conformance", 2, Suite::Conformance, false),
    ("simulation", 4, Suite::Simulation, true),
    ("cluster", 10, Suite::Cluster, true),
];

/// Runs everything; false when not everything passed.
pub(crate) fn run(long: bool) -> Result<bool> {
    let root = workspace()?;
    tools::ensure_redis()?;
    let mut done = vec![
        check("formatting", 1, cargo(&["fmt", "--all", "--check"]))?,
        check("lint", 5, cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?,
    ];
    let mut build = Phase::begin("build", 7);
    let messages =
        build.output(cargo(&["build", "--workspace", "--all-targets", "--message-format=json-render-diagnostics"]))?;
    let built = build.is_ok();
    done.push(build.end());
    // Without programs every later phase would only repeat the compiler's errors.
    if built {
        let artifacts = Artifacts::parse(&messages, &root)?;
        let environment = Environment { binaries: artifacts.binaries.clone().context("no program `skald`")?, long };
        for (name, share, suite, live) in SUITES {
            let mut phase = Phase::begin(name, share);
            for test in artifacts.of(suite) {
                phase.test(test, environment.command(test), live)?;
            }
            done.push(phase.end());
        }
        done.push(documentation(&root)?);
    }
    Ok(summary::print(&done))
}

/// The documentation builds without warnings, and its tests pass.
fn documentation(root: &Path) -> Result<Done> {
    let mut phase = Phase::begin("documentation", 3);
    // `--examples` makes cargo unify features as for the lints, so that no dependency is checked twice.
    let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--quiet", "--lib", "--examples"]);
    doc.env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links");
    phase.check(doc)?;
    match doc_tests::exist_below(&root.join("crates"))? {
        true => phase.cargo_test(cargo(&["test", "--workspace", "--doc"]))?,
        false => println!("no tests in documentation"),
    }
    Ok(phase.end())
}

fn check(name: &'static str, share: u64, command: Command) -> Result<Done> {
    let mut phase = Phase::begin(name, share);
    phase.check(command)?;
    Ok(phase.end())
}

/// What test programs are told by their environment.
struct Environment {
    /// The programs that cluster tests start.
    binaries: PathBuf,
    /// More cases in random tests.
    long: bool,
}

impl Environment {
    /// `test` as cargo would start it.
    fn command(&self, test: &TestProgram) -> Command {
        let mut command = Command::new(&test.executable);
        command.current_dir(&test.package).env("CARGO_MANIFEST_DIR", &test.package);
        command.env(BINARIES, &self.binaries);
        if self.long {
            command.env("SKALD_TEST_LONG", "1");
        }
        command
    }
}

/// Tells the test kit where the programs are, so that it need not ask cargo.
pub(crate) const BINARIES: &str = "SKALD_BIN_DIR";

/// A cargo command at the top of the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    command
}

/// The top of the workspace, as cargo's messages spell it.
fn workspace() -> Result<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(own.parent().context("xtask lies in the workspace")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_stay_below_forty_minutes() {
        let suites: u64 = SUITES.iter().map(|(_, share, ..)| share).sum();
        // Formatting, lint, build and documentation.
        assert!(suites + 1 + 5 + 7 + 3 <= 40);
    }

    #[test]
    fn test_programs_run_where_cargo_would_run_them() {
        let test = TestProgram {
            name: "crates/core/model lib skald_model".to_owned(),
            package: "/w/crates/core/model".into(),
            executable: "/t/deps/model-1".into(),
            suite: Suite::Unit,
        };
        for long in [false, true] {
            let command = Environment { binaries: "/t/debug".into(), long }.command(&test);
            let variable = |name: &str| {
                command.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value.map(|v| v.to_owned()))
            };
            assert_eq!(command.get_current_dir(), Some(Path::new("/w/crates/core/model")));
            assert_eq!(variable("CARGO_MANIFEST_DIR"), Some("/w/crates/core/model".into()));
            assert_eq!(variable(BINARIES), Some("/t/debug".into()));
            assert_eq!(variable("SKALD_TEST_LONG").is_some(), long);
        }
    }
}
