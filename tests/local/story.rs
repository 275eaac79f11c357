//! The story of an outage, look by look.

use jiff::Timestamp;
use understudy::local::scene::{History, Lookup, Scene};
use understudy::local::story::{pulse, tell};

fn scene(second: i64, group: &str, lookup: (&str, u64), history: &str) -> Scene {
    Scene {
        at: Timestamp::from_second(1_780_000_000 + second).unwrap(),
        base: "http://127.0.0.1:7071".to_owned(),
        group: Some(serde_json::from_str(group).unwrap()),
        lookup: Some(Lookup {
            site: lookup.0.to_owned(),
            generation: lookup.1,
            ready: true,
            ..Lookup::default()
        }),
        history: serde_json::from_str::<History>(history).unwrap().entries,
        outside: Vec::new(),
    }
}

/// A group whose first site is in this state; the other one is well.
fn group(
    active: &str,
    verdict: &str,
    outcome: &str,
    rounds: u64,
    probed: u64,
    hold: &str,
) -> String {
    let generation = u64::from(active == "northeurope");
    format!(
        r#"{{"group":"contoso","generation":{generation},"active":"{active}","hold":{hold},"sites":[
        {{"site":"westeurope","role":"primary","verdict":"{verdict}","accounts":[{{"service":"http","name":"captions",
          "verdict":"{verdict}","streak":{{"outcome":"{outcome}","rounds":{rounds}}},
          "lastProbe":{{"at":"t{probed}","outcome":"{outcome}","latencyMs":12,"detail":"connection refused"}}}}]}},
        {{"site":"northeurope","role":"secondary","verdict":"healthy","accounts":[]}}]}}"#
    )
}

fn hold_until(second: i64) -> String {
    let until = Timestamp::from_second(1_780_000_000 + second).unwrap();
    format!(r#"{{"code":"HoldTime","message":"waiting","until":"{until}"}}"#)
}

fn told(previous: Option<&Scene>, current: &Scene) -> Vec<String> {
    tell(previous, current)
        .into_iter()
        .map(|line| line.text)
        .collect()
}

const NOTHING: &str = r#"{"entries":[]}"#;
const FAILOVER: &str = r#"{"entries":[{"at":"t9","generation":1,"rule":"T07","kind":"failover","from":"westeurope",
    "to":"northeurope","actor":"understudy","times":{"firstFailedAt":"2026-11-22T02:36:00Z","flippedAt":"2026-11-22T02:36:08.5Z"}}]}"#;

#[test]
fn the_first_look_shows_what_is_there() {
    let first = scene(
        0,
        &group("westeurope", "healthy", "ok", 1, 1, "null"),
        ("westeurope", 0),
        NOTHING,
    );
    assert_eq!(
        told(None, &first),
        [
            "probe     westeurope http captions: ok after 12 ms",
            "verdict   westeurope (primary, active) is healthy",
            "verdict   northeurope (secondary, standby) is healthy",
            "          all 2 regions are healthy; westeurope is active",
            "lookup    answers westeurope, generation 0, ready: true",
        ]
    );
}

#[test]
fn the_same_again_is_no_news() {
    let first = scene(
        0,
        &group("westeurope", "healthy", "ok", 1, 1, "null"),
        ("westeurope", 0),
        NOTHING,
    );
    let next = scene(
        2,
        &group("westeurope", "healthy", "ok", 2, 2, "null"),
        ("westeurope", 0),
        NOTHING,
    );
    assert!(told(Some(&first), &next).is_empty());
    assert_eq!(
        pulse(&next).unwrap().text,
        "still     westeurope (active) healthy, northeurope healthy, generation 0"
    );
}

/// One look at a group with a first site in this state; the lookup and the history are the last before or the first
/// after the move.
fn look(second: i64, state: (&str, &str, &str, u64, u64), hold: &str, is_moved: bool) -> Scene {
    let (active, verdict, outcome, rounds, probed) = state;
    let (answer, history) = if is_moved {
        (("northeurope", 1), FAILOVER)
    } else {
        (("westeurope", 0), NOTHING)
    };
    scene(
        second,
        &group(active, verdict, outcome, rounds, probed, hold),
        answer,
        history,
    )
}

