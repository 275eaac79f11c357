//! Who may ring the timer's bell. The envelope's routes share the port with the public ones, so a request
//! that came through the host from outside is told by its headers and turned away.

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::fault::Fault;

/// Headers that the host, its front end or a caller's key leaves on a public request, and never on the
/// host's own call.
const PUBLIC: [&str; 14] = [
    "authorization",
    "client-ip",
    "cookie",
    "disguised-host",
    "forwarded",
    "max-forwards",
    "origin",
    "referer",
    "via",
    "was-default-hostname",
    "x-functions-clientid",
    "x-functions-key",
    "x-ms-invocation-id",
    "x-site-deployment-id",
];

/// The same, by how they begin.
const PUBLIC_PREFIXES: [&str; 7] = [
    "x-appservice-",
    "x-arr-",
    "x-azure-",
    "x-client-",
    "x-forwarded-",
    "x-ms-client-principal",
    "x-original-",
];

/// Begins like `X-Azure-` and is the host's own.
const OWN_PREFIX: &str = "x-azure-functions-";

/// Lets only the host's own call through.
pub async fn only_the_host(request: Request, next: Next) -> Response {
    match stranger(request.headers(), request.uri()) {
        None => next.run(request).await,
        Some(why) => {
            tracing::warn!(
                "refused a call of {} that did not come from the host: {why}",
                request.uri().path()
            );
            Fault::new(
                StatusCode::FORBIDDEN,
                "HostOnly",
                "only the Functions host calls this; from outside use POST /api/tick",
            )
            .into_response()
        }
    }
}

/// Why a call of a timer's route is not the host's own; `None` where it is.
#[must_use]
pub fn stranger(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    for name in headers.keys().map(header::HeaderName::as_str) {
        let prefixed = PUBLIC_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
            && !name.starts_with(OWN_PREFIX);
        if PUBLIC.contains(&name) || prefixed {
            return Some(format!("it carries the header {name}"));
        }
    }
    if uri.query().is_some() {
        return Some("it has a query".to_owned());
    }
    if !is_loopback(headers) {
        return Some("it is addressed to a public name".to_owned());
    }
    (!is_from_host(headers)).then(|| "it carries none of the host's headers".to_owned())
}

/// The host addresses us by the loopback address; a forwarding host keeps the public name.
fn is_loopback(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else {
        return true;
    };
    let host = host.to_str().unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    matches!(name, "127.0.0.1" | "localhost" | "[::1]")
}

fn is_from_host(headers: &HeaderMap) -> bool {
    let agent = headers
        .get(header::USER_AGENT)
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or_default();
    headers.contains_key("x-azure-functions-invocationid")
        || headers.contains_key("x-azure-functions-hostversion")
        || agent.starts_with("Azure-Functions-Host/")
}
