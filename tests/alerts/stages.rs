//! Stages and conditions: what ends an incident, what begins one, and what does neither.

use super::*;

fn staged(stage: &str, event_at: &str) -> Alert {
    let mut body = bodies::incident_at("Active", event_at);
    body["data"]["alertContext"]["properties"]["stage"] = json!(stage);
    parsed(&body)
}

const FIRST: &str = "2026-03-01T10:00:00Z";
const LATER: &str = "2026-03-01T11:00:00Z";
const LAST: &str = "2026-03-01T11:30:00Z";
/// Stages that neither begin nor end an incident: documented for maintenance, or heard of nowhere.
const UNCLEAR: [&str; 6] = [
    "Planned",
    "InProgress",
    "Rescheduled",
    "Update",
    "Monitoring",
    "x",
];

#[test]
fn an_incident_ends_by_every_word_that_says_so() {
    for stage in [
        "Resolved",
        "RCA",
        "rca",
        "Complete",
        "Canceled",
        "Cancelled",
        "Preliminary PIR",
        "PreliminaryPIR",
        "Final PIR",
        "False Positive",
    ] {
        let over = staged(stage, LATER);
        assert_eq!(
            (over.stage, over.is_unclear),
            (SignalStage::Resolved, false),
            "{stage}"
        );
        let kept = newer(Some(&staged("Active", FIRST)), &over).unwrap();
        assert_eq!(kept.stage, SignalStage::Resolved, "{stage}");
    }
    let mut body = bodies::incident_at("Active", LATER);
    body["data"]["alertContext"]["properties"]["eventTags"] = json!(["False Positive"]);
    assert_eq!(parsed(&body).stage, SignalStage::Resolved);
}

#[test]
fn an_update_of_a_running_incident_withdraws_nothing_and_lengthens_its_life() {
    let mut active = staged("Active", FIRST);
    active.received_at = at("2026-03-01T10:01:00Z");
    active.updated_at = active.received_at;
    for stage in UNCLEAR {
        let update = staged(stage, LATER);
        let kept = newer(Some(&active), &update).unwrap();
        assert_eq!(
            (kept.stage, &kept.recorded_only),
            (SignalStage::Active, &None),
            "{stage}"
        );
        assert_eq!(
            kept.received_at, active.received_at,
            "no new round is asked for"
        );
        assert_eq!(kept.updated_at, now());
        assert_eq!(kept.impacts, active.impacts);
        assert_eq!(newer(Some(&kept), &update), None, "a repeat");
        let over = newer(Some(&kept), &staged("Resolved", LAST)).unwrap();
        assert_eq!(over.stage, SignalStage::Resolved);
    }
}

#[test]
fn an_end_that_comes_after_a_later_unclear_message_is_not_lost() {
    let sick = |health: &str, event_at: &str| {
        let mut body = bodies::resource_health(health, "PlatformInitiated", "Active");
        body["data"]["alertContext"]["eventTimestamp"] = json!(event_at);
        parsed(&body)
    };
    let down = sick("Unavailable", "2026-03-01T10:04:00Z");
    let unknown = sick("Unknown", LAST);
    let end = sick("Available", LATER);
    let kept = newer(Some(&down), &unknown).unwrap();
    assert_eq!(
        (kept.event_at, kept.unclear_at),
        (down.event_at, Some(at(LAST)))
    );
    let over = newer(Some(&kept), &end).expect("the end is news");
    assert_eq!(over.stage, SignalStage::Resolved);
    assert_eq!(newer(Some(&over), &unknown), None, "it reopens nothing");

    // An unclear message that is older than the last one lengthens nothing, whatever came in between.
    let again = sick("Degraded", LATER);
    let kept = newer(Some(&kept), &again).expect("it goes on");
    assert_eq!(newer(Some(&kept), &unknown), None, "a repeat");
    let between = sick("Unknown", "2026-03-01T11:15:00Z");
    assert_eq!(newer(Some(&kept), &between), None);
    let why = why_known(&kept, &between);
    assert!(
        why.contains("a later message of 2026-03-01T11:30:00Z"),
        "{why}"
    );

    // The same where the unclear one came first of all.
    let kept = newer(Some(&unknown), &down).expect("it begins");
    assert_eq!(newer(Some(&kept), &unknown), None, "a repeat");
    assert!(newer(Some(&kept), &end).is_some());
}

