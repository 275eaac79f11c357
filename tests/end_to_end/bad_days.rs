//! The store's bad days: what is known goes on being told, nothing is acknowledged that is not kept, and
//! when the store is back nothing is missing and nothing is doubled.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use understudy::sim::config::{Options, toml};
use understudy::sim::{Simulator, World};

use crate::alerts::incident;
use crate::azurite::{Azurite, connection_string, fresh_table};
use crate::handler::Handler;
use crate::stage::{Stage, counted_round, entries, fire, get, post, quick, until, until_within};
use crate::table_proxy::{Fault, Proxy};

const LOOKUP: &str = "/api/groups/contoso/active";
/// The contract's limits.
const LOOKUP_LIMIT: Duration = Duration::from_secs(10);
const ORDER_LIMIT: Duration = Duration::from_secs(30);
const STALE_LIMIT: Duration = Duration::from_secs(30);
const WAITING_LAG: Duration = Duration::from_secs(8);

/// A stage whose store is behind a proxy.
async fn set(options: Options) -> (Stage, Proxy) {
    let proxy = Proxy::start(Azurite::shared().port()).await;
    let sim = Simulator::start(World::two_regions(), 0).await.unwrap();
    let options = options
        .store("connection_string", connection_string(proxy.port))
        .store("table_prefix", fresh_table());
    let text = toml(sim.world(), sim.base_url(), &options);
    let settings = sim.environment().into_iter().collect();
    (Stage::with(sim, &text, settings), proxy)
}

async fn lookup(handler: &Handler) -> Value {
    let answered = tokio::time::timeout(LOOKUP_LIMIT, get(handler, LOOKUP)).await;
    answered.expect("a lookup answers within 10 s")
}

async fn pause(handler: &Handler, reason: &str) -> (u16, Value) {
    let body = json!({"reason": reason});
    let asked = post(handler, "/api/groups/contoso/pause", &body);
    let answered = tokio::time::timeout(ORDER_LIMIT, asked).await;
    answered.expect("an order answers within 30 s")
}

async fn alert(handler: &Handler, body: &Value) -> (u16, Value) {
    let answered = tokio::time::timeout(ORDER_LIMIT, post(handler, "/api/alerts", body)).await;
    answered.expect("an alert answers within 30 s")
}

async fn failover(handler: &Handler, reason: &str, to: &str) -> (u16, Value) {
    let body = json!({"reason": reason, "to": to});
    let asked = post(handler, "/api/groups/contoso/failover", &body);
    let answered = tokio::time::timeout(ORDER_LIMIT, asked).await;
    answered.expect("an order answers within 30 s")
}

/// A waiting lookup of what is known already.
async fn wait_in_vain(handler: &Handler, generation: u64) -> Value {
    let path = format!("{LOOKUP}?after={generation}&wait=1s&min={generation}");
    let limit = LOOKUP_LIMIT + Duration::from_secs(1);
    let answered = tokio::time::timeout(limit, get(handler, &path)).await;
    answered.expect("a waiting lookup answers within 10 s of its end")
}

/// A waiting lookup of what is still to come, in the background.
fn wait_for_more(handler: &Handler, generation: u64) -> JoinHandle<Value> {
    let url = handler.url(&format!("{LOOKUP}?after={generation}&wait=100s"));
    tokio::spawn(async move {
        let answer = reqwest::get(url).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    })
}

/// Nothing is missing, nothing is doubled, and each of these was done as often as that.
async fn tells(stage: &Stage, handler: &Handler, expected: &[(&str, &str, usize)]) {
    let history = get(handler, "/api/groups/contoso/history").await;
    let told = history["entries"].as_array().unwrap();
    for (kind, reason, times) in expected {
        let found = told
            .iter()
            .filter(|entry| entry["kind"] == *kind && entry["reason"] == *reason);
        assert_eq!(found.count(), *times, "{kind} {reason}: {told:?}");
    }
    let moves = told.iter().filter(|entry| entry["kind"] == "failover");
    let generations: Vec<u64> = moves
        .map(|entry| entry["generation"].as_u64().unwrap())
        .collect();
    let reached = get(handler, "/api/groups/contoso").await["generation"].as_u64();
    let steps: Vec<u64> = (1..=reached.unwrap()).rev().collect();
    assert_eq!(generations, steps, "one entry for each step: {told:?}");
    let noted = entries(handler, "contoso", "signal").await;
    let reasons: BTreeSet<String> = noted
        .iter()
        .map(|entry| entry["reason"].to_string())
        .collect();
    assert_eq!(
        reasons.len(),
        noted.len(),
        "a signal is told once: {noted:?}"
    );
    assert_eq!(stage.rows_of("group").await.len(), 1);
}

