//! Arrows point only downward: which room may name which.

use super::source::{code, rooms_named, without_tests};
use super::{files, none, read};

/// Every room, and the rooms that it may name. The simulator is for `local` (the demo) and for tests:
/// nothing that Azure starts can reach it.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("telemetry", &[]),
    ("bundle", &[]),
    ("decision", &["model"]),
    ("adapters", &["model"]),
    ("config", &["model"]),
    ("sim", &["model"]),
    ("controller", &["adapters", "decision", "model"]),
    (
        "functions",
        &[
            "adapters",
            "config",
            "controller",
            "decision",
            "model",
            "telemetry",
        ],
    ),
    (
        "local",
        &[
            "adapters",
            "bundle",
            "config",
            "controller",
            "decision",
            "model",
            "sim",
            "telemetry",
        ],
    ),
    (
        "cli",
        &[
            "adapters",
            "bundle",
            "config",
            "controller",
            "decision",
            "functions",
            "local",
            "model",
            "telemetry",
        ],
    ),
];

/// The room that a file belongs to, and how many `super` lead from it to the top.
fn place(path: &str) -> (String, usize) {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs");
    let parts: Vec<&str> = inside.split('/').filter(|part| *part != "mod").collect();
    (parts[0].to_owned(), parts.len())
}

#[test]
fn every_room_is_known_here() {
    let mut unknown = Vec::new();
    for path in files("src") {
        let (room, _) = place(&path);
        let is_top = matches!(path.as_str(), "src/lib.rs" | "src/main.rs");
        if path.ends_with(".rs") && !is_top && !MAY_NAME.iter().any(|(known, _)| *known == room) {
            unknown.push(path);
        }
    }
    none(
        "these files belong to no room that tests/tidy/floors.rs knows",
        &unknown,
    );
}

#[test]
fn arrows_point_only_downward() {
    let mut upward = Vec::new();
    for path in files("src") {
        let (room, depth) = place(&path);
        let Some((_, allowed)) = MAY_NAME.iter().find(|(known, _)| *known == room) else {
            continue;
        };
        let is_test = path.ends_with("/tests.rs") || path.contains("/tests/");
        if !path.ends_with(".rs") || is_test {
            continue;
        }
        for (name, line) in rooms_named(&without_tests(&code(&read(&path))), depth) {
            let is_room = MAY_NAME.iter().any(|(known, _)| *known == name);
            if is_room && name != room && !allowed.contains(&name.as_str()) {
                upward.push(format!("{path}:{line}: {room} names {name}"));
            }
        }
    }
    none("arrows point only downward (docs/architecture.md)", &upward);
}

#[test]
fn the_table_itself_has_no_circle() {
    // Each room names only rooms that stand above it in the table, which is sorted from the ground up.
    for (index, (room, allowed)) in MAY_NAME.iter().enumerate() {
        for name in *allowed {
            let below = MAY_NAME[..index].iter().any(|(known, _)| known == name);
            assert!(below, "{room} may name {name}, which does not lie below it");
        }
    }
}
