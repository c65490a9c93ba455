//! Tests that keep the pages about the code true, and the code within the rules of those pages.
//!
//! - `edges`: which crate may use which.
//! - `dependencies`: crates of others, and what for.
//! - `reading_path`: the files and functions that `ARCHITECTURE.md` leads through.
//! - `pages`: commands and links in the README, pages about formats.
//! - `machine_paths`: nothing names a folder of the machine it was written on.

mod dependencies;
mod edges;
mod machine_paths;
mod pages;
mod reading_path;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The part of `ARCHITECTURE.md` below the heading `title`.
fn section(title: &str) -> String {
    let text = read("ARCHITECTURE.md");
    let start = text.find(&format!("## {title}\n")).unwrap_or_else(|| panic!("no section {title:?}"));
    let rest = &text[start + 3..];
    rest[..rest.find("\n## ").unwrap_or(rest.len())].to_owned()
}

/// A crate below `crates/`.
struct Crate {
    folder: PathBuf,
    manifest: String,
}

/// Crates by their names.
fn crates() -> BTreeMap<String, Crate> {
    let mut out = BTreeMap::new();
    for group in ["core", "store", "net", "service", "bin"] {
        for entry in fs::read_dir(root().join("crates").join(group)).expect("a folder of crates") {
            let folder = entry.expect("a readable folder").path();
            let Ok(manifest) = fs::read_to_string(folder.join("Cargo.toml")) else { continue };
            let name = manifest.lines().find_map(|l| l.strip_prefix("name = ")).expect("a manifest has a name");
            out.insert(name.trim_matches('"').to_owned(), Crate { folder, manifest });
        }
    }
    out
}
