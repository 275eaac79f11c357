//! The story of what is started and stopped: the app's steps, the simulated Azure beside them, the lookup.

use jiff::Timestamp;
use serde_json::{Value, json};
use understudy::local::scene::{Group, History, Lookup, Part, Scene};
use understudy::local::story::{pulse, tell};

/// A look in which nothing fails: who is active, the steps, the endpoints, the lookup's `ready`.
struct Look {
    active: &'static str,
    moving: Value,
    leftovers: Value,
    west: &'static str,
    north: &'static str,
    ready: bool,
    history: Value,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            active: "westeurope",
            moving: Value::Null,
            leftovers: json!([]),
            west: "Running",
            north: "Stopped",
            ready: true,
            history: json!([]),
        }
    }
}

impl Look {
    fn scene(&self) -> Scene {
        let generation = u64::from(self.active == "northeurope");
        let group = json!({"group": "contoso", "generation": generation, "active": self.active,
            "move": self.moving, "leftovers": self.leftovers, "sites": []});
        let hosts = json!({"default": format!("host-{}", self.active)});
        let lookup = json!({"generation": generation, "site": self.active, "ready": self.ready,
            "accounts": {"mediaServices": {"streamingHosts": hosts}}});
        let part = |site: &str, account: &str, state| Part {
            site: site.to_owned(),
            account: account.to_owned(),
            name: "streaming endpoint default".to_owned(),
            state,
        };
        Scene {
            at: Timestamp::UNIX_EPOCH,
            base: "http://127.0.0.1:7071".to_owned(),
            group: Some(read::<Group>(group)),
            lookup: Some(read::<Lookup>(lookup)),
            history: read::<History>(json!({"entries": self.history})).entries,
            outside: vec![
                part("westeurope", "ms-weu", self.west),
                part("northeurope", "ms-neu", self.north),
            ],
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// A failover to the north whose one step is in this state.
fn failover(state: &str, attempts: u64, detail: Option<&str>) -> Value {
    json!({"id": "m1", "generation": 1, "kind": "failover", "from": "westeurope", "to": "northeurope",
        "flippedAt": "2026-11-22T02:36:08.5Z", "steps": [{"name": "start streaming endpoint default",
        "state": state, "attempts": attempts, "detail": detail}]})
}

fn flip() -> Value {
    json!({"at": "t1", "generation": 1, "rule": "S1", "kind": "failover", "from": "westeurope", "to": "northeurope",
        "actor": "understudy", "times": {"firstFailedAt": "2026-11-22T02:36:00Z", "flippedAt": "2026-11-22T02:36:08Z"}})
}

fn completed() -> Value {
    json!({"at": "t2", "generation": 1, "rule": "C5", "kind": "moveCompleted", "from": "westeurope",
        "to": "northeurope", "actor": "understudy",
        "times": {"firstFailedAt": "2026-11-22T02:36:00Z", "completedAt": "2026-11-22T02:36:12.5Z"}})
}

fn story(looks: &[Look]) -> Vec<String> {
    let scenes: Vec<Scene> = looks.iter().map(Look::scene).collect();
    scenes
        .windows(2)
        .flat_map(|pair| tell(Some(&pair[0]), &pair[1]))
        .map(|line| line.text)
        .collect()
}

fn north(moving: Value, state: &'static str, ready: bool, history: &[Value]) -> Look {
    Look {
        active: "northeurope",
        moving,
        north: state,
        ready,
        history: json!(history),
        ..Look::default()
    }
}

const FLIPPED: &str = "move      failover from westeurope to northeurope, generation 1, rule S1, by understudy, 8.0 s after the first failed probe";
const NOT_READY: &str = "lookup    now answers northeurope, generation 1, ready: false, streaming host host-northeurope";
const READY: &str =
    "lookup    now answers northeurope, generation 1, ready: true, streaming host host-northeurope";
const COMPLETE: &str = "move      complete: northeurope serves, generation 1, rule C5, 12.5 s after the first failed probe";

#[test]
fn the_first_look_shows_what_streams() {
    let lines = tell(None, &Look::default().scene());
    let lines: Vec<String> = lines.into_iter().map(|line| line.text).collect();
    assert_eq!(
        lines,
        [
            "lookup    answers westeurope, generation 0, ready: true, streaming host host-westeurope",
            "azure     ms-weu: streaming endpoint default is Running",
            "azure     ms-neu: streaming endpoint default is Stopped",
        ]
    );
}

#[test]
fn after_the_flip_the_second_region_comes_up() {
    let running = || failover("running", 1, None);
    let looks = [
        Look::default(),
        north(running(), "Stopped", false, &[flip()]),
        north(running(), "Starting", false, &[flip()]),
        north(running(), "Starting", false, &[flip()]),
        north(running(), "Running", false, &[flip()]),
        // The group was read before the last step was done, the history after it: told once.
        north(running(), "Running", true, &[completed(), flip()]),
        north(Value::Null, "Running", true, &[completed(), flip()]),
    ];
    assert_eq!(
        story(&looks),
        [
            FLIPPED,
            NOT_READY,
            "step      start streaming endpoint default in northeurope: running",
            "azure     ms-neu streaming endpoint default: Stopped -> Starting",
            "azure     ms-neu streaming endpoint default: Starting -> Running",
            "step      start streaming endpoint default in northeurope: done",
            READY,
            COMPLETE,
        ]
    );
}

#[test]
fn a_move_that_ends_between_two_looks_is_told_whole() {
    let looks = [
        Look::default(),
        north(failover("running", 1, None), "Stopped", false, &[flip()]),
        north(Value::Null, "Running", true, &[completed(), flip()]),
    ];
    let story = story(&looks);
    assert_eq!(
        story[3..],
        [
            "azure     ms-neu streaming endpoint default: Stopped -> Running",
            "step      start streaming endpoint default in northeurope: done",
            READY,
            COMPLETE,
        ]
    );
}

#[test]
fn a_step_that_fails_says_why_and_that_it_is_tried_again() {
    let failed = |attempts| failover("failed", attempts, Some("ARM answered 403"));
    let looks = [
        north(failover("waiting", 0, None), "Stopped", false, &[flip()]),
        north(failed(1), "Stopped", false, &[flip()]),
        north(failed(1), "Stopped", false, &[flip()]),
        north(failed(2), "Stopped", false, &[flip()]),
        // Replaced: it is not there any more, and was not done.
        north(Value::Null, "Stopped", true, &[flip()]),
    ];
    assert_eq!(
        story(&looks),
        [
            "step      start streaming endpoint default in northeurope: failed: ARM answered 403",
            "step      start streaming endpoint default in northeurope: failed, attempt 2: ARM answered 403",
            READY,
        ]
    );
}

#[test]
fn in_quiet_times_it_is_said_what_a_move_still_has_to_do() {
    let quiet = |moving| pulse(&north(moving, "Starting", false, &[flip()]).scene());
    let told = quiet(failover("running", 1, None)).unwrap().text;
    let ends = "generation 1; failover goes on: start streaming endpoint default is running";
    assert!(told.ends_with(ends), "{told}");
    let told = quiet(Value::Null).unwrap().text;
    assert!(told.ends_with("generation 1"), "{told}");
}

#[test]
fn a_preparation_is_told_before_anything_has_flipped() {
    let mut moving = failover("running", 1, None);
    moving["kind"] = json!("switchover");
    moving["flippedAt"] = Value::Null;
    let preparing = |state| Look {
        moving: moving.clone(),
        north: state,
        ..Look::default()
    };
    let looks = [Look::default(), preparing("Stopped"), preparing("Starting")];
    assert_eq!(
        story(&looks),
        [
            "move      switchover from westeurope to northeurope is being prepared; westeurope serves meanwhile",
            "step      start streaming endpoint default in northeurope: running",
            "azure     ms-neu streaming endpoint default: Stopped -> Starting",
        ]
    );
}

#[test]
fn a_planned_move_starts_the_one_flips_and_stops_the_other() {
    let moving = |start: &str, stop: &str| {
        json!({"id": "m1", "generation": 1, "kind": "switchover", "from": "westeurope", "to": "northeurope",
            "flippedAt": "2026-11-22T02:36:08Z", "steps": [
            {"name": "start streaming endpoint default", "state": start, "attempts": 1},
            {"name": "stop streaming endpoint default", "state": stop, "attempts": 0}]})
    };
    let mut preparing = moving("running", "waiting");
    preparing["flippedAt"] = Value::Null;
    let entry = json!({"at": "t1", "generation": 1, "rule": "P4", "kind": "switchover", "from": "westeurope",
        "to": "northeurope", "actor": "key", "times": {}});
    let looks = [
        Look {
            moving: preparing.clone(),
            north: "Starting",
            ..Look::default()
        },
        // The group was read before the flip, the lookup and the history after it.
        Look {
            moving: preparing,
            ..north(Value::Null, "Running", true, std::slice::from_ref(&entry))
        },
        Look {
            west: "Stopping",
            ..north(moving("done", "running"), "Running", true, &[entry])
        },
    ];
    assert_eq!(
        story(&looks),
        [
            "azure     ms-neu streaming endpoint default: Starting -> Running",
            "step      start streaming endpoint default in northeurope: done",
            "move      switchover from westeurope to northeurope, generation 1, rule P4, by key",
            READY,
            "step      stop streaming endpoint default in westeurope: running",
            "azure     ms-weu streaming endpoint default: Running -> Stopping",
        ]
    );
}

#[test]
fn what_a_move_left_is_told_until_it_is_stopped() {
    let left = |steps: Value| json!([{"site": "westeurope", "steps": steps}]);
    let stopping =
        json!([{"name": "stop streaming endpoint default", "state": "running", "attempts": 1}]);
    let look = |leftovers: Value| Look {
        leftovers,
        ..north(Value::Null, "Running", true, &[])
    };
    let looks = [
        look(left(json!([]))),
        look(left(stopping.clone())),
        look(json!([])),
    ];
    assert_eq!(
        story(&looks),
        [
            "step      stop streaming endpoint default in westeurope: running",
            "step      stop streaming endpoint default in westeurope: done",
        ]
    );
    // A site that is active again is left alone: nothing was stopped.
    let looks = [look(left(stopping)), Look::default()];
    let is_done = |line: &String| line.ends_with("done");
    assert!(!story(&looks).iter().any(is_done));
}
