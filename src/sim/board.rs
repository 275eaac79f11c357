//! What is broken at the moment: every fault that is set, and what a request meets.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::call::{Kind, Place};
use super::faults::{Fault, Scope, Service};

/// What becomes of an operation that is begun now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It ends well.
    Well,
    /// It fails when it ends.
    Fails,
    /// It is in progress until the fault that was set there is mended.
    Hangs(Scope),
}

/// A fault, and for how many more requests; `None` is until mended.
type Timed = (Fault, Option<u32>);

/// What holds at one place.
#[derive(Debug, Clone, Copy, Default)]
struct Condition {
    slow: Option<Duration>,
    stuck_since: Option<Timestamp>,
    operations: Option<Timed>,
    answer: Option<Timed>,
}

impl Condition {
    const fn is_nothing(&self) -> bool {
        self.slow.is_none()
            && self.stuck_since.is_none()
            && self.operations.is_none()
            && self.answer.is_none()
    }
}

/// Takes one use of a fault.
fn spend(timed: &mut Option<Timed>) -> Option<Fault> {
    let (fault, times) = (*timed)?;
    *timed = match times {
        Some(0 | 1) => None,
        Some(left) => Some((fault, Some(left - 1))),
        None => Some((fault, None)),
    };
    Some(fault)
}

/// What one request meets.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Effect {
    /// How long to wait first.
    pub(super) slow: Option<Duration>,
    /// Videos or jobs created after this do not finish.
    pub(super) stuck_since: Option<Timestamp>,
    /// What to do instead of the right answer.
    pub(super) answer: Option<Fault>,
}

/// All faults that are set.
#[derive(Debug)]
pub(super) struct Board {
    set: Mutex<BTreeMap<(Service, Scope), Condition>>,
    mended: watch::Sender<u64>,
}

impl Board {
    pub(super) fn new() -> Self {
        Self {
            set: Mutex::new(BTreeMap::new()),
            mended: watch::Sender::new(0),
        }
    }

    /// Sets a fault, for this many requests (or operations) or until it is mended.
    pub(super) fn set(&self, service: Service, scope: Scope, fault: Fault, times: Option<u32>) {
        let mut set = self.locked();
        let condition = set.entry((service, scope)).or_default();
        match fault {
            Fault::Slow(by) => condition.slow = Some(by),
            Fault::Stuck(age) => condition.stuck_since = Some(before(Timestamp::now(), age)),
            Fault::Unending | Fault::Failing => condition.operations = Some((fault, times)),
            other => condition.answer = Some((other, times)),
        }
    }

    /// Takes away every fault that this accepts; answers how many places were mended.
    pub(super) fn mend(&self, accept: impl Fn(Service, &Scope) -> bool) -> usize {
        let mended = {
            let mut set = self.locked();
            let before = set.len();
            set.retain(|(service, scope), _| !accept(*service, scope));
            before - set.len()
        };
        self.mended.send_modify(|count| *count += 1);
        mended
    }

    /// What a request to this place meets: the faults of the service that it comes through, then those of
    /// its own. A fault that is set for a number of requests is used up by this. The narrower scope wins.
    pub(super) fn meet(&self, place: &Place) -> Effect {
        let mut set = self.locked();
        let mut effect = Effect::default();
        if set.is_empty() {
            return effect;
        }
        for service in place.front.into_iter().chain([place.service]) {
            for scope in Scope::around(&place.region, &place.name, place.kind) {
                let key = (service, scope);
                let Some(condition) = set.get_mut(&key) else {
                    continue;
                };
                effect.slow = effect.slow.or(condition.slow);
                effect.stuck_since = effect.stuck_since.or(condition.stuck_since);
                if effect.answer.is_none() {
                    effect.answer = spend(&mut condition.answer);
                }
                if condition.is_nothing() {
                    set.remove(&key);
                }
            }
        }
        effect
    }

    /// What becomes of an operation that is begun at this place. A fault that is set for a number of
    /// operations is used up by this. The narrower scope wins.
    pub(super) fn fate(&self, service: Service, region: &str, name: &str, kind: Kind) -> Fate {
        let mut set = self.locked();
        for scope in Scope::around(region, name, kind) {
            let key = (service, scope);
            let Some(condition) = set.get_mut(&key) else {
                continue;
            };
            let fault = spend(&mut condition.operations);
            if condition.is_nothing() {
                set.remove(&key);
            }
            match fault {
                Some(Fault::Unending) => return Fate::Hangs(key.1),
                Some(_) => return Fate::Fails,
                None => {}
            }
        }
        Fate::Well
    }

    /// Whether a request to this place would hang now.
    pub(super) fn hangs(&self, place: &Place) -> bool {
        let set = self.locked();
        place
            .front
            .into_iter()
            .chain([place.service])
            .any(|service| {
                Scope::around(&place.region, &place.name, place.kind)
                    .into_iter()
                    .filter_map(|scope| set.get(&(service, scope)))
                    .any(|condition| matches!(condition.answer, Some((Fault::Hang, _))))
            })
    }

    /// Sees every mending from now on.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.mended.subscribe()
    }

    /// One line per fault.
    pub(super) fn lines(&self) -> Vec<FaultLine> {
        self.locked()
            .iter()
            .flat_map(|((service, scope), condition)| {
                let line = |fault: String, left: Option<u32>| FaultLine {
                    service: service.as_str(),
                    scope: scope.to_string(),
                    fault,
                    requests_left: left,
                };
                let slow = condition
                    .slow
                    .map(|by| line(Fault::Slow(by).to_string(), None));
                let stuck = condition
                    .stuck_since
                    .map(|since| line(format!("stuck: nothing finished since {since:.0}"), None));
                let timed =
                    |timed: Option<Timed>| timed.map(|(fault, left)| line(fault.to_string(), left));
                [
                    slow,
                    stuck,
                    timed(condition.operations),
                    timed(condition.answer),
                ]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
            })
            .collect()
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<(Service, Scope), Condition>> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One fault as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultLine {
    /// The service's name.
    pub service: &'static str,
    /// `everywhere`, a region, or `region/name`; with ` (kind)` where it is only for requests of one kind.
    pub scope: String,
    /// What is wrong.
    pub fault: String,
    /// For how many more requests or operations; `None` is until mended.
    pub requests_left: Option<u32>,
}

/// The instant this long before another; the other itself if there is none.
fn before(now: Timestamp, age: Duration) -> Timestamp {
    jiff::SignedDuration::try_from(age)
        .ok()
        .and_then(|age| now.checked_sub(age).ok())
        .unwrap_or(now)
}
