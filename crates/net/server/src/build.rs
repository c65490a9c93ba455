//! What was built: shown by `-version`, `/loki/api/v1/status/buildinfo` and `loki_build_info`.

use serde::Serialize;

/// The facts about a build. The binary fills them in, since only it knows its revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildInfo {
    /// The version of Skald.
    pub version: &'static str,
    /// The commit, where known.
    pub revision: &'static str,
    /// The branch, where known.
    pub branch: &'static str,
    /// Who built it, where known.
    pub build_user: &'static str,
    /// When it was built, where known.
    pub build_date: &'static str,
    /// Clients expect this key; it names the language.
    pub go_version: &'static str,
}

impl Default for BuildInfo {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            revision: "",
            branch: "",
            build_user: "",
            build_date: "",
            go_version: "rust",
        }
    }
}
