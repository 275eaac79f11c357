//! The repository's own `host.json` and functions, and what is said where they are missing.

use std::collections::{BTreeMap, BTreeSet};

use understudy::local::function_json::{self, Trigger};
use understudy::local::host_json::{HttpMode, read};
use understudy::local::{demo, with_schedule};

use super::stage::root;

#[test]
fn every_function_of_the_repository_can_be_loaded() {
    let settings = BTreeMap::new();
    let text = std::fs::read_to_string(root().join("host.json")).unwrap();
    let host = read(&text, &settings).unwrap();
    assert_eq!(host.http_mode, HttpMode::Proxying);
    assert_eq!(host.arguments, ["serve"]);
    for source in function_json::find(&root()).unwrap() {
        let function = function_json::read(&source, &settings);
        assert!(
            matches!(function, Ok(Some(_))),
            "{}: {function:?}",
            source.name
        );
    }
}

#[test]
fn the_demo_carries_every_function_folder() {
    let carried: BTreeSet<String> = demo::functions()
        .into_iter()
        .map(|source| source.name)
        .collect();
    let there: BTreeSet<String> = function_json::find(&root())
        .unwrap()
        .into_iter()
        .map(|source| source.name)
        .collect();
    assert_eq!(carried, there);
}

#[test]
fn a_packaged_folder_has_its_functions_at_the_root() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("Beat")).unwrap();
    std::fs::write(folder.path().join("Beat/function.json"), "{}").unwrap();
    std::fs::create_dir_all(folder.path().join("static")).unwrap();
    let found = function_json::find(folder.path()).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].name, "Beat");
}

#[test]
fn an_empty_folder_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let error = function_json::find(folder.path()).unwrap_err();
    assert!(error.contains("function.json"), "{error}");
}

#[test]
fn the_configured_schedule_is_the_timers() {
    let functions = with_schedule(function_json::find(&root()).unwrap(), "*/2 * * * * *");
    let health_check = functions
        .iter()
        .find(|source| source.name == "HealthCheck")
        .unwrap();
    let function = function_json::read(health_check, &BTreeMap::new())
        .unwrap()
        .unwrap();
    let Trigger::Timer(timer) = function.trigger else {
        panic!("a timer")
    };
    assert_eq!(timer.schedule.to_string(), "*/2 * * * * *");
}
