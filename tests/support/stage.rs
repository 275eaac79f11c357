//! A stage: the simulator, a table of its own in Azurite, a configuration, and handlers that share them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use understudy::sim::Simulator;
use understudy::sim::World;
use understudy::sim::config::{Options, toml};

use crate::azurite::{Azurite, fresh_table};
use crate::handler::Handler;

/// A busy machine may take this long for anything here.
const PATIENCE: Duration = Duration::from_secs(60);
/// Conditions are looked at this often.
const LOOK: Duration = Duration::from_millis(50);

/// Everything around the handlers.
pub struct Stage {
    /// Azure.
    pub sim: Simulator,
    folder: TempDir,
    settings: BTreeMap<String, String>,
}

/// Settings that judge quickly: a round a second, and a hold time of one.
pub fn quick() -> Options {
    Options::default()
        .policy("probe_interval", "1s")
        .policy("probe_timeout", "2s")
        .policy("latency_limit", "1s")
        .policy("hold", "1s")
}

impl Stage {
    /// A stage for this world with these settings.
    pub async fn set(world: World, options: Options) -> Self {
        let sim = Simulator::start(world, 0).await.expect("a free port");
        let options = options
            .store("connection_string", Azurite::shared().connection_string())
            .store("table_prefix", fresh_table());
        let text = toml(sim.world(), sim.base_url(), &options);
        let settings = sim.environment().into_iter().collect();
        Self::with(sim, &text, settings)
    }

    /// A stage with this configuration.
    pub fn with(sim: Simulator, text: &str, settings: BTreeMap<String, String>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let stage = Self {
            sim,
            folder,
            settings,
        };
        stage.configure(text);
        stage
    }

    /// Writes another configuration; handlers that start from now on read it.
    pub fn configure(&self, text: &str) {
        std::fs::write(self.folder.path().join("understudy.toml"), text).expect("the file is ours");
    }

    /// The configuration as it stands.
    pub fn configuration(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("understudy.toml")).expect("it is there")
    }

    /// One more handler process.
    pub async fn handler(&self) -> Handler {
        Handler::start(self.folder.path(), &self.settings).await
    }
}

/// Fires the timer of this handler until one of its rounds counts.
pub async fn counted_round(timer: &Handler) {
    until("a round counts", async || fire(timer).await.then_some(())).await;
}

/// Fires the timer once and tells whether the round counted.
pub async fn fire(timer: &Handler) -> bool {
    let (status, body) = timer.fire(&[]).await;
    assert_eq!(status, 200, "{body}");
    let answer: Value = serde_json::from_str(&body).expect("the host gets JSON");
    answer["Logs"][0]
        .as_str()
        .expect("the first line tells of the round")
        .contains("the round counted")
}

/// Waits until there is something.
pub async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, look).await
}

/// Waits until there is something, at most this long.
pub async fn until_within<T>(
    limit: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < limit, "waited {limit:?} until {what}");
        tokio::time::sleep(LOOK).await;
    }
}

/// A GET that must succeed.
pub async fn get(handler: &Handler, path: &str) -> Value {
    let (status, body) = handler.get(path).await;
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
}

/// A POST; the status and the answer.
pub async fn post(handler: &Handler, path: &str, body: &Value) -> (u16, Value) {
    let (status, text) = handler.post(path, &body.to_string()).await;
    let answer = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{path}: {status} {error}: {text}"));
    (status, answer)
}

/// The entries of a group's history of this kind, newest first.
pub async fn entries(handler: &Handler, group: &str, kind: &str) -> Vec<Value> {
    let history = get(handler, &format!("/api/groups/{group}/history")).await;
    let all = history["entries"].as_array().expect("entries").clone();
    all.into_iter()
        .filter(|entry| entry["kind"] == kind)
        .collect()
}

/// The site with this name in a group as answered.
pub fn site<'a>(group: &'a Value, name: &str) -> &'a Value {
    group["sites"]
        .as_array()
        .expect("sites")
        .iter()
        .find(|site| site["site"] == name)
        .unwrap_or_else(|| panic!("no site {name}: {group}"))
}
