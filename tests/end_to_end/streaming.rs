//! Moves that start and stop what streams: the record first in a failover, the target first in a planned move.

use std::time::Duration;

use serde_json::{Value, json};
use understudy::sim::config::Options;
use understudy::sim::{Fault, Kind, MediaKind, ResourceState, Scope, Service, World};

use crate::handler::Handler;
use crate::stage::{
    Stage, counted_round, entries, fire, get, hasty, order, site, two_endpoints, until,
};

pub const DEFAULT: &str = "streamingEndpoints/default";
pub const STUDIO: &str = "liveEvents/studio";
pub const PARTS: [&str; 2] = [DEFAULT, STUDIO];
/// The simulator is in this state soon.
pub const SOON: Duration = Duration::from_secs(60);

/// The account of a group in a region.
pub fn account(group: &str, region: &str) -> String {
    format!("ms-{group}-{}", &region[..4])
}

/// Groups that are judged by an HTTP endpoint and stream from a Media Services account beside it: what streams
/// runs in the west, and is in this state in the north.
pub fn streaming(groups: &[&str], kind: MediaKind, north: ResourceState) -> World {
    let mut world = two_endpoints(groups);
    for group in groups {
        for (region, state) in [
            ("westeurope", ResourceState::Running),
            ("northeurope", north),
        ] {
            let media = world.add_media_account(Some(group), region, &account(group, region));
            media.kind = kind;
            media.add_streaming_endpoint("default", state);
            media.add_live_event("studio", state);
        }
    }
    world
}

/// One group, `contoso`, with a handler that has seen both sites well.
pub struct Scene {
    pub stage: Stage,
    pub timer: Handler,
}

impl Scene {
    pub async fn of(world: World, options: Options) -> Self {
        let stage = Stage::set(world, options).await;
        let timer = stage.handler().await;
        counted_round(&timer).await;
        Self { stage, timer }
    }

    /// With everything in the north stopped.
    pub async fn stopped(options: Options) -> Self {
        let world = streaming(&["contoso"], MediaKind::Azure, ResourceState::Stopped);
        Self::of(world, options).await
    }

    pub async fn order(&self, what: &str) -> u16 {
        let body = json!({"reason": "as agreed"});
        order(&self.timer, "contoso", what, body).await.status
    }

    pub async fn group(&self) -> Value {
        get(&self.timer, "/api/groups/contoso").await
    }

    pub async fn lookup(&self) -> Value {
        get(&self.timer, "/api/groups/contoso/active").await
    }

    /// Fires the timer until the group is like that.
    pub async fn until(&self, what: &str, accept: impl Fn(&Value) -> bool) -> Value {
        until(what, async || {
            fire(&self.timer).await;
            let group = self.group().await;
            accept(&group).then_some(group)
        })
        .await
    }

    pub async fn settled(&self) -> Value {
        self.until("it settles", |group| group["phase"] == "settled")
            .await
    }

    pub async fn entries(&self, kind: &str) -> Vec<Value> {
        entries(&self.timer, "contoso", kind).await
    }

    pub fn began(&self, region: &str, part: &str, action: &str) -> usize {
        self.stage
            .sim
            .began(&account("contoso", region), part, action)
    }

    pub async fn reaches(&self, region: &str, part: &str, state: ResourceState) {
        let account = account("contoso", region);
        let reached = self.stage.sim.media_reached(&account, part, state, SOON);
        assert!(reached.await, "{account} {part} is not {state}");
    }

    /// Breaks what the verdict on the west rests on.
    pub fn break_west(&self) {
        let west = Scope::region("westeurope");
        self.stage.sim.set(Service::Http, west, Fault::Error(503));
    }

    pub fn mend_west(&self) {
        let west = Scope::region("westeurope");
        self.stage.sim.mend(Service::Http, &west);
    }
}

