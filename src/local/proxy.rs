//! The proxying mode: the request itself goes to the handler, streamed, with the host's headers.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use uuid::Uuid;

use super::child::Grip;

/// A plausible version of the real host.
pub const HOST_VERSION: &str = "4.1045.200.25556";

/// The host's headers on every call.
pub const VERSION_HEADER: &str = "x-azure-functions-hostversion";
/// The id of the invocation, on every call.
pub const INVOCATION_HEADER: &str = "x-azure-functions-invocationid";

/// Belong to one connection and are not passed on, in either direction.
pub const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "alt-svc",
];

/// How long the host waits for a handler that is being started.
const STARTING: Duration = Duration::from_secs(120);

/// Why a request got no answer from the handler.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The handler did not become ready.
    #[error("the handler is not ready")]
    NotReady,
    /// The address or a header could not be made.
    #[error("the request cannot be passed on: {0}")]
    Request(String),
    /// The connection failed, also in the middle.
    #[error("the handler did not answer: {0}")]
    Transport(String),
    /// `functionTimeout` passed.
    #[error("the function took longer than functionTimeout")]
    Timeout,
}

/// Passes one request to the handler and its answer back.
///
/// # Errors
/// When there is no answer; the caller gets 500 without a body then, as from the real host.
pub async fn pass(
    client: &reqwest::Client,
    handler: &Grip,
    timeout: Option<Duration>,
    peer: IpAddr,
    request: Request,
) -> Result<Response, Failure> {
    match tokio::time::timeout(STARTING, handler.ready()).await {
        Ok(true) => {}
        Ok(false) | Err(_) => return Err(Failure::NotReady),
    }
    let (parts, body) = request.into_parts();
    let target = parts
        .uri
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str);
    let url = reqwest::Url::parse(&format!("{}{target}", handler.base()))
        .map_err(|error| Failure::Request(error.to_string()))?;
    let has_body =
        parts.headers.contains_key(CONTENT_LENGTH) || parts.headers.contains_key(TRANSFER_ENCODING);
    let mut outgoing =
        client
            .request(parts.method, url)
            .headers(headers(&parts.headers, peer, Uuid::new_v4()));
    if has_body {
        outgoing = outgoing.body(reqwest::Body::wrap_stream(body.into_data_stream()));
    }
    let sending = outgoing.send();
    let answer = match timeout {
        None => Ok(sending.await),
        Some(limit) => tokio::time::timeout(limit, sending).await,
    };
    let answer = match answer {
        Ok(answer) => answer.map_err(|error| Failure::Transport(reason(&error)))?,
        Err(_) => {
            handler.replace();
            return Err(Failure::Timeout);
        }
    };
    Ok(give_back(answer))
}

/// The headers that the handler sees.
#[must_use]
pub fn headers(received: &HeaderMap, peer: IpAddr, invocation: Uuid) -> HeaderMap {
    let mut sent = without_hop_by_hop(received);
    let host = sent.remove(HOST);
    sent.remove("forwarded");
    let invocation = invocation.to_string();
    let peer = peer.to_string();
    for (name, value) in [
        ("x-forwarded-for", peer.as_str()),
        ("x-forwarded-proto", "http"),
        (VERSION_HEADER, HOST_VERSION),
        (INVOCATION_HEADER, invocation.as_str()),
        ("x-ms-invocation-id", invocation.as_str()),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            sent.insert(HeaderName::from_static(name), value);
        }
    }
    match host {
        Some(host) => sent.insert("x-forwarded-host", host),
        None => sent.remove("x-forwarded-host"),
    };
    sent
}

/// What went wrong with a call, down to its cause, without the URL: that may hold a key.
#[must_use]
pub fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

fn without_hop_by_hop(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<String> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    headers
        .iter()
        .filter(|(name, _)| {
            !HOP_BY_HOP.contains(&name.as_str())
                && !named.iter().any(|listed| listed == name.as_str())
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn give_back(answer: reqwest::Response) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = without_hop_by_hop(answer.headers());
    *response.body_mut() = Body::from_stream(answer.bytes_stream());
    response
}

/// What the real host answers when it has no answer of the handler.
#[must_use]
pub fn failed() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
