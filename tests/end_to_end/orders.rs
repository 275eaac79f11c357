//! Every order over HTTP, to processes that share nothing but the store.

use serde_json::{Value, json};
use understudy::sim::{Kind, World};

use crate::azurite::Azurite;
use crate::handler::Handler;
use crate::stage::{
    Stage, counted_round, entries, fire, get, hasty, order, quick, two_endpoints, until,
};
use crate::table_proxy::{Fault, Proxy};

const GROUP: &str = "/api/groups/contoso";
const LOOKUP: &str = "/api/groups/contoso/active";
const ALL: [&str; 8] = [
    "failover",
    "switchover",
    "failback",
    "cancel",
    "pause",
    "resume",
    "acknowledge",
    "drill",
];
const NEED_REASON: [&str; 5] = ["failover", "switchover", "failback", "pause", "acknowledge"];

fn why() -> Value {
    json!({"reason": "the test says so"})
}

async fn contoso() -> Stage {
    Stage::set(two_endpoints(&["contoso"]), hasty()).await
}

/// Ticks until the group's hold has this code, or there is none for "none".
async fn held(timer: &Handler, code: &str) -> Value {
    until(&format!("the hold is {code}"), async || {
        fire(timer).await;
        let group = get(timer, GROUP).await;
        (group["hold"]["code"].as_str().unwrap_or("none") == code).then_some(group)
    })
    .await
}

/// Ticks until this site is active.
async fn moved(timer: &Handler, to: &str) -> Value {
    until(&format!("{to} is active"), async || {
        fire(timer).await;
        let group = get(timer, GROUP).await;
        (group["active"] == to).then_some(group)
    })
    .await
}

