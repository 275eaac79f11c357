//! Video Indexer's data plane: an account's videos, and one video's index.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::http::Method;
use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::State;
use super::call::{self, Call, Kind, Place};
use super::faults::{Fault, Service};
use super::videos::{self, Video};
use super::world::{RateLimits, VideoIndexerAccount, normal};

/// The page size unless the caller says otherwise, and the largest.
const PAGE_SIZE: usize = 25;
const LARGEST_PAGE: usize = 1_000;

/// The place of a data-plane request. The region is the path's, as with the real service's one host.
pub(super) fn place(state: &State, call: &Call) -> Place {
    let kind = match call.segments.len() {
        4 => Kind::List,
        6 if is(call, 5, "Index") => Kind::Index,
        _ => Kind::Other,
    };
    let shaped = is(call, 1, "Accounts") && is(call, 3, "Videos");
    let mut place = Place::of(
        Service::VideoIndexer,
        if shaped { kind } else { Kind::Other },
    );
    if state.has_region(call.segment(0)) {
        place.region = normal(call.segment(0));
        if let Some(account) = account(state, call) {
            place.name.clone_from(&account.name);
            place.subscription_id.clone_from(&account.subscription_id);
        }
    }
    place
}

/// The right answer, with this instant from which on no video was finished.
pub(super) fn answer(state: &State, call: &Call, stuck_since: Option<Timestamp>) -> Response {
    if call.segment(0).eq_ignore_ascii_case("auth") {
        return failure(
            400,
            "ARM_ACCOUNT_MUST_BE_MANAGED_BY_ARM",
            "You can only use the ARM management API for management calls on accounts created on ARM.",
        );
    }
    if !state.has_region(call.segment(0)) {
        return failure(404, "LOCATION_NOT_FOUND", "Location was not found.");
    }
    if !is(call, 1, "Accounts") || !is(call, 3, "Videos") || call.method != Method::GET {
        return failure(
            404,
            "GENERAL",
            "The simulator has GET Videos and GET Videos/{id}/Index.",
        );
    }
    let Some(account) = authorized(state, call) else {
        let message = format!(
            "Access token is not authorized to access account '{}'.",
            call.segment(2)
        );
        return failure(401, "USER_NOT_ALLOWED", &message);
    };
    if let Some(limits) = state.world.rate_limits
        && let Some(after) = state.meter.over(account, limits, Timestamp::now())
    {
        return refuse(Fault::Throttle(after));
    }
    let all = state.videos_of(account, Timestamp::now(), stuck_since);
    match call.segments.len() {
        4 => list(account, call, &all),
        6 if is(call, 5, "Index") => all
            .iter()
            .find(|video| video.id == call.segment(4))
            .map_or_else(
                || failure(404, "GENERAL", "The video was not found."),
                |video| finish(call::json(200, &videos::index(account, video))),
            ),
        _ => failure(
            404,
            "GENERAL",
            "The simulator has GET Videos and GET Videos/{id}/Index.",
        ),
    }
}

/// What the data plane says while this fault is set.
pub(super) fn refuse(fault: Fault) -> Response {
    match fault {
        // The real service's 429 has no documented body.
        Fault::Throttle(after) => call::with_header(
            finish(call::text(429, "")),
            "retry-after",
            &after.to_string(),
        ),
        Fault::Deny(status) => failure(
            status.unwrap_or(401),
            "USER_NOT_ALLOWED",
            "Access token is not authorized to access the account.",
        ),
        Fault::Missing => failure(404, "GENERAL", "The account was not found."),
        Fault::Gone => failure(410, "GENERAL", "The account is no longer there."),
        Fault::Precondition => failure(412, "GENERAL", "A precondition was not met."),
        Fault::Error(504) => failure(
            504,
            "SERVER_TIMEOUT",
            "Server did not respond to gateway within expected time",
        ),
        Fault::Error(status) => failure(status, "GENERAL", "There was an error."),
        _ => failure(500, "GENERAL", "There was an error."),
    }
}

fn list(account: &VideoIndexerAccount, call: &Call, all: &[Video]) -> Response {
    let number = |key: &str, default: usize| match call.query(key) {
        None => Some(default),
        Some(text) => text.parse::<usize>().ok(),
    };
    let (Some(size), Some(skip)) = (number("pageSize", PAGE_SIZE), number("skip", 0)) else {
        return failure(400, "GENERAL", "pageSize and skip must be numbers.");
    };
    if !(1..=LARGEST_PAGE).contains(&size) {
        return failure(400, "GENERAL", "pageSize must be between 1 and 1000.");
    }
    let results: Vec<Value> = all
        .iter()
        .skip(skip)
        .take(size)
        .map(|video| videos::listed(account, video))
        .collect();
    let done = skip.saturating_add(size) >= all.len();
    let next = if done { skip } else { skip + size };
    finish(call::json(
        200,
        &json!({
            "results": results,
            "nextPage": { "pageSize": size, "skip": next, "done": done },
        }),
    ))
}

fn is(call: &Call, at: usize, word: &str) -> bool {
    call.segment(at).eq_ignore_ascii_case(word)
}

/// The account of the path, if it is in the path's region.
fn account<'a>(state: &'a State, call: &Call) -> Option<&'a VideoIndexerAccount> {
    state
        .index
        .account_by_id(&state.world, call.segment(2))
        .filter(|account| account.region == normal(call.segment(0)))
}

/// The account of the path, if the token is this account's and good. Whether the account exists is not
/// told apart, as with the real service.
fn authorized<'a>(state: &'a State, call: &Call) -> Option<&'a VideoIndexerAccount> {
    let token = call.bearer().or_else(|| call.query("accessToken"))?;
    let claims = state.accounts.read(token, Timestamp::now()).ok()?;
    let owner = claims["AccountId"].as_str()?;
    account(state, call).filter(|account| account.account_id.eq_ignore_ascii_case(owner))
}

fn failure(status: u16, kind: &str, message: &str) -> Response {
    finish(call::json(
        status,
        &json!({ "ErrorType": kind, "Message": message }),
    ))
}

fn finish(response: Response) -> Response {
    call::with_header(
        response,
        "x-ms-request-id",
        &uuid::Uuid::new_v4().to_string(),
    )
}

/// Requests per account in the running second and minute.
#[derive(Debug, Default)]
pub(super) struct Meter(Mutex<HashMap<String, Window>>);

#[derive(Debug, Default, Clone, Copy)]
struct Window {
    second: (i64, u32),
    minute: (i64, u32),
}

impl Meter {
    /// Counts one request; if it is over a limit, the seconds to wait.
    fn over(
        &self,
        account: &VideoIndexerAccount,
        limits: RateLimits,
        now: Timestamp,
    ) -> Option<u64> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry(account.account_id.clone()).or_default();
        let second = now.as_second();
        for ((start, count), at) in [
            (&mut window.second, second),
            (&mut window.minute, second.div_euclid(60)),
        ]
        .map(|(pair, at)| ((&mut pair.0, &mut pair.1), at))
        {
            if *start != at {
                *start = at;
                *count = 0;
            }
            *count = count.saturating_add(1);
        }
        if window.minute.1 > limits.per_minute {
            return u64::try_from(60 - second.rem_euclid(60)).ok();
        }
        (window.second.1 > limits.per_second).then_some(1)
    }
}
