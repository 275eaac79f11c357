//! Orders: what is refused for its form, what is answered to the rest, and who gave them.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::json;
use understudy::functions::order::MEMBERS;

use crate::doors::{Doors, deployment, group, group_with_steps, next_millisecond, request};
use crate::rows::Mood;

async fn seeded(unwell: &[&str]) -> Doors {
    let doors = Doors::of(vec![group("contoso")]);
    doors.seed(unwell).await;
    doors
}

fn path(order: &str) -> String {
    format!("/api/groups/contoso/{order}")
}

#[tokio::test]
async fn what_belongs_into_the_body_is_refused_in_the_query() {
    let doors = seeded(&["westeurope"]).await;
    let writes = doors.rows.writes();
    for name in MEMBERS {
        let upper = name.to_uppercase();
        for query in [
            format!("{name}=1"),
            format!("{upper}=true"),
            name.to_owned(),
            format!("code=k&{name}="),
        ] {
            let path = format!("{}?{query}", path("failover"));
            let answer = doors.post(&path, r#"{"reason":"x"}"#).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
            assert_eq!(answer.target(), name, "{query}");
        }
    }
    // The generation is compared before everything else.
    let path_with_query = format!("{}?dryRun=true", path("failover"));
    let answer = doors
        .post(&path_with_query, r#"{"reason":"x","ifGeneration":99}"#)
        .await;
    assert_eq!(answer.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(doors.rows.writes(), writes);
    // The host adds the caller's key.
    let path = format!("{}?code=k", path("failover"));
    let answer = doors.post(&path, r#"{"reason":"x"}"#).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_said_with_its_place() {
    let doors = seeded(&[]).await;
    let long = "x".repeat(1001);
    let long = json!({ "reason": long }).to_string();
    let deep = format!("{{\"reason\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
    let cases: Vec<(&str, &[u8], &str)> = vec![
        ("failover", b"", "reason"),
        ("failover", b"{}", "reason"),
        ("failover", br#"{"reason":null}"#, "reason"),
        ("failover", br#"{"reason":"  "}"#, "reason"),
        ("switchover", b"{}", "reason"),
        ("failback", b"{}", "reason"),
        ("pause", b"{}", "reason"),
        ("acknowledge", b"{}", "reason"),
        ("failover", long.as_bytes(), "reason"),
        ("failover", br#"{"reason":7}"#, "reason"),
        ("failover", br#"{"reason":"a\u0000b"}"#, "reason"),
        ("failover", br#"{"reason":"\ud800"}"#, "reason"),
        ("failover", deep.as_bytes(), "reason"),
        ("failover", br#"{"reason":"x","to":"mars"}"#, "to"),
        ("cancel", br#"{"to":"mars"}"#, "to"),
        ("failback", br#"{"reason":"x","to":"northeurope"}"#, "to"),
        ("failover", br#"{"reason":"x","force":"yes"}"#, "force"),
        ("failover", br#"{"reason":"x","dryRun":1}"#, "dryRun"),
        (
            "failover",
            br#"{"reason":"x","ifGeneration":-1}"#,
            "ifGeneration",
        ),
        (
            "failover",
            br#"{"reason":"x","ifGeneration":1e400}"#,
            "ifGeneration",
        ),
        (
            "failover",
            br#"{"reason":"x","ifGeneration":99999999999999999999}"#,
            "ifGeneration",
        ),
        ("failover", br#"{"reason":"x","site":"mars"}"#, "site"),
        ("failover", br#"{"reason":"x","for":"5m"}"#, "for"),
        ("pause", br#"{"reason":"x","for":"25h"}"#, "for"),
        ("pause", br#"{"reason":"x","for":"0s"}"#, "for"),
        ("pause", br#"{"reason":"x","for":"soon"}"#, "for"),
        ("pause", br#"{"reason":"x","for":60}"#, "for"),
        ("failover", b"[]", ""),
        ("failover", br#"["x"]"#, ""),
        ("failover", b"\"x\"", ""),
        ("failover", b"null", ""),
        ("failover", b"{", ""),
        ("failover", b"reason=x", ""),
        ("failover", br#"{"reason":"x"} {}"#, ""),
        ("failover", b"{\"reason\":\"\xff\"}", "reason"),
        ("failover", b"\0", ""),
    ];
    let writes = doors.rows.writes();
    for (order, body, target) in cases {
        let answer = doors.post(&path(order), body.to_vec()).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{order} {shown}: {}",
            answer.text
        );
        assert_eq!(answer.code(), "InvalidRequest", "{order} {shown}");
        assert_eq!(answer.target(), target, "{order} {shown}: {}", answer.text);
    }
    assert_eq!(doors.rows.writes(), writes, "nothing was written");
}

#[tokio::test]
async fn what_was_sent_is_not_sent_back_at_length() {
    let doors = seeded(&[]).await;
    let long = "x".repeat(500_000);
    for body in [
        json!({"reason": "x", "force": long}).to_string(),
        format!("{{\"{long}\":1}}"),
        json!({"reason": "x", "to": long}).to_string(),
    ] {
        let answer = doors.post(&path("failover"), body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.text.len() < 2000, "{} bytes", answer.text.len());
    }
}

#[tokio::test]
async fn all_that_is_wrong_is_said_at_once_and_the_sites_are_listed() {
    let doors = seeded(&[]).await;
    let answer = doors
        .post(&path("pause"), r#"{"to":"mars","for":"2d"}"#)
        .await;
    let body = answer.json();
    let details = body["error"]["details"].as_array().unwrap();
    let targets: Vec<&str> = details
        .iter()
        .map(|detail| detail["target"].as_str().unwrap())
        .collect();
    assert_eq!(targets, ["reason", "to", "for"]);
    assert!(
        details[1]["message"]
            .as_str()
            .unwrap()
            .contains("westeurope, northeurope")
    );
}

#[tokio::test]
async fn a_body_over_one_mebibyte_is_too_large_however_it_comes() {
    let doors = seeded(&[]).await;
    let whole = vec![b' '; 1024 * 1024 + 1];
    let answer = doors.post(&path("resume"), whole).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    answer.code();
    let chunk = || Ok::<_, std::io::Error>(vec![b' '; 256 * 1024]);
    let chunks = futures::stream::iter((0..5).map(move |_| chunk()));
    let answer = doors.post(&path("resume"), Body::from_stream(chunks)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let fits = vec![b' '; 1024 * 1024];
    assert_eq!(
        doors.post(&path("resume"), fits).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn unknown_groups_and_orders_are_not_found() {
    let doors = seeded(&[]).await;
    let answer = doors
        .post("/api/groups/nobody/failover", r#"{"reason":"x"}"#)
        .await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.code(), "GroupNotFound");
    let answer = doors.post(&path("explode"), "{}").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.code(), "NotFound");
    let answer = doors
        .post("/api/groups/broken/failover", r#"{"reason":"x"}"#)
        .await;
    assert_eq!(
        answer.code(),
        "GroupNotFound",
        "bad configuration and no record"
    );
}

#[tokio::test]
async fn a_move_without_steps_is_done_at_once() {
    let doors = seeded(&["westeurope"]).await;
    let answer = doors
        .post(&path("failover"), "\u{feff}{\"reason\":\"it burns\"}")
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let body = answer.json();
    assert_eq!(body["active"], "northeurope");
    assert_eq!(body["generation"], 1);
    assert_eq!(body["phase"], "settled");
}

#[tokio::test]
async fn a_move_with_steps_is_accepted_and_says_where_to_look() {
    let doors = Doors::of(vec![group_with_steps("contoso")]);
    doors.seed(&[]).await;
    for _ in 0..2 {
        let answer = doors.post(&path("failover"), r#"{"reason":"x"}"#).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        assert_eq!(answer.header("location"), "/api/groups/contoso");
        let body = answer.json();
        assert_eq!(body["generation"], 1, "a repeat is the running move");
        assert_eq!(body["move"]["kind"], "failover");
    }
}

#[tokio::test]
async fn a_held_order_is_a_conflict_with_the_holds_code() {
    let doors = seeded(&["northeurope"]).await;
    let answer = doors.post(&path("switchover"), r#"{"reason":"x"}"#).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
    assert_eq!(answer.code(), "TargetUnfit");
    assert_eq!(answer.json()["hold"]["code"], "TargetUnfit");
    next_millisecond().await;
    let forced = doors
        .post(&path("failover"), r#"{"reason":"x","force":true}"#)
        .await;
    assert_eq!(forced.status, StatusCode::OK, "{}", forced.text);
    let entry = &doors.get(&path("history")).await.json()["entries"][0];
    assert_eq!(entry["forced"], true);
}

#[tokio::test]
async fn the_generation_is_compared_before_everything_else() {
    let doors = seeded(&["northeurope"]).await;
    for body in [
        r#"{"reason":"x","ifGeneration":5}"#,
        r#"{"ifGeneration":5}"#,
        r#"{"reason":"x","to":"mars","ifGeneration":5}"#,
        r#"{"reason":"x","dryRun":true,"ifGeneration":5}"#,
    ] {
        let answer = doors.post(&path("switchover"), body).await;
        assert_eq!(answer.status, StatusCode::PRECONDITION_FAILED, "{body}");
        assert_eq!(answer.code(), "GenerationMismatch", "{body}");
    }
    let same = r#"{"ifGeneration":0}"#;
    assert_eq!(
        doors.post(&path("switchover"), same).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        doors.post(&path("resume"), same).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_dry_run_stops_at_the_write() {
    let doors = seeded(&[]).await;
    let writes = doors.rows.writes();
    let answer = doors
        .post(&path("failover"), r#"{"reason":"x","dryRun":true}"#)
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    let body = answer.json();
    assert_eq!(body["hold"], json!(null));
    let would = body["would"].as_object().unwrap();
    assert_eq!(would["to"], "northeurope");
    assert_eq!(would["generation"], 1);
    for absent in ["id", "startedAt", "flippedAt"] {
        assert!(!would.contains_key(absent), "{absent}");
    }
    assert_eq!(doors.rows.writes(), writes);

    let held = Doors::of(vec![group("contoso")]);
    held.seed(&["northeurope"]).await;
    let answer = held
        .post(&path("switchover"), r#"{"reason":"x","dryRun":true}"#)
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["would"], json!(null));
    assert_eq!(answer.json()["hold"]["code"], "TargetUnfit");
}

#[tokio::test]
async fn orders_that_end_something_need_no_body() {
    let doors = seeded(&[]).await;
    let paused = doors
        .post(&path("pause"), r#"{"reason":"maintenance","for":"2h"}"#)
        .await;
    assert_eq!(paused.status, StatusCode::OK);
    let pause = &paused.json()["paused"];
    assert_eq!(pause["by"], "key");
    assert_eq!(pause["reason"], "maintenance");
    let span = |name: &str| {
        pause[name]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
    };
    assert_eq!(span("until").duration_since(span("since")).as_hours(), 2);
    for order in ["resume", "cancel", "drill"] {
        let answer = doors.post(&path(order), "").await;
        assert_eq!(answer.status, StatusCode::OK, "{order}: {}", answer.text);
        assert_eq!(answer.json()["paused"], json!(null));
    }
}

#[tokio::test]
async fn the_actor_is_the_principal_only_where_it_is_trusted() {
    let headers = |names: &[(&'static str, &'static str)]| {
        request(
            Method::POST,
            &path("pause"),
            names,
            Body::from(r#"{"reason":"x"}"#),
        )
    };
    let both = [
        ("x-ms-client-principal-name", "ada@example.com"),
        ("x-ms-client-principal-id", "4711"),
        ("x-functions-key", "s3cret"),
    ];
    let doors = seeded(&[]).await;
    let answer = doors.send(headers(&both)).await;
    assert_eq!(answer.json()["paused"]["by"], "key");
    assert!(!answer.text.contains("s3cret"));
    let trusting = Doors::over(doors.rows, deployment(vec![group("contoso")]), true);
    for (names, actor) in [
        (&both[..], "ada@example.com"),
        (&both[1..], "4711"),
        (
            &[
                ("x-ms-client-principal-name", "  "),
                ("x-ms-client-principal-id", "4711"),
            ][..],
            "4711",
        ),
        (&both[2..], "key"),
    ] {
        let answer = trusting.send(headers(names)).await;
        assert_eq!(answer.json()["paused"]["by"], actor);
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_store_is_said_within_thirty_seconds() {
    for mood in [Mood::Down, Mood::Hanging] {
        let doors = seeded(&[]).await;
        doors.rows.be(mood);
        let began = tokio::time::Instant::now();
        let answer = doors.post(&path("failover"), r#"{"reason":"x"}"#).await;
        assert!(began.elapsed().as_secs() < 30, "{mood:?}");
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.code(), "StoreUnavailable");
        assert_ne!(answer.header("retry-after"), "");
    }
}

#[tokio::test]
async fn an_order_for_which_nothing_was_to_be_done_says_so() {
    let doors = Doors::of(vec![group("contoso")]);
    doors.seed(&[]).await;
    let failback = || doors.post("/api/groups/contoso/failback", r#"{"reason":"again"}"#);
    let answer = failback().await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["nothingToDo"], true, "{}", answer.text);
    let moved = doors
        .post("/api/groups/contoso/failover", r#"{"reason":"try"}"#)
        .await;
    assert_eq!(moved.json().get("nothingToDo"), None, "{}", moved.text);
    assert_eq!(failback().await.json().get("nothingToDo"), None);
    assert_eq!(failback().await.json()["nothingToDo"], true);
}