/// What every kind of outage has in common; `end` brings the store back.
async fn live_through(begin: impl AsyncFnOnce(&Proxy), end: impl AsyncFnOnce(&Proxy)) {
    let (stage, proxy) = set(quick()).await;
    let timer = stage.handler().await;
    let http = stage.handler().await;
    counted_round(&timer).await;
    assert_eq!(lookup(&http).await["stale"], false);
    // Acknowledged in the last moment.
    let known = incident(stage.sim.world(), "BEFORE-1", "West Europe", "Active", 5);
    assert_eq!(alert(&http, &known).await.0, 200);
    assert_eq!(failover(&http, "before", "northeurope").await.0, 200);
    assert_eq!(pause(&http, "before").await.0, 200);
    begin(&proxy).await;

    let stale = until_within(STALE_LIMIT, "the lookup says it is stale", async || {
        let answer = lookup(&http).await;
        assert_eq!(answer["site"], "northeurope");
        (answer["stale"] == true).then_some(answer)
    })
    .await;
    assert_eq!(stale["generation"], 1);
    let waited = wait_in_vain(&http, 1).await;
    assert_eq!(
        (&waited["generation"], &waited["stale"]),
        (&json!(1), &json!(true))
    );
    let waiting = wait_for_more(&http, 1);
    let body = incident(stage.sim.world(), "BAD-1", "North Europe", "Active", 5);
    for (status, answer) in [pause(&http, "during").await, alert(&http, &body).await] {
        assert_eq!(status, 503, "{answer}");
        assert_eq!(answer["error"]["code"], "StoreUnavailable");
    }
    assert_eq!(timer.fire(&[]).await.0, 500, "the run failed");
    let fresh = stage.handler().await;
    let (status, answer) = tokio::time::timeout(LOOKUP_LIMIT, fresh.get(LOOKUP))
        .await
        .expect("a process that knows nothing says so in time");
    assert_eq!(status, 503, "{answer}");

    end(&proxy).await;
    until_within(STALE_LIMIT, "the lookup is fresh again", async || {
        (lookup(&http).await["stale"] == false).then_some(())
    })
    .await;
    assert_eq!(pause(&http, "after").await.0, 200);
    let (status, answer) = alert(&http, &body).await;
    assert_eq!((status, &answer["matched"]), (200, &json!(["contoso"])));
    until("a round counts", async || fire(&timer).await.then_some(())).await;
    assert_eq!(failover(&timer, "after", "westeurope").await.0, 200);
    let moved = tokio::time::timeout(WAITING_LAG, waiting).await;
    let moved = moved.expect("a waiting lookup lags at most 8 s").unwrap();
    assert_eq!(
        (&moved["generation"], &moved["stale"]),
        (&json!(2), &json!(false))
    );
    let expected = [
        ("pause", "before", 1),
        ("pause", "after", 1),
        ("failover", "before", 1),
        ("failover", "after", 1),
    ];
    tells(&stage, &http, &expected).await;
    let paused = entries(&http, "contoso", "pause").await;
    assert!(paused.len() <= 3, "{paused:?}");
    let group = get(&http, "/api/groups/contoso").await;
    assert_eq!(group["signals"].as_array().unwrap().len(), 2, "{group}");
    assert_eq!(stage.rows_of("alert").await.len(), 2);
}

