//! How long things may be, how a file begins, and what is not left lying about.

use super::source::{code, functions, without_tests};
use super::{files, none, read, rust_files};

/// What fits in one head; longer files hold two things.
const FILE_LINES: usize = 500;
/// What fits on a screen.
const FUNCTION_LINES: usize = 70;

#[test]
fn files_are_short() {
    let long: Vec<String> = rust_files()
        .into_iter()
        .map(|path| (read(&path).lines().count(), path))
        .filter(|(lines, _)| *lines > FILE_LINES)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    none(&format!("a file has at most {FILE_LINES} lines"), &long);
}

#[test]
fn functions_fit_on_a_screen() {
    let mut long = Vec::new();
    for path in files("src") {
        if path.ends_with(".rs") {
            for (name, line, lines) in functions(&without_tests(&code(&read(&path)))) {
                if lines > FUNCTION_LINES {
                    long.push(format!("{path}:{line}: {name} has {lines} lines"));
                }
            }
        }
    }
    none(
        &format!("a function has at most {FUNCTION_LINES} lines"),
        &long,
    );
}

#[test]
fn every_file_says_first_what_it_holds() {
    let silent: Vec<String> = rust_files()
        .into_iter()
        .filter(|path| {
            let text = read(path);
            let first = text.lines().next().unwrap_or_default();
            !first.starts_with("//! ") || first.len() < 10
        })
        .collect();
    none("the first line of a file is `//! what it holds`", &silent);
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not find itself.
    let in_code = [
        concat!("#[ig", "nore"),
        concat!("to", "do!"),
        concat!("unimple", "mented!"),
        concat!("dbg", "!("),
    ];
    let in_text = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
    ];
    let mut left = Vec::new();
    for path in rust_files() {
        let text = read(&path);
        let code = code(&text);
        for (at, line) in code.lines().enumerate() {
            if let Some(word) = in_code.iter().find(|word| line.contains(**word)) {
                left.push(format!("{path}:{}: {word}", at + 1));
            }
        }
        for (at, line) in text.lines().enumerate() {
            if let Some(word) = in_text.iter().find(|word| line.contains(**word)) {
                left.push(format!("{path}:{}: {word}", at + 1));
            }
        }
    }
    none("nothing is ignored, stubbed or left for later", &left);
}

#[test]
fn nothing_gives_up_by_panicking() {
    let mut found = Vec::new();
    for path in files("src") {
        let is_test = path.ends_with("/tests.rs") || path.contains("/tests/");
        if !path.ends_with(".rs") || path == "src/main.rs" || is_test {
            continue;
        }
        let code = without_tests(&code(&read(&path)));
        for (at, line) in code.lines().enumerate() {
            for call in [".unwrap()", ".expect(", "panic!(", "unreachable!("] {
                if line.contains(call) {
                    found.push(format!("{path}:{}: {call}", at + 1));
                }
            }
        }
    }
    none("outside tests and main, what can fail says so", &found);
}
