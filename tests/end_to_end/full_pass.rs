//! Every fault of the store in turn, while ticks, orders, alerts and lookups go on in several processes: nothing
//! that was acknowledged is missing, nothing is doubled, and no lookup goes without an answer or back in time.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use understudy::sim::World;

use crate::alerts::incident;
use crate::azurite::Azurite;
use crate::handler::Handler;
use crate::stage::{Stage, counted_round, fire, get, post, quick, until};
use crate::table_proxy::{Fault, Proxy};

const GROUP: &str = "/api/groups/contoso";
/// The contract's limits.
const LOOKUP_LIMIT: Duration = Duration::from_secs(10);
const ORDER_LIMIT: Duration = Duration::from_secs(30);

/// What was done, and what was answered to it.
#[derive(Default)]
struct Tally {
    over: AtomicBool,
    /// Orders by their reason: kind, and status.
    orders: Mutex<BTreeMap<String, (&'static str, u16)>>,
    /// Alerts by their id, and status.
    alerts: Mutex<BTreeMap<String, u16>>,
    lookups: AtomicUsize,
    stale: AtomicUsize,
    failed_ticks: AtomicUsize,
}

impl Tally {
    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::SeqCst)
    }

    fn answered(&self, is_done: bool) -> usize {
        let orders = self.orders.lock().unwrap();
        let of = |status: u16| (status < 300) == is_done;
        orders.values().filter(|(_, status)| of(*status)).count()
    }
}

/// Moves the group to and fro, and pauses it in between. The orders are forced, since a round that had to wait for the
/// store is soon too old to go by.
async fn give_orders(tally: &Tally, handler: &Handler, world: &World) {
    let mut round = 0_usize;
    while tally.goes_on() {
        round += 1;
        let site = ["northeurope", "westeurope"][round % 2];
        for (kind, body) in [
            (
                "failover",
                json!({"reason": format!("move {round}"), "to": site, "force": true}),
            ),
            ("pause", json!({"reason": format!("pause {round}")})),
        ] {
            let path = format!("{GROUP}/{kind}");
            let answered = tokio::time::timeout(ORDER_LIMIT, post(handler, &path, &body)).await;
            let (status, answer) = answered.expect("an order answers within 30 s");
            assert!(
                matches!(status, 200 | 202 | 503),
                "{kind}: {status} {answer}"
            );
            let reason = body["reason"].as_str().unwrap().to_owned();
            tally.orders.lock().unwrap().insert(reason, (kind, status));
        }
        let id = format!("PASS-{round}");
        let body = incident(world, &id, "West Europe", "Active", 5);
        let sent = post(handler, "/api/alerts", &body);
        let answered = tokio::time::timeout(ORDER_LIMIT, sent).await;
        let (status, answer) = answered.expect("an alert answers within 30 s");
        assert!(matches!(status, 200 | 503), "alert: {status} {answer}");
        tally.alerts.lock().unwrap().insert(id, status);
    }
}

