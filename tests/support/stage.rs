//! A stage: the simulator, a table of its own in Azurite, a configuration, and handlers that share them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use serde_json::Value;
use tempfile::TempDir;
use understudy::adapters::azure::identity::Identity;
use understudy::adapters::store::connection;
use understudy::adapters::store::rows::{Row, RowStore, Write, Written};
use understudy::adapters::store::table::TableStore;
use understudy::sim::Simulator;
use understudy::sim::World;
use understudy::sim::config::{Options, toml};

use crate::azurite::{Azurite, connection_string, fresh_table};
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
    /// Where the table itself is.
    table_at: u16,
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
        Self::set_at(world, options, Azurite::shared().port()).await
    }

    /// The same with the store at this port, a proxy's for example.
    pub async fn set_at(world: World, options: Options, port: u16) -> Self {
        let sim = Simulator::start(world, 0).await.expect("a free port");
        let options = options
            .store("connection_string", connection_string(port))
            .store("table_prefix", fresh_table());
        let text = toml(sim.world(), sim.base_url(), &options);
        let settings = sim.environment().into_iter().collect();
        Self::with(sim, &text, settings)
    }

    /// The same with a store that these settings name themselves.
    pub async fn set_without_table(world: World, options: Options) -> Self {
        let sim = Simulator::start(world, 0).await.expect("a free port");
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
            table_at: Azurite::shared().port(),
        };
        stage.configure(text);
        stage
    }

    /// Names the emulator that keeps the table, where it is not the shared one.
    pub fn kept_by(mut self, azurite: &Azurite) -> Self {
        self.table_at = azurite.port();
        self
    }

    /// Writes another configuration; handlers that start from now on read it.
    pub fn configure(&self, text: &str) {
        std::fs::write(self.folder.path().join("understudy.toml"), text).expect("the file is ours");
    }

    /// The configuration as it stands.
    pub fn configuration(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("understudy.toml")).expect("it is there")
    }

    /// Replaces the groups of the configuration; what stands before them stays.
    pub fn configure_groups(&self, groups: &str) {
        let text = self.configuration();
        let (shared, _) = text.split_once("[[groups]]").expect("it has groups");
        self.configure(&format!("{shared}{groups}"));
    }

    /// The stage's table itself, past every proxy and every rule.
    pub fn rows(&self) -> TableStore {
        let text: toml::Table = self.configuration().parse().expect("a configuration");
        let prefix = text["store"]["table_prefix"].as_str().expect("a prefix");
        let http = understudy::adapters::http::client().expect("a client");
        let identity = Identity::from_settings(&http, &|_| None);
        let access = connection::parse(&connection_string(self.table_at)).expect("it is ours");
        TableStore::new(access, &format!("{prefix}state"), &http, &identity)
    }

    /// Every row that a key of the store can name.
    pub async fn all_rows(&self) -> Vec<Row> {
        self.rows_between("-", "zzzz").await
    }

    /// The rows of this kind: `group`, `history`, `beat` or `alert`.
    pub async fn rows_of(&self, kind: &str) -> Vec<Row> {
        self.rows_between(&format!("{kind}."), &format!("{kind}0"))
            .await
    }

    async fn rows_between(&self, from: &str, to: &str) -> Vec<Row> {
        let rows = self.rows().scan(from, to).await;
        let mut rows = rows.expect("Azurite answers");
        rows.sort_by(|one, other| one.key.cmp(&other.key));
        rows
    }

    /// Puts a row into the table by hand.
    pub async fn put_row(&self, key: &str, properties: Value) {
        let write = Write::Insert {
            key: key.to_owned(),
            properties: properties.as_object().expect("properties").clone(),
        };
        let written = self.rows().transact(vec![write]).await;
        assert!(matches!(written, Ok(Written::Applied(_))), "{written:?}");
    }

    /// Takes a row out of the table by hand.
    pub async fn remove_row(&self, key: &str) {
        let row = self.rows().get(key).await.expect("Azurite answers");
        let write = Write::Delete {
            key: key.to_owned(),
            etag: row.expect("it is there").etag,
        };
        let written = self.rows().transact(vec![write]).await;
        assert!(matches!(written, Ok(Written::Applied(_))), "{written:?}");
    }

    /// One more handler process.
    pub async fn handler(&self) -> Handler {
        self.handler_with(&[]).await
    }

    /// One more with these app settings on top.
    pub async fn handler_with(&self, more: &[(&str, &str)]) -> Handler {
        let mut settings = self.settings.clone();
        settings.extend(
            more.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        Handler::start(self.folder.path(), &settings).await
    }

    /// Takes the configuration away.
    pub fn lose_configuration(&self) {
        std::fs::remove_file(self.folder.path().join("understudy.toml")).expect("the file is ours");
    }
}

/// Fires the timer of this handler until one of its rounds counts.
pub async fn counted_round(timer: &Handler) {
    until("a round counts", async || fire(timer).await.then_some(())).await;
}

/// Fires the timer once; the lines that the host logs.
pub async fn fire_and_read(timer: &Handler) -> Vec<String> {
    let (status, body) = timer.fire(&[]).await;
    assert_eq!(status, 200, "{body}");
    let answer: Value = serde_json::from_str(&body).expect("the host gets JSON");
    let lines = answer["Logs"].as_array().expect("lines");
    lines
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
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

/// An answer with its headers.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; null where it is no JSON.
    pub body: Value,
}

impl Answer {
    /// A header's text; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("text"))
    }

    /// The code of an error, which must be the header's as well.
    pub fn code(&self) -> &str {
        let code = self.body["error"]["code"].as_str().unwrap_or_default();
        assert_eq!(self.header("x-ms-error-code"), code, "{self:?}");
        let message = self.body["error"]["message"].as_str();
        assert!(!message.unwrap_or_default().is_empty(), "{self:?}");
        code
    }

    /// The code of an error, or nothing where all went well.
    pub fn code_or_none(&self) -> &str {
        if self.status < 400 { "" } else { self.code() }
    }

    /// Demands this status and this error.
    pub fn fails(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code()), (status, code), "{self:?}");
    }

    /// Demands 200; the body.
    pub fn done(self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.body
    }
}

/// A request; the answer with its headers.
pub async fn ask(handler: &Handler, method: &str, path: &str, body: &str) -> Answer {
    let method = method.parse().expect("a method");
    let request = reqwest::Client::new().request(method, handler.url(path));
    let response = request.body(body.to_owned()).send().await;
    let response = response.expect("the handler answers");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.expect("the body is text");
    Answer {
        status,
        headers,
        body: serde_json::from_str(&text).unwrap_or_default(),
    }
}

/// An order on a group.
pub async fn order(handler: &Handler, group: &str, what: &str, body: Value) -> Answer {
    let path = format!("/api/groups/{group}/{what}");
    ask(handler, "POST", &path, &body.to_string()).await
}

/// Two regions with one HTTP endpoint each, and this group over them: the cheapest world there is.
pub fn two_endpoints(groups: &[&str]) -> World {
    let mut world = World::with_regions(&["westeurope", "northeurope"]);
    for group in groups {
        for region in ["westeurope", "northeurope"] {
            world.add_endpoint(Some(group), region, &format!("{group}-web"), 200, "well");
        }
    }
    world
}

/// Settings that judge as quickly as can be: one round is enough.
pub fn hasty() -> Options {
    quick()
        .policy("fail_threshold", 1)
        .policy("recover_threshold", 1)
}
