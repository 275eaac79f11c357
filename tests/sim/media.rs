//! Media Services behind ARM: what an account shows, and how its endpoints and live events start and stop.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use understudy::sim::{Kind, OperationStatus, ResourceState, World};

use super::azure::*;

/// Operations that end only when a test says so: it looks at what is under way without a race.
fn endless() -> World {
    World {
        operation_time: Duration::from_secs(3_600),
        ..World::two_regions_streaming()
    }
}

#[tokio::test]
async fn an_account_is_shown_as_azure_does() {
    let azure = Azure::start(World::two_regions_streaming()).await;
    let account = azure.media_body("ms-weu", "").await;
    assert_eq!(
        keys(&account),
        ["id", "location", "name", "properties", "tags", "type"]
    );
    assert_eq!(account["location"], "West Europe");
    assert_eq!(account["type"], "Microsoft.Media/mediaservices");
    let properties = &account["properties"];
    assert_eq!(properties["storageAccounts"][0]["type"], "Primary");
    assert!(properties["mediaServiceId"].is_string());
    // The real one has none either.
    assert!(properties["provisioningState"].is_null());
    let endpoint = azure
        .media_body("ms-neu", "/streamingEndpoints/DEFAULT")
        .await;
    assert_eq!(endpoint["name"], "default");
    assert_eq!(endpoint["properties"]["resourceState"], "Stopped");
    assert_eq!(endpoint["properties"]["provisioningState"], "Succeeded");
    assert_eq!(
        endpoint["properties"]["hostName"],
        "msneu-northeurope.streaming.media.azure.net"
    );
    let events = azure.media_body("ms-weu", "/liveEvents").await;
    assert_eq!(events["value"][0]["name"], "studio");
    assert_eq!(events["value"][0]["properties"]["resourceState"], "Running");
    assert!(events["@odata.nextLink"].is_null());
    let locators = azure.media_body("ms-weu", "/streamingLocators").await;
    let id = locators["value"][0]["properties"]["streamingLocatorId"].clone();
    let paths = azure
        .media(
            Method::POST,
            "ms-weu",
            "/streamingLocators/welcome/listPaths",
        )
        .await;
    let paths = body(paths, 200).await;
    let path = paths["streamingPaths"][0]["paths"][0].as_str().unwrap();
    assert!(path.starts_with(&format!("/{}/", id.as_str().unwrap())));
    assert_eq!(azure.sim.count_of(Kind::MediaAccount, "ms-weu"), 1);
    assert_eq!(azure.sim.count_of(Kind::StreamingLocators, "ms-weu"), 2);
    assert_eq!(
        azure
            .sim
            .count_part(Kind::StreamingEndpoints, "ms-neu", DEFAULT),
        1
    );
}

#[tokio::test]
async fn arm_takes_no_wrong_path_version_or_token() {
    let azure = Azure::start(World::two_regions_streaming()).await;
    let url = azure.media_url("ms-weu");
    for (below, status, code) in [
        ("?api-version=2022-11-01", 400, "NoRegisteredProviderFound"),
        (
            "/streamingEndpoints?api-version=2023-01-01",
            400,
            "NoRegisteredProviderFound",
        ),
        (
            "/transforms?api-version=2022-11-01",
            400,
            "NoRegisteredProviderFound",
        ),
        ("/streamingEndpoints", 400, "MissingApiVersionParameter"),
        ("x?api-version=2023-01-01", 404, "ResourceNotFound"),
        (
            "/streamingEndpoints/x?api-version=2022-11-01",
            404,
            "ResourceNotFound",
        ),
        ("/assets?api-version=2023-01-01", 404, "NotFound"),
    ] {
        let answer = azure.arm(Method::GET, &format!("{url}{below}")).await;
        assert_eq!(body(answer, status).await["error"]["code"], code, "{below}");
    }
    let url = format!("{url}?api-version=2023-01-01");
    let elsewhere = url.replace("rg-contoso", "rg-other");
    let answer = azure.arm(Method::GET, &elsewhere).await;
    let answer = body(answer, 404).await;
    assert_eq!(answer["error"]["code"], "ResourceGroupNotFound");
    let answer = azure.http.get(&url).send().await.unwrap();
    assert!(answer.headers().contains_key("www-authenticate"));
    assert_eq!(
        body(answer, 401).await["error"]["code"],
        "AuthenticationFailed"
    );
    let other_case = url.replace(
        "Microsoft.Media/mediaservices",
        "microsoft.media/MediaServices",
    );
    body(azure.arm(Method::GET, &other_case).await, 200).await;
}

