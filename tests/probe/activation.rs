//! One attempt at a step against an API that answers what a test tells it to.

use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::future::join_all;
use jiff::SignedDuration;
use serde_json::json;
use tokio::sync::watch;
use understudy::adapters::activation::{Activator, Fence, Performed, Standing};
use understudy::adapters::azure::identity::Identity;
use understudy::adapters::azure::pace::ACTIONS_ON_ACCOUNT;
use understudy::model::moves::{Stage, Step, StepResult};
use understudy::model::name::{AccountKey, GroupName, Service, SiteName};
use understudy::model::policy::Policy;
use understudy::model::secret::Secret;
use understudy::model::spec::{
    AccountSpec, GroupSpec, MediaKind, MediaServicesSpec, SiteSpec, Workload,
};

/// How the API answers.
#[derive(Clone, Copy)]
enum Api {
    /// Every request with this status.
    Always(u16),
    /// The state is this for ever; calls are refused with this status.
    Refusing(&'static str, u16),
    /// The state is this until a call, which is answered with this status, and at once in effect.
    Obeying(&'static str, u16),
    /// The state is this for ever; calls are accepted, as operations that never end.
    Dawdling(&'static str),
}

#[derive(Clone)]
struct Shared {
    api: Api,
    calls: watch::Sender<Vec<String>>,
}

async fn answer(State(shared): State<Shared>, request: axum::extract::Request) -> Response {
    let is_call = request.method() == Method::POST;
    let path = request.uri().path().to_owned();
    if is_call {
        shared.calls.send_modify(|calls| calls.push(path.clone()));
    }
    let (status, state) = match shared.api {
        Api::Always(status) => (status, ""),
        Api::Refusing(state, status) => (if is_call { status } else { 200 }, state),
        Api::Obeying(_, status) if is_call => (status, ""),
        Api::Dawdling(_) if path == OPERATION => {
            return axum::Json(json!({"status": "InProgress"})).into_response();
        }
        Api::Dawdling(_) if is_call => {
            return (StatusCode::ACCEPTED, followed(&request)).into_response();
        }
        Api::Dawdling(state) => (200, state),
        Api::Obeying(state, _) => {
            let state = match shared.calls.borrow().last() {
                None => state,
                Some(call) if call.ends_with("/start") => "Running",
                Some(_) => "Stopped",
            };
            (200, state)
        }
    };
    let status = StatusCode::from_u16(status).unwrap();
    if is_call {
        return status.into_response();
    }
    let body = json!({"properties": {"resourceState": state}}).to_string();
    (status, body).into_response()
}

/// Where an operation that never ends is followed.
const OPERATION: &str = "/operation";

fn followed(request: &axum::extract::Request) -> HeaderMap {
    let host = request.headers()[header::HOST].to_str().unwrap();
    let url = format!("http://{host}{OPERATION}");
    let mut headers = HeaderMap::new();
    headers.insert("azure-asyncoperation", url.parse().unwrap());
    headers
}

fn group(url: &str) -> GroupSpec {
    let media = MediaServicesSpec {
        kind: MediaKind::Mkio,
        account_name: "contoso".to_owned(),
        resource_id: url.to_owned(),
        arm_base: url.to_owned(),
        token: Some(Secret::new("t")),
        streaming_endpoints: vec!["default".to_owned()],
        live_events: Vec::new(),
        workloads: vec![Workload::OnDemand],
        streaming_probe: String::new(),
        canary: None,
        key_delivery: None,
        stuck_after: SignedDuration::from_mins(60),
        stuck_fails: false,
    };
    GroupSpec {
        name: GroupName::from("contoso"),
        tenant: None,
        policy: Policy::default(),
        sites: vec![SiteSpec {
            name: SiteName::from("west"),
            region: "westeurope".to_owned(),
            accounts: vec![AccountSpec::MediaServices(media)],
        }],
    }
}

/// An activator, and a group whose account has this API.
struct World {
    activator: Activator,
    spec: GroupSpec,
    calls: watch::Sender<Vec<String>>,
}

async fn world(api: Api) -> World {
    let calls = watch::Sender::default();
    let shared = Shared {
        api,
        calls: calls.clone(),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let spec = group(&format!("http://{}", listener.local_addr().unwrap()));
    let app = axum::Router::new().fallback(answer).with_state(shared);
    tokio::spawn(async move { axum::serve(listener, app).await });
    let http = understudy::adapters::http::client().unwrap();
    let identity = Identity::from_settings(&http, &|_| None);
    World {
        activator: Activator::new(http, identity),
        spec,
        calls,
    }
}

/// One attempt of twenty seconds.
async fn perform(world: &World, stage: Stage) -> Performed {
    let account = AccountKey {
        site: SiteName::from("west"),
        service: Service::MediaServices,
        name: "contoso".to_owned(),
    };
    let step = Step::new(stage, account, "streaming endpoint default".to_owned());
    let fence = Fence::new(|| Box::pin(async { Standing::Ours }));
    let until = (Instant::now() + Duration::from_secs(20)).into();
    let World {
        activator, spec, ..
    } = world;
    activator.perform(spec, &step, until, &fence).await
}

/// What comes of one attempt, and the calls that it made.
async fn attempt(stage: Stage, api: Api) -> (Performed, Vec<String>) {
    let world = world(api).await;
    let performed = perform(&world, stage).await;
    let calls = world.calls.borrow().clone();
    (performed, calls)
}

fn failed(performed: &Performed) -> &str {
    match &performed.result {
        StepResult::Failed { detail, .. } => detail,
        other => panic!("no failure: {other:?}"),
    }
}

#[tokio::test]
async fn what_does_not_exist_need_not_be_stopped_and_cannot_be_started() {
    for api in [
        Api::Always(404),
        Api::Always(410),
        Api::Refusing("Deleted", 409),
        Api::Refusing("Deleting", 409),
    ] {
        let (stopped, calls) = attempt(Stage::Retire, api).await;
        assert_eq!(stopped.result, StepResult::Done);
        assert!(!stopped.began && calls.is_empty());
        let (started, calls) = attempt(Stage::Activate, api).await;
        assert!(failed(&started).contains("configuration"), "{started:?}");
        assert!(!started.began && calls.is_empty());
    }
    // It went between the look and the call.
    for status in [404, 410] {
        let (stopped, calls) = attempt(Stage::Retire, Api::Refusing("Running", status)).await;
        assert_eq!((stopped.result, calls.len()), (StepResult::Done, 1));
    }
    for status in [401, 403] {
        let (stopped, _) = attempt(Stage::Retire, Api::Always(status)).await;
        failed(&stopped);
    }
}

#[tokio::test]
async fn a_call_that_is_accepted_with_whatever_status_was_ours() {
    for status in [200, 201, 202, 204] {
        let (started, calls) = attempt(Stage::Activate, Api::Obeying("Stopped", status)).await;
        assert_eq!(started.result, StepResult::Done, "{status}");
        assert!(started.began, "{status}");
        assert_eq!(calls, ["/streamingEndpoints/default/start"], "{status}");
    }
    let (started, calls) = attempt(Stage::Activate, Api::Obeying("Running", 200)).await;
    assert_eq!((started.began, calls.len()), (false, 0));
    let (refused, _) = attempt(Stage::Activate, Api::Refusing("Stopped", 400)).await;
    assert!(!refused.began);
}

#[tokio::test]
async fn what_is_only_followed_keeps_no_other_from_being_asked_for() {
    let world = world(Api::Dawdling("Stopped")).await;
    let many = ACTIONS_ON_ACCOUNT.at_once + 1;
    let mut calls = world.calls.subscribe();
    let attempts = join_all((0..many).map(|_| perform(&world, Stage::Activate)));
    tokio::select! {
        all = calls.wait_for(|calls| calls.len() == many) => assert!(all.is_ok()),
        ended = attempts => panic!("{} of {many} were asked for: {ended:?}", world.calls.borrow().len()),
    }
}
