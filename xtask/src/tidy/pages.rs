//! Commands and links of the pages, and the pages about formats.

use clap::CommandFactory;

use super::{crates, read, root};

/// The byte layouts that others must be able to read: the page, and the crate that writes them.
const FORMATS: [(&str, &str); 3] = [
    ("docs/format/segment.md", "core/segment"),
    ("docs/format/wal.md", "store/wal"),
    ("docs/format/catalog.md", "store/catalog"),
];

/// Lines of shell blocks.
fn commands(page: &str) -> Vec<&str> {
    let mut inside = false;
    let mut out = Vec::new();
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(language) => inside = language == "sh" && !inside,
            None if inside => out.push(line.trim()),
            None => {}
        }
    }
    out
}

/// Targets of links into this repository.
fn links(page: &str) -> Vec<&str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets.filter(|target| !target.contains("://") && !target.starts_with('#')).collect()
}

/// The word behind `flag`.
fn after<'a>(command: &'a str, flag: &str) -> Option<&'a str> {
    let mut words = command.split_whitespace().skip_while(|word| *word != flag);
    words.next().and(words.next())
}

#[test]
fn commands_of_the_readme_exist() {
    let readme = read("README.md");
    let commands = commands(&readme);
    for expect in ["cargo run --release", "cargo xtask test", "cargo xtask dev-cluster"] {
        assert!(commands.contains(&expect), "the README does not show `{expect}`");
    }
    let xtask = crate::Arguments::command();
    let bench = read("benches/Cargo.toml");
    for command in readme.split('`').chain(commands).filter(|text| text.starts_with("cargo ")) {
        if let Some(name) = after(command, "xtask") {
            assert!(xtask.get_subcommands().any(|c| c.get_name() == name), "no xtask command for `{command}`");
        }
        if let Some(package) = after(command, "-p") {
            let exists = crates().contains_key(package) || bench.contains(&format!("name = \"{package}\""));
            assert!(exists, "no package for `{command}`");
        }
    }
    assert!(
        read("Cargo.toml").contains("default-members = [\"crates/bin/skald\"]"),
        "`cargo run` starts another program"
    );
}

#[test]
fn links_lead_somewhere() {
    for page in ["README.md", "ARCHITECTURE.md"] {
        let text = read(page);
        for link in links(&text) {
            assert!(root().join(link).exists(), "{page} leads to {link}, which is not there");
        }
    }
}

#[test]
fn every_format_has_a_page_that_its_crate_names() {
    for (page, folder) in FORMATS {
        assert!(read(page).starts_with("# "), "{page} has no title");
        let sources = std::fs::read_dir(root().join("crates").join(folder).join("src")).expect("sources");
        let mut sources = sources.map(|entry| entry.expect("a readable folder").path()).filter(|path| path.is_file());
        assert!(sources.any(|source| read(source).contains(page)), "nothing in {folder} names {page}");
    }
    for entry in std::fs::read_dir(root().join("docs/format")).expect("pages") {
        let name = entry.expect("a readable folder").file_name();
        let page = format!("docs/format/{}", name.to_string_lossy());
        assert!(FORMATS.iter().any(|(known, _)| *known == page), "{page} belongs to no crate known here");
    }
}

#[test]
fn ci_runs_the_second_command() {
    assert!(read(".ci/run").contains("\nexec cargo xtask test\n"));
}

#[test]
fn reads_pages() {
    let page = "# A\n```sh\ncargo x -p y\n```\n```yaml\na: b\n```\n[l](docs/) [m](http://a/) [n](#a)\n";
    assert_eq!(commands(page), ["cargo x -p y"]);
    assert_eq!(links(page), ["docs/"]);
    assert_eq!(after("cargo run -p skaldctl -- push", "-p"), Some("skaldctl"));
    assert_eq!(after("cargo run", "-p"), None);
}
