//! The house rules that a compiler does not hold: which floor may name which, how long things are, what
//! is not left lying about, and that the documents agree with the tree.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod documents;
mod floors;
mod limits;
mod runbook;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

/// The top of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What is built, fetched or kept by a run, and so is no part of the repository.
fn is_ours(name: &str) -> bool {
    let exact = [".git", "target", "node_modules", "dist", "dist.zip"];
    !exact.contains(&name) && !name.starts_with("understudy-state")
}

/// Every file below a folder of the repository, by its path from the top.
fn files(below: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root().join(below)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if !is_ours(name) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let from_top = path.strip_prefix(root()).unwrap();
                found.push(from_top.to_str().unwrap().replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}

/// The Rust files of the repository.
fn rust_files() -> Vec<String> {
    let mut all = files("");
    all.retain(|path| path.ends_with(".rs"));
    assert!(all.len() > 20, "the sources were not found: {all:?}");
    all
}

/// A file's text. What is not text is empty.
fn read(path: &str) -> String {
    String::from_utf8(fs::read(root().join(path)).unwrap()).unwrap_or_default()
}

/// Fails with every finding, one a line.
fn none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}
