//! What ARM says of an account, as a second voice: it explains a reading, and never makes one that is ok fail.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::adapters::azure::arm::{AccountResource, Arm, ArmError};
use crate::adapters::azure::keeper::Clock;
use crate::adapters::azure::pace::{Pacer, READS};
use crate::model::spec::VideoIndexerSpec;

/// Between two reads of an account that seems well.
const ROUTINE_GAP: SignedDuration = SignedDuration::from_mins(10);

/// Between two reads of an account under suspicion: an outage must not become a storm on ARM.
const SUSPICION_GAP: SignedDuration = SignedDuration::from_mins(1);

/// What was said is not repeated for longer than this.
const SAID_FOR: SignedDuration = SignedDuration::from_mins(15);

/// What ARM said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The account is there.
    There(AccountResource),
    /// It knows no such account.
    Unknown,
}

impl Said {
    /// What is not as it should be.
    #[must_use]
    pub fn complaint(&self, spec: &VideoIndexerSpec) -> Option<String> {
        match self {
            Self::Unknown => Some("ARM knows no such account".to_owned()),
            Self::There(resource) => match (&resource.account_id, &resource.provisioning_state) {
                (Some(id), _) if !id.eq_ignore_ascii_case(&spec.account_id) => Some(format!(
                    "ARM says that the id of {} is {id}: correct account_id",
                    spec.account_name
                )),
                (_, Some(state)) if state != "Succeeded" => {
                    Some(format!("ARM says provisioningState {state}"))
                }
                _ => None,
            },
        }
    }

    /// What is worth telling beside a refusal: also that all is as it should be.
    #[must_use]
    pub fn line(&self, spec: &VideoIndexerSpec) -> String {
        self.complaint(spec)
            .unwrap_or_else(|| "ARM says the account is there and well".to_owned())
    }
}

/// Reads accounts from ARM, rarely.
#[derive(Debug, Clone)]
pub struct Witness {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    arm: Arm,
    clock: Clock,
    pacer: Pacer,
    entries: Mutex<HashMap<String, Arc<Mutex<Seen>>>>,
}

#[derive(Debug, Default)]
struct Seen {
    asked_at: Option<Timestamp>,
    said: Option<(Said, Timestamp)>,
    under_way: Option<watch::Receiver<()>>,
}

impl Witness {
    /// A witness that asks this ARM.
    #[must_use]
    pub fn new(arm: Arm, clock: Clock) -> Self {
        Self {
            inner: Arc::new(Inner {
                arm,
                clock,
                pacer: Pacer::new(READS),
                entries: Mutex::new(HashMap::new()),
            }),
        }
    }

    /// What is known; reads in the background if the last read is ten minutes old. Never waits.
    #[must_use]
    pub fn routine(&self, spec: &VideoIndexerSpec) -> Option<Said> {
        let entry = self.entry(spec);
        self.read_if_older(spec, &entry, ROUTINE_GAP);
        self.known(&entry)
    }

    /// What is known; reads first if the last read is a minute old, and waits for that at most `limit`.
    pub async fn on_suspicion(&self, spec: &VideoIndexerSpec, limit: Duration) -> Option<Said> {
        let entry = self.entry(spec);
        self.read_if_older(spec, &entry, SUSPICION_GAP);
        let under_way = lock(&entry).under_way.clone();
        if let Some(mut under_way) = under_way {
            // It ends by being dropped; whether it ended or the time did, what is known is known.
            let _ = tokio::time::timeout(limit, under_way.changed()).await;
        }
        self.known(&entry)
    }

    fn known(&self, entry: &Mutex<Seen>) -> Option<Said> {
        let now = self.inner.clock.now();
        lock(entry)
            .said
            .clone()
            .filter(|(_, at)| now.duration_since(*at) <= SAID_FOR)
            .map(|(said, _)| said)
    }

    fn read_if_older(
        &self,
        spec: &VideoIndexerSpec,
        entry: &Arc<Mutex<Seen>>,
        gap: SignedDuration,
    ) {
        let now = self.inner.clock.now();
        let mut seen = lock(entry);
        let is_due = seen
            .asked_at
            .is_none_or(|asked| now.duration_since(asked) >= gap);
        if !is_due || seen.under_way.is_some() {
            return;
        }
        // Without a place it is not read now: this evidence is extra.
        let Some(turn) = self.inner.pacer.turn_now(&spec.subscription_id) else {
            return;
        };
        let (end, under_way) = watch::channel(());
        seen.asked_at = Some(now);
        seen.under_way = Some(under_way);
        drop(seen);
        let (inner, entry, spec) = (Arc::clone(&self.inner), Arc::clone(entry), spec.clone());
        tokio::spawn(async move {
            let answer = inner.arm.account(&spec).await;
            let said = match answer {
                Ok(resource) => Some(Said::There(resource)),
                Err(ArmError::Missing(_)) => Some(Said::Unknown),
                Err(_) => None,
            };
            let mut seen = lock(&entry);
            seen.under_way = None;
            if let Some(said) = said {
                seen.said = Some((said, inner.clock.now()));
            }
            drop(seen);
            drop((turn, end));
        });
    }

    fn entry(&self, spec: &VideoIndexerSpec) -> Arc<Mutex<Seen>> {
        let key = format!("{}{}", spec.arm_base, spec.resource_id()).to_ascii_lowercase();
        let mut entries = lock(&self.inner.entries);
        Arc::clone(entries.entry(key).or_default())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
