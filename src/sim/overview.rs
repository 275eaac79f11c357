//! What the panel shows: regions, accounts, what is broken, what was asked.

use std::fmt::Write as _;

use axum::response::Response;
use serde_json::{Value, json};

use super::State;
use super::call::{self, Call};
use super::faults::{Fault, Service};
use super::panel::{GLOBAL, list};

/// Operations that are shown.
const OPERATIONS: usize = 20;
/// Streaming endpoints and live events that the page for people shows.
const PARTS: usize = 40;

fn wants_json(call: &Call) -> bool {
    call.query("format") == Some("json")
        || call
            .header("accept")
            .is_some_and(|accept| accept.contains("application/json"))
}

/// `GET /sim`.
pub(super) fn answer(state: &State, call: &Call) -> Response {
    if wants_json(call) {
        call::json(200, &overview_json(state))
    } else {
        call::text(200, overview_text(state))
    }
}

/// Video Indexer accounts, Media Services accounts, and endpoints in a region.
fn population(state: &State, region: &str) -> [usize; 3] {
    let world = &state.world;
    let accounts = world.accounts.iter().filter(|each| each.region == region);
    let media = world.media.iter().filter(|each| each.region == region);
    let endpoints = world.endpoints.iter().filter(|each| each.region == region);
    [accounts.count(), media.count(), endpoints.count()]
}

fn overview_json(state: &State) -> Value {
    let regions: Vec<Value> = state
        .world
        .regions
        .iter()
        .map(|region| {
            let [accounts, media, endpoints] = population(state, &region.name);
            json!({
                "name": region.name,
                "displayName": region.display,
                "accounts": accounts,
                "mediaAccounts": media,
                "endpoints": endpoints,
            })
        })
        .collect();
    json!({
        "regions": regions,
        "media": state.media_parts(),
        "operations": state.operation_lines(OPERATIONS),
        "faults": state.board.lines(),
        "counters": state.tally.lines(),
        "inFlight": state.tally.in_flight(),
        "peakInFlight": state.tally.peak(),
    })
}

fn overview_text(state: &State) -> String {
    let mut page = String::from("Regions\n");
    for region in &state.world.regions {
        let [accounts, media, endpoints] = population(state, &region.name);
        let _ = writeln!(
            page,
            "  {:<20} {accounts} Video Indexer accounts, {media} Media Services accounts, \
             {endpoints} HTTP endpoints",
            region.name
        );
    }
    media_text(state, &mut page);
    faults_text(state, &mut page);
    requests_text(state, &mut page);
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
         curl -X POST '{base}/sim/break/{region}?service=mediaServices&kind=start&fault=throttle&times=1'\n  \
         curl -X POST '{base}/sim/break/{GLOBAL}?service=identity'\n  \
         curl -X POST {base}/sim/mend\n  services: {}\n  faults: {}\n",
        list(&Service::ALL),
        Fault::NAMES.join(", ")
    );
    page
}

fn media_text(state: &State, page: &mut String) {
    let parts = state.media_parts();
    if !parts.is_empty() {
        page.push_str("Media Services\n");
    }
    let more = parts.len().saturating_sub(PARTS);
    for line in parts.into_iter().take(PARTS) {
        let name = format!("{}/{}", line.region, line.account);
        let _ = writeln!(page, "  {name:<30} {:<30} {}", line.part, line.state);
    }
    if more > 0 {
        let _ = writeln!(page, "  and {more} more");
    }
}

fn faults_text(state: &State, page: &mut String) {
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
}

fn requests_text(state: &State, page: &mut String) {
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
}