#[tokio::test]
async fn a_start_is_a_long_running_operation() {
    let azure = Azure::start(endless()).await;
    let accepted = azure.act("ms-neu", DEFAULT, "start").await;
    assert_eq!(accepted.status(), 202);
    assert!(!accepted.headers().contains_key("retry-after"));
    let poll = header(&accepted, "azure-asyncoperation").to_owned();
    let outcome = header(&accepted, "location").to_owned();
    assert!(poll.contains("/streamingendpointoperations/"), "{poll}");
    assert!(outcome.contains("/streamingendpoints/default/operationlocations/"));
    assert!(accepted.text().await.unwrap().is_empty());
    let status = body(azure.arm(Method::GET, &poll).await, 200).await;
    assert_eq!(keys(&status), ["error", "name", "status"]);
    assert_eq!(status["status"], "InProgress");
    assert_eq!(status["error"]["code"], "None");
    assert!(status["error"]["message"].is_null());
    assert!(poll.contains(status["name"].as_str().unwrap()));
    let pending = azure.arm(Method::GET, &outcome).await;
    assert_eq!(pending.status(), 202);
    let endpoint = azure
        .media_body("ms-neu", "/streamingEndpoints/default")
        .await;
    assert_eq!(endpoint["properties"]["resourceState"], "Starting");
    assert_eq!(endpoint["properties"]["provisioningState"], "InProgress");
    // One at a time: the same again, and the opposite.
    for action in ["start", "stop"] {
        let busy = azure.act("ms-neu", DEFAULT, action).await;
        assert_eq!(body(busy, 409).await["error"]["code"], "Conflict");
    }
    assert_eq!(azure.sim.began("ms-neu", DEFAULT, "start"), 1);
    assert_eq!(azure.sim.count_part(Kind::Start, "ms-neu", DEFAULT), 2);
    assert_eq!(azure.sim.count_of(Kind::Operation, "ms-neu"), 2);
    let other = format!(
        "{}x?api-version=2022-11-01",
        poll.split('?').next().unwrap()
    );
    body(azure.arm(Method::GET, &other).await, 404).await;
}

#[tokio::test]
async fn an_operation_ends_and_what_is_there_already_begins_none() {
    let azure = Azure::start(World::two_regions_streaming()).await;
    let accepted = azure.act("ms-neu", DEFAULT, "start").await;
    let poll = header(&accepted, "azure-asyncoperation").to_owned();
    let outcome = header(&accepted, "location").to_owned();
    azure
        .reached("ms-neu", DEFAULT, ResourceState::Running)
        .await;
    let status = body(azure.arm(Method::GET, &poll).await, 200).await;
    assert_eq!(status["status"], "Succeeded");
    let endpoint = body(azure.arm(Method::GET, &outcome).await, 200).await;
    assert_eq!(endpoint["properties"]["resourceState"], "Running");
    let again = azure.act("ms-neu", DEFAULT, "start").await;
    assert_eq!(again.status(), 200);
    assert!(!again.headers().contains_key("azure-asyncoperation"));
    assert_eq!(azure.act("ms-neu", DEFAULT, "stop").await.status(), 202);
    azure
        .reached("ms-neu", DEFAULT, ResourceState::Stopped)
        .await;
    assert_eq!(azure.act("ms-neu", DEFAULT, "stop").await.status(), 200);
    let operations = azure.sim.operations();
    let actions: Vec<_> = operations.iter().map(|each| each.action).collect();
    assert_eq!(actions, ["start", "stop"]);
    assert!(
        operations
            .iter()
            .all(|each| each.status == OperationStatus::Succeeded && each.account == "ms-neu")
    );
}

