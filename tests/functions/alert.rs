//! The answer to an alert, on a paused clock: what it waits for, and for how long at most.

use std::net::TcpListener;
use std::time::Duration;

use axum::http::StatusCode;
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;
use understudy::model::spec::AccountSpec;

use crate::doors::{Answer, Doors, group};
use crate::rows::Mood;

/// The limit of the answer, on the clock of the runtime.
const LIMIT: Duration = Duration::from_secs(2);

/// A rule that fires and names the group, not its site: which one is active must be found out.
fn fired() -> Value {
    fired_as("fired-1")
}

fn fired_as(id: &str) -> Value {
    json!({
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {
            "essentials": {
                "alertId": id, "monitorCondition": "Fired", "monitoringService": "Platform",
                "alertTargetIDs": [], "firedDateTime": "2026-03-01T10:05:00Z",
            },
            "customProperties": {"understudyGroup": "contoso"},
        },
    })
}

async fn is_answered_in_time(doors: &Doors) {
    let began = Instant::now();
    let answer = doors.post("/api/alerts", fired().to_string()).await;
    let took = began.elapsed();
    assert!(took < LIMIT, "{took:?}");
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.json()["matched"], json!(["contoso"]));
}

async fn is_kept(doors: &Doors) {
    let shown = doors.again().get("/api/groups/contoso").await.json();
    assert_eq!(shown["signals"][0]["id"], "fired-1", "{shown}");
}

#[tokio::test(start_paused = true)]
async fn it_does_not_wait_for_reads_of_states_that_hang() {
    let doors = Doors::of(vec![group("contoso")]);
    doors.seed(&[]).await;
    doors.rows.be(Mood::HangingScans);
    is_answered_in_time(&doors).await;
    doors.rows.be(Mood::Well);
    is_kept(&doors).await;
}

#[tokio::test(start_paused = true)]
async fn it_does_not_wait_for_probes_that_hang() {
    // Takes connections, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut spec = group("contoso");
    for account in spec.sites.iter_mut().flat_map(|site| &mut site.accounts) {
        if let AccountSpec::Http(http) = account {
            http.url = format!("http://{}/health", silent.local_addr().unwrap());
        }
    }
    let doors = Doors::of(vec![spec]);
    doors.seed(&[]).await;
    for _ in 0..3 {
        is_answered_in_time(&doors).await;
    }
    is_kept(&doors).await;
}

#[tokio::test(start_paused = true)]
async fn it_is_not_given_before_the_alert_is_kept() {
    let doors = Doors::of(vec![group("contoso")]);
    doors.seed(&[]).await;
    for mood in [Mood::Down, Mood::Hanging] {
        doors.rows.be(mood);
        let began = Instant::now();
        let answer = doors.post("/api/alerts", fired().to_string()).await;
        let took = began.elapsed();
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{mood:?}");
        assert!(took < Duration::from_secs(30), "{mood:?}: {took:?}");
    }
}

/// So many alerts, of a thread each, at the same time.
async fn at_once(doors: &Doors, count: usize) -> Vec<(Answer, Duration)> {
    let send = |index: usize| async move {
        let began = Instant::now();
        let body = fired_as(&format!("storm-{index}")).to_string();
        (doors.post("/api/alerts", body).await, began.elapsed())
    };
    join_all((0..count).map(send)).await
}

#[tokio::test(start_paused = true)]
async fn what_became_of_a_hundred_writes_without_an_answer_is_found_out_together() {
    let doors = Doors::of(vec![group("contoso")]);
    doors.seed(&[]).await;
    doors.rows.be(Mood::LosesAnswers);
    for (answer, took) in at_once(&doors, 100).await {
        assert_eq!(answer.status, StatusCode::OK, "{took:?}: {}", answer.text);
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_store_hangs_no_more_alerts_wait_than_there_is_room_for() {
    let doors = Doors::of(vec![group("contoso")]);
    doors.seed(&[]).await;
    doors.rows.be(Mood::Hanging);
    let answers = at_once(&doors, 4_600).await;
    let is_told = |answer: &Answer| answer.text.contains("too many alerts wait");
    let (told, waited): (Vec<_>, Vec<_>) = answers.iter().partition(|(answer, _)| is_told(answer));
    assert!(told.len() >= 100, "{}", told.len());
    assert!(waited.len() >= 4_096, "{}", waited.len());
    for (answer, took) in answers.iter() {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(*took < Duration::from_secs(30), "{took:?}");
    }
    doors.rows.be(Mood::Well);
    let answer = doors.post("/api/alerts", fired().to_string()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    is_kept(&doors).await;
}
