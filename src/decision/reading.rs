//! Weighs the readings of one round against each other: what a missing token, or a failed control
//! target, makes of what each probe saw by itself.
//!
//! | seen | outcome |
//! | --- | --- |
//! | no token, and its data plane answers 401 without one | unknown |
//! | the same, and it answers 5xx or not at all | failed |
//! | no token for this site, while another site's was minted at the same issuer since | failed |
//! | failed, and the control target failed too | unknown |
//! | failed only because its API is silent, as that is for another site and speaks for none; it was stopped before | degraded |
//! | something that streams does not run, on the active site | failed |
//! | the same on a site that is kept warm, or is being made ready | degraded |
//! | the same on a site that is kept cold | as it is |

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::model::name::{AccountKey, SiteName};
use crate::model::policy::{Policy, Standby};
use crate::model::sample::{ApiFact, Outcome, Reading, Round, TokenFact};

/// A witness that was minted this recently is not asked again. It bounds what witnesses cost to one
/// mint a minute for each site, however short the interval, and it bounds by the same minute how long
/// an issuer that has since failed for every site is taken for one that still mints.
const WITNESS_FOR: SignedDuration = SignedDuration::from_mins(1);

/// The outcome and detail of every account of the round.
#[must_use]
pub fn judge(round: &Round, policy: &Policy) -> BTreeMap<AccountKey, (Outcome, Option<String>)> {
    round
        .readings
        .iter()
        .map(|(key, reading)| (key.clone(), judge_one(round, key, reading, policy)))
        .collect()
}

fn judge_one(
    round: &Round,
    key: &AccountKey,
    reading: &Reading,
    policy: &Policy,
) -> (Outcome, Option<String>) {
    let (outcome, detail) = without_token(round, key, reading)
        .unwrap_or_else(|| (reading.outcome, reading.detail.clone()));
    if outcome == Outcome::Failed && round.control_failed == Some(true) {
        let suspicion =
            "the control target failed in the same round, so our own network is suspected";
        let said = join(detail, suspicion);
        return (Outcome::Unknown, Some(said));
    }
    let is_excused = outcome == Outcome::Failed && is_api_silent_for_all(round, key, reading);
    let (outcome, detail) = if is_excused {
        let said = "its API is silent for other sites as well, so that says nothing of this one";
        (Outcome::Degraded, Some(join(detail, said)))
    } else {
        (outcome, detail)
    };
    let streaming = &reading.streaming;
    if outcome.is_alive() && !(streaming.stopped.is_empty() && streaming.before.is_empty()) {
        let must_run = round.must_run.as_ref() == Some(&key.site);
        return not_running(outcome, detail, reading, must_run, policy.standby);
    }
    (outcome, detail)
}

/// An API which all sites share is silent for this account and for another site too, and speaks for none. What did not run
/// when it was last read is then taken to be as it was: a move there does not wait for ARM. Its streaming hosts and key
/// delivery say nothing against that. Its live events and jobs are read through that API, so nothing is known of them; if
/// stuck jobs had made it unhealthy, it stays so, since being degraded recovers nothing.
fn is_api_silent_for_all(round: &Round, key: &AccountKey, reading: &Reading) -> bool {
    let (true, ApiFact::Silent { base }) = (reading.streaming.as_it_was, &reading.streaming.api)
    else {
        return false;
    };
    let others = || {
        let others = round
            .readings
            .iter()
            .filter(|(other, _)| other.site != key.site);
        others.map(|(_, reading)| &reading.streaming.api)
    };
    others().any(|api| matches!(api, ApiFact::Silent { base: theirs } if theirs == base))
        && !others().any(|api| matches!(api, ApiFact::Answers { base: theirs } if theirs == base))
}

