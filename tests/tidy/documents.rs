//! The documents agree with the tree, and the tree names nothing that is not of the world outside.

use std::collections::BTreeSet;

use super::{files, none, read, root};

/// Every document of ours.
fn documents() -> Vec<String> {
    let found: Vec<String> = files("")
        .into_iter()
        .filter(|path| path.ends_with(".md"))
        .collect();
    assert!(found.contains(&"README.md".to_owned()), "{found:?}");
    found
}

/// The targets of `[text](target)`, with their line.
fn links(text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut in_block = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if in_block {
            continue;
        }
        for (start, _) in line.match_indices("](") {
            let target = line[start + 2..].split(')').next().unwrap_or_default();
            found.push((target.to_owned(), at + 1));
        }
    }
    found
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for path in documents() {
        let folder = root().join(&path);
        let folder = folder.parent().unwrap();
        for (target, line) in links(&read(&path)) {
            let file = target.split('#').next().unwrap_or_default();
            let is_outside = target.contains("://") || target.starts_with("mailto:");
            if !is_outside && !file.is_empty() && !folder.join(file).exists() {
                broken.push(format!("{path}:{line}: {target}"));
            }
        }
    }
    none("a link of a document leads to a file", &broken);
}

#[test]
fn every_file_that_contributing_names_is_there() {
    let text = read("CONTRIBUTING.md");
    let mut missing = BTreeSet::new();
    for word in text.split('`').skip(1).step_by(2) {
        let is_path = word.contains('/') && !word.contains([' ', '<', '*', '{', '(']);
        let of_ours = ["src/", "tests/", "docs/", "functions/", ".ci/"]
            .iter()
            .any(|top| word.starts_with(top));
        if is_path && of_ours && !root().join(word).exists() {
            missing.insert(word.to_owned());
        }
    }
    none(
        "CONTRIBUTING.md names files that exist",
        &missing.into_iter().collect::<Vec<_>>(),
    );
}

#[test]
fn every_dependency_is_accounted_for() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let mut used = BTreeSet::new();
    for section in ["dependencies", "dev-dependencies"] {
        used.extend(manifest[section].as_table().unwrap().keys().cloned());
    }
    let page = read("docs/dependencies.md");
    // Further down the page are tables of other things.
    let listed: BTreeSet<String> = page
        .split("\n## ")
        .next()
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(str::to_owned)
        .collect();
    let unlisted: Vec<String> = used.difference(&listed).cloned().collect();
    none(
        "docs/dependencies.md has a row for each dependency",
        &unlisted,
    );
    let gone: Vec<String> = listed.difference(&used).cloned().collect();
    none("docs/dependencies.md has rows for dependencies only", &gone);
}

#[test]
fn no_file_names_where_packages_come_from() {
    // Put together here, so that this file does not find itself.
    let hosts = [
        concat!("crates", ".io"),
        concat!("npm", "js."),
        concat!("py", "pi.org"),
        concat!("docs", ".rs"),
    ];
    let mut found = Vec::new();
    for path in files("") {
        // Written by cargo, which needs the name.
        if path.ends_with("Cargo.lock") {
            continue;
        }
        for (at, line) in read(&path).lines().enumerate() {
            if let Some(host) = hosts.iter().find(|host| line.contains(**host)) {
                found.push(format!("{path}:{}: {host}", at + 1));
            }
        }
    }
    none("the repository names no package registry", &found);
}

#[test]
fn the_readme_tells_the_two_commands() {
    let readme = read("README.md");
    for command in ["\ncargo run --release -- demo\n", "\ncargo test\n"] {
        assert!(
            readme.contains(command),
            "{command:?} stands on its own line"
        );
    }
}
