//! Media Services while something is broken: its own words, calls that land unheard, operations that go wrong.

use std::time::Duration;

use reqwest::Method;
use understudy::sim::{Fault, Kind, OperationStatus, ResourceState, Scope, Service, World};

use super::azure::*;

async fn streaming() -> Azure {
    Azure::start(World::two_regions_streaming()).await
}

#[tokio::test]
async fn faults_answer_in_arms_words() {
    let azure = streaming().await;
    let west = Scope::region("westeurope");
    for (fault, status, code) in [
        (Fault::Error(500), 500, "InternalServerError"),
        (Fault::Error(504), 504, "GatewayTimeout"),
        (Fault::Deny(None), 403, "AuthorizationFailed"),
        (Fault::Deny(Some(401)), 401, "InvalidAuthenticationToken"),
        (Fault::Missing, 404, "ResourceNotFound"),
        (Fault::Gone, 410, "Gone"),
        (Fault::Retired, 400, "NoRegisteredProviderFound"),
        (Fault::Precondition, 412, "PreconditionFailed"),
        (Fault::Throttle(5), 429, "SubscriptionRequestsThrottled"),
    ] {
        for service in [Service::MediaServices, Service::Arm] {
            azure.sim.mend_all();
            azure.sim.set(service, west.clone(), fault);
            let answer = azure.media(Method::GET, "ms-weu", "/transforms").await;
            assert_eq!(answer.headers().contains_key("retry-after"), status == 429);
            let answer = body(answer, status).await;
            assert_eq!(answer["error"]["code"], code);
            if code == "AuthorizationFailed" {
                let message = answer["error"]["message"].as_str().unwrap();
                assert!(message.contains("Microsoft.Media/mediaservices/transforms/read"));
            }
            azure.media_body("ms-neu", "/transforms").await;
        }
    }
    // Video Indexer is behind the same ARM, but is another provider.
    azure.sim.mend_all();
    azure
        .sim
        .set(Service::MediaServices, west, Fault::Error(500));
    azure.minted("vi-weu").await;
}

#[tokio::test]
async fn arms_faults_come_before_those_of_the_provider() {
    let azure = streaming().await;
    let everywhere = Scope::everywhere();
    azure
        .sim
        .set(Service::MediaServices, everywhere.clone(), Fault::Gone);
    azure
        .sim
        .set_times(Service::Arm, everywhere, Fault::Error(503), 1);
    for status in [503, 410, 410] {
        let answer = azure.media(Method::GET, "ms-weu", "").await;
        body(answer, status).await;
    }
}

#[tokio::test]
async fn a_fault_can_be_for_one_kind_of_request() {
    let azure = streaming().await;
    let scope = Scope::one("northeurope", "ms-neu").only(Kind::Start);
    azure
        .sim
        .set_times(Service::MediaServices, scope, Fault::Throttle(7), 1);
    assert_eq!(
        azure.sim.faults()[0].scope,
        "northeurope/ms-neu (start)".to_owned()
    );
    azure.media_body("ms-neu", "/streamingEndpoints").await;
    assert_eq!(azure.act("ms-neu", STUDIO, "stop").await.status(), 200);
    let answer = azure.act("ms-neu", DEFAULT, "start").await;
    assert_eq!(answer.status(), 429);
    assert_eq!(header(&answer, "retry-after"), "7");
    assert_eq!(azure.sim.began("ms-neu", DEFAULT, "start"), 0);
    assert_eq!(azure.act("ms-neu", DEFAULT, "start").await.status(), 202);
    assert!(azure.sim.faults().is_empty());
    let path =
        "/sim/break/northeurope?account=ms-neu&kind=stop&service=mediaServices&fault=precondition";
    assert_eq!(azure.post(path).await.0, 200);
    let answer = azure.act("ms-neu", STUDIO, "stop").await;
    body(answer, 412).await;
}

#[tokio::test]
async fn a_call_can_land_unheard() {
    let azure = streaming().await;
    let scope = Scope::region("northeurope").only(Kind::Start);
    azure
        .sim
        .set_times(Service::MediaServices, scope, Fault::Lost, 1);
    let url = format!(
        "{}/{DEFAULT}/start?api-version=2022-11-01",
        azure.media_url("ms-neu")
    );
    let request = azure.http.post(&url).bearer_auth(azure.arm_token().await);
    let error = request.send().await.unwrap_err();
    assert!(error.status().is_none(), "{error:?}");
    assert_eq!(azure.sim.began("ms-neu", DEFAULT, "start"), 1);
    assert_eq!(azure.sim.log(1)[0].status, None);
    assert_eq!(azure.sim.log(1)[0].part, DEFAULT);
    azure
        .reached("ms-neu", DEFAULT, ResourceState::Running)
        .await;
    assert_eq!(azure.act("ms-neu", DEFAULT, "start").await.status(), 200);
}

