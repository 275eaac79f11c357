//! What the simulator answers while something is broken.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use understudy::sim::{Fault, Kind, Scope, Service, Video, VideoState, World};

use super::azure::*;

#[tokio::test]
async fn faults_of_video_indexer_answer_in_its_own_words() {
    let azure = Azure::two_regions().await;
    let token = azure.minted("vi-weu").await;
    let west = Scope::region("westeurope");
    for (fault, status, kind) in [
        (Fault::Error(500), 500, "GENERAL"),
        (Fault::Error(503), 503, "GENERAL"),
        (Fault::Error(504), 504, "SERVER_TIMEOUT"),
        (Fault::Deny(None), 401, "USER_NOT_ALLOWED"),
        (Fault::Deny(Some(403)), 403, "USER_NOT_ALLOWED"),
        (Fault::Missing, 404, "GENERAL"),
    ] {
        azure.sim.set(Service::VideoIndexer, west.clone(), fault);
        let answer = azure.list("vi-weu", &token).send().await.unwrap();
        assert_eq!(body(answer, status).await["ErrorType"], kind);
    }
    azure
        .sim
        .set(Service::VideoIndexer, west.clone(), Fault::Throttle(17));
    let answer = azure.list("vi-weu", &token).send().await.unwrap();
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.headers()["retry-after"], "17");
    azure
        .sim
        .set(Service::VideoIndexer, west.clone(), Fault::Garbage);
    let answer = azure.list("vi-weu", &token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/html");
    assert!(answer.text().await.unwrap().starts_with("<!DOCTYPE html>"));
    // The other region, and the other services of this one, are as they were.
    let other = azure.minted("vi-neu").await;
    body(azure.list("vi-neu", &other).send().await.unwrap(), 200).await;
    azure.minted("vi-weu").await;
    azure.sim.mend(Service::VideoIndexer, &west);
    body(azure.list("vi-weu", &token).send().await.unwrap(), 200).await;
    assert!(azure.sim.faults().is_empty());
}

#[tokio::test]
async fn faults_of_arm_and_identity_answer_in_their_own_words() {
    let azure = Azure::two_regions().await;
    let token = azure.arm_token().await;
    for (fault, status, code) in [
        (Fault::Error(500), 500, "InternalServerError"),
        (Fault::Error(503), 503, "ServiceUnavailable"),
        (Fault::Error(504), 504, "GatewayTimeout"),
        (Fault::Deny(None), 403, "AuthorizationFailed"),
        (Fault::Deny(Some(401)), 401, "InvalidAuthenticationToken"),
        (Fault::Missing, 404, "ResourceNotFound"),
        (Fault::Throttle(5), 429, "SubscriptionRequestsThrottled"),
    ] {
        azure.sim.set(Service::Arm, Scope::everywhere(), fault);
        let answer = azure.mint("vi-weu", &token).send().await.unwrap();
        assert_eq!(answer.headers().contains_key("retry-after"), status == 429);
        assert_eq!(body(answer, status).await["error"]["code"], code);
    }
    azure.sim.mend_all();
    for (fault, status) in [
        (Fault::Error(500), 500),
        (Fault::Deny(None), 400),
        (Fault::Throttle(5), 429),
    ] {
        azure.sim.set(Service::Identity, Scope::everywhere(), fault);
        let answer = azure.identity(&[]).send().await.unwrap();
        assert_eq!(body(answer, status).await["statusCode"], status);
    }
}

#[tokio::test]
async fn a_denial_names_the_action_and_the_resource() {
    let azure = Azure::two_regions().await;
    let token = azure.arm_token().await;
    azure
        .sim
        .set(Service::Arm, Scope::region("westeurope"), Fault::Deny(None));
    let answer = azure.mint("vi-weu", &token).send().await.unwrap();
    let answer = body(answer, 403).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("Microsoft.VideoIndexer/accounts/generateAccessToken/action"));
    assert!(message.contains(&azure.sim.world().accounts[0].resource_id()));
}