async fn live_through_fault(fault: Fault) {
    live_through(
        async |proxy| proxy.spoil_all(Some(fault)),
        async |proxy| proxy.spoil_all(None),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_stopped_and_started_again() {
    live_through(
        async |proxy| proxy.stop(),
        async |proxy| proxy.restart().await,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_hangs() {
    live_through_fault(Fault::HangBefore).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_as_told_and_never_answers() {
    live_through_fault(Fault::HangAfter).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_busy() {
    live_through_fault(Fault::Busy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_answers_are_lost() {
    live_through_fault(Fault::DropAnswer).await;
    live_through_fault(Fault::ErrorAfter).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_answers_break_off() {
    live_through_fault(Fault::Truncate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_store_is_waited_for() {
    let (stage, proxy) = set(quick()).await;
    let handler = stage.handler().await;
    let other = stage.handler().await;
    counted_round(&handler).await;
    assert_eq!(failover(&handler, "before", "northeurope").await.0, 200);
    assert_eq!(lookup(&other).await["stale"], false);
    proxy.spoil_all(Some(Fault::Slow));
    let waiting = wait_for_more(&other, 1);
    assert_eq!(pause(&handler, "slowly").await.0, 200);
    let body = incident(stage.sim.world(), "SLOW-1", "West Europe", "Active", 5);
    assert_eq!(alert(&handler, &body).await.0, 200);
    until("the answer is fresh", async || {
        (lookup(&handler).await["stale"] == false).then_some(())
    })
    .await;
    assert_eq!(wait_in_vain(&handler, 1).await["generation"], 1);
    assert_eq!(failover(&handler, "slowly", "westeurope").await.0, 200);
    let moved = tokio::time::timeout(WAITING_LAG, waiting).await;
    let moved = moved.expect("a waiting lookup lags at most 8 s").unwrap();
    assert_eq!(moved["generation"], 2);
    proxy.spoil_all(None);
    let expected = [
        ("pause", "slowly", 1),
        ("failover", "before", 1),
        ("failover", "slowly", 1),
    ];
    tells(&stage, &handler, &expected).await;
    assert_eq!(stage.rows_of("alert").await.len(), 1);
}

/// Single writes are spoiled while an order, an alert and an automatic failover are on their way: each is
/// there once.
async fn each_is_there_once(fault: Fault) {
    let (stage, proxy) = set(quick().policy("hold", "1h")).await;
    let handler = stage.handler().await;
    counted_round(&handler).await;
    proxy.spoil_writes(&[fault]);
    let (status, answer) = pause(&handler, "once").await;
    assert_eq!(status, 200, "{fault:?}: {answer}");
    let (status, _) = post(&handler, "/api/groups/contoso/resume", &json!({})).await;
    assert_eq!(status, 200);
    stage.sim.break_region("westeurope");
    // The alert's own write, the heartbeat, the signal's entry or the flip: whichever comes first.
    proxy.spoil_writes(&[fault, fault, Fault::None, fault]);
    let body = incident(stage.sim.world(), "ONCE-1", "West Europe", "Active", 5);
    let (status, answer) = alert(&handler, &body).await;
    assert!(matches!(status, 200 | 503), "{fault:?}: {answer}");
    until("the group has moved", async || {
        if alert(&handler, &body).await.0 != 200 {
            return None;
        }
        let _ = handler.fire(&[]).await;
        (lookup(&handler).await["generation"] == 1).then_some(())
    })
    .await;
    let another = stage.handler().await;
    assert_eq!(lookup(&another).await["generation"], 1);
    for kind in ["pause", "failover", "signal"] {
        let told = entries(&another, "contoso", kind).await;
        assert_eq!(told.len(), 1, "{fault:?} {kind}: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_after_the_write_landed() {
    each_is_there_once(Fault::DropAnswer).await;
    each_is_there_once(Fault::ErrorAfter).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_comes_after_the_write_landed() {
    each_is_there_once(Fault::HangAfter).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_busy_or_broken_off_or_sent_twice() {
    for fault in [Fault::Busy, Fault::Truncate, Fault::Twice] {
        each_is_there_once(fault).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_others_have_outrun() {
    let (stage, proxy) = set(quick()).await;
    let handler = stage.handler().await;
    counted_round(&handler).await;
    // The service says 412 although nobody wrote: it is looked at again, and decided again.
    proxy.spoil_writes(&[Fault::Outrun]);
    let (status, answer) = pause(&handler, "outrun").await;
    assert_eq!(status, 200, "{answer}");
    proxy.spoil_writes(&[Fault::Outrun]);
    proxy.spoil_writes(&[Fault::Outrun]);
    let (status, answer) = failover(&handler, "outrun", "northeurope").await;
    assert_eq!(
        (status, &answer["generation"]),
        (200, &json!(1)),
        "{answer}"
    );
    let body = incident(stage.sim.world(), "OUT-1", "West Europe", "Active", 5);
    assert_eq!(alert(&handler, &body).await.0, 200);
    proxy.spoil_writes(&[Fault::Outrun, Fault::Outrun]);
    counted_round(&handler).await;
    assert!(proxy.is_spent());
    tells(
        &stage,
        &handler,
        &[("pause", "outrun", 1), ("failover", "outrun", 1)],
    )
    .await;
    assert_eq!(stage.rows_of("alert").await.len(), 1);
}
