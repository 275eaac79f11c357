//! Timers against what is known of the host: when they fire, what is remembered, what is past due.

use jiff::Timestamp;
use serde_json::json;
use understudy::local::monitor::{Status, start};
use understudy::local::schedule::Schedule;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn schedule(text: &str) -> Schedule {
    Schedule::parse(text).unwrap()
}

#[test]
fn the_next_firing() {
    for (text, after, expected) in [
        (
            "*/2 * * * * *",
            "2026-11-22T02:36:16.5Z",
            "2026-11-22T02:36:18Z",
        ),
        (
            "*/2 * * * * *",
            "2026-11-22T02:36:16Z",
            "2026-11-22T02:36:18Z",
        ),
        (
            "0 */5 * * * *",
            "2026-11-22T02:36:16Z",
            "2026-11-22T02:40:00Z",
        ),
        // Five fields: at second 0.
        (
            "*/5 * * * *",
            "2026-11-22T02:36:16Z",
            "2026-11-22T02:40:00Z",
        ),
        // Both day fields must match: the next Friday the 13th.
        (
            "0 0 0 13 * 5",
            "2026-11-22T00:00:00Z",
            "2027-08-13T00:00:00Z",
        ),
        (
            "0 0 0 * * 0",
            "2026-11-23T00:00:00Z",
            "2026-11-29T00:00:00Z",
        ),
        (
            "0 0 6 * JUL Wed",
            "2026-11-23T00:00:00Z",
            "2027-07-07T06:00:00Z",
        ),
        ("00:00:30", "2026-11-22T02:36:16Z", "2026-11-22T02:36:46Z"),
        ("1.00:00:00", "2026-11-22T02:36:16Z", "2026-11-23T02:36:16Z"),
    ] {
        let next = schedule(text).next_after(at(after)).unwrap();
        assert_eq!(next, at(expected), "{text}");
    }
}

#[test]
fn what_the_host_does_not_take() {
    for bad in [
        "",
        "x",
        "* * * *",
        "* * * * * * *",
        "0 0 0 L * *",
        "@hourly",
        "0 0 0 * * 5#2",
        "0 0 0 15W * *",
        "0 0 0 31 2 *",
        "0 60 * * * *",
        "0 0 0 ? * *",
        "00:61:00",
        "00:00:00",
    ] {
        let why = Schedule::parse(bad).unwrap_err();
        assert!(
            why.contains("was not recognized as a valid cron expression"),
            "{bad}: {why}"
        );
    }
}

#[test]
fn two_firings_within_a_minute_are_not_monitored() {
    let now = at("2026-11-22T02:36:16Z");
    for (text, is_monitored) in [
        ("*/30 * * * * *", false),
        ("* * * * * *", false),
        ("00:00:59", false),
        ("00:01:00", true),
        ("0 * * * * *", true),
        ("0 0 0 1 1 *", true),
        // Twice in the first minute of an hour, which is not now.
        ("0,30 0 * * * *", true),
        ("20,40 36 2 * * *", false),
    ] {
        assert_eq!(schedule(text).can_be_monitored(now), is_monitored, "{text}");
    }
}

const HOURLY: &str = "0 0 * * * *";

#[test]
fn a_timer_without_a_past_waits_for_its_next_time() {
    let now = at("2026-11-22T02:36:16Z");
    let start = start(None, &schedule(HOURLY), now).unwrap();
    assert!(!start.is_past_due);
    assert_eq!((start.status.last, start.status.updated), (None, None));
    assert_eq!(start.status.next, at("2026-11-22T03:00:00Z"));
    // What is stored at once makes a first run that is missed count.
    let stored = start.stored.unwrap();
    assert_eq!((stored.last, stored.updated), (None, Some(now)));
    let later = at("2026-11-22T03:00:01Z");
    assert!(super_start(stored.clone(), later));
    assert!(!super_start(stored, at("2026-11-22T02:59:59Z")));
}

fn super_start(stored: Status, now: Timestamp) -> bool {
    start(Some(stored), &schedule(HOURLY), now)
        .unwrap()
        .is_past_due
}

#[test]
fn one_call_makes_up_for_any_number_of_missed_runs() {
    let stored = Status {
        last: Some(at("2026-11-20T10:00:00.0096035Z")),
        next: at("2026-11-20T11:00:00Z"),
        updated: Some(at("2026-11-20T10:00:00.0096035Z")),
    };
    let now = at("2026-11-22T02:36:16Z");
    let start = start(Some(stored.clone()), &schedule(HOURLY), now).unwrap();
    assert!(start.is_past_due && start.stored.is_none());
    // It tells of the first that was missed.
    assert_eq!(start.status, stored);
    let after = start.status.after(now, false, &schedule(HOURLY)).unwrap();
    assert_eq!(
        (after.last, after.next),
        (Some(now), at("2026-11-22T03:00:00Z"))
    );
}

#[test]
fn another_schedule_is_never_past_due() {
    let stored = |next: &str| Status {
        last: Some(at("2026-11-22T02:30:00Z")),
        next: at(next),
        updated: Some(at("2026-11-22T02:30:00Z")),
    };
    let now = at("2026-11-22T03:36:16Z");
    // Every ten minutes before, hourly now, and the hour that followed the last run is over.
    let begun = start(Some(stored("2026-11-22T02:40:00Z")), &schedule(HOURLY), now).unwrap();
    assert!(!begun.is_past_due);
    assert_eq!(begun.status.next, at("2026-11-22T04:00:00Z"));
    assert_eq!((begun.status.last, begun.status.updated), (None, Some(now)));
    assert_eq!(begun.stored, Some(begun.status));
    let early = at("2026-11-22T02:36:16Z");
    let begun = start(
        Some(stored("2026-11-22T02:40:00Z")),
        &schedule(HOURLY),
        early,
    )
    .unwrap();
    assert_eq!(begun.status.next, at("2026-11-22T03:00:00Z"));
}

#[test]
fn a_run_that_came_early_is_not_due_again() {
    let status = Status {
        last: None,
        next: at("2026-11-22T03:00:00Z"),
        updated: None,
    };
    let early = at("2026-11-22T02:59:59.9Z");
    let after = status.after(early, true, &schedule(HOURLY)).unwrap();
    assert_eq!(
        (after.last, after.next),
        (Some(status.next), at("2026-11-22T04:00:00Z"))
    );
    // What a long run has missed is skipped: the next time counts from its begin.
    let late = status.after(
        at("2026-11-22T03:00:02Z"),
        true,
        &schedule("*/10 * * * * *"),
    );
    assert_eq!(late.unwrap().next, at("2026-11-22T03:00:10Z"));
}

#[test]
fn a_status_is_written_and_read_as_the_host_does() {
    let known = json!({"Last": "2026-09-24T13:08:00.0096035+00:00", "Next": "2026-09-24T13:09:00+00:00", "LastUpdated": "2026-09-24T13:08:00.0096035+00:00"});
    let status = Status::from_json(&known).unwrap();
    assert_eq!(json!(status), known);
    for never in ["0001-01-01T00:00:00", "0001-01-01T00:00:00+00:00"] {
        let status = Status::from_json(
            &json!({"Last": never, "Next": "2026-09-24T15:09:00+02:00", "LastUpdated": never}),
        );
        let status = status.unwrap();
        assert_eq!((status.last, status.updated), (None, None));
        assert_eq!(status.next, at("2026-09-24T13:09:00Z"));
        assert_eq!(json!(status)["Last"], "0001-01-01T00:00:00");
    }
    assert_eq!(Status::from_json(&json!({"Last": null})), None);
}
