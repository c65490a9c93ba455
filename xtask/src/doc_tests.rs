//! Whether there are any tests in documentation. Running them means one rustdoc per crate, half a
//! minute that says nothing as long as all code blocks are other languages.

use std::{fs, path::Path};

use anyhow::{Context, Result};

/// Words after the three backticks with which rustdoc still compiles a block.
const RUST: [&str; 5] = ["rust", "no_run", "should_panic", "compile_fail", "edition2024"];

/// True when a source file below `folder` has a documentation test.
pub(crate) fn exist_below(folder: &Path) -> Result<bool> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry.with_context(|| folder.display().to_string())?.path();
        let found = match path.is_dir() {
            true => exist_below(&path)?,
            false if path.extension().is_some_and(|e| e == "rs") => {
                has_one(&fs::read_to_string(&path).with_context(|| path.display().to_string())?)
            }
            false => false,
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// True when `source` has a block that rustdoc would compile. `ignore` counts: it shows up as skipped.
fn has_one(source: &str) -> bool {
    let mut inside = false;
    for line in source.lines() {
        let line = line.trim_start();
        let Some(text) = line.strip_prefix("//!").or_else(|| line.strip_prefix("///")) else {
            inside = false;
            continue;
        };
        let Some(info) = text.trim_start().strip_prefix("```") else { continue };
        let words = || info.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty());
        if !inside && words().all(|word| RUST.contains(&word) || word.starts_with("ignore")) {
            return true;
        }
        inside = !inside;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::has_one;

    #[test]
    fn blocks_of_other_languages_are_no_tests() {
        for (source, expect) in [
            ("//! ```text\n//! a picture\n//! ```\n", false),
            ("/// ```yaml\n/// a: b\n/// ```\n/// ```\n/// f();\n/// ```\n", true),
            ("    /// ```\n    /// f();\n    /// ```\n", true),
            ("/// ```rust,no_run\n/// f();\n/// ```\n", true),
            ("/// ```ignore\n/// f();\n/// ```\n", true),
            ("let s = \"```\"; // ```\n", false),
            ("fn f() {}\n", false),
        ] {
            assert_eq!(has_one(source), expect, "{source}");
        }
    }
}
