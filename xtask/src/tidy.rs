//! Checks that keep `ARCHITECTURE.md` true.

use std::{
    collections::{BTreeMap, BTreeSet},
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

/// The manifests of all crates below `crates/`.
fn manifests() -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for group in ["core", "store", "net", "service", "bin"] {
        for entry in fs::read_dir(root().join("crates").join(group)).expect("a folder of crates") {
            let path = entry.expect("a readable folder").path().join("Cargo.toml");
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let name = text.lines().find_map(|l| l.strip_prefix("name = ")).expect("a manifest has a name");
            out.insert(name.trim_matches('"').to_owned(), text);
        }
    }
    out
}

/// Our crates among the normal dependencies of a manifest.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let start = manifest.find("[dependencies]").map_or(manifest.len(), |at| at + "[dependencies]".len());
    let body = &manifest[start..];
    let body = &body[..body.find("\n[").unwrap_or(body.len())];
    let name = |line: &str| line.split(['.', ' ', '=']).next().unwrap_or_default().to_owned();
    body.lines().map(name).filter(|n| n.starts_with("skald-")).collect()
}

/// Rows of two cells: crate, crates it may use.
fn allowed() -> BTreeMap<String, BTreeSet<String>> {
    let cells = |line: &str| line.trim_matches('|').split('|').map(|c| c.trim().to_owned()).collect::<Vec<_>>();
    section("Allowed edges")
        .lines()
        .filter(|line| line.starts_with("| skald"))
        .map(cells)
        .map(|row| {
            let uses = row.get(1).map_or("", String::as_str).split(',').map(str::trim);
            (row[0].clone(), uses.filter(|u| !u.is_empty()).map(str::to_owned).collect())
        })
        .collect()
}

#[test]
fn edges_are_those_of_the_table() {
    let allowed = allowed();
    for (name, manifest) in manifests() {
        // The roots see everything.
        if name == "skald" || name == "skaldctl" {
            continue;
        }
        let uses = dependencies(&manifest);
        let may = allowed.get(&name).unwrap_or_else(|| panic!("{name} is not in the table of allowed edges"));
        assert_eq!(&uses, may, "{name}: left what its manifest says, right what the table says");
    }
}

#[test]
fn pure_crates_have_no_runtime() {
    let root = root();
    for entry in fs::read_dir(root.join("crates/core")).expect("a folder of crates") {
        let manifest = entry.expect("a readable folder").path().join("Cargo.toml");
        let text = fs::read_to_string(&manifest).expect("a manifest");
        let body = text.split("[dev-dependencies]").next().unwrap_or_default();
        for banned in ["tokio", "rand", "object_store", "reqwest", "tonic"] {
            let uses = body.lines().any(|l| l.split(['.', ' ', '=']).next() == Some(banned));
            assert!(!uses, "{}: a pure crate must not use {banned}", manifest.display());
        }
    }
}

#[test]
fn the_reading_path_exists() {
    let text = section("Where to begin reading");
    let mut files = 0;
    for line in text.lines().filter(|l| l.trim_start().starts_with(|c: char| c.is_ascii_digit())) {
        let mut quoted = line.split('`').skip(1).step_by(2);
        let file = quoted.next().unwrap_or_else(|| panic!("no file in {line:?}"));
        let code = read(file);
        for function in quoted {
            let name = function.rsplit("::").next().expect("split gives one part");
            assert!(code.contains(&format!("fn {name}")), "{file} has no function {name}");
        }
        files += 1;
    }
    assert!(files >= 15, "the two paths have nine and eleven files, found {files}");
}

#[test]
fn every_crate_says_what_it_is() {
    for (name, _) in manifests() {
        let folder = find_crate(&name);
        let entry = ["src/lib.rs", "src/main.rs"].map(|f| folder.join(f)).into_iter().find(|p| p.exists());
        let text = fs::read_to_string(entry.expect("a crate has an entry file")).expect("readable");
        assert!(text.starts_with("//!"), "{name} has no crate documentation");
    }
}

fn find_crate(name: &str) -> PathBuf {
    let groups = ["core", "store", "net", "service", "bin"];
    let folder = name.strip_prefix("skald-").unwrap_or(name);
    let candidates = groups.map(|g| root().join("crates").join(g).join(folder));
    candidates.into_iter().find(|p| p.exists()).unwrap_or_else(|| panic!("no folder for {name}"))
}
