//! Secrets are planted everywhere and searched for in everything that comes out: the whole log at trace, every
//! answer, every error, and the settings as `Debug` prints them.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::TcpListener;
use std::process::Child;

use serde_json::{Value, json};
use tempfile::TempDir;
use understudy::config;
use understudy::sim::config::{Options, toml};
use understudy::sim::{Fault, Scope, Service, Simulator, World};

use crate::alerts::incident;
use crate::azurite::{Azurite, fresh_table};
use crate::handler::{HOST_HEADERS, command, envelope};
use crate::stage::{quick, until};

pub const FUNCTION_KEY: &str = "PlantedFunctionKey0fTheCaller";
pub const BEARER: &str = "PlantedBearer0fTheCaller";
pub const CLIENT_SECRET: &str = "PlantedClientSecret0fTheApp";
/// Base64, as keys and signatures are.
pub const STORE_KEY: &str = "UGxhbnRlZEtleU9mVGhlU3RvcmVQbGFudGVkS2V5T2ZUaGVTdG9yZQ==";
pub const SIGNATURE: &str = "UGxhbnRlZFNpZ25hdHVyZU9mVGhlU0FT";
pub const MKIO_TOKEN: &str = "PlantedToken0fMkio";
/// In the query of a URL that is probed.
pub const QUERY_KEY: &str = "PlantedKey1nAQuery";

/// A handler that logs everything into files, and all that it answered.
pub struct Overheard {
    folder: TempDir,
    settings: BTreeMap<String, String>,
    child: Child,
    base: String,
    client: reqwest::Client,
    /// All that it answered.
    pub heard: String,
}

impl Overheard {
    pub async fn start(text: &str, settings: BTreeMap<String, String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("understudy.toml"), text).unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .port();
        let log = |name: &str| File::create(folder.path().join(name)).unwrap();
        let child = command(folder.path(), &settings)
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .env("UNDERSTUDY_LOG", "trace")
            .env("RUST_LOG", "trace")
            .stdout(log("stdout"))
            .stderr(log("stderr"))
            .spawn()
            .unwrap();
        let started = Self {
            folder,
            settings,
            child,
            base: format!("http://127.0.0.1:{port}"),
            client: reqwest::Client::new(),
            heard: String::new(),
        };
        until("it answers", async || {
            started.client.get(&started.base).send().await.ok()
        })
        .await;
        started
    }

    /// The timer fires, as the host has it.
    pub async fn tick(&mut self) -> u16 {
        let url = format!("{}/HealthCheck", self.base);
        let mut request = self.client.post(url);
        for (name, value) in HOST_HEADERS.iter().skip(1) {
            request = request.header(*name, *value);
        }
        let body = envelope(&Value::Null, false).to_string();
        let response = request.body(body).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        self.heard
            .push_str(&format!("the timer: {status}\n{text}\n"));
        status
    }

    /// Ticks until a round counted.
    pub async fn probe(&mut self) {
        let from = self.heard.len();
        until("a round counts", async || {
            self.tick().await;
            self.heard[from..]
                .contains("the round counted")
                .then_some(())
        })
        .await;
    }

    /// One request, with every secret that a caller may send.
    pub async fn ask(&mut self, path: &str, body: Option<&str>) -> u16 {
        let url = format!("{}{path}?code={FUNCTION_KEY}", self.base);
        let mut request = match body {
            None => self.client.get(url),
            Some(body) => self.client.post(url).body(body.to_owned()),
        };
        for (name, value) in HOST_HEADERS.iter().skip(1) {
            request = request.header(*name, *value);
        }
        let response = request
            .header("x-functions-key", FUNCTION_KEY)
            .bearer_auth(BEARER)
            .send()
            .await
            .unwrap();
        let status = response.status().as_u16();
        let headers = format!("{:?}", response.headers());
        let text = response.text().await.unwrap();
        self.heard
            .push_str(&format!("{path}: {status} {headers}\n{text}\n"));
        status
    }

    /// Every door, asked rightly and wrongly.
    pub async fn ask_everything(&mut self, alert: &Value) {
        let tick = envelope(&Value::Null, false).to_string();
        let order = json!({"reason": "a look", "force": true}).to_string();
        self.tick().await;
        for (path, body) in [
            ("/HealthCheck", Some(tick.as_str())),
            ("/HealthCheck", Some("nonsense")),
            ("/api/groups", None),
            ("/api/groups/contoso", None),
            ("/api/groups/contoso/active", None),
            ("/api/groups/contoso/history", None),
            ("/api/groups/nobody", None),
            ("/api/status", None),
            ("/api/health", None),
            ("/api/nowhere", None),
            ("/api/alerts", Some(&alert.to_string())),
            ("/api/alerts", Some("{\"schemaId\":1}")),
            ("/api/groups/contoso/failover", Some(&order)),
            ("/api/groups/contoso/failover", Some("{\"reason\":1}")),
            ("/api/groups/contoso/pause", Some(&order)),
            ("/api/groups/contoso/dance", Some(&order)),
            ("/api/tick", Some("")),
        ] {
            self.ask(path, body).await;
        }
    }

    /// Ends it and searches all that it said.
    pub fn search(mut self, planted: &[&str]) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let read = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap();
        let log = read("stdout") + &read("stderr");
        let loaded = config::load(&self.folder.path().join("understudy.toml"), &self.settings);
        let shown = format!("{loaded:?}");
        let always = [FUNCTION_KEY, BEARER, "eyJ", "SharedKey ", "sig="];
        for secret in always.iter().chain(planted) {
            for (place, text) in [("log", &log), ("answers", &self.heard), ("Debug", &shown)] {
                let line = text.lines().find(|line| line.contains(secret));
                assert_eq!(line, None, "{secret} is in the {place}");
            }
        }
        assert!(!log.is_empty() && !self.heard.is_empty());
        log
    }
}

