//! Media Services: its API behind ARM and as MK.IO speaks it, and the hosts that stream.

mod account;
mod answer;
mod ask;
mod control;
pub(super) mod hosts;
mod jobs;
mod ledger;
mod manner;
mod refusal;
mod select;
mod shapes;

use axum::response::Response;
use jiff::Timestamp;

use self::answer::Question;
use self::ask::Ask;
use self::manner::{At, Manner};
use super::call::{self, Call, Kind, Place};
use super::faults::Service;
use super::world::normal;
use super::{State, arm};

pub use self::account::{
    LiveEvent, MediaAccount, MediaKind, ResourceState, StreamingEndpoint, StreamingLocator,
};
pub use self::control::OperationLine;
pub use self::jobs::{Job, JobState};
pub(super) use self::ledger::Ledger;
pub use self::ledger::OperationStatus;
pub(super) use self::refusal::refuse;

/// Segments of an ARM path up to and with the account's name.
const ARM_ACCOUNT: usize = 8;

/// A request, taken apart.
struct Request<'a> {
    manner: Manner,
    /// The account's place in the world, and itself.
    account: Option<(usize, &'a MediaAccount)>,
    ask: Ask,
}

/// Whether an ARM request is for Media Services.
fn is_media(call: &Call) -> bool {
    call.segment(4).eq_ignore_ascii_case("providers")
        && call.segment(5).eq_ignore_ascii_case("Microsoft.Media")
}

/// The account with this resource id, as [`MediaAccount::resource_id`] gives it, in any case.
fn account<'a>(state: &'a State, id: &str) -> Option<(usize, &'a MediaAccount)> {
    let number = state.index.media(id)?;
    Some((number, state.world.media.get(number)?))
}

fn read_arm<'a>(state: &'a State, call: &Call) -> Request<'a> {
    let fixed = |at: usize, word: &str| call.segment(at).eq_ignore_ascii_case(word);
    let below = call.segments.get(ARM_ACCOUNT..);
    let is_account =
        fixed(0, "subscriptions") && fixed(2, "resourceGroups") && fixed(6, "mediaservices");
    let ask = match below.filter(|_| is_account) {
        Some(below) => Ask::read(call, below),
        None => Ask::Nothing,
    };
    let head = call.segments.iter().take(ARM_ACCOUNT);
    let id: String = head.map(|segment| format!("/{segment}")).collect();
    Request {
        manner: Manner::Arm,
        account: account(state, &id),
        ask,
    }
}

fn read_mkio<'a>(state: &'a State, call: &Call) -> Request<'a> {
    let words: Vec<String> = call
        .segments
        .iter()
        .map(|each| each.to_ascii_lowercase())
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let below = |at: usize| Ask::read(call, call.segments.get(at..).unwrap_or_default());
    let (manner, project, ask) = match words.as_slice() {
        ["api", "ams", project, "stats"] => (Manner::Ams, *project, below(4)),
        // Here a project has no resource of its own.
        ["api", "ams", project] => (Manner::Ams, *project, Ask::Nothing),
        ["api", "ams", project, ..] => (Manner::Ams, *project, below(3)),
        ["api", "v1", "projects", project] => (Manner::Spec, *project, below(4)),
        ["api", "v1", "projects", project, "media", _, ..] => (Manner::Spec, *project, below(5)),
        _ => (Manner::Spec, "", Ask::Nothing),
    };
    Request {
        manner,
        account: account(state, &format!("/api/ams/{project}")),
        ask,
    }
}

/// Whether this asks MK.IO who one is: the cheapest way to try a token.
fn is_profile(call: &Call) -> bool {
    let path = call.segments.join("/").to_ascii_lowercase();
    ["api/profile", "api/v1/user/profile"].contains(&path.as_str())
}

/// The place of an ARM request, if it is for Media Services: ARM's faults come first.
pub(super) fn arm_place(state: &State, call: &Call) -> Option<Place> {
    is_media(call).then(|| place(state, call, Some(Service::Arm), &read_arm(state, call)))
}

/// The place of a request to MK.IO.
pub(super) fn mkio_place(state: &State, call: &Call) -> Place {
    if is_profile(call) {
        return Place::of(Service::MediaServices, Kind::MediaAccount);
    }
    place(state, call, None, &read_mkio(state, call))
}

fn place(state: &State, call: &Call, front: Option<Service>, request: &Request<'_>) -> Place {
    let mut place = Place::of(Service::MediaServices, request.ask.kind());
    place.front = front;
    if let Some((number, account)) = request.account {
        place.region = normal(&account.region);
        place.name.clone_from(&account.name);
        place.subscription_id.clone_from(&account.subscription_id);
        let question = question(state, call, request.manner, (number, account), None);
        let part = request.ask.part();
        if let Some(part) = part.and_then(|(family, name)| question.part(family, name)) {
            place.part = part.to_string();
        }
    }
    place
}

const fn question<'a>(
    state: &'a State,
    call: &'a Call,
    manner: Manner,
    account: (usize, &'a MediaAccount),
    stuck_since: Option<Timestamp>,
) -> Question<'a> {
    Question {
        at: At { state, call },
        manner,
        number: account.0,
        account: account.1,
        stuck_since,
    }
}

/// The right answer, with this instant from which on no job was finished.
pub(super) fn answer(
    state: &State,
    call: &Call,
    place: &Place,
    stuck_since: Option<Timestamp>,
) -> Response {
    let request = if place.front.is_some() {
        let request = read_arm(state, call);
        if let Some(refused) = arm_refuses(state, call, &request) {
            return refused;
        }
        request
    } else {
        if call.bearer() != Some(state.mkio_token.reveal()) {
            return refusal::bad_token();
        }
        if is_profile(call) {
            return call::json(
                200,
                &serde_json::json!({ "spec": { "username": "simulator" } }),
            );
        }
        read_mkio(state, call)
    };
    match request.account {
        Some(account) => {
            question(state, call, request.manner, account, stuck_since).answer(&request.ask)
        }
        None => request
            .manner
            .failure(404, "NotFound", "There is no such project."),
    }
}

/// Why ARM does not pass a request on: the token, the version, the account, the role.
fn arm_refuses(state: &State, call: &Call, request: &Request<'_>) -> Option<Response> {
    if let Some(refused) = arm::unauthenticated(state, call) {
        return Some(refused);
    }
    let (kind, action) = request.ask.action();
    let kind = match kind.as_str() {
        "" => "mediaservices".to_owned(),
        below => format!("mediaservices/{below}"),
    };
    if request.ask != Ask::Nothing
        && let Some(refused) = arm::wrong_version(call, &kind, request.ask.versions())
    {
        return Some(refused);
    }
    let Some((_, account)) = request.account else {
        return Some(arm::absent(state, call));
    };
    account
        .denies(&action)
        .then(|| refusal::denied(&request.ask, account, 403))
}
