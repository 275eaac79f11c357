//! Plain HTTP endpoints, one set per region, and the neutral control target.

use axum::response::Response;

use super::State;
use super::call::{self, Call, Kind, Place};
use super::faults::{Fault, Service};
use super::world::normal;

/// `/http/{region}/{name}`.
pub(super) fn place(state: &State, call: &Call) -> Place {
    let mut place = Place::of(Service::Http, Kind::Endpoint);
    if state.has_region(call.segment(0)) {
        place.region = normal(call.segment(0));
        if endpoint(state, call).is_some() {
            call.segment(1).clone_into(&mut place.name);
        }
    }
    place
}

/// What the endpoint answers, whatever the method is.
pub(super) fn answer(state: &State, call: &Call) -> Response {
    match endpoint(state, call) {
        Some(endpoint) => call::text(endpoint.status, endpoint.body.clone()),
        None => call::text(404, "Not Found\n"),
    }
}

/// The control target: always there.
pub(super) fn control() -> Response {
    call::text(200, "ok\n")
}

/// What the endpoint says while this fault is set.
pub(super) fn refuse(fault: Fault) -> Response {
    match fault {
        Fault::Throttle(after) => call::with_header(
            call::text(429, "Too Many Requests\n"),
            "retry-after",
            &after.to_string(),
        ),
        Fault::Deny(status) => call::text(status.unwrap_or(401), "Access denied\n"),
        Fault::Missing => call::text(404, "Not Found\n"),
        Fault::Gone => call::text(410, "Gone\n"),
        Fault::Precondition => call::text(412, "Precondition Failed\n"),
        Fault::Error(status) => call::text(status, "The service is unavailable.\n"),
        _ => call::text(503, "The service is unavailable.\n"),
    }
}

fn endpoint<'a>(state: &'a State, call: &Call) -> Option<&'a super::world::HttpEndpoint> {
    state
        .index
        .endpoint(&state.world, call.segment(0), call.segment(1))
        .filter(|_| call.segments.len() == 2)
}