/// Somebody else may have stopped it, for good reasons: on a standby that only has to be known. On the active site
/// viewers get nothing.
fn not_running(
    outcome: Outcome,
    detail: Option<String>,
    reading: &Reading,
    must_run: bool,
    standby: Standby,
) -> (Outcome, Option<String>) {
    let streaming = &reading.streaming;
    let all: Vec<&str> = (streaming.stopped.iter().chain(&streaming.before))
        .map(String::as_str)
        .collect();
    let stopped = all.join(", ");
    if must_run && streaming.stopped.is_empty() {
        // It may run by now, and of the active site nothing is said that was not seen.
        return (outcome, Some(join(detail, &stopped)));
    }
    if must_run {
        let said = format!("{stopped}, and this site is active: start it");
        return (Outcome::Failed, Some(join(detail, &said)));
    }
    let said = join(detail, &stopped);
    match (standby, outcome) {
        (Standby::Warm, Outcome::Ok) => (Outcome::Degraded, Some(said)),
        _ => (outcome, Some(said)),
    }
}

/// The data plane answered a probe that had no token, so its front door is alive. That is unknown,
/// unless the issuer mints for other sites: then this site's clients get no token either.
///
/// Only `Unknown` is judged anew: a probe that still had a token of its own says what it saw, even
/// where asking for a newer one has failed since.
fn without_token(
    round: &Round,
    key: &AccountKey,
    reading: &Reading,
) -> Option<(Outcome, Option<String>)> {
    let TokenFact::Unavailable { since, issuer } = &reading.token else {
        return None;
    };
    if reading.outcome != Outcome::Unknown {
        return None;
    }
    let witness = round.readings.iter().find(|(other, held)| {
        other.site != key.site
            && matches!(&held.token, TokenFact::Held { minted_at, issuer: theirs }
                if theirs == issuer && minted_at >= since)
    });
    let (outcome, said) = match witness {
        Some((other, _)) => (
            Outcome::Failed,
            format!(
                "no token from {issuer} since {since}, while one was minted there for {}: clients of {} get none either",
                other.site, key.site
            ),
        ),
        None => (
            Outcome::Unknown,
            format!(
                "no token from {issuer} since {since}, and none was seen minted there for another site"
            ),
        ),
    };
    Some((outcome, Some(join(reading.detail.clone(), &said))))
}

fn join(detail: Option<String>, more: &str) -> String {
    detail.map_or_else(|| more.to_owned(), |detail| format!("{detail}; {more}"))
}

