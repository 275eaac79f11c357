//! The repository's own `host.json` and functions, and what is said where they are missing.

use std::collections::{BTreeMap, BTreeSet};

use understudy::local::function_json::{self, Trigger};
use understudy::local::host_json::{HostJson, HttpMode, read};
use understudy::local::ours::Lack;
use understudy::local::{demo, with_schedule};

use super::stage::{host_json, root};

#[test]
fn every_function_of_the_repository_can_be_loaded() {
    let settings = BTreeMap::new();
    let text = std::fs::read_to_string(root().join("host.json")).unwrap();
    let host = read(&text, &settings).unwrap();
    assert_eq!(host.http_mode, HttpMode::Proxying);
    assert_eq!(host.arguments, "serve");
    let sources = function_json::find(&root()).unwrap();
    let loaded = function_json::load(&sources, &host, &settings).unwrap();
    assert!(loaded.errors.is_empty(), "{:?}", loaded.errors);
    assert_eq!(loaded.functions.len(), sources.len());
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
    let function = function_json::read(health_check, &host_json(&[]), &BTreeMap::new())
        .unwrap()
        .unwrap();
    let Trigger::Timer(timer) = function.trigger else {
        panic!("a timer")
    };
    assert_eq!(timer.schedule.to_string(), "*/2 * * * * *");
}

#[test]
fn what_would_not_reach_the_handler_is_told() {
    let host = read(
        &std::fs::read_to_string(root().join("host.json")).unwrap(),
        &BTreeMap::new(),
    )
    .unwrap();
    let ours = |change: &dyn Fn(&mut Vec<function_json::Source>)| {
        let mut sources = function_json::find(&root()).unwrap();
        change(&mut sources);
        let loaded = function_json::load(&sources, &host, &BTreeMap::new()).unwrap();
        Lack::of(&loaded, &host)
    };
    assert_eq!(ours(&|_| {}), Lack::default());
    let lack = ours(&|sources| sources.retain(|one| one.name == "Active"));
    assert!(lack.timer && !lack.everything, "{lack:?}");
    let said = lack.sentences().join("\n");
    assert!(
        said.contains("HealthCheck") && said.contains("Alert, Groups, Health, Order"),
        "{said}"
    );
    let lack = ours(&|sources| {
        for one in sources.iter_mut().filter(|one| one.name == "Order") {
            one.text = one.text.replace("\"post\"", "\"potato\"");
        }
    });
    assert_eq!(lack.astray.len(), 1, "{lack:?}");
    assert!(
        lack.astray[0].contains("POTATO") && lack.astray[0].contains("no POST"),
        "{lack:?}"
    );
    let elsewhere = HostJson {
        route_prefix: "7".to_owned(),
        ..host.clone()
    };
    let sources = function_json::find(&root()).unwrap();
    let loaded = function_json::load(&sources, &elsewhere, &BTreeMap::new()).unwrap();
    let said = Lack::of(&loaded, &elsewhere).sentences().join("\n");
    assert!(said.contains("routePrefix is \"7\""), "{said}");
}
