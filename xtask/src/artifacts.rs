//! What a build made, read from cargo's messages: which programs are tests, and of which suite.
//!
//! Cargo runs tests of a selection of packages only after unifying features for that selection, which
//! compiles dependencies again for every selection. One build of the whole workspace, whose test
//! programs are then run directly, compiles everything once.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

/// What a test program belongs to, by the folder of its package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    /// Tests of one crate: unit, property, golden files.
    Unit,
    /// One contract, all its implementations.
    Conformance,
    /// Many processes in one, with simulated disk and network.
    Simulation,
    /// Real processes.
    Cluster,
}

impl Suite {
    fn of(package: &Path) -> Self {
        match package.to_str() {
            Some("tests/conformance") => Self::Conformance,
            Some("tests/sim") => Self::Simulation,
            Some("tests/cluster") => Self::Cluster,
            _ => Self::Unit,
        }
    }
}

/// A program made of tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TestProgram {
    /// Its package's folder, from the top of the workspace, and its target: `crates/core/model lib skald_model`.
    pub(crate) name: String,
    /// Where its package lies; it runs there.
    pub(crate) package: PathBuf,
    /// The program itself.
    pub(crate) executable: PathBuf,
    /// What it belongs to.
    pub(crate) suite: Suite,
}

/// Everything a run needs from a build.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Artifacts {
    /// Test programs in the order of their names.
    pub(crate) tests: Vec<TestProgram>,
    /// The folder of the programs that users run.
    pub(crate) binaries: Option<PathBuf>,
}

impl Artifacts {
    /// Reads the messages of `cargo build --message-format=json…`, one per line; lines that are no
    /// JSON are what a build script or a wrapper printed.
    pub(crate) fn parse(messages: &str, workspace: &Path) -> Result<Self> {
        let mut out = Self::default();
        for line in messages.lines().filter(|line| line.starts_with('{')) {
            let message: Value = serde_json::from_str(line).context("a message of cargo")?;
            if message["reason"] == "compiler-artifact" {
                out.add(&message, workspace)?;
            }
        }
        out.tests.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(out)
    }

    fn add(&mut self, message: &Value, workspace: &Path) -> Result<()> {
        let Some(executable) = message["executable"].as_str().map(PathBuf::from) else { return Ok(()) };
        let target = &message["target"];
        let kind = target["kind"][0].as_str().unwrap_or_default();
        let name = target["name"].as_str().context("a target without a name")?;
        if message["profile"]["test"] != true {
            if kind == "bin" && name == "skald" {
                self.binaries = executable.parent().map(Path::to_owned);
            }
            return Ok(());
        }
        // Benchmarks and examples are compiled so that they cannot rot; running them is no test.
        if !matches!(kind, "lib" | "bin" | "test") {
            return Ok(());
        }
        let manifest = message["manifest_path"].as_str().map(Path::new).context("an artifact without a manifest")?;
        let package = manifest.parent().context("a manifest lies in a folder")?.to_owned();
        let folder = package.strip_prefix(workspace).unwrap_or(&package);
        let (name, suite) = (format!("{} {kind} {name}", folder.display()), Suite::of(folder));
        self.tests.push(TestProgram { name, package, executable, suite });
        Ok(())
    }

    /// The programs of `suite`.
    pub(crate) fn of(&self, suite: Suite) -> impl Iterator<Item = &TestProgram> {
        self.tests.iter().filter(move |test| test.suite == suite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(folder: &str, kind: &str, name: &str, test: bool, executable: Option<&str>) -> String {
        let executable = executable.map_or("null".to_owned(), |e| format!("\"{e}\""));
        format!(
            r#"{{"reason":"compiler-artifact","manifest_path":"/w/{folder}/Cargo.toml","target":{{"kind":["{kind}"],"name":"{name}"}},"profile":{{"test":{test}}},"executable":{executable}}}"#
        )
    }

    #[test]
    fn tests_are_found_and_everything_else_is_not() {
        let messages = [
            "   printed by a wrapper".to_owned(),
            r#"{"reason":"build-script-executed","package_id":"x"}"#.to_owned(),
            artifact("crates/core/model", "lib", "skald_model", false, None),
            artifact("crates/core/model", "lib", "skald_model", true, Some("/t/deps/model-1")),
            artifact("crates/core/segment", "bench", "segment", true, Some("/t/deps/bench-1")),
            artifact("crates/core/segment", "example", "show", true, Some("/t/deps/show-1")),
            artifact("crates/core/segment", "custom-build", "build-script", false, Some("/t/build/x")),
            artifact("tests/cluster", "test", "cluster", true, Some("/t/deps/cluster-1")),
            artifact("tests/sim", "lib", "skald_sim", true, Some("/t/deps/sim-1")),
            artifact("tests/conformance", "test", "blob", true, Some("/t/deps/blob-1")),
            artifact("crates/bin/skald", "bin", "skald", false, Some("/t/debug/skald")),
            artifact("crates/bin/skald", "bin", "skald", true, Some("/t/deps/skald-1")),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ];
        let found = Artifacts::parse(&messages.join("\n"), Path::new("/w")).expect("cargo's messages");
        let names: Vec<_> = found.tests.iter().map(|t| (t.name.as_str(), t.suite)).collect();
        assert_eq!(
            names,
            [
                ("crates/bin/skald bin skald", Suite::Unit),
                ("crates/core/model lib skald_model", Suite::Unit),
                ("tests/cluster test cluster", Suite::Cluster),
                ("tests/conformance test blob", Suite::Conformance),
                ("tests/sim lib skald_sim", Suite::Simulation),
            ]
        );
        assert_eq!(found.tests[1].package, Path::new("/w/crates/core/model"));
        assert_eq!(found.tests[1].executable, Path::new("/t/deps/model-1"));
        assert_eq!(found.binaries.as_deref(), Some(Path::new("/t/debug")));
    }

    #[test]
    fn a_broken_message_is_an_error() {
        assert!(Artifacts::parse("{\"reason\":", Path::new("/w")).is_err());
    }
}
