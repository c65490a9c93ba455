//! `docs/dependencies.md` gives a reason for every crate of others that the workspace names.

use std::collections::BTreeSet;

use super::read;

/// Crates of others in `[workspace.dependencies]`.
fn named(manifest: &str) -> BTreeSet<String> {
    let (_, rest) = manifest.split_once("[workspace.dependencies]\n").expect("the workspace has dependencies");
    let body = &rest[..rest.find("\n[").unwrap_or(rest.len())];
    let entries = body.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let ours = |(_, value): &(&str, &str)| value.contains("path = ");
    entries.filter(|entry| !ours(entry)).map(|(name, _)| name.trim().to_owned()).collect()
}

/// The first cells of the page's tables, where the second is not empty.
fn explained(page: &str) -> BTreeSet<String> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    rows.filter(|(_, reason)| !reason.trim_matches(['|', ' ']).is_empty()).map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn every_dependency_has_its_reason() {
    let (named, explained) = (named(&read("Cargo.toml")), explained(&read("docs/dependencies.md")));
    assert!(named.len() > 20, "the manifest was not understood: {named:?}");
    assert_eq!(named, explained, "left what the manifest names, right what docs/dependencies.md explains");
}

#[test]
fn reads_both_sides() {
    let manifest = "[x]\n[workspace.dependencies]\n# --- a\nours = { path = \"a\" }\na-b = \"1\"\nc = { version = \"1\" }\n\n[y]\nz = \"1\"\n";
    assert_eq!(named(manifest).into_iter().collect::<Vec<_>>(), ["a-b", "c"]);
    let page = "| crate | for |\n|---|---|\n| `a-b` | work |\n| `c` |  |\n";
    assert_eq!(explained(page).into_iter().collect::<Vec<_>>(), ["a-b"]);
}
