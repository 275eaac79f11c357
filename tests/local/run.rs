//! `local` as people run it.

use std::path::Path;

use axum::Router;
use axum::routing::get;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;
use understudy::local::function_json;

use super::app::App;
use super::stage::{PATIENCE, free_port, root};
use crate::program::understudy;

/// A folder as in a checkout: `host.json` and the functions.
fn checkout() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(root().join("host.json"), folder.path().join("host.json")).unwrap();
    for source in function_json::find(&root()).unwrap() {
        let home = folder.path().join("functions").join(&source.name);
        std::fs::create_dir_all(&home).unwrap();
        std::fs::write(home.join("function.json"), source.text).unwrap();
    }
    folder
}

/// Two endpoints that are well, as the two sites of a group.
async fn endpoints() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let well = Router::new().route("/{site}", get(|| async { "well" }));
    tokio::spawn(async move { axum::serve(listener, well).await });
    base
}

async fn configuration(folder: &Path) {
    let base = endpoints().await;
    let text = format!(
        r#"[controller]
schedule = "* * * * * *"
[store]
kind = "embedded"
path = "state"
[policy]
mode = "observe"
probe_interval = "1s"
probe_timeout = "1s"
latency_limit = "1s"
[[groups]]
name = "first"
  [[groups.sites]]
  region = "westeurope"
    [[groups.sites.http]]
    name = "web"
    url = "{base}/west"
  [[groups.sites]]
  region = "northeurope"
    [[groups.sites.http]]
    name = "web"
    url = "{base}/north"
"#
    );
    std::fs::write(folder.join("understudy.toml"), text).unwrap();
}

#[tokio::test]
async fn a_first_group_is_watched_by_the_configured_schedule() {
    let folder = checkout();
    configuration(folder.path()).await;
    let mut app = App::start("local", folder.path());
    let group = app
        .until("groups/first", |group| {
            let sites = group["sites"].as_array().cloned().unwrap_or_default();
            sites.len() == 2 && sites.iter().all(|site| site["verdict"] == "healthy")
        })
        .await;
    assert_eq!(group["mode"], "observe");
    assert_eq!(app.get("groups/first/active").await["site"], "westeurope");
    app.shows("HealthCheck  timer * * * * * *").await;
    app.shows("/api/groups/{group}/active").await;
    app.signal("INT");
    let status = tokio::time::timeout(PATIENCE, app.process.wait())
        .await
        .unwrap()
        .unwrap();
    assert!(status.success(), "{status}");
    // The handler ran in this folder, so that is where the embedded store is.
    assert!(folder.path().join("state").exists());
}

#[tokio::test]
async fn a_package_runs_as_it_lies_there() {
    let folder = tempfile::tempdir().unwrap();
    configuration(folder.path()).await;
    let mut package = Command::from(understudy());
    package.arg("package").current_dir(folder.path());
    let packaged = package.output().await.unwrap();
    assert!(packaged.status.success(), "{packaged:?}");
    let app = App::start("local", &folder.path().join("dist"));
    let group = app
        .until("groups/first", |group| group["active"] == "westeurope")
        .await;
    assert_eq!(group["generation"], 0, "{group}");
    app.shows("/api/groups/{group}/active").await;
}

#[tokio::test]
async fn a_bad_configuration_is_told_and_the_app_stays_up() {
    let folder = checkout();
    std::fs::write(
        folder.path().join("understudy.toml"),
        "[policy]\nhodl = \"90s\"\n",
    )
    .unwrap();
    let app = App::start("local", folder.path());
    let line = app.shows("problem: understudy.toml:2").await;
    assert!(line.contains("hodl"), "{line}");
    let health = app
        .client
        .get(format!("{}/api/health", app.base))
        .send()
        .await
        .unwrap();
    assert_eq!(health.status(), 503);
}

#[tokio::test]
async fn local_says_what_is_missing_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let local = || {
        Command::from(understudy())
            .args(["local", "--port", &free_port().to_string()])
            .current_dir(folder.path())
            .kill_on_drop(true)
            .output()
    };
    let says = |output: std::process::Output, text: &str| {
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(
            error.contains(text) && error.trim().lines().count() == 1,
            "{error}"
        );
    };
    says(local().await.unwrap(), "no host.json");
    let repository = root();
    std::fs::copy(
        repository.join("host.json"),
        folder.path().join("host.json"),
    )
    .unwrap();
    says(local().await.unwrap(), "function.json");
    std::fs::create_dir_all(folder.path().join("Active")).unwrap();
    std::fs::copy(
        repository.join("functions/Active/function.json"),
        folder.path().join("Active/function.json"),
    )
    .unwrap();
    says(local().await.unwrap(), "understudy.toml");
}
