//! The ways to be broken: which service, how, and where.

use std::fmt;
use std::time::Duration;

use super::call::Kind;
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
    /// Media Services behind ARM (calls meet ARM's faults first), and MK.IO's API.
    MediaServices,
    /// The hosts of streaming endpoints.
    Streaming,
    /// Delivery of content keys, which is not behind the streaming hosts.
    KeyDelivery,
    /// Plain HTTP endpoints.
    Http,
    /// The neutral control target. It has no region.
    Control,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 8] = [
        Self::Identity,
        Self::Arm,
        Self::VideoIndexer,
        Self::MediaServices,
        Self::Streaming,
        Self::KeyDelivery,
        Self::Http,
        Self::Control,
    ];
    /// The services that a region has.
    pub const REGIONAL: [Self; 6] = [
        Self::Arm,
        Self::VideoIndexer,
        Self::MediaServices,
        Self::Streaming,
        Self::KeyDelivery,
        Self::Http,
    ];

    /// Its name in URLs and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Arm => "arm",
            Self::VideoIndexer => "videoIndexer",
            Self::MediaServices => "mediaServices",
            Self::Streaming => "streaming",
            Self::KeyDelivery => "keyDelivery",
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

/// One way to be broken. `Slow`, `Stuck`, and one of `Unending` and `Failing` go together with the others; of
/// the rest the latest counts.
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
    /// 410 for what is there.
    Gone,
    /// 400 of a resource provider that ARM no longer has in the region. Media Services only.
    Retired,
    /// 412.
    Precondition,
    /// 200 with the HTML page of a proxy.
    Garbage,
    /// Nothing is finished: of the videos (Video Indexer) or jobs (Media Services) created within this time
    /// before the fault, or later, none is ever done.
    Stuck(Duration),
    /// The right answer, cut in the middle of its body.
    Drop,
    /// What is asked is done, and then the connection is closed without an answer.
    Lost,
    /// Long-running operations begun meanwhile stay in progress until it is mended. Media Services only.
    Unending,
    /// Long-running operations begun meanwhile fail when they end. Media Services only.
    Failing,
}

impl Fault {
    /// Their names in URLs.
    pub const NAMES: [&'static str; 16] = [
        "down",
        "slow",
        "hang",
        "error",
        "throttle",
        "deny",
        "missing",
        "gone",
        "retired",
        "precondition",
        "garbage",
        "stuck",
        "drop",
        "lost",
        "unending",
        "failing",
    ];

    /// Whether a service can be broken like that; elsewhere it has no effect, or that of an error.
    #[must_use]
    pub const fn fits(self, service: Service) -> bool {
        match self {
            Self::Stuck(_) => matches!(service, Service::VideoIndexer | Service::MediaServices),
            Self::Retired | Self::Unending | Self::Failing => {
                matches!(service, Service::MediaServices)
            }
            _ => true,
        }
    }
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
            Self::Gone => formatter.write_str("gone"),
            Self::Retired => formatter.write_str("retired"),
            Self::Precondition => formatter.write_str("precondition failed"),
            Self::Garbage => formatter.write_str("garbage"),
            Self::Stuck(age) => write!(formatter, "stuck since {} s before", age.as_secs()),
            Self::Drop => formatter.write_str("drop"),
            Self::Lost => formatter.write_str("lost: done, but not answered"),
            Self::Unending => formatter.write_str("unending operations"),
            Self::Failing => formatter.write_str("failing operations"),
        }
    }
}

/// Where a fault is: everywhere, in one region, or for one account or endpoint; and there for every request,
/// or only for those of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    region: Option<String>,
    name: Option<String>,
    kind: Option<Kind>,
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
            ..Self::default()
        }
    }

    /// For the one account or endpoint of this name in a region.
    #[must_use]
    pub fn one(region: &str, name: &str) -> Self {
        Self {
            name: Some(name.to_ascii_lowercase()),
            ..Self::region(region)
        }
    }

    /// There, but only for requests of this kind.
    #[must_use]
    pub fn only(self, kind: Kind) -> Self {
        Self {
            kind: Some(kind),
            ..self
        }
    }

    /// The region, if it is limited to one.
    #[must_use]
    pub fn region_name(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Every scope that a request is in, the narrowest first.
    pub(super) fn around(region: &str, name: &str, kind: Kind) -> [Self; 6] {
        let places = [
            Self::one(region, name),
            Self::region(region),
            Self::everywhere(),
        ];
        let [one, part, whole] = places.clone().map(|place| place.only(kind));
        let [one_all, part_all, whole_all] = places;
        [one, part, whole, one_all, part_all, whole_all]
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.region, &self.name) {
            (None, _) => formatter.write_str("everywhere")?,
            (Some(region), None) => formatter.write_str(region)?,
            (Some(region), Some(name)) => write!(formatter, "{region}/{name}")?,
        }
        match self.kind {
            Some(kind) => write!(formatter, " ({})", kind.as_str()),
            None => Ok(()),
        }
    }
}
