//! Breaking and mending with a line of curl, what the panel shows, and many accounts at once.

use serde_json::json;
use understudy::sim::{Fault, Kind, RateLimits, Scope, Service, Simulator, World, config};

use super::azure::*;

#[tokio::test]
async fn a_line_of_curl_breaks_and_mends_a_region() {
    let azure = Azure::two_regions().await;
    let arm = azure.arm_token().await;
    let token = azure.minted("vi-weu").await;
    let (status, sentence) = azure.post("/sim/break/westeurope").await;
    assert_eq!(status, 200);
    assert!(sentence.contains("/sim/mend/westeurope"), "{sentence}");
    azure.list("vi-weu", &token).send().await.unwrap_err();
    azure
        .get("/http/westeurope/captions")
        .send()
        .await
        .unwrap_err();
    let answer = azure.mint("vi-weu", &arm).send().await.unwrap();
    assert_eq!(body(answer, 504).await["error"]["code"], "GatewayTimeout");
    // The other region works through the same ARM and the same host.
    let other = azure.minted("vi-neu").await;
    body(azure.list("vi-neu", &other).send().await.unwrap(), 200).await;
    let (status, _) = azure.post("/sim/mend/westeurope").await;
    assert_eq!(status, 200);
    body(azure.list("vi-weu", &token).send().await.unwrap(), 200).await;
    let (_, sentence) = azure.post("/sim/mend").await;
    assert!(sentence.contains("nothing was broken"), "{sentence}");
}

#[tokio::test]
async fn the_panel_sets_every_fault_of_every_service() {
    let azure = Azure::two_regions().await;
    for name in Fault::NAMES {
        for (place, service) in [
            ("West%20Europe", Service::VideoIndexer),
            ("westeurope", Service::Arm),
            ("westeurope", Service::MediaServices),
            ("westeurope", Service::Streaming),
            ("westeurope", Service::KeyDelivery),
            ("westeurope", Service::Http),
            ("global", Service::Identity),
            ("global", Service::Control),
            ("global", Service::VideoIndexer),
        ] {
            let service_name = service.as_str().to_ascii_lowercase();
            let path = format!("/sim/break/{place}?service={service_name}&fault={name}");
            let (status, sentence) = azure.post(&path).await;
            let possible = match name {
                "stuck" => matches!(service, Service::VideoIndexer | Service::MediaServices),
                "retired" | "unending" | "failing" => service == Service::MediaServices,
                _ => true,
            };
            assert_eq!(status == 200, possible, "{path}: {sentence}");
            assert_eq!(azure.sim.faults().len(), usize::from(possible), "{path}");
            azure.post("/sim/mend").await;
            assert!(azure.sim.faults().is_empty());
        }
    }
    // Without a service, those that can be broken like that are.
    azure.post("/sim/break/westeurope?fault=stuck").await;
    let faults = azure.sim.faults();
    let services: Vec<_> = faults.iter().map(|line| line.service).collect();
    assert_eq!(services, ["videoIndexer", "mediaServices"]);
    azure.post("/sim/mend").await;
    let path = "/sim/break/westeurope?service=videoIndexer&fault=error&status=507&times=1";
    azure.post(path).await;
    let token = azure.minted("vi-weu").await;
    body(azure.list("vi-weu", &token).send().await.unwrap(), 507).await;
    body(azure.list("vi-weu", &token).send().await.unwrap(), 200).await;
}

