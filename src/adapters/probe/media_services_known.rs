//! What this process remembers of Media Services accounts between probes, and what their probes share. All of it can
//! be lost: the next reads bring it back, and what must be known while the API is silent, the streaming endpoints' hosts
//! and states, is in the heartbeat as well.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::adapters::azure::identity::Identity;
use crate::adapters::azure::pace::{MEDIA_EXTRAS, MEDIA_READS, Pacer};
use crate::model::evidence::AccountEvidence;
use crate::model::media::MediaServicesSpec;
use crate::model::secret::Secret;

/// Between two reads of an account that is well: its list of transforms is read in every round.
pub const ACCOUNT_GAP: SignedDuration = SignedDuration::from_mins(10);

/// Between two looks at an account's jobs; shorter where jobs are stuck sooner.
const JOBS_GAP: SignedDuration = SignedDuration::from_mins(1);

/// A token that an account refused is not replaced again for this long: another would be refused as well.
const REFUSED_FOR: SignedDuration = SignedDuration::from_mins(5);

/// What the probes of all accounts share.
#[derive(Debug)]
pub struct Desk {
    identity: Identity,
    pacer: Pacer,
    extras: Pacer,
    /// By the account's URL. One that is configured no more leaves a few hundred bytes.
    accounts: Mutex<HashMap<String, Arc<Known>>>,
}

impl Desk {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            pacer: Pacer::new(MEDIA_READS),
            extras: Pacer::new(MEDIA_EXTRAS),
            accounts: Mutex::new(HashMap::new()),
        }
    }

    /// Who asks ARM.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How often the API is asked for what every round needs.
    pub const fn pacer(&self) -> &Pacer {
        &self.pacer
    }

    /// How often it is asked for more.
    pub const fn extras(&self) -> &Pacer {
        &self.extras
    }

    /// What is known of one account.
    pub fn known(&self, spec: &MediaServicesSpec) -> Arc<Known> {
        let key = spec.url().to_ascii_lowercase();
        let mut accounts = lock(&self.accounts);
        Arc::clone(accounts.entry(key).or_default())
    }
}

/// What is known of one account.
#[derive(Debug, Default)]
pub struct Known(Mutex<Facts>);

#[derive(Debug, Default)]
struct Facts {
    hosts: BTreeMap<String, String>,
    /// The state of each streaming endpoint, and when it was read.
    states: BTreeMap<String, (Timestamp, String)>,
    account_read_at: Option<Timestamp>,
    jobs_read_at: Option<Timestamp>,
    /// What was said of stuck jobs then.
    stuck: Option<String>,
    refused: Option<(Secret, Timestamp)>,
    /// What was well when it was last read, by its path: as little of it as a probe needs.
    answers: BTreeMap<String, (Timestamp, Value)>,
}

impl Known {
    /// The host of a streaming endpoint.
    pub fn host(&self, endpoint: &str) -> Option<String> {
        self.facts().hosts.get(endpoint).cloned()
    }

    /// Notes what was read of a streaming endpoint: its host and its state.
    pub fn note_endpoint(&self, name: &str, host: Option<&str>, state: &str, now: Timestamp) {
        let mut facts = self.facts();
        if let Some(host) = host {
            facts.hosts.insert(name.to_owned(), host.to_owned());
        }
        let state = (now, state.to_owned());
        facts.states.insert(name.to_owned(), state);
    }

    /// The state of a streaming endpoint when it was last read.
    pub fn state(&self, endpoint: &str) -> Option<String> {
        let facts = self.facts();
        facts.states.get(endpoint).map(|(_, state)| state.clone())
    }

    /// Takes over what others saw, or was seen before this process was there. Of hosts, what it has seen itself stays; of
    /// states, what was seen later.
    pub fn recall(&self, seen: &AccountEvidence) {
        let mut facts = self.facts();
        for (name, host) in &seen.hosts {
            if !facts.hosts.contains_key(name) {
                facts.hosts.insert(name.clone(), host.clone());
            }
        }
        for (name, state) in &seen.states {
            // What a round reads it reads after its start, so its own evidence never takes that back.
            let known = facts.states.get(name);
            if known.is_none_or(|(at, known)| *at <= seen.newest.at && known != state) {
                let state = (seen.newest.at, state.clone());
                facts.states.insert(name.clone(), state);
            }
        }
    }

    /// Whether the account's own resource should be read again.
    pub fn wants_account(&self, now: Timestamp) -> bool {
        let read_at = self.facts().account_read_at;
        read_at.is_none_or(|at| now.duration_since(at).abs() >= ACCOUNT_GAP)
    }

    /// The account's own resource was read, and is well.
    pub fn note_account(&self, now: Timestamp) {
        self.facts().account_read_at = Some(now);
    }

    /// Whether it is time for a look at the jobs.
    pub fn wants_jobs(&self, now: Timestamp, stuck_after: SignedDuration) -> bool {
        let gap = JOBS_GAP.min(stuck_after / 4);
        let read_at = self.facts().jobs_read_at;
        read_at.is_none_or(|at| now.duration_since(at).abs() >= gap)
    }

    /// What the last look at the jobs said of stuck ones.
    pub fn stuck(&self) -> Option<String> {
        self.facts().stuck.clone()
    }

    /// Notes a look at the jobs.
    pub fn note_stuck(&self, now: Timestamp, stuck: Option<&str>) {
        let mut facts = self.facts();
        facts.jobs_read_at = Some(now);
        facts.stuck = stuck.map(str::to_owned);
    }

    /// What was read of this path since then, if that was well.
    pub fn answer(&self, path: &str, since: Timestamp) -> Option<Value> {
        let facts = self.facts();
        let (at, body) = facts.answers.get(path)?;
        (*at >= since).then(|| body.clone())
    }

    /// Notes what was read of this path; `None` where it was not well.
    pub fn note_answer(&self, path: &str, now: Timestamp, body: Option<Value>) {
        let mut facts = self.facts();
        match body {
            Some(body) => facts.answers.insert(path.to_owned(), (now, body)),
            None => facts.answers.remove(path),
        };
    }

    /// Whether the account refused this token, not long ago.
    pub fn was_refused(&self, token: &Secret, now: Timestamp) -> bool {
        self.facts().refused.as_ref().is_some_and(|(known, at)| {
            known == token && now.duration_since(*at).abs() < REFUSED_FOR
        })
    }

    /// Notes that the account refused this token. The time runs from the first refusal.
    pub fn note_refused(&self, token: &Secret, now: Timestamp) {
        if !self.was_refused(token, now) {
            self.facts().refused = Some((token.clone(), now));
        }
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        lock(&self.0)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
