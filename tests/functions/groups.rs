//! Groups, the list and the history as JSON.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::doors::{Doors, deployment, group, group_with_steps, next_millisecond};
use crate::rows::Mood;

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[tokio::test]
async fn a_group_shows_everything_that_is_known_of_it() {
    let doors = Doors::of(vec![group_with_steps("contoso")]);
    doors.seed(&["westeurope"]).await;
    let answer = doors.get("/api/groups/contoso").await;
    assert_eq!(answer.status, StatusCode::OK);
    let body = answer.json();
    for (member, expected) in [
        ("group", json!("contoso")),
        ("tenant", json!("tenant-contoso")),
        ("mode", json!("automatic")),
        ("generation", json!(0)),
        ("phase", json!("settled")),
        ("active", json!("westeurope")),
        ("signals", json!([])),
        ("paused", json!(null)),
        ("move", json!(null)),
    ] {
        assert_eq!(body.get(member), Some(&expected), "{member}");
    }
    assert_eq!(body["hold"]["code"], "HoldTime", "{}", body["hold"]);
    assert!(!body["explanation"].as_array().unwrap().is_empty());
    let site = &body["sites"][0];
    assert_eq!(
        (&site["site"], &site["role"], &site["verdict"]),
        (&json!("westeurope"), &json!("primary"), &json!("unhealthy"))
    );
    assert_eq!(body["sites"][1]["role"], "secondary");
    let account = &site["accounts"][0];
    assert_eq!(account["streak"], json!({"outcome":"failed","rounds":3}));
    assert_eq!(account["lastProbe"]["outcome"], "failed");
    assert_eq!(account["lastProbe"]["latencyMs"], 12);
    assert_eq!(account["lastProbe"]["detail"], "connection refused");
    assert_eq!(account["lastProbe"]["vantage"], "francecentral");
    let media = &site["accounts"][1];
    assert_eq!(media["service"], "mediaServices");
    assert_eq!(media["lastProbe"]["outcome"], "failed");
}

