//! The hosts of streaming endpoints (`/stream/{host}/…`), and the delivery of content keys (`/keys/{account}`).

use axum::response::Response;

use super::super::State;
use super::super::call::{self, Call, Kind, Place};
use super::super::faults::{Fault, Service};
use super::account::{MediaAccount, ResourceState};
use super::ledger::{Family, Part};

/// A manifest, as short as one can be.
const MANIFEST: &str =
    "#EXTM3U\n#EXT-X-VERSION:4\n#EXT-X-STREAM-INF:BANDWIDTH=550000\nlevel.m3u8\n";

/// The endpoint that a host belongs to: its account's place in the world, the account, the endpoint's name.
fn endpoint<'a>(state: &'a State, call: &Call) -> Option<(usize, &'a MediaAccount, &'a str)> {
    let (number, name) = state.index.host(call.segment(0))?;
    Some((number, state.world.media.get(number)?, name))
}

/// The path on the host.
fn path(call: &Call) -> String {
    let below = call.segments.get(1..).unwrap_or_default();
    below.iter().map(|segment| format!("/{segment}")).collect()
}

/// The place of a request to a streaming host.
pub(in super::super) fn place(state: &State, call: &Call) -> Place {
    let kind = match path(call).as_str() {
        "" => Kind::StreamingHost,
        _ => Kind::Content,
    };
    let mut place = Place::of(Service::Streaming, kind);
    if let Some((_, account, name)) = endpoint(state, call) {
        about(&mut place, account);
        place.part = Part::new(Family::StreamingEndpoints, name).to_string();
    }
    place
}

/// The place of a request for content keys.
pub(in super::super) fn key_place(state: &State, call: &Call) -> Place {
    let mut place = Place::of(Service::KeyDelivery, Kind::Keys);
    if let Some(account) = key_account(state, call) {
        about(&mut place, account);
    }
    place
}

fn about(place: &mut Place, account: &MediaAccount) {
    place.region.clone_from(&account.region);
    place.name.clone_from(&account.name);
    place.subscription_id.clone_from(&account.subscription_id);
}

/// What a streaming host answers; `None` if nobody is there: its endpoint does not run, or does not exist.
pub(in super::super) fn answer(state: &State, call: &Call) -> Option<Response> {
    let (number, _, name) = endpoint(state, call)?;
    let books = state.media.open();
    let held = books.held(number, &Part::new(Family::StreamingEndpoints, name))?;
    if !matches!(held.state, ResourceState::Running | ResourceState::Scaling) {
        return state
            .world
            .stopped_hosts_answer
            .map(|status| failure(status, "The streaming endpoint is not running."));
    }
    let path = path(call);
    // As on the real hosts, the root itself is nothing: any answer says that the host is there.
    Some(if !path.is_empty() && books.has_content(number, &path) {
        call::text(200, MANIFEST)
    } else {
        failure(404, "MPE_RESOURCE_NOT_FOUND")
    })
}

/// What key delivery answers: a key for whoever brings a token, whichever it is.
pub(in super::super) fn keys(state: &State, call: &Call) -> Response {
    match key_account(state, call) {
        None => call::text(404, "Not Found\n"),
        Some(_) if call.bearer().is_none() => call::text(401, "A token is needed.\n"),
        Some(_) => call::text(200, "0123456789abcdef"),
    }
}

fn key_account<'a>(state: &'a State, call: &Call) -> Option<&'a MediaAccount> {
    let mut accounts = state.world.media.iter();
    accounts.find(|account| account.name.eq_ignore_ascii_case(call.segment(0)))
}

/// What a streaming host, or key delivery, says while this fault is set.
pub(in super::super) fn refuse(fault: Fault) -> Response {
    match fault {
        Fault::Throttle(after) => call::with_header(
            failure(429, "Too Many Requests"),
            "retry-after",
            &after.to_string(),
        ),
        Fault::Deny(status) => failure(status.unwrap_or(403), "MPE_STORAGE_AUTHENTICATION_FAILED"),
        Fault::Missing => failure(404, "MPE_RESOURCE_NOT_FOUND"),
        Fault::Gone => failure(410, "Gone"),
        Fault::Precondition => failure(412, "Precondition Failed"),
        Fault::Error(status) => failure(status, "The service is unavailable."),
        _ => failure(503, "The service is unavailable."),
    }
}

fn failure(status: u16, sentence: &str) -> Response {
    call::text(status, format!("{sentence}\n"))
}