#[tokio::test]
async fn the_panel_explains_what_it_does_not_know() {
    let azure = Azure::two_regions().await;
    for (path, status, says) in [
        (
            "/sim/break/atlantis",
            404,
            "westeurope, northeurope, and global",
        ),
        ("/sim/break", 404, "westeurope"),
        ("/sim/mend/atlantis", 404, "westeurope"),
        ("/sim/break/westeurope?service=blob", 400, "videoIndexer"),
        (
            "/sim/break/westeurope?service=identity",
            400,
            "/sim/break/global?service=identity",
        ),
        ("/sim/break/westeurope?fault=flood", 400, "down, slow"),
        ("/sim/break/westeurope?falt=down", 400, "service, fault"),
        (
            "/sim/break/westeurope?fault=slow&ms=soon",
            400,
            "ms must be",
        ),
        (
            "/sim/break/westeurope?fault=slow&ms=99999999999999999999",
            400,
            "ms must be",
        ),
        (
            "/sim/break/westeurope?fault=error&status=200",
            400,
            "500 to 599",
        ),
        (
            "/sim/break/westeurope?fault=deny&status=500",
            400,
            "401 to 403",
        ),
        (
            "/sim/break/westeurope?fault=error&times=0",
            400,
            "times must be",
        ),
        (
            "/sim/break/westeurope?account=vi-neu&fault=down",
            404,
            "vi-neu",
        ),
        (
            "/sim/break/westeurope?service=arm&fault=stuck",
            400,
            "videoIndexer",
        ),
        (
            "/sim/break/westeurope?kind=begin&fault=down",
            400,
            "start, stop",
        ),
        ("/sim/break/global", 400, "?service="),
        ("/sim/mend?service=blob", 400, "videoIndexer"),
        ("/sim/melt", 404, "/sim/break/{region}"),
        ("/elsewhere", 404, "/sim"),
        ("/%ff%00%zz", 404, "/sim"),
    ] {
        let (got, sentence) = azure.post(path).await;
        assert_eq!(got, status, "{path}: {sentence}");
        assert!(sentence.contains(says), "{path}: {sentence}");
    }
    assert!(azure.sim.faults().is_empty());
    let answer = azure.get("/sim/break/westeurope").send().await.unwrap();
    assert_eq!(answer.status(), 405);
    assert!(answer.text().await.unwrap().contains("curl -X POST"));
}

#[tokio::test]
async fn the_panel_shows_regions_faults_and_counters_and_no_secret() {
    let azure = Azure::two_regions().await;
    let token = azure.minted("vi-weu").await;
    let list = azure.list_by_query("vi-weu", &token);
    list.send().await.unwrap();
    azure
        .post("/sim/break/northeurope?service=http&fault=throttle&seconds=9")
        .await;
    let text = azure.panel().await;
    for word in [
        "westeurope",
        "northeurope",
        "throttle, Retry-After 9 s",
        "mint",
        "curl",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let page = body(azure.get("/sim?format=json").send().await.unwrap(), 200).await;
    assert_eq!(page["regions"][0]["displayName"], "West Europe");
    assert_eq!(page["faults"][0]["scope"], "northeurope");
    let counters = page["counters"].as_array().unwrap();
    let list = counters.iter().find(|each| each["kind"] == "list").unwrap();
    assert_eq!(list["region"], "westeurope");
    assert_eq!(list["statuses"], json!({"200": 1}));
    let log = azure.get("/sim/log?last=5").send().await.unwrap();
    let log = log.text().await.unwrap();
    assert!(log.contains("\"kind\":\"list\""));
    let header = &azure.sim.environment()[1].1;
    let debug = format!("{:?}", azure.sim);
    for shown in [&text, &page.to_string(), &log, &debug] {
        assert!(!shown.contains(&token) && !shown.contains(header));
    }
}

#[tokio::test]
async fn rate_limits_throttle_as_the_real_service_does() {
    let world = World {
        rate_limits: Some(RateLimits {
            per_second: 1_000,
            per_minute: 3,
        }),
        ..World::two_regions()
    };
    let azure = Azure::start(world).await;
    let token = azure.minted("vi-weu").await;
    // Eight requests fall into at most two minutes: at least one of them is over the limit.
    let mut throttled = 0;
    for _ in 0..8 {
        let answer = azure.list("vi-weu", &token).send().await.unwrap();
        if answer.status() == 429 {
            let after: u64 = answer.headers()["retry-after"]
                .to_str()
                .unwrap()
                .parse()
                .unwrap();
            assert!((1..=60).contains(&after));
            throttled += 1;
        }
    }
    assert!(throttled >= 2, "{throttled}");
}

#[tokio::test]
async fn ten_thousand_accounts_are_served_to_a_crowd() {
    let world = World::fleet(5_000, &["westeurope", "northeurope"], 4);
    assert_eq!(world.accounts.len(), 10_000);
    let azure = Azure::start(world).await;
    let arm = azure.arm_token().await;
    let names: Vec<String> = azure
        .sim
        .world()
        .accounts
        .iter()
        .step_by(25)
        .map(|account| account.name.clone())
        .collect();
    let calls = names.iter().map(|name| async {
        let minted = body(azure.mint(name, &arm).send().await.unwrap(), 200).await;
        let token = minted["accessToken"].as_str().unwrap();
        let list = azure.page(name, token, "1", "0");
        body(list.send().await.unwrap(), 200).await
    });
    let pages = futures::future::join_all(calls).await;
    assert_eq!(pages.len(), 400);
    assert_eq!(azure.sim.count(Kind::Mint), 400);
    assert_eq!(azure.sim.count(Kind::List), 400);
    assert!(
        names
            .iter()
            .all(|name| azure.sim.count_of(Kind::Mint, name) == 1)
    );
    let subscriptions: std::collections::BTreeSet<String> = azure
        .sim
        .log(800)
        .into_iter()
        .map(|seen| seen.subscription_id)
        .filter(|id| !id.is_empty())
        .collect();
    assert!((1..=4).contains(&subscriptions.len()));
}

#[tokio::test]
async fn a_thousand_requests_hang_at_once() {
    let azure = Azure::two_regions().await;
    let control = Scope::everywhere();
    azure
        .sim
        .set(Service::Control, control.clone(), Fault::Hang);
    let mut hanging = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        hanging.spawn(azure.get("/control").send());
    }
    while azure.sim.in_flight() < 1_000 {
        tokio::task::yield_now().await;
    }
    azure.sim.mend(Service::Control, &control);
    while let Some(ended) = hanging.join_next().await {
        ended.unwrap().unwrap_err();
    }
    assert_eq!(azure.sim.peak_in_flight(), 1_000);
    assert_eq!(azure.sim.in_flight(), 0);
}

