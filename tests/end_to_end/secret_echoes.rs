//! Services that repeat what they were sent, as gateways and debugging proxies do: headers, address and body, in
//! every shape of error that is read, with every status. Nothing of it comes out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use understudy::sim::Simulator;

use crate::alerts::incident;
use crate::azurite::Azurite;
use crate::secrets::{
    CLIENT_SECRET, Overheard, QUERY_KEY, SIGNATURE, STORE_KEY, azure, with_store,
};
use crate::stage::until;

const IDENTITY_HEADER: &str = "Planted1dentityHeader";

const STATUSES: [u16; 13] = [
    200, 202, 204, 302, 400, 401, 403, 404, 409, 412, 429, 500, 503,
];

/// A service that repeats everything, with a status that can be set.
pub struct Parrot {
    /// Its address.
    pub base: String,
    status: Arc<AtomicU16>,
    asked: Arc<AtomicU16>,
}

impl Parrot {
    pub async fn start() -> Self {
        let (status, asked) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicU16::new(0)));
        let (says, counts) = (Arc::clone(&status), Arc::clone(&asked));
        let repeat = move |headers: HeaderMap, uri: Uri, body: String| async move {
            counts.fetch_add(1, Ordering::SeqCst);
            repeated(says.load(Ordering::SeqCst), &headers, &uri, &body)
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = axum::Router::new().fallback(repeat);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            base,
            status,
            asked,
        }
    }

    pub fn be(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
        self.asked.store(0, Ordering::SeqCst);
    }

    pub fn was_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst) > 0
    }
}

/// The request in every member that anybody here reads, and in the headers of the answer.
fn repeated(status: u16, headers: &HeaderMap, uri: &Uri, body: &str) -> Response {
    let sent: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}={}", value.to_str().unwrap_or_default()))
        .collect();
    let bare: Vec<&str> = headers
        .values()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let said = format!("{uri} {} {} {body}", bare.join(" "), sent.join(","));
    let answer = json!({
        "error": {"code": said, "message": said},
        "error_description": said,
        "message": said,
        "Message": said,
        "ErrorType": said,
        "accessToken": "",
        "odata.error": {"code": said, "message": {"value": said}},
        "properties": {"provisioningState": said, "accountId": said},
        "results": said,
        "value": said,
    });
    let authorization = headers
        .get("authorization")
        .or_else(|| headers.get("x-functions-key"))
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let answer = (
        StatusCode::from_u16(status).unwrap(),
        [
            ("location", format!("http://127.0.0.1:1{uri}")),
            // A date of mail may have a comment, one of HTTP may not.
            (
                "retry-after",
                format!("Wed, 25 Nov 2026 03:00:00 GMT ({authorization} {uri})"),
            ),
            ("www-authenticate", authorization.to_owned()),
            ("content-type", "application/json".to_owned()),
        ],
        answer.to_string(),
    );
    answer.into_response()
}

/// Asks at every door while the service answers with each status in turn.
async fn listen(sim: &Simulator, parrot: &Parrot, mut handler: Overheard, planted: &[&str]) {
    let alert = incident(sim.world(), "SEC-9", "West Europe", "Active", 5);
    for status in STATUSES {
        sim.revoke_account_tokens();
        parrot.be(status);
        until("it is asked", async || {
            handler.tick().await;
            parrot.was_asked().then_some(())
        })
        .await;
        handler.ask("/api/groups/contoso", None).await;
    }
    handler.ask_everything(&alert).await;
    handler.search(planted);
}

fn last_replaced(text: &str, from: &str, to: &str) -> String {
    let (before, after) = text.rsplit_once(from).expect("it is there");
    format!("{before}{to}{after}")
}

#[tokio::test(flavor = "multi_thread")]
async fn from_arm_from_the_data_plane_and_from_endpoints() {
    let (sim, settings) = azure().await;
    let parrot = Parrot::start().await;
    let header = settings["IDENTITY_HEADER"].clone();
    let text = with_store(&sim, &Azurite::shared().connection_string());
    // One site's data plane, and the other's ARM.
    let (data_plane, arm) = (
        format!("{}/vi", sim.base_url()),
        format!("{}/arm", sim.base_url()),
    );
    let text = text.replacen(&data_plane, &parrot.base, 1);
    let text = last_replaced(&text, &arm, &parrot.base);
    let text = format!(
        "{text}\n[[groups.sites.http]]\nname = \"web\"\nurl = \"{}/health?code={QUERY_KEY}\"\nendpoint = \"https://web.example\"\n",
        parrot.base
    );
    let handler = Overheard::start(&text, settings).await;
    listen(&sim, &parrot, handler, &[&header, QUERY_KEY]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_identity_endpoint() {
    let (sim, mut settings) = azure().await;
    let parrot = Parrot::start().await;
    settings.insert(
        "IDENTITY_ENDPOINT".to_owned(),
        format!("{}/msi", parrot.base),
    );
    settings.insert("IDENTITY_HEADER".to_owned(), IDENTITY_HEADER.to_owned());
    let text = with_store(&sim, &Azurite::shared().connection_string());
    let handler = Overheard::start(&text, settings).await;
    listen(&sim, &parrot, handler, &[IDENTITY_HEADER]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_authority() {
    let (sim, _) = azure().await;
    let parrot = Parrot::start().await;
    let settings = [
        ("AZURE_TENANT_ID", "tenant"),
        ("AZURE_CLIENT_ID", "client"),
        ("AZURE_CLIENT_SECRET", CLIENT_SECRET),
        ("AZURE_AUTHORITY_HOST", &parrot.base),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let text = with_store(&sim, &Azurite::shared().connection_string());
    let handler = Overheard::start(&text, settings.into_iter().collect()).await;
    listen(&sim, &parrot, handler, &[CLIENT_SECRET]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_store() {
    let (sim, settings) = azure().await;
    let parrot = Parrot::start().await;
    let sas = format!("sv=2019-02-02&ss=t&srt=co&sp=raud&se=2099-01-01T00:00:00Z&sig={SIGNATURE}");
    let sas = sas.replace("==", "%3D%3D");
    for credential in [
        format!("AccountName=acct;AccountKey={STORE_KEY}"),
        format!("SharedAccessSignature={sas}"),
    ] {
        let text = with_store(
            &sim,
            &format!("{credential};TableEndpoint={}/acct", parrot.base),
        );
        let handler = Overheard::start(&text, settings.clone()).await;
        let signature = SIGNATURE.trim_end_matches('=');
        listen(&sim, &parrot, handler, &[STORE_KEY, signature]).await;
    }
    // The same with a token: the endpoint is this machine, so it gets one.
    let text = with_store(&sim, "x").replace(
        "connection_string = \"x\"",
        &format!("endpoint = \"{}/acct\"", parrot.base),
    );
    let handler = Overheard::start(&text, settings.clone()).await;
    listen(&sim, &parrot, handler, &[&settings["IDENTITY_HEADER"]]).await;
}
