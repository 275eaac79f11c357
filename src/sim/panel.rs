//! The panel at `/sim`: break and mend with one line of curl, and see what is going on.

use std::time::Duration;

use axum::http::Method;
use axum::response::Response;
use serde_json::json;

use super::call::{self, Call, Kind};
use super::faults::{Fault, Scope, Service};
use super::world::normal;
use super::{State, overview};

/// Where to look, for a request that goes nowhere.
pub(super) const SIGNPOST: &str = "The simulator has /msi/token, /arm, /vi, /mkio, /stream/{host}, \
                                   /keys/{account}, /http/{region}/{name}, /control and, to break and mend things, /sim.\n";

/// The region's place in the URL that stands for all of them, and for what has no region.
pub(super) const GLOBAL: &str = "global";

/// How long things take unless the caller says otherwise, in milliseconds.
const SLOW_MS: u64 = 7_000;
const STUCK_MS: u64 = 3 * 3_600_000;
/// `Retry-After` unless the caller says otherwise, in seconds.
const RETRY_AFTER: u64 = 5;

/// Log entries that `GET /sim/log` gives unless the caller says otherwise.
const LOG_ENTRIES: usize = 100;

/// A refusal: the status and a sentence.
type Refusal = (u16, String);

/// Whatever `/sim` is asked.
pub(super) fn answer(state: &State, call: &Call) -> Response {
    let verb = call.segment(0).to_ascii_lowercase();
    let post = call.method == Method::POST;
    let outcome = match verb.as_str() {
        "" if call.method == Method::GET => return overview::answer(state, call),
        "log" if call.method == Method::GET => return log(state, call),
        "break" | "mend" if !post => Err((
            405,
            format!(
                "Use POST: curl -X POST {}/sim/{verb}/{}",
                state.base_url,
                call.segments.get(1).map_or("westeurope", String::as_str)
            ),
        )),
        "break" => break_it(state, call),
        "mend" => mend_it(state, call),
        _ => Err((
            404,
            "The panel has GET /sim, GET /sim/log, POST /sim/break/{region} and POST /sim/mend/{region}."
                .to_owned(),
        )),
    };
    match outcome {
        Ok(sentence) => call::text(200, sentence + "\n"),
        Err((status, sentence)) => call::text(status, sentence + "\n"),
    }
}

fn break_it(state: &State, call: &Call) -> Result<String, Refusal> {
    let region = region(state, call)?;
    known_keys(
        call,
        &[
            "service", "fault", "ms", "status", "seconds", "times", "account", "kind",
        ],
    )?;
    let times = number(call, "times")?
        .map(|times| {
            u32::try_from(times)
                .ok()
                .filter(|times| *times > 0)
                .ok_or((400, "times must be from 1 to 4294967295.".to_owned()))
        })
        .transpose()?;
    let services = services(call, region.as_deref())?;
    let scope = scope(state, call, region.as_deref())?;
    if let Some(region) = region.as_deref()
        && ["service", "fault", "account", "times", "kind"]
            .iter()
            .all(|key| call.query(key).is_none())
    {
        state.break_region(region);
        return Ok(format!(
            "{region} is out: connections to Video Indexer, streaming hosts, key delivery and HTTP endpoints there \
             close without an answer, ARM answers 504 for its accounts. Mend it with: curl -X POST {}/sim/mend/{region}",
            state.base_url
        ));
    }
    let fault = fault(call)?;
    let (services, others): (Vec<Service>, Vec<Service>) = services
        .into_iter()
        .partition(|service| fault.fits(*service));
    if services.is_empty() {
        let able: Vec<&str> = Service::ALL
            .iter()
            .filter(|service| fault.fits(**service))
            .map(|service| service.as_str())
            .collect();
        let asked: Vec<&str> = others.iter().map(|service| service.as_str()).collect();
        let sentence = format!(
            "{} cannot be broken like that, only {}.",
            asked.join(", "),
            able.join(", ")
        );
        return Err((400, sentence));
    }
    for service in &services {
        state.board.set(*service, scope.clone(), fault, times);
    }
    let names: Vec<&str> = services.iter().map(|service| service.as_str()).collect();
    Ok(format!(
        "{} ({scope}): {fault}{}. Mend it with: curl -X POST {}/sim/mend/{}",
        names.join(", "),
        times.map_or_else(String::new, |times| format!(" for {times} requests")),
        state.base_url,
        region.as_deref().unwrap_or(GLOBAL)
    ))
}

fn mend_it(state: &State, call: &Call) -> Result<String, Refusal> {
    known_keys(call, &["service"])?;
    let wanted = match call.query("service") {
        None => Service::ALL.to_vec(),
        Some(name) => named(name, &Service::ALL)?,
    };
    let all = call.segment(1).is_empty();
    let region = if all { None } else { region(state, call)? };
    let mended = state.mend(|service, scope| {
        wanted.contains(&service) && (all || scope.region_name() == region.as_deref())
    });
    let place = match (&region, all) {
        (Some(region), _) => region.as_str(),
        (None, true) => "everything",
        (None, false) => "what was broken everywhere",
    };
    Ok(match mended {
        0 => format!("{place}: nothing was broken."),
        _ => format!("{place} is mended."),
    })
}

/// The region of the path; `None` is `global`.
fn region(state: &State, call: &Call) -> Result<Option<String>, Refusal> {
    let name = normal(call.segment(1));
    if name == GLOBAL {
        return Ok(None);
    }
    if state.has_region(&name) {
        return Ok(Some(name));
    }
    let names: Vec<&str> = state
        .world
        .regions
        .iter()
        .map(|region| region.name.as_str())
        .collect();
    Err((
        404,
        format!(
            "No region '{}'. There are: {}, and {GLOBAL} for all of them and for what has no region.",
            call.segment(1),
            names.join(", ")
        ),
    ))
}

