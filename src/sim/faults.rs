//! What is broken at the moment: per service, everywhere, in a region, or for one account.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::world::normal;

/// A service of the simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// The managed identity endpoint. It has no region.
    Identity,
    /// Azure Resource Manager: calls on a resource belong to the resource's region.
    Arm,
    /// Video Indexer's data plane.
    VideoIndexer,
    /// Plain HTTP endpoints.
    Http,
    /// The neutral control target. It has no region.
    Control,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 5] = [
        Self::Identity,
        Self::Arm,
        Self::VideoIndexer,
        Self::Http,
        Self::Control,
    ];
    /// The services that a region has.
    pub const REGIONAL: [Self; 3] = [Self::Arm, Self::VideoIndexer, Self::Http];

    /// Its name in URLs and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Arm => "arm",
            Self::VideoIndexer => "videoIndexer",
            Self::Http => "http",
            Self::Control => "control",
        }
    }

    /// The service of this name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|service| service.as_str().eq_ignore_ascii_case(name))
    }

    /// Whether its faults may be limited to a region.
    #[must_use]
    pub const fn is_regional(self) -> bool {
        !matches!(self, Self::Identity | Self::Control)
    }
}

/// One way to be broken. `Slow` and `Stuck` go together with the others; of the rest the latest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is closed without an answer.
    Down,
    /// The answer comes after this time.
    Slow(Duration),
    /// No answer and no close, until it is mended or the client gives up.
    Hang,
    /// This status, 500 to 599, with the service's own error body.
    Error(u16),
    /// 429 with `Retry-After`, in seconds.
    Throttle(u64),
    /// Refused: 401 or 403; `None` is the usual one of the service.
    Deny(Option<u16>),
    /// 404 for what is there.
    Missing,
    /// 200 with the HTML page of a proxy.
    Garbage,
    /// Video Indexer finishes no video: those created within this time before the fault, or later, stay
    /// `Uploaded` or `Processing`.
    Stuck(Duration),
    /// The right answer, cut in the middle of its body.
    Drop,
}

impl Fault {
    /// Their names in URLs.
    pub const NAMES: [&'static str; 10] = [
        "down", "slow", "hang", "error", "throttle", "deny", "missing", "garbage", "stuck", "drop",
    ];
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down => formatter.write_str("down"),
            Self::Slow(by) => write!(formatter, "slow by {} ms", by.as_millis()),
            Self::Hang => formatter.write_str("hang"),
            Self::Error(status) => write!(formatter, "error {status}"),
            Self::Throttle(after) => write!(formatter, "throttle, Retry-After {after} s"),
            Self::Deny(Some(status)) => write!(formatter, "deny {status}"),
            Self::Deny(None) => formatter.write_str("deny"),
            Self::Missing => formatter.write_str("missing"),
            Self::Garbage => formatter.write_str("garbage"),
            Self::Stuck(age) => write!(formatter, "stuck since {} s before", age.as_secs()),
            Self::Drop => formatter.write_str("drop"),
        }
    }
}

/// Where a fault is: everywhere, in one region, or for one account or endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    region: Option<String>,
    name: Option<String>,
}

impl Scope {
    /// Wherever the service is.
    #[must_use]
    pub fn everywhere() -> Self {
        Self::default()
    }

    /// In one region.
    #[must_use]
    pub fn region(name: &str) -> Self {
        Self {
            region: Some(normal(name)),
            name: None,
        }
    }

    /// For the one account or endpoint of this name in a region.
    #[must_use]
    pub fn one(region: &str, name: &str) -> Self {
        Self {
            region: Some(normal(region)),
            name: Some(name.to_ascii_lowercase()),
        }
    }

    /// The region, if it is limited to one.
    #[must_use]
    pub fn region_name(&self) -> Option<&str> {
        self.region.as_deref()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.region, &self.name) {
            (None, _) => formatter.write_str("everywhere"),
            (Some(region), None) => formatter.write_str(region),
            (Some(region), Some(name)) => write!(formatter, "{region}/{name}"),
        }
    }
}

