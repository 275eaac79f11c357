//! What the simulator answers when nothing is broken.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use understudy::sim::{Kind, World};

use super::azure::*;

#[tokio::test]
async fn identity_gives_a_token_in_the_platforms_shape() {
    let azure = Azure::two_regions().await;
    let query = [
        ("resource", "https://management.azure.com/"),
        ("api-version", "2019-08-01"),
    ];
    let answer = body(azure.identity(&query).send().await.unwrap(), 200).await;
    assert_eq!(
        keys(&answer),
        [
            "access_token",
            "client_id",
            "expires_on",
            "resource",
            "token_type"
        ]
    );
    let expires: i64 = answer["expires_on"].as_str().unwrap().parse().unwrap();
    let claims = claims(answer["access_token"].as_str().unwrap());
    assert_eq!(claims["exp"], json!(expires));
    assert_eq!(claims["aud"], "https://management.azure.com/");
    assert!(expires > Timestamp::now().as_second() + 3_600);
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(azure.sim.count(Kind::Token), 1);
}

#[tokio::test]
async fn identity_refuses_what_the_platform_refuses() {
    let azure = Azure::two_regions().await;
    let arm = ("resource", "https://management.azure.com");
    let version = ("api-version", "2019-08-01");
    let client = azure.sim.world().identities[0].clone();
    let good = [arm, version, ("client_id", client.as_str())];
    body(azure.identity(&good).send().await.unwrap(), 200).await;
    let stranger = ("client_id", "00000000-0000-0000-0000-00000000ffff");
    let both = [
        arm,
        version,
        ("client_id", client.as_str()),
        ("object_id", "x"),
    ];
    for query in [
        &[version][..],
        &[arm][..],
        &[arm, ("api-version", "2017-09-01")][..],
        &[("resource", "management"), version][..],
        &[arm, version, stranger][..],
        &both[..],
    ] {
        let answer = body(azure.identity(query).send().await.unwrap(), 400).await;
        assert_eq!(answer["statusCode"], 400, "{query:?}");
        assert!(answer["message"].is_string());
    }
    let path = "/msi/token?resource=https://management.azure.com&api-version=2019-08-01";
    body(azure.get(path).send().await.unwrap(), 400).await;
    let forged = azure.get(path).header("X-IDENTITY-HEADER", "guessed");
    body(forged.send().await.unwrap(), 400).await;
}

#[tokio::test]
async fn arm_shows_an_account_as_azure_does() {
    let azure = Azure::two_regions().await;
    let token = azure.arm_token().await;
    let answer = azure.account("vi-neu", &token).send().await.unwrap();
    assert!(answer.headers().contains_key("x-ms-request-id"));
    let account = body(answer, 200).await;
    assert_eq!(
        keys(&account),
        [
            "id",
            "identity",
            "location",
            "name",
            "properties",
            "tags",
            "type"
        ]
    );
    assert_eq!(account["location"], "NorthEurope");
    assert_eq!(account["type"], "Microsoft.VideoIndexer/accounts");
    assert_eq!(account["properties"]["accountName"], "vi-neu");
    assert_eq!(account["properties"]["provisioningState"], "Succeeded");
    let spec = azure
        .sim
        .world()
        .accounts
        .iter()
        .find(|each| each.name == "vi-neu");
    let spec = spec.unwrap();
    assert_eq!(account["properties"]["accountId"], json!(spec.account_id));
    let id = account["id"].as_str().unwrap();
    assert_ne!(id, spec.resource_id());
    assert!(id.eq_ignore_ascii_case(&spec.resource_id()));
}

#[tokio::test]
async fn arm_compares_paths_in_any_case_and_knows_several_versions() {
    let azure = Azure::two_regions().await;
    let token = azure.arm_token().await;
    let url = azure.account_url("vi-weu");
    let (base, path) = url.split_at(azure.sim.arm_base().len());
    for version in [
        "2022-08-01",
        "2024-01-01",
        "2025-03-01",
        "2025-04-01",
        "2024-09-23-PREVIEW",
    ] {
        let url = format!("{base}{}?api-version={version}", path.to_ascii_lowercase());
        let answer = azure
            .http
            .get(url)
            .bearer_auth(&token)
            .send()
            .await
            .unwrap();
        body(answer, 200).await;
    }
    let unknown = azure.http.get(format!("{url}?api-version=1999-01-01"));
    let answer = body(unknown.bearer_auth(&token).send().await.unwrap(), 400).await;
    assert_eq!(answer["error"]["code"], "NoRegisteredProviderFound");
    let missing = azure.http.get(&url).bearer_auth(&token);
    let answer = body(missing.send().await.unwrap(), 400).await;
    assert_eq!(answer["error"]["code"], "MissingApiVersionParameter");
}

