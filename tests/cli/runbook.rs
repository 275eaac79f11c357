//! What the runbook tells to type is what the program takes.

use super::*;
use crate::fake_api::{FakeApi, Told};

/// The words of a command as a shell makes them: blanks part, double quotes keep together, `#` ends.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let (mut in_word, mut quoted) = (false, false);
    for letter in line.chars() {
        match letter {
            '"' => (quoted, in_word) = (!quoted, true),
            '#' if !quoted && !in_word => break,
            ' ' if !quoted => in_word = false,
            _ => in_word = true,
        }
        match letter {
            ' ' if !quoted => words.push(String::new()),
            '"' => {}
            _ => words.last_mut().unwrap().push(letter),
        }
    }
    assert!(!quoted, "an open quote in {line}");
    words.retain(|word| !word.is_empty());
    words
}

/// Every command of the page that asks the app: whole lines of its blocks, and what stands between backticks.
fn commands() -> Vec<String> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/runbook.md"));
    let page = page.unwrap();
    let mut found = Vec::new();
    let mut in_block = false;
    for line in page.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            found.extend(line.starts_with("understudy ").then(|| line.to_owned()));
        } else {
            let spans = line.split('`').skip(1).step_by(2);
            found.extend(
                spans
                    .filter(|span| span.starts_with("understudy ") && span.contains("contoso"))
                    .map(str::to_owned),
            );
        }
    }
    found
}

#[test]
fn every_command_of_the_runbook_is_one_that_the_program_takes() {
    let commands = commands();
    assert!(commands.len() > 40, "{} commands", commands.len());
    let api = FakeApi::start(|asked| {
        let body = if asked.target.contains("/history") {
            json!({"entries": [entry()], "next": null})
        } else if asked.target.starts_with("/api/groups/") {
            group()
        } else {
            json!({"groups": [listed("a")], "next": null})
        };
        Told::json(200, body)
    });
    for command in commands {
        let mut words = words(&command);
        // Another app's address would be asked instead of the fake.
        if let Some(at) = words.iter().position(|word| word == "--url") {
            words.drain(at..at + 2);
        }
        if words.iter().any(|word| word == "--dry-run") {
            // A dry run has an answer of its own.
            words.push("--json".to_owned());
        }
        let arguments: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        let ran = ask(&api, &arguments);
        assert_eq!(ran.code, 0, "{command}: {}", ran.err);
    }
}

#[test]
fn a_command_is_split_as_a_shell_splits_it() {
    assert_eq!(
        words("understudy pause x --reason \"a # b\"  --for 1h   # until \"then"),
        [
            "understudy",
            "pause",
            "x",
            "--reason",
            "a # b",
            "--for",
            "1h"
        ]
    );
}