/// What holds at one place.
#[derive(Debug, Clone, Copy, Default)]
struct Condition {
    slow: Option<Duration>,
    stuck_since: Option<Timestamp>,
    answer: Option<(Fault, Option<u32>)>,
}

/// What one request meets.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Effect {
    /// How long to wait first.
    pub(super) slow: Option<Duration>,
    /// Videos created after this do not finish.
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

    /// Sets a fault, for this many requests or until it is mended.
    pub(super) fn set(&self, service: Service, scope: Scope, fault: Fault, times: Option<u32>) {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let condition = set.entry((service, scope)).or_default();
        match fault {
            Fault::Slow(by) => condition.slow = Some(by),
            Fault::Stuck(age) => condition.stuck_since = Some(before(Timestamp::now(), age)),
            other => condition.answer = Some((other, times)),
        }
    }

    /// Takes away every fault that this accepts; answers how many places were mended.
    pub(super) fn mend(&self, accept: impl Fn(Service, &Scope) -> bool) -> usize {
        let mended = {
            let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
            let before = set.len();
            set.retain(|(service, scope), _| !accept(*service, scope));
            before - set.len()
        };
        self.mended.send_modify(|count| *count += 1);
        mended
    }

    /// What a request to this service, region and name meets. A fault that is set for a number of
    /// requests is used up by this. The narrower scope wins.
    pub(super) fn meet(&self, service: Service, region: &str, name: &str) -> Effect {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let mut effect = Effect::default();
        if set.is_empty() {
            return effect;
        }
        for scope in [
            Scope::one(region, name),
            Scope::region(region),
            Scope::everywhere(),
        ] {
            let key = (service, scope);
            let Some(condition) = set.get_mut(&key) else {
                continue;
            };
            effect.slow = effect.slow.or(condition.slow);
            effect.stuck_since = effect.stuck_since.or(condition.stuck_since);
            if effect.answer.is_none()
                && let Some((fault, times)) = condition.answer
            {
                effect.answer = Some(fault);
                condition.answer = match times {
                    Some(0 | 1) => None,
                    Some(left) => Some((fault, Some(left - 1))),
                    None => Some((fault, None)),
                };
                if condition.slow.is_none()
                    && condition.stuck_since.is_none()
                    && condition.answer.is_none()
                {
                    set.remove(&key);
                }
            }
        }
        effect
    }

    /// Whether a request to this place would hang now.
    pub(super) fn hangs(&self, service: Service, region: &str, name: &str) -> bool {
        let set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        [
            Scope::one(region, name),
            Scope::region(region),
            Scope::everywhere(),
        ]
        .into_iter()
        .filter_map(|scope| set.get(&(service, scope)))
        .any(|condition| matches!(condition.answer, Some((Fault::Hang, _))))
    }

    /// Sees every mending from now on.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.mended.subscribe()
    }

    /// One line per fault.
    pub(super) fn lines(&self) -> Vec<FaultLine> {
        let set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        set.iter()
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
                let answer = condition
                    .answer
                    .map(|(fault, left)| line(fault.to_string(), left));
                [slow, stuck, answer].into_iter().flatten()
            })
            .collect()
    }
}

/// One fault as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultLine {
    /// The service's name.
    pub service: &'static str,
    /// `everywhere`, a region, or `region/name`.
    pub scope: String,
    /// What is wrong.
    pub fault: String,
    /// For how many more requests; `None` is until mended.
    pub requests_left: Option<u32>,
}

/// The instant this long before another; the other itself if there is none.
fn before(now: Timestamp, age: Duration) -> Timestamp {
    jiff::SignedDuration::try_from(age)
        .ok()
        .and_then(|age| now.checked_sub(age).ok())
        .unwrap_or(now)
}