#[test]
fn a_stage_that_nobody_knows_begins_nothing_and_says_so() {
    for stage in UNCLEAR {
        let alone = staged(stage, FIRST);
        let why = alone.recorded_only.clone().unwrap();
        assert!(why.contains(stage) && why.contains("neither"), "{why}");
        let found = signals(&[Told::of(&alone)], &bodies::group(), None, now());
        assert!(!found[0].is_evidence, "{stage}");
        let begun = newer(Some(&alone), &staged("Active", LATER)).unwrap();
        assert_eq!(
            (begun.is_unclear, &begun.recorded_only),
            (false, &None),
            "{stage}"
        );
        assert_eq!(begun.received_at, now(), "it needs a round of its own");
        let late = newer(Some(&staged(stage, LATER)), &staged("Active", FIRST)).unwrap();
        assert_eq!(
            late.recorded_only, None,
            "the message that began it came late"
        );
    }
}

#[test]
fn a_stage_that_nobody_knows_reopens_nothing() {
    let over = staged("Resolved", FIRST);
    for stage in UNCLEAR {
        let after = staged(stage, LATER);
        assert_eq!(newer(Some(&over), &after), None, "{stage}");
        assert!(why_known(&over, &after).contains("does not say that it goes on again"));
    }
    assert!(newer(Some(&over), &staged("Active", LATER)).is_some());
}

#[test]
fn without_a_stage_the_status_is_read() {
    for (stage, status, wanted) in [
        (Value::Null, "Active", (SignalStage::Active, false)),
        (Value::Null, "Resolved", (SignalStage::Resolved, false)),
        (
            json!("Postmortem"),
            "Resolved",
            (SignalStage::Resolved, false),
        ),
        (Value::Null, "", (SignalStage::Active, true)),
    ] {
        let mut body = bodies::incident_at("Active", FIRST);
        body["data"]["alertContext"]["properties"]["stage"] = stage;
        body["data"]["alertContext"]["status"] = json!(status);
        let alert = parsed(&body);
        assert_eq!((alert.stage, alert.is_unclear), wanted, "{status}");
        assert_eq!(alert.recorded_only.is_some(), alert.is_unclear);
    }
}

#[test]
fn a_maintenance_is_recorded_at_every_stage() {
    for stage in [
        "Active",
        "Planned",
        "InProgress",
        "Rescheduled",
        "Canceled",
        "Resolved",
        "Complete",
    ] {
        let mut body = bodies::incident_at("Active", FIRST);
        let properties = &mut body["data"]["alertContext"]["properties"];
        properties["incidentType"] = json!("Maintenance");
        properties["stage"] = json!(stage);
        let alert = parsed(&body);
        assert!(
            alert.recorded_only.unwrap().contains("Maintenance"),
            "{stage}"
        );
        let is_over = ["Canceled", "Resolved", "Complete"].contains(&stage);
        assert_eq!(alert.stage == SignalStage::Resolved, is_over, "{stage}");
    }
}

#[test]
fn a_condition_that_is_neither_fired_nor_resolved_is_recorded_with_why() {
    let fired = parsed(&bodies::measured("Platform", "Fired"));
    for condition in [json!("Acknowledged"), json!(""), Value::Null, json!(5)] {
        let mut body = bodies::measured("Platform", "Fired");
        body["data"]["essentials"]["monitorCondition"] = condition.clone();
        body["data"]["essentials"]["firedDateTime"] = json!(LATER);
        let alert = parsed(&body);
        let why = alert.recorded_only.clone().unwrap();
        assert!(why.contains("monitorCondition"), "{why}");
        assert!(alert.is_unclear, "{condition}");
        let kept = newer(Some(&fired), &alert).unwrap();
        assert_eq!(kept.recorded_only, None, "what fired goes on: {condition}");
    }
    let older = parsed(&bodies::metric_in_the_older_schema("Pending"));
    assert!(older.recorded_only.unwrap().contains("`Pending`"));
}

#[test]
fn an_unknown_resource_health_is_neither_an_outage_nor_its_end() {
    let down = parsed(&bodies::resource_health(
        "Unavailable",
        "PlatformInitiated",
        "Active",
    ));
    let mut body = bodies::resource_health("Unknown", "PlatformInitiated", "Active");
    body["data"]["alertContext"]["eventTimestamp"] = json!(LATER);
    let unknown = parsed(&body);
    assert!(unknown.recorded_only.is_some());
    let kept = newer(Some(&down), &unknown).unwrap();
    assert_eq!(
        (kept.stage, kept.recorded_only),
        (SignalStage::Active, None)
    );
}