#[tokio::test]
async fn down_closes_the_connection_and_drop_cuts_the_body() {
    let azure = Azure::two_regions().await;
    let token = azure.minted("vi-weu").await;
    let west = Scope::region("westeurope");
    azure
        .sim
        .set(Service::VideoIndexer, west.clone(), Fault::Down);
    let error = azure.list("vi-weu", &token).send().await.unwrap_err();
    assert!(!error.is_timeout() && error.status().is_none(), "{error:?}");
    azure.sim.set(Service::VideoIndexer, west, Fault::Drop);
    let answer = azure.list("vi-weu", &token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let announced = answer.content_length().unwrap();
    assert!(announced > 1_000);
    answer.bytes().await.unwrap_err();
    let log = azure.sim.log(2);
    assert_eq!(
        log.iter().map(|seen| seen.status).collect::<Vec<_>>(),
        [None, Some(200)]
    );
    assert_eq!(log[0].kind, Kind::List);
    assert_eq!(log[0].name, "vi-weu");
}

#[tokio::test]
async fn every_service_can_be_down() {
    let azure = Azure::two_regions().await;
    let token = azure.arm_token().await;
    for service in Service::ALL {
        azure.sim.set(service, Scope::everywhere(), Fault::Down);
    }
    azure.identity(&[]).send().await.unwrap_err();
    azure.mint("vi-weu", &token).send().await.unwrap_err();
    azure.list("vi-weu", "").send().await.unwrap_err();
    azure
        .get("/http/westeurope/captions")
        .send()
        .await
        .unwrap_err();
    azure
        .http
        .get(azure.sim.control_target())
        .send()
        .await
        .unwrap_err();
    azure.sim.mend_all();
    let answer = azure
        .http
        .get(azure.sim.control_target())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(azure.sim.count(Kind::Control), 2);
}

#[tokio::test]
async fn hang_holds_the_request_until_it_is_mended() {
    let azure = Azure::two_regions().await;
    azure
        .sim
        .set(Service::Http, Scope::region("westeurope"), Fault::Hang);
    let request = azure.get("/http/westeurope/captions").send();
    let hanging = tokio::spawn(request);
    while azure.sim.in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    // Another region's mending does not free it.
    azure.sim.mend_region("northeurope");
    let answer = azure
        .get("/http/northeurope/captions")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert!(!hanging.is_finished());
    azure.sim.mend_region("westeurope");
    hanging.await.unwrap().unwrap_err();
    assert!(
        azure
            .sim
            .reached(Kind::Endpoint, Some("westeurope"), 1, LIMIT)
            .await
    );
    assert_eq!(azure.sim.log(1)[0].status, None);
}

#[tokio::test]
async fn a_client_that_gives_up_frees_its_request() {
    let azure = Azure::two_regions().await;
    azure
        .sim
        .set_times(Service::Control, Scope::everywhere(), Fault::Hang, 1);
    let request = azure
        .http
        .get(azure.sim.control_target())
        .timeout(Duration::from_millis(100));
    assert!(request.send().await.unwrap_err().is_timeout());
    assert!(azure.sim.reached(Kind::Control, None, 1, LIMIT).await);
    assert_eq!(azure.sim.in_flight(), 0);
}

#[tokio::test]
async fn slow_answers_late_and_goes_with_other_faults() {
    let azure = Azure::two_regions().await;
    let west = Scope::region("westeurope");
    azure.sim.set(
        Service::Http,
        west.clone(),
        Fault::Slow(Duration::from_millis(60)),
    );
    azure.sim.set(Service::Http, west, Fault::Error(502));
    let answer = azure.get("/http/westeurope/captions").send().await.unwrap();
    assert_eq!(answer.status(), 502);
    assert!(azure.sim.log(1)[0].took_ms >= 60);
}

#[tokio::test]
async fn a_stuck_region_finishes_nothing() {
    let azure = Azure::two_regions().await;
    let token = azure.minted("vi-weu").await;
    let age = Duration::from_secs(2 * 3_600);
    let before = Timestamp::now();
    azure.sim.set(
        Service::VideoIndexer,
        Scope::region("westeurope"),
        Fault::Stuck(age),
    );
    let page = body(azure.list("vi-weu", &token).send().await.unwrap(), 200).await;
    let since = before - SignedDuration::from_secs(2 * 3_600);
    let mut unfinished = 0;
    for video in page["results"].as_array().unwrap() {
        let created: Timestamp = video["created"].as_str().unwrap().parse().unwrap();
        match video["state"].as_str().unwrap() {
            "Uploaded" | "Processing" => unfinished += 1,
            _ => assert!(created <= since + SignedDuration::from_secs(60), "{video}"),
        }
    }
    assert!(unfinished >= 11, "{unfinished}");
    azure.sim.mend_region("westeurope");
    let page = body(azure.list("vi-weu", &token).send().await.unwrap(), 200).await;
    let unfinished = page["results"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|video| ["Uploaded", "Processing"].contains(&video["state"].as_str().unwrap()))
        .count();
    assert!(unfinished <= 1, "{unfinished}");
}

#[tokio::test]
async fn an_account_can_be_given_its_videos() {
    let azure = Azure::two_regions().await;
    let token = azure.minted("vi-neu").await;
    let at: Timestamp = "2026-01-02T03:04:05.1234567Z".parse().unwrap();
    let video = Video {
        id: "abcdefghij".to_owned(),
        name: "match".to_owned(),
        state: VideoState::Quarantined,
        created: at,
        last_modified: at,
        last_indexed: at,
    };
    azure.sim.set_videos("vi-neu", vec![video]);
    let page = body(azure.list("vi-neu", &token).send().await.unwrap(), 200).await;
    assert_eq!(
        page["results"][0]["created"],
        "2026-01-02T03:04:05.1234567+00:00"
    );
    assert_eq!(page["results"][0]["state"], "Quarantined");
    assert_eq!(
        page["nextPage"],
        json!({"pageSize": 25, "skip": 0, "done": true})
    );
}

#[tokio::test]
async fn a_fault_can_be_for_one_account_and_for_some_requests() {
    let mut world = World::two_regions();
    world.add_account(None, "westeurope", "vi-spare");
    let azure = Azure::start(world).await;
    let token = azure.minted("vi-weu").await;
    let spare = azure.minted("vi-spare").await;
    let one = Scope::one("westeurope", "vi-weu");
    azure
        .sim
        .set_times(Service::VideoIndexer, one, Fault::Error(500), 2);
    for _ in 0..2 {
        body(azure.list("vi-weu", &token).send().await.unwrap(), 500).await;
        body(azure.list("vi-spare", &spare).send().await.unwrap(), 200).await;
    }
    body(azure.list("vi-weu", &token).send().await.unwrap(), 200).await;
    assert!(azure.sim.faults().is_empty());
}
