//! The store's bad days: what is known goes on being told, nothing is acknowledged that is not kept, and
//! when the store is back nothing is missing and nothing is doubled.

use std::time::Duration;

use serde_json::{Value, json};
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

/// What every kind of outage has in common; `end` brings the store back.
async fn live_through(begin: impl AsyncFnOnce(&Proxy), end: impl AsyncFnOnce(&Proxy)) {
    let (stage, proxy) = set(quick()).await;
    let timer = stage.handler().await;
    let http = stage.handler().await;
    counted_round(&timer).await;
    assert_eq!(pause(&http, "before").await.0, 200);
    assert_eq!(lookup(&http).await["stale"], false);
    begin(&proxy).await;

    let stale = until_within(STALE_LIMIT, "the lookup says it is stale", async || {
        let answer = lookup(&http).await;
        assert_eq!(answer["site"], "westeurope");
        (answer["stale"] == true).then_some(answer)
    })
    .await;
    assert_eq!(stale["generation"], 0);
    let body = incident(stage.sim.world(), "BAD-1", "West Europe", "Active", 5);
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
    let told = entries(&http, "contoso", "pause").await;
    let count = |reason: &str| {
        told.iter()
            .filter(|entry| entry["reason"] == reason)
            .count()
    };
    assert_eq!((count("before"), count("after")), (1, 1), "{told:?}");
    assert!(count("during") <= 1, "{told:?}");
    let group = get(&http, "/api/groups/contoso").await;
    assert_eq!(group["generation"], 0);
    assert_eq!(group["signals"].as_array().unwrap().len(), 1);
    assert_eq!(entries(&http, "contoso", "signal").await.len(), 1);
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
async fn a_store_whose_answers_break_off() {
    live_through_fault(Fault::Truncate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_store_is_waited_for() {
    let (stage, proxy) = set(quick()).await;
    let handler = stage.handler().await;
    counted_round(&handler).await;
    proxy.spoil_all(Some(Fault::Slow));
    assert_eq!(pause(&handler, "slowly").await.0, 200);
    let body = incident(stage.sim.world(), "SLOW-1", "West Europe", "Active", 5);
    assert_eq!(alert(&handler, &body).await.0, 200);
    until("the answer is fresh", async || {
        (lookup(&handler).await["stale"] == false).then_some(())
    })
    .await;
    proxy.spoil_all(None);
    assert_eq!(entries(&handler, "contoso", "pause").await.len(), 1);
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
    assert!(matches!(status, 200 | 503), "{answer}");
    proxy.spoil_writes(&[Fault::Outrun]);
    let body = incident(stage.sim.world(), "OUT-1", "West Europe", "Active", 5);
    assert_eq!(alert(&handler, &body).await.0, 200);
    proxy.spoil_writes(&[Fault::Outrun, Fault::Outrun]);
    counted_round(&handler).await;
    assert!(proxy.is_spent());
    assert_eq!(entries(&handler, "contoso", "pause").await.len(), 1);
    assert_eq!(entries(&handler, "contoso", "signal").await.len(), 1);
}
