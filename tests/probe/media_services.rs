//! What a Media Services account's API and hosts make of it, against the simulator: the rows of the table in
//! `adapters/probe/media_services.rs`.

use std::time::Duration;

use jiff::SignedDuration;
use understudy::model::policy::Policy;
use understudy::model::sample::{Outcome, TokenFact};
use understudy::model::spec::MediaServicesSpec;
use understudy::sim::{Fault, Kind, ResourceState, Scope, Service, World};

use crate::media_stage::{DEFAULT, Stage, azure, said};
use crate::{hasty, patient};

const STUDIO: &str = "liveEvents/studio";

#[tokio::test]
async fn an_account_that_serves_everything_is_ok_and_its_hosts_are_known() {
    for world in [World::two_regions_streaming(), World::two_regions_mkio()] {
        let stage = Stage::start(world).await;
        let reading = stage.ask(&stage.spec(0, &[])).await;
        assert_eq!((reading.outcome, reading.detail), (Outcome::Ok, None));
        assert_eq!(reading.token, TokenFact::NotNeeded);
        assert!(reading.streaming.stopped.is_empty());
        let host = stage.sim.world().media[0].host_name("default");
        assert_eq!(reading.streaming.hosts["default"], host);
        assert_eq!(format!("http://{}", reading.host), stage.sim.base_url());
        assert_eq!(stage.sim.count_of(Kind::StreamingHost, "ms-weu"), 1);
        assert_eq!(stage.sim.count_of(Kind::Content, "ms-weu"), 1);
    }
}

#[tokio::test]
async fn what_does_not_run_is_said_and_left_to_be_judged() {
    for world in [World::two_regions_streaming(), World::two_regions_mkio()] {
        let stage = Stage::start(world).await;
        let reading = stage.ask(&stage.spec(1, &[])).await;
        assert_eq!((reading.outcome, &reading.detail), (Outcome::Ok, &None));
        assert_eq!(
            reading.streaming.stopped,
            [
                "streaming endpoint default is Stopped",
                "live event studio is Stopped"
            ]
        );
        assert_eq!(
            reading.streaming.hosts.len(),
            1,
            "its host is known before it runs"
        );
        assert_eq!(stage.sim.count_of(Kind::StreamingHost, "ms-neu"), 0);
        // Nothing of it is asked of an account that only encodes.
        let reading = stage.ask(&stage.spec(1, &["encoding"])).await;
        assert_eq!(reading.outcome, Outcome::Ok);
        assert!(reading.streaming.stopped.is_empty());
        let reading = stage.ask(&stage.spec(1, &["on-demand"])).await;
        assert_eq!(
            reading.streaming.stopped,
            ["streaming endpoint default is Stopped"]
        );
        for state in [ResourceState::Starting, ResourceState::Stopping] {
            stage.sim.set_media_state("ms-neu", DEFAULT, state);
            let reading = stage.ask(&stage.spec(1, &["on-demand"])).await;
            assert_eq!(reading.streaming.stopped.len(), 1, "{state}");
        }
        stage
            .sim
            .set_media_state("ms-neu", DEFAULT, ResourceState::Scaling);
        stage
            .sim
            .set_media_state("ms-neu", STUDIO, ResourceState::StandBy);
        let reading = stage.ask(&stage.spec(1, &["live"])).await;
        assert_eq!(reading.streaming.stopped, ["live event studio is StandBy"]);
    }
}

#[tokio::test]
async fn whoever_answers_for_a_stopped_endpoint_it_does_not_run() {
    let world = World {
        stopped_hosts_answer: Some(404),
        ..World::two_regions_streaming()
    };
    let stage = Stage::start(world).await;
    let spec = stage.spec(0, &["on-demand"]);
    assert_eq!(stage.ask(&spec).await.outcome, Outcome::Ok);
    stage
        .sim
        .set_media_state("ms-weu", DEFAULT, ResourceState::Stopped);
    let reading = stage.ask(&spec).await;
    assert_eq!(
        (reading.outcome, reading.streaming.stopped.len()),
        (Outcome::Ok, 1)
    );
}