#[tokio::test]
async fn an_ended_simulator_refuses_connections_and_its_port_can_be_taken_again() {
    let azure = Azure::two_regions().await;
    let port = azure.sim.port();
    azure.get("/control").send().await.unwrap();
    azure.sim.stop().await;
    let url = format!("http://127.0.0.1:{port}/control");
    let error = azure.http.get(&url).send().await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
    let again = Simulator::start(World::two_regions(), port).await.unwrap();
    assert_eq!(again.port(), port);
    assert_eq!(azure.http.get(&url).send().await.unwrap().status(), 200);
    let taken = Simulator::start(World::two_regions(), port)
        .await
        .unwrap_err();
    assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn stopping_frees_what_hangs() {
    let azure = Azure::two_regions().await;
    azure
        .sim
        .set(Service::Control, Scope::everywhere(), Fault::Hang);
    let hanging = tokio::spawn(azure.get("/control").send());
    while azure.sim.in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    azure.sim.stop().await;
    hanging.await.unwrap().unwrap_err();
}

#[test]
fn the_rendered_configuration_has_the_settings_keys() {
    let options = config::Options::embedded("state \"here\"")
        .policy("probe_interval", "2s")
        .policy("fail_threshold", 3)
        .controller("vantage", "laptop")
        .video_indexer("stuck_after", "5m")
        .http("expect_status", vec![200]);
    let text = config::toml(&World::two_regions(), "http://127.0.0.1:7072", &options);
    let read: toml::Table = text.parse().unwrap();
    assert_eq!(read["store"]["path"].as_str(), Some("state \"here\""));
    assert_eq!(read["policy"]["fail_threshold"].as_integer(), Some(3));
    assert_eq!(
        read["controller"]["control_target"].as_str(),
        Some("http://127.0.0.1:7072/control")
    );
    let group = &read["groups"][0];
    assert_eq!(group["name"].as_str(), Some("contoso"));
    assert_eq!(group["tenant"].as_str(), Some("contoso"));
    let sites = group["sites"].as_array().unwrap();
    let regions: Vec<_> = sites
        .iter()
        .map(|site| site["region"].as_str().unwrap())
        .collect();
    assert_eq!(regions, ["westeurope", "northeurope"]);
    let account = &sites[1]["video_indexer"];
    assert_eq!(account["account_name"].as_str(), Some("vi-neu"));
    assert_eq!(
        account["api_base"].as_str(),
        Some("http://127.0.0.1:7072/vi")
    );
    assert_eq!(
        account["arm_base"].as_str(),
        Some("http://127.0.0.1:7072/arm")
    );
    assert_eq!(account["stuck_after"].as_str(), Some("5m"));
    let endpoint = &sites[0]["http"][0];
    assert_eq!(
        endpoint["url"].as_str(),
        Some("http://127.0.0.1:7072/http/westeurope/captions")
    );
    let fleet = World::fleet(5_000, &["westeurope", "northeurope"], 4);
    let text = config::toml(&fleet, "http://127.0.0.1:7072", &options);
    let read: toml::Table = text.parse().unwrap();
    assert_eq!(read["groups"].as_array().unwrap().len(), 5_000);
}