#[tokio::test]
async fn arm_says_what_was_not_found() {
    let azure = Azure::two_regions().await;
    let token = azure.arm_token().await;
    let good = azure.sim.world().accounts[0].resource_id();
    for (path, code) in [
        (
            good.replace("/accounts/vi-weu", "/accounts/other"),
            "ResourceNotFound",
        ),
        (
            good.replace("/rg-contoso/", "/other/"),
            "ResourceGroupNotFound",
        ),
        (good.replace("/5ab5", "/ffff"), "SubscriptionNotFound"),
    ] {
        assert_ne!(path, good);
        let url = format!("{}{path}?api-version=2024-01-01", azure.sim.arm_base());
        let answer = azure
            .http
            .get(url)
            .bearer_auth(&token)
            .send()
            .await
            .unwrap();
        assert_eq!(body(answer, 404).await["error"]["code"], code);
    }
}

#[tokio::test]
async fn arm_takes_only_a_good_token_for_arm() {
    let azure = Azure::two_regions().await;
    let other = Azure::two_regions().await;
    let storage = azure.token_for("https://storage.azure.com").await;
    let foreign = other.arm_token().await;
    let account = azure.minted("vi-weu").await;
    for (token, code) in [
        (storage.as_str(), "InvalidAuthenticationTokenAudience"),
        (foreign.as_str(), "InvalidAuthenticationToken"),
        (account.as_str(), "InvalidAuthenticationToken"),
        ("nonsense", "InvalidAuthenticationToken"),
        ("a.b.c", "InvalidAuthenticationToken"),
    ] {
        let answer = azure.mint("vi-weu", token).send().await.unwrap();
        assert!(answer.headers().contains_key("www-authenticate"));
        assert_eq!(body(answer, 401).await["error"]["code"], code);
    }
    let url = format!("{}?api-version=2024-01-01", azure.account_url("vi-weu"));
    let bare = azure.http.get(url).send().await.unwrap();
    assert_eq!(
        body(bare, 401).await["error"]["code"],
        "AuthenticationFailed"
    );
    let good = azure.arm_token().await;
    azure.sim.revoke_identity_tokens();
    let revoked = azure.account("vi-weu", &good).send().await.unwrap();
    body(revoked, 401).await;
    let fresh = azure.arm_token().await;
    body(azure.account("vi-weu", &fresh).send().await.unwrap(), 200).await;
}

#[tokio::test]
async fn an_expired_identity_token_is_named_as_such() {
    let world = World {
        identity_token_lifetime: Duration::ZERO,
        ..World::two_regions()
    };
    let azure = Azure::start(world).await;
    let token = azure.arm_token().await;
    let answer = azure.account("vi-weu", &token).send().await.unwrap();
    let answer = body(answer, 401).await;
    assert_eq!(answer["error"]["code"], "ExpiredAuthenticationToken");
}

#[tokio::test]
async fn a_mint_checks_its_body_and_its_token_lives_an_hour() {
    let azure = Azure::two_regions().await;
    let claims = claims(&azure.minted("vi-weu").await);
    let lifetime = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(lifetime, 3_600);
    assert_eq!(claims["Permission"], "Reader");
    let token = azure.arm_token().await;
    for wrong in [
        json!({}),
        json!({"permissionType": "Reader"}),
        json!({"permissionType": "Reader", "scope": "World"}),
        json!({"permissionType": "Root", "scope": "Account"}),
        json!({"permissionType": "Reader", "scope": "Video"}),
        json!([1, 2]),
    ] {
        let answer = azure
            .mint("vi-weu", &token)
            .json(&wrong)
            .send()
            .await
            .unwrap();
        body(answer, 400).await;
    }
    let garbled = azure.mint("vi-weu", &token).body("{").send().await.unwrap();
    assert_eq!(
        body(garbled, 400).await["error"]["code"],
        "InvalidRequestContent"
    );
    assert_eq!(azure.sim.count_of(Kind::Mint, "vi-weu"), 8);
    assert_eq!(azure.sim.count_in(Kind::Mint, "West Europe"), 8);
    assert_eq!(azure.sim.count_in(Kind::Mint, "northeurope"), 0);
}

