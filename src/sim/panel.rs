//! The panel at `/sim`: break and mend with one line of curl, and see what is going on.

use std::fmt::Write as _;
use std::time::Duration;

use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};

use super::State;
use super::call::{self, Call};
use super::faults::{Fault, Scope, Service};
use super::world::normal;

/// Where to look, for a request that goes nowhere.
pub(super) const SIGNPOST: &str = "The simulator has /msi/token, /arm, /vi, /http/{region}/{name}, /control \
                                   and, to break and mend things, /sim.\n";

/// The region's place in the URL that stands for all of them, and for what has no region.
const GLOBAL: &str = "global";

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
        "" if call.method == Method::GET => return overview(state, call),
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
            "service", "fault", "ms", "status", "seconds", "times", "account",
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
        && ["service", "fault", "account", "times"]
            .iter()
            .all(|key| call.query(key).is_none())
    {
        state.break_region(region);
        return Ok(format!(
            "{region} is out: connections to Video Indexer and to HTTP endpoints there close without an answer, \
             ARM answers 504 for its accounts. Mend it with: curl -X POST {}/sim/mend/{region}",
            state.base_url
        ));
    }
    let fault = fault(call)?;
    let services: Vec<Service> = match fault {
        Fault::Stuck(_) if !services.contains(&Service::VideoIndexer) => {
            return Err((400, "Only videoIndexer can be stuck.".to_owned()));
        }
        Fault::Stuck(_) => vec![Service::VideoIndexer],
        _ => services,
    };
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
    let mended = state.board.mend(|service, scope| {
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

fn list(services: &[Service]) -> String {
    services
        .iter()
        .map(|service| service.as_str())
        .chain(["all"])
        .collect::<Vec<_>>()
        .join(", ")
}

fn scope(state: &State, call: &Call, region: Option<&str>) -> Result<Scope, Refusal> {
    match (region, call.query("account")) {
        (None, None) => Ok(Scope::everywhere()),
        (None, Some(_)) => Err((400, "account needs a region.".to_owned())),
        (Some(region), None) => Ok(Scope::region(region)),
        (Some(region), Some(name)) => {
            let world = &state.world;
            let known = world
                .accounts
                .iter()
                .map(|account| (&account.region, &account.name))
                .chain(
                    world
                        .endpoints
                        .iter()
                        .map(|endpoint| (&endpoint.region, &endpoint.name)),
                )
                .any(|(place, each)| place == region && each.eq_ignore_ascii_case(name));
            if known {
                Ok(Scope::one(region, name))
            } else {
                Err((404, format!("No account or endpoint '{name}' in {region}.")))
            }
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
        "garbage" => Fault::Garbage,
        "stuck" => Fault::Stuck(millis(STUCK_MS)),
        "drop" => Fault::Drop,
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

fn wants_json(call: &Call) -> bool {
    call.query("format") == Some("json")
        || call
            .header("accept")
            .is_some_and(|accept| accept.contains("application/json"))
}

fn overview(state: &State, call: &Call) -> Response {
    if wants_json(call) {
        call::json(200, &overview_json(state))
    } else {
        call::text(200, overview_text(state))
    }
}

/// Accounts and endpoints in a region.
fn population(state: &State, region: &str) -> (usize, usize) {
    let world = &state.world;
    let accounts = world.accounts.iter().filter(|each| each.region == region);
    let endpoints = world.endpoints.iter().filter(|each| each.region == region);
    (accounts.count(), endpoints.count())
}

fn overview_json(state: &State) -> Value {
    let regions: Vec<Value> = state
        .world
        .regions
        .iter()
        .map(|region| {
            let (accounts, endpoints) = population(state, &region.name);
            json!({
                "name": region.name,
                "displayName": region.display,
                "accounts": accounts,
                "endpoints": endpoints,
            })
        })
        .collect();
    json!({
        "regions": regions,
        "faults": state.board.lines(),
        "counters": state.tally.lines(),
        "inFlight": state.tally.in_flight(),
        "peakInFlight": state.tally.peak(),
    })
}

fn overview_text(state: &State) -> String {
    let mut page = String::from("Regions\n");
    for region in &state.world.regions {
        let (accounts, endpoints) = population(state, &region.name);
        let _ = writeln!(
            page,
            "  {:<20} {accounts} Video Indexer accounts, {endpoints} HTTP endpoints",
            region.name
        );
    }
    page.push_str("Faults\n");
    let faults = state.board.lines();
    if faults.is_empty() {
        page.push_str("  none\n");
    }
    for line in faults {
        let left = line
            .requests_left
            .map_or_else(String::new, |left| format!(", {left} more"));
        let _ = writeln!(
            page,
            "  {:<14} {:<30} {}{left}",
            line.service, line.scope, line.fault
        );
    }
    page.push_str("Requests\n");
    for line in state.tally.lines() {
        let statuses: Vec<String> = line
            .statuses
            .iter()
            .map(|(status, count)| match status {
                0 => format!("no answer: {count}"),
                _ => format!("{status}: {count}"),
            })
            .collect();
        let _ = writeln!(
            page,
            "  {:<10} {:<20} {:>8}   {}",
            line.kind.as_str(),
            line.region,
            line.requests,
            statuses.join(", ")
        );
    }
    let base = &state.base_url;
    let region = state
        .world
        .regions
        .first()
        .map_or("westeurope", |region| region.name.as_str());
    let _ = write!(
        page,
        "Try\n  curl -X POST {base}/sim/break/{region}\n  \
         curl -X POST '{base}/sim/break/{region}?service=videoIndexer&fault=slow&ms=7000'\n  \
         curl -X POST '{base}/sim/break/{GLOBAL}?service=identity'\n  \
         curl -X POST {base}/sim/mend\n  services: {}\n  faults: {}\n",
        list(&Service::ALL),
        Fault::NAMES.join(", ")
    );
    page
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
