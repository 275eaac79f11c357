//! How rounds become evidence: windows, streaks, and when an account is given up or trusted again.
//!
//! | outcome | failures | recoveries |
//! | --- | --- | --- |
//! | ok | reset | grow |
//! | degraded, throttled | reset | stay |
//! | failed | grow | reset |
//! | denied, missing, unknown | stay | stay |

use jiff::{SignedDuration, Timestamp};

use super::reading::judge;
use crate::model::evidence::{AccountEvidence, GroupEvidence, Unhealthy};
use crate::model::policy::Policy;
use crate::model::sample::{Outcome, Round, Sample};
use crate::model::verdict::Verdict;

/// A sample older than this many intervals says nothing any more.
const STALE_AFTER_INTERVALS: i32 = 3;

/// Whether a round started at `start` counts: at least three quarters of the interval have passed
/// since the start of the last one that counted. Timers jitter; a strict interval would skip rounds.
#[must_use]
pub fn counts(counted_at: Option<Timestamp>, start: Timestamp, policy: &Policy) -> bool {
    match counted_at {
        None => true,
        Some(last) => start.duration_since(last) >= policy.probe_interval * 3 / 4,
    }
}

/// Whether a sample taken at `at` still says something at `now`.
#[must_use]
pub fn is_fresh(at: Timestamp, now: Timestamp, policy: &Policy) -> bool {
    now.duration_since(at) <= stale_after(policy)
}

/// How old a sample may be.
#[must_use]
pub fn stale_after(policy: &Policy) -> SignedDuration {
    policy.probe_interval * STALE_AFTER_INTERVALS
}

/// The evidence after one more round. A round that is older than the newest one changes no newest
/// sample; one that comes too early counts for no window; folding one twice changes nothing.
#[must_use]
pub fn fold(before: Option<&GroupEvidence>, round: &Round, policy: &Policy) -> GroupEvidence {
    let start = round.started_at;
    let counted = counts(before.and_then(|seen| seen.counted_at), start, policy);
    let newest = before.is_none_or(|seen| start > seen.newest_at);
    let mut after = before.cloned().unwrap_or_else(|| GroupEvidence {
        newest_at: start,
        counted_at: None,
        unbroken_since: start,
        accounts: std::collections::BTreeMap::new(),
    });
    if start.duration_since(after.newest_at) > stale_after(policy) {
        after.unbroken_since = start;
    }
    let judged = judge(round);
    for (key, reading) in &round.readings {
        let (outcome, detail) = judged
            .get(key)
            .cloned()
            .unwrap_or((reading.outcome, reading.detail.clone()));
        let sample = Sample {
            at: start,
            outcome,
            latency_ms: reading.latency_ms,
            detail,
            host: reading.host.clone(),
        };
        let account = after
            .accounts
            .entry(key.clone())
            .or_insert_with(|| never_seen(sample.clone()));
        if newest {
            account.newest = sample.clone();
            stand(account);
        }
        if counted {
            count(account, &sample, policy);
        }
        if newest || counted {
            keep_well_since(account, start);
        }
    }
    after
        .accounts
        .retain(|key, _| round.readings.contains_key(key));
    after.newest_at = after.newest_at.max(start);
    if counted {
        after.counted_at = Some(start);
    }
    after
}

fn never_seen(sample: Sample) -> AccountEvidence {
    AccountEvidence {
        newest: sample,
        window: Vec::new(),
        failures: 0,
        recoveries: 0,
        standing: Verdict::Unknown,
        first_failed_at: None,
        unhealthy: None,
        well_since: None,
    }
}

/// What the newest sample makes of an account that is not unhealthy. A single failure changes nothing.
fn stand(account: &mut AccountEvidence) {
    account.standing = match account.newest.outcome {
        Outcome::Ok => Verdict::Healthy,
        Outcome::Degraded | Outcome::Throttled => Verdict::Degraded,
        Outcome::Denied | Outcome::Missing => Verdict::Misconfigured,
        Outcome::Unknown => Verdict::Unknown,
        Outcome::Failed => account.standing,
    };
}

/// One counted outcome: the streak, the window, and the two thresholds.
fn count(account: &mut AccountEvidence, sample: &Sample, policy: &Policy) {
    match sample.outcome {
        Outcome::Ok => {
            account.failures = 0;
            account.recoveries = account.recoveries.saturating_add(1);
        }
        Outcome::Degraded | Outcome::Throttled => account.failures = 0,
        Outcome::Failed => {
            account.failures = account.failures.saturating_add(1);
            account.recoveries = 0;
        }
        Outcome::Denied | Outcome::Missing | Outcome::Unknown => {}
    }
    if account.failures == 0 {
        account.first_failed_at = None;
    } else if account.first_failed_at.is_none() {
        account.first_failed_at = Some(sample.at);
    }
    account.window.push(sample.outcome);
    let surplus = account
        .window
        .len()
        .saturating_sub(policy.fail_window as usize);
    account.window.drain(..surplus);

    let failed = account
        .window
        .iter()
        .filter(|outcome| **outcome == Outcome::Failed)
        .count();
    if account.unhealthy.is_none() && failed >= policy.fail_threshold as usize {
        account.unhealthy = Some(Unhealthy {
            since: sample.at,
            first_failed_at: account.first_failed_at.unwrap_or(sample.at),
        });
    } else if account.unhealthy.is_some() && account.recoveries >= policy.recover_threshold {
        account.unhealthy = None;
        // Old failures must not count against an account that has just been trusted again.
        account.window.clear();
    }
}

fn keep_well_since(account: &mut AccountEvidence, start: Timestamp) {
    let is_well = account.unhealthy.is_none() && account.newest.outcome.is_alive();
    account.well_since = match (is_well, account.well_since) {
        (false, _) => None,
        (true, None) => Some(start),
        (true, Some(since)) => Some(since),
    };
}
