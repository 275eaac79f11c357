//! Two processes at one flip: one of them wins it, the other answers by what is there then, and nothing is moved
//! twice. The loser's write is held at the store's door until the winner is done.

use serde_json::{Value, json};

use crate::azurite::Azurite;
use crate::handler::Handler;
use crate::stage::{
    Answer, Stage, counted_round, entries, fire, get, hasty, order, two_endpoints, until,
};
use crate::table_proxy::{Fault, Proxy};

const LOOKUP: &str = "/api/groups/contoso/active";

/// The process that loses, behind the proxy, and the one that wins. Their evidence is fresh for a minute, so that
/// all they have to write is the move.
async fn two_processes(broken: bool) -> (Stage, Handler, Handler, Proxy) {
    let proxy = Proxy::start(Azurite::shared().port()).await;
    let options = hasty().policy("probe_interval", "60s");
    let stage = Stage::set_at(two_endpoints(&["contoso"]), options, proxy.port).await;
    let loser = stage.handler().await;
    let direct = Azurite::shared().connection_string();
    let setting = ("UNDERSTUDY__STORE__CONNECTION_STRING", direct.as_str());
    let winner = stage.handler_with(&[setting]).await;
    if broken {
        stage.sim.break_region("westeurope");
    }
    counted_round(&loser).await;
    (stage, loser, winner, proxy)
}

/// Holds the loser's next write, lets the winner act, and lets the write go.
async fn overtaken<T>(
    proxy: &Proxy,
    losing: impl Future<Output = T>,
    winning: impl Future<Output = ()>,
) -> T {
    proxy.spoil_writes(&[Fault::Held]);
    let winning = async {
        proxy.holds(1).await;
        winning.await;
        proxy.let_go();
    };
    tokio::join!(losing, winning).0
}

/// The moves of the history, oldest first, as (kind, generation, to, cause).
async fn moves(handler: &Handler) -> Vec<Value> {
    let mut told = Vec::new();
    for kind in ["failover", "switchover", "failback"] {
        told.extend(entries(handler, "contoso", kind).await);
    }
    told.sort_by_key(|entry| entry["generation"].as_u64());
    told.iter()
        .map(|entry| {
            json!([
                entry["kind"],
                entry["generation"],
                entry["to"],
                entry["cause"]
            ])
        })
        .collect()
}

/// Both processes and the record agree on it.
async fn ends(loser: &Handler, winner: &Handler, generation: u64, site: &str) {
    for handler in [loser, winner] {
        let shown = get(handler, &format!("{LOOKUP}?min={generation}")).await;
        assert_eq!(shown["generation"], generation);
        assert_eq!(shown["site"], site);
        assert_eq!(shown["moving"], false);
    }
}

/// What the loser answers to this order, and the moves, after the winner has carried out those.
async fn lost(losing: (&str, Value), winning: &[(&str, Value)]) -> (Answer, Vec<Value>) {
    let (_stage, loser, winner, proxy) = two_processes(false).await;
    let (what, body) = losing;
    let answer = overtaken(&proxy, order(&loser, "contoso", what, body), async {
        for (what, body) in winning {
            order(&winner, "contoso", what, body.clone()).await.done();
        }
    })
    .await;
    let moves = moves(&winner).await;
    let last = moves.last().expect("a move");
    let generation = last[1].as_u64().expect("a generation");
    ends(
        &loser,
        &winner,
        generation,
        last[2].as_str().expect("a site"),
    )
    .await;
    (answer, moves)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_orders_to_leave_a_site_one_moves_and_both_are_done() {
    let why = json!({"reason": "x"});
    for (losing, winning) in [
        ("failover", "failover"),
        ("failover", "switchover"),
        ("switchover", "failover"),
    ] {
        let (answer, moves) = lost((losing, why.clone()), &[(winning, why.clone())]).await;
        let group = answer.done();
        assert_eq!(group["generation"], 1, "{losing} after {winning}");
        assert_eq!(moves, [json!([winning, 1, "northeurope", "order"])]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fenced_order_that_lost_the_flip_is_refused_with_412() {
    let fenced = json!({"reason": "x", "ifGeneration": 0});
    let why = json!({"reason": "x"});
    let (answer, moves) = lost(("failover", fenced), &[("failover", why)]).await;
    answer.fails(412, "GenerationMismatch");
    assert_eq!(moves, [json!(["failover", 1, "northeurope", "order"])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_lost_to_a_move_there_and_back_still_means_its_site() {
    let why = json!({"reason": "x"});
    let winning = [("switchover", why.clone()), ("failback", why.clone())];
    let (answer, moves) = lost(("failover", why), &winning).await;
    assert_eq!(answer.done()["generation"], 3);
    let expected = [
        json!(["switchover", 1, "northeurope", "order"]),
        json!(["failback", 2, "westeurope", "order"]),
        json!(["failover", 3, "northeurope", "order"]),
    ];
    assert_eq!(moves, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_lost_to_a_pause_moves_all_the_same_and_the_pause_stays() {
    let why = json!({"reason": "x"});
    let (answer, moves) = lost(("failover", why.clone()), &[("pause", why)]).await;
    let group = answer.done();
    assert_eq!(group["generation"], 1);
    assert_eq!(group["paused"]["reason"], "x");
    assert_eq!(moves, [json!(["failover", 1, "northeurope", "order"])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_that_lost_its_flip_to_an_order_does_nothing_more() {
    let (_stage, loser, winner, proxy) = two_processes(true).await;
    let ticking = async {
        until("the hold time is over and the flip is made", async || {
            fire(&loser).await;
            let shown = get(&winner, LOOKUP).await;
            (shown["generation"] == 1).then_some(())
        })
        .await;
    };
    let ordering = async {
        let body = json!({"reason": "x"});
        order(&winner, "contoso", "failover", body).await.done();
    };
    overtaken(&proxy, ticking, ordering).await;
    fire(&loser).await;
    ends(&loser, &winner, 1, "northeurope").await;
    let expected = [json!(["failover", 1, "northeurope", "order"])];
    assert_eq!(moves(&winner).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_lost_its_flip_to_a_tick_is_done() {
    let (_stage, loser, winner, proxy) = two_processes(true).await;
    let body = json!({"reason": "x"});
    let ordering = order(&loser, "contoso", "failover", body);
    let ticking = async {
        until("the hold time is over and the group is moved", async || {
            fire(&winner).await;
            let shown = get(&winner, LOOKUP).await;
            (shown["generation"] == 1).then_some(())
        })
        .await;
    };
    let answer = overtaken(&proxy, ordering, ticking).await;
    assert_eq!(answer.done()["generation"], 1);
    ends(&loser, &winner, 1, "northeurope").await;
    let expected = [json!(["failover", 1, "northeurope", "automatic"])];
    assert_eq!(moves(&winner).await, expected);
}
