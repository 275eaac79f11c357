//! The host's HTTP side: its few own pages, and the functions behind their routes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use serde_json::json;
use tokio::sync::mpsc;

use super::child::Grip;
use super::proxy;
use super::route::RouteTable;
use super::voice::Voice;

/// What is said of an HTTP function that requests do not reach as requests.
pub const ENVELOPED: &str = "without exactly one \"http\" output beside its trigger it gets an envelope instead of the request, which it does not answer";

/// What the HTTP side needs.
pub struct Front {
    /// Which function a request reaches.
    pub routes: RouteTable,
    /// The handler.
    pub handler: Grip,
    /// The client for the handler.
    pub client: reqwest::Client,
    /// After this the handler is killed; none is no limit.
    pub timeout: Option<Duration>,
    /// Starts a timer function out of turn.
    pub timers: BTreeMap<String, mpsc::Sender<()>>,
    /// HTTP functions that the real host calls with an envelope, which no HTTP function of this handler speaks.
    pub enveloped: BTreeSet<String>,
    /// Who is told.
    pub voice: Arc<dyn Voice>,
}

impl Front {
    /// The service, to be served with the peer's address.
    pub fn router(self) -> Router {
        Router::new().fallback(answer).with_state(Arc::new(self))
    }
}

async fn answer(
    State(front): State<Arc<Front>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let path = request.uri().path().to_owned();
    if let Some(rest) = path.to_ascii_lowercase().strip_prefix("/admin/") {
        return front.admin(request, rest).await;
    }
    let found = front.routes.find(request.method().as_str(), &path);
    let Some(function) = found.map(|found| found.function) else {
        return if path == "/" {
            "Understudy's local host is running. The functions are under their routes.\n"
                .into_response()
        } else {
            StatusCode::NOT_FOUND.into_response()
        };
    };
    if front.enveloped.contains(function) {
        front.voice.failed(function, ENVELOPED);
        return proxy::failed();
    }
    // Keys are not checked, as under `func start`; a URL may hold one, so it is not told.
    match proxy::pass(
        &front.client,
        &front.handler,
        front.timeout,
        peer.ip(),
        request,
    )
    .await
    {
        Ok(response) => response,
        Err(failure) => {
            front.voice.failed(function, &failure.to_string());
            proxy::failed()
        }
    }
}

impl Front {
    /// The host's own doors, without their keys.
    async fn admin(&self, request: Request, path: &str) -> Response {
        let post = request.method() == Method::POST;
        let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
        match parts.as_slice() {
            ["functions", name] if post => self.start_timer(request, name).await,
            ["host", "ping"] => StatusCode::OK.into_response(),
            ["host", "status"] if !post => {
                Json(json!({"state": "Running", "version": proxy::HOST_VERSION})).into_response()
            }
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }

    async fn start_timer(&self, request: Request, name: &str) -> Response {
        let kind = request.headers().get(http::header::CONTENT_TYPE);
        let is_json = kind
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| {
                kind.split(';')
                    .next()
                    .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
            });
        let Some((_, timer)) = self
            .timers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
        else {
            return StatusCode::NOT_FOUND.into_response();
        };
        if !is_json {
            return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
        }
        let body = axum::body::to_bytes(request.into_body(), 64 * 1024)
            .await
            .unwrap_or_default();
        if serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&body).is_err() {
            return StatusCode::BAD_REQUEST.into_response();
        }
        // A full queue already holds a run that will see everything this one would.
        let _ = timer.try_send(());
        let mut accepted = Response::new(Body::empty());
        *accepted.status_mut() = StatusCode::ACCEPTED;
        accepted
    }
}
