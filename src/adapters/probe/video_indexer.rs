//! A Video Indexer account: its list of videos, asked for with the account's own token.
//!
//! | answer | outcome |
//! | --- | --- |
//! | 200 with a list, in time | ok |
//! | the same, slower than the latency limit | degraded |
//! | videos unfinished for longer than `stuck_after` while none finishes | degraded, or failed by `stuck_fails` |
//! | 200 with anything else, broken off, a redirect, 408, 5xx, none at all | failed |
//! | 429 | throttled |
//! | 401, 403 with a token from memory | one more attempt with a new one |
//! | 401, 403 with a new token, any other 4xx | denied |
//! | 404, 410; or denied while ARM knows no such account | missing |
//! | none, as its URL or token cannot be sent | unknown |
//!
//! An account id that does not exist often answers 401 `USER_NOT_ALLOWED`, not 404: both are for people.
//!
//! Without a token, because ARM or the identity endpoint failed or the account's turn to be minted for has not come:
//!
//! | answer | outcome |
//! | --- | --- |
//! | 4xx: the front door is alive | unknown |
//! | 5xx, a redirect, 200 with anything but a list, none at all | failed |
//!
//! ARM's refusal to mint is denied, its 404 missing: nothing else is asked then.

use std::time::Duration;

use url::Url;

use super::exchange::{Answer, Kept, Limits, get, millis};
use super::http::{in_time, throttled};
use super::stuck::Tally;
use super::witness::{Said, Witness};
use super::{Finding, Tools};
use crate::adapters::azure::account_token::{NoToken, held_fact};
use crate::adapters::azure::keeper::Got;
use crate::adapters::http::{place, plain};
use crate::model::policy::Policy;
use crate::model::sample::{Outcome, Reading, Streaming, TokenFact};
use crate::model::secret::Secret;
use crate::model::spec::VideoIndexerSpec;

/// Videos on the first page. Enough to see whether the account finishes what it gets.
const PAGE: usize = 25;

/// Videos on the second page, which is asked for only where all on the first are new and unfinished.
const SECOND_PAGE: usize = 100;

/// How much of a list is read, in bytes. A video's entry has about a kilobyte.
const LIST_LIMIT: usize = 2 * 1024 * 1024;

/// How long ARM's second voice is waited for.
const WITNESS_LIMIT: Duration = Duration::from_secs(2);

/// One probe of one account.
struct Probe<'a> {
    tools: &'a Tools,
    spec: &'a VideoIndexerSpec,
    url: Url,
    limits: Limits,
}

/// What one request for the list brought.
struct Heard {
    finding: Finding,
    latency: Duration,
    /// The status, where there is one.
    status: u16,
    videos: Option<Vec<serde_json::Value>>,
}

/// Asks the account once, or twice where its token turns out to be stale.
pub async fn probe(
    tools: &Tools,
    region: &str,
    spec: &VideoIndexerSpec,
    policy: &Policy,
) -> Reading {
    let limits = Limits::start(policy);
    let reading = |finding: Finding, latency: Duration, token: TokenFact| Reading {
        outcome: finding.outcome,
        latency_ms: millis(latency),
        detail: finding.detail,
        host: place(&spec.api_base),
        token,
        streaming: Streaming::default(),
    };
    let Some(url) = list_url(region, spec) else {
        let finding = Finding::new(Outcome::Unknown, "api_base is not a URL".to_owned());
        return reading(finding, Duration::ZERO, TokenFact::NotNeeded);
    };
    let probe = Probe {
        tools,
        spec,
        url,
        limits,
    };
    let (finding, latency, token) = match tools.tokens.get(spec, limits.timeout / 2).await {
        Ok(got) => probe.with_token(got).await,
        Err(no_token) => probe.without_token(no_token).await,
    };
    let finding = probe.hear_witness(finding, &token).await;
    reading(finding, latency, token)
}