#[tokio::test]
async fn the_list_of_videos_has_the_real_shape_and_pages() {
    let azure = Azure::two_regions().await;
    let token = azure.minted("vi-weu").await;
    let mut ids = Vec::new();
    let mut created = Vec::new();
    let mut skip = 0;
    loop {
        let answer = azure
            .page("vi-weu", &token, "10", &skip.to_string())
            .send()
            .await
            .unwrap();
        assert!(answer.headers().contains_key("x-ms-request-id"));
        let page = body(answer, 200).await;
        assert_eq!(keys(&page), ["nextPage", "results"]);
        for video in page["results"].as_array().unwrap() {
            ids.push(video["id"].as_str().unwrap().to_owned());
            created.push(video["created"].as_str().unwrap().to_owned());
            let at: Timestamp = video["created"].as_str().unwrap().parse().unwrap();
            assert!(at <= Timestamp::now());
            assert!(
                video["lastModified"]
                    .as_str()
                    .unwrap()
                    .parse::<Timestamp>()
                    .unwrap()
                    >= at
            );
            let state = video["state"].as_str().unwrap();
            assert!(["Uploaded", "Processing", "Processed", "Failed"].contains(&state));
        }
        if page["nextPage"]["done"] == json!(true) {
            break;
        }
        skip = page["nextPage"]["skip"].as_u64().unwrap();
    }
    let sorted: Vec<String> = {
        let mut sorted = created.clone();
        sorted.sort_by(|left, right| right.cmp(left));
        sorted
    };
    assert_eq!(created, sorted, "newest first");
    ids.sort();
    ids.dedup();
    assert!(ids.len() >= 36, "{} videos", ids.len());
}

#[tokio::test]
async fn a_videos_fields_are_those_of_the_real_list() {
    let azure = Azure::two_regions().await;
    let token = azure.minted("vi-weu").await;
    let page = body(azure.list("vi-weu", &token).send().await.unwrap(), 200).await;
    assert_eq!(page["results"].as_array().unwrap().len(), 25);
    let first = &page["results"][0];
    for field in [
        "accountId",
        "partition",
        "externalId",
        "metadata",
        "name",
        "lastIndexed",
        "privacyMode",
        "userName",
        "isOwned",
        "isBase",
        "hasSourceVideoFile",
        "moderationState",
        "reviewState",
        "isSearchable",
        "processingProgress",
        "durationInSeconds",
        "thumbnailVideoId",
        "thumbnailId",
        "searchMatches",
        "indexingPreset",
        "streamingPreset",
        "sourceLanguage",
        "sourceLanguages",
        "personModelId",
    ] {
        assert!(first.get(field).is_some(), "{field}");
    }
    let id = first["id"].as_str().unwrap();
    let url = format!("{}/{id}/Index", azure.videos_url("vi-weu"));
    let answer = azure
        .http
        .get(url)
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    let index = body(answer, 200).await;
    assert_eq!(index["id"], first["id"]);
    assert_eq!(index["state"], index["videos"][0]["state"]);
    let url = format!("{}/nosuch/Index", azure.videos_url("vi-weu"));
    let answer = azure
        .http
        .get(url)
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    assert_eq!(body(answer, 404).await["ErrorType"], "GENERAL");
    assert_eq!(azure.sim.count(Kind::Index), 2);
}

#[tokio::test]
async fn video_indexer_takes_only_this_accounts_good_token() {
    let azure = Azure::two_regions().await;
    let good = azure.minted("vi-weu").await;
    let in_query = azure.list_by_query("vi-weu", &good);
    body(in_query.send().await.unwrap(), 200).await;
    let expired = azure
        .sim
        .account_token("vi-weu", SignedDuration::from_secs(-1))
        .unwrap();
    let arm = azure.arm_token().await;
    let refused = [
        azure.list("vi-neu", &good),
        azure.list("vi-weu", &expired),
        azure.list("vi-weu", &arm),
        azure.list("vi-weu", "nonsense"),
        azure.http.get(azure.videos_url("vi-weu")),
        // The right account in the wrong region, and one that does not exist.
        azure
            .http
            .get(
                azure
                    .videos_url("vi-weu")
                    .replace("westeurope", "northeurope"),
            )
            .bearer_auth(&good),
        azure
            .get("/vi/westeurope/Accounts/none/Videos")
            .bearer_auth(&good),
    ];
    for request in refused {
        let answer = request.send().await.unwrap();
        assert!(answer.headers().contains_key("x-ms-request-id"));
        let answer = body(answer, 401).await;
        assert_eq!(keys(&answer), ["ErrorType", "Message"]);
        assert_eq!(answer["ErrorType"], "USER_NOT_ALLOWED");
    }
    azure.sim.revoke_account_tokens();
    body(azure.list("vi-weu", &good).send().await.unwrap(), 401).await;
    let fresh = azure.minted("vi-weu").await;
    body(azure.list("vi-weu", &fresh).send().await.unwrap(), 200).await;
    let nowhere = azure.get("/vi/atlantis/Accounts/none/Videos");
    let answer = body(nowhere.send().await.unwrap(), 404).await;
    assert_eq!(answer["ErrorType"], "LOCATION_NOT_FOUND");
    let classic = azure.get("/vi/auth/westeurope/Accounts/none/AccessToken");
    let answer = body(classic.send().await.unwrap(), 400).await;
    assert_eq!(answer["ErrorType"], "ARM_ACCOUNT_MUST_BE_MANAGED_BY_ARM");
}
