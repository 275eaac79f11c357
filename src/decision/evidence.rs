//! How rounds become evidence: windows, streaks, and when an account is given up or trusted again.
//!
//! | outcome | failures | recoveries |
//! | --- | --- | --- |
//! | ok | reset | grow |
//! | degraded, throttled | reset | stay |
//! | failed | grow | reset |
//! | denied, missing, unknown | stay | stay |

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::reading::judge;
use crate::model::evidence::{AccountEvidence, GroupEvidence, Unhealthy};
use crate::model::name::ByAccount;
use crate::model::policy::Policy;
use crate::model::sample::{Outcome, Round, Sample};
use crate::model::verdict::Verdict;

/// A sample older than this many intervals says nothing any more.
const STALE_AFTER_INTERVALS: i32 = 3;

/// No round is folded later than this after it began: the platform kills a run after two minutes. One
/// that seems older shows that the clock was set back.
const CLOCK_WAS_SET_BACK: SignedDuration = SignedDuration::from_mins(5);

/// Whether a round started at `start` counts: at least three quarters of the interval have passed
/// since the start of the last one that counted. Timers jitter; a strict interval would skip rounds.
#[must_use]
pub fn counts(counted_at: Option<Timestamp>, start: Timestamp, policy: &Policy) -> bool {
    match counted_at {
        None => true,
        Some(last) => start.duration_since(last) >= policy.probe_interval.saturating_mul(3) / 4,
    }
}

/// Whether a sample still says something at `now`. Its age counts from its end, so that an answer that
/// was long in coming, or never came, is not old when it is first looked at. One from further ahead than
/// an interval comes from a clock that has been wrong, and says nothing either.
#[must_use]
pub fn is_fresh(sample: &Sample, now: Timestamp, policy: &Policy) -> bool {
    now.duration_since(ended_at(sample)) <= stale_after(policy)
        && now.duration_since(sample.at) >= -policy.probe_interval
}

/// When the answer came, or was no longer waited for.
fn ended_at(sample: &Sample) -> Timestamp {
    let latency = SignedDuration::from_millis(sample.latency_ms.into());
    sample.at.checked_add(latency).unwrap_or(sample.at)
}

/// How old a sample may be.
#[must_use]
pub fn stale_after(policy: &Policy) -> SignedDuration {
    policy.probe_interval.saturating_mul(STALE_AFTER_INTERVALS)
}

/// The evidence after one more round. A round that is not newer than the newest one changes nothing,
/// so folding one twice does no harm; one that comes too early is the newest, but counts for no window.
#[must_use]
pub fn fold(before: Option<&GroupEvidence>, round: &Round, policy: &Policy) -> GroupEvidence {
    let start = round.started_at;
    let mut after = before.cloned().unwrap_or_else(|| GroupEvidence {
        newest_at: start,
        asked_twice: round.asked_twice,
        counted_at: None,
        unbroken_since: start,
        accounts: ByAccount::new(),
    });
    if after.newest_at.duration_since(start) > CLOCK_WAS_SET_BACK {
        set_back(&mut after, start);
    } else if before.is_some() && start <= after.newest_at {
        return after;
    }
    let seen_until = after
        .accounts
        .values()
        .map(|account| ended_at(&account.newest))
        .max()
        .map_or(after.newest_at, |ended| ended.max(after.newest_at));
    if start.duration_since(seen_until) > stale_after(policy) {
        after.unbroken_since = start;
    }
    let counted = counts(after.counted_at, start, policy);
    for (key, (outcome, detail)) in judge(round, policy) {
        let Some(reading) = round.readings.get(&key) else {
            continue;
        };
        let sample = Sample {
            at: start,
            outcome,
            latency_ms: reading.latency_ms,
            detail,
            host: reading.host.clone(),
        };
        let account = after
            .accounts
            .entry(key)
            .or_insert_with(|| never_seen(sample.clone()));
        account.newest = sample.clone();
        take_over(&mut account.hosts, &reading.streaming.hosts);
        take_over(&mut account.states, &reading.streaming.states);
        stand(account);
        if counted {
            count(account, &sample, policy);
        }
        keep_well_since(account, start);
    }
    after
        .accounts
        .retain(|key, _| round.readings.contains_key(key));
    after.newest_at = start;
    after.asked_twice = round.asked_twice;
    if counted {
        after.counted_at = Some(start);
    }
    after
}

/// Evidence from a clock that ran ahead would shut out every round until the clock gets there again.
/// What was learned stays, but no time in it may lie after this round, and nothing waits any longer
/// for having been seen earlier.
fn set_back(evidence: &mut GroupEvidence, start: Timestamp) {
    evidence.newest_at = start;
    evidence.counted_at = None;
    evidence.unbroken_since = start;
    for (_, account) in evidence.accounts.iter_mut() {
        account.first_failed_at = account.first_failed_at.map(|at| at.min(start));
        account.well_since = None;
        if let Some(unhealthy) = &mut account.unhealthy {
            unhealthy.since = unhealthy.since.min(start);
            unhealthy.first_failed_at = unhealthy.first_failed_at.min(start);
        }
    }
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
        hosts: BTreeMap::new(),
        states: BTreeMap::new(),
    }
}

