//! The real binary as the host runs it: `serve` on a port of its own, called with the host's headers, and
//! ended with SIGKILL.
// Each test binary uses a part of it.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::understudy;

/// The headers of the host's own call.
pub const HOST_HEADERS: [(&str, &str); 5] = [
    ("host", "127.0.0.1:7071"),
    (
        "x-azure-functions-invocationid",
        "86423128-a18a-4f44-b4a3-e8bee4f19a0e",
    ),
    ("x-azure-functions-hostversion", "4.1045.200.25556"),
    ("user-agent", "Azure-Functions-Host/4.1045.200.25556"),
    ("content-type", "application/json; charset=utf-8"),
];

/// One group of two sites whose endpoints refuse, and a store in the folder of the configuration.
pub const TWO_SITES: &str = r#"
[controller]
vantage = "francecentral"
[store]
kind = "embedded"
path = "state"
[[groups]]
name = "contoso"
  [[groups.sites]]
  region = "westeurope"
    [[groups.sites.http]]
    name = "captions"
    url = "http://127.0.0.1:9/health"
  [[groups.sites]]
  region = "northeurope"
    [[groups.sites.http]]
    name = "captions"
    url = "http://127.0.0.1:9/health"
"#;

/// How long a handler may take to open its port.
const START_LIMIT: Duration = Duration::from_secs(30);

/// The host's envelope for the timer `HealthCheck`.
pub fn envelope(schedule_status: &Value, past_due: bool) -> Value {
    json!({
        "Data": {"timer": {
            "Schedule": {"AdjustForDST": true},
            "ScheduleStatus": schedule_status,
            "IsPastDue": past_due,
        }},
        "Metadata": {"sys": {
            "MethodName": "HealthCheck",
            "UtcNow": "2026-09-24T13:09:00.0123456Z",
            "RandGuid": "fa3b2fbc-26ed-4fcb-be75-82db8773b519",
        }},
    })
}

/// A handler process. It is killed when this is dropped.
#[derive(Debug)]
pub struct Handler {
    child: Child,
    port: u16,
    client: reqwest::Client,
}

impl Handler {
    /// Starts `serve` in this folder, with these app settings and nothing else of our environment, and waits
    /// for its port as the host does.
    pub async fn start(folder: &Path, settings: &BTreeMap<String, String>) -> Self {
        let port = free_port();
        let child = command(folder, settings)
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            // Nobody reads along, and a full pipe would stop it.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let mut handler = Self {
            child,
            port,
            client: reqwest::Client::new(),
        };
        let deadline = Instant::now() + START_LIMIT;
        while handler.client.get(handler.url("/")).send().await.is_err() {
            let ended = handler.child.try_wait().expect("the process is ours");
            assert_eq!(ended, None, "the handler ended before it answered");
            assert!(Instant::now() < deadline, "the handler does not answer");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        handler
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A GET; the status and the body.
    pub async fn get(&self, path: &str) -> (u16, String) {
        answered(self.client.get(self.url(path))).await
    }

    /// A POST as a caller's; the status and the body.
    pub async fn post(&self, path: &str, body: &str) -> (u16, String) {
        answered(self.client.post(self.url(path)).body(body.to_owned())).await
    }

    /// Fires the timer as the host does, with the body in chunks and these headers on top.
    pub async fn fire(&self, more: &[(&str, &str)]) -> (u16, String) {
        let body = envelope(&Value::Null, false).to_string();
        let chunks = futures::stream::iter([Ok::<_, std::io::Error>(body)]);
        let mut request = self
            .client
            .post(self.url("/HealthCheck"))
            .body(reqwest::Body::wrap_stream(chunks));
        for (name, value) in HOST_HEADERS.iter().skip(1).chain(more) {
            request = request.header(*name, *value);
        }
        answered(request).await
    }

    /// Kills it as the host does.
    pub fn kill(mut self) -> ExitStatus {
        self.child.kill().expect("the process is ours");
        self.child.wait().expect("the process is ours")
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn answered(request: reqwest::RequestBuilder) -> (u16, String) {
    let response = request.send().await.expect("the handler answers");
    let status = response.status().as_u16();
    (status, response.text().await.expect("the body is text"))
}

/// `serve` in this folder with these app settings.
pub fn command(folder: &Path, settings: &BTreeMap<String, String>) -> Command {
    let mut command = understudy();
    command
        .arg("serve")
        .current_dir(folder)
        .envs(settings)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}
