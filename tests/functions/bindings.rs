//! `host.json` and every `function.json` against the router: names, routes, methods, levels, and which
//! function the host picks for a request.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::http::StatusCode;
use serde_json::{Value, json};
use understudy::functions::router::{DOORS, PREFIX, TIMERS};

use crate::doors::{Doors, group, request};

/// What the contract promises of each function: its level, and its routes by method.
const CONTRACT: [(&str, &str, &str, &[&str]); 9] = [
    ("Active", "function", "get", &["groups/g/active"]),
    ("Alert", "function", "post", &["alerts"]),
    (
        "Groups",
        "function",
        "get",
        &["groups", "groups/g", "groups/g/history"],
    ),
    ("Health", "anonymous", "get", &["health"]),
    ("Metrics", "function", "get", &["metrics"]),
    ("OpenApi", "anonymous", "get", &["openapi.json"]),
    (
        "Order",
        "function",
        "post",
        &[
            "groups/g/failover",
            "groups/g/switchover",
            "groups/g/failback",
            "groups/g/cancel",
            "groups/g/pause",
            "groups/g/resume",
            "groups/g/acknowledge",
            "groups/g/drill",
        ],
    ),
    ("Status", "function", "get", &["status"]),
    ("Tick", "function", "post", &["tick"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    assert!(!text.contains('%'), "{path:?} needs an app setting");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn functions() -> BTreeMap<String, Vec<Value>> {
    std::fs::read_dir(root().join("functions"))
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let bindings = read(&entry.path().join("function.json"));
            let bindings = bindings["bindings"].as_array().unwrap().clone();
            (entry.file_name().into_string().unwrap(), bindings)
        })
        .collect()
}

fn trigger(bindings: &[Value]) -> &Value {
    let inputs: Vec<&Value> = bindings
        .iter()
        .filter(|binding| binding["direction"] == "in")
        .collect();
    assert_eq!(inputs.len(), 1, "exactly one trigger");
    inputs[0]
}

#[test]
fn every_door_has_its_folder_and_every_folder_its_door() {
    let functions = functions();
    let mut named: Vec<&str> = DOORS.iter().map(|door| door.function).collect();
    named.extend(TIMERS);
    named.sort_unstable();
    let folders: Vec<&str> = functions.keys().map(String::as_str).collect();
    assert_eq!(folders, named);
    for (name, bindings) in &functions {
        let trigger = trigger(bindings);
        if TIMERS.contains(&name.as_str()) {
            assert_eq!(trigger["type"], "timerTrigger");
            let schedule = trigger["schedule"].as_str().unwrap();
            assert_eq!(schedule.split_whitespace().count(), 6, "{schedule}");
            assert_eq!(bindings.len(), 1);
            continue;
        }
        assert_eq!(trigger["type"], "httpTrigger", "{name}");
        assert_eq!(trigger["name"], "req");
        assert_eq!(bindings.len(), 2, "{name}: one in, one out");
        assert_eq!(
            bindings[1],
            json!({"type":"http","direction":"out","name":"res"}),
            "{name}"
        );
    }
}

#[test]
fn levels_and_methods_are_the_contracts() {
    let functions = functions();
    for door in DOORS {
        let (_, level, method, _) = CONTRACT
            .iter()
            .find(|(name, ..)| *name == door.function)
            .unwrap();
        let trigger = trigger(&functions[door.function]);
        assert_eq!(trigger["authLevel"], *level, "{}", door.function);
        assert_eq!(trigger["methods"], json!([method]), "{}", door.function);
        assert_eq!(door.method, *method);
    }
}

#[test]
fn the_host_picks_the_function_that_the_contract_names() {
    let functions = functions();
    for (name, _, method, routes) in CONTRACT {
        if !functions.contains_key(name) {
            continue;
        }
        for route in routes {
            assert_eq!(picked(&functions, method, route), Some(name), "{route}");
        }
    }
    assert_eq!(picked(&functions, "post", "groups/g/active"), Some("Order"));
    assert_eq!(picked(&functions, "get", "healthcheck"), None);
    assert_eq!(picked(&functions, "post", "HealthCheck"), None);
}

#[test]
fn each_route_of_a_door_is_one_that_the_host_hands_to_it() {
    let functions = functions();
    for door in DOORS {
        for route in door.routes {
            let path = route.replace("{group}", "g").replace("{order}", "failover");
            assert_eq!(
                picked(&functions, door.method, &path),
                Some(door.function),
                "{route}"
            );
        }
    }
}

#[tokio::test]
async fn each_route_of_a_door_is_answered() {
    let doors = Doors::of(vec![group("g")]);
    for door in DOORS {
        for route in door.routes {
            let path = route.replace("{group}", "g").replace("{order}", "resume");
            let method = door.method.to_ascii_uppercase().parse().unwrap();
            let asked = request(method, &format!("{PREFIX}/{path}"), &[], Body::empty());
            let answer = doors.send(asked).await;
            // An empty body is no alert; every other door has something to say to this.
            let expected = if door.function == "Alert" {
                StatusCode::BAD_REQUEST
            } else {
                StatusCode::OK
            };
            assert_eq!(answer.status, expected, "{route}: {}", answer.text);
        }
    }
}

/// The host tries routes in alphabetical order of function names, and takes the first that matches.
fn picked<'a>(
    functions: &'a BTreeMap<String, Vec<Value>>,
    method: &str,
    path: &str,
) -> Option<&'a str> {
    functions.iter().find_map(|(name, bindings)| {
        let trigger = trigger(bindings);
        let route = trigger["route"].as_str()?;
        let methods = trigger["methods"].as_array()?;
        (methods.contains(&json!(method)) && matches(route, path)).then_some(name.as_str())
    })
}

fn matches(template: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    for part in template.split('/') {
        let optional = part.ends_with("?}");
        match segments.next() {
            None if optional => {}
            Some(_) if part.starts_with('{') => {}
            Some(segment) if part.eq_ignore_ascii_case(segment) => {}
            None | Some(_) => return false,
        }
    }
    segments.next().is_none()
}

#[test]
fn host_json_starts_the_handler_and_passes_requests_through() {
    let host = read(&root().join("host.json"));
    assert_eq!(host["version"], "2.0");
    let handler = &host["customHandler"];
    assert_eq!(
        handler["description"]["defaultExecutablePath"],
        "understudy"
    );
    assert_eq!(handler["description"]["arguments"], json!(["serve"]));
    assert_eq!(handler["enableForwardingHttpRequest"], true);
    assert_eq!(handler["enableProxyingHttpRequest"], true);
    let prefix = host["extensions"]["http"]["routePrefix"].as_str().unwrap();
    assert_eq!(format!("/{prefix}"), PREFIX);
    assert_eq!(host.get("extensionBundle"), None);
}

/// The host kills the handler at `functionTimeout`, with every other request in it.
#[test]
fn whatever_is_asked_is_answered_well_before_the_host_would_kill_the_handler() {
    let host = read(&root().join("host.json"));
    assert_eq!(host["functionTimeout"], "00:02:00");
    let margin = 5;
    let limit = 120 - margin;
    assert!(understudy::controller::tick::TICK_LIMIT.as_secs() <= limit);
    let longest = understudy::functions::active::longest();
    assert!(longest.as_secs() <= limit, "a lookup may take {longest:?}");
}
