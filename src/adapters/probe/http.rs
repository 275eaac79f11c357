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
//! | none, as its URL cannot be asked | unknown |

use super::Finding;
use super::exchange::{Answer, Limits, Search, get, millis};
use crate::adapters::http::{place, span};
use crate::model::policy::Policy;
use crate::model::sample::{Outcome, Reading, Streaming, TokenFact};
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
        Err(none) => (Finding::new(none.outcome, none.detail), none.latency),
    };
    Reading {
        outcome: finding.outcome,
        latency_ms: millis(latency),
        detail: finding.detail,
        host: place(&spec.url),
        token: TokenFact::NotNeeded,
        streaming: Streaming::default(),
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

/// The date of HTTP, `Wed, 25 Nov 2026 03:00:00 GMT`, of which every byte has its place (RFC 9110, IMF-fixdate).
const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// What `Retry-After` may be, seconds or a date, written anew from what was read. Anything else is somebody's text,
/// which may repeat our token.
fn delay(text: &str) -> Option<String> {
    let is_seconds =
        (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_seconds {
        return text
            .parse::<u32>()
            .ok()
            .map(|seconds| format!("{seconds} s"));
    }
    let date = jiff::civil::DateTime::strptime(HTTP_DATE, text).ok()?;
    let written = date.strftime(HTTP_DATE).to_string();
    // The parser bears blanks and letter case that the format does not have.
    (written == text).then_some(written)
}

/// 429: alive, and asked too often. The next round asks again, whatever `Retry-After` says.
#[must_use]
pub fn throttled(answer: &Answer) -> Finding {
    let after = answer
        .retry_after
        .as_deref()
        .and_then(delay)
        .map(|after| format!(", try again after {after}"))
        .unwrap_or_default();
    Finding::new(
        Outcome::Throttled,
        format!("answered 429: asked too often{after}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_seconds_or_a_date() {
        let date = "Wed, 25 Nov 2026 03:00:00 GMT";
        for (text, expected) in [
            ("7", Some("7 s")),
            ("0120", Some("120 s")),
            (date, Some(date)),
            ("", None),
            ("-1", None),
            ("1234567890", None),
            ("Bearer eyJhbGciOi", None),
            ("Wed, 25 Nov 2026 03:00:00 GMT (Bearer hunter2)", None),
            ("(Bearer hunter2) Wed, 25 Nov 2026 03:00:00 GMT", None),
            ("Wed,  25 Nov 2026 03:00:00 GMT", None),
            ("Thu, 25 Nov 2026 03:00:00 GMT", None),
            ("Wed, 25 Nov 2026 03:00:00 +0000", None),
        ] {
            assert_eq!(delay(text).as_deref(), expected, "{text}");
        }
    }
}
