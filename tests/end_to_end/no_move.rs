//! What must not move a group, and what is said of it instead.

use serde_json::Value;
use understudy::sim::{Fault, Scope, Service};
use understudy::sim::{Simulator, World};

use crate::handler::Handler;
use crate::stage::{Stage, counted_round, entries, get, quick, site};

const GROUP: &str = "/api/groups/contoso";

struct Seen {
    stage: Stage,
    timer: Handler,
    group: Value,
}

impl Seen {
    /// One healthy round, then `break_it`, then this many rounds.
    async fn after(rounds: u32, break_it: impl FnOnce(&Stage)) -> Self {
        let stage = Stage::set(World::two_regions(), quick()).await;
        let timer = stage.handler().await;
        counted_round(&timer).await;
        break_it(&stage);
        for _ in 0..rounds {
            counted_round(&timer).await;
        }
        let group = get(&timer, GROUP).await;
        Self {
            stage,
            timer,
            group,
        }
    }

    async fn stayed(&self) {
        assert_eq!(self.group["active"], "westeurope", "{}", self.group);
        assert_eq!(self.group["generation"], 0);
        assert_eq!(entries(&self.timer, "contoso", "failover").await.len(), 0);
    }

    fn verdict(&self, name: &str) -> &str {
        site(&self.group, name)["verdict"].as_str().unwrap()
    }

    fn hold(&self) -> &str {
        self.group["hold"]["code"].as_str().unwrap_or("none")
    }

    fn explains(&self, words: &str) {
        let all = self.group["explanation"].to_string();
        assert!(all.contains(words), "{words:?} is not in {all}");
    }
}

fn west(service: Service, fault: Fault) -> impl FnOnce(&Stage) {
    move |stage| stage.sim.set(service, Scope::region("westeurope"), fault)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_failed_round() {
    let seen = Seen::after(1, |stage| stage.sim.break_region("westeurope")).await;
    seen.stayed().await;
    assert_eq!(seen.verdict("westeurope"), "healthy");
    assert_eq!(seen.hold(), "none");
    seen.explains("with 1 of the 3 failed rounds");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_refuses_us() {
    for status in [401, 403] {
        let fault = Fault::Deny(Some(status));
        let seen = Seen::after(5, west(Service::VideoIndexer, fault)).await;
        seen.stayed().await;
        assert_eq!(seen.verdict("westeurope"), "misconfigured", "{status}");
        seen.explains("never a reason to move");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_not_there() {
    let seen = Seen::after(5, west(Service::VideoIndexer, Fault::Missing)).await;
    seen.stayed().await;
    assert_eq!(seen.verdict("westeurope"), "misconfigured");
    seen.explains("never a reason to move");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_throttles_us() {
    let seen = Seen::after(5, west(Service::VideoIndexer, Fault::Throttle(30))).await;
    seen.stayed().await;
    assert_eq!(seen.verdict("westeurope"), "degraded");
    seen.explains("degraded alone never moves anything");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sites_down_behind_one_host() {
    let seen = Seen::after(6, |stage| {
        stage.sim.break_region("westeurope");
        stage.sim.break_region("northeurope");
    })
    .await;
    seen.stayed().await;
    assert_eq!(seen.hold(), "GlobalFault", "{}", seen.group);
    seen.explains("GlobalFault");
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_and_arm_down() {
    let seen = Seen::after(5, |stage| {
        stage.sim.revoke_identity_tokens();
        stage
            .sim
            .set(Service::Identity, Scope::everywhere(), Fault::Down);
        stage
            .sim
            .set(Service::Arm, Scope::everywhere(), Fault::Error(503));
    })
    .await;
    // The tokens that are held go on working: an outage of ARM is none of the accounts.
    seen.stayed().await;
    assert_eq!(seen.verdict("westeurope"), "healthy", "{}", seen.group);
    seen.stage.sim.revoke_account_tokens();
    for _ in 0..4 {
        counted_round(&seen.timer).await;
    }
    let group = get(&seen.timer, GROUP).await;
    assert_eq!(group["generation"], 0);
    assert_eq!(site(&group, "westeurope")["verdict"], "unknown", "{group}");
    let said = group["explanation"].to_string();
    assert!(said.contains("no knowledge is no failure"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_network_down() {
    let seen = Seen::after(5, |stage| {
        stage.sim.break_region("westeurope");
        stage
            .sim
            .set(Service::Control, Scope::everywhere(), Fault::Down);
    })
    .await;
    seen.stayed().await;
    assert_eq!(seen.verdict("westeurope"), "unknown", "{}", seen.group);
    seen.explains("own network");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_answered_in_the_newest_round() {
    let options = quick().policy("hold", "30s").policy("recover_threshold", 5);
    let stage = Stage::set(World::two_regions(), options).await;
    let timer = stage.handler().await;
    counted_round(&timer).await;
    stage.sim.break_region("westeurope");
    for _ in 0..3 {
        counted_round(&timer).await;
    }
    let group = get(&timer, GROUP).await;
    assert_eq!(group["hold"]["code"], "HoldTime", "{group}");
    assert!(group["hold"]["until"].is_string(), "{group}");
    stage.sim.mend_region("westeurope");
    counted_round(&timer).await;
    let group = get(&timer, GROUP).await;
    assert_eq!(site(&group, "westeurope")["verdict"], "unhealthy");
    assert_eq!(group["hold"], Value::Null, "{group}");
    let said = group["explanation"].to_string();
    assert!(
        said.contains("it just answered, so it is not left"),
        "{said}"
    );
    assert_eq!(group["generation"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_not_fit() {
    let seen = Seen::after(6, |stage| {
        stage.sim.break_region("westeurope");
        let north = Scope::region("northeurope");
        stage
            .sim
            .set(Service::VideoIndexer, north, Fault::Deny(None));
    })
    .await;
    seen.stayed().await;
    assert_eq!(seen.verdict("northeurope"), "misconfigured");
    assert_eq!(seen.hold(), "TargetUnfit", "{}", seen.group);
    seen.explains("TargetUnfit");
    let refused = entries(&seen.timer, "contoso", "refused").await;
    assert_eq!(refused.len(), 1, "it is told once: {refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sites_down_behind_hosts_of_their_own() {
    let mut world = World::with_regions(&["westeurope", "northeurope"]);
    for region in ["westeurope", "northeurope"] {
        world.add_endpoint(Some("contoso"), region, "captions", 200, "ready");
    }
    let other = Simulator::start(world.clone(), 0).await.unwrap();
    let stage = Stage::set(world, quick()).await;
    let north = |sim: &Simulator| format!("{}/http/northeurope", sim.base_url());
    let text = stage.configuration();
    stage.configure(&text.replace(&north(&stage.sim), &north(&other)));
    let timer = stage.handler().await;
    counted_round(&timer).await;
    stage.sim.break_region("westeurope");
    other.break_region("northeurope");
    for _ in 0..6 {
        counted_round(&timer).await;
    }
    let group = get(&timer, GROUP).await;
    let seen = Seen {
        stage,
        timer,
        group,
    };
    seen.stayed().await;
    assert_eq!(seen.hold(), "AllSitesDown", "{}", seen.group);
    seen.explains("AllSitesDown");
    let refused = entries(&seen.timer, "contoso", "refused").await;
    assert_eq!(refused.len(), 1, "people are told once: {refused:?}");
}
