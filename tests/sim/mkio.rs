//! MK.IO: the same things under its own paths, with its own token, errors and lists.

use reqwest::{Method, StatusCode};
use serde_json::Value;
use understudy::sim::{Fault, Kind, ResourceState, Scope, Service, World};

use super::azure::*;

const AMS: &str = "/api/ams/ms-neu";
const SPEC: &str = "/api/v1/projects/ms-neu/media";

async fn get(azure: &Azure, path: &str) -> Value {
    body(azure.mkio(Method::GET, path).await, 200).await
}

#[tokio::test]
async fn a_project_shows_the_shapes_of_media_services() {
    let azure = Azure::start(World::two_regions_mkio()).await;
    let endpoint = get(&azure, &format!("{AMS}/{DEFAULT}")).await;
    assert_eq!(endpoint["properties"]["resourceState"], "Stopped");
    assert_eq!(
        endpoint["properties"]["hostName"],
        "ep-default-msneu.northeurope.streaming.mediakind.com"
    );
    let events = get(&azure, &format!("{AMS}/liveEvents")).await;
    assert_eq!(events["value"][0]["name"], "studio");
    let all = get(&azure, &format!("{AMS}/jobs")).await;
    let next = all["@odata.nextLink"].as_str().unwrap();
    assert!(next.starts_with(&format!("{AMS}/jobs?")), "{next}");
    assert_eq!(
        get(&azure, next).await["value"].as_array().unwrap().len(),
        12
    );
    for path in [
        "/api/profile",
        "/api/v1/user/profile",
        "/api/ams/ms-neu/stats",
    ] {
        get(&azure, path).await;
    }
    assert_eq!(azure.sim.count_of(Kind::Jobs, "ms-neu"), 2);
    assert_eq!(azure.sim.count(Kind::MediaAccount), 3);
    // It is no resource of ARM.
    let answer = azure
        .media(Method::GET, "ms-neu", "/streamingEndpoints")
        .await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_newer_paths_have_bodies_of_their_own() {
    let azure = Azure::start(World::two_regions_mkio()).await;
    let endpoint = get(&azure, &format!("{SPEC}/{DEFAULT}")).await;
    assert_eq!(endpoint["spec"]["resourceState"], "Stopped");
    assert!(endpoint["properties"].is_null());
    let jobs = get(&azure, &format!("{SPEC}/transforms/encode/jobs")).await;
    assert_eq!(jobs["value"].as_array().unwrap().len(), 37);
    assert_eq!(jobs["supplemental"]["pagination"]["total"], 37);
    assert!(jobs["@odata.nextLink"].is_null());
    let project = get(&azure, "/api/v1/projects/ms-neu").await;
    assert_eq!(project["spec"]["location"], "northeurope");
}

#[tokio::test]
async fn one_looks_at_the_resource_to_see_an_operation_end() {
    let azure = Azure::start(World::two_regions_mkio()).await;
    let start = format!("{AMS}/{DEFAULT}/start");
    let accepted = azure.mkio(Method::POST, &start).await;
    assert_eq!(accepted.status(), 202);
    for header in ["azure-asyncoperation", "location"] {
        assert!(!accepted.headers().contains_key(header));
    }
    azure
        .reached("ms-neu", DEFAULT, ResourceState::Running)
        .await;
    assert_eq!(azure.mkio(Method::POST, &start).await.status(), 200);
    assert_eq!(azure.sim.began("ms-neu", DEFAULT, "start"), 1);
    azure.sim.set(
        Service::MediaServices,
        Scope::region("northeurope"),
        Fault::Unending,
    );
    let stop = format!("{SPEC}/{DEFAULT}/stop");
    assert_eq!(azure.mkio(Method::POST, &stop).await.status(), 202);
    let busy = body(azure.mkio(Method::POST, &stop).await, 409).await;
    assert_eq!(busy["status"], 409);
    azure.sim.mend_all();
    assert_eq!(
        azure.sim.media_state("ms-neu", DEFAULT),
        Some(ResourceState::Stopped)
    );
}

#[tokio::test]
async fn errors_are_in_mkios_words() {
    let azure = Azure::start(World::two_regions_mkio()).await;
    let url = format!("{}{AMS}/transforms", azure.sim.mkio_base());
    for request in [
        azure.http.get(&url),
        azure.http.get(&url).bearer_auth("guessed"),
        azure.http.get(&url).bearer_auth(azure.arm_token().await),
    ] {
        let refused = body(request.send().await.unwrap(), 401).await;
        assert_eq!(keys(&refused), ["error", "ref", "status"]);
        assert_eq!(keys(&refused["error"]), ["code", "detail", "extraDetail"]);
    }
    for path in ["/api/ams/nobody/transforms", "/api/v2", AMS] {
        let answer = azure.mkio(Method::GET, path).await;
        assert_eq!(body(answer, 404).await["status"], 404, "{path}");
    }
    let scope = Scope::one("northeurope", "ms-neu");
    for (fault, status) in [
        (Fault::Error(500), 500),
        (Fault::Error(503), 503),
        (Fault::Throttle(9), 429),
        (Fault::Deny(None), 403),
        (Fault::Deny(Some(401)), 401),
        (Fault::Missing, 404),
        (Fault::Gone, 410),
        (Fault::Precondition, 412),
    ] {
        azure.sim.set(Service::MediaServices, scope.clone(), fault);
        let answer = azure.mkio(Method::GET, &format!("{AMS}/transforms")).await;
        assert_eq!(answer.headers().contains_key("retry-after"), status == 429);
        assert_eq!(body(answer, status).await["status"], status);
    }
    // ARM is not on the way.
    azure.sim.mend_all();
    azure
        .sim
        .set(Service::Arm, Scope::everywhere(), Fault::Down);
    get(&azure, &format!("{AMS}/transforms")).await;
}