#[tokio::test]
async fn what_several_parts_of_an_account_say_alike_is_said_once() {
    let stage = azure().await;
    let spec = stage.spec(0, &[]);
    assert_eq!(stage.ask(&spec).await.outcome, Outcome::Ok);
    stage.sim.break_region("westeurope");
    let reading = stage.ask(&spec).await;
    assert_eq!(reading.outcome, Outcome::Failed);
    let said = said(&reading);
    assert!(said.contains("its streaming host"), "{said}");
    assert_eq!(said.matches("ARM answered 504").count(), 1, "{said}");
}

/// Faults of the API, and what they make of an account that is used for encoding, for streaming, for both; the
/// streaming host answers.
#[tokio::test]
async fn while_its_host_answers_a_failing_api_is_no_outage_for_viewers() {
    use Outcome::{Degraded, Denied, Failed, Missing, Throttled};
    let stage = azure().await;
    let specs = [
        stage.spec(0, &["encoding"]),
        stage.spec(0, &["live", "on-demand"]),
        stage.spec(0, &[]),
    ];
    for spec in &specs {
        assert_eq!(stage.ask(spec).await.outcome, Outcome::Ok);
    }
    let cases = [
        (
            Service::MediaServices,
            Fault::Error(500),
            [Failed, Degraded, Degraded],
        ),
        (
            Service::MediaServices,
            Fault::Down,
            [Failed, Degraded, Degraded],
        ),
        (
            Service::MediaServices,
            Fault::Garbage,
            [Failed, Degraded, Degraded],
        ),
        (
            Service::MediaServices,
            Fault::Drop,
            [Failed, Degraded, Degraded],
        ),
        (
            Service::Arm,
            Fault::Error(504),
            [Failed, Degraded, Degraded],
        ),
        (Service::MediaServices, Fault::Throttle(7), [Throttled; 3]),
        (Service::Arm, Fault::Throttle(7), [Throttled; 3]),
        (Service::MediaServices, Fault::Deny(None), [Denied; 3]),
        (Service::MediaServices, Fault::Deny(Some(401)), [Denied; 3]),
        (Service::MediaServices, Fault::Precondition, [Denied; 3]),
        (Service::MediaServices, Fault::Missing, [Missing; 3]),
        (Service::MediaServices, Fault::Gone, [Missing; 3]),
        (Service::MediaServices, Fault::Retired, [Missing; 3]),
    ];
    for (service, fault, expected) in cases {
        stage.break_west(service, fault);
        for (spec, expected) in specs.iter().zip(expected) {
            let reading = stage.ask(spec).await;
            let used = &spec.workloads;
            assert_eq!(reading.outcome, expected, "{fault} {used:?}: {reading:?}");
            assert!(!said(&reading).is_empty());
            if expected == Missing {
                assert!(
                    said(&reading).contains("retired on 30 June 2024"),
                    "{reading:?}"
                );
                assert!(said(&reading).contains("kind = \"mkio\""), "{reading:?}");
            }
        }
        stage.sim.mend_all();
    }
}

/// The same while the streaming host does not answer.
#[tokio::test]
async fn a_host_that_does_not_answer_is_an_outage_unless_people_have_to_mend_the_account() {
    use Outcome::{Failed, Missing};
    let stage = azure().await;
    let specs = [stage.spec(0, &["live", "on-demand"]), stage.spec(0, &[])];
    for spec in &specs {
        assert_eq!(stage.ask(spec).await.outcome, Outcome::Ok);
    }
    let none = Fault::Slow(Duration::ZERO);
    let cases = [
        (none, Failed),
        (Fault::Error(503), Failed),
        (Fault::Throttle(7), Failed),
        (Fault::Deny(None), Failed),
        (Fault::Missing, Missing),
        (Fault::Retired, Missing),
    ];
    for (fault, expected) in cases {
        stage.break_west(Service::MediaServices, fault);
        stage.break_west(Service::Streaming, Fault::Down);
        for spec in &specs {
            let reading = stage.ask(spec).await;
            assert_eq!(reading.outcome, expected, "{fault}: {reading:?}");
        }
        stage.sim.mend_all();
    }
    let spec = stage.spec(0, &["encoding"]);
    stage.break_west(Service::Streaming, Fault::Down);
    assert_eq!(
        stage.ask(&spec).await.outcome,
        Outcome::Ok,
        "it only encodes"
    );
}

