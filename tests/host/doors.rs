//! Every function of the packaged folder, through the host, in both modes, with the timer in a process of its own.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use understudy::bundle;

use crate::host::Mode;
use crate::host::envelope::Past;
use crate::host::wire::{Message, Payload};
use crate::host::{Host, HostOptions, Split};
use crate::package::Stage;

const GROUP: &str = "/api/groups/contoso";
const ACTIVE: &str = "/api/groups/contoso/active";

#[tokio::test(flavor = "multi_thread")]
async fn every_function_answers_behind_a_proxying_host() {
    every_function(Mode::Proxying).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_function_answers_behind_a_forwarding_host() {
    every_function(Mode::Forwarding).await;
}

async fn every_function(mode: Mode) {
    let stage = Stage::flex(mode).await;
    let host = &stage.host;
    let carried: Vec<&str> = bundle::FUNCTIONS.iter().map(|(name, _)| *name).collect();
    assert_eq!(host.functions(), carried);
    assert_ne!(
        host.port("HealthCheck"),
        host.port("Active"),
        "timers run apart"
    );

    each(host).await;
    assert_eq!((host.starts("HealthCheck"), host.starts("Active")), (1, 1));
}

async fn each(host: &Host) {
    timer(host).await;
    lookup(host).await;
    groups(host).await;
    orders(host).await;
    tick_and_alert(host).await;
    health_and_status(host).await;
}

/// Whatever the host tells of the timer's past, the run succeeds and says what it did.
async fn timer(host: &Host) {
    for past in [
        Past::Unmonitored,
        Past::Never,
        Past::NeverWithOffset,
        Past::Ran,
        Past::Late,
    ] {
        let told = format!("{past:?}");
        let logs = host.fire_with("HealthCheck", past).await.unwrap();
        assert!(logs[0].contains(" probed"), "{told}: {logs:?}");
    }
}

async fn lookup(host: &Host) {
    // The timer's process has made the row; this one reads it from the store.
    let reply = host.get(ACTIVE).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let body = reply.json();
    assert_eq!(
        (body["site"].as_str(), body["generation"].as_u64()),
        (Some("westeurope"), Some(0))
    );
    assert!(body["accounts"]["http"]["captions"].is_string(), "{body}");
    let tag = reply
        .header("etag")
        .expect("a lookup has an ETag")
        .to_owned();
    let again = host
        .call(host.keyed("GET", ACTIVE).header("If-None-Match", &tag))
        .await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    // Matching ignores case; a slash at the end does not matter.
    assert_eq!(host.get("/API/Groups/contoso/ACTIVE/").await.status, 200);
    let waited = host.get(&format!("{ACTIVE}?after=0&wait=1s")).await;
    assert_eq!(waited.status, 200, "{}", waited.text());
}

async fn groups(host: &Host) {
    let list = host.get("/api/groups").await.json();
    assert_eq!(list["groups"][0]["group"], "contoso", "{list}");
    let none = host.get("/api/groups?tenant=nobody").await.json();
    assert_eq!(none["groups"], json!([]));
    let group = host.get(GROUP).await.json();
    assert_eq!(group["active"], "westeurope", "{group}");
    assert_eq!(group["sites"].as_array().unwrap().len(), 2, "{group}");
    let history = host.get(&format!("{GROUP}/history?top=5")).await.json();
    assert!(history["entries"].is_array(), "{history}");
    let missing = host.get("/api/groups/nobody").await;
    assert_eq!(
        (missing.status, missing.header("x-ms-error-code")),
        (404, Some("GroupNotFound"))
    );
}

async fn orders(host: &Host) {
    let reason = json!({"reason": "a test"}).to_string();
    let paused = host.post(&format!("{GROUP}/pause"), &reason).await;
    assert_eq!(paused.status, 200, "{}", paused.text());
    assert_eq!(paused.json()["paused"]["reason"], "a test");
    // An order without a body loses its content type on the way.
    let empty = host
        .keyed("POST", &format!("{GROUP}/resume"))
        .header("Content-Type", "application/json");
    let resumed = host.call(empty.body(Payload::Sized(Vec::new()))).await;
    assert_eq!(resumed.status, 200, "{}", resumed.text());
    assert_eq!(resumed.json()["paused"], Value::Null);

    let forced = json!({"reason": "a test", "to": "northeurope", "force": true}).to_string();
    let moved = host.post(&format!("{GROUP}/failover"), &forced).await;
    assert!(
        [200, 202].contains(&moved.status),
        "{} {}",
        moved.status,
        moved.text()
    );
    let after = host.get(&format!("{ACTIVE}?min=1")).await.json();
    assert_eq!(
        (after["site"].as_str(), after["generation"].as_u64()),
        (Some("northeurope"), Some(1))
    );
    let history = host.get(&format!("{GROUP}/history")).await.json();
    let flips: Vec<&Value> = history["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["kind"] == "failover")
        .collect();
    assert_eq!(flips.len(), 1, "{history}");
    assert_eq!(
        flips[0]["actor"], "key",
        "a key says nothing of who holds it: {history}"
    );
    let bad = host.post(&format!("{GROUP}/failover"), "{").await;
    assert_eq!(
        (bad.status, bad.header("x-ms-error-code")),
        (400, Some("InvalidRequest"))
    );
}

async fn tick_and_alert(host: &Host) {
    let ticked = host.post("/api/tick", "").await;
    assert_eq!(ticked.status, 200, "{}", ticked.text());
    assert!(ticked.json()["counted"].is_boolean());

    let alert = crate::alert_bodies::metric_in_the_older_schema("Activated");
    let taken = host.post("/api/alerts", &alert.to_string()).await;
    assert_eq!(taken.status, 200, "{}", taken.text());
    assert_eq!(
        taken.json()["matched"],
        json!(["contoso"]),
        "{}",
        taken.text()
    );
    assert_eq!(
        host.post("/api/alerts", r#"{"schemaId":"mine"}"#)
            .await
            .status,
        400
    );
}

async fn health_and_status(host: &Host) {
    // Anonymous: no key at all.
    let health = host
        .call(Message::new("GET", "/api/health").header("Host", "app.azurewebsites.net"))
        .await;
    assert_eq!(health.status, 200, "{}", health.text());
    assert_eq!(health.json()["status"], "ok");
    let page = host.get("/api/status").await;
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-type")
            .unwrap()
            .starts_with("text/html"),
        "{:?}",
        page.headers
    );
    assert!(page.text().contains("contoso"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_fails_and_the_timers_process_moves_the_group() {
    let stage = Stage::flex(Mode::Proxying).await;
    let host = &stage.host;
    // Every round that comes early says so and counts for nothing.
    let counted = async || host.fire("HealthCheck").await.unwrap()[0].contains("the round counted");
    until("a round counts", async || counted().await).await;
    let verdict = |group: &Value| {
        group["sites"][0]["verdict"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let before = host.get(GROUP).await.json();
    assert_eq!(verdict(&before), "healthy", "{before}");
    stage.sim.break_region("westeurope");
    until("the region is known to be down", async || {
        host.fire("HealthCheck").await.unwrap();
        verdict(&host.get(GROUP).await.json()) == "unhealthy"
    })
    .await;
    let group = host.get(GROUP).await.json();
    // The default hold time runs.
    assert_eq!(group["hold"]["code"], "HoldTime", "{group}");
    assert_eq!(group["active"], "westeurope");
}

/// As under the developer's tools: envelopes with a length, and nothing lost on the way.
#[tokio::test(flavor = "multi_thread")]
async fn every_function_answers_behind_the_developers_tools() {
    let stage = Stage::set(HostOptions {
        mode: Some(Mode::Forwarding),
        split: Split::Flex,
        chunked: false,
        strict_forwarding: false,
        ..HostOptions::default()
    })
    .await;
    each(&stage.host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_packaged_timer_fires_by_its_schedule() {
    let package = crate::package::Package::fresh();
    let options = HostOptions {
        clock: true,
        split: Split::Flex,
        ..HostOptions::default()
    };
    let (_sim, options) = crate::package::configured(&package, options).await;
    package.edit("HealthCheck/function.json", "*/30 * * * * *", "* * * * * *");
    let mut host = Host::start(&package.root(), options).await.unwrap();
    let base = host.listen().await;
    let client = reqwest::Client::new();
    until(
        "a sweep shows in health, which another process answers",
        async || {
            let answer = client
                .get(format!("{base}/api/health"))
                .send()
                .await
                .unwrap();
            let body: Value = answer.json().await.unwrap();
            body["lastSweep"].is_string()
        },
    )
    .await;
}

/// An image may have no CA certificates: what needs no TLS works, and `health` can tell of the rest.
#[tokio::test(flavor = "multi_thread")]
async fn the_handler_starts_without_ca_certificates() {
    let options = HostOptions::default()
        .setting("SSL_CERT_FILE", "/nonexistent")
        .setting("SSL_CERT_DIR", "/nonexistent");
    let stage = Stage::set(options).await;
    stage.host.fire("HealthCheck").await.unwrap();
    assert_eq!(stage.host.get(ACTIVE).await.status, 200);
    let warned = |line: &crate::host::process::Line| line.text.contains("no CA certificates");
    assert!(stage.host.lines("Active").iter().any(warned));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_is_replaced_and_goes_on_from_the_record() {
    let stage = Stage::flex(Mode::Proxying).await;
    let host = &stage.host;
    host.fire("HealthCheck").await.unwrap();
    let order = json!({"reason": "a test", "force": true}).to_string();
    let moved = host.post(&format!("{GROUP}/failover"), &order).await;
    assert!([200, 202].contains(&moved.status), "{}", moved.text());
    let timer = host.starts("HealthCheck");
    host.kill_handler("Order").await;
    let after = host.get(&format!("{ACTIVE}?min=1")).await;
    assert_eq!(after.status, 200, "{}", after.text());
    assert_eq!(after.json()["site"], "northeurope");
    assert_eq!(host.starts("Order"), 2);
    assert_eq!(
        host.starts("HealthCheck"),
        timer,
        "the timer's process is another"
    );
    host.kill_handler("HealthCheck").await;
    host.fire("HealthCheck").await.unwrap();
    assert_eq!(host.get(ACTIVE).await.json()["site"], "northeurope");
}

/// Waits until it is so; how long that takes is the machine's affair.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(
            began.elapsed() < Duration::from_secs(90),
            "waited too long until {what}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
