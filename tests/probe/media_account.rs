//! A Media Services account's tokens, jobs and parts, MK.IO's ways, and what a probe costs, against the simulator.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use understudy::adapters::probe::Prober;
use understudy::decision::reading::judge;
use understudy::model::evidence::AccountEvidence;
use understudy::model::policy::Policy;
use understudy::model::sample::{ApiFact, Outcome, Reading, TokenFact};
use understudy::model::spec::{AccountSpec, MediaServicesSpec};
use understudy::sim::{Fault, Job, JobState, Kind, Scope, Service, World};

use crate::media_stage::{Stage, WEST, azure, kept, key, round, said};
use crate::patient;

#[tokio::test]
async fn a_process_that_has_never_read_the_hosts_is_told_them_by_its_vantage() {
    let mut stage = azure().await;
    let spec = stage.spec(0, &["on-demand"]);
    let before = stage.ask(&spec).await;
    stage.break_west(Service::Arm, Fault::Error(504));
    stage.restart();
    let reading = stage.ask(&spec).await;
    assert_eq!(reading.outcome, Outcome::Unknown);
    assert!(said(&reading).contains("not known yet"), "{reading:?}");
    stage
        .prober
        .recall(&AccountSpec::MediaServices(spec.clone()), &kept(&before));
    let reading = stage.ask(&spec).await;
    assert_eq!(reading.outcome, Outcome::Degraded);
    assert!(
        said(&reading).ends_with("its streaming host answers"),
        "{reading:?}"
    );
    assert_eq!(reading.streaming.hosts, before.streaming.hosts);
    stage.break_west(Service::Streaming, Fault::Down);
    assert_eq!(stage.ask(&spec).await.outcome, Outcome::Failed);
}

#[tokio::test]
async fn a_process_that_has_never_read_what_is_stopped_is_told_it_by_its_vantage() {
    let mut stage = azure().await;
    let (west, north) = (stage.spec(0, &["on-demand"]), stage.spec(1, &["on-demand"]));
    let before = kept(&stage.ask(&north).await);
    assert_eq!(before.states["default"], "Stopped");
    stage
        .sim
        .set(Service::Arm, Scope::everywhere(), Fault::Down);
    stage.break_west(Service::Streaming, Fault::Down);
    let account = AccountSpec::MediaServices(north.clone());
    let no_states = AccountEvidence {
        states: std::collections::BTreeMap::new(),
        ..before.clone()
    };
    for (told, as_it_was, expected) in [
        (&no_states, false, Outcome::Failed),
        (&before, true, Outcome::Degraded),
    ] {
        stage.restart();
        stage.prober.recall(&account, told);
        let (active, standby) = (stage.ask(&west).await, stage.ask(&north).await);
        assert_eq!(standby.streaming.as_it_was, as_it_was, "{standby:?}");
        assert!(standby.streaming.states.is_empty(), "nothing was read");
        let judged = judge(
            &round(&[("west", &active), ("north", &standby)]),
            &patient(),
        );
        assert_eq!(judged[&key("north")].0, expected, "{standby:?}");
        assert_ne!(judged[&key("west")].0, Outcome::Degraded, "{active:?}");
    }
}

#[tokio::test]
async fn of_what_several_processes_read_the_latest_counts() {
    let stage = azure().await;
    let north = stage.spec(1, &["on-demand"]);
    let account = AccountSpec::MediaServices(north.clone());
    let silent = async || {
        stage
            .sim
            .set(Service::Arm, Scope::everywhere(), Fault::Down);
        let reading = stage.ask(&north).await;
        stage.sim.mend_all();
        reading
    };
    let stopped = stage.ask(&north).await;
    // Of an earlier round: what this process read since stays.
    let mut earlier = kept(&stopped);
    earlier
        .states
        .insert("default".to_owned(), "Running".to_owned());
    earlier.newest.at -= SignedDuration::from_mins(1);
    stage.prober.recall(&account, &earlier);
    assert!(silent().await.streaming.as_it_was);
    // Another process read it later.
    earlier.newest.at += SignedDuration::from_mins(2);
    stage.prober.recall(&account, &earlier);
    let reading = silent().await;
    assert!(!reading.streaming.as_it_was, "{reading:?}");
}

