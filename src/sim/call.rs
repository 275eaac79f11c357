//! One request as it was read, the place that it asks for, and answers in general.

use std::borrow::Cow;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use futures::StreamExt as _;
use serde_json::Value;

use super::faults::Service;

/// The largest body that is read, in bytes.
const BODY_LIMIT: usize = 1 << 20;

/// What a request asks for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A token of the managed identity.
    Token,
    /// An account's ARM resource.
    Account,
    /// An access token of an account, through ARM.
    Mint,
    /// A Video Indexer account's list of videos.
    List,
    /// One video's index.
    Index,
    /// An HTTP endpoint.
    Endpoint,
    /// The neutral control target.
    Control,
    /// A Media Services account itself.
    MediaAccount,
    /// The list of an account's transforms, or one of them.
    Transforms,
    /// A transform's jobs, or one of them.
    Jobs,
    /// An account's streaming endpoints, or one of them.
    StreamingEndpoints,
    /// An account's live events, one of them, or its outputs.
    LiveEvents,
    /// An account's streaming locators, one of them, or its paths.
    StreamingLocators,
    /// Starting a streaming endpoint or a live event.
    Start,
    /// Stopping one.
    Stop,
    /// Bringing a live event to stand-by.
    Allocate,
    /// How a long-running operation stands.
    Operation,
    /// The root of a streaming host.
    StreamingHost,
    /// Content on a streaming host: any path but the root.
    Content,
    /// Content keys.
    Keys,
    /// Anything else.
    Other,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 21] = [
        Self::Token,
        Self::Account,
        Self::Mint,
        Self::List,
        Self::Index,
        Self::Endpoint,
        Self::Control,
        Self::MediaAccount,
        Self::Transforms,
        Self::Jobs,
        Self::StreamingEndpoints,
        Self::LiveEvents,
        Self::StreamingLocators,
        Self::Start,
        Self::Stop,
        Self::Allocate,
        Self::Operation,
        Self::StreamingHost,
        Self::Content,
        Self::Keys,
        Self::Other,
    ];

    /// Its name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Account => "account",
            Self::Mint => "mint",
            Self::List => "list",
            Self::Index => "index",
            Self::Endpoint => "endpoint",
            Self::Control => "control",
            Self::MediaAccount => "mediaAccount",
            Self::Transforms => "transforms",
            Self::Jobs => "jobs",
            Self::StreamingEndpoints => "streamingEndpoints",
            Self::LiveEvents => "liveEvents",
            Self::StreamingLocators => "streamingLocators",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Allocate => "allocate",
            Self::Operation => "operation",
            Self::StreamingHost => "streamingHost",
            Self::Content => "content",
            Self::Keys => "keys",
            Self::Other => "other",
        }
    }

    /// The kind of this name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(name))
    }
}

/// What a request is about. Names that do not exist are left empty, so that nobody fills the counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) service: Service,
    /// Through which other service the request comes: that one's faults are met first.
    pub(super) front: Option<Service>,
    pub(super) kind: Kind,
    pub(super) region: String,
    pub(super) name: String,
    /// What of the account: `streamingEndpoints/default`, or empty.
    pub(super) part: String,
    pub(super) subscription_id: String,
}

impl Place {
    /// A place without region or name.
    pub(super) const fn of(service: Service, kind: Kind) -> Self {
        Self {
            service,
            front: None,
            kind,
            region: String::new(),
            name: String::new(),
            part: String::new(),
            subscription_id: String::new(),
        }
    }
}

/// A request, read.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// The path's segments, decoded, without the service's prefix.
    pub(super) segments: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    /// Reads a request; the second part is the first segment of its path.
    pub(super) async fn read(request: Request) -> Result<(Self, String), Response> {
        let (parts, body) = request.into_parts();
        let mut segments = parts
            .uri
            .path()
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(decode);
        let first = segments.next().unwrap_or_default();
        let call = Self {
            method: parts.method,
            segments: segments.collect(),
            query: url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect(),
            headers: parts.headers,
            body: axum::body::to_bytes(body, BODY_LIMIT)
                .await
                .map_err(|_| text(413, "The body is larger than 1 MiB, or was cut.\n"))?,
        };
        Ok((call, first))
    }

    /// The segment at this place, or nothing.
    pub(super) fn segment(&self, at: usize) -> &str {
        self.segments.get(at).map_or("", String::as_str)
    }

    /// The first value of this query key, whose name is compared in any case.
    pub(super) fn query(&self, key: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, value)| value.as_str())
    }

    /// A header's value, if it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The bearer token of the `Authorization` header.
    pub(super) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then_some(token.trim())
    }
}

/// A path segment without its percent signs; what does not decode stays as it is.
fn decode(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        bytes.push(hex.unwrap_or(*first));
        rest = if hex.is_some() {
            tail.get(2..).unwrap_or_default()
        } else {
            tail
        };
    }
    match String::from_utf8_lossy(&bytes) {
        Cow::Borrowed(text) => text.to_owned(),
        Cow::Owned(text) => text,
    }
}

/// A plain-text answer.
pub(super) fn text(status: u16, body: impl Into<String>) -> Response {
    answer(status, "text/plain; charset=utf-8", body.into())
}

/// An answer without a body.
pub(super) fn empty(status: u16) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// A JSON answer.
pub(super) fn json(status: u16, body: &Value) -> Response {
    answer(status, "application/json; charset=utf-8", body.to_string())
}

/// The page that a proxy puts in place of the service's answer.
pub(super) fn garbage() -> Response {
    let page = "<!DOCTYPE html>\n<html><head><title>Sign in to the network</title></head>\
                <body><h1>Welcome</h1><p>Please accept the terms to go on.</p></body></html>\n";
    answer(200, "text/html", page.to_owned())
}

/// The same answer with this header; a value that is no header is left out.
pub(super) fn with_header(mut response: Response, name: &'static str, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
    response
}

fn answer(status: u16, kind: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// The same answer, cut in the middle of its body: the length is announced whole.
pub(super) async fn cut_short(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = axum::body::to_bytes(body, usize::MAX)
        .await
        .unwrap_or_default();
    parts.headers.insert(
        header::CONTENT_LENGTH,
        HeaderValue::from(whole.len().max(2)),
    );
    let half = whole.slice(..whole.len() / 2);
    let cut = async {
        // Gives the server the time to send what it has: else nothing at all is sent.
        tokio::task::yield_now().await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    };
    let pieces = futures::stream::once(async { Ok(half) }).chain(futures::stream::once(cut));
    Response::from_parts(parts, Body::from_stream(pieces))
}
