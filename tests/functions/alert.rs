//! The answer to an alert, on a paused clock: what it waits for, and for how long at most.

use std::net::TcpListener;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::time::Instant;
use understudy::model::spec::AccountSpec;

use crate::doors::{Doors, group};
use crate::rows::Mood;

/// The limit of the answer, on the clock of the runtime.
const LIMIT: Duration = Duration::from_secs(2);

/// A rule that fires and names the group, not its site: which one is active must be found out.
fn fired() -> Value {
    json!({
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {
            "essentials": {
                "alertId": "fired-1", "monitorCondition": "Fired", "monitoringService": "Platform",
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