/// A client: never without an answer, never back.
async fn look_up(tally: &Tally, handler: &Handler, query: &str) {
    let mut reached = 0;
    while tally.goes_on() {
        let path = format!("{GROUP}/active{query}");
        let limit = LOOKUP_LIMIT + Duration::from_secs(1);
        let answered = tokio::time::timeout(limit, get(handler, &path)).await;
        let answer = answered.expect("a lookup answers in time");
        let generation = answer["generation"].as_u64().unwrap();
        assert!(generation >= reached, "{reached} was shown before {answer}");
        reached = generation;
        tally.lookups.fetch_add(1, Ordering::SeqCst);
        if answer["stale"] == true {
            tally.stale.fetch_add(1, Ordering::SeqCst);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn tick(tally: &Tally, handler: &Handler) {
    while tally.goes_on() {
        let (status, body) = handler.fire(&[]).await;
        assert!(matches!(status, 200 | 500), "{status} {body}");
        if status == 500 {
            tally.failed_ticks.fetch_add(1, Ordering::SeqCst);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Brings each fault on until it was felt, and waits in between until orders are carried out again.
async fn spoil(tally: &Tally, proxy: &Proxy) {
    let works = async || {
        let done = tally.answered(true);
        until("orders are carried out", async || {
            (tally.answered(true) >= done + 2).then_some(())
        })
        .await;
    };
    works().await;
    for fault in [
        Fault::Busy,
        Fault::Slow,
        Fault::DropAnswer,
        Fault::HangBefore,
        Fault::ErrorAfter,
        Fault::Truncate,
        Fault::HangAfter,
        Fault::Twice,
        Fault::Close,
    ] {
        let (stale, refused) = (tally.stale.load(Ordering::SeqCst), tally.answered(false));
        proxy.spoil_all(Some(fault));
        if matches!(fault, Fault::Slow | Fault::Twice) {
            works().await;
        } else {
            until("the fault is felt", async || {
                let is_felt =
                    tally.stale.load(Ordering::SeqCst) > stale && tally.answered(false) > refused;
                is_felt.then_some(())
            })
            .await;
        }
        proxy.spoil_all(None);
        works().await;
    }
    proxy.stop();
    let refused = tally.answered(false);
    until("nobody listens", async || {
        (tally.answered(false) > refused).then_some(())
    })
    .await;
    proxy.restart().await;
    works().await;
    tally.over.store(true, Ordering::SeqCst);
}

/// The whole history, newest first.
async fn history(handler: &Handler) -> Vec<Value> {
    let mut all = Vec::new();
    let mut query = String::new();
    loop {
        let page = get(handler, &format!("{GROUP}/history{query}")).await;
        all.extend(page["entries"].as_array().unwrap().clone());
        match page["next"].as_str() {
            None => return all,
            Some(next) => query = format!("?next={next}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn through_every_fault_nothing_is_lost_and_nothing_is_doubled() {
    let proxy = Proxy::start(Azurite::shared().port()).await;
    let stage = Stage::set_at(World::two_regions(), quick(), proxy.port).await;
    let (timer, one, other) = (
        stage.handler().await,
        stage.handler().await,
        stage.handler().await,
    );
    counted_round(&timer).await;
    for handler in [&timer, &one, &other] {
        get(handler, &format!("{GROUP}/active")).await;
    }
    let tally = Tally::default();
    tokio::join!(
        spoil(&tally, &proxy),
        give_orders(&tally, &one, stage.sim.world()),
        tick(&tally, &timer),
        look_up(&tally, &one, ""),
        look_up(&tally, &other, ""),
        look_up(&tally, &timer, "?after=1000&wait=1s"),
    );
    assert!(
        tally.failed_ticks.load(Ordering::SeqCst) > 0,
        "no tick felt anything"
    );
    assert!(tally.lookups.load(Ordering::SeqCst) > 100);
    fire(&timer).await;

    let told = history(&other).await;
    for (reason, (kind, status)) in tally.orders.lock().unwrap().iter() {
        let found = told
            .iter()
            .filter(|entry| entry["kind"] == *kind && entry["reason"] == reason.as_str())
            .count();
        match status {
            // An order to go where the group is already is done, and leaves no entry.
            200 | 202 if *kind == "failover" => assert!(found <= 1, "{reason}: {told:?}"),
            200 | 202 => assert_eq!(found, 1, "{reason} was acknowledged: {told:?}"),
            _ => assert!(found <= 1, "{reason}: {told:?}"),
        }
    }
    // Every step of the generation has its one entry, and each begins where the one before it ended.
    let moves: Vec<&Value> = told
        .iter()
        .filter(|entry| entry["kind"] == "failover")
        .collect();
    let steps: Vec<u64> = moves
        .iter()
        .map(|entry| entry["generation"].as_u64().unwrap())
        .collect();
    let reached = get(&other, GROUP).await;
    let expected: Vec<u64> = (1..=reached["generation"].as_u64().unwrap())
        .rev()
        .collect();
    assert_eq!(steps, expected);
    assert!(steps.len() > 4, "{steps:?}");
    for pair in moves.windows(2) {
        assert_eq!(pair[0]["from"], pair[1]["to"], "{pair:?}");
    }
    assert_eq!(reached["active"], moves[0]["to"]);
    let kept = stage.rows_of("alert").await;
    for (id, status) in tally.alerts.lock().unwrap().iter() {
        let rows = kept
            .iter()
            .filter(|row| row.properties["alertId"] == id.as_str());
        let found = rows.count();
        assert!(
            found == 1 || (*status == 503 && found == 0),
            "{id} {status}: {found}"
        );
    }
    assert_eq!(stage.rows_of("group").await.len(), 1);
    for handler in [&timer, &one, &other] {
        let path = format!("{GROUP}/active?min={}", reached["generation"]);
        let shown = get(handler, &path).await;
        assert_eq!(
            (&shown["site"], &shown["stale"]),
            (&reached["active"], &json!(false))
        );
    }
}
