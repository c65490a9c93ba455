//! Nothing in this repository names a folder of the machine it was written on.

use std::{fs, path::Path};

use super::root;

/// Beginnings of such paths, in two parts so that this file does not hold them.
const FOLDERS: [(&str, &str); 4] = [("/wo", "rk/"), ("/ro", "ot/"), ("/ho", "me/"), ("/Us", "ers/")];

/// The first such path in `text`: one that begins a word, so that URLs and relative paths are none.
fn machine_path(text: &str) -> Option<&str> {
    let begins_a_word = |at: usize| !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || "._-}$".contains(c));
    FOLDERS.iter().find_map(|(a, b)| {
        let folder = format!("{a}{b}");
        let mut found = text.match_indices(folder.as_str()).map(|(at, _)| at).filter(|at| begins_a_word(*at));
        let at = found.next()?;
        text[at..].lines().next()
    })
}

/// Looks at every text file below `folder`, except what git and builds leave there.
fn check(folder: &Path) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            let is_build = path.join("CACHEDIR.TAG").exists();
            if !is_build && !matches!(name.as_str(), ".git" | "target" | "data" | "node_modules") {
                check(&path);
            }
        // A worktree's `.git` is a file that names the machine's folder.
        } else if name != ".git"
            && let Ok(text) = fs::read_to_string(&path)
        {
            let found = machine_path(&text);
            assert!(found.is_none(), "{} holds {:?}", path.display(), found.unwrap_or_default());
        }
    }
}

#[test]
fn no_file_names_a_folder_of_a_machine() {
    check(&root());
}

#[test]
fn finds_them() {
    for (text, expect) in [
        (format!("see {}rk/a.md", "/wo"), true),
        (format!("\"{}ot/.cargo\"", "/ro"), true),
        (format!("http://a{}rk/b", "/wo"), false),
        (format!("net{}rk/b", "/wo"), false),
        ("a/b".to_owned(), false),
    ] {
        assert_eq!(machine_path(&text).is_some(), expect, "{text}");
    }
}