/// The accounts whose token should be asked for anew, so that this round knows whether the issuer
/// that gives one site none still mints for another. At most one for each site and issuer, and none
/// while a witness minted within the last minute is at hand.
#[must_use]
pub fn wants_witness(round: &Round) -> Vec<AccountKey> {
    let mut newest: BTreeMap<(&str, &SiteName), (Timestamp, &AccountKey)> = BTreeMap::new();
    let mut lacking: BTreeMap<&str, (Timestamp, BTreeSet<&SiteName>)> = BTreeMap::new();
    for (key, reading) in &round.readings {
        match &reading.token {
            TokenFact::NotNeeded | TokenFact::Absent => {}
            TokenFact::Held { minted_at, issuer } => {
                let best = newest
                    .entry((issuer, &key.site))
                    .or_insert((*minted_at, key));
                if *minted_at > best.0 {
                    *best = (*minted_at, key);
                }
            }
            TokenFact::Unavailable { since, issuer } if reading.outcome == Outcome::Unknown => {
                let (latest, sites) = lacking
                    .entry(issuer)
                    .or_insert_with(|| (*since, BTreeSet::new()));
                *latest = (*latest).max(*since);
                sites.insert(&key.site);
            }
            TokenFact::Unavailable { .. } => {}
        }
    }
    newest
        .into_iter()
        .filter(|((issuer, site), (minted_at, _))| {
            let Some((latest, sites)) = lacking.get(issuer) else {
                return false;
            };
            let serves_another = sites.iter().any(|lacks| lacks != site);
            let is_recent = round.started_at.duration_since(*minted_at) < WITNESS_FOR;
            serves_another && !(is_recent && minted_at >= latest)
        })
        .map(|(_, (_, key))| key.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::Service;
    use crate::model::sample::Streaming;

    const ARM: &str = "https://management.azure.com";

    fn key(site: &str, name: &str) -> AccountKey {
        AccountKey {
            site: site.into(),
            service: Service::VideoIndexer,
            name: name.to_owned(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn held(second: i64) -> TokenFact {
        TokenFact::Held {
            minted_at: at(second),
            issuer: ARM.to_owned(),
        }
    }

    fn unavailable(second: i64) -> TokenFact {
        TokenFact::Unavailable {
            since: at(second),
            issuer: ARM.to_owned(),
        }
    }

    fn round(start: i64, readings: &[(&str, &str, Outcome, TokenFact)]) -> Round {
        Round {
            started_at: at(start),
            asked_twice: false,
            control_failed: None,
            must_run: None,
            readings: readings
                .iter()
                .map(|(site, name, outcome, token)| {
                    let reading = Reading {
                        outcome: *outcome,
                        latency_ms: 1,
                        detail: Some("401 without a token".to_owned()),
                        host: "api.videoindexer.ai:443".to_owned(),
                        token: token.clone(),
                        streaming: Streaming::default(),
                    };
                    (key(site, name), reading)
                })
                .collect(),
        }
    }

    fn outcome(round: &Round, site: &str) -> Outcome {
        judge(round, &Policy::default())[&key(site, "vi")].0
    }

    #[test]
    fn a_witness_of_another_site_makes_a_missing_token_a_failure() {
        let seen = |minted| {
            round(
                100,
                &[
                    ("west", "vi", Outcome::Unknown, unavailable(50)),
                    ("north", "vi", Outcome::Ok, held(minted)),
                ],
            )
        };
        assert_eq!(outcome(&seen(49), "west"), Outcome::Unknown);
        assert_eq!(outcome(&seen(50), "west"), Outcome::Failed);
        assert_eq!(outcome(&seen(50), "north"), Outcome::Ok);
        let said = judge(&seen(50), &Policy::default())[&key("west", "vi")]
            .1
            .clone()
            .unwrap();
        assert!(said.contains("minted there for north"), "{said}");
        assert!(said.starts_with("401 without a token; "), "{said}");
    }

    #[test]
    fn neither_the_same_site_nor_another_issuer_is_a_witness() {
        let same_site = round(
            100,
            &[
                ("west", "vi", Outcome::Unknown, unavailable(50)),
                ("west", "vi2", Outcome::Ok, held(90)),
            ],
        );
        assert_eq!(outcome(&same_site, "west"), Outcome::Unknown);
        let mut elsewhere = round(
            100,
            &[
                ("west", "vi", Outcome::Unknown, unavailable(50)),
                ("north", "vi", Outcome::Ok, held(90)),
            ],
        );
        elsewhere
            .readings
            .get_mut(&key("north", "vi"))
            .unwrap()
            .token = TokenFact::Held {
            minted_at: at(90),
            issuer: "https://management.chinacloudapi.cn".to_owned(),
        };
        assert_eq!(outcome(&elsewhere, "west"), Outcome::Unknown);
        assert!(wants_witness(&elsewhere).is_empty());
    }

    #[test]
    fn a_probe_that_had_a_token_of_its_own_says_what_it_saw() {
        // north's token was asked for anew as a witness and refused; its cached one still served.
        let seen = round(
            100,
            &[
                ("east", "vi", Outcome::Ok, held(99)),
                ("north", "vi", Outcome::Ok, unavailable(98)),
                ("west", "vi", Outcome::Failed, unavailable(50)),
            ],
        );
        assert_eq!(outcome(&seen, "north"), Outcome::Ok);
        assert_eq!(outcome(&seen, "west"), Outcome::Failed);
    }

    #[test]
    fn a_failed_control_target_makes_failures_unknown_and_says_so() {
        let mut seen = round(
            100,
            &[
                ("west", "vi", Outcome::Failed, TokenFact::NotNeeded),
                ("north", "vi", Outcome::Ok, TokenFact::NotNeeded),
            ],
        );
        seen.control_failed = Some(false);
        assert_eq!(outcome(&seen, "west"), Outcome::Failed);
        seen.control_failed = Some(true);
        assert_eq!(outcome(&seen, "west"), Outcome::Unknown);
        assert_eq!(outcome(&seen, "north"), Outcome::Ok);
        let said = judge(&seen, &Policy::default())[&key("west", "vi")]
            .1
            .clone()
            .unwrap();
        assert!(said.contains("our own network is suspected"), "{said}");
    }

    #[test]
    fn as_few_witnesses_as_needed_are_asked() {
        let lacking = ("west", "vi", Outcome::Unknown, unavailable(50));
        let with = |others: &[(&'static str, &'static str, Outcome, TokenFact)]| {
            let mut all = vec![lacking.clone()];
            all.extend_from_slice(others);
            wants_witness(&round(100, &all))
        };
        // Two accounts of one site: one is enough, the one minted last.
        let two = [
            ("north", "vi", Outcome::Ok, held(10)),
            ("north", "vi2", Outcome::Ok, held(20)),
        ];
        assert_eq!(with(&two), [key("north", "vi2")]);
        // Minted since west's trouble began, and within the last minute: at hand.
        assert!(with(&[("north", "vi", Outcome::Ok, held(60))]).is_empty());
        // Minted within the last minute, but before the trouble began.
        assert_eq!(
            with(&[("north", "vi", Outcome::Ok, held(45))]),
            [key("north", "vi")]
        );
        // Minted a minute ago: no longer recent.
        let minute_ago = [
            ("west", "vi", Outcome::Unknown, unavailable(30)),
            ("north", "vi", Outcome::Ok, held(40)),
        ];
        let asked = wants_witness(&round(100, &minute_ago));
        assert_eq!(asked, [key("north", "vi")]);
        // A site that says by itself what it is needs no witness.
        let failed = [
            ("west", "vi", Outcome::Failed, unavailable(50)),
            ("north", "vi", Outcome::Ok, held(10)),
        ];
        assert!(wants_witness(&round(100, &failed)).is_empty());
        // The same site is no witness, and a site without any token cannot be asked.
        assert!(with(&[("west", "vi2", Outcome::Ok, held(10))]).is_empty());
        assert!(with(&[("north", "vi", Outcome::Unknown, unavailable(60))]).is_empty());
        // Nothing lacks a token: nobody is asked.
        let calm = round(100, &[("north", "vi", Outcome::Ok, held(10))]);
        assert!(wants_witness(&calm).is_empty());
    }

    #[test]
    fn an_issuer_that_has_since_failed_for_all_is_asked_again() {
        let seen = round(
            200,
            &[
                ("west", "vi", Outcome::Unknown, unavailable(50)),
                ("north", "vi", Outcome::Ok, held(60)),
            ],
        );
        assert_eq!(wants_witness(&seen), [key("north", "vi")]);
    }

    #[test]
    fn what_does_not_run_is_judged_by_what_its_site_is_for() {
        let judged = |outcome, must_run: Option<&str>, standby| {
            let mut seen = round(0, &[("west", "ms", outcome, TokenFact::NotNeeded)]);
            seen.must_run = must_run.map(SiteName::from);
            for (_, reading) in seen.readings.iter_mut() {
                reading.detail = None;
                reading.streaming.stopped = vec!["live event studio is Stopped".to_owned()];
            }
            let policy = Policy {
                standby,
                ..Policy::default()
            };
            judge(&seen, &policy)[&key("west", "ms")].clone()
        };
        use Outcome::{Degraded, Denied, Failed, Missing, Ok, Throttled, Unknown};
        let cases = [
            (Ok, None, Standby::Warm, Degraded),
            (Ok, None, Standby::Cold, Ok),
            (Ok, Some("north"), Standby::Warm, Degraded),
            (Ok, Some("north"), Standby::Cold, Ok),
            (Ok, Some("west"), Standby::Warm, Failed),
            (Ok, Some("west"), Standby::Cold, Failed),
            (Degraded, None, Standby::Cold, Degraded),
            (Throttled, None, Standby::Warm, Throttled),
            (Throttled, Some("west"), Standby::Warm, Failed),
        ];
        for (outcome, must_run, standby, expected) in cases {
            let (judged, said) = judged(outcome, must_run, standby);
            assert_eq!(judged, expected, "{outcome:?} {must_run:?} {standby:?}");
            assert!(said.unwrap().starts_with("live event studio is Stopped"));
        }
        // What was seen before, and not now, is no outage.
        for (must_run, expected) in [(Some("west"), Ok), (Some("north"), Degraded)] {
            let mut seen = round(0, &[("west", "ms", Ok, TokenFact::NotNeeded)]);
            seen.must_run = must_run.map(SiteName::from);
            let reading = seen.readings.get_mut(&key("west", "ms")).unwrap();
            reading.streaming.before = vec!["live event studio was Stopped".to_owned()];
            assert_eq!(
                judge(&seen, &Policy::default())[&key("west", "ms")].0,
                expected
            );
        }
        // What is known to be worse stays so.
        for outcome in [Failed, Denied, Missing, Unknown] {
            assert_eq!(
                judged(outcome, Some("west"), Standby::Warm),
                (outcome, None)
            );
        }
    }

    #[test]
    fn an_api_that_is_silent_for_all_says_nothing_of_a_site_that_was_stopped() {
        let silent = |base: &str| ApiFact::Silent {
            base: base.to_owned(),
        };
        let answers = ApiFact::Answers {
            base: ARM.to_owned(),
        };
        let judged = |as_it_was, others: &[ApiFact], must_run: Option<&str>, control| {
            let names = ["west", "east"];
            let mut sites = vec![("north", "ms", Outcome::Failed, TokenFact::NotNeeded)];
            for name in names.iter().take(others.len()) {
                sites.push((name, "ms", Outcome::Failed, TokenFact::NotNeeded));
            }
            let mut seen = round(0, &sites);
            seen.must_run = must_run.map(SiteName::from);
            seen.control_failed = control;
            for (name, api) in names.iter().zip(others) {
                let other = seen.readings.get_mut(&key(name, "ms")).unwrap();
                other.streaming.api = api.clone();
            }
            let this = seen.readings.get_mut(&key("north", "ms")).unwrap();
            this.streaming.api = silent(ARM);
            this.streaming.as_it_was = as_it_was;
            this.streaming.stopped = vec!["streaming endpoint default was Stopped".to_owned()];
            judge(&seen, &Policy::default())[&key("north", "ms")].0
        };
        use Outcome::{Degraded, Failed, Unknown};
        assert_eq!(judged(true, &[silent(ARM)], None, None), Degraded);
        assert_eq!(judged(true, &[silent(ARM)], Some("north"), None), Failed);
        assert_eq!(judged(true, &[silent(ARM)], None, Some(true)), Unknown);
        assert_eq!(judged(false, &[silent(ARM)], None, None), Failed);
        assert_eq!(
            judged(true, std::slice::from_ref(&answers), None, None),
            Failed
        );
        assert_eq!(judged(true, &[silent(ARM), answers], None, None), Failed);
        assert_eq!(
            judged(true, &[silent("https://api.mk.io")], None, None),
            Failed
        );
        assert_eq!(judged(true, &[], None, None), Failed);
    }
}