fn services(call: &Call, region: Option<&str>) -> Result<Vec<Service>, Refusal> {
    let possible: &[Service] = match region {
        Some(_) => &Service::REGIONAL,
        None => &Service::ALL,
    };
    match (call.query("service"), region) {
        (Some(name), _) => named(name, possible),
        (None, Some(_)) => Ok(possible.to_vec()),
        (None, None) => Err((
            400,
            format!("Name the service: ?service= one of {}.", list(possible)),
        )),
    }
}

/// The services of this name: one, or `all`.
fn named(name: &str, possible: &[Service]) -> Result<Vec<Service>, Refusal> {
    if name.eq_ignore_ascii_case("all") {
        return Ok(possible.to_vec());
    }
    match Service::from_name(name) {
        Some(service) if possible.contains(&service) => Ok(vec![service]),
        Some(service) if !service.is_regional() => Err((
            400,
            format!(
                "{name} has no region: POST /sim/break/{GLOBAL}?service={}.",
                service.as_str()
            ),
        )),
        _ => Err((
            400,
            format!("No service '{name}'. There are: {}.", list(possible)),
        )),
    }
}

pub(super) fn list(services: &[Service]) -> String {
    services
        .iter()
        .map(|service| service.as_str())
        .chain(["all"])
        .collect::<Vec<_>>()
        .join(", ")
}

fn scope(state: &State, call: &Call, region: Option<&str>) -> Result<Scope, Refusal> {
    let place = match (region, call.query("account")) {
        (None, None) => Scope::everywhere(),
        (None, Some(_)) => return Err((400, "account needs a region.".to_owned())),
        (Some(region), None) => Scope::region(region),
        (Some(region), Some(name)) => {
            let world = &state.world;
            let accounts = world.accounts.iter();
            let media = world.media.iter();
            let endpoints = world.endpoints.iter();
            let known = accounts
                .map(|account| (&account.region, &account.name))
                .chain(media.map(|account| (&account.region, &account.name)))
                .chain(endpoints.map(|endpoint| (&endpoint.region, &endpoint.name)))
                .any(|(place, each)| place == region && each.eq_ignore_ascii_case(name));
            if !known {
                return Err((404, format!("No account or endpoint '{name}' in {region}.")));
            }
            Scope::one(region, name)
        }
    };
    match call.query("kind").map(|name| (name, Kind::from_name(name))) {
        None => Ok(place),
        Some((_, Some(kind))) => Ok(place.only(kind)),
        Some((name, None)) => {
            let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
            let sentence = format!("No kind '{name}'. There are: {}.", names.join(", "));
            Err((400, sentence))
        }
    }
}

fn fault(call: &Call) -> Result<Fault, Refusal> {
    let ms = number(call, "ms")?;
    let millis = |default: u64| Duration::from_millis(ms.unwrap_or(default));
    let status = number(call, "status")?;
    let checked = |valid: std::ops::RangeInclusive<u64>| match status {
        Some(status) if !valid.contains(&status) => Err((
            400,
            format!("status must be from {} to {}.", valid.start(), valid.end()),
        )),
        Some(status) => Ok(u16::try_from(status).ok()),
        None => Ok(None),
    };
    let name = call.query("fault").unwrap_or("down");
    Ok(match name.to_ascii_lowercase().as_str() {
        "down" => Fault::Down,
        "slow" => Fault::Slow(millis(SLOW_MS)),
        "hang" => Fault::Hang,
        "error" => Fault::Error(checked(500..=599)?.unwrap_or(503)),
        "throttle" => Fault::Throttle(number(call, "seconds")?.unwrap_or(RETRY_AFTER)),
        "deny" => Fault::Deny(checked(401..=403)?),
        "missing" => Fault::Missing,
        "gone" => Fault::Gone,
        "retired" => Fault::Retired,
        "precondition" => Fault::Precondition,
        "garbage" => Fault::Garbage,
        "stuck" => Fault::Stuck(millis(STUCK_MS)),
        "drop" => Fault::Drop,
        "lost" => Fault::Lost,
        "unending" => Fault::Unending,
        "failing" => Fault::Failing,
        _ => {
            return Err((
                400,
                format!("No fault '{name}'. There are: {}.", Fault::NAMES.join(", ")),
            ));
        }
    })
}

/// A number of the query, at most a day of milliseconds.
fn number(call: &Call, key: &str) -> Result<Option<u64>, Refusal> {
    call.query(key)
        .map(|text| {
            text.parse::<u64>()
                .ok()
                .filter(|number| *number <= 86_400_000)
                .ok_or_else(|| {
                    (
                        400,
                        format!("{key} must be a whole number from 0 to 86400000."),
                    )
                })
        })
        .transpose()
}

fn known_keys(call: &Call, known: &[&str]) -> Result<(), Refusal> {
    match call
        .query
        .iter()
        .find(|(key, _)| !known.iter().any(|each| each.eq_ignore_ascii_case(key)))
    {
        Some((key, _)) => Err((
            400,
            format!("No parameter '{key}'. There are: {}.", known.join(", ")),
        )),
        None => Ok(()),
    }
}

fn log(state: &State, call: &Call) -> Response {
    match number(call, "last") {
        Ok(last) => {
            let most = last
                .and_then(|last| usize::try_from(last).ok())
                .unwrap_or(LOG_ENTRIES);
            call::json(200, &json!({ "requests": state.tally.log(most) }))
        }
        Err((status, sentence)) => call::text(status, sentence + "\n"),
    }
}
