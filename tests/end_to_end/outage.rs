//! A region fails: the group moves once, and every process tells the same story.

use std::time::Duration;

use serde_json::Value;
use understudy::sim::World;

use crate::stage::{Stage, counted_round, entries, fire, get, quick, site, until, until_within};

const GROUP: &str = "/api/groups/contoso";
const LOOKUP: &str = "/api/groups/contoso/active";

#[tokio::test(flavor = "multi_thread")]
async fn the_timer_moves_the_group_and_another_process_tells_of_it() {
    let stage = Stage::set(World::two_regions(), quick()).await;
    let timer = stage.handler().await;
    let http = stage.handler().await;
    counted_round(&timer).await;

    let before = get(&http, LOOKUP).await;
    assert_eq!(before["site"], "westeurope");
    assert_eq!(before["generation"], 0);
    assert_eq!(before["ready"], true);
    let group = get(&http, GROUP).await;
    for name in ["westeurope", "northeurope"] {
        assert_eq!(site(&group, name)["verdict"], "healthy", "{group}");
    }
    assert_eq!(group["hold"], Value::Null);

    stage.sim.break_region("westeurope");
    until("the timer's process has moved the group", async || {
        fire(&timer).await;
        let here = get(&timer, LOOKUP).await;
        (here["site"] == "northeurope").then_some(())
    })
    .await;
    // The contract's own limit on how far another process may lag behind.
    let after = until_within(
        Duration::from_secs(5),
        "the other process follows",
        async || {
            let there = get(&http, LOOKUP).await;
            (there["generation"] == 1).then_some(there)
        },
    )
    .await;
    assert_eq!(after["site"], "northeurope");
    assert_eq!(after["accounts"]["videoIndexer"]["location"], "northeurope");
    let group = get(&http, GROUP).await;
    assert_eq!(group["active"], "northeurope");
    assert_eq!(group["generation"], 1);
    assert_eq!(group["phase"], "settled");
    assert_eq!(site(&group, "westeurope")["verdict"], "unhealthy");

    let moves = entries(&http, "contoso", "failover").await;
    assert_eq!(moves.len(), 1, "{moves:?}");
    let entry = &moves[0];
    assert_eq!(entry["rule"], "S1");
    assert_eq!(entry["generation"], 1);
    assert_eq!(entry["from"], "westeurope");
    assert_eq!(entry["to"], "northeurope");
    assert_eq!(entry["actor"], "understudy");
    assert_eq!(entry["cause"], "automatic");
    let times = ["firstFailedAt", "unhealthyAt", "decidedAt", "flippedAt"].map(|name| {
        entry["times"][name]
            .as_str()
            .unwrap_or_else(|| panic!("{name}: {entry}"))
    });
    assert!(times.is_sorted(), "{times:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_survives_the_process_that_made_it_and_is_not_repeated() {
    let stage = Stage::set(World::two_regions(), quick()).await;
    let timer = stage.handler().await;
    counted_round(&timer).await;
    stage.sim.break_region("westeurope");
    counted_round(&timer).await;
    counted_round(&timer).await;
    timer.kill();

    // The streak is in the store: a fresh process needs one more round, not three.
    let timer = stage.handler().await;
    counted_round(&timer).await;
    let group = get(&timer, GROUP).await;
    assert_eq!(
        site(&group, "westeurope")["verdict"],
        "unhealthy",
        "{group}"
    );
    until("it moves", async || {
        fire(&timer).await;
        (get(&timer, LOOKUP).await["generation"] == 1).then_some(())
    })
    .await;
    timer.kill();
    let timer = stage.handler().await;
    for _ in 0..3 {
        counted_round(&timer).await;
    }
    assert_eq!(get(&timer, LOOKUP).await["generation"], 1);
    assert_eq!(entries(&timer, "contoso", "failover").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_that_tick_through_an_outage_make_one_move() {
    let stage = Stage::set(World::two_regions(), quick()).await;
    let mut processes = Vec::new();
    for _ in 0..8 {
        processes.push(stage.handler().await);
    }
    let everyone = async || {
        let fired = processes.iter().map(fire);
        futures::future::join_all(fired).await;
    };
    everyone().await;
    assert_eq!(get(&processes[7], LOOKUP).await["site"], "westeurope");
    stage.sim.break_region("westeurope");
    until("all have moved", async || {
        everyone().await;
        for process in &processes {
            if get(process, LOOKUP).await["generation"] == 0 {
                return None;
            }
        }
        Some(())
    })
    .await;
    for _ in 0..5 {
        everyone().await;
    }
    for process in &processes {
        let group = get(process, GROUP).await;
        assert_eq!(group["active"], "northeurope");
        assert_eq!(group["generation"], 1);
        assert_eq!(entries(process, "contoso", "failover").await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_lookup_is_answered_by_the_move() {
    let stage = Stage::set(World::two_regions(), quick()).await;
    let timer = stage.handler().await;
    let http = stage.handler().await;
    counted_round(&timer).await;
    assert_eq!(get(&http, LOOKUP).await["generation"], 0);
    stage.sim.break_region("westeurope");
    let waiting = get(&http, "/api/groups/contoso/active?after=0&wait=60s");
    let ticking = async {
        loop {
            fire(&timer).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let answer = tokio::select! {
        answer = waiting => answer,
        () = ticking => unreachable!("it never ends"),
    };
    assert_eq!(answer["generation"], 1);
    assert_eq!(answer["site"], "northeurope");
}