#[tokio::test]
async fn a_moving_group_shows_its_move_and_the_list_shows_less() {
    let doors = Doors::of(vec![group_with_steps("contoso")]);
    doors.seed(&[]).await;
    let ordered = doors
        .post("/api/groups/contoso/failover", r#"{"reason":"try"}"#)
        .await;
    assert_eq!(ordered.status, StatusCode::ACCEPTED);
    let body = doors.get("/api/groups/contoso").await.json();
    let moving = &body["move"];
    assert_eq!(body["phase"], "moving");
    assert_eq!(moving["kind"], "failover");
    assert_eq!(moving["cause"], "order");
    assert_eq!(moving["generation"], 1);
    assert_eq!(moving["from"], "westeurope");
    assert_eq!(moving["to"], "northeurope");
    assert!(moving["id"].is_string() && moving["startedAt"].is_string());
    assert!(moving["flippedAt"].is_string());
    let step = &moving["steps"][0];
    assert_eq!(keys(step), ["attempts", "detail", "name", "state"]);

    let list = doors.get("/api/groups?phase=moving").await.json();
    assert_eq!(list["next"], json!(null));
    let line = &list["groups"][0];
    assert_eq!(line["group"], "contoso");
    for member in ["signals", "explanation"] {
        assert_eq!(line.get(member), None);
    }
    assert_eq!(line["sites"][0].get("accounts"), None);
    assert_eq!(line["move"].get("steps"), None);
    assert_eq!(line["move"]["to"], "northeurope");
}

#[tokio::test]
async fn the_list_is_paged_and_filtered() {
    let names: Vec<String> = (0..120).map(|number| format!("g{number:03}")).collect();
    let doors = Doors::of(names.iter().map(|name| group(name)).collect());
    doors.seed(&[]).await;
    let first = doors.get("/api/groups").await.json();
    assert_eq!(first["groups"].as_array().unwrap().len(), 100);
    let next = first["next"].as_str().unwrap();
    let second = doors.get(&format!("/api/groups?next={next}")).await.json();
    assert_eq!(second["groups"].as_array().unwrap().len(), 20);
    assert_eq!(second["groups"][0]["group"], "g100");
    assert_eq!(second["next"], json!(null));
    let more = doors.get("/api/groups?top=1000").await.json();
    assert_eq!(more["groups"].as_array().unwrap().len(), 100);

    let mut seen = Vec::new();
    let mut path = "/api/groups?top=7".to_owned();
    loop {
        let page = doors.get(&path).await.json();
        let groups = page["groups"].as_array().unwrap().clone();
        seen.extend(
            groups
                .iter()
                .map(|group| group["group"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/api/groups?top=7&next={next}");
    }
    assert_eq!(seen, names);

    for (query, count) in [
        ("tenant=tenant-g001", 1),
        ("tenant=tenant-g001&tenant=tenant-g002", 2),
        ("tenant=nobody", 0),
        ("phase=moving", 0),
        ("phase=settled&top=3", 3),
        ("verdict=healthy&tenant=tenant-g001", 1),
        ("verdict=unhealthy,degraded", 0),
    ] {
        let page = doors.get(&format!("/api/groups?{query}")).await.json();
        assert_eq!(page["groups"].as_array().unwrap().len(), count, "{query}");
    }
    for (query, target) in [
        ("phase=resting", "phase"),
        ("verdict=ill", "verdict"),
        ("top=0", "top"),
        ("top=many", "top"),
        ("next=%21%21", "next"),
    ] {
        let answer = doors.get(&format!("/api/groups?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(answer.code(), "InvalidRequest");
        assert_eq!(answer.target(), target);
    }
}

#[tokio::test]
async fn history_is_newest_first_and_paged() {
    let doors = Doors::of(vec![group("contoso")]);
    doors.seed(&[]).await;
    for to in ["northeurope", "westeurope", "northeurope"] {
        let body = format!(r#"{{"reason":"to {to}","to":"{to}"}}"#);
        let answer = doors.post("/api/groups/contoso/failover", body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        next_millisecond().await;
    }
    let all = doors.get("/api/groups/contoso/history").await.json();
    let generations: Vec<i64> = all["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["generation"].as_i64().unwrap())
        .collect();
    assert_eq!(generations, [3, 2, 1]);
    let newest = &all["entries"][0];
    for (member, expected) in [
        ("kind", "failover"),
        ("from", "westeurope"),
        ("to", "northeurope"),
        ("actor", "key"),
        ("reason", "to northeurope"),
        ("cause", "order"),
    ] {
        assert_eq!(newest[member], expected, "{member}");
    }
    assert!(newest["times"]["flippedAt"].is_string());
    assert!(newest["rule"].is_string());
    assert_eq!(newest["evidence"].as_array().unwrap().len(), 2);
    assert_eq!(newest.get("forced"), None);

    let page = doors.get("/api/groups/contoso/history?top=2").await.json();
    assert_eq!(page["entries"].as_array().unwrap().len(), 2);
    let next = page["next"].as_str().unwrap();
    let rest = doors
        .get(&format!("/api/groups/contoso/history?top=2&next={next}"))
        .await
        .json();
    assert_eq!(rest["entries"][0]["generation"], 1);
    assert_eq!(rest["next"], json!(null));
}

#[tokio::test]
async fn an_active_site_that_is_not_configured_any_more_is_kept_and_said() {
    let doors = Doors::of(vec![group("contoso")]);
    doors.seed(&[]).await;
    let mut changed = group("contoso");
    changed.sites[0].name = "elsewhere".into();
    let later = Doors::over(doors.rows, deployment(vec![changed]), false);
    let body = later.get("/api/groups/contoso").await.json();
    assert_eq!(body["active"], "westeurope");
    let kept = &body["sites"][2];
    assert_eq!(kept["site"], "westeurope");
    assert_eq!(kept["role"], json!(null));
    assert_eq!(kept["verdict"], "misconfigured");
    let listed = later.get("/api/groups?verdict=misconfigured").await.json();
    assert_eq!(listed["groups"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_group_whose_configuration_is_bad_is_answered_from_its_record() {
    let before = Doors::of(vec![group("broken")]);
    before.seed(&[]).await;
    let doors = Doors::over(before.rows, deployment(vec![]), false);
    assert_eq!(
        doors.get("/api/groups/broken/active").await.json()["site"],
        "westeurope"
    );
    let body = doors.get("/api/groups/broken").await.json();
    assert_eq!(body["active"], "westeurope");
    assert_eq!(body["mode"], json!(null));
    let answer = doors
        .post("/api/groups/broken/failover", r#"{"reason":"x"}"#)
        .await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_eq!(answer.code(), "GroupMisconfigured");
}

#[tokio::test]
async fn unknown_groups_and_a_silent_store_are_told_apart() {
    let doors = Doors::of(vec![group("contoso")]);
    for path in ["/api/groups/nobody", "/api/groups/nobody/history"] {
        assert_eq!(doors.get(path).await.code(), "GroupNotFound");
    }
    doors.rows.be(Mood::Down);
    for path in [
        "/api/groups",
        "/api/groups/contoso",
        "/api/groups/contoso/history",
    ] {
        let answer = doors.get(path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.code(), "StoreUnavailable");
        assert_ne!(answer.header("retry-after"), "");
    }
}

#[tokio::test]
async fn a_group_that_waits_for_others_says_so() {
    let limited = |name: &str| {
        let mut spec = group_with_steps(name);
        spec.policy.max_groups_moving = 1;
        spec.policy.hold = jiff::SignedDuration::ZERO;
        spec
    };
    let doors = Doors::of(vec![limited("contoso"), limited("fabrikam")]);
    doors.seed(&["westeurope"]).await;
    let free = doors.get("/api/groups/fabrikam").await.json();
    assert_eq!(free["hold"], json!(null), "{free}");

    let order = json!({"reason": "it failed"}).to_string();
    let moved = doors.post("/api/groups/contoso/failover", order).await;
    assert_eq!(moved.status, StatusCode::ACCEPTED, "{}", moved.text);

    let waits = doors.again().get("/api/groups/fabrikam").await.json();
    assert_eq!(waits["hold"]["code"], "StormLimit", "{waits}");
    let all = doors.again().get("/api/groups").await.json();
    assert_eq!(all["groups"][1]["hold"]["code"], "StormLimit", "{all}");
    let message = waits["hold"]["message"].as_str().unwrap();
    assert!(
        message.ends_with("; see docs/runbook.md#hold-storm-limit"),
        "{message}"
    );
}

#[tokio::test]
async fn a_group_that_only_observes_is_told_of_no_storm_that_is_not() {
    let mut spec = group_with_steps("contoso");
    spec.policy.mode = understudy::model::policy::Mode::Observe;
    spec.policy.hold = jiff::SignedDuration::ZERO;
    let doors = Doors::of(vec![spec]);
    doors.seed(&["westeurope"]).await;
    let group = doors.get("/api/groups/contoso").await.json();
    assert_eq!(group["hold"]["code"], "ObserveMode", "{group}");
    assert!(!group.to_string().contains("StormLimit"), "{group}");
}

#[tokio::test]
async fn a_refused_order_and_the_group_name_the_section_of_the_runbook() {
    let doors = Doors::of(vec![group("contoso")]);
    doors.seed(&["westeurope", "northeurope"]).await;
    let group = doors.get("/api/groups/contoso").await.json();
    let order = json!({"reason": "it failed"}).to_string();
    let refused = doors.post("/api/groups/contoso/failover", order).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let refused = refused.json();
    let named = |code: &Value, message: &Value| {
        let spelled = match code.as_str().unwrap() {
            "AllSitesDown" => "all-sites-down",
            "GlobalFault" => "global-fault",
            "TargetUnfit" => "target-unfit",
            other => panic!("{other}"),
        };
        let wanted = format!("; see docs/runbook.md#hold-{spelled}");
        let message = message.as_str().unwrap();
        assert!(message.ends_with(&wanted), "{message}");
    };
    named(&group["hold"]["code"], &group["hold"]["message"]);
    named(&refused["error"]["code"], &refused["error"]["message"]);
    named(&refused["hold"]["code"], &refused["hold"]["message"]);
    assert_eq!(keys(&group["hold"]), ["code", "message"]);
    let history = doors.get("/api/groups/contoso/history").await.json();
    let told = &history["entries"][0]["hold"];
    named(&told["code"], &told["message"]);
    let explanation = group["explanation"].to_string();
    for part in ["#hold-", "see docs/runbook.md#verdict-unhealthy"] {
        assert!(explanation.contains(part), "{part}: {explanation}");
    }
}

#[tokio::test]
async fn the_beginning_of_a_group_without_a_row_does_not_move_with_the_clock() {
    let doors = Doors::of(vec![group("contoso")]);
    next_millisecond().await;
    let asked_at = jiff::Timestamp::now();
    for path in ["/api/groups/contoso", "/api/groups/contoso/active"] {
        let since = doors.get(path).await.json()["since"].clone();
        let since: jiff::Timestamp = since.as_str().unwrap().parse().unwrap();
        assert!(since < asked_at, "{path}: {since}");
    }
}