/// What was seen now replaces what was; what was not seen now stays.
fn take_over(known: &mut BTreeMap<String, String>, seen: &BTreeMap<String, String>) {
    for (name, text) in seen {
        if known.get(name) != Some(text) {
            known.insert(name.clone(), text.clone());
        }
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
    // Only a failure makes unhealthy: not an answer that comes after the threshold was lowered.
    let fails = sample.outcome == Outcome::Failed && failed >= policy.fail_threshold as usize;
    if account.unhealthy.is_none() && fails {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::{AccountKey, ByAccount, Service};
    use crate::model::sample::{Reading, Streaming, TokenFact};

    fn round(second: i64, outcome: Outcome) -> Round {
        let key = AccountKey {
            site: "west".into(),
            service: Service::Http,
            name: "web".to_owned(),
        };
        let reading = Reading {
            outcome,
            latency_ms: 1,
            detail: None,
            host: "web.example:443".to_owned(),
            token: TokenFact::NotNeeded,
            streaming: Streaming::default(),
        };
        Round {
            started_at: Timestamp::from_second(second).unwrap(),
            asked_twice: false,
            control_failed: None,
            must_run: None,
            readings: ByAccount::from_iter([(key, reading)]),
        }
    }

    fn after(rounds: &[Round]) -> GroupEvidence {
        let policy = Policy::default();
        let mut evidence = None;
        for round in rounds {
            evidence = Some(fold(evidence.as_ref(), round, &policy));
        }
        evidence.unwrap()
    }

    #[test]
    fn folding_a_round_twice_changes_nothing() {
        let once = after(&[round(0, Outcome::Ok), round(30, Outcome::Failed)]);
        let twice = fold(Some(&once), &round(30, Outcome::Failed), &Policy::default());
        assert_eq!(once, twice);
    }

    #[test]
    fn the_state_of_a_streaming_endpoint_stays_until_it_is_read_again() {
        let policy = Policy::default();
        let mut evidence = None;
        for (second, read, expected) in [
            (0, Some("Stopped"), Some("Stopped")),
            (30, None, Some("Stopped")),
            (60, Some("Running"), Some("Running")),
            (90, None, Some("Running")),
        ] {
            let mut round = round(second, Outcome::Ok);
            for (_, reading) in round.readings.iter_mut() {
                let read = read.map(|state: &str| ("default".to_owned(), state.to_owned()));
                reading.streaming.states = read.into_iter().collect();
            }
            let after = fold(evidence.as_ref(), &round, &policy);
            let account = after.accounts.values().next().unwrap();
            let known = account.states.get("default").map(String::as_str);
            assert_eq!(known, expected, "{second}");
            evidence = Some(after);
        }
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_shut_rounds_out() {
        let ahead = [round(7200, Outcome::Failed), round(7230, Outcome::Failed)];
        let mut rounds = ahead.to_vec();
        rounds.push(round(0, Outcome::Failed));
        let evidence = after(&rounds);
        let start = Timestamp::from_second(0).unwrap();
        let account = evidence.accounts.values().next().unwrap();
        assert_eq!(evidence.newest_at, start);
        assert_eq!(evidence.unbroken_since, start);
        assert_eq!(account.failures, 3, "what was learned stays");
        assert_eq!(account.unhealthy.unwrap().since, start);
        assert_eq!(account.first_failed_at, Some(start));
    }

    #[test]
    fn a_round_of_at_most_five_minutes_ago_is_only_late() {
        let known = after(&[round(400, Outcome::Failed)]);
        let policy = Policy::default();
        let late = fold(Some(&known), &round(100, Outcome::Ok), &policy);
        assert_eq!(late, known);
        let set_back = fold(Some(&known), &round(99, Outcome::Ok), &policy);
        assert_eq!(set_back.newest_at, Timestamp::from_second(99).unwrap());
    }

    #[test]
    fn an_answer_that_was_long_in_coming_is_not_old_when_it_is_there() {
        let policy = Policy {
            probe_interval: SignedDuration::from_secs(1),
            ..Policy::default()
        };
        let mut slow = round(0, Outcome::Failed);
        for (_, reading) in slow.readings.iter_mut() {
            reading.latency_ms = 10_000;
        }
        let evidence = fold(None, &slow, &policy);
        let sample = &evidence.accounts.values().next().unwrap().newest;
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(is_fresh(sample, at(10), &policy));
        assert!(is_fresh(sample, at(13), &policy));
        assert!(!is_fresh(sample, at(14), &policy), "three intervals after");
        let next = fold(Some(&evidence), &round(13, Outcome::Failed), &policy);
        assert_eq!(next.unbroken_since, at(0), "the round itself is no gap");
        let later = fold(Some(&evidence), &round(14, Outcome::Failed), &policy);
        assert_eq!(later.unbroken_since, at(14));
    }

    #[test]
    fn lowering_the_threshold_does_not_make_an_answer_a_failure() {
        let before = after(&[round(0, Outcome::Failed), round(30, Outcome::Failed)]);
        let strict = Policy {
            fail_threshold: 2,
            ..Policy::default()
        };
        let evidence = fold(Some(&before), &round(60, Outcome::Ok), &strict);
        assert!(
            evidence
                .accounts
                .values()
                .all(|seen| seen.unhealthy.is_none())
        );
    }

    #[test]
    fn the_longest_interval_overflows_nothing() {
        let policy = Policy {
            probe_interval: SignedDuration::MAX,
            ..Policy::default()
        };
        let at = Timestamp::from_second(0).unwrap();
        let evidence = after(&[round(0, Outcome::Ok)]);
        let sample = &evidence.accounts.values().next().unwrap().newest;
        assert!(!counts(Some(at), at, &policy));
        assert!(is_fresh(sample, at, &policy));
    }
}
