//! A small, scripted stand-in for the identity endpoint, ARM, Video Indexer's data plane and an HTTP endpoint,
//! over real HTTP.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine as _;
use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use understudy::adapters::azure::keeper::Clock;
use understudy::model::spec::{AccountSpec, HttpSpec, VideoIndexerSpec};

/// Which part of the stand-in is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    Identity,
    Mint,
    Account,
    List,
    Page,
}

/// How the body comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Whole,
    /// The connection breaks after this body, although more was announced.
    BrokenOff,
    /// Nothing comes, ever.
    Silence,
    /// The body comes, and then never ends.
    Endless,
}

/// One scripted answer.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub manner: Manner,
    pub delay: Duration,
}

impl Reply {
    pub fn text(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
            manner: Manner::Whole,
            delay: Duration::ZERO,
        }
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, &body.to_string())
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn manner(self, manner: Manner) -> Self {
        Self { manner, ..self }
    }

    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

/// What was asked.
#[derive(Debug, Clone)]
pub struct Call {
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

impl Call {
    pub fn bearer(&self) -> Option<&str> {
        self.headers.get("authorization")?.strip_prefix("Bearer ")
    }
}

type Script = Arc<dyn Fn(&Call, usize) -> Reply + Send + Sync>;

#[derive(Default)]
struct Book {
    scripts: BTreeMap<Door, Script>,
    calls: BTreeMap<Door, Vec<Call>>,
}

/// The stand-in, and a clock that tests can put forward.
#[derive(Clone)]
pub struct Fake {
    pub base: String,
    /// The client that a test's probers share: making one reads the machine's CA certificates.
    pub http: reqwest::Client,
    book: Arc<Mutex<Book>>,
    ahead: Arc<AtomicI64>,
}

/// An unsigned JSON Web Token, good until then.
pub fn jwt(name: &str, expires_at: Timestamp) -> String {
    let encode = |text: String| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let claims = encode(json!({"exp": expires_at.as_second(), "name": name}).to_string());
    format!(
        "{}.{claims}.c2ln",
        encode(json!({"alg": "none"}).to_string())
    )
}

impl Fake {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            base: format!("http://{}", listener.local_addr().unwrap()),
            http: understudy::adapters::http::client().unwrap(),
            book: Arc::default(),
            ahead: Arc::default(),
        };
        fake.well();
        let app = axum::Router::new().fallback(serve).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        fake
    }

    /// Every door answers as it should.
    pub fn well(&self) {
        for door in [
            Door::Identity,
            Door::Mint,
            Door::Account,
            Door::List,
            Door::Page,
        ] {
            self.mend(door);
        }
    }

    pub fn mend(&self, door: Door) {
        let clock = self.clock();
        let hence = move |hours: i64| clock.now() + SignedDuration::from_hours(hours);
        match door {
            Door::Identity => self.script(door, move |_, n| {
                Reply::json(
                    200,
                    &json!({"access_token": format!("identity-secret-{n}"), "token_type": "Bearer",
                        "expires_on": hence(24).as_second().to_string(),
                        "resource": "https://management.azure.com", "client_id": "c"}),
                )
            }),
            Door::Mint => self.script(door, move |_, n| {
                Reply::json(
                    200,
                    &json!({"accessToken": jwt(&format!("account-{n}"), hence(1))}),
                )
            }),
            Door::Account => self.script(door, |_, _| {
                Reply::json(
                    200,
                    &json!({"location": "NorthEurope",
                    "properties": {"accountId": ACCOUNT_ID, "provisioningState": "Succeeded"}}),
                )
            }),
            Door::List => self.always(
                door,
                Reply::json(200, &json!({"results": [], "nextPage": {"done": true}})),
            ),
            Door::Page => self.always(door, Reply::text(200, "all is ready")),
        }
    }

    pub fn script(
        &self,
        door: Door,
        script: impl Fn(&Call, usize) -> Reply + Send + Sync + 'static,
    ) {
        self.book
            .lock()
            .unwrap()
            .scripts
            .insert(door, Arc::new(script));
    }

    pub fn always(&self, door: Door, reply: Reply) {
        self.script(door, move |_, _| reply.clone());
    }

    pub fn calls(&self, door: Door) -> Vec<Call> {
        self.book
            .lock()
            .unwrap()
            .calls
            .get(&door)
            .cloned()
            .unwrap_or_default()
    }

    pub fn count(&self, door: Door) -> usize {
        self.calls(door).len()
    }

    pub fn clock(&self) -> Clock {
        let ahead = Arc::clone(&self.ahead);
        Clock::new(move || {
            Timestamp::now() + SignedDuration::from_secs(ahead.load(Ordering::SeqCst))
        })
    }

    pub fn put_forward(&self, minutes: i64) {
        self.ahead.fetch_add(minutes * 60, Ordering::SeqCst);
    }

    pub fn account(&self, name: &str) -> AccountSpec {
        AccountSpec::VideoIndexer(self.spec(name))
    }

    pub fn spec(&self, name: &str) -> VideoIndexerSpec {
        VideoIndexerSpec {
            subscription_id: "sub-1".to_owned(),
            resource_group: "rg".to_owned(),
            account_name: name.to_owned(),
            account_id: ACCOUNT_ID.to_owned(),
            api_base: format!("{}/vi", self.base),
            arm_base: format!("{}/arm", self.base),
            stuck_after: SignedDuration::from_hours(1),
            stuck_fails: false,
        }
    }

    pub fn page(&self, expect_status: &[u16], expect_body: Option<&str>) -> AccountSpec {
        page_at(
            &format!("{}/page?key=page-secret", self.base),
            expect_status,
            expect_body,
        )
    }
}

