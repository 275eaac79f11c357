//! Which request goes through which door. The host matches routes whatever their case and passes the path
//! on as it came, so the literal parts of a path are matched in lower case here too.

use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, Uri, header, uri::PathAndQuery};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::FutureExt as _;
use tower::ServiceExt as _;

use super::fault::Fault;
use super::gate::Gate;
use super::{active, alert, groups, guard, health, health_check, order, status, tick};

/// What the host puts before every route (`extensions.http.routePrefix` in `host.json`).
pub const PREFIX: &str = "/api";

/// One HTTP function: its name, the methods it is called with and the routes it answers. The folders below
/// `functions/` say the same to the host; a test compares them.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    /// The function's name, which is its folder's.
    pub function: &'static str,
    /// Its method.
    pub method: &'static str,
    /// Its routes, without the prefix.
    pub routes: &'static [&'static str],
}

/// Every HTTP function.
pub const DOORS: [Door; 7] = [
    Door {
        function: "Active",
        method: "get",
        routes: &["groups/{group}/active"],
    },
    Door {
        function: "Alert",
        method: "post",
        routes: &["alerts"],
    },
    Door {
        function: "Groups",
        method: "get",
        routes: &["groups", "groups/{group}", "groups/{group}/history"],
    },
    Door {
        function: "Order",
        method: "post",
        routes: &["groups/{group}/{order}"],
    },
    Door {
        function: "Tick",
        method: "post",
        routes: &["tick"],
    },
    Door {
        function: "Health",
        method: "get",
        routes: &["health"],
    },
    Door {
        function: "Status",
        method: "get",
        routes: &["status"],
    },
];

/// Every function that the host calls with its envelope.
pub const TIMERS: [&str; 1] = ["HealthCheck"];

/// All doors behind this gate; [`answer`] is what surrounds them. Routes are spelled out rather than nested:
/// axum rewrites the path for each nested one, which lookups feel.
pub fn router(gate: Gate) -> Router {
    let timers = Router::new()
        .route("/HealthCheck", post(health_check::door))
        .layer(middleware::from_fn(guard::only_the_host));
    let api = |route: &str| format!("{PREFIX}{route}");
    Router::new()
        .route("/", get(alive))
        .merge(timers)
        .route(&api("/groups"), get(groups::list))
        .route(&api("/groups/{group}"), get(groups::one))
        .route(&api("/groups/{group}/active"), get(active::door))
        .route(&api("/groups/{group}/history"), get(groups::history))
        .route(&api("/groups/{group}/{order}"), post(order::door))
        .route(&api("/alerts"), post(alert::door))
        .route(&api("/tick"), post(tick::door))
        .route(&api("/health"), get(health::door))
        .route(&api("/status"), get(status::door))
        .fallback(nowhere)
        .method_not_allowed_fallback(not_so)
        .with_state(gate)
}

/// Answers a request at one of these doors: in lower case, with the headers that every answer has, and even where
/// the door panics. A function around the router rather than layers of it: axum boxes each layer.
pub async fn answer(doors: Router, request: Request) -> Response {
    let answering = async { doors.oneshot(in_lower_case(request)).await };
    let answering = AssertUnwindSafe(answering).catch_unwind();
    // The panic's own hook has printed it already; what the caller sees holds nothing of it.
    let response = match answering.await {
        Ok(Ok(response)) => response,
        Err(_) => {
            tracing::error!("a request was lost to a panic");
            Fault::internal().into_response()
        }
    };
    finish(response)
}

/// The host's readiness probe: answered before anything else is there.
async fn alive() -> &'static str {
    "understudy"
}

async fn nowhere() -> Fault {
    Fault::no_route()
}

async fn not_so(request: Request) -> Fault {
    Fault::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "MethodNotAllowed",
        format!("{} is not answered here", request.method()),
    )
}

/// Nothing but a lookup may be kept by a cache.
fn finish(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

fn in_lower_case(mut request: Request) -> Request {
    if let Some(uri) = matched(request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

/// The same URI with the literal parts of its path in lower case and without a slash at the end; `None`
/// where that is the same. A group's name stays as it came; envelopes are called by their exact name.
#[must_use]
pub fn matched(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    // What nearly every request is: as it should be.
    let has_capitals = path.bytes().any(|byte| byte.is_ascii_uppercase());
    if !has_capitals && (path == "/" || !path.ends_with('/')) {
        return None;
    }
    let trimmed = match path.trim_end_matches('/') {
        "" => "/",
        trimmed => trimmed,
    };
    let mut segments: Vec<String> = trimmed.split('/').map(str::to_owned).collect();
    let is_api = segments
        .get(1)
        .is_some_and(|first| PREFIX.trim_start_matches('/').eq_ignore_ascii_case(first));
    if is_api {
        let names_group = segments
            .get(2)
            .is_some_and(|second| second.eq_ignore_ascii_case("groups"));
        for (index, segment) in segments.iter_mut().enumerate() {
            if !(names_group && index == 3) {
                segment.make_ascii_lowercase();
            }
        }
    }
    let wanted = segments.join("/");
    if wanted == path {
        return None;
    }
    let with_query = match uri.query() {
        None => wanted,
        Some(query) => format!("{wanted}?{query}"),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(with_query).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_parts_are_matched_in_any_case_and_names_as_they_are() {
        let seen = |text: &str| {
            let uri: Uri = text.parse().unwrap();
            matched(&uri).unwrap_or(uri).to_string()
        };
        assert_eq!(
            seen("/API/Groups/CONTOSO/Active?A=B"),
            "/api/groups/CONTOSO/active?A=B"
        );
        assert_eq!(seen("/api/groups/"), "/api/groups");
        assert_eq!(seen("/api/HEALTH"), "/api/health");
        assert_eq!(seen("/"), "/");
        assert_eq!(seen("//"), "/");
        assert_eq!(seen("/HealthCheck"), "/HealthCheck");
        assert_eq!(seen("/healthcheck"), "/healthcheck");
    }
}
