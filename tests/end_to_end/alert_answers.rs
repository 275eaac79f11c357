//! What is answered to an alert that a group does nothing about: a repeat, a late one, one against a standby,
//! one of which nobody can say how far it has come.

use serde_json::{Value, json};
use understudy::sim::World;

use crate::alerts::{incident, send};
use crate::handler::Handler;
use crate::stage::{Stage, entries, fire, get, quick};

/// A world of groups that the same incidents speak of, whose rounds do not count for an hour after the first.
async fn stage(groups: usize) -> (Stage, Handler) {
    let world = World::fleet(groups, &["westeurope", "northeurope"], 1);
    let stage = Stage::set(world, quick().policy("probe_interval", "1h")).await;
    let handler = stage.handler().await;
    (stage, handler)
}

fn why(answer: &Value, group: &str) -> String {
    let ignored = answer["ignored"].as_array().unwrap();
    let of_group: Vec<&Value> = ignored.iter().filter(|one| one["group"] == group).collect();
    assert_eq!(of_group.len(), 1, "{group} in {answer}");
    of_group[0]["why"].as_str().unwrap().to_owned()
}

fn group_names(answer: &Value) -> Vec<String> {
    let matched = answer["matched"].as_array().unwrap();
    matched
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_and_a_late_message_are_told_of_every_group() {
    let (stage, handler) = stage(3).await;
    fire(&handler).await;
    let at = |stage_name: &str, minutes| {
        incident(
            stage.sim.world(),
            "REP-1",
            "West Europe",
            stage_name,
            minutes,
        )
    };
    let active = at("Active", 10);
    let first = send(&handler, &active).await;
    let groups = group_names(&first);
    assert_eq!((groups.len(), &first["ignored"]), (3, &json!([])));
    let over = at("Resolved", 5);
    for (body, words) in [
        (&active, "repeats a message"),
        (&at("Active", 20), "a later message"),
        (&at("Resolved", 20), "a later message"),
    ] {
        let answer = send(&handler, body).await;
        assert_eq!(group_names(&answer), groups);
        for group in &groups {
            assert!(why(&answer, group).contains(words), "{answer}");
        }
    }
    assert_eq!(
        send(&handler, &over).await["ignored"],
        json!([]),
        "the end is news"
    );
    for (body, words) in [(&over, "repeats a message"), (&active, "a later message")] {
        let answer = send(&handler, body).await;
        for group in &groups {
            assert!(why(&answer, group).contains(words), "{answer}");
        }
    }
    let mut recorded = at("Active", 1);
    recorded["data"]["alertContext"]["properties"]["incidentType"] = json!("Maintenance");
    recorded["data"]["alertContext"]["properties"]["trackingId"] = json!("REP-2");
    send(&handler, &recorded).await;
    let again = why(&send(&handler, &recorded).await, &groups[0]);
    assert!(
        again.contains("Maintenance") && again.contains("repeats"),
        "{again}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn before_its_first_row_a_group_is_on_its_primary() {
    let (stage, handler) = stage(1).await;
    let world = stage.sim.world();
    let standby = incident(world, "ROW-1", "North Europe", "Active", 5);
    let answer = send(&handler, &standby).await;
    let group = group_names(&answer).remove(0);
    assert!(
        why(&answer, &group).contains("northeurope is not active"),
        "{answer}"
    );
    let active = incident(world, "ROW-2", "West Europe", "Active", 5);
    let answer = send(&handler, &active).await;
    assert_eq!(answer, json!({"matched": [group], "ignored": []}));
    // A rule that names the group alone speaks of the primary as well.
    let mut named = incident(world, "ROW-3", "East US", "Active", 5);
    named["data"]["customProperties"] = json!({"understudyGroup": group});
    let answer = send(&handler, &named).await;
    assert_eq!(answer, json!({"matched": [group], "ignored": []}));
    assert!(
        stage.rows_of("group").await.is_empty(),
        "an alert makes no row of a group"
    );
    assert_eq!(stage.rows_of("alert").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_row_has_vanished_is_where_its_history_left_it() {
    let (stage, handler) = stage(1).await;
    fire(&handler).await;
    let world = stage.sim.world();
    let probe = incident(world, "GONE-0", "West Europe", "Active", 9);
    let group = group_names(&send(&handler, &probe).await).remove(0);
    let (status, answer) = crate::stage::post(
        &handler,
        &format!("/api/groups/{group}/failover"),
        &json!({"reason": "a drill of ours", "to": "northeurope"}),
    )
    .await;
    assert_eq!(status, 200, "{answer}");
    let key = stage.rows_of("group").await[0].key.clone();
    stage.remove_row(&key).await;
    // Another process, which remembers nothing.
    let another = stage.handler().await;
    let left = incident(world, "GONE-1", "West Europe", "Active", 5);
    let answer = send(&another, &left).await;
    assert!(
        why(&answer, &group).contains("westeurope is not active"),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_of_a_stage_that_nobody_knows_keeps_the_evidence_and_begins_none() {
    let (stage, handler) = stage(1).await;
    fire(&handler).await;
    let at = |id: &str, stage_name: &str, minutes| {
        let mut body = incident(stage.sim.world(), id, "West Europe", stage_name, minutes);
        body["data"]["alertContext"]["status"] = json!("Active");
        body
    };
    let answer = send(&handler, &at("UPD-1", "Active", 10)).await;
    let group = group_names(&answer).remove(0);
    let path = format!("/api/groups/{group}");
    let signal = async |id: &str| {
        let shown = get(&handler, &path).await;
        let signals = shown["signals"].as_array().unwrap().clone();
        signals
            .into_iter()
            .find(|signal| signal["id"] == id)
            .unwrap()
    };
    let before = signal("UPD-1").await;
    let answer = send(&handler, &at("UPD-1", "Update", 5)).await;
    assert_eq!(answer, json!({"matched": [group], "ignored": []}));
    let after = signal("UPD-1").await;
    assert_eq!(
        (&after["stage"], &after["isEvidence"]),
        (&json!("active"), &json!(true))
    );
    assert_eq!(after["receivedAt"], before["receivedAt"]);
    assert_ne!(after["expiresAt"], before["expiresAt"], "it lives longer");

    let answer = send(&handler, &at("UPD-2", "Update", 5)).await;
    assert!(why(&answer, &group).contains("`Update`"), "{answer}");
    let alone = signal("UPD-2").await;
    assert_eq!(
        (&alone["site"], &alone["isEvidence"]),
        (&json!("westeurope"), &json!(false))
    );
    assert!(
        alone["why"].as_str().unwrap().contains("`Update`"),
        "{alone}"
    );

    send(&handler, &at("UPD-1", "Final PIR", 2)).await;
    assert_eq!(signal("UPD-1").await["stage"], "resolved");
    fire(&handler).await;
    assert_eq!(entries(&handler, &group, "failover").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_known_schema_lacks_is_named_in_the_answer() {
    let (_stage, handler) = stage(1).await;
    let (status, text) = handler
        .post(
            "/api/alerts",
            r#"{"schemaId":"azureMonitorCommonAlertSchema"}"#,
        )
        .await;
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (status, &answer["error"]["code"]),
        (400, &json!("InvalidRequest"))
    );
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("`data.essentials`") && message.contains("missing"),
        "{message}"
    );
}
