//! SIGKILL at every boundary of a step, in twenty groups at once: another process goes on from the rows to the
//! same end, and every start is begun once.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use understudy::sim::{Fault, Kind, MediaKind, ResourceState, Scope, Service};

use crate::handler::Handler;
use crate::stage::{Stage, counted_round, entries, fire, get, hasty, order, until_within};
use crate::streaming::{PARTS, account, streaming};

const GROUPS: usize = 20;
/// A claim of a dead process runs out after half a minute, and a machine may be busy.
const PATIENCE: Duration = Duration::from_secs(180);

struct Twenty {
    stage: Stage,
    groups: Vec<String>,
}

impl Twenty {
    async fn set(takes: Duration) -> (Self, Handler) {
        let groups: Vec<String> = (0..GROUPS).map(|at| format!("g{at:02}")).collect();
        let names: Vec<&str> = groups.iter().map(String::as_str).collect();
        let mut world = streaming(&names, MediaKind::Azure, ResourceState::Stopped);
        world.operation_time = takes;
        let stage = Stage::set(world, hasty().policy("standby", "cold")).await;
        let handler = stage.handler().await;
        counted_round(&handler).await;
        (Self { stage, groups }, handler)
    }

    /// Whatever of this kind is asked of the north gets this fault.
    fn fault(&self, kind: Kind, fault: Fault) {
        let scope = Scope::region("northeurope").only(kind);
        self.stage.sim.set(Service::MediaServices, scope, fault);
    }

    fn began(&self) -> usize {
        let all = self.groups.iter();
        all.flat_map(|group| PARTS.map(|part| (account(group, "northeurope"), part)))
            .map(|(name, part)| self.stage.sim.began(&name, part, "start"))
            .sum()
    }

    async fn order_all(&self, handler: &Handler) {
        let orders = self.groups.iter().map(|group| async move {
            // Forced: the faults that hold a step hold the target's probes as well.
            let body = json!({"reason": "as agreed", "to": "northeurope", "force": true});
            let answer = order(handler, group, "switchover", body).await;
            // One that has flipped already and is not complete stays as it is.
            assert!(matches!(answer.status, 200 | 202 | 409), "{answer:?}");
        });
        join_all(orders).await;
    }

    async fn all(&self, handler: &Handler) -> Vec<Value> {
        let paths = self
            .groups
            .iter()
            .map(|group| format!("/api/groups/{group}"));
        let paths: Vec<String> = paths.collect();
        join_all(paths.iter().map(|path| get(handler, path))).await
    }

    async fn reached(&self, what: &str, mut look: impl AsyncFnMut() -> bool) {
        until_within(PATIENCE, what, async || look().await.then_some(())).await;
    }

    async fn all_calls_have_landed(&self) {
        self.reached("all calls have landed", async || self.began() == 2 * GROUPS)
            .await;
    }

    /// Another process brings every group to the end, and nothing was done twice.
    async fn converge(&self, handler: &Handler) {
        self.reached("all groups settle in the north", async || {
            fire(handler).await;
            let all = self.all(handler).await;
            all.iter()
                .all(|group| group["phase"] == "settled" && group["active"] == "northeurope")
        })
        .await;
        for group in &self.groups {
            let (west, north) = (account(group, "westeurope"), account(group, "northeurope"));
            for part in PARTS {
                let sim = &self.stage.sim;
                assert_eq!(sim.began(&north, part, "start"), 1, "{group} {part}");
                assert_eq!(sim.began(&west, part, "stop"), 1, "{group} {part}");
                assert_eq!(sim.began(&north, part, "stop"), 0, "{group} {part}");
                assert_eq!(sim.media_state(&north, part), Some(ResourceState::Running));
                assert_eq!(sim.media_state(&west, part), Some(ResourceState::Stopped));
            }
            for kind in ["switchover", "moveCompleted"] {
                assert_eq!(
                    entries(handler, group, kind).await.len(),
                    1,
                    "{group} {kind}"
                );
            }
        }
    }

    async fn after(&self, killed: Handler) -> Handler {
        killed.kill();
        self.stage.sim.mend_all();
        self.stage.handler().await
    }

    /// This process is killed, and another one goes on from the rows alone.
    async fn goes_on_after(&self, killed: Handler) {
        let next = self.after(killed).await;
        self.converge(&next).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_claim() {
    let (twenty, handler) = Twenty::set(Duration::from_millis(50)).await;
    // Orders are on their way, and few are committed.
    let orders = twenty.groups.iter().map(|group| {
        let url = handler.url(&format!("/api/groups/{group}/switchover"));
        let body = json!({"reason": "as agreed", "to": "northeurope"}).to_string();
        tokio::spawn(reqwest::Client::new().post(url).body(body).send())
    });
    let orders: Vec<_> = orders.collect();
    tokio::task::yield_now().await;
    let next = twenty.after(handler).await;
    for order in orders {
        // Answered or not: what was committed goes on, the rest is ordered again.
        drop(order.await);
    }
    twenty.order_all(&next).await;
    twenty.converge(&next).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_claim_and_before_the_call() {
    let (twenty, handler) = Twenty::set(Duration::from_millis(50)).await;
    for kind in [Kind::StreamingEndpoints, Kind::LiveEvents] {
        twenty.fault(kind, Fault::Hang);
    }
    twenty.order_all(&handler).await;
    twenty
        .reached("all steps are claimed", async || {
            let all = twenty.all(&handler).await;
            all.iter()
                .all(|group| group["move"]["steps"][0]["attempts"] == 1)
        })
        .await;
    assert_eq!(twenty.began(), 0);
    twenty.goes_on_after(handler).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_call_and_before_its_outcome_is_stored() {
    let (twenty, handler) = Twenty::set(Duration::from_millis(50)).await;
    twenty.fault(Kind::Operation, Fault::Hang);
    twenty.order_all(&handler).await;
    twenty.all_calls_have_landed().await;
    twenty.goes_on_after(handler).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_call_whose_answer_was_lost() {
    let (twenty, handler) = Twenty::set(Duration::from_secs(1)).await;
    twenty.fault(Kind::Start, Fault::Lost);
    twenty.order_all(&handler).await;
    twenty.all_calls_have_landed().await;
    twenty.goes_on_after(handler).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_outcome_is_stored() {
    let (twenty, handler) = Twenty::set(Duration::from_millis(50)).await;
    twenty.order_all(&handler).await;
    twenty
        .reached("all have flipped", async || {
            let all = twenty.all(&handler).await;
            all.iter().all(|group| group["generation"] == 1)
        })
        .await;
    twenty.goes_on_after(handler).await;
}

/// Orders come one after the other, so that a kill finds every group somewhere else.
#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere() {
    let (twenty, handler) = Twenty::set(Duration::from_millis(200)).await;
    for group in &twenty.groups {
        let body = json!({"reason": "as agreed", "to": "northeurope"});
        let answer = order(&handler, group, "switchover", body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    let next = twenty.after(handler).await;
    twenty.order_all(&next).await;
    twenty.converge(&next).await;
}
