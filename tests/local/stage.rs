//! A local host over a small handler of the tests, with an ear for what it says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use understudy::local::function_json::Source;
use understudy::local::host::{Host, Plan, bind};
use understudy::local::host_json::{HostJson, read};
use understudy::local::voice::Voice;

/// How long a test waits for what must come; only a test that fails waits that long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Keeps what the host says.
pub struct Ear(watch::Sender<Vec<String>>);

impl Ear {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(Vec::new())))
    }

    fn keep(&self, line: String) {
        self.0.send_modify(|lines| lines.push(line));
    }

    pub fn heard(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    /// Waits until so many lines contain this text.
    pub async fn hears(&self, text: &str, times: usize) {
        let mut lines = self.0.subscribe();
        let heard = lines
            .wait_for(|lines| lines.iter().filter(|line| line.contains(text)).count() >= times);
        if tokio::time::timeout(PATIENCE, heard).await.is_err() {
            panic!("{text} was not heard {times} times: {:?}", self.heard());
        }
    }
}

impl Voice for Ear {
    fn printed(&self, line: &str) {
        self.keep(format!("printed {line}"));
    }
    fn happened(&self, line: &str) {
        self.keep(format!("happened {line}"));
    }
    fn ran(&self, function: &str, logs: &[String]) {
        self.keep(format!("ran {function} {logs:?}"));
    }
    fn failed(&self, function: &str, why: &str) {
        self.keep(format!("failed {function} {why}"));
    }
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn http_function(name: &str, route: &str) -> Source {
    let bindings = serde_json::json!([
        {"type": "httpTrigger", "direction": "in", "name": "req", "route": route},
        {"type": "http", "direction": "out", "name": "res"},
    ]);
    Source::new(name, &serde_json::json!({"bindings": bindings}).to_string())
}

pub fn timer_function(schedule: &str) -> Source {
    let bindings = serde_json::json!([
        {"type": "timerTrigger", "direction": "in", "name": "timer", "schedule": schedule},
    ]);
    Source::new(
        "Beat",
        &serde_json::json!({"bindings": bindings}).to_string(),
    )
}

/// A `host.json` with these arguments for the handler, read.
pub fn host_json(arguments: &[&str]) -> HostJson {
    let quoted: Vec<String> = arguments
        .iter()
        .map(|argument| format!("\"{argument}\""))
        .collect();
    let text = serde_json::json!({
        "version": "2.0",
        "customHandler": {
            "description": {"defaultExecutablePath": "handler", "arguments": quoted},
            "enableProxyingHttpRequest": true,
        },
    });
    let mut host = read(&text.to_string(), &BTreeMap::new()).unwrap();
    host.function_timeout = Some(PATIENCE);
    host.initialization_timeout = PATIENCE;
    host
}

/// A port that is free now.
pub fn free_port() -> u16 {
    host_json(&[]).handler_port().unwrap()
}

/// A plan with a program in the place of the handler.
pub fn plan(program: &str, arguments: &[&str], functions: Vec<Source>) -> Plan {
    Plan {
        host: host_json(arguments),
        functions,
        program: PathBuf::from(program),
        directory: root(),
        settings: BTreeMap::from([
            ("PATH".to_owned(), std::env::var("PATH").unwrap_or_default()),
            ("MY_SETTING".to_owned(), "mine".to_owned()),
        ]),
    }
}

/// A plan with the tests' handler, reachable at any path, and its timer.
pub fn fake(schedule: &str) -> Plan {
    let script = root().join("tests/support/fake_handler.mjs");
    plan(
        "node",
        &[script.to_str().unwrap()],
        vec![http_function("Any", "{*path}"), timer_function(schedule)],
    )
}

/// A running host and a client for it.
pub struct Stage {
    pub host: Host,
    pub ear: Arc<Ear>,
    pub client: reqwest::Client,
}

impl Stage {
    pub async fn set(plan: Plan) -> Self {
        let ear = Ear::new();
        let listener = bind(0).await.unwrap();
        let host = Host::start(plan, listener, ear.clone()).unwrap();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
            .unwrap();
        Self { host, ear, client }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host.address)
    }

    pub async fn json(&self, path: &str) -> serde_json::Value {
        let answer = self.client.get(self.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}: {:?}", self.ear.heard());
        answer.json().await.unwrap()
    }

    pub async fn status(&self, path: &str) -> u16 {
        self.client
            .get(self.url(path))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    }
}

/// The headers that the tests' handler was sent, as name and value.
pub fn headers(seen: &serde_json::Value) -> Vec<(String, String)> {
    let raw: Vec<String> = serde_json::from_value(seen["rawHeaders"].clone()).unwrap();
    raw.chunks(2)
        .map(|pair| (pair[0].to_ascii_lowercase(), pair[1].clone()))
        .collect()
}

/// The value of a header that must be there once.
pub fn header(seen: &serde_json::Value, name: &str) -> Option<String> {
    let mut found: Vec<String> = headers(seen)
        .into_iter()
        .filter(|(header, _)| header == name)
        .map(|(_, value)| value)
        .collect();
    assert!(found.len() < 2, "{name} came more than once: {found:?}");
    found.pop()
}
