//! The package by itself: unpacked from its archive in a place of its own, with nothing beside it and nothing but app
//! settings, it serves every function, and needs to write nothing where it lies.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tempfile::TempDir;
use understudy::bundle;
use understudy::sim::config::{Options, toml};
use understudy::sim::{Simulator, World};

use crate::host::wire::{Message, Payload};
use crate::host::{Host, HostOptions, Mode, Split};
use crate::program::{run, understudy};

const GROUP: &str = "/api/groups/contoso";

/// Makes the package in a folder that is gone afterwards, and gives its archive's files at this path.
fn unpacked(configuration: &str, to: &Path) {
    let from = tempfile::tempdir().unwrap();
    fs::write(from.path().join("understudy.toml"), configuration).unwrap();
    let ran = run(understudy()
        .args(["package", "--out", "app"])
        .current_dir(from.path()));
    assert_eq!(ran.code, 0, "{ran:?}");
    let archive = File::open(from.path().join("app.zip")).unwrap();
    zip::ZipArchive::new(archive).unwrap().extract(to).unwrap();
}

/// Every file and folder below this one, with its size and when it was last written.
fn listing(folder: &Path) -> BTreeMap<PathBuf, (u64, SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let about = entry.metadata().unwrap();
        if about.is_dir() {
            found.extend(listing(&entry.path()));
        }
        found.insert(entry.path(), (about.len(), about.modified().unwrap()));
    }
    found
}

/// A host over the package.
struct Alone {
    host: Host,
    _record: TempDir,
}

impl Alone {
    async fn set(root: &Path, sim: &Simulator, mode: Mode) -> Self {
        let record = tempfile::tempdir().unwrap();
        let mut options = HostOptions {
            mode: Some(mode),
            split: Split::Flex,
            ..HostOptions::default()
        }
        // Where the record is kept is an app setting's to say.
        .setting("UNDERSTUDY__STORE__KIND", "embedded")
        .setting(
            "UNDERSTUDY__STORE__PATH",
            &record.path().join("state").to_string_lossy(),
        );
        options.settings.extend(sim.environment());
        let host = Host::start(root, options).await.unwrap();
        assert!(host.errors().is_empty(), "{:?}", host.errors());
        Self {
            host,
            _record: record,
        }
    }

    /// Asks a function as its callers do.
    async fn ask(&self, function: &str) {
        let post = |target: &str, body: &str| {
            self.host
                .keyed("POST", target)
                .header("Content-Type", "application/json")
                .body(Payload::Sized(body.as_bytes().to_vec()))
        };
        let get = |target: &str| self.host.keyed("GET", target);
        let alert = crate::alert_bodies::metric_in_the_older_schema("Activated").to_string();
        let request: Message = match function {
            "Active" => get(&format!("{GROUP}/active")),
            "Alert" => post("/api/alerts", &alert),
            "Groups" => get(GROUP),
            "Health" => get("/api/health"),
            "HealthCheck" => {
                let logs = self.host.fire("HealthCheck").await.unwrap();
                assert!(logs[0].contains(" probed"), "{logs:?}");
                return;
            }
            "Order" => post(&format!("{GROUP}/pause"), r#"{"reason":"a test"}"#),
            "Status" => get("/api/status"),
            "Tick" => post("/api/tick", ""),
            other => panic!("{other} is a function that this test does not know"),
        };
        let reply = self.host.call(request).await;
        assert_eq!(reply.status, 200, "{function}: {}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_needs_nothing_but_app_settings() {
    let sim = Simulator::start(World::two_regions(), 0).await.unwrap();
    let wanted = Options::default().store("endpoint", "https://acct.table.core.windows.net");
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("app");
    unpacked(&toml(sim.world(), sim.base_url(), &wanted), &root);
    let before = listing(place.path());
    for mode in [Mode::Proxying, Mode::Forwarding] {
        let alone = Alone::set(&root, &sim, mode).await;
        // The timer makes the rows that the others speak of.
        alone.ask(bundle::TIMER).await;
        for (name, _) in bundle::FUNCTIONS {
            alone.ask(name).await;
        }
        alone.host.stop().await;
    }
    assert_eq!(listing(place.path()), before, "something was written");
}