#[tokio::test]
async fn a_live_event_goes_through_its_states_in_order() {
    let world = endless();
    let azure = Azure::start(world).await;
    let step = async |action: &str, passing: &str, then: ResourceState| {
        let accepted = azure.act("ms-neu", STUDIO, action).await;
        assert_eq!(accepted.status(), 202, "{action}");
        assert!(header(&accepted, "azure-asyncoperation").contains("/liveeventoperations/"));
        let event = azure.media_body("ms-neu", "/liveEvents/studio").await;
        assert_eq!(event["properties"]["resourceState"], passing);
        azure.sim.set_media_state("ms-neu", STUDIO, then);
    };
    step("allocate", "Allocating", ResourceState::StandBy).await;
    assert_eq!(azure.act("ms-neu", STUDIO, "allocate").await.status(), 200);
    step("start", "Starting", ResourceState::Running).await;
    let back = azure.act("ms-neu", STUDIO, "allocate").await;
    assert_eq!(body(back, 409).await["error"]["code"], "Conflict");
    step("stop", "Stopping", ResourceState::Stopped).await;
    step("start", "Starting", ResourceState::Running).await;
    azure
        .sim
        .set_media_state("ms-neu", STUDIO, ResourceState::StandBy);
    step("stop", "Stopping", ResourceState::Stopped).await;
    // A streaming endpoint knows no stand-by.
    let answer = azure.act("ms-neu", DEFAULT, "allocate").await;
    assert_eq!(body(answer, 404).await["error"]["code"], "NotFound");
}

#[tokio::test]
async fn what_is_watched_or_records_is_not_stopped() {
    let mut world = World::two_regions_streaming();
    let account = &mut world.media[0];
    account.live_events[0].outputs = vec!["archive".to_owned()];
    account.add_recording("interview");
    account.locators[0].playing = true;
    account.locators[1].live_event = Some("studio".to_owned());
    let azure = Azure::start(world).await;
    let refused = async |part: &str, word: &str| {
        let answer = body(azure.act("ms-weu", part, "stop").await, 409).await;
        let message = answer["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(word), "{message}");
        assert_eq!(
            azure.sim.media_state("ms-weu", part),
            Some(ResourceState::Running)
        );
    };
    refused(DEFAULT, "welcome plays").await;
    refused(STUDIO, "live outputs").await;
    let outputs = azure
        .media_body("ms-weu", "/liveEvents/studio/liveOutputs")
        .await;
    assert_eq!(outputs["value"][0]["name"], "archive");
    azure.sim.set_playing("ms-weu", "interview", true);
    refused(STUDIO, "interview plays").await;
    azure.sim.set_playing("ms-weu", "interview", false);
    azure.sim.set_playing("ms-weu", "welcome", false);
    assert_eq!(azure.act("ms-weu", DEFAULT, "stop").await.status(), 202);
    let url = format!(
        "{}/{STUDIO}/stop?api-version=2022-11-01",
        azure.media_url("ms-weu")
    );
    let request = azure.http.post(url).bearer_auth(azure.arm_token().await);
    let request = request.json(&json!({"removeOutputsOnStop": true}));
    assert_eq!(request.send().await.unwrap().status(), 202);
    azure
        .reached("ms-weu", STUDIO, ResourceState::Stopped)
        .await;
    let outputs = azure
        .media_body("ms-weu", "/liveEvents/studio/liveOutputs")
        .await;
    assert_eq!(outputs["value"], json!([]));
}

#[tokio::test]
async fn an_identity_without_the_role_is_told_which_action_it_lacks() {
    let mut world = World::two_regions_streaming();
    world.media[1].denied = vec!["*/action".to_owned()];
    world.operation_retry_after = Some(3);
    let azure = Azure::start(world).await;
    let denied = azure.act("ms-neu", DEFAULT, "start").await;
    let denied = body(denied, 403).await;
    assert_eq!(denied["error"]["code"], "AuthorizationFailed");
    let message = denied["error"]["message"].as_str().unwrap();
    assert!(message.contains("'Microsoft.Media/mediaservices/streamingEndpoints/start/action'"));
    assert!(message.contains(&azure.sim.world().media[1].resource_id()));
    azure.media_body("ms-neu", "/streamingEndpoints").await;
    assert_eq!(azure.sim.operations(), []);
    let accepted = azure.act("ms-weu", STUDIO, "stop").await;
    assert_eq!(header(&accepted, "retry-after"), "3");
}