#[test]
fn an_outage_is_told_from_the_first_failed_probe_to_the_new_answer() {
    let (west, north) = ("westeurope", "northeurope");
    let hold = hold_until(9);
    let looks = [
        look(0, (west, "healthy", "ok", 5, 1), "null", false),
        look(2, (west, "healthy", "failed", 1, 2), "null", false),
        look(4, (west, "healthy", "failed", 2, 3), "null", false),
        look(6, (west, "unhealthy", "failed", 3, 4), &hold, false),
        look(7, (west, "unhealthy", "failed", 3, 4), &hold, false),
        // Another failed round: no news any more; no second passed either.
        look(7, (west, "unhealthy", "failed", 4, 5), &hold, false),
        look(10, (west, "unhealthy", "failed", 4, 5), &hold, false),
        // The hold is over and the move not there yet.
        look(10, (west, "unhealthy", "failed", 4, 5), "null", false),
        // The lookup was asked after the group, and already knows.
        look(11, (west, "unhealthy", "failed", 4, 5), "null", true),
        look(12, (north, "unhealthy", "failed", 5, 6), "null", true),
    ];
    let story: Vec<String> = looks
        .windows(2)
        .flat_map(|pair| told(Some(&pair[0]), &pair[1]))
        .collect();
    assert_eq!(
        story,
        [
            "probe     westeurope http captions: failed: connection refused",
            "probe     westeurope http captions: failed, 2 in a row",
            "probe     westeurope http captions: failed, 3 in a row",
            "verdict   westeurope (primary, active) is unhealthy",
            "hold      HoldTime: 3 s until the move, unless the site answers",
            "hold      HoldTime: 2 s until the move, unless the site answers",
            "hold      HoldTime is over: the next round decides",
            "move      failover from westeurope to northeurope, generation 1, rule T07, by understudy, 8.5 s after the first failed probe",
            "lookup    now answers northeurope, generation 1, ready: true",
        ]
    );
}

#[test]
fn recovery_comes_with_the_command_for_failback() {
    let down = scene(
        0,
        &group("northeurope", "unhealthy", "failed", 9, 1, "null"),
        ("northeurope", 1),
        FAILOVER,
    );
    let hold = r#"{"code":"FailbackIsManual","message":"failback is left to people"}"#;
    let well = scene(
        4,
        &group("northeurope", "healthy", "ok", 2, 2, hold),
        ("northeurope", 1),
        FAILOVER,
    );
    assert_eq!(
        told(Some(&down), &well),
        [
            "probe     westeurope http captions: ok, 2 in a row after 12 ms",
            "verdict   westeurope (primary, standby) is healthy",
            "          all 2 regions are healthy; northeurope is active",
            "recovery  westeurope is well again; northeurope stays active, for failback is left to you:",
            "          curl -X POST http://127.0.0.1:7071/api/groups/contoso/failback -H 'content-type: application/json' -d '{\"reason\":\"westeurope is well again\"}'",
        ]
    );
}

#[test]
fn a_site_that_answers_in_time_ends_the_hold() {
    let held = scene(
        0,
        &group("westeurope", "unhealthy", "failed", 3, 1, &hold_until(3)),
        ("westeurope", 0),
        NOTHING,
    );
    let answered = scene(
        2,
        &group("westeurope", "unhealthy", "ok", 1, 2, "null"),
        ("westeurope", 0),
        NOTHING,
    );
    assert_eq!(
        told(Some(&held), &answered),
        [
            "probe     westeurope http captions: ok after 12 ms",
            "hold      ends: the active site answers again",
        ]
    );
}

#[test]
fn another_hold_is_named_once() {
    let paused = r#"{"code":"Paused","message":"paused by key for an hour"}"#;
    let before = scene(
        0,
        &group("westeurope", "unhealthy", "failed", 3, 1, "null"),
        ("westeurope", 0),
        NOTHING,
    );
    let held = scene(
        1,
        &group("westeurope", "unhealthy", "failed", 3, 1, paused),
        ("westeurope", 0),
        NOTHING,
    );
    assert_eq!(
        told(Some(&before), &held),
        ["hold      Paused: paused by key for an hour"]
    );
    assert!(told(Some(&held), &held).is_empty());
}

#[test]
fn an_app_that_is_gone_is_told_once() {
    let there = scene(
        0,
        &group("westeurope", "healthy", "ok", 1, 1, "null"),
        ("westeurope", 0),
        NOTHING,
    );
    let gone = Scene {
        group: None,
        lookup: None,
        ..there.clone()
    };
    assert_eq!(
        told(Some(&there), &gone),
        ["the app does not answer at the moment"]
    );
    assert!(told(Some(&gone), &gone).is_empty());
}