pub fn at(value: &Value) -> jiff::Timestamp {
    value.as_str().expect("a time").parse().expect("a time")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_flips_while_arm_is_down_and_then_starts_the_target() {
    let scene = Scene::stopped(hasty()).await;
    let sim = &scene.stage.sim;
    sim.set(Service::Arm, Scope::everywhere(), Fault::Down);
    scene.break_west();
    let moved = scene
        .until("it has flipped", |group| group["generation"] == 1)
        .await;
    assert_eq!(
        (&moved["phase"], &moved["active"]),
        (&json!("moving"), &json!("northeurope"))
    );
    let lookup = scene.lookup().await;
    assert_eq!(
        (&lookup["ready"], &lookup["moving"]),
        (&json!(false), &json!(true))
    );
    let failed = scene
        .until("its steps fail", |group| {
            let steps = group["move"]["steps"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            steps.len() == 2 && steps.iter().all(|step| step["state"] == "failed")
        })
        .await;
    let detail = failed["move"]["steps"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("could not be read"), "{detail}");
    let names: Vec<&str> = (failed["move"]["steps"].as_array().unwrap().iter())
        .map(|step| step["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "start streaming endpoint default",
            "start live event studio"
        ]
    );
    let flip = scene.entries("failover").await;
    assert_eq!(flip.len(), 1);
    let flipped = at(&flip[0]["times"]["flippedAt"]);
    // Probes read what streams as well; only moves start anything.
    let asks_of_moves = [Kind::Start];
    for seen in sim.log(usize::MAX) {
        let is_early = asks_of_moves.contains(&seen.kind) && seen.region == "northeurope";
        assert!(
            !is_early || seen.at >= flipped,
            "asked before the flip: {seen:?}"
        );
    }
    assert_eq!(sim.operations(), []);

    sim.mend(Service::Arm, &Scope::everywhere());
    scene.settled().await;
    let lookup = scene.lookup().await;
    assert_eq!(
        (&lookup["ready"], &lookup["moving"]),
        (&json!(true), &json!(false))
    );
    for part in PARTS {
        scene
            .reaches("northeurope", part, ResourceState::Running)
            .await;
        assert_eq!(scene.began("northeurope", part, "start"), 1);
        assert_eq!(scene.began("westeurope", part, "stop"), 0);
    }
    let completed = scene.entries("moveCompleted").await;
    assert_eq!(completed.len(), 1);
    assert!(at(&completed[0]["times"]["completedAt"]) >= flipped);
    assert_eq!(scene.entries("stepFailed").await.len(), 2);
}

/// ARM and the region of the active site are gone, and with them every process that has read what is stopped.
async fn fresh_process_in_an_outage() -> Scene {
    let Scene { stage, timer } = Scene::stopped(hasty()).await;
    timer.kill();
    let west = Scope::region("westeurope");
    for service in [Service::Http, Service::Streaming] {
        stage.sim.set(service, west.clone(), Fault::Down);
    }
    stage
        .sim
        .set(Service::Arm, Scope::everywhere(), Fault::Down);
    let timer = stage.handler().await;
    Scene { stage, timer }
}

fn assert_north_is_as_it_was(group: &Value) {
    let north = site(group, "northeurope");
    assert_eq!(north["verdict"], "degraded", "{group}");
    let said = north["accounts"].to_string();
    let stopped = "streaming endpoint default was Stopped when it was last read";
    assert!(said.contains(stopped), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_starts_while_arm_and_the_region_are_down_fails_over() {
    let scene = fresh_process_in_an_outage().await;
    let moved = scene
        .until("it has flipped", |group| group["generation"] == 1)
        .await;
    assert_eq!(moved["active"], "northeurope");
    assert_eq!(scene.entries("failover").await.len(), 1);

    scene.stage.sim.mend(Service::Arm, &Scope::everywhere());
    scene.settled().await;
    assert_eq!(scene.lookup().await["ready"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_s_look_from_a_process_that_has_read_nothing_finds_the_target_as_it_was() {
    let scene = fresh_process_in_an_outage().await;
    until("what is known is older than an interval", async || {
        let group = scene.group().await;
        let seen = &site(&group, "northeurope")["accounts"][0]["lastProbe"]["at"];
        let age = jiff::Timestamp::now().duration_since(at(seen));
        (age > jiff::SignedDuration::from_secs(1)).then_some(())
    })
    .await;
    // No timer runs: the order's own look is the first round of this process.
    assert_eq!(scene.order("failover").await, 202);
    let group = scene.group().await;
    assert_eq!(
        (&group["active"], &group["generation"]),
        (&json!("northeurope"), &json!(1))
    );
    assert_north_is_as_it_was(&group);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_to_a_target_that_runs_starts_nothing() {
    let world = streaming(&["contoso"], MediaKind::Azure, ResourceState::Running);
    let scene = Scene::of(world, hasty()).await;
    scene.break_west();
    scene
        .until("it has moved", |group| {
            group["generation"] == 1 && group["phase"] == "settled"
        })
        .await;
    assert_eq!(scene.lookup().await["ready"], true);
    let sim = &scene.stage.sim;
    assert_eq!(sim.count(Kind::Start), 0);
    assert_eq!(sim.operations(), []);
    assert_eq!(scene.entries("moveCompleted").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn mkio_is_started_as_well() {
    let world = streaming(&["contoso"], MediaKind::Mkio, ResourceState::Stopped);
    let scene = Scene::of(world, hasty()).await;
    assert_eq!(scene.order("failover").await, 202);
    scene.settled().await;
    for part in PARTS {
        assert_eq!(scene.began("northeurope", part, "start"), 1);
        scene
            .reaches("northeurope", part, ResourceState::Running)
            .await;
    }
    assert_eq!(scene.stage.sim.count(Kind::Operation), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switchover_starts_the_target_flips_and_then_stops_the_old_site() {
    let scene = Scene::stopped(hasty().policy("standby", "cold")).await;
    assert_eq!(scene.order("switchover").await, 202);
    scene.settled().await;
    let flip = scene.entries("switchover").await;
    assert_eq!(flip.len(), 1);
    let flipped = at(&flip[0]["times"]["flippedAt"]);
    let operations = scene.stage.sim.operations();
    assert_eq!(operations.len(), 4);
    for each in operations {
        match each.action {
            "start" => assert!(
                each.account.ends_with("nort") && each.at <= flipped,
                "{each:?}"
            ),
            "stop" => assert!(
                each.account.ends_with("west") && each.at >= flipped,
                "{each:?}"
            ),
            other => panic!("{other}"),
        }
    }
    assert_eq!(scene.entries("moveCompleted").await.len(), 1);
    assert_eq!(scene.lookup().await["ready"], true);

    assert_eq!(scene.order("failback").await, 202);
    let back = scene.settled().await;
    assert_eq!(
        (&back["active"], &back["generation"]),
        (&json!("westeurope"), &json!(2))
    );
    for part in PARTS {
        scene
            .reaches("westeurope", part, ResourceState::Running)
            .await;
        scene
            .reaches("northeurope", part, ResourceState::Stopped)
            .await;
    }
    assert_eq!(scene.stage.sim.operations().len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_target_is_prepared_the_old_site_serves_and_is_ready() {
    let scene = Scene::stopped(hasty()).await;
    let sim = &scene.stage.sim;
    sim.set(
        Service::MediaServices,
        Scope::region("northeurope"),
        Fault::Unending,
    );
    assert_eq!(scene.order("switchover").await, 202);
    let group = scene
        .until("both are begun", |_| {
            PARTS
                .iter()
                .all(|part| scene.began("northeurope", part, "start") == 1)
        })
        .await;
    assert_eq!(
        (&group["phase"], &group["active"]),
        (&json!("moving"), &json!("westeurope"))
    );
    assert_eq!(group["move"]["flippedAt"], Value::Null);
    let lookup = scene.lookup().await;
    assert_eq!(
        (&lookup["site"], &lookup["ready"], &lookup["moving"]),
        (&json!("westeurope"), &json!(true), &json!(true))
    );
    let again = order(
        &scene.timer,
        "contoso",
        "switchover",
        json!({"reason": "again"}),
    )
    .await;
    assert_eq!(again.status, 202);
    sim.mend_all();
    let group = scene.settled().await;
    assert_eq!(group["active"], "northeurope");
    for part in PARTS {
        assert_eq!(scene.began("northeurope", part, "start"), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_reads_every_target_and_changes_nothing() {
    let scene = Scene::stopped(hasty()).await;
    assert_eq!(scene.order("drill").await, 200);
    let drills = scene.entries("drill").await;
    let reason = drills[0]["reason"].as_str().unwrap();
    for words in [
        "a switchover to northeurope would go through",
        "start streaming endpoint default: it is Stopped",
        "start live event studio: it is Stopped",
        " ms)",
    ] {
        assert!(reason.contains(words), "{words}: {reason}");
    }
    assert!(at(&drills[0]["times"]["completedAt"]) >= at(&drills[0]["times"]["decidedAt"]));
    let north = Scope::region("northeurope");
    let sim = &scene.stage.sim;
    sim.set(
        Service::MediaServices,
        north.only(Kind::LiveEvents),
        Fault::Deny(None),
    );
    assert_eq!(scene.order("drill").await, 200);
    let drills = scene.entries("drill").await;
    let reason = drills[0]["reason"].as_str().unwrap();
    for words in [
        "would not be completed",
        "AuthorizationFailed",
        "Live Events Administrator",
    ] {
        assert!(reason.contains(words), "{words}: {reason}");
    }
    assert_eq!(sim.count(Kind::Start) + sim.count(Kind::Stop), 0);
    assert_eq!(scene.group().await["generation"], 0);
}
