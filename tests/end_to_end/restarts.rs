//! The store itself ends and comes back: with all that it had, with nothing, or with what it had a while ago.

use std::time::Duration;

use serde_json::{Value, json};
use understudy::adapters::store::rows::Row;
use understudy::sim::World;

use crate::alerts::incident;
use crate::azurite::Azurite;
use crate::handler::Handler;
use crate::stage::{
    Stage, ask, counted_round, entries, fire_and_read, get, order, quick, until, until_within,
};

const LOOKUP: &str = "/api/groups/contoso/active";
/// The contract's limits.
const LOOKUP_LIMIT: Duration = Duration::from_secs(10);
const STALE_LIMIT: Duration = Duration::from_secs(30);

/// A stage whose store is an emulator of its own, and two processes, one of which has seen a round.
async fn set(azurite: &Azurite) -> (Stage, Handler, Handler) {
    let options = quick().policy("probe_interval", "60s");
    let stage = Stage::set_at(World::two_regions(), options, azurite.port()).await;
    let stage = stage.kept_by(azurite);
    let (timer, http) = (stage.handler().await, stage.handler().await);
    counted_round(&timer).await;
    (stage, timer, http)
}

async fn lookup(handler: &Handler) -> Value {
    let answered = tokio::time::timeout(LOOKUP_LIMIT, get(handler, LOOKUP)).await;
    answered.expect("a lookup answers within 10 s")
}

async fn shows(handler: &Handler, stale: bool) -> Value {
    until_within(STALE_LIMIT, "the lookup says how old it is", async || {
        let answer = lookup(handler).await;
        (answer["stale"] == stale).then_some(answer)
    })
    .await
}

/// The rows that hold what was acknowledged.
async fn acknowledged(stage: &Stage) -> Vec<Row> {
    let mut rows = stage.all_rows().await;
    rows.retain(|row| !row.key.starts_with("beat."));
    rows
}

/// Waits until the emulator's file holds all of this.
async fn is_saved(azurite: &Azurite, rows: &[Row]) -> String {
    until("the emulator has written its file", async || {
        let file = azurite.file();
        let holds = |row: &Row| {
            let last = row.properties.get("writes").and_then(Value::as_str);
            file.contains(&row.key) && last.is_none_or(|last| file.contains(last))
        };
        rows.iter().all(holds).then_some(file)
    })
    .await
}

