//! Cold standbys: what is stopped again, when, and what never is.

use serde_json::{Value, json};
use understudy::sim::{Fault, Kind, ResourceState, Scope, Service, World};

use crate::stage::{counted_round, fire, hasty, until};
use crate::streaming::{DEFAULT, PARTS, SOON, STUDIO, Scene, account};

fn cold() -> understudy::sim::config::Options {
    hasty().policy("standby", "cold")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_site_is_stopped_once_it_has_recovered() {
    let scene = Scene::stopped(cold().policy("recover_threshold", 2)).await;
    scene.break_west();
    let group = scene
        .until("it has moved", |group| {
            group["generation"] == 1 && group["phase"] == "settled"
        })
        .await;
    assert_eq!(group["leftovers"][0]["site"], "westeurope");
    assert_eq!(group["leftovers"][0]["waitsForRecovery"], true);
    counted_round(&scene.timer).await;
    assert_eq!(scene.stage.sim.count(Kind::Stop), 0, "it is not well yet");
    scene.mend_west();
    scene
        .until("nothing is left to be stopped", |group| {
            group["leftovers"] == Value::Null
        })
        .await;
    for part in PARTS {
        scene
            .reaches("westeurope", part, ResourceState::Stopped)
            .await;
        assert_eq!(scene.began("westeurope", part, "stop"), 1);
        assert_eq!(scene.began("northeurope", part, "stop"), 0);
    }
    assert_eq!(scene.entries("moveCompleted").await.len(), 1);
    // At rest nothing is started or stopped, whatever people do there.
    let sim = &scene.stage.sim;
    let (west, north) = (
        account("contoso", "westeurope"),
        account("contoso", "northeurope"),
    );
    sim.set_media_state(&west, DEFAULT, ResourceState::Running);
    sim.set_media_state(&north, STUDIO, ResourceState::Stopped);
    let before = sim.operations().len();
    for _ in 0..3 {
        counted_round(&scene.timer).await;
    }
    assert_eq!(sim.operations().len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preparation_that_fails_is_given_up_and_undone() {
    let scene = Scene::stopped(cold().policy("prepare_timeout", "3s")).await;
    let sim = &scene.stage.sim;
    let north = Scope::region("northeurope");
    // Only the live event comes up: every start of the streaming endpoint is refused for want of a role.
    sim.set_times(
        Service::MediaServices,
        north.only(Kind::StreamingEndpoints),
        Fault::Deny(None),
        100,
    );
    assert_eq!(scene.order("switchover").await, 202);
    scene.settled().await;
    sim.mend_all();
    let cancels = scene.entries("cancel").await;
    assert_eq!(cancels.len(), 1);
    let reason = cancels[0]["reason"].as_str().unwrap();
    for words in [
        "prepare_timeout",
        "start streaming endpoint default",
        "AuthorizationFailed",
    ] {
        assert!(reason.contains(words), "{words}: {reason}");
    }
    let group = scene.group().await;
    assert_eq!(
        (&group["active"], &group["generation"]),
        (&json!("westeurope"), &json!(0))
    );
    assert_eq!(scene.entries("stepFailed").await.len(), 1);
    until("the live event is stopped again", async || {
        fire(&scene.timer).await;
        let stopped = scene.began("northeurope", STUDIO, "stop") == 1;
        stopped.then_some(())
    })
    .await;
    scene
        .reaches("northeurope", STUDIO, ResourceState::Stopped)
        .await;
    assert_eq!(scene.began("northeurope", DEFAULT, "start"), 0);
    for part in PARTS {
        assert_eq!(scene.began("westeurope", part, "stop"), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_preparation_is_undone_also_what_was_still_starting() {
    let scene = Scene::stopped(cold()).await;
    let sim = &scene.stage.sim;
    let north = Scope::region("northeurope");
    sim.set(Service::MediaServices, north, Fault::Unending);
    assert_eq!(scene.order("switchover").await, 202);
    until("both are begun", async || {
        let begun = |part: &&str| scene.began("northeurope", part, "start") == 1;
        PARTS.iter().all(begun).then_some(())
    })
    .await;
    let answer = crate::stage::order(&scene.timer, "contoso", "cancel", json!({})).await;
    let group = answer.done();
    assert_eq!(
        (&group["phase"], &group["move"]),
        (&json!("settled"), &Value::Null)
    );
    assert_eq!(
        (&group["active"], &group["generation"]),
        (&json!("westeurope"), &json!(0))
    );
    assert_eq!(scene.entries("cancel").await.len(), 1);
    sim.mend_all();
    until("both are stopped again", async || {
        fire(&scene.timer).await;
        let stopped = |part: &&str| scene.began("northeurope", part, "stop") == 1;
        PARTS.iter().all(stopped).then_some(())
    })
    .await;
    for part in PARTS {
        scene
            .reaches("northeurope", part, ResourceState::Stopped)
            .await;
        assert_eq!(scene.began("northeurope", part, "start"), 1);
        assert_eq!(scene.began("westeurope", part, "stop"), 0);
    }
    scene
        .until("nothing is left to be stopped", |group| {
            group["leftovers"] == Value::Null
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ran_before_a_preparation_keeps_running() {
    let scene = Scene::stopped(cold()).await;
    let sim = &scene.stage.sim;
    let north = account("contoso", "northeurope");
    sim.set_media_state(&north, STUDIO, ResourceState::Running);
    let north = Scope::region("northeurope");
    sim.set_times(Service::MediaServices, north, Fault::Unending, 1);
    assert_eq!(scene.order("switchover").await, 202);
    scene
        .until("the live event is done", |group| {
            let steps = group["move"]["steps"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let begun = scene.began("northeurope", DEFAULT, "start") == 1;
            begun
                && steps
                    .iter()
                    .any(|step| step["name"] == "start live event studio")
        })
        .await;
    assert_eq!(scene.order("cancel").await, 200);
    sim.mend_all();
    until("the streaming endpoint is stopped again", async || {
        fire(&scene.timer).await;
        (scene.began("northeurope", DEFAULT, "stop") == 1).then_some(())
    })
    .await;
    scene
        .reaches("northeurope", DEFAULT, ResourceState::Stopped)
        .await;
    assert_eq!(scene.began("northeurope", STUDIO, "start"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_is_refused_is_shown_and_tried_again() {
    let mut world = crate::streaming::streaming(
        &["contoso"],
        understudy::sim::MediaKind::Azure,
        ResourceState::Stopped,
    );
    world.media[0].add_recording("welcome");
    world.media[0].live_events[0].outputs = vec!["archive".to_owned()];
    let scene = Scene::of(world, cold()).await;
    let sim = &scene.stage.sim;
    let west = account("contoso", "westeurope");
    sim.set_playing(&west, "welcome", true);
    assert_eq!(scene.order("switchover").await, 202);
    let group = scene
        .until("the stops are refused", |group| {
            let steps = group["move"]["steps"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            steps
                .iter()
                .filter(|step| step["state"] == "failed")
                .count()
                == 2
        })
        .await;
    assert_eq!(
        (&group["active"], &group["phase"]),
        (&json!("northeurope"), &json!("moving"))
    );
    assert_eq!(scene.lookup().await["ready"], true);
    let steps = group["move"]["steps"].to_string();
    for words in ["welcome plays", "live outputs"] {
        assert!(steps.contains(words), "{words}: {steps}");
    }
    assert_eq!(scene.entries("stepFailed").await.len(), 2);
    sim.set_playing(&west, "welcome", false);
    until("the streaming endpoint is stopped", async || {
        fire(&scene.timer).await;
        (scene.began("westeurope", DEFAULT, "stop") == 1).then_some(())
    })
    .await;
    // The recording of the live event is for people to end; until then the move is shown as it is.
    assert_eq!(scene.group().await["phase"], "moving");
    assert_eq!(scene.began("westeurope", STUDIO, "stop"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_turns_out_to_lack_the_content_is_not_flipped_to() {
    let world = World::two_regions_streaming();
    let account = &world.media[1];
    assert_eq!(
        (account.name.as_str(), account.region.as_str()),
        ("ms-neu", "northeurope")
    );
    let canary = account.canary.clone().unwrap();
    let scene = Scene::of(world, cold().policy("prepare_timeout", "12s")).await;
    let sim = &scene.stage.sim;
    // While its endpoint is stopped nobody can tell.
    sim.set_content("ms-neu", &canary, false);
    assert_eq!(scene.order("switchover").await, 202);
    let waiting = scene
        .until("the start steps are done", |group| {
            let steps = group["move"]["steps"].as_array();
            let starts = steps.map(|steps| {
                steps
                    .iter()
                    .filter(|step| step["name"].as_str().unwrap().starts_with("start "))
            });
            starts.is_some_and(|mut starts| starts.all(|step| step["state"] == "done"))
        })
        .await;
    assert_eq!(waiting["move"]["flippedAt"], Value::Null, "{waiting:#}");
    assert_eq!(waiting["hold"]["code"], "TargetUnfit", "{waiting:#}");
    let group = scene.settled().await;
    assert_eq!(
        (&group["active"], &group["generation"]),
        (&json!("westeurope"), &json!(0))
    );
    assert_eq!(scene.entries("switchover").await.len(), 0);
    for part in PARTS {
        assert!(
            sim.media_reached("ms-neu", part, ResourceState::Stopped, SOON)
                .await
        );
        assert_eq!(sim.began("ms-weu", part, "stop"), 0);
    }
    // With the content there the same order goes through.
    sim.set_content("ms-neu", &canary, true);
    counted_round(&scene.timer).await;
    scene
        .until("nothing is left", |group| group["leftovers"] == Value::Null)
        .await;
    assert_eq!(scene.order("switchover").await, 202);
    let group = scene.settled().await;
    assert_eq!(
        (&group["active"], &group["generation"]),
        (&json!("northeurope"), &json!(1))
    );
}
