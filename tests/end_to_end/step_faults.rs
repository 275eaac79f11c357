//! One thing goes wrong in a step, a group for each: it is told, tried again, and started once.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use understudy::sim::{Fault, Kind, MediaKind, ResourceState, Scope, Service, World};

use crate::handler::Handler;
use crate::stage::{Stage, counted_round, entries, fire, get, hasty, order, until};
use crate::streaming::{DEFAULT, PARTS, account, streaming};

/// What goes wrong, with which request, how often; and what the step's failure says, if it fails.
struct Case(&'static str, Fault, Kind, u32, Option<&'static str>);

const CASES: &[Case] = &[
    Case("throttled", Fault::Throttle(8), Kind::Start, 1, Some("429")),
    Case("broken", Fault::Error(503), Kind::Start, 1, Some("503")),
    Case(
        "hanging",
        Fault::Hang,
        Kind::Start,
        1,
        Some("no answer within 10 s"),
    ),
    Case(
        "precondition",
        Fault::Precondition,
        Kind::Start,
        1,
        Some("412"),
    ),
    Case("down", Fault::Down, Kind::Start, 1, Some("no answer")),
    Case("lost", Fault::Lost, Kind::Start, 1, None),
    Case("cut", Fault::Drop, Kind::Start, 1, None),
    Case(
        "unreadable",
        Fault::Error(500),
        Kind::StreamingEndpoints,
        2,
        Some("500"),
    ),
    Case(
        "garbage",
        Fault::Garbage,
        Kind::StreamingEndpoints,
        2,
        Some("not its answer"),
    ),
    Case("unheard", Fault::Error(503), Kind::Operation, 2, None),
    Case("unfollowed", Fault::Deny(None), Kind::Operation, 2, None),
    Case("slow-to-look", Fault::Hang, Kind::Operation, 1, None),
];

async fn all_ordered(world: World) -> (Stage, Handler) {
    let groups = world.groups();
    let stage = Stage::set(world, hasty()).await;
    let timer = stage.handler().await;
    counted_round(&timer).await;
    for case in CASES {
        if groups.iter().any(|group| group == case.0) {
            let scope = Scope::one("northeurope", &account(case.0, "northeurope"));
            let service = Service::MediaServices;
            stage
                .sim
                .set_times(service, scope.only(case.2), case.1, case.3);
        }
    }
    for group in &groups {
        // The order's own round may meet the fault first, and find the target unfit: that is not the question here.
        let body = json!({"reason": "as agreed", "force": true});
        let answer = order(&timer, group, "failover", body).await;
        assert_eq!(answer.status, 202, "{group}: {answer:?}");
    }
    (stage, timer)
}