#[tokio::test]
async fn operations_can_fail() {
    let azure = streaming().await;
    let scope = Scope::one("northeurope", "ms-neu");
    azure
        .sim
        .set_times(Service::MediaServices, scope, Fault::Failing, 1);
    let accepted = azure.act("ms-neu", DEFAULT, "start").await;
    let poll = header(&accepted, "azure-asyncoperation").to_owned();
    let outcome = header(&accepted, "location").to_owned();
    azure
        .reached("ms-neu", DEFAULT, ResourceState::Stopped)
        .await;
    let status = body(azure.arm(Method::GET, &poll).await, 200).await;
    assert_eq!(status["status"], "Failed");
    assert_eq!(status["error"]["code"], "InternalServerError");
    assert!(
        status["error"]["message"]
            .as_str()
            .unwrap()
            .contains("start")
    );
    let outcome = body(azure.arm(Method::GET, &outcome).await, 400).await;
    assert_eq!(outcome["error"]["code"], "OperationFailed");
    assert_eq!(azure.sim.operations()[0].status, OperationStatus::Failed);
    assert_eq!(azure.act("ms-neu", DEFAULT, "start").await.status(), 202);
    azure
        .reached("ms-neu", DEFAULT, ResourceState::Running)
        .await;
}

#[tokio::test]
async fn operations_can_go_on_until_they_are_mended() {
    let world = World {
        operation_time: Duration::ZERO,
        ..World::two_regions_streaming()
    };
    let azure = Azure::start(world).await;
    let north = Scope::region("northeurope");
    let service = Service::MediaServices;
    azure
        .sim
        .set_times(service, north.clone(), Fault::Unending, 1);
    let accepted = azure.act("ms-neu", DEFAULT, "start").await;
    let poll = header(&accepted, "azure-asyncoperation").to_owned();
    // Used up by the first operation, which is hanging all the same.
    assert!(azure.sim.faults().is_empty());
    assert_eq!(azure.act("ms-neu", STUDIO, "start").await.status(), 202);
    assert_eq!(
        azure.sim.media_state("ms-neu", STUDIO),
        Some(ResourceState::Running)
    );
    azure.sim.mend_region("westeurope");
    let status = body(azure.arm(Method::GET, &poll).await, 200).await;
    assert_eq!(status["status"], "InProgress");
    assert_eq!(azure.act("ms-neu", DEFAULT, "start").await.status(), 409);
    let (_, sentence) = azure.post("/sim/mend/northeurope").await;
    assert!(sentence.contains("is mended"), "{sentence}");
    let status = body(azure.arm(Method::GET, &poll).await, 200).await;
    assert_eq!(status["status"], "Succeeded");
    assert_eq!(
        azure.sim.media_state("ms-neu", DEFAULT),
        Some(ResourceState::Running)
    );
}

#[tokio::test]
async fn a_region_that_is_out_takes_media_services_along() {
    let azure = streaming().await;
    let token = azure.arm_token().await;
    azure.sim.break_region("westeurope");
    let answer = azure.media(Method::GET, "ms-weu", "").await;
    assert_eq!(body(answer, 504).await["error"]["code"], "GatewayTimeout");
    let host = azure.sim.world().media[0].host_name("default");
    let url = azure.sim.streaming_url(&host);
    azure.http.get(&url).send().await.unwrap_err();
    let keys = azure.sim.key_delivery_url("ms-weu");
    azure.http.get(&keys).send().await.unwrap_err();
    azure.media_body("ms-neu", "").await;
    azure.sim.mend_region("westeurope");
    azure.media_body("ms-weu", "").await;
    let answer = azure.http.get(&keys).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    // Only ARM is out: what streams goes on.
    azure
        .sim
        .set(Service::Arm, Scope::everywhere(), Fault::Down);
    let request = azure.http.get(azure.media_url("ms-weu")).bearer_auth(token);
    request.send().await.unwrap_err();
    let answer = azure.http.get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 404);
}