#[tokio::test]
async fn without_a_token_the_api_only_shows_that_it_is_alive() {
    use Outcome::{Degraded, Failed, Unknown};
    let mut stage = azure().await;
    let specs = [
        stage.spec(0, &["encoding"]),
        stage.spec(0, &["live", "on-demand"]),
        stage.spec(0, &[]),
    ];
    let before = kept(&stage.ask(&specs[2]).await);
    stage
        .sim
        .set(Service::Identity, Scope::everywhere(), Fault::Error(500));
    let cases = [
        (None, None, [Unknown, Degraded, Degraded]),
        (Some(Fault::Error(503)), None, [Failed, Degraded, Degraded]),
        (None, Some(Fault::Down), [Unknown, Failed, Failed]),
    ];
    for (api, streaming, expected) in cases {
        stage.restart();
        let account = AccountSpec::MediaServices(specs[2].clone());
        stage.prober.recall(&account, &before);
        if let Some(fault) = api {
            stage.break_west(Service::MediaServices, fault);
        }
        if let Some(fault) = streaming {
            stage.break_west(Service::Streaming, fault);
        }
        for (spec, expected) in specs.iter().zip(expected) {
            let reading = stage.ask(spec).await;
            assert_eq!(reading.outcome, expected, "{reading:?}");
            assert_eq!(reading.token, TokenFact::Absent);
        }
        stage.sim.mend_region(WEST);
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once() {
    let stage = azure().await;
    let spec = stage.spec(0, &["encoding"]);
    assert_eq!(stage.ask(&spec).await.outcome, Outcome::Ok);
    stage.sim.revoke_identity_tokens();
    assert_eq!(stage.ask(&spec).await.outcome, Outcome::Ok);
    assert_eq!(stage.sim.count(Kind::Token), 2);
    stage.break_west(Service::MediaServices, Fault::Deny(None));
    for _ in 0..5 {
        let reading = stage.ask(&spec).await;
        assert_eq!(reading.outcome, Outcome::Denied);
        assert!(
            said(&reading).contains("give the identity a role"),
            "{reading:?}"
        );
    }
    assert_eq!(stage.sim.count(Kind::Token), 3, "a refusal is no storm");
    stage.ahead.fetch_add(301, Ordering::SeqCst);
    stage.ask(&spec).await;
    assert_eq!(stage.sim.count(Kind::Token), 4);
}

#[tokio::test]
async fn a_part_that_is_not_there_is_told_by_its_name() {
    for (world, whose) in [
        (World::two_regions_streaming(), "ARM"),
        (World::two_regions_mkio(), "MK.IO"),
    ] {
        let stage = Stage::start(world).await;
        for workloads in [&["live"][..], &[]] {
            let mut spec = stage.spec(0, workloads);
            spec.live_events.push("gala".to_owned());
            let reading = stage.ask(&spec).await;
            assert_eq!(reading.outcome, Outcome::Missing);
            let start = format!("the account has no live event gala; {whose} answered 404");
            assert!(said(&reading).starts_with(&start), "{reading:?}");
            assert!(!said(&reading).contains("retired"), "{reading:?}");
        }
    }
}

fn job(state: JobState, minutes: i64) -> Job {
    let at = Timestamp::now() - SignedDuration::from_mins(minutes);
    Job {
        name: format!("{}-{minutes}", state.as_str()),
        state,
        created: at,
        last_modified: at,
        started: None,
        ended: None,
    }
}

#[tokio::test]
async fn jobs_that_nobody_takes_up_are_evidence_although_the_api_answers() {
    for world in [World::two_regions_streaming(), World::two_regions_mkio()] {
        let mut stage = Stage::start(world).await;
        let mut spec = stage.spec(0, &[]);
        stage.break_west(
            Service::MediaServices,
            Fault::Stuck(Duration::from_secs(3 * 3600)),
        );
        let reading = stage.ask(&spec).await;
        assert_eq!(reading.outcome, Outcome::Degraded, "{reading:?}");
        assert!(said(&reading).contains("jobs are waiting for longer than 1h while none finishes"));
        spec.stuck_fails = true;
        assert_eq!(stage.ask(&spec).await.outcome, Outcome::Failed);
        let others = stage.spec(0, &["live"]);
        assert_eq!(
            stage.ask(&others).await.outcome,
            Outcome::Ok,
            "it does not encode"
        );
        stage.sim.mend_all();
        stage.restart();
        assert_eq!(stage.ask(&spec).await.outcome, Outcome::Ok);
        // A page of new ones does not hide the old ones.
        let mut jobs: Vec<Job> = (1..40).map(|age| job(JobState::Queued, age)).collect();
        jobs.push(job(JobState::Scheduled, 70));
        stage.sim.set_jobs("ms-weu", "encode", jobs.clone());
        stage.restart();
        let reading = stage.ask(&spec).await;
        assert!(
            said(&reading).starts_with("1 job is waiting"),
            "{reading:?}"
        );
        jobs.push(job(JobState::Finished, 5));
        stage.sim.set_jobs("ms-weu", "encode", jobs);
        stage.restart();
        assert_eq!(stage.ask(&spec).await.outcome, Outcome::Ok);
    }
}

#[tokio::test]
async fn mkio_has_its_own_token_errors_and_advice() {
    let stage = Stage::start(World::two_regions_mkio()).await;
    let spec = stage.spec(0, &[]);
    stage
        .sim
        .set(Service::Arm, Scope::everywhere(), Fault::Down);
    stage
        .sim
        .set(Service::Identity, Scope::everywhere(), Fault::Down);
    assert_eq!(
        stage.ask(&spec).await.outcome,
        Outcome::Ok,
        "neither is on the way"
    );
    assert_eq!(stage.sim.count(Kind::Token), 0);
    let guessed = MediaServicesSpec {
        token: Some(understudy::model::secret::Secret::new("hunter2")),
        ..spec.clone()
    };
    let reading = stage.ask(&guessed).await;
    assert_eq!(reading.outcome, Outcome::Denied);
    assert!(
        said(&reading).contains("MK.IO answered 401: Unauthorized: The token"),
        "{reading:?}"
    );
    assert!(said(&reading).contains("app setting"), "{reading:?}");
    assert!(!said(&reading).contains("hunter2"), "{reading:?}");
    let lost = MediaServicesSpec {
        resource_id: spec.resource_id.replace("ms-weu", "nobody"),
        ..spec.clone()
    };
    let reading = stage.ask(&lost).await;
    assert_eq!(reading.outcome, Outcome::Missing);
    assert!(
        said(&reading).contains("correct account_name"),
        "{reading:?}"
    );
    stage.break_west(Service::MediaServices, Fault::Throttle(5));
    let reading = stage.ask(&spec).await;
    assert_eq!(reading.outcome, Outcome::Throttled);
    assert!(said(&reading).contains("try again after 5"), "{reading:?}");
}

#[tokio::test]
async fn what_cannot_be_asked_has_not_failed() {
    let stage = Stage::start(World::two_regions_mkio()).await;
    let spec = stage.spec(0, &["encoding"]);
    let unsendable = MediaServicesSpec {
        token: Some(understudy::model::secret::Secret::new("no\nheader")),
        ..spec
    };
    let reading = stage.ask(&unsendable).await;
    assert_eq!(reading.outcome, Outcome::Unknown, "{reading:?}");
    assert_eq!(reading.streaming.api, ApiFact::NotAsked);
    let spec = stage.spec(0, &["on-demand"]);
    let no_url = || "https://192.0.2.999/".to_owned();
    let wrong = [
        MediaServicesSpec {
            streaming_probe: no_url(),
            ..spec.clone()
        },
        MediaServicesSpec {
            key_delivery: Some(no_url()),
            ..spec
        },
    ];
    for spec in wrong {
        let reading = stage.ask(&spec).await;
        assert_eq!(reading.outcome, Outcome::Unknown, "{reading:?}");
        assert!(
            said(&reading).contains("the request cannot be made"),
            "{reading:?}"
        );
    }
}

/// What the documentation promises of the cost.
#[tokio::test]
async fn a_quiet_round_makes_few_requests() {
    let stage = azure().await;
    let spec = stage.spec(0, &[]);
    stage.ask(&spec).await;
    let reads = |stage: &Stage| {
        [
            Kind::MediaAccount,
            Kind::Transforms,
            Kind::Jobs,
            Kind::StreamingEndpoints,
            Kind::LiveEvents,
            Kind::StreamingHost,
            Kind::Content,
            Kind::Token,
        ]
        .map(|kind| stage.sim.count(kind))
    };
    assert_eq!(reads(&stage), [1, 1, 1, 1, 1, 1, 1, 1]);
    for _ in 0..4 {
        stage.ask(&spec).await;
    }
    assert_eq!(reads(&stage), [1, 5, 1, 5, 5, 5, 5, 1]);
    stage.ahead.fetch_add(61, Ordering::SeqCst);
    stage.ask(&spec).await;
    assert_eq!(reads(&stage), [1, 6, 2, 6, 6, 6, 6, 1]);
    stage.ahead.fetch_add(600, Ordering::SeqCst);
    stage.ask(&spec).await;
    assert_eq!(reads(&stage), [2, 7, 3, 7, 7, 7, 7, 1]);
    assert!(
        stage.sim.peak_in_flight() <= Prober::requests_at_once(&AccountSpec::MediaServices(spec))
    );
}

/// Far more reads than ARM lets anybody do, as in a fleet that is probed every second.
#[tokio::test]
async fn what_has_no_turn_is_as_it_was_shortly_before() {
    let stage = azure().await;
    let specs = [
        stage.spec(0, &["live", "on-demand"]),
        stage.spec(1, &["live"]),
    ];
    for spec in &specs {
        assert_eq!(stage.ask(spec).await.outcome, Outcome::Ok);
    }
    let brisk = Policy {
        probe_timeout: SignedDuration::from_secs(2),
        ..patient()
    };
    let mut answers = 0;
    while stage.sim.count(Kind::LiveEvents) + 20 > answers {
        let many = (0..20).map(|_| stage.ask_with(&specs[0], &brisk));
        for reading in futures::future::join_all(many).await {
            assert_eq!(reading.outcome, Outcome::Ok, "{reading:?}");
        }
        answers += 20;
        assert!(answers < 2_000, "every read had its turn");
    }
    let reading = stage.ask_with(&specs[1], &brisk).await;
    assert_eq!(reading.outcome, Outcome::Ok, "{reading:?}");
    let streaming = reading.streaming;
    assert_eq!(
        streaming.stopped.len() + streaming.before.len(),
        2,
        "{streaming:?}"
    );
    // Longer ago, it says nothing any more.
    stage.ahead.fetch_add(301, Ordering::SeqCst);
    let many = (0..200).map(|_| stage.ask_with(&specs[0], &brisk));
    let readings = futures::future::join_all(many).await;
    let is_told = |reading: &Reading| said(reading).contains("its turn has not come");
    assert!(readings.iter().any(is_told), "{readings:?}");
    for reading in readings {
        let expected = if is_told(&reading) {
            Outcome::Degraded
        } else {
            Outcome::Ok
        };
        assert_eq!(reading.outcome, expected, "its host answers: {reading:?}");
    }
}
