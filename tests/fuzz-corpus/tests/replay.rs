//! Every file of every corpus, and every seed, through the body of its target.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use std::{fs, path::Path};

use skald_fuzz_corpus::{Body, TARGETS, seeds};

/// Below this a corpus would not reach much.
const FILES_MIN: usize = 5;

fn body(target: &str) -> Body {
    TARGETS.iter().find(|(name, _)| *name == target).unwrap_or_else(|| panic!("no target {target}")).1
}

#[test]
fn committed_corpora() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (target, body) in TARGETS {
        let mut files: Vec<_> = fs::read_dir(corpus.join(target)).unwrap().map(|f| f.unwrap().path()).collect();
        files.sort();
        assert!(files.len() >= FILES_MIN, "{target} has {} files", files.len());
        for file in files {
            // Shown only when the body panics.
            println!("{}", file.display());
            body(&fs::read(&file).unwrap());
        }
    }
}

#[test]
fn seeds_of_the_encoders() {
    for (target, name, bytes) in seeds() {
        println!("{target}/{name}");
        body(target)(&bytes);
    }
}

#[test]
fn every_target_is_a_binary() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    for (target, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
    }
}
