//! Streaming hosts and content keys, what the panel shows of them, and the settings that lead there.

use serde_json::json;
use understudy::model::name::GroupName;
use understudy::model::spec::AccountSpec;
use understudy::sim::config::{self, MKIO_TOKEN, Options};
use understudy::sim::{Fault, Kind, MediaKind, ResourceState, Scope, Service, World};

use super::azure::*;

fn host(azure: &Azure, number: usize) -> String {
    let host = azure.sim.world().media[number].host_name("default");
    azure.sim.streaming_url(&host)
}

fn canary(azure: &Azure, number: usize) -> String {
    let canary = azure.sim.world().media[number].canary.clone();
    format!("{}{}", host(azure, number), canary.unwrap())
}

#[tokio::test]
async fn a_host_answers_while_its_endpoint_runs() {
    let azure = Azure::start(World::two_regions_streaming()).await;
    let answer = azure.http.get(format!("{}/", host(&azure, 0))).send().await;
    assert_eq!(answer.unwrap().status(), 404);
    let answer = azure.http.get(canary(&azure, 0)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().starts_with("#EXTM3U"));
    let answer = azure
        .http
        .get(format!("{}/other", host(&azure, 0)))
        .send()
        .await;
    assert_eq!(answer.unwrap().status(), 404);
    // The other region's endpoint is stopped, until it is started.
    azure.http.get(canary(&azure, 1)).send().await.unwrap_err();
    azure.act("ms-neu", DEFAULT, "start").await;
    azure
        .reached("ms-neu", DEFAULT, ResourceState::Running)
        .await;
    let answer = azure.http.get(canary(&azure, 1)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let nobody = azure.sim.streaming_url("nobody.streaming.media.azure.net");
    azure.http.get(nobody).send().await.unwrap_err();
    assert_eq!(azure.sim.count_of(Kind::StreamingHost, "ms-weu"), 1);
    assert_eq!(azure.sim.count_of(Kind::Content, "ms-weu"), 2);
    assert_eq!(azure.sim.count_part(Kind::Content, "ms-neu", DEFAULT), 2);
}

#[tokio::test]
async fn a_host_of_a_stopped_endpoint_can_be_made_to_answer() {
    let world = World {
        stopped_hosts_answer: Some(503),
        ..World::two_regions_streaming()
    };
    let azure = Azure::start(world).await;
    let answer = azure.http.get(host(&azure, 1)).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    azure
        .sim
        .set_media_state("ms-neu", DEFAULT, ResourceState::Scaling);
    let answer = azure.http.get(canary(&azure, 1)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn content_can_be_missing_on_one_site() {
    let azure = Azure::start(World::two_regions_streaming()).await;
    let path = azure.sim.world().media[0].canary.clone().unwrap();
    azure.sim.set_content("ms-weu", &path, false);
    let answer = azure.http.get(canary(&azure, 0)).send().await.unwrap();
    assert_eq!(answer.status(), 404);
    azure.sim.set_content("ms-weu", &path, true);
    let answer = azure.http.get(canary(&azure, 0)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let scope = Scope::region("westeurope").only(Kind::Content);
    azure.sim.set(Service::Streaming, scope, Fault::Missing);
    let answer = azure.http.get(canary(&azure, 0)).send().await.unwrap();
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn a_host_can_be_broken_while_arm_is_well() {
    let azure = Azure::start(World::two_regions_streaming()).await;
    let west = Scope::one("westeurope", "ms-weu");
    for (fault, status) in [
        (Fault::Error(502), 502),
        (Fault::Deny(None), 403),
        (Fault::Throttle(4), 429),
        (Fault::Gone, 410),
        (Fault::Garbage, 200),
    ] {
        azure.sim.set(Service::Streaming, west.clone(), fault);
        let answer = azure.http.get(host(&azure, 0)).send().await.unwrap();
        assert_eq!(answer.status(), status);
    }
    azure.sim.set(Service::Streaming, west, Fault::Down);
    azure.http.get(host(&azure, 0)).send().await.unwrap_err();
    let endpoint = azure
        .media_body("ms-weu", "/streamingEndpoints/default")
        .await;
    assert_eq!(endpoint["properties"]["resourceState"], "Running");
}

#[tokio::test]
async fn keys_are_not_behind_the_streaming_host() {
    let azure = Azure::start(World::two_regions_streaming()).await;
    azure
        .sim
        .set(Service::Streaming, Scope::everywhere(), Fault::Down);
    let url = azure.sim.key_delivery_url("ms-neu");
    let answer = azure.http.get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    let answer = azure.http.get(&url).bearer_auth("a viewer's").send().await;
    assert_eq!(answer.unwrap().text().await.unwrap().len(), 16);
    let url = azure.sim.key_delivery_url("nobody");
    assert_eq!(azure.http.get(url).send().await.unwrap().status(), 404);
    assert_eq!(azure.sim.count_of(Kind::Keys, "ms-neu"), 2);
    azure.sim.mend_all();
    azure.sim.set(
        Service::KeyDelivery,
        Scope::region("northeurope"),
        Fault::Error(500),
    );
    let url = azure.sim.key_delivery_url("ms-neu");
    assert_eq!(azure.http.get(url).send().await.unwrap().status(), 500);
}

#[tokio::test]
async fn the_panel_shows_what_streams() {
    let azure = Azure::start(World::two_regions_mkio()).await;
    azure
        .mkio(
            reqwest::Method::POST,
            "/api/ams/ms-neu/streamingEndpoints/default/start",
        )
        .await;
    azure
        .reached("ms-neu", DEFAULT, ResourceState::Running)
        .await;
    let page = body(azure.get("/sim?format=json").send().await.unwrap(), 200).await;
    assert_eq!(page["regions"][1]["mediaAccounts"], 1);
    assert_eq!(
        page["media"][0],
        json!({"account": "ms-weu", "region": "westeurope", "part": DEFAULT, "state": "Running"})
    );
    assert_eq!(page["operations"][0]["action"], "start");
    assert_eq!(page["operations"][0]["status"], "Succeeded");
    let text = azure.panel().await;
    for word in ["northeurope/ms-neu", "liveEvents/studio", "Stopped"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let debug = format!("{:?}", azure.sim);
    for shown in [&text, &page.to_string(), &debug] {
        assert!(!shown.contains(azure.sim.mkio_token()));
    }
}

#[tokio::test]
async fn the_rendered_configuration_leads_to_the_simulator() {
    let base = "http://127.0.0.1:7072";
    let options = Options::embedded("state").media_services("streaming_probe", "");
    let text = config::toml(&World::two_regions_streaming(), base, &options);
    let read: toml::Table = text.parse().unwrap();
    let sites = read["groups"][0]["sites"].as_array().unwrap();
    let account = &sites[1]["media_services"];
    assert_eq!(account["kind"].as_str(), Some("azure"));
    assert_eq!(account["account_name"].as_str(), Some("ms-neu"));
    assert_eq!(
        account["arm_base"].as_str(),
        Some("http://127.0.0.1:7072/arm")
    );
    assert_eq!(account["streaming_probe"].as_str(), Some(""));
    assert_eq!(account["streaming_endpoints"][0].as_str(), Some("default"));
    assert_eq!(account["live_events"][0].as_str(), Some("studio"));
    assert_eq!(account["canary"], sites[0]["media_services"]["canary"]);
    let options = Options::embedded("state");
    let mut world = World::two_regions_mkio();
    world.media[0].workloads = vec!["on-demand".to_owned()];
    let text = config::toml(&world, base, &options);
    let read: toml::Table = text.parse().unwrap();
    let account = &read["groups"][0]["sites"][0]["media_services"];
    assert_eq!(account["kind"].as_str(), Some("mkio"));
    assert_eq!(
        account["arm_base"].as_str(),
        Some("http://127.0.0.1:7072/mkio")
    );
    assert_eq!(account["token"].as_str(), Some("$SIMULATOR_MKIO_TOKEN"));
    assert_eq!(account["workloads"][0].as_str(), Some("on-demand"));
    assert_eq!(
        account["streaming_probe"].as_str(),
        Some("http://127.0.0.1:7072/stream/{host}/")
    );
    let azure = Azure::start(world).await;
    let environment = azure.sim.environment();
    let token = environment.iter().find(|(key, _)| key == MKIO_TOKEN);
    assert_eq!(token.unwrap().1, azure.sim.mkio_token());
}

#[test]
fn the_rendered_configuration_is_good() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("understudy.toml");
    for world in [
        World::two_regions_streaming(),
        World::two_regions_mkio(),
        World::fleet(3, &["westeurope", "northeurope"], 2).streaming(MediaKind::Azure),
    ] {
        let options = Options::embedded("state");
        let text = config::toml(&world, "http://127.0.0.1:7072", &options);
        std::fs::write(&path, text).unwrap();
        let settings = [(MKIO_TOKEN.to_owned(), "a token".to_owned())];
        let loaded = understudy::config::load(&path, &settings.into());
        assert_eq!(loaded.problems, []);
        let groups = &loaded.settings.deployment.groups;
        assert_eq!(groups.len(), world.groups().len());
        let first = &groups[&GroupName::from(world.groups()[0].as_str())];
        for site in &first.sites {
            let accounts = site.accounts.iter();
            let media = accounts.filter(|each| matches!(each, AccountSpec::MediaServices(_)));
            assert_eq!(media.count(), 1, "{site:?}");
        }
    }
}