#[tokio::test]
async fn any_answer_of_a_host_is_alive_but_the_content_must_be_there() {
    use Outcome::{Denied, Failed, Missing, Ok, Throttled};
    let stage = azure().await;
    let spec = stage.spec(0, &["on-demand"]);
    let cases = [
        (Fault::Error(503), Ok, Failed),
        (Fault::Deny(None), Ok, Denied),
        (Fault::Throttle(3), Ok, Throttled),
        (Fault::Missing, Ok, Missing),
        (Fault::Gone, Ok, Missing),
        (Fault::Precondition, Ok, Failed),
    ];
    let without = MediaServicesSpec {
        canary: None,
        ..spec.clone()
    };
    for (fault, alone, with_canary) in cases {
        stage.break_west(Service::Streaming, fault);
        assert_eq!(stage.ask(&without).await.outcome, alone, "{fault}");
        let reading = stage.ask(&spec).await;
        assert_eq!(reading.outcome, with_canary, "{fault}: {reading:?}");
        assert!(
            said(&reading).starts_with("the canary on 127.0.0.1:"),
            "{reading:?}"
        );
        stage.sim.mend_all();
    }
    // The same content is missing on one site only, or where it is not looked for.
    stage
        .sim
        .set_content("ms-weu", &spec.canary.clone().unwrap(), false);
    let reading = stage.ask(&spec).await;
    assert_eq!(reading.outcome, Missing);
    assert!(
        said(&reading).ends_with("404: the content is not there"),
        "{reading:?}"
    );
    assert_eq!(stage.ask(&stage.spec(0, &["live"])).await.outcome, Ok);
    stage
        .sim
        .set_media_state("ms-neu", DEFAULT, ResourceState::Running);
    assert_eq!(stage.ask(&stage.spec(1, &["on-demand"])).await.outcome, Ok);
}

#[tokio::test]
async fn without_a_probe_of_the_host_its_api_is_all_there_is() {
    let stage = azure().await;
    let spec = MediaServicesSpec {
        streaming_probe: String::new(),
        canary: None,
        ..stage.spec(0, &["live", "on-demand"])
    };
    stage.break_west(Service::Streaming, Fault::Down);
    assert_eq!(stage.ask(&spec).await.outcome, Outcome::Ok);
    assert_eq!(stage.sim.count(Kind::StreamingHost), 0);
    stage.break_west(Service::MediaServices, Fault::Error(503));
    assert_eq!(stage.ask(&spec).await.outcome, Outcome::Failed);
}

#[tokio::test]
async fn one_url_may_stand_for_all_hosts() {
    let stage = azure().await;
    let spec = MediaServicesSpec {
        streaming_probe: stage.sim.control_target(),
        canary: None,
        ..stage.spec(0, &["on-demand"])
    };
    stage.break_west(Service::MediaServices, Fault::Down);
    assert_eq!(
        stage.ask(&spec).await.outcome,
        Outcome::Degraded,
        "no name is needed"
    );
    stage
        .sim
        .set(Service::Control, Scope::everywhere(), Fault::Down);
    assert_eq!(stage.ask(&spec).await.outcome, Outcome::Failed);
}

#[tokio::test]
async fn an_api_that_hangs_takes_no_time_from_the_host() {
    let stage = azure().await;
    let spec = stage.spec(0, &[]);
    assert_eq!(stage.ask(&spec).await.outcome, Outcome::Ok);
    stage.break_west(Service::MediaServices, Fault::Hang);
    let reading = stage.ask_with(&spec, &hasty()).await;
    assert_eq!(reading.outcome, Outcome::Degraded, "{reading:?}");
    assert!(
        said(&reading).contains("timed out after 1 s"),
        "{reading:?}"
    );
    stage.break_west(Service::Streaming, Fault::Hang);
    let reading = stage.ask_with(&spec, &hasty()).await;
    assert_eq!(reading.outcome, Outcome::Failed, "{reading:?}");
}