async fn settles(timer: &Handler, group: &str) -> Value {
    let path = format!("/api/groups/{group}");
    until("the group settles", async || {
        fire(timer).await;
        let group = get(timer, &path).await;
        (group["phase"] == "settled").then_some(group)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_is_told_tried_again_and_nothing_starts_twice() {
    for kind in [MediaKind::Azure, MediaKind::Mkio] {
        let groups: Vec<&str> = CASES.iter().map(|case| case.0).collect();
        let (stage, timer) = all_ordered(streaming(&groups, kind, ResourceState::Stopped)).await;
        for Case(group, .., fails) in CASES {
            let settled = settles(&timer, group).await;
            assert_eq!(settled["active"], "northeurope");
            let name = account(group, "northeurope");
            for part in PARTS {
                assert_eq!(stage.sim.began(&name, part, "start"), 1, "{group} {part}");
                assert_eq!(
                    stage.sim.media_state(&name, part),
                    Some(ResourceState::Running)
                );
            }
            let failures = entries(&timer, group, "stepFailed").await;
            let reasons: Vec<&str> = failures
                .iter()
                .map(|entry| entry["reason"].as_str().unwrap())
                .collect();
            match fails {
                Some(words) => {
                    assert_eq!(failures.len(), 1, "{group} {kind:?}: {reasons:?}");
                    assert!(reasons[0].contains(words), "{group} {kind:?}: {reasons:?}");
                }
                None => assert!(failures.is_empty(), "{group} {kind:?}: {reasons:?}"),
            }
            assert_eq!(entries(&timer, group, "moveCompleted").await.len(), 1);
        }
        waits_are_heeded(&stage);
    }
}

/// Whoever is told to wait eight seconds does.
fn waits_are_heeded(stage: &Stage) {
    let name = account("throttled", "northeurope");
    let starts: Vec<_> = (stage.sim.log(usize::MAX).into_iter())
        .filter(|seen| seen.kind == Kind::Start && seen.name == name)
        .collect();
    let refused = starts.iter().find(|seen| seen.status == Some(429)).unwrap();
    let again = starts
        .iter()
        .find(|seen| seen.part == refused.part && seen.status != Some(429))
        .unwrap();
    let waited = again.at.duration_since(refused.at);
    assert!(waited >= SignedDuration::from_secs(8), "{waited}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_fails_is_told_and_begun_again() {
    for kind in [MediaKind::Azure, MediaKind::Mkio] {
        let world = streaming(&["failing"], kind, ResourceState::Stopped);
        let stage = Stage::set(world, hasty()).await;
        let timer = stage.handler().await;
        counted_round(&timer).await;
        let name = account("failing", "northeurope");
        let scope = Scope::one("northeurope", &name);
        stage
            .sim
            .set_times(Service::MediaServices, scope, Fault::Failing, 1);
        order(
            &timer,
            "failing",
            "failover",
            json!({"reason": "as agreed"}),
        )
        .await;
        settles(&timer, "failing").await;
        let begun = PARTS.map(|part| stage.sim.began(&name, part, "start"));
        assert_eq!(begun.iter().sum::<usize>(), 3, "{begun:?}");
        assert_eq!(entries(&timer, "failing", "stepFailed").await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_never_ends_stays_under_way_in_any_process_and_is_begun_once() {
    let world = streaming(&["endless"], MediaKind::Azure, ResourceState::Stopped);
    let stage = Stage::set(world, hasty()).await;
    let http = stage.handler().await;
    let timer = stage.handler().await;
    counted_round(&timer).await;
    let name = account("endless", "northeurope");
    let scope = Scope::one("northeurope", &name);
    stage
        .sim
        .set(Service::MediaServices, scope, Fault::Unending);
    order(&http, "endless", "failover", json!({"reason": "as agreed"})).await;
    let waits = async |what: &str| {
        until(what, async || {
            fire(&timer).await;
            let group = get(&timer, "/api/groups/endless").await;
            let step = &group["move"]["steps"][0];
            let detail = step["detail"].as_str().unwrap_or_default();
            let told = step["state"] == "running" && detail.contains("Starting");
            told.then(|| step.clone())
        })
        .await
    };
    let step = waits("an attempt is over").await;
    assert_eq!(step["attempts"], 1, "it goes on, and is no new attempt");
    let lookup = get(&timer, "/api/groups/endless/active").await;
    assert_eq!(
        (&lookup["ready"], &lookup["site"]),
        (&json!(false), &json!("northeurope"))
    );
    // The process that began it dies; another goes on by looking.
    http.kill();
    waits("another process looks").await;
    stage.sim.mend_all();
    settles(&timer, "endless").await;
    for part in PARTS {
        assert_eq!(stage.sim.began(&name, part, "start"), 1);
    }
    assert_eq!(entries(&timer, "endless", "stepFailed").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_steps_of_one_group_delay_no_other() {
    let world = streaming(&["slow", "quick"], MediaKind::Azure, ResourceState::Stopped);
    let stage = Stage::set(world, hasty()).await;
    let timer = stage.handler().await;
    counted_round(&timer).await;
    // Not what probes read: that would be slow, and the target not fit.
    let scope = Scope::one("northeurope", &account("slow", "northeurope")).only(Kind::Start);
    stage.sim.set(
        Service::MediaServices,
        scope,
        Fault::Slow(Duration::from_secs(4)),
    );
    stage.sim.set(
        Service::Http,
        Scope::region("westeurope"),
        Fault::Error(503),
    );
    let flipped = async |group: &str, phase: &str| {
        let group = get(&timer, &format!("/api/groups/{group}")).await;
        group["generation"] == 1 && group["phase"] == phase
    };
    until(
        "the quick one is done while the slow one is not",
        async || {
            fire(&timer).await;
            let both = flipped("quick", "settled").await && flipped("slow", "moving").await;
            both.then_some(())
        },
    )
    .await;
    stage.sim.mend_all();
    settles(&timer, "slow").await;
    assert_eq!(
        stage
            .sim
            .began(&account("slow", "northeurope"), DEFAULT, "start"),
        1
    );
}
