//! Plain axum servers, run by a benchmark as processes of their own: one that answers a lookup with a body
//! that is always at hand, and one that is there to be probed.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Try;

const ROUTE_FLAG: &str = "--serve-route";
const TARGET_FLAG: &str = "--serve-target";

/// Where the target tells how often it was probed; the path holds nothing else.
pub const COUNT: &str = "/count";

/// Which plain server to be.
#[derive(Debug)]
pub enum Plain {
    /// One route with one answer.
    Route {
        /// Where to listen.
        port: u16,
        /// The file with its [`Answer`].
        answer: PathBuf,
    },
    /// Something to probe.
    Target {
        /// Where to listen.
        port: u16,
    },
}

/// One answer, as it was given by somebody else.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    /// The path at which it is given.
    pub path: String,
    /// Its headers, without those that the server sets by itself.
    pub headers: Vec<(String, String)>,
    /// Its tag.
    pub etag: String,
    /// Its body.
    pub body: String,
}

impl Plain {
    /// The plain server that a command line asks for.
    ///
    /// # Errors
    /// When it asks for one without saying where.
    pub fn asked_for(words: &[String]) -> Try<Option<Self>> {
        let port = || -> Try<u16> { Ok(words.get(1).ok_or("no port is named")?.parse()?) };
        match words.first().map(String::as_str) {
            Some(ROUTE_FLAG) => Ok(Some(Self::Route {
                port: port()?,
                answer: words.get(2).ok_or("no answer is named")?.into(),
            })),
            Some(TARGET_FLAG) => Ok(Some(Self::Target { port: port()? })),
            Some(_) | None => Ok(None),
        }
    }

    /// Serves until it is killed, on as many threads as `understudy serve` has.
    ///
    /// # Errors
    /// When its port or its answer is not to be had.
    pub fn serve(self) -> Try {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?
            .block_on(async {
                let (port, app) = match self {
                    Self::Route { port, answer } => (
                        port,
                        route(serde_json::from_slice(&std::fs::read(answer)?)?)?,
                    ),
                    Self::Target { port } => (port, target()),
                };
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                let listener = tokio::net::TcpListener::bind(address).await?;
                Ok(axum::serve(listener, app).await?)
            })
    }
}

/// This very program as the server of one answer.
///
/// # Errors
/// When it does not know where it lies.
pub fn route_command(port: u16, answer: &Path) -> Try<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(ROUTE_FLAG).arg(port.to_string()).arg(answer);
    Ok(command)
}

/// This very program as something to probe.
///
/// # Errors
/// When it does not know where it lies.
pub fn target_command(port: u16) -> Try<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(TARGET_FLAG).arg(port.to_string());
    Ok(command)
}

/// One answer with what never changes in it, ready to be sent.
struct Ready {
    headers: HeaderMap,
    etag: HeaderValue,
    body: Bytes,
}

fn route(answer: Answer) -> Try<Router> {
    let mut headers = HeaderMap::new();
    for (name, value) in &answer.headers {
        headers.append(name.parse::<HeaderName>()?, value.parse()?);
    }
    let ready = Arc::new(Ready {
        headers,
        etag: answer.etag.parse()?,
        body: answer.body.into(),
    });
    let door = move |asked: HeaderMap| {
        let ready = Arc::clone(&ready);
        async move { give(&ready, &asked) }
    };
    Ok(Router::new()
        .route("/", get(async || "plain"))
        .route(&answer.path, get(door)))
}

fn give(ready: &Ready, asked: &HeaderMap) -> Response {
    let mut response = if asked.get(header::IF_NONE_MATCH) == Some(&ready.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(Body::from(ready.body.clone()))
    };
    *response.headers_mut() = ready.headers.clone();
    if response.status() == StatusCode::NOT_MODIFIED {
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
    response
}

fn target() -> Router {
    let probed = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&probed);
    Router::new()
        .route(
            COUNT,
            get(async move || counted.load(Ordering::Relaxed).to_string()),
        )
        .fallback(async move || {
            probed.fetch_add(1, Ordering::Relaxed);
            "well\n"
        })
}