async fn move_to(handler: &Handler, site: &str, generation: u64) {
    let body = json!({"reason": format!("to {site}"), "to": site, "ifGeneration": generation - 1});
    let group = order(handler, "contoso", "failover", body).await.done();
    assert_eq!(group["generation"], generation);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_the_store_was_killed_or_stopped() {
    let mut azurite = Azurite::start_with_file();
    let (stage, timer, http) = set(&azurite).await;
    let alert = |id: &str| incident(stage.sim.world(), id, "North Europe", "Active", 5).to_string();
    let mut generation = 0;
    for how in ["killed", "stopped"] {
        let to = ["northeurope", "westeurope"][generation % 2];
        generation += 1;
        move_to(&http, to, generation as u64).await;
        ask(&http, "POST", "/api/alerts", &alert(how)).await.done();
        order(&http, "contoso", "pause", json!({"reason": how}))
            .await
            .done();
        let known = get(&timer, &format!("{LOOKUP}?min={generation}")).await;
        assert_eq!(known["site"], to);
        let before = acknowledged(&stage).await;
        if how == "killed" {
            is_saved(&azurite, &before).await;
            azurite.kill();
        } else {
            azurite.stop();
        }

        for handler in [&timer, &http] {
            let stale = shows(handler, true).await;
            assert_eq!(
                (&stale["site"], &stale["generation"]),
                (&json!(to), &json!(generation))
            );
        }
        let during = json!({"reason": "during"});
        for answer in [
            order(&http, "contoso", "pause", during.clone()).await,
            order(&http, "contoso", "failover", during).await,
            ask(&http, "POST", "/api/alerts", &alert("during")).await,
        ] {
            answer.fails(503, "StoreUnavailable");
            assert!(!answer.header("retry-after").is_empty());
        }
        assert_eq!(timer.fire(&[]).await.0, 500, "the run failed");

        azurite.restart();
        for handler in [&timer, &http] {
            let fresh = shows(handler, false).await;
            assert_eq!(
                (&fresh["site"], &fresh["generation"]),
                (&json!(to), &json!(generation))
            );
        }
        assert_eq!(acknowledged(&stage).await, before, "{how}");
        // Azure sends its alert again, a person repeats the order: nothing is there twice.
        ask(&http, "POST", "/api/alerts", &alert(how)).await.done();
        let again = json!({"reason": "again", "to": to});
        order(&http, "contoso", "failover", again).await.done();
        until("the timer runs again", async || {
            (timer.fire(&[]).await.0 == 200).then_some(())
        })
        .await;
        let count =
            |rows: &[Row], kind: &str| rows.iter().filter(|row| row.key.starts_with(kind)).count();
        let after = acknowledged(&stage).await;
        assert_eq!(
            count(&after, "alert."),
            generation,
            "one row for each alert"
        );
        let moves = entries(&http, "contoso", "failover").await;
        assert_eq!(moves.len(), generation, "{moves:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_lost_everything_does_not_send_anybody_back_to_the_primary() {
    let mut azurite = Azurite::start_with_file();
    let (stage, timer, http) = set(&azurite).await;
    move_to(&timer, "northeurope", 1).await;
    let before = get(&http, &format!("{LOOKUP}?min=1")).await;
    azurite.stop();
    azurite.remove_file();
    azurite.restart();
    assert_eq!(stage.all_rows().await, []);

    // Neither before the row is made again nor after.
    for handler in [&timer, &http] {
        let answer = shows(handler, false).await;
        for what in ["site", "generation", "since", "accounts"] {
            assert_eq!(answer[what], before[what], "{what}");
        }
    }
    assert_eq!(get(&http, "/api/groups/contoso").await["generation"], 1);
    assert_eq!(
        get(&http, "/api/groups").await["groups"][0]["generation"],
        1
    );
    let said = fire_and_read(&timer).await.join("\n");
    assert!(said.contains("the row of contoso had vanished"), "{said}");
    assert!(said.contains("generation 1 on northeurope"), "{said}");
    let cold = stage.handler().await;
    for handler in [&timer, &http, &cold] {
        let answer = shows(handler, false).await;
        assert_eq!(
            (&answer["site"], &answer["generation"]),
            (&json!("northeurope"), &json!(1))
        );
    }
    assert_eq!(stage.rows_of("group").await.len(), 1);
    move_to(&cold, "westeurope", 2).await;
    assert_eq!(entries(&http, "contoso", "failover").await.len(), 1);

    // An order may come before any tick.
    azurite.stop();
    azurite.remove_file();
    azurite.restart();
    move_to(&cold, "northeurope", 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_put_back_from_a_copy_is_believed_by_all() {
    let mut azurite = Azurite::start_with_file();
    let (stage, timer, http) = set(&azurite).await;
    move_to(&timer, "northeurope", 1).await;
    let copy = is_saved(&azurite, &acknowledged(&stage).await).await;
    move_to(&timer, "westeurope", 2).await;
    let seen = get(&http, &format!("{LOOKUP}?min=2")).await;
    assert_eq!(seen["site"], "westeurope");
    azurite.stop();
    azurite.put_file(&copy);
    azurite.restart();
    // What a process that has started since does stands, whatever others remember.
    let cold = stage.handler().await;
    assert_eq!(lookup(&cold).await["generation"], 1);
    move_to(&cold, "westeurope", 2).await;
    let pause = json!({"reason": "looking at what was lost"});
    order(&cold, "contoso", "pause", pause).await.done();
    let row = stage.rows_of("group").await.remove(0);
    until("the timer runs again", async || {
        (timer.fire(&[]).await.0 == 200).then_some(())
    })
    .await;
    assert_eq!(stage.rows_of("group").await, [row], "no tick undoes it");
    for handler in [&timer, &http, &cold] {
        shows(handler, false).await;
        let group = get(handler, "/api/groups/contoso").await;
        assert_eq!(
            (&group["generation"], &group["active"]),
            (&json!(2), &json!("westeurope"))
        );
        assert_eq!(group["paused"]["reason"], "looking at what was lost");
    }
}
