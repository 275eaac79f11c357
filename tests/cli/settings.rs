//! `config check` and `config schema`: what is found wrong, what is unwise, and the exit codes.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::*;

const GOOD: &str = r#"
[store]
kind = "embedded"

[[groups]]
name = "contoso"

  [[groups.sites]]
  region = "westeurope"

    [[groups.sites.http]]
    name = "captions"
    url = "https://weu.example/health"

  [[groups.sites]]
  region = "northeurope"

    [[groups.sites.http]]
    name = "captions"
    url = "https://neu.example/health"
"#;

/// The binary in a folder of its own, with no app setting of the developer's.
fn check(folder: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Ran {
    let mut command = understudy();
    command
        .envs(settings.iter().copied())
        .current_dir(folder)
        .args(["config", "check"])
        .args(arguments);
    run(&mut command)
}

fn folder(text: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("understudy.toml"), text).unwrap();
    folder
}

#[test]
fn a_good_file_is_ok() {
    let folder = folder(GOOD);
    let ran = check(folder.path(), &[], &[]);
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (0, "ok: 1 group\n", "")
    );
}

#[test]
fn every_problem_is_told_at_once_with_its_line() {
    let bad = GOOD
        .replace("kind = \"embedded\"", "kind = \"embeded\"")
        .replace("name = \"contoso\"", "name = \"Contoso!\"\nmodde = \"x\"");
    let folder = folder(&bad);
    let ran = check(folder.path(), &[], &[]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""), "{}", ran.out);
    for line in [3, 6, 7] {
        let place = format!("understudy.toml:{line}: error: ");
        assert!(
            ran.out.contains(&place),
            "{place} is missing in\n{}",
            ran.out
        );
    }
    assert!(ran.out.contains("\n3 problems, "), "{}", ran.out);
}

#[test]
fn a_warning_is_told_apart_and_is_no_failure() {
    let folder = folder(&GOOD.replace("https://weu", "http://weu"));
    let ran = check(folder.path(), &[], &[]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains(": warning: "), "{}", ran.out);
    assert!(ran.out.ends_with("ok: 1 group, 1 warning\n"), "{}", ran.out);
}

#[test]
fn the_file_may_be_named_on_the_line_or_in_the_app_setting() {
    let named = folder(GOOD);
    let file = named.path().join("understudy.toml");
    let file = file.to_str().unwrap();
    let empty = TempDir::new().unwrap();
    let missing = check(empty.path(), &[], &[]);
    assert_eq!(missing.code, 1);
    assert!(missing.out.contains("understudy.toml"), "{}", missing.out);
    assert_eq!(check(empty.path(), &[file], &[]).code, 0);
    assert_eq!(
        check(empty.path(), &[], &[("UNDERSTUDY_CONFIG", file)]).code,
        0
    );
}

#[test]
fn app_settings_are_checked_too_and_their_values_not_shown() {
    let folder = folder(GOOD);
    let secret = "AccountKey=c2VjcmV0LWtleQ==";
    let ran = check(
        folder.path(),
        &[],
        &[
            ("UNDERSTUDY__POLICY__HOLD", "soon"),
            ("UNDERSTUDY__STORE__KIND", "table"),
            ("UNDERSTUDY__STORE__CONNECTION_STRING", secret),
        ],
    );
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.contains("UNDERSTUDY__POLICY__HOLD: error: "),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("c2VjcmV0") && !ran.err.contains("c2VjcmV0"));
}

#[test]
fn the_schema_is_json() {
    let ran = run(understudy().args(["config", "schema"]));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let schema: Value = serde_json::from_str(&ran.out).unwrap();
    assert!(schema["properties"]["groups"].is_object(), "{}", ran.out);
}