#[tokio::test]
async fn what_was_stopped_when_it_was_last_read_is_as_its_api_is() {
    use Outcome::{Denied, Failed, Ok, Throttled};
    let stage = azure().await;
    let spec = stage.spec(1, &["on-demand"]);
    let north = Scope::region("northeurope");
    assert_eq!(stage.ask(&spec).await.outcome, Ok);
    for (fault, expected) in [
        (Fault::Error(503), Failed),
        (Fault::Deny(None), Denied),
        (Fault::Throttle(7), Throttled),
    ] {
        stage.sim.set(Service::MediaServices, north.clone(), fault);
        let reading = stage.ask(&spec).await;
        assert_eq!(reading.outcome, expected, "{reading:?}");
        assert!(said(&reading).contains("was Stopped when it was last read"));
        assert_eq!(reading.streaming.stopped.len(), 1);
        assert_eq!(reading.streaming.as_it_was, expected == Failed);
        stage.sim.mend_all();
    }
    // A gateway that finds nobody behind it speaks of the region.
    stage
        .sim
        .set(Service::Arm, north.clone(), Fault::Error(504));
    let reading = stage.ask(&spec).await;
    assert_eq!(
        (reading.outcome, reading.streaming.as_it_was),
        (Failed, false)
    );
    stage.sim.mend_all();
    // It has been started since, which only its host says.
    stage
        .sim
        .set_media_state("ms-neu", DEFAULT, ResourceState::Running);
    stage
        .sim
        .set(Service::MediaServices, north, Fault::Error(503));
    let reading = stage.ask(&spec).await;
    assert_eq!(reading.outcome, Outcome::Degraded, "{reading:?}");
    assert!(reading.streaming.stopped.is_empty() && !reading.streaming.as_it_was);
}

#[tokio::test]
async fn keys_are_asked_for_where_they_are_delivered() {
    let stage = azure().await;
    let spec = MediaServicesSpec {
        key_delivery: Some(stage.sim.key_delivery_url("ms-weu")),
        ..stage.spec(0, &["on-demand"])
    };
    assert_eq!(stage.ask(&spec).await.outcome, Outcome::Ok, "401 is alive");
    stage.break_west(Service::KeyDelivery, Fault::Error(503));
    assert_eq!(
        stage.ask(&spec).await.outcome,
        Outcome::Ok,
        "any answer is alive"
    );
    stage.break_west(Service::KeyDelivery, Fault::Down);
    let reading = stage.ask(&spec).await;
    assert_eq!(reading.outcome, Outcome::Failed);
    assert!(
        said(&reading).starts_with("key delivery at 127.0.0.1:"),
        "{reading:?}"
    );
    let encodes = MediaServicesSpec {
        key_delivery: spec.key_delivery.clone(),
        ..stage.spec(0, &["encoding"])
    };
    assert_eq!(stage.ask(&encodes).await.outcome, Outcome::Ok);
}

#[tokio::test]
async fn slowness_counts_where_it_is_felt() {
    let stage = azure().await;
    let policy = Policy {
        latency_limit: SignedDuration::from_millis(250),
        ..patient()
    };
    let slow = Fault::Slow(Duration::from_millis(400));
    let (encoding, streaming) = (stage.spec(0, &["encoding"]), stage.spec(0, &["on-demand"]));
    stage.break_west(Service::Streaming, slow);
    let reading = stage.ask_with(&streaming, &policy).await;
    assert_eq!(reading.outcome, Outcome::Degraded);
    assert!(reading.latency_ms >= 400);
    stage.sim.mend_all();
    stage.break_west(Service::MediaServices, slow);
    assert_eq!(
        stage.ask_with(&encoding, &policy).await.outcome,
        Outcome::Degraded
    );
}