impl Probe<'_> {
    async fn with_token(&self, got: Got) -> (Finding, Duration, TokenFact) {
        let secret = got.held.token.secret.clone();
        let fact = held_fact(self.spec, &got.held);
        let first = self.list(Some(&secret)).await;
        if !matches!(first.status, 401 | 403) {
            return (self.work(&first, &secret).await, first.latency, fact);
        }
        let tokens = &self.tools.tokens;
        if got.fresh {
            tokens.note_refused(self.spec, &secret);
            return (first.finding, first.latency, fact);
        }
        if tokens.was_refused(self.spec, &secret) {
            return (first.finding, first.latency, fact);
        }
        let limit = self.limits.left() / 2;
        match tokens.instead_of(self.spec, &secret, limit).await {
            Ok(next) => {
                let secret = next.held.token.secret.clone();
                let fact = held_fact(self.spec, &next.held);
                let second = self.list(Some(&secret)).await;
                if matches!(second.status, 401 | 403) {
                    tokens.note_refused(self.spec, &secret);
                }
                (self.work(&second, &secret).await, second.latency, fact)
            }
            Err(no_token) => {
                if first.status == 401 {
                    tokens.forget(self.spec, &secret);
                }
                let fact = tokens.fact(self.spec, &no_token);
                (refused_or(no_token, &first), first.latency, fact)
            }
        }
    }

    async fn without_token(&self, no_token: NoToken) -> (Finding, Duration, TokenFact) {
        let fact = self.tools.tokens.fact(self.spec, &no_token);
        let why = match no_token {
            NoToken::Denied(line) => {
                return (Finding::new(Outcome::Denied, line), Duration::ZERO, fact);
            }
            NoToken::Missing(line) => {
                return (Finding::new(Outcome::Missing, line), Duration::ZERO, fact);
            }
            NoToken::Unavailable(line) | NoToken::Waiting(line) => line,
        };
        let heard = self.list(None).await;
        let finding = match heard.status {
            408 => heard.finding,
            400..500 => Finding::new(Outcome::Unknown, front_door(&why, heard.status)),
            _ => heard.finding,
        };
        (finding, heard.latency, fact)
    }

    /// One request for the newest videos.
    async fn list(&self, token: Option<&Secret>) -> Heard {
        let mut kept = Kept::up_to(LIST_LIMIT);
        let answer = get(
            &self.tools.http,
            self.url.as_str(),
            token,
            self.limits,
            &mut kept,
        )
        .await;
        match answer {
            Ok(answer) => judge(&answer, &kept, token, self.limits),
            Err(none) => Heard {
                finding: Finding::new(none.outcome, none.detail),
                latency: none.latency,
                status: 0,
                videos: None,
            },
        }
    }

    /// Looks at the videos of an answer that is well: does the account finish what it gets?
    async fn work(&self, heard: &Heard, token: &Secret) -> Finding {
        let Some(videos) = &heard.videos else {
            return heard.finding.clone();
        };
        let (now, limit) = (self.tools.clock.now(), self.spec.stuck_after);
        let mut tally = Tally::default();
        tally.count(videos, now, limit);
        if tally.wants_more() && videos.len() >= PAGE {
            tally.count(&self.older(token).await, now, limit);
        }
        let outcome = if self.spec.stuck_fails {
            Outcome::Failed
        } else {
            Outcome::Degraded
        };
        match tally.stuck(limit) {
            Some(line) => Finding::new(outcome, line),
            None => heard.finding.clone(),
        }
    }

    /// The videos of the second page; none if it cannot be had, as the first page was well.
    async fn older(&self, token: &Secret) -> Vec<serde_json::Value> {
        let mut url = self.url.clone();
        url.set_query(Some(&format!("pageSize={SECOND_PAGE}&skip={PAGE}")));
        let mut kept = Kept::up_to(LIST_LIMIT);
        let http = &self.tools.http;
        let answer = get(http, url.as_str(), Some(token), self.limits, &mut kept).await;
        match answer {
            Ok(answer) if answer.status == 200 && answer.broken.is_none() => {
                videos(&kept.bytes).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// Adds what ARM says. It turns a refusal into missing where ARM knows no such account, and changes no other
    /// outcome.
    async fn hear_witness(&self, finding: Finding, token: &TokenFact) -> Finding {
        let witness: &Witness = &self.tools.witness;
        let suspicious = match finding.outcome {
            Outcome::Ok | Outcome::Degraded | Outcome::Throttled => false,
            Outcome::Failed | Outcome::Denied => true,
            // What ARM has said already, or cannot say now, is not asked again.
            Outcome::Missing | Outcome::Unknown => return finding,
        };
        if !suspicious {
            return match witness.routine(self.spec) {
                Some(said) => finding.with(said.complaint(self.spec)),
                None => finding,
            };
        }
        if matches!(token, TokenFact::Unavailable { .. } | TokenFact::Absent) {
            return finding;
        }
        let limit = self.limits.left().min(WITNESS_LIMIT);
        match witness.on_suspicion(self.spec, limit).await {
            None => finding,
            Some(said) => {
                let is_denied = finding.outcome == Outcome::Denied;
                let is_gone = is_denied && said == Said::Unknown;
                // That the account is there explains a refusal; of an outage it explains nothing.
                let more = if is_denied {
                    Some(said.line(self.spec))
                } else {
                    said.complaint(self.spec)
                };
                let finding = finding.with(more);
                if is_gone {
                    return Finding {
                        outcome: Outcome::Missing,
                        ..finding
                    };
                }
                finding
            }
        }
    }
}

fn list_url(region: &str, spec: &VideoIndexerSpec) -> Option<Url> {
    let mut url = Url::parse(&spec.api_base).ok()?;
    url.path_segments_mut().ok()?.pop_if_empty().extend([
        region,
        "Accounts",
        spec.account_id.as_str(),
        "Videos",
    ]);
    url.set_query(Some(&format!("pageSize={PAGE}")));
    Some(url)
}

/// Judges one answer by itself.
fn judge(answer: &Answer, kept: &Kept, token: Option<&Secret>, limits: Limits) -> Heard {
    let status = answer.status;
    let mut list = None;
    let finding = match status {
        200..300 => match (&answer.broken, videos(&kept.bytes)) {
            (Some(broken), _) => Finding::new(Outcome::Failed, broken.clone()),
            (None, _) if kept.cut && kept.bytes.first() == Some(&b'{') => Finding::new(
                Outcome::Degraded,
                format!(
                    "answered {PAGE} videos with more than {} MiB",
                    LIST_LIMIT >> 20
                ),
            ),
            (None, None) => Finding::new(
                Outcome::Failed,
                format!("answered {status} with something that is not a list of videos"),
            ),
            (None, Some(videos)) => {
                list = Some(videos);
                in_time(answer, limits)
            }
        },
        429 => throttled(answer),
        _ => {
            let outcome = match status {
                404 | 410 => Outcome::Missing,
                408 => Outcome::Failed,
                400..500 => Outcome::Denied,
                _ => Outcome::Failed,
            };
            Finding::new(
                outcome,
                format!("answered {status}{}", reason(&kept.bytes, token)),
            )
        }
    };
    Heard {
        finding,
        latency: answer.latency,
        status,
        videos: list,
    }
}

/// The videos of a list; `None` if it is not the service's.
fn videos(body: &[u8]) -> Option<Vec<serde_json::Value>> {
    #[derive(serde::Deserialize)]
    struct List {
        results: Vec<serde_json::Value>,
    }
    serde_json::from_slice::<List>(body)
        .ok()
        .map(|list| list.results)
}

/// `: ERROR_TYPE: message` of the service's error body, if it is one.
fn reason(body: &[u8], token: Option<&Secret>) -> String {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let secret = token.map(Secret::reveal).unwrap_or_default();
    ["ErrorType", "Message"]
        .iter()
        .filter_map(|name| json.get(name)?.as_str())
        .filter(|text| !text.is_empty())
        .map(|text| format!(": {}", plain(text, &[secret])))
        .collect()
}

fn front_door(why: &str, status: u16) -> String {
    format!("no token ({why}); its front door is alive and answered {status}")
}

/// The account refused a token from memory, and there is no new one: what of that is for people?
fn refused_or(no_token: NoToken, first: &Heard) -> Finding {
    match no_token {
        NoToken::Denied(line) => Finding::new(Outcome::Denied, line),
        NoToken::Missing(line) => Finding::new(Outcome::Missing, line),
        NoToken::Unavailable(line) | NoToken::Waiting(line) => {
            Finding::new(Outcome::Unknown, front_door(&line, first.status))
        }
    }
}
