//! The demo as people run it: a real process, two healthy regions, an outage, a move, a mended region.

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use super::app::App;
use super::stage::PATIENCE;
use crate::program::understudy;

/// Any folder will do, also one without a checkout.
fn start() -> (App, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (App::start("demo", folder.path()), folder)
}

fn verdict<'a>(group: &'a Value, site: &str) -> &'a str {
    group["sites"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|listed| listed["site"] == site)
        .and_then(|listed| listed["verdict"].as_str())
        .unwrap_or_default()
}

fn both_are_well(group: &Value) -> bool {
    ["westeurope", "northeurope"]
        .iter()
        .all(|site| verdict(group, site) == "healthy")
}

#[tokio::test]
async fn a_broken_region_is_left_and_the_terminal_tells_how() {
    let (mut demo, _folder) = start();
    let break_it = demo.shows("/sim/break/westeurope").await;
    let mend_it = demo.shows("/sim/mend/westeurope").await;
    assert!(
        demo.shows("the page")
            .await
            .ends_with(&format!("{}/api/status", demo.base))
    );

    demo.until("groups/contoso", both_are_well).await;
    assert_eq!(
        demo.get("groups/contoso/active").await["site"],
        "westeurope"
    );
    demo.shows("all 2 regions are healthy; westeurope is active")
        .await;

    demo.follow(&break_it).await;
    let moved = demo
        .until("groups/contoso/active", |answer| {
            answer["site"] == "northeurope"
        })
        .await;
    assert_eq!(moved["generation"], 1);
    let hosts = &moved["accounts"]["mediaServices"]["streamingHosts"];
    assert_eq!(
        hosts["default"],
        "msneu-northeurope.streaming.media.azure.net"
    );
    demo.shows("move      complete: northeurope serves").await;
    let told = [
        "ms-neu: streaming endpoint default is Stopped",
        "westeurope is broken",
        "failed, 2 in a row",
        "westeurope (primary, active) is unhealthy",
        "s until the move, unless the site answers",
        "failover from westeurope to northeurope, generation 1",
        "now answers northeurope, generation 1, ready: false",
        "step      start streaming endpoint default in northeurope: running",
        "ms-neu streaming endpoint default: Stopped -> Starting",
        "ms-neu streaming endpoint default: Starting -> Running",
        "step      start streaming endpoint default in northeurope: done",
        "now answers northeurope, generation 1, ready: true, streaming host msneu-northeurope.streaming.media.azure.net",
        "move      complete: northeurope serves",
    ];
    let places: Vec<usize> = told.iter().map(|text| demo.place(text)).collect();
    assert!(
        places.is_sorted(),
        "told in another order: {places:?}\n{}",
        demo.lines.borrow().join("\n")
    );

    demo.follow(&mend_it).await;
    demo.until("groups/contoso", both_are_well).await;
    let command = demo.shows("/api/groups/contoso/failback").await;
    assert!(
        command.trim_start().starts_with("curl -X POST"),
        "{command}"
    );
    let history = demo.get("groups/contoso/history").await;
    let failovers = history["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["kind"] == "failover");
    assert_eq!(failovers.count(), 1, "{history}");
    assert_eq!(demo.get("groups/contoso/active").await["generation"], 1);
    // The standby is cold: what bills in the region that is well again is stopped.
    demo.shows("ms-weu streaming endpoint default: Stopping -> Stopped")
        .await;

    demo.signal("INT");
    let status = tokio::time::timeout(PATIENCE, demo.process.wait())
        .await
        .unwrap()
        .unwrap();
    assert!(status.success(), "{status}");
}

/// The handler's port, from its own words, is closed once its host is gone, however that ended.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_handler_outlives_its_host() {
    for signal in ["INT", "TERM", "KILL"] {
        let (mut demo, _folder) = start();
        demo.until("groups/contoso", both_are_well).await;
        let children = children_of(demo.process.id().unwrap());
        assert_eq!(children.len(), 1, "{children:?}");
        demo.signal(signal);
        tokio::time::timeout(PATIENCE, demo.process.wait())
            .await
            .unwrap()
            .unwrap();
        let gone = async {
            while is_alive(children[0]) {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        assert!(
            tokio::time::timeout(PATIENCE, gone).await.is_ok(),
            "after {signal}"
        );
    }
}

/// State and parent of a process, from the kernel.
#[cfg(target_os = "linux")]
fn state_and_parent(id: u32) -> Option<(String, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

#[cfg(target_os = "linux")]
fn is_alive(id: u32) -> bool {
    state_and_parent(id).is_some_and(|(state, _)| state != "Z")
}

#[cfg(target_os = "linux")]
fn children_of(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|id| state_and_parent(*id).is_some_and(|(_, found)| found == parent))
        .collect()
}

#[tokio::test]
async fn a_taken_port_is_said_with_what_to_do() {
    let taken = understudy::local::host::bind(0).await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = Command::from(understudy())
        .args(["demo", "--port", &port])
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains(&port) && error.contains("--port"), "{error}");
    assert_eq!(error.trim().lines().count(), 1, "{error}");
}
