//! The managed identity endpoint of App Service, protocol 2019-08-01.

use axum::http::Method;
use axum::response::Response;
use jiff::Timestamp;
use serde_json::json;

use super::State;
use super::call::{self, Call, Kind, Place};
use super::faults::{Fault, Service};
use super::world::{PRINCIPAL, TENANT};

/// The one version of the protocol that is spoken.
const API_VERSION: &str = "2019-08-01";

pub(super) const fn place() -> Place {
    Place::of(Service::Identity, Kind::Token)
}

/// `GET /msi/token?resource=&api-version=2019-08-01[&client_id=]` with `X-IDENTITY-HEADER`.
pub(super) fn answer(state: &State, call: &Call) -> Response {
    if call.method != Method::GET || !call.segment(0).eq_ignore_ascii_case("token") {
        return call::text(404, "The identity endpoint is GET /msi/token.\n");
    }
    if call.query("api-version") != Some(API_VERSION) {
        return failure(
            400,
            "The HTTP resource that matches the request URI does not support this API version; use 2019-08-01.",
        );
    }
    if call.header("x-identity-header") != Some(state.identity_header.reveal()) {
        return failure(400, "X-IDENTITY-HEADER is missing or wrong.");
    }
    let resource = call.query("resource").unwrap_or_default();
    if !url::Url::parse(resource).is_ok_and(|url| url.has_host()) {
        return failure(
            400,
            "The parameter 'resource' is missing or is not the URI of a resource.",
        );
    }
    let wanted = ["client_id", "object_id", "principal_id", "mi_res_id"]
        .into_iter()
        .filter_map(|key| call.query(key))
        .collect::<Vec<_>>();
    if wanted.len() > 1 {
        return failure(
            400,
            "Only one of client_id, object_id, principal_id and mi_res_id may be given.",
        );
    }
    let identities = &state.world.identities;
    let known = match wanted.first() {
        None => identities.first(),
        Some(_) if call.query("client_id").is_none() => None,
        Some(id) => identities
            .iter()
            .find(|known| known.eq_ignore_ascii_case(id)),
    };
    match known {
        Some(client_id) => token(state, resource, client_id),
        None => not_assigned(),
    }
}

fn token(state: &State, resource: &str, client_id: &str) -> Response {
    let now = Timestamp::now();
    let expires = super::later(now, state.world.identity_token_lifetime);
    let claims = json!({
        "aud": resource,
        "iss": format!("https://sts.windows.net/{TENANT}/"),
        "appid": client_id,
        "idtyp": "app",
        "oid": PRINCIPAL,
        "sub": PRINCIPAL,
        "tid": TENANT,
        "ver": "1.0",
    });
    call::json(
        200,
        &json!({
            "access_token": state.identity.issue(claims, now, expires),
            "expires_on": expires.as_second().to_string(),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": client_id.to_ascii_uppercase(),
        }),
    )
}

/// What the endpoint says while this fault is set.
pub(super) fn refuse(fault: Fault) -> Response {
    match fault {
        Fault::Throttle(after) => call::with_header(
            failure(429, "Too many requests."),
            "retry-after",
            &after.to_string(),
        ),
        Fault::Deny(None) | Fault::Missing => not_assigned(),
        Fault::Deny(Some(status)) => failure(status, "The identity is not allowed to get a token."),
        Fault::Gone => failure(410, "The identity is no longer there."),
        Fault::Precondition => failure(412, "A precondition of the request was not met."),
        Fault::Error(status) => failure(status, "An internal error occurred."),
        _ => failure(500, "An internal error occurred."),
    }
}

fn not_assigned() -> Response {
    failure(
        400,
        "No Managed Identity found for specified ClientId/ResourceId/PrincipalId.",
    )
}

fn failure(status: u16, message: &str) -> Response {
    call::json(
        status,
        &json!({
            "statusCode": status,
            "message": message,
            "correlationId": uuid::Uuid::new_v4().to_string(),
        }),
    )
}
