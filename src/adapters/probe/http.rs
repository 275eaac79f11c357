//! An HTTP endpoint: is the answer the one that is expected, with the text that is expected, in time?
//!
//! | answer | outcome |
//! | --- | --- |
//! | a status in `expect_status`, with `expect_body` in it, in time | ok |
//! | the same, slower than the latency limit | degraded |
//! | a status in `expect_status`, without `expect_body`, or broken off | failed |
//! | 429 | throttled |
//! | 401, 403 | denied |
//! | 404, 410 | missing |
//! | any other status, redirects too: that is not the answer of a service that works | failed |
//! | none | failed |

use super::Finding;
use super::exchange::{Answer, Limits, NoAnswer, Search, get, millis};
use crate::adapters::http::{place, span};
use crate::model::policy::Policy;
use crate::model::sample::{Outcome, Reading, TokenFact};
use crate::model::spec::HttpSpec;

/// How much of a body is read, in bytes.
const BODY_LIMIT: usize = 1024 * 1024;

/// Asks the endpoint once.
pub async fn probe(http: &reqwest::Client, spec: &HttpSpec, policy: &Policy) -> Reading {
    let limits = Limits::start(policy);
    let mut search = Search::for_text(spec.expect_body.as_deref().unwrap_or_default(), BODY_LIMIT);
    let answer = get(http, &spec.url, None, limits, &mut search).await;
    let (finding, latency) = match answer {
        Ok(answer) => (judge(spec, &answer, search.found, limits), answer.latency),
        Err(NoAnswer { detail, latency }) => (Finding::new(Outcome::Failed, detail), latency),
    };
    Reading {
        outcome: finding.outcome,
        latency_ms: millis(latency),
        detail: finding.detail,
        host: place(&spec.url),
        token: TokenFact::NotNeeded,
    }
}

fn judge(spec: &HttpSpec, answer: &Answer, found: bool, limits: Limits) -> Finding {
    let status = answer.status;
    if spec.expect_status.contains(&status) {
        return match &answer.broken {
            Some(_) if found && spec.expect_body.is_some() => in_time(answer, limits),
            Some(broken) => Finding::new(Outcome::Failed, broken.clone()),
            None if !found => Finding::new(
                Outcome::Failed,
                format!("answered {status} without the text that is expected"),
            ),
            None => in_time(answer, limits),
        };
    }
    let outcome = match status {
        401 | 403 => Outcome::Denied,
        404 | 410 => Outcome::Missing,
        429 => return throttled(answer),
        _ => Outcome::Failed,
    };
    Finding::new(outcome, format!("answered {status}"))
}

/// Ok, or degraded by its slowness.
#[must_use]
pub fn in_time(answer: &Answer, limits: Limits) -> Finding {
    if answer.latency <= limits.latency {
        return Finding {
            outcome: Outcome::Ok,
            detail: None,
        };
    }
    Finding::new(
        Outcome::Degraded,
        format!(
            "took {}, more than {}",
            span(answer.latency),
            span(limits.latency)
        ),
    )
}

/// 429: alive, and asked too often. The next round asks again, whatever `Retry-After` says.
#[must_use]
pub fn throttled(answer: &Answer) -> Finding {
    let after = answer
        .retry_after
        .as_deref()
        .filter(|after| after.len() <= 40)
        .map(|after| format!(", try again after {after}"))
        .unwrap_or_default();
    Finding::new(
        Outcome::Throttled,
        format!("answered 429: asked too often{after}"),
    )
}