async fn kinds(handler: &Handler) -> Vec<String> {
    let history = get(handler, "/api/groups/contoso/history").await;
    let entries = history["entries"].as_array().unwrap().clone();
    let kind = |entry: &Value| entry["kind"].as_str().unwrap().to_owned();
    entries.iter().rev().map(kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_move_is_done_and_then_there_is_nothing_to_do() {
    let stage = contoso().await;
    let (one, other) = (stage.handler().await, stage.handler().await);
    for (index, (what, to, rule)) in [
        ("switchover", "northeurope", "S6"),
        ("failback", "westeurope", "S7"),
        ("failover", "northeurope", "S5"),
    ]
    .into_iter()
    .enumerate()
    {
        let generation = index as u64 + 1;
        let group = order(&one, "contoso", what, why()).await.done();
        assert_eq!(group["active"], to, "{what}");
        assert_eq!(group["generation"], generation);
        assert_eq!(group["phase"], "settled");
        let entry = entries(&one, "contoso", what).await.remove(0);
        assert_eq!(entry["rule"], rule);
        assert_eq!(entry["generation"], generation);
        assert_eq!(entry["actor"], "key");
        assert_eq!(entry["cause"], "order");
        assert_eq!(entry["reason"], "the test says so");
        assert_eq!(entry["to"], to);
        assert!(entry["times"]["flippedAt"].is_string(), "{entry}");
        assert_eq!(entry.get("forced"), None, "nobody forced it");

        let again = json!({"reason": "again", "to": to});
        let group = order(&other, "contoso", what, again).await.done();
        assert_eq!(group["generation"], generation, "{what} to where it is");
        let shown = get(&other, &format!("{LOOKUP}?min={generation}")).await;
        assert_eq!(shown["site"], to);
    }
    assert_eq!(kinds(&one).await, ["switchover", "failback", "failover"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moves_nothing_is_done_once_too() {
    let stage = contoso().await;
    let (one, other) = (stage.handler().await, stage.handler().await);
    let pause = json!({"reason": "a festival", "for": "5m"});
    let group = order(&one, "contoso", "pause", pause).await.done();
    assert_eq!(group["paused"]["by"], "key");
    assert_eq!(group["paused"]["reason"], "a festival");
    let at = |name: &str| -> jiff::Timestamp {
        group["paused"][name].as_str().unwrap().parse().unwrap()
    };
    assert_eq!(at("until").duration_since(at("since")).as_secs(), 300);
    assert!(get(&other, GROUP).await["paused"].is_object());

    // An order passes a pause and leaves it on.
    let group = order(&other, "contoso", "switchover", why()).await.done();
    assert_eq!(group["active"], "northeurope");
    assert_eq!(group["paused"]["reason"], "a festival");

    for _ in 0..2 {
        let group = order(&other, "contoso", "resume", json!({})).await.done();
        assert_eq!(group["paused"], Value::Null);
        order(&one, "contoso", "cancel", json!({})).await.done();
    }
    order(&one, "contoso", "acknowledge", why()).await.done();
    let group = order(&one, "contoso", "drill", json!({})).await.done();
    assert_eq!(group["active"], "northeurope", "a drill moves nothing");
    assert_eq!(group["generation"], 1);
    let drill = entries(&other, "contoso", "drill").await.remove(0);
    assert_eq!(drill["to"], "westeurope");
    assert!(drill["times"]["completedAt"].is_string(), "{drill}");
    let told = ["pause", "switchover", "resume", "acknowledge", "drill"];
    assert_eq!(kinds(&one).await, told);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_with_old_evidence_probes_first_and_is_refused_on_what_it_sees() {
    let stage = contoso().await;
    let http = stage.handler().await;
    stage.sim.break_region("northeurope");
    assert_eq!(stage.sim.count(Kind::Endpoint), 0, "no timer has ever run");
    for what in ["failover", "switchover", "drill"] {
        let answer = order(&http, "contoso", what, why()).await;
        answer.fails(409, "TargetUnfit");
        assert_eq!(answer.body["hold"]["code"], "TargetUnfit");
    }
    assert!(stage.sim.count(Kind::Endpoint) > 0, "it was probed");
    let refused = entries(&http, "contoso", "refused").await;
    assert_eq!(refused.len(), 3, "{refused:?}");
    assert_eq!(refused[0]["hold"]["code"], "TargetUnfit");
    assert_eq!(refused[0]["actor"], "key");

    stage.sim.mend_region("northeurope");
    stage.sim.break_region("westeurope");
    until("the source is known to fail", async || {
        let answer = order(&http, "contoso", "switchover", why()).await;
        assert_eq!(answer.status, 409, "{answer:?}");
        (answer.code() == "SourceUnfit").then_some(())
    })
    .await;
    let group = order(&http, "contoso", "failover", why()).await.done();
    assert_eq!(group["active"], "northeurope", "a failed site may be left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_order_is_not_undone_by_the_timer_until_acknowledged() {
    let stage = contoso().await;
    let (timer, http) = (stage.handler().await, stage.handler().await);
    stage.sim.break_region("northeurope");
    counted_round(&timer).await;
    let forced = json!({"reason": "I know better", "force": true});
    let group = order(&http, "contoso", "switchover", forced).await.done();
    assert_eq!(group["active"], "northeurope");
    let entry = entries(&http, "contoso", "switchover").await.remove(0);
    assert_eq!(entry["forced"], true);
    assert_eq!(entry["hold"]["code"], "TargetUnfit", "{entry}");

    let group = held(&timer, "Forced").await;
    assert!(group["hold"]["until"].is_string(), "{group}");
    for _ in 0..2 {
        counted_round(&timer).await;
    }
    let group = held(&timer, "Forced").await;
    assert_eq!(group["active"], "northeurope", "{group}");

    order(&http, "contoso", "acknowledge", why()).await.done();
    let group = moved(&timer, "westeurope").await;
    assert_eq!(group["generation"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_changes_no_row() {
    let stage = Stage::set(
        two_endpoints(&["contoso"]),
        hasty().policy("probe_interval", "30s"),
    )
    .await;
    let (timer, http) = (stage.handler().await, stage.handler().await);
    counted_round(&timer).await;
    let before = stage.all_rows().await;
    for what in ALL {
        let dry = json!({"reason": "what if", "dryRun": true});
        let answer = order(&http, "contoso", what, dry).await.done();
        assert_eq!(answer["hold"], Value::Null, "{what}: {answer}");
        let moves = ["failover", "switchover", "drill"].contains(&what);
        assert_eq!(answer["would"].is_object(), moves, "{what}: {answer}");
        if moves {
            assert_eq!(answer["would"]["to"], "northeurope");
            assert_eq!(answer["would"]["generation"], 1);
            for absent in ["id", "startedAt", "flippedAt"] {
                assert_eq!(answer["would"].get(absent), None, "{what}: {absent}");
            }
        }
        let fenced = json!({"reason": "what if", "dryRun": true, "ifGeneration": 3});
        let answer = order(&http, "contoso", what, fenced).await;
        answer.fails(412, "GenerationMismatch");
    }
    assert_eq!(stage.all_rows().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_would_refuse_it() {
    let stage = contoso().await;
    let http = stage.handler().await;
    stage.sim.break_region("northeurope");
    let dry = json!({"reason": "what if", "dryRun": true});
    let answer = order(&http, "contoso", "failover", dry).await.done();
    assert_eq!(answer["would"], Value::Null);
    assert_eq!(answer["hold"]["code"], "TargetUnfit", "{answer}");
    let forced = json!({"reason": "what if", "dryRun": true, "force": true});
    let answer = order(&http, "contoso", "failover", forced).await.done();
    assert_eq!(answer["would"]["forced"], true, "{answer}");
    assert_eq!(answer["hold"], Value::Null);
    assert_eq!(answer["overridden"]["code"], "TargetUnfit", "{answer}");
    assert_eq!(kinds(&http).await, [""; 0]);
    assert_eq!(stage.rows_of("group").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_generation_is_compared_before_everything_else() {
    let stage = contoso().await;
    let http = stage.handler().await;
    order(&http, "contoso", "switchover", why()).await.done();
    for what in ALL {
        // Neither a missing reason nor a site that does not exist is looked at before.
        for body in [
            json!({"ifGeneration": 0}),
            json!({"ifGeneration": 2, "to": "nowhere", "reason": "x"}),
            json!({"ifGeneration": 0, "reason": "x", "force": true}),
        ] {
            let answer = order(&http, "contoso", what, body).await;
            answer.fails(412, "GenerationMismatch");
        }
    }
    let told = kinds(&http).await;
    assert_eq!(told, ["switchover"]);
    let right = json!({"reason": "x", "ifGeneration": 1});
    let group = order(&http, "contoso", "failback", right).await.done();
    assert_eq!(group["generation"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_a_wrong_form_says_what_is_wrong() {
    let stage = contoso().await;
    let http = stage.handler().await;
    for what in NEED_REASON {
        for body in [json!({}), json!({"reason": "  "})] {
            let answer = order(&http, "contoso", what, body).await;
            answer.fails(400, "InvalidRequest");
            assert_eq!(answer.body["error"]["target"], "reason", "{what}");
        }
    }
    for what in ALL {
        let body = json!({"reason": "x", "to": "atlantis"});
        let answer = order(&http, "contoso", what, body).await;
        answer.fails(400, "InvalidRequest");
        assert_eq!(answer.body["error"]["target"], "to", "{what}");
        let message = answer.body["error"]["message"].as_str().unwrap();
        assert!(message.contains("westeurope, northeurope"), "{message}");
    }
    for bad in ["0s", "24h1s", "25h", "soon", "-5m", "5"] {
        let body = json!({"reason": "x", "for": bad});
        let answer = order(&http, "contoso", "pause", body).await;
        answer.fails(400, "InvalidRequest");
        assert_eq!(answer.body["error"]["target"], "for", "{bad}");
    }
    let body = json!({"reason": "x", "to": "northeurope"});
    let answer = order(&http, "contoso", "failback", body).await;
    answer.fails(400, "InvalidRequest");
    assert_eq!(kinds(&http).await, [""; 0]);
    for good in ["1s", "24h"] {
        let body = json!({"reason": "x", "for": good});
        order(&http, "contoso", "pause", body).await.done();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_keeps_the_timer_from_moving_and_resume_lets_it() {
    let stage = contoso().await;
    let (timer, http) = (stage.handler().await, stage.handler().await);
    counted_round(&timer).await;
    order(&http, "contoso", "pause", why()).await.done();
    stage.sim.break_region("westeurope");
    let group = held(&timer, "Paused").await;
    assert_eq!(group["hold"]["until"], group["paused"]["until"], "{group}");
    for _ in 0..3 {
        counted_round(&timer).await;
    }
    let group = held(&timer, "Paused").await;
    assert_eq!(group["generation"], 0);
    order(&http, "contoso", "resume", json!({})).await.done();
    moved(&timer, "northeurope").await;
    assert_eq!(
        kinds(&http).await,
        ["pause", "refused", "resume", "failover"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cool_down_and_budget_hold_the_next_move_until_a_person_comes() {
    let options = hasty()
        .policy("cooldown", "1h")
        .policy("max_moves_per_day", 1);
    let stage = Stage::set(two_endpoints(&["contoso"]), options).await;
    let (timer, http) = (stage.handler().await, stage.handler().await);
    counted_round(&timer).await;
    stage.sim.break_region("westeurope");
    moved(&timer, "northeurope").await;
    stage.sim.mend_region("westeurope");
    stage.sim.break_region("northeurope");
    let group = held(&timer, "CoolingDown").await;
    assert!(group["hold"]["until"].is_string(), "{group}");

    // An order ends the cool-down; the budget stays spent.
    order(&http, "contoso", "failover", why()).await.done();
    stage.sim.mend_region("northeurope");
    stage.sim.break_region("westeurope");
    let group = held(&timer, "MoveBudgetSpent").await;
    assert_eq!(group["generation"], 2);

    order(&http, "contoso", "acknowledge", why()).await.done();
    let group = moved(&timer, "northeurope").await;
    assert_eq!(group["generation"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn failback_waits_for_a_person_unless_configured() {
    let stage = contoso().await;
    let (timer, http) = (stage.handler().await, stage.handler().await);
    counted_round(&timer).await;
    stage.sim.break_region("westeurope");
    moved(&timer, "northeurope").await;
    stage.sim.mend_region("westeurope");
    order(&http, "contoso", "acknowledge", why()).await.done();
    held(&timer, "FailbackIsManual").await;
    let group = order(&http, "contoso", "failback", why()).await.done();
    assert_eq!(group["active"], "westeurope");
    assert_eq!(group["generation"], 2);
    assert_eq!(group["hold"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_automatic_failback_undoes_an_automatic_failover_and_no_order() {
    let options = hasty()
        .policy("failback", "automatic")
        .policy("failback_after", "1s")
        .policy("cooldown", "1s");
    let stage = Stage::set(two_endpoints(&["contoso"]), options).await;
    let (timer, http) = (stage.handler().await, stage.handler().await);
    counted_round(&timer).await;
    stage.sim.break_region("westeurope");
    moved(&timer, "northeurope").await;
    stage.sim.mend_region("westeurope");
    moved(&timer, "westeurope").await;
    let entry = entries(&http, "contoso", "failback").await.remove(0);
    assert_eq!(entry["cause"], "automatic");
    assert_eq!(entry["actor"], "understudy");
    assert_eq!(entry["rule"], "S4");

    order(&http, "contoso", "failover", why()).await.done();
    for _ in 0..4 {
        counted_round(&timer).await;
    }
    let group = get(&http, GROUP).await;
    assert_eq!(group["active"], "northeurope", "{group}");
    assert_eq!(group["hold"], Value::Null, "{group}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_order_at_once_one_wins() {
    let stage = contoso().await;
    let (one, other) = (stage.handler().await, stage.handler().await);
    for round in 0..6_u64 {
        let to = ["northeurope", "westeurope"][round as usize % 2];
        let body = json!({"reason": "race", "to": to, "ifGeneration": round});
        let (here, there) = tokio::join!(
            order(&one, "contoso", "failover", body.clone()),
            order(&other, "contoso", "failover", body),
        );
        let mut statuses = [here.status, there.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412], "{here:?} {there:?}");
    }
    let body = json!({"reason": "race", "to": "northeurope"});
    let (here, there) = tokio::join!(
        order(&one, "contoso", "failover", body.clone()),
        order(&other, "contoso", "failover", body),
    );
    assert_eq!(here.done()["generation"], 7);
    assert_eq!(there.done()["generation"], 7);
    assert_eq!(entries(&one, "contoso", "failover").await.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_store_an_order_is_refused_and_nothing_is_half_done() {
    let proxy = Proxy::start(Azurite::shared().port()).await;
    let options = quick().policy("probe_interval", "60s");
    let stage = Stage::set_at(World::two_regions(), options, proxy.port).await;
    let http = stage.handler().await;
    counted_round(&http).await;
    let before = stage.all_rows().await;
    proxy.close();
    for what in ALL {
        let answer = order(&http, "contoso", what, why()).await;
        answer.fails(503, "StoreUnavailable");
        assert!(answer.header("retry-after").parse::<u32>().is_ok());
    }
    proxy.open();
    assert_eq!(stage.all_rows().await, before);

    // A write that is refused for as long as it is tried, and one whose answer is lost.
    proxy.spoil_writes(&[Fault::Busy; 12]);
    let answer = order(&http, "contoso", "switchover", why()).await;
    answer.fails(503, "StoreUnavailable");
    proxy.forgive();
    assert_eq!(stage.all_rows().await, before);
    proxy.spoil_writes(&[Fault::DropAnswer]);
    let group = order(&http, "contoso", "switchover", why()).await.done();
    assert_eq!(group["generation"], 1);
    assert_eq!(kinds(&http).await, ["switchover"]);
}
