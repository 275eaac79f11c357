//! The evidence of a vantage in few bytes: JSON in short tuples, deflated. Texts that many accounts
//! share stand in a table of their own; times are milliseconds, most of them relative to the group's
//! newest round. Times are kept to the millisecond.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write as _};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::evidence::{AccountEvidence, GroupEvidence, Unhealthy};
use crate::model::name::{AccountKey, ByAccount, GroupName, Service, SiteName};
use crate::model::sample::{Outcome, Sample};
use crate::model::verdict::Verdict;

/// Evidence that inflates to more than this is not ours.
const INFLATED_LIMIT: u64 = 64 * 1024 * 1024;

/// One letter per outcome, for the window of counted rounds.
const LETTERS: [(Outcome, char); 7] = [
    (Outcome::Ok, 'o'),
    (Outcome::Degraded, 'd'),
    (Outcome::Throttled, 't'),
    (Outcome::Failed, 'f'),
    (Outcome::Denied, 'n'),
    (Outcome::Missing, 'm'),
    (Outcome::Unknown, 'u'),
];

/// Shared texts, and the groups.
#[derive(Serialize, Deserialize)]
struct Packed(Vec<String>, Vec<(String, PackedGroup)>);

/// Newest, counted and unbroken (milliseconds, the latter two relative), and the accounts.
#[derive(Serialize, Deserialize)]
struct PackedGroup(i64, bool, Option<i64>, i64, Vec<PackedAccount>);

/// One account; times relative to the group's newest round.
#[derive(Serialize, Deserialize)]
struct PackedAccount(
    /// Site (shared), service, name.
    (usize, Service, String),
    /// The newest sample: at, outcome, latency, detail (shared), host (shared).
    (i64, char, u32, Option<usize>, usize),
    /// The window, a letter each.
    String,
    /// Failures and recoveries.
    (u32, u32),
    Verdict,
    /// First failed; unhealthy since and its first failed; well since.
    (Option<i64>, Option<(i64, i64)>, Option<i64>),
    /// Streaming endpoints (shared) with their hosts (shared). Rows of earlier versions have none, and where there
    /// are neither hosts nor states nothing is written, so that those versions read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    Option<Vec<(usize, usize)>>,
    /// Streaming endpoints (shared) with their states (shared), written and read in the same way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    Vec<(usize, usize)>,
);

/// Packs evidence; of each detail at most this many characters are kept.
///
/// # Errors
/// When it cannot be written as JSON or deflated.
pub fn pack(
    evidence: &BTreeMap<GroupName, Arc<GroupEvidence>>,
    detail_limit: usize,
) -> Result<Vec<u8>, std::io::Error> {
    let mut texts = Texts::default();
    let groups = evidence
        .iter()
        .map(|(name, group)| {
            let packed = pack_group(group, detail_limit, &mut texts);
            (name.as_str().to_owned(), packed)
        })
        .collect();
    let mut deflate =
        flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    deflate.write_all(&serde_json::to_vec(&Packed(texts.all, groups))?)?;
    deflate.finish()
}

/// Reads what [`pack`] made.
///
/// # Errors
/// A line that says what is wrong with it.
pub fn unpack(packed: &[u8]) -> Result<BTreeMap<GroupName, Arc<GroupEvidence>>, String> {
    let mut text = Vec::new();
    flate2::read::DeflateDecoder::new(packed)
        .take(INFLATED_LIMIT)
        .read_to_end(&mut text)
        .map_err(|error| error.to_string())?;
    let Packed(texts, groups) = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    groups
        .into_iter()
        .map(|(name, packed)| {
            Ok((
                GroupName::new(name),
                Arc::new(unpack_group(packed, &texts)?),
            ))
        })
        .collect()
}

/// Texts that are written once.
#[derive(Default)]
struct Texts {
    all: Vec<String>,
    places: HashMap<String, usize>,
}

impl Texts {
    fn place(&mut self, text: &str) -> usize {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = self.all.len();
        self.all.push(text.to_owned());
        self.places.insert(text.to_owned(), place);
        place
    }

    fn places_of(&mut self, pairs: &BTreeMap<String, String>) -> Vec<(usize, usize)> {
        pairs
            .iter()
            .map(|(name, text)| (self.place(name), self.place(text)))
            .collect()
    }
}

fn pack_group(group: &GroupEvidence, detail_limit: usize, texts: &mut Texts) -> PackedGroup {
    let base = group.newest_at.as_millisecond();
    let ago = |at: Timestamp| base.saturating_sub(at.as_millisecond());
    let accounts = group
        .accounts
        .iter()
        .map(|(key, seen)| {
            let has_streaming = !(seen.hosts.is_empty() && seen.states.is_empty());
            let detail = seen
                .newest
                .detail
                .as_ref()
                .map(|detail| detail.chars().take(detail_limit).collect::<String>())
                .filter(|_| detail_limit > 0);
            PackedAccount(
                (
                    texts.place(key.site.as_str()),
                    key.service,
                    key.name.clone(),
                ),
                (
                    ago(seen.newest.at),
                    letter(seen.newest.outcome),
                    seen.newest.latency_ms,
                    detail.map(|detail| texts.place(&detail)),
                    texts.place(&seen.newest.host),
                ),
                seen.window.iter().copied().map(letter).collect(),
                (seen.failures, seen.recoveries),
                seen.standing,
                (
                    seen.first_failed_at.map(ago),
                    seen.unhealthy
                        .map(|state| (ago(state.since), ago(state.first_failed_at))),
                    seen.well_since.map(ago),
                ),
                // Also where there are only states: else those would stand where the hosts do.
                has_streaming.then(|| texts.places_of(&seen.hosts)),
                texts.places_of(&seen.states),
            )
        })
        .collect();
    PackedGroup(
        base,
        group.asked_twice,
        group.counted_at.map(ago),
        ago(group.unbroken_since),
        accounts,
    )
}

