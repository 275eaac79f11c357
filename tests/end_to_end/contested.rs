//! Orders among ticks, among other orders, and with holes in the evidence.

use serde_json::{Value, json};
use understudy::sim::{Fault, Scope, Service, World};

use crate::azurite::Azurite;
use crate::handler::Handler;
use crate::stage::{
    Stage, ask, counted_round, entries, fire, get, hasty, order, quick, two_endpoints, until,
};
use crate::table_proxy::{Fault as Spoilt, Proxy};

const LOOKUP: &str = "/api/groups/contoso/active";

#[tokio::test(flavor = "multi_thread")]
async fn orders_come_through_while_every_process_ticks() {
    let stage = Stage::set(two_endpoints(&["contoso"]), hasty()).await;
    let processes = futures::future::join_all((0..3).map(|_| stage.handler())).await;
    let ticking = async |process: &Handler| -> () {
        loop {
            fire(process).await;
        }
    };
    let ordering = async {
        for generation in 0..20_usize {
            let to = ["northeurope", "westeurope"][generation % 2];
            let body = json!({"reason": "x", "to": to, "ifGeneration": generation});
            let process = &processes[generation % 3];
            let group = order(process, "contoso", "switchover", body).await.done();
            assert_eq!(group["generation"], generation + 1);
            assert_eq!(group["active"], to);
        }
    };
    tokio::select! {
        () = ordering => {}
        () = ticking(&processes[0]) => {}
        () = ticking(&processes[1]) => {}
        () = ticking(&processes[2]) => {}
    }
    let told = entries(&processes[0], "contoso", "switchover").await;
    let generations: Vec<u64> = told
        .iter()
        .map(|entry| entry["generation"].as_u64().unwrap())
        .collect();
    let expected: Vec<u64> = (1..=20).rev().collect();
    assert_eq!(generations, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_order_without_a_fence_all_are_answered_and_history_agrees() {
    let stage = Stage::set(two_endpoints(&["contoso"]), hasty()).await;
    let processes = futures::future::join_all((0..3).map(|_| stage.handler())).await;
    let orders = (0..24_usize).map(|index| {
        let to = ["northeurope", "westeurope"][index % 2];
        let body = json!({"reason": format!("order {index}"), "to": to});
        order(&processes[index % 3], "contoso", "failover", body)
    });
    for answer in futures::future::join_all(orders).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let group = get(&processes[0], "/api/groups/contoso").await;
    let told = entries(&processes[1], "contoso", "failover").await;
    assert_eq!(group["generation"], told.len() as u64);
    assert_eq!(group["active"], told[0]["to"]);
    for (newer, older) in told.iter().zip(told.iter().skip(1)) {
        assert_eq!(newer["from"], older["to"], "{told:?}");
        assert_ne!(newer["from"], newer["to"], "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_too_little_known_only_a_forced_order_passes() {
    let stage = Stage::set(World::two_regions(), quick()).await;
    let http = stage.handler().await;
    for service in [Service::Identity, Service::Arm] {
        stage
            .sim
            .set(service, Scope::everywhere(), Fault::Error(503));
    }
    for what in ["failover", "switchover", "drill"] {
        let answer = order(&http, "contoso", what, json!({"reason": "x"})).await;
        answer.fails(409, "EvidenceIncomplete");
    }
    let forced = json!({"reason": "x", "force": true});
    let group = order(&http, "contoso", "failover", forced).await.done();
    assert_eq!(group["active"], "northeurope");
    let entry = entries(&http, "contoso", "failover").await.remove(0);
    assert_eq!(entry["forced"], true);
    assert_eq!(entry["hold"]["code"], "EvidenceIncomplete");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_lasts_an_hour_unless_said_and_ends_by_itself() {
    let stage = Stage::set(two_endpoints(&["contoso"]), hasty()).await;
    let http = stage.handler().await;
    let pause = async |body: Value| order(&http, "contoso", "pause", body).await.done();
    let group = pause(json!({"reason": "x"})).await;
    let at = |name: &str| -> jiff::Timestamp {
        group["paused"][name].as_str().unwrap().parse().unwrap()
    };
    assert_eq!(at("until").duration_since(at("since")).as_secs(), 3600);
    // A second pause takes the place of the first, and is over after a second.
    pause(json!({"reason": "y", "for": "1s"})).await;
    crate::stage::until("the pause is over", async || {
        let group = get(&http, "/api/groups/contoso").await;
        group["paused"].is_null().then_some(())
    })
    .await;
    assert_eq!(entries(&http, "contoso", "pause").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_etag_is_the_same_in_every_process_and_changes_with_the_move() {
    let stage = Stage::set(two_endpoints(&["contoso"]), hasty()).await;
    let (one, other) = (stage.handler().await, stage.handler().await);
    fire(&one).await;
    let etag = async |app: &Handler, path: &str| {
        let answer = ask(app, "GET", path, "").await;
        assert_eq!(answer.status, 200);
        assert!(
            answer
                .header("cache-control")
                .starts_with("max-age=5, stale-if-error=")
        );
        answer.header("etag").to_owned()
    };
    assert_eq!(etag(&one, LOOKUP).await, "\"0\"");
    assert_eq!(etag(&other, LOOKUP).await, "\"0\"");
    let known = reqwest::Client::new().get(other.url(LOOKUP));
    let answer = known.header("if-none-match", "\"0\"").send().await.unwrap();
    assert_eq!(answer.status(), 304);
    // What no client sees changes no tag.
    order(&one, "contoso", "pause", json!({"reason": "x"}))
        .await
        .done();
    assert_eq!(etag(&one, LOOKUP).await, "\"0\"");
    order(&one, "contoso", "switchover", json!({"reason": "x"}))
        .await
        .done();
    assert_eq!(etag(&one, LOOKUP).await, "\"1\"");
    assert_eq!(etag(&other, &format!("{LOOKUP}?min=1")).await, "\"1\"");
}

/// A stage behind a proxy, with evidence that is fresh for long: an order writes its own rows only.
async fn behind_proxy() -> (Stage, Handler, Proxy) {
    let proxy = Proxy::start(Azurite::shared().port()).await;
    let options = hasty().policy("probe_interval", "60s");
    let stage = Stage::set_at(two_endpoints(&["contoso"]), options, proxy.port).await;
    let app = stage.handler().await;
    counted_round(&app).await;
    (stage, app, proxy)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_carried_out_once_whatever_becomes_of_the_stores_answer() {
    let (_stage, app, proxy) = behind_proxy().await;
    let faults = [
        Spoilt::DropAnswer,
        Spoilt::ErrorAfter,
        Spoilt::HangAfter,
        Spoilt::Twice,
        Spoilt::Truncate,
        Spoilt::Busy,
    ];
    for (index, fault) in faults.into_iter().enumerate() {
        let to = ["northeurope", "westeurope"][index % 2];
        proxy.spoil_writes(&[fault]);
        let body = json!({"reason": "x", "to": to, "ifGeneration": index});
        let group = order(&app, "contoso", "failover", body).await.done();
        assert!(proxy.is_spent(), "{fault:?}");
        assert_eq!(group["active"], to, "{fault:?}");
        assert_eq!(group["generation"], index + 1, "{fault:?}");
        let told = entries(&app, "contoso", "failover").await;
        assert_eq!(told.len(), index + 1, "{fault:?}");
    }
    // Nobody knows whether this one will still arrive, so it is not said to be done.
    proxy.spoil_writes(&[Spoilt::HangBefore]);
    let body = json!({"reason": "x", "to": "northeurope"});
    let answer = order(&app, "contoso", "failover", body).await;
    answer.fails(503, "StoreUnavailable");
    let group = get(&app, "/api/groups/contoso").await;
    assert_eq!(group["generation"], 6);
    assert_eq!(entries(&app, "contoso", "failover").await.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_process_is_killed_in_its_write_is_there_for_the_next() {
    let (stage, app, proxy) = behind_proxy().await;
    let other = stage.handler().await;
    proxy.spoil_writes(&[Spoilt::HangAfter]);
    let url = app.url("/api/groups/contoso/switchover");
    let sending = tokio::spawn(async move {
        let body = json!({"reason": "x"}).to_string();
        reqwest::Client::new().post(url).body(body).send().await
    });
    until("the write has arrived", async || {
        let rows = stage.rows_of("history").await;
        (!rows.is_empty()).then_some(())
    })
    .await;
    app.kill();
    assert!(sending.await.unwrap().is_err(), "nobody was left to answer");
    let shown = get(&other, &format!("{LOOKUP}?min=1")).await;
    assert_eq!(shown["site"], "northeurope");
    assert_eq!(shown["ready"], true);
    fire(&other).await;
    let group = get(&other, "/api/groups/contoso").await;
    assert_eq!(group["generation"], 1);
    assert_eq!(entries(&other, "contoso", "switchover").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_that_cannot_commit_fails_and_the_next_one_moves() {
    let proxy = Proxy::start(Azurite::shared().port()).await;
    let options = hasty().policy("probe_interval", "60s");
    let stage = Stage::set_at(two_endpoints(&["contoso"]), options, proxy.port).await;
    let app = stage.handler().await;
    stage.sim.break_region("westeurope");
    counted_round(&app).await;
    // No further round is due, so all that a tick has to write is the move.
    let failed = until("the hold time is over and the move fails", async || {
        proxy.forgive();
        proxy.spoil_writes(&[Spoilt::Busy; 12]);
        let (status, body) = app.fire(&[]).await;
        (status != 200).then_some((status, body))
    })
    .await;
    assert_eq!(failed.0, 500, "{}", failed.1);
    assert!(failed.1.contains("TickFailed"), "{}", failed.1);
    proxy.forgive();
    assert_eq!(get(&app, LOOKUP).await["generation"], 0);
    fire(&app).await;
    assert_eq!(get(&app, LOOKUP).await["site"], "northeurope");
    assert_eq!(entries(&app, "contoso", "failover").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_three_sites_the_first_that_is_fit_is_taken() {
    let regions = ["westeurope", "northeurope", "francecentral"];
    let mut world = World::with_regions(&regions);
    for region in regions {
        world.add_endpoint(Some("contoso"), region, "web", 200, "well");
    }
    let stage = Stage::set(world, hasty()).await;
    let app = stage.handler().await;
    counted_round(&app).await;
    let to = json!({"reason": "x", "to": "francecentral", "dryRun": true});
    let would = order(&app, "contoso", "failover", to).await.done();
    assert_eq!(would["would"]["to"], "francecentral");
    stage.sim.break_region("northeurope");
    stage.sim.break_region("westeurope");
    until("the third serves", async || {
        fire(&app).await;
        (get(&app, LOOKUP).await["site"] == "francecentral").then_some(())
    })
    .await;
    stage.sim.mend_region("northeurope");
    stage.sim.mend_region("westeurope");
    until("all are fit", async || {
        let body = json!({"reason": "x"});
        let answer = order(&app, "contoso", "switchover", body).await;
        (answer.status == 200).then_some(())
    })
    .await;
    let group = get(&app, "/api/groups/contoso").await;
    assert_eq!(group["active"], "westeurope", "in configured order");
}