impl Drop for Overheard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub async fn azure() -> (Simulator, BTreeMap<String, String>) {
    let sim = Simulator::start(World::two_regions(), 0).await.unwrap();
    let settings = sim.environment().into_iter().collect();
    (sim, settings)
}

pub fn with_store(sim: &Simulator, connection_string: &str) -> String {
    let options: Options = quick()
        .store("connection_string", connection_string)
        .store("table_prefix", fresh_table());
    toml(sim.world(), sim.base_url(), &options)
}

#[tokio::test(flavor = "multi_thread")]
async fn with_every_fault_of_azure() {
    let (sim, settings) = azure().await;
    let header = settings["IDENTITY_HEADER"].clone();
    let text = with_store(&sim, &Azurite::shared().connection_string());
    let mut handler = Overheard::start(&text, settings).await;
    let alert = incident(sim.world(), "SEC-1", "West Europe", "Active", 5);
    handler.ask_everything(&alert).await;
    assert!(handler.heard.contains("\"matched\":[\"contoso\"]"));
    for fault in [
        Fault::Down,
        Fault::Error(503),
        Fault::Deny(None),
        Fault::Throttle(1),
        Fault::Garbage,
        Fault::Missing,
        Fault::Drop,
    ] {
        // Where tokens are refused and cannot be had anew, most is said about them.
        sim.revoke_account_tokens();
        sim.revoke_identity_tokens();
        for service in [Service::Identity, Service::Arm, Service::VideoIndexer] {
            sim.mend_all();
            sim.set(service, Scope::everywhere(), fault);
            // Only a new round says anything new.
            handler.probe().await;
            handler.ask_everything(&alert).await;
        }
    }
    let key = azure_storage::EMULATOR_ACCOUNT_KEY;
    let log = handler.search(&[&header, key]);
    assert!(
        log.contains("an alert came in"),
        "nothing was overheard: {log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_store_that_refuses_its_credential() {
    let (sim, settings) = azure().await;
    let endpoint = format!(
        "TableEndpoint=http://127.0.0.1:{}/{}",
        Azurite::shared().port(),
        azure_storage::EMULATOR_ACCOUNT
    );
    let account = azure_storage::EMULATOR_ACCOUNT;
    let sas = format!("sv=2019-02-02&ss=t&srt=co&sp=raud&se=2099-01-01T00:00:00Z&sig={SIGNATURE}");
    for connection_string in [
        format!("AccountName={account};AccountKey={STORE_KEY};{endpoint}"),
        format!("{endpoint};SharedAccessSignature={sas}"),
        format!("AccountName={account};AccountKey={STORE_KEY};TableEndpoint=http://127.0.0.1:1/x"),
        format!("AccountKey={STORE_KEY};{sas}"),
        format!("{STORE_KEY};{SIGNATURE}"),
    ] {
        let mut handler =
            Overheard::start(&with_store(&sim, &connection_string), settings.clone()).await;
        let alert = incident(sim.world(), "SEC-2", "West Europe", "Active", 5);
        handler.ask_everything(&alert).await;
        assert!(
            handler.heard.contains("StoreUnavailable"),
            "{connection_string}"
        );
        handler.search(&[STORE_KEY, SIGNATURE]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_authority_that_repeats_what_it_was_sent() {
    let (sim, _) = azure().await;
    let echo = axum::Router::new().fallback(async |body: String| {
        let said = json!({"error": "invalid_client", "error_description": body});
        (axum::http::StatusCode::UNAUTHORIZED, said.to_string())
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, echo).await });
    let settings = [
        ("AZURE_TENANT_ID", "tenant"),
        ("AZURE_CLIENT_ID", "client"),
        ("AZURE_CLIENT_SECRET", CLIENT_SECRET),
        ("AZURE_AUTHORITY_HOST", &authority),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let text = with_store(&sim, &Azurite::shared().connection_string());
    let mut handler = Overheard::start(&text, settings.into_iter().collect()).await;
    let alert = incident(sim.world(), "SEC-3", "West Europe", "Active", 5);
    handler.ask_everything(&alert).await;
    handler.search(&[CLIENT_SECRET]);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_configuration_that_is_bad_around_its_secrets() {
    let (sim, mut settings) = azure().await;
    settings.insert(
        "UNDERSTUDY__STORE__CONECTION_STRING".to_owned(),
        format!("AccountKey={STORE_KEY}"),
    );
    settings.insert(
        "AzureWebJobsStorage".to_owned(),
        format!("AccountKey={STORE_KEY};oops"),
    );
    settings.insert("MKIO_TOKEN".to_owned(), MKIO_TOKEN.to_owned());
    let good = toml(sim.world(), sim.base_url(), &quick());
    let bad = good.replacen(
        "[policy]",
        &format!("[store]\nconnection = \"AccountKey={STORE_KEY}\"\nkind = \"tabel\"\n\n[policy]\nhold = \"soon\""),
        1,
    );
    let media = format!(
        "\n[[groups]]\nname = \"media\"\n[[groups.sites]]\nregion = \"westeurope\"\n[groups.sites.media_services]\nkind = \"mkio\"\naccount_name = \"p\"\ntoken = \"{MKIO_TOKEN}\"\n[[groups.sites]]\nregion = \"northeurope\"\n[groups.sites.media_services]\nkind = \"mkio\"\naccount_name = \"q\"\ntoken = \"$MKIO_TOKEN\"\n"
    );
    for text in [
        format!("{good}{media}"),
        bad,
        format!("{good}[store\nkey = \"{STORE_KEY}\""),
    ] {
        let mut handler = Overheard::start(&text, settings.clone()).await;
        let alert = incident(sim.world(), "SEC-4", "West Europe", "Active", 5);
        handler.ask_everything(&alert).await;
        handler.search(&[STORE_KEY, SIGNATURE, MKIO_TOKEN]);
    }
}
