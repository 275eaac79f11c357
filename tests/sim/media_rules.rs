//! The rules by which endpoints and live events start and stop: what each state allows, one operation at a time,
//! states in order, and what is watched goes on. A client that does not keep to them is told so.

use reqwest::Method;
use understudy::sim::{
    Fault, Kind, MediaKind, OperationStatus, ResourceState, Scope, Service, World,
};

use super::azure::*;

/// Operations that go on until they are mended, so that a test looks at what is under way without a race.
async fn unending() -> Azure {
    let azure = Azure::start(World::two_regions_streaming()).await;
    hold(&azure);
    azure
}

fn hold(azure: &Azure) {
    let everywhere = Scope::everywhere();
    azure
        .sim
        .set(Service::MediaServices, everywhere, Fault::Unending);
}

#[tokio::test]
async fn every_state_allows_what_the_table_says() {
    use ResourceState::{Allocating, Deleting, Running, StandBy, Starting, Stopped, Stopping};
    let azure = unending().await;
    // What start, stop and allocate answer. A streaming endpoint has no stand-by, so it cannot be allocated.
    for (part, state, expected) in [
        (DEFAULT, Stopped, [202, 200, 404]),
        (DEFAULT, Starting, [409, 409, 404]),
        (DEFAULT, Running, [200, 202, 404]),
        (DEFAULT, Stopping, [409, 409, 404]),
        (DEFAULT, Deleting, [409, 409, 404]),
        (STUDIO, Stopped, [202, 200, 202]),
        (STUDIO, Allocating, [409, 409, 409]),
        (STUDIO, StandBy, [202, 202, 200]),
        (STUDIO, Starting, [409, 409, 409]),
        (STUDIO, Running, [200, 202, 409]),
        (STUDIO, Stopping, [409, 409, 409]),
        (STUDIO, Deleting, [409, 409, 409]),
    ] {
        for (action, status) in ["start", "stop", "allocate"].into_iter().zip(expected) {
            azure.sim.set_media_state("ms-neu", part, state);
            let begun = azure.sim.operations().len();
            let answer = azure.act("ms-neu", part, action).await;
            assert_eq!(answer.status(), status, "{action} {part} while {state}");
            let is_begun = azure.sim.operations().len() > begun;
            assert_eq!(is_begun, status == 202, "{action} {part} while {state}");
            let after = azure.sim.media_state("ms-neu", part);
            assert_eq!(after != Some(state), status == 202, "{action} {part}");
        }
    }
}

#[tokio::test]
async fn a_live_event_takes_one_operation_at_a_time() {
    let azure = unending().await;
    let accepted = azure.act("ms-neu", STUDIO, "start").await;
    assert_eq!(accepted.status(), 202);
    let poll = header(&accepted, "azure-asyncoperation").to_owned();
    for action in ["start", "stop", "allocate"] {
        let busy = azure.act("ms-neu", STUDIO, action).await;
        let busy = body(busy, 409).await;
        assert_eq!(busy["error"]["code"], "Conflict", "{action}");
        let message = busy["error"]["message"].as_str().unwrap();
        assert!(message.contains(STUDIO), "{message}");
    }
    // It is the event that is busy, not the account, and the operation goes on as if nobody had asked.
    assert_eq!(azure.act("ms-neu", DEFAULT, "start").await.status(), 202);
    let status = body(azure.arm(Method::GET, &poll).await, 200).await;
    assert_eq!(status["status"], "InProgress");
    assert_eq!(azure.sim.began("ms-neu", STUDIO, "start"), 1);
    assert_eq!(azure.sim.count_part(Kind::Start, "ms-neu", STUDIO), 2);
    azure.sim.mend_all();
    let status = body(azure.arm(Method::GET, &poll).await, 200).await;
    assert_eq!(status["status"], "Succeeded");
    assert_eq!(azure.act("ms-neu", STUDIO, "stop").await.status(), 202);
}

#[tokio::test]
async fn a_live_events_operations_lead_from_state_to_state() {
    use ResourceState::{Running, StandBy, Stopped};
    let azure = unending().await;
    let shown = async || {
        let event = azure.media_body("ms-neu", "/liveEvents/studio").await;
        event["properties"]["resourceState"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    // Nothing is forced here: each operation ends by itself, in the state that it leads to.
    for (action, passing, end) in [
        ("start", "Starting", Running),
        ("stop", "Stopping", Stopped),
        ("allocate", "Allocating", StandBy),
        ("start", "Starting", Running),
        ("stop", "Stopping", Stopped),
        ("allocate", "Allocating", StandBy),
        ("stop", "Stopping", Stopped),
    ] {
        hold(&azure);
        assert_eq!(azure.act("ms-neu", STUDIO, action).await.status(), 202);
        assert_eq!(shown().await, passing, "{action}");
        azure.sim.mend_all();
        azure.reached("ms-neu", STUDIO, end).await;
        assert_eq!(shown().await, end.as_str(), "{action}");
    }
    let operations = azure.sim.operations();
    assert!(
        operations
            .iter()
            .all(|each| each.status == OperationStatus::Succeeded)
    );
}

#[tokio::test]
async fn what_is_watched_goes_on_however_one_asks() {
    for kind in [MediaKind::Azure, MediaKind::Mkio] {
        let azure = Azure::start(World::two_regions().streaming(kind)).await;
        azure.sim.set_playing("ms-weu", "welcome", true);
        let stop = async || match kind {
            MediaKind::Azure => azure.act("ms-weu", DEFAULT, "stop").await,
            MediaKind::Mkio => {
                let path = format!("/api/ams/ms-weu/{DEFAULT}/stop");
                azure.mkio(Method::POST, &path).await
            }
        };
        let refused = body(stop().await, 409).await.to_string();
        assert!(refused.contains("locator welcome plays"), "{refused}");
        assert_eq!(azure.sim.operations(), []);
        let running = Some(ResourceState::Running);
        assert_eq!(azure.sim.media_state("ms-weu", DEFAULT), running);
        azure.sim.set_playing("ms-weu", "welcome", false);
        assert_eq!(stop().await.status(), 202);
    }
}
