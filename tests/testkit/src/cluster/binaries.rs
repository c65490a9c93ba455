//! Where the programs are.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context, Result, ensure};

use super::Service;

/// A folder with a program per service.
#[derive(Clone, Debug)]
pub struct Binaries {
    folder: PathBuf,
}

/// The top of the workspace.
pub fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl Binaries {
    /// The programs in the folder that `SKALD_BIN_DIR` names, else those of this workspace: they are
    /// then built once per process, so that a test never runs an old program; nothing happens when
    /// they are fresh.
    pub fn locate() -> Result<Self> {
        if let Some(folder) = env::var_os("SKALD_BIN_DIR") {
            return Ok(Self { folder: folder.into() });
        }
        static BUILT: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
        let folder = BUILT.get_or_init(|| build(false).map_err(|e| format!("{e:#}")));
        let folder = folder.clone().map_err(anyhow::Error::msg)?;
        Ok(Self { folder })
    }

    /// Builds the programs, optimised or not.
    pub fn build(release: bool) -> Result<Self> {
        Ok(Self { folder: build(release)? })
    }

    /// The program of `service`.
    pub fn path(&self, service: Service) -> PathBuf {
        self.folder.join(format!("skald-{}", service.name()))
    }

    /// The program with everything in it.
    pub fn all_in_one(&self) -> PathBuf {
        self.folder.join("skald")
    }
}

/// Builds with the whole workspace selected, and with `--examples`, although there are none, because
/// cargo then counts the features of dev-dependencies: any other selection would unify features
/// differently from a build of the tests and compile every dependency a second time.
fn build(release: bool) -> Result<PathBuf> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet", "--workspace", "--bins", "--examples"]).current_dir(workspace_root());
    if release {
        command.arg("--release");
    }
    let status = command.status().context("cargo cannot be started")?;
    ensure!(status.success(), "the programs cannot be built");
    Ok(target_folder().join(if release { "release" } else { "debug" }))
}

fn target_folder() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace_root().join("target"), PathBuf::from)
}
