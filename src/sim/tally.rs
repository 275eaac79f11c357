//! What was asked of the simulator: counters that never forget, and a log of the latest requests.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

use super::call::{Kind, Place};

/// Requests that the log keeps.
const LOG_LENGTH: usize = 20_000;

/// One request that has ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// When it arrived.
    pub at: Timestamp,
    /// What it asked for.
    pub kind: Kind,
    /// The region, or empty where the service has none or the simulator does not know it.
    pub region: String,
    /// The account's or endpoint's name, or empty.
    pub name: String,
    /// What of the account, `streamingEndpoints/default` for example, or empty.
    pub part: String,
    /// The subscription of the account, or empty.
    pub subscription_id: String,
    /// The status of the answer; `None` if the connection was closed without one, or the client left.
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// How often one kind of request was made in one region.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CountLine {
    /// What was asked for.
    pub kind: Kind,
    /// Where.
    pub region: String,
    /// How often.
    pub requests: u64,
    /// How often by status; `0` is no answer.
    pub statuses: BTreeMap<u16, u64>,
}

#[derive(Debug, Default)]
struct Books {
    by_region: BTreeMap<(Kind, String), BTreeMap<u16, u64>>,
    by_name: HashMap<(Kind, String), u64>,
    by_part: HashMap<(Kind, String, String), u64>,
    log: VecDeque<Seen>,
}

/// The counters.
#[derive(Debug)]
pub(super) struct Tally {
    books: Mutex<Books>,
    in_flight: AtomicUsize,
    peak: AtomicUsize,
    ended: watch::Sender<u64>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            books: Mutex::new(Books::default()),
            in_flight: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            ended: watch::Sender::new(0),
        }
    }

    /// A request has arrived. What is returned notes its end when it is dropped, also when the client
    /// left before.
    pub(super) fn arrived(&self, place: Place) -> Visit<'_> {
        let now = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.peak.fetch_max(now, Ordering::Relaxed);
        Visit {
            tally: self,
            at: Timestamp::now(),
            started: std::time::Instant::now(),
            place,
            status: None,
        }
    }

    /// Requests under way.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// The most requests that were ever under way at once.
    pub(super) fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// Requests of this kind, in this region or in all.
    pub(super) fn count(&self, kind: Kind, region: Option<&str>) -> u64 {
        self.books()
            .by_region
            .iter()
            .filter(|((each, place), _)| {
                *each == kind && region.is_none_or(|region| region == place)
            })
            .flat_map(|(_, statuses)| statuses.values())
            .sum()
    }

    /// Requests of this kind for this account or endpoint.
    pub(super) fn count_of(&self, kind: Kind, name: &str) -> u64 {
        self.books()
            .by_name
            .get(&(kind, name.to_owned()))
            .copied()
            .unwrap_or_default()
    }

    /// Requests of this kind for this part of this account.
    pub(super) fn count_part(&self, kind: Kind, name: &str, part: &str) -> u64 {
        self.books()
            .by_part
            .get(&(kind, name.to_owned(), part.to_owned()))
            .copied()
            .unwrap_or_default()
    }

    /// All counters.
    pub(super) fn lines(&self) -> Vec<CountLine> {
        self.books()
            .by_region
            .iter()
            .map(|((kind, region), statuses)| CountLine {
                kind: *kind,
                region: region.clone(),
                requests: statuses.values().sum(),
                statuses: statuses.clone(),
            })
            .collect()
    }

    /// The latest requests, oldest first, at most this many.
    pub(super) fn log(&self, most: usize) -> Vec<Seen> {
        let books = self.books();
        let skip = books.log.len().saturating_sub(most);
        books.log.iter().skip(skip).cloned().collect()
    }

    /// Forgets counters, log and peak.
    pub(super) fn reset(&self) {
        *self.books() = Books::default();
        self.peak.store(self.in_flight(), Ordering::Relaxed);
    }

    /// Sees every end of a request from now on.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.ended.subscribe()
    }

    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Visit<'a> {
    tally: &'a Tally,
    at: Timestamp,
    started: std::time::Instant,
    place: Place,
    status: Option<u16>,
}

impl Visit<'_> {
    /// It is answered with this status.
    pub(super) fn answered(&mut self, status: u16) {
        self.status = Some(status);
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        let place = &self.place;
        let seen = Seen {
            at: self.at,
            kind: place.kind,
            region: place.region.clone(),
            name: place.name.clone(),
            part: place.part.clone(),
            subscription_id: place.subscription_id.clone(),
            status: self.status,
            took_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        {
            let mut books = self.tally.books();
            let statuses = books
                .by_region
                .entry((place.kind, place.region.clone()))
                .or_default();
            *statuses.entry(self.status.unwrap_or_default()).or_default() += 1;
            if !place.name.is_empty() {
                *books
                    .by_name
                    .entry((place.kind, place.name.clone()))
                    .or_default() += 1;
            }
            if !place.part.is_empty() {
                let key = (place.kind, place.name.clone(), place.part.clone());
                *books.by_part.entry(key).or_default() += 1;
            }
            if books.log.len() >= LOG_LENGTH {
                books.log.pop_front();
            }
            books.log.push_back(seen);
        }
        self.tally.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.tally.ended.send_modify(|count| *count += 1);
    }
}
