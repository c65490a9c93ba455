//! Which crate may use which, and what each must say about itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use super::{crates, section};

/// Names among the normal dependencies of a manifest.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let start = manifest.find("[dependencies]").map_or(manifest.len(), |at| at + "[dependencies]".len());
    let body = &manifest[start..];
    let body = &body[..body.find("\n[").unwrap_or(body.len())];
    let name = |line: &str| line.split(['.', ' ', '=']).next().unwrap_or_default().to_owned();
    body.lines().map(name).filter(|n| !n.is_empty() && !n.starts_with('#')).collect()
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
    let (mut allowed, mut wrong) = (allowed(), String::new());
    for (name, krate) in crates() {
        // The roots see everything.
        if name == "skald" || name == "skaldctl" {
            continue;
        }
        let uses: BTreeSet<_> = dependencies(&krate.manifest).into_iter().filter(|n| n.starts_with("skald-")).collect();
        let may = allowed.remove(&name).unwrap_or_default();
        if uses != may {
            let uses = uses.into_iter().collect::<Vec<_>>().join(", ");
            wrong.push_str(&format!("| {name} | {uses} |\n"));
        }
    }
    assert!(wrong.is_empty(), "the manifests say otherwise than ARCHITECTURE.md, namely:\n{wrong}");
    assert!(allowed.is_empty(), "the table names crates that are not there: {:?}", allowed.keys());
}

#[test]
fn every_crate_is_on_the_map() {
    let map = section("Crates");
    for name in crates().into_keys() {
        let is_service = crates()[&name].folder.parent().is_some_and(|group| group.ends_with("service"));
        assert!(is_service || map.contains(&format!("| `{name}` |")), "{name} is not in the table of crates");
    }
}

#[test]
fn arrows_point_down() {
    const LAYERS: [&str; 5] = ["core", "store", "net", "service", "bin"];
    let crates = crates();
    let layer = |name: &str| {
        let group = crates[name].folder.parent().expect("a crate lies in a group");
        LAYERS.iter().position(|l| group.ends_with(l)).expect("a known group")
    };
    for (name, uses) in allowed() {
        for used in uses {
            assert!(layer(&used) <= layer(&name), "{name} must not use {used}, which lies above it");
            let services = layer(&used) == 3 && layer(&name) == 3;
            assert!(!services, "the service {name} must not use the service {used}");
        }
    }
}

#[test]
fn pure_crates_have_no_runtime() {
    const BANNED: [&str; 9] =
        ["tokio", "rand", "getrandom", "object_store", "reqwest", "tonic", "axum", "hyper", "async-trait"];
    for (name, krate) in crates() {
        if krate.folder.parent().is_some_and(|group| group.ends_with("core")) {
            let uses = dependencies(&krate.manifest);
            let found: Vec<_> = BANNED.iter().filter(|banned| uses.contains(**banned)).collect();
            assert!(found.is_empty(), "{name}: a pure crate must not use {found:?}");
        }
    }
}

#[test]
fn every_crate_says_what_it_is() {
    for (name, krate) in crates() {
        let entry = ["src/lib.rs", "src/main.rs"].map(|f| krate.folder.join(f)).into_iter().find(|p| p.exists());
        let text = fs::read_to_string(entry.expect("a crate has an entry file")).expect("readable");
        assert!(text.starts_with("//! "), "{name} does not begin with its documentation");
        assert!(krate.manifest.contains("\ndescription = \""), "{name} has no description");
    }
}

#[test]
fn reads_manifests() {
    let manifest = "[package]\nname = \"x\"\n\n[dependencies]\n# a comment\nskald-model.workspace = true\n\
                    tokio = { workspace = true }\n\n[dev-dependencies]\nrand.workspace = true\n";
    let expect = ["skald-model", "tokio"].map(str::to_owned);
    assert_eq!(dependencies(manifest), BTreeSet::from(expect));
    assert_eq!(dependencies("[package]\nname = \"x\"\n"), BTreeSet::new());
}
