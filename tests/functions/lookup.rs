//! The lookup: its body, its tag, its waits, and what it does when the store is silent.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use futures::future::{join, join_all};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

use crate::doors::{Doors, group, group_with_steps, next_millisecond, request};
use crate::rows::Mood;

const PATH: &str = "/api/groups/contoso/active";

async fn seeded() -> Doors {
    let doors = Doors::of(vec![group("contoso")]);
    doors.seed(&[]).await;
    doors
}

#[tokio::test]
async fn the_body_is_the_contracts() {
    let doors = seeded().await;
    let answer = doors.get(PATH).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("etag"), "\"0\"");
    assert!(
        answer
            .header("cache-control")
            .starts_with("max-age=5, stale-if-error=")
    );
    let mut body = answer.json();
    for time in ["since", "asOf"] {
        let text = body[time].as_str().unwrap().to_owned();
        assert!(text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok());
        body[time] = json!("…");
    }
    assert_eq!(
        body,
        json!({
            "group": "contoso", "generation": 0, "site": "westeurope", "region": "westeurope",
            "since": "…", "ready": true, "moving": false, "stale": false, "asOf": "…",
            "accounts": {"http": {"captions": "https://captions.westeurope.example"}}
        })
    );
}

#[tokio::test]
async fn a_known_body_is_not_sent_again() {
    let doors = seeded().await;
    for known in ["\"0\"", "W/\"0\"", "\"9\", \"0\"", "*"] {
        let asked = request(
            Method::GET,
            PATH,
            &[("if-none-match", known)],
            Body::empty(),
        );
        let answer = doors.send(asked).await;
        assert_eq!(answer.status, StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!(answer.header("etag"), "\"0\"");
        assert!(answer.header("cache-control").starts_with("max-age=5"));
        assert_eq!(answer.text, "");
    }
    for other in ["\"1\"", "0", "\"0-1\"", ""] {
        let asked = request(
            Method::GET,
            PATH,
            &[("if-none-match", other)],
            Body::empty(),
        );
        assert_eq!(doors.send(asked).await.status, StatusCode::OK, "{other}");
    }
}

#[tokio::test]
async fn a_group_without_a_row_is_its_primary_and_its_tag_is_not_the_rows() {
    let doors = Doors::of(vec![group("contoso")]);
    let first = doors.get(PATH).await;
    assert_eq!(first.json()["generation"], 0);
    assert_eq!(first.json()["site"], "westeurope");
    assert_eq!(first.header("etag"), doors.get(PATH).await.header("etag"));
    assert_eq!(doors.rows.writes(), 0, "a lookup writes nothing");
    next_millisecond().await;
    doors.seed(&[]).await;
    let later = doors.again().get(PATH).await;
    assert_ne!(first.json()["since"], later.json()["since"]);
    assert_ne!(first.header("etag"), later.header("etag"));
}

#[tokio::test]
async fn a_group_that_is_not_there_is_not_found() {
    let doors = seeded().await;
    for name in [
        "nobody", "CONTOSO", "a%20b", "%C3%BC", "a%00b", "%FF", "broken",
    ] {
        let answer = doors.get(&format!("/api/groups/{name}/active")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{name}");
        assert_eq!(answer.code(), "GroupNotFound", "{name}");
    }
}

#[tokio::test]
async fn a_bad_parameter_is_named() {
    let doors = seeded().await;
    for (query, target) in [
        ("after=x", "after"),
        ("after=-1", "after"),
        ("after=1&after=2", "after"),
        ("after=0&wait=121s", "wait"),
        ("after=0&wait=60", "wait"),
        ("after=0&wait=1.5s", "wait"),
        ("wait=1s", "wait"),
        ("min=1e3", "min"),
    ] {
        let answer = doors.get(&format!("{PATH}?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(answer.code(), "InvalidRequest");
        assert_eq!(answer.target(), target, "{query}");
    }
    let answer = doors.get(&format!("{PATH}?code=secret&min=0&x")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!answer.text.contains("secret"));
}

#[tokio::test]
async fn a_waiting_lookup_answers_when_the_group_moves() {
    let doors = seeded().await;
    let path = format!("{PATH}?after=0&wait=120s");
    let (seen, ordered) = tokio::join!(
        doors.get(&path),
        doors.post("/api/groups/contoso/failover", r#"{"reason":"try"}"#)
    );
    assert_eq!(ordered.status, StatusCode::OK, "{}", ordered.text);
    assert_eq!(seen.json()["generation"], 1);
    assert_eq!(seen.json()["site"], "northeurope");
    assert_eq!(seen.header("etag"), "\"1\"");
}

#[tokio::test(start_paused = true)]
async fn a_waiting_lookup_answers_when_its_wait_is_over() {
    let doors = seeded().await;
    let began = Instant::now();
    let answer = doors.get(&format!("{PATH}?after=0&wait=60s")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["generation"], 0);
    let waited = began.elapsed();
    assert!(waited >= Duration::from_secs(60) && waited < Duration::from_secs(65));
}

#[tokio::test]
async fn while_its_steps_run_it_is_moving_and_not_ready() {
    let doors = Doors::of(vec![group_with_steps("contoso")]);
    doors.seed(&[]).await;
    doors
        .post("/api/groups/contoso/failover", r#"{"reason":"try"}"#)
        .await;
    let answer = doors.get(&format!("{PATH}?min=1")).await;
    let body = answer.json();
    assert_eq!(
        (&body["generation"], &body["ready"], &body["moving"]),
        (&json!(1), &json!(false), &json!(true))
    );
    assert_eq!(
        body["accounts"]["mediaServices"]["accountName"],
        "ms-northeurope"
    );
}

#[tokio::test(start_paused = true)]
async fn a_process_that_never_reached_the_store_says_so_within_ten_seconds() {
    for mood in [Mood::Down, Mood::Hanging] {
        let doors = seeded().await;
        doors.rows.be(mood);
        let began = Instant::now();
        let answer = doors.get(PATH).await;
        assert!(began.elapsed() < Duration::from_secs(10), "{mood:?}");
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{mood:?}");
        assert_eq!(answer.code(), "StoreUnavailable");
        assert!(answer.header("retry-after").parse::<u32>().is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_knows_an_answer_gives_it_marked_stale() {
    let doors = seeded().await;
    let fresh = doors.get(PATH).await;
    doors.rows.be(Mood::Hanging);
    // What is known is no longer fresh.
    tokio::time::advance(Duration::from_secs(3)).await;
    let began = Instant::now();
    let stale = doors.get(PATH).await;
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(stale.status, StatusCode::OK);
    assert_eq!(stale.json()["stale"], true);
    assert_eq!(stale.json()["asOf"], fresh.json()["asOf"]);
    assert_eq!(
        stale.header("etag"),
        fresh.header("etag"),
        "staleness changes no tag"
    );
}

#[tokio::test(start_paused = true)]
async fn where_the_store_is_slow_one_waits_and_the_others_take_what_is_young() {
    let doors = seeded().await;
    doors.get(PATH).await;
    doors.rows.be(Mood::SlowReads);
    // How many of twenty that come behind one had to wait for the store as that one does.
    let waiting = async |later: Duration, path: &str| {
        tokio::time::advance(later).await;
        let began = Instant::now();
        let (_, waited) = join(doors.get(path), async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let asked = (0..20).map(async |_| {
                let answer = doors.get(path).await;
                assert_eq!(answer.status, StatusCode::OK);
                // One that wants more than there is may wait in vain.
                assert!(path != PATH || answer.json()["stale"] == false);
                began.elapsed() > Duration::from_secs(1)
            });
            join_all(asked).await
        })
        .await;
        waited.into_iter().filter(|waited| *waited).count()
    };
    let old = Duration::from_millis(2_500);
    assert_eq!(waiting(old, PATH).await, 20, "nobody has seen it slow");
    assert_eq!(waiting(old, PATH).await, 0);
    let newer = format!("{PATH}?min=1");
    assert_eq!(
        waiting(old, &newer).await,
        20,
        "it is not what was asked for"
    );
    assert_eq!(waiting(old * 2, PATH).await, 20, "it is too old");
    // Who comes when that one has waited for a second takes it all the same, and is told.
    tokio::time::advance(old * 2).await;
    let (_, told) = join(doors.get(PATH), async {
        tokio::time::sleep(Duration::from_millis(1_001)).await;
        let began = Instant::now();
        let told = doors.get(PATH).await.json();
        assert!(began.elapsed() < Duration::from_millis(100));
        told
    })
    .await;
    assert_eq!(told["stale"], true);
    // A store that is quick again is waited for by all.
    doors.rows.be(Mood::Well);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(waiting(old, PATH).await, 0);
}
