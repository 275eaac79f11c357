//! A running simulator with the requests that its clients make.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use understudy::sim::{ResourceState, Simulator, World};

/// Far longer than anything here takes; only a hang that should end meets it.
pub const LIMIT: Duration = Duration::from_secs(30);
/// The parts of each account in a world that streams.
pub const DEFAULT: &str = "streamingEndpoints/default";
pub const STUDIO: &str = "liveEvents/studio";

pub struct Azure {
    pub sim: Simulator,
    pub http: Client,
}

impl Azure {
    pub async fn start(world: World) -> Self {
        Self {
            sim: Simulator::start(world, 0).await.unwrap(),
            http: Client::builder().timeout(LIMIT).build().unwrap(),
        }
    }

    pub async fn two_regions() -> Self {
        Self::start(World::two_regions()).await
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.sim.base_url()))
    }

    /// The panel as people read it.
    pub async fn panel(&self) -> String {
        let answer = self.get("/sim").send().await.unwrap();
        answer.text().await.unwrap()
    }

    pub async fn post(&self, path: &str) -> (StatusCode, String) {
        let url = format!("{}{path}", self.sim.base_url());
        let answer = self.http.post(url).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    /// The identity endpoint with its header and these query pairs, as a handler asks it.
    pub fn identity(&self, query: &[(&str, &str)]) -> RequestBuilder {
        let environment = self.sim.environment();
        let value = |key: &str| {
            let pair = environment.iter().find(|(name, _)| name == key);
            pair.unwrap().1.clone()
        };
        self.http
            .get(with(&value("IDENTITY_ENDPOINT"), query))
            .header("X-IDENTITY-HEADER", value("IDENTITY_HEADER"))
    }

    pub async fn arm_token(&self) -> String {
        self.token_for("https://management.azure.com").await
    }

    pub async fn token_for(&self, resource: &str) -> String {
        let query = [("resource", resource), ("api-version", "2019-08-01")];
        let body = body(self.identity(&query).send().await.unwrap(), 200).await;
        body["access_token"].as_str().unwrap().to_owned()
    }

    pub fn account_url(&self, name: &str) -> String {
        let accounts = &self.sim.world().accounts;
        let account = accounts.iter().find(|each| each.name == name).unwrap();
        format!("{}{}", self.sim.arm_base(), account.resource_id())
    }

    pub fn account(&self, name: &str, token: &str) -> RequestBuilder {
        self.http
            .get(with(
                &self.account_url(name),
                &[("api-version", "2025-04-01")],
            ))
            .bearer_auth(token)
    }

    pub fn mint(&self, name: &str, token: &str) -> RequestBuilder {
        let url = format!("{}/generateAccessToken", self.account_url(name));
        self.http
            .post(with(&url, &[("api-version", "2024-01-01")]))
            .bearer_auth(token)
            .json(&json!({"permissionType": "Reader", "scope": "Account"}))
    }

    pub async fn minted(&self, name: &str) -> String {
        let token = self.arm_token().await;
        let body = body(self.mint(name, &token).send().await.unwrap(), 200).await;
        body["accessToken"].as_str().unwrap().to_owned()
    }

    pub fn videos_url(&self, name: &str) -> String {
        let accounts = &self.sim.world().accounts;
        let account = accounts.iter().find(|each| each.name == name).unwrap();
        format!(
            "{}/{}/Accounts/{}/Videos",
            self.sim.api_base(),
            account.region,
            account.account_id
        )
    }

    pub fn list(&self, name: &str, token: &str) -> RequestBuilder {
        self.http.get(self.videos_url(name)).bearer_auth(token)
    }

    pub fn page(&self, name: &str, token: &str, size: &str, skip: &str) -> RequestBuilder {
        let query = [("pageSize", size), ("skip", skip)];
        self.http
            .get(with(&self.videos_url(name), &query))
            .bearer_auth(token)
    }

    pub fn media_url(&self, name: &str) -> String {
        let accounts = &self.sim.world().media;
        let account = accounts.iter().find(|each| each.name == name).unwrap();
        format!("{}{}", self.sim.arm_base(), account.resource_id())
    }

    /// Asks Media Services behind ARM for what is below an account, with a token and the newest version.
    pub async fn media(&self, method: Method, name: &str, below: &str) -> Response {
        let version = match below.trim_start_matches('/').split('/').next().unwrap() {
            "" => "2023-01-01",
            below if below.starts_with("transforms") => "2022-07-01",
            "streamingLocators" => "2023-01-01",
            _ => "2022-11-01",
        };
        let url = format!("{}{below}", self.media_url(name));
        let glue = if below.contains('?') { '&' } else { '?' };
        self.arm(method, &format!("{url}{glue}api-version={version}"))
            .await
    }

    /// Asks ARM with a token.
    pub async fn arm(&self, method: Method, url: &str) -> Response {
        let token = self.arm_token().await;
        let request = self.http.request(method, url).bearer_auth(token);
        request.send().await.unwrap()
    }

    pub async fn media_body(&self, name: &str, below: &str) -> Value {
        body(self.media(Method::GET, name, below).await, 200).await
    }

    /// Starts or stops; an answer that is no success is one, too.
    pub async fn act(&self, name: &str, part: &str, action: &str) -> Response {
        self.media(Method::POST, name, &format!("/{part}/{action}"))
            .await
    }

    /// Waits until this part of an account is in this state.
    pub async fn reached(&self, name: &str, part: &str, state: ResourceState) {
        let reached = self.sim.media_reached(name, part, state, LIMIT).await;
        assert!(reached, "{name}/{part} is not {state:?}");
    }

    /// Asks MK.IO with its token.
    pub async fn mkio(&self, method: Method, path: &str) -> Response {
        let url = format!("{}{path}", self.sim.mkio_base());
        let request = self.http.request(method, url);
        let request = request.bearer_auth(self.sim.mkio_token());
        request.send().await.unwrap()
    }

    pub fn list_by_query(&self, name: &str, token: &str) -> RequestBuilder {
        self.http
            .get(with(&self.videos_url(name), &[("accessToken", token)]))
    }
}

/// This URL with these query pairs.
pub fn with(url: &str, query: &[(&str, &str)]) -> String {
    let query: Vec<String> = query
        .iter()
        .map(|(key, value)| {
            let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
            format!("{key}={value}")
        })
        .collect();
    format!("{url}?{}", query.join("&"))
}

/// The JSON body of an answer with this status.
pub async fn body(answer: Response, status: u16) -> Value {
    let got = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    assert_eq!(got, status, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// The claims of a token, as anyone can read them.
pub fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let middle = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(middle)
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// A header's text.
pub fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers()[name].to_str().unwrap()
}

/// The same object without its values.
pub fn keys(value: &Value) -> Vec<String> {
    let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
    keys.sort();
    keys
}