pub fn page_at(url: &str, expect_status: &[u16], expect_body: Option<&str>) -> AccountSpec {
    AccountSpec::Http(HttpSpec {
        name: "page".to_owned(),
        url: url.to_owned(),
        endpoint: url.to_owned(),
        expect_status: expect_status.to_vec(),
        expect_body: expect_body.map(str::to_owned),
    })
}

pub const ACCOUNT_ID: &str = "0a1b2c3d-0000-4000-8000-00000000000a";

/// A base URL at which nobody listens.
pub async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A server that says these bytes to whoever connects, and hangs up.
pub async fn blurts(bytes: &'static [u8]) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked).await;
            let _ = stream.write_all(bytes).await;
        }
    });
    base
}

/// Waits until it is so; fails after ten seconds.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(10), async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "never came: {what}");
}

async fn serve(State(fake): State<Fake>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20)
        .await
        .unwrap_or_default();
    let path = parts.uri.path().to_owned();
    let door = match path.as_str() {
        path if path.starts_with("/msi") || path.ends_with("/oauth2/v2.0/token") => Door::Identity,
        path if path.ends_with("/generateAccessToken") => Door::Mint,
        path if path.starts_with("/arm") => Door::Account,
        path if path.starts_with("/vi") => Door::List,
        _ => Door::Page,
    };
    let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
        .into_owned()
        .collect();
    let headers = parts.headers.iter().map(|(name, value)| {
        (
            name.to_string(),
            value.to_str().unwrap_or_default().to_owned(),
        )
    });
    let call = Call {
        path,
        query,
        headers: headers.collect(),
        body: serde_json::from_slice(&body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned())),
    };
    let (script, n) = {
        let mut book = fake.book.lock().unwrap();
        let calls = book.calls.entry(door).or_default();
        calls.push(call.clone());
        let n = calls.len();
        (Arc::clone(&book.scripts[&door]), n)
    };
    answer(script(&call, n)).await
}

async fn answer(reply: Reply) -> Response {
    tokio::time::sleep(reply.delay).await;
    let head = Bytes::from(reply.body);
    let body = match reply.manner {
        Manner::Whole => Body::from(head),
        Manner::Silence => std::future::pending().await,
        Manner::BrokenOff => {
            let broken = std::io::Error::other("broken off");
            // A moment between the two, so that the first piece is on the wire before the break.
            let pieces = futures::stream::iter([Ok(head), Err(broken)]).then(|piece| async {
                tokio::task::yield_now().await;
                piece
            });
            Body::from_stream(pieces)
        }
        Manner::Endless => {
            let first = futures::stream::once(async { Ok::<_, std::io::Error>(head) });
            Body::from_stream(first.chain(futures::stream::pending()))
        }
    };
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    response.body(body).unwrap()
}
