//! The section "Where to begin reading" of `ARCHITECTURE.md` leads through files and functions that
//! exist.

use super::{read, section};

/// The two paths, and how many files each has.
const PATHS: [(&str, usize); 2] = [("### A push in nine files", 9), ("### A query in eleven", 11)];

/// The steps of one path: its numbered lines with what follows each until the next.
fn steps(text: &str) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    for line in text.lines() {
        let is_step = line.split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok());
        match (is_step, steps.last_mut()) {
            (true, _) => steps.push(line.to_owned()),
            (false, Some(step)) if line.starts_with(' ') => step.push_str(line),
            _ => {}
        }
    }
    steps
}

/// A step's file, and the functions it names. A quoted word is a function when it ends with `()`.
fn quoted(step: &str) -> (&str, Vec<&str>) {
    let mut quoted = step.split('`').skip(1).step_by(2);
    let file = quoted.next().unwrap_or_else(|| panic!("no file in {step:?}"));
    (file, quoted.filter_map(|word| word.strip_suffix("()")).collect())
}

#[test]
fn the_reading_path_exists() {
    let text = section("Where to begin reading");
    for (heading, files) in PATHS {
        let start = text.find(heading).unwrap_or_else(|| panic!("no heading {heading:?}"));
        let path = &text[start + heading.len()..];
        let path = &path[..path.find("\n### ").unwrap_or(path.len())];
        let steps = steps(path);
        assert_eq!(steps.len(), files, "{heading}");
        for step in steps {
            let (file, functions) = quoted(&step);
            let code = read(file);
            assert!(!functions.is_empty(), "no function in {step:?}");
            for function in functions {
                let name = function.rsplit("::").next().expect("split gives one part");
                let defined = ["(", "<"].iter().any(|after| code.contains(&format!("fn {name}{after}")));
                assert!(defined, "{file} has no function {name}");
            }
        }
    }
}

#[test]
fn steps_go_on_in_the_next_line() {
    let steps = steps("Text.\n\n1. `a.rs`: `f()` does\n   what `b::g()` needs with `T`\n2. `c.rs`: `h()`\n\nText.\n");
    assert_eq!(steps.len(), 2);
    assert_eq!(quoted(&steps[0]), ("a.rs", vec!["f", "b::g"]));
    assert_eq!(quoted(&steps[1]), ("c.rs", vec!["h"]));
}