fn unpack_group(packed: PackedGroup, texts: &[String]) -> Result<GroupEvidence, String> {
    let PackedGroup(base, asked_twice, counted, unbroken, accounts) = packed;
    let at = |ago: i64| {
        Timestamp::from_millisecond(base.saturating_sub(ago)).map_err(|error| error.to_string())
    };
    let mut seen = ByAccount::with_capacity(accounts.len());
    for account in accounts {
        let (key, evidence) = unpack_account(account, texts, &at)?;
        seen.insert(key, evidence);
    }
    Ok(GroupEvidence {
        newest_at: at(0)?,
        asked_twice,
        counted_at: counted.map(at).transpose()?,
        unbroken_since: at(unbroken)?,
        accounts: seen,
    })
}

fn unpack_account(
    packed: PackedAccount,
    texts: &[String],
    at: &impl Fn(i64) -> Result<Timestamp, String>,
) -> Result<(AccountKey, AccountEvidence), String> {
    let PackedAccount(key, newest, window, streak, standing, times, hosts, states) = packed;
    let text = |place: usize| {
        texts
            .get(place)
            .cloned()
            .ok_or_else(|| format!("there is no text {place}"))
    };
    let pairs = |places: Vec<(usize, usize)>| {
        let pairs = places.into_iter();
        let pairs = pairs.map(|(name, other)| Ok((text(name)?, text(other)?)));
        pairs.collect::<Result<BTreeMap<_, _>, String>>()
    };
    let key = AccountKey {
        site: SiteName::new(text(key.0)?),
        service: key.1,
        name: key.2,
    };
    let evidence = AccountEvidence {
        newest: Sample {
            at: at(newest.0)?,
            outcome: outcome(newest.1)?,
            latency_ms: newest.2,
            detail: newest.3.map(text).transpose()?,
            host: text(newest.4)?,
        },
        window: window.chars().map(outcome).collect::<Result<_, _>>()?,
        failures: streak.0,
        recoveries: streak.1,
        standing,
        first_failed_at: times.0.map(at).transpose()?,
        unhealthy: match times.1 {
            None => None,
            Some((since, first)) => Some(Unhealthy {
                since: at(since)?,
                first_failed_at: at(first)?,
            }),
        },
        well_since: times.2.map(at).transpose()?,
        hosts: pairs(hosts.unwrap_or_default())?,
        states: pairs(states)?,
    };
    Ok((key, evidence))
}

fn letter(outcome: Outcome) -> char {
    LETTERS
        .iter()
        .find(|(known, _)| *known == outcome)
        .map_or('u', |(_, letter)| *letter)
}

fn outcome(letter: char) -> Result<Outcome, String> {
    LETTERS
        .iter()
        .find(|(_, known)| *known == letter)
        .map(|(outcome, _)| *outcome)
        .ok_or_else(|| format!("there is no outcome {letter:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_a_letter() {
        for one in Outcome::ALL {
            assert_eq!(outcome(letter(one)), Ok(one));
        }
    }

    /// What this version writes for an account with these hosts and states; it reads it back as it was.
    fn written(hosts: &[(&str, &str)], states: &[(&str, &str)]) -> serde_json::Value {
        let map = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            pairs
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect()
        };
        let at = Timestamp::from_second(1).unwrap();
        let account = AccountEvidence {
            newest: Sample {
                at,
                outcome: Outcome::Ok,
                latency_ms: 7,
                detail: None,
                host: "h:443".to_owned(),
            },
            window: vec![Outcome::Ok],
            failures: 0,
            recoveries: 1,
            standing: Verdict::Healthy,
            first_failed_at: None,
            unhealthy: None,
            well_since: Some(at),
            hosts: map(hosts),
            states: map(states),
        };
        let key = AccountKey {
            site: SiteName::new("west"),
            service: Service::MediaServices,
            name: "ms".to_owned(),
        };
        let group = GroupEvidence {
            newest_at: at,
            asked_twice: false,
            counted_at: None,
            unbroken_since: at,
            accounts: ByAccount::from_iter([(key, account)]),
        };
        let mut texts = Texts::default();
        let packed = pack_group(&group, 0, &mut texts);
        let back = serde_json::to_value(&packed).unwrap();
        let read: PackedGroup = serde_json::from_value(back.clone()).unwrap();
        assert_eq!(unpack_group(read, &texts.all), Ok(group), "{back}");
        back[4][0].clone()
    }

    #[test]
    fn hosts_and_states_are_kept_and_rows_of_earlier_versions_are_read() {
        let hosts = [("default", "a.example"), ("vod", "b.example")];
        let states = [("default", "Stopped"), ("vod", "Running")];
        for (hosts, states, members) in [
            (&hosts[..], &states[..], 8),
            (&[], &states[..], 8),
            // As earlier versions wrote it: with hosts alone, and with neither.
            (&hosts[..], &[], 7),
            (&[], &[], 6),
        ] {
            let written = written(hosts, states);
            assert_eq!(written.as_array().unwrap().len(), members, "{written}");
        }
    }

    #[test]
    fn what_is_not_ours_is_an_error() {
        assert!(unpack(b"garbage").is_err());
        assert!(unpack(&[]).is_err());
    }
}
