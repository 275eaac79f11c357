//! The lookup: which account now. Answered in at most ten seconds, or a little after its wait is over.

use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::fault::Fault;
use super::gate::Ready;
use super::groups;
use super::input::{Params, Segments};
use crate::controller::lookup::{Lookup, Shown};
use crate::model::answer::AnswerAccounts;
use crate::model::name::GroupName;

/// The longest wait that may be asked for.
pub const WAIT_LIMIT: SignedDuration = SignedDuration::from_secs(120);
/// An answer leaves within ten seconds of when it is due, whatever the store does.
const ANSWER_LIMIT: Duration = Duration::from_millis(9_500);
/// A wait ends by now, even where more was allowed: at `functionTimeout` (two minutes) the host would kill the
/// handler with every other request in it. Whoever still wants to wait asks again.
const LONGEST_WAIT: Duration = Duration::from_secs(105);

/// The longest that a lookup takes, its wait included.
#[must_use]
pub const fn longest() -> Duration {
    ANSWER_LIMIT.saturating_add(LONGEST_WAIT)
}
/// A client may go on with an old answer for a day while nobody here answers at all.
const CACHE: HeaderValue = HeaderValue::from_static("max-age=5, stale-if-error=86400");
/// What it is written in.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    group: &'a GroupName,
    generation: u64,
    site: &'a str,
    region: &'a str,
    since: Timestamp,
    ready: bool,
    moving: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<Timestamp>,
    accounts: &'a AnswerAccounts,
}

/// `GET groups/{group}/active`.
///
/// # Errors
/// 404 for an unknown group, 400 for a bad parameter, 503 where nothing is known and the store is silent.
pub async fn door(
    Ready(app): Ready,
    Segments(group): Segments<String>,
    request: Request,
) -> Result<Response, Fault> {
    let group = groups::name(&group)?;
    let asked = Asked::read(&Params::of(request.uri()))?;
    let controller = &app.controller;
    // Before anything is set up for waiting.
    if asked.after.is_none()
        && let Some(found) = controller.lookup_at_hand(&group, asked.min)?
    {
        return answer(&group, &found, request.headers());
    }
    let limit = ANSWER_LIMIT.saturating_add(asked.wait);
    let looking = async {
        match asked.after {
            Some(after) => {
                controller
                    .lookup_after(&group, asked.min, after, asked.wait)
                    .await
            }
            None => controller.lookup(&group, asked.min).await,
        }
    };
    let found = tokio::time::timeout(limit, looking)
        .await
        .map_err(|_| Fault::store("the store did not answer in time"))??;
    answer(&group, &found, request.headers())
}

/// What a lookup's query asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The answer must not be older than this generation.
    pub min: Option<u64>,
    /// Answer when the generation has passed this one.
    pub after: Option<u64>,
    /// How long to wait for that; zero where nothing is waited for.
    pub wait: Duration,
}

impl Asked {
    /// Reads a query.
    ///
    /// # Errors
    /// 400 for a parameter that is no number or duration, given twice, too long, or without the one it needs.
    pub fn read(params: &Params) -> Result<Self, Fault> {
        let after = params.number("after")?;
        let wait = params.duration("wait")?;
        if wait.is_some_and(|wait| wait > WAIT_LIMIT) {
            return Err(Fault::invalid_at(
                "wait",
                format!(
                    "`wait` is longer than {} s: ask again instead",
                    WAIT_LIMIT.as_secs()
                ),
            ));
        }
        if wait.is_some() && after.is_none() {
            return Err(Fault::invalid_at(
                "wait",
                "`wait` needs `after`, the generation that you already know",
            ));
        }
        Ok(Self {
            min: params.number("min")?,
            after,
            wait: wait
                .map_or(Duration::ZERO, SignedDuration::unsigned_abs)
                .min(LONGEST_WAIT),
        })
    }
}

fn answer(group: &GroupName, found: &Lookup, headers: &HeaderMap) -> Result<Response, Fault> {
    let shown = found.shown(|| show(group, found))?;
    let mut response = if is_known(headers, &shown.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, JSON)], shown.body).into_response()
    };
    let value = HeaderValue::from_str(&shown.etag).map_err(|_| Fault::internal())?;
    response.headers_mut().insert(header::ETAG, value);
    response.headers_mut().insert(header::CACHE_CONTROL, CACHE);
    Ok(response)
}

fn show(group: &GroupName, found: &Lookup) -> Result<Shown, Fault> {
    let state = found.state();
    let mut body = Body {
        group,
        generation: state.generation,
        site: state.active().as_str(),
        region: &state.answer.region,
        since: state.since,
        ready: state.is_ready(),
        moving: state.moving.is_some(),
        stale: None,
        as_of: None,
        accounts: &state.answer.accounts,
    };
    let etag = etag(found, &body)?;
    body.stale = Some(found.stale);
    body.as_of = Some(found.as_of());
    let body = serde_json::to_vec(&body).map_err(|_| Fault::internal())?;
    Ok(Shown {
        etag,
        body: body.into(),
    })
}

/// The generation, and the record's count of changes within it. A group that has no row yet starts anew in
/// every process, so its tag is told by the body itself.
fn etag(found: &Lookup, body: &Body<'_>) -> Result<String, Fault> {
    let state = found.state();
    if !found.is_recorded() {
        let bytes = serde_json::to_vec(body).map_err(|_| Fault::internal())?;
        let digest = Sha256::digest(bytes);
        let mark: String = digest
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        return Ok(format!("\"{}-{mark}\"", state.generation));
    }
    Ok(match state.revision {
        0 => format!("\"{}\"", state.generation),
        revision => format!("\"{}-{revision}\"", state.generation),
    })
}

/// Whether the client has this body already (RFC 9110, 13.1.2: weak comparison, a list, or `*`).
#[must_use]
pub fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}
