//! What a request asks of one account: the path below it, the same behind ARM and with MK.IO.

use axum::http::Method;

use super::super::call::{Call, Kind};
use super::ledger::{Action, Family};

/// What is asked. Names are as the caller spells them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    /// The account itself.
    Account,
    /// All transforms, or one.
    Transforms(Option<String>),
    /// The jobs of a transform (`None`: of all, which only MK.IO has), or one of them.
    Jobs(Option<String>, Option<String>),
    /// All parts of a family, or one.
    Parts(Family, Option<String>),
    /// The live outputs of a live event, or one of them.
    Outputs(String, Option<String>),
    /// An action on a part.
    Act(Family, String, Action),
    /// How an operation stands.
    Operation(Family, String),
    /// What came of an operation on a part.
    Outcome(Family, String, String),
    /// All streaming locators, or one.
    Locators(Option<String>),
    /// The paths of a streaming locator.
    Paths(String),
    /// Nothing that there is.
    Nothing,
}

impl Ask {
    /// Reads the segments below the account.
    pub(super) fn read(call: &Call, below: &[String]) -> Self {
        let words: Vec<String> = below.iter().map(|each| each.to_ascii_lowercase()).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let name = |at: usize| below.get(at).cloned();
        let named = |at: usize| name(at).unwrap_or_default();
        let get = call.method == Method::GET;
        let post = call.method == Method::POST;
        if let Some(ask) = Self::of_family(get, post, &words, &named) {
            return ask;
        }
        match words.as_slice() {
            [] if get => Self::Account,
            ["transforms"] | ["transforms", _] if get => Self::Transforms(name(1)),
            ["transforms", _, "jobs"] | ["transforms", _, "jobs", _] if get => {
                Self::Jobs(name(1), name(3))
            }
            ["jobs"] if get => Self::Jobs(None, None),
            ["streaminglocators"] | ["streaminglocators", _] if get => Self::Locators(name(1)),
            ["streaminglocators", _, "listpaths"] if post => Self::Paths(named(1)),
            _ => Self::Nothing,
        }
    }

    fn of_family(
        get: bool,
        post: bool,
        words: &[&str],
        named: &impl Fn(usize) -> String,
    ) -> Option<Self> {
        let first = words.first()?;
        let family = Family::ALL.into_iter().find(|family| {
            family.as_str().eq_ignore_ascii_case(first) || family.operations() == *first
        })?;
        let is_operations = family.operations() == *first;
        Some(match words.get(1..)? {
            [_] if get && is_operations => Self::Operation(family, named(1)),
            _ if is_operations => return None,
            [] if get => Self::Parts(family, None),
            [_] if get => Self::Parts(family, Some(named(1))),
            [_, "operationlocations", _] if get => Self::Outcome(family, named(1), named(3)),
            [_, "liveoutputs"] if get && family == Family::LiveEvents => {
                Self::Outputs(named(1), None)
            }
            [_, "liveoutputs", _] if get && family == Family::LiveEvents => {
                Self::Outputs(named(1), Some(named(3)))
            }
            [_, word] if post => {
                let action = Action::ALL
                    .into_iter()
                    .filter(|each| family == Family::LiveEvents || *each != Action::Allocate)
                    .find(|each| each.as_str() == *word)?;
                Self::Act(family, named(1), action)
            }
            _ => return None,
        })
    }

    /// How it is counted.
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Account => Kind::MediaAccount,
            Self::Transforms(_) => Kind::Transforms,
            Self::Jobs(..) => Kind::Jobs,
            Self::Parts(Family::StreamingEndpoints, _) => Kind::StreamingEndpoints,
            Self::Parts(Family::LiveEvents, _) | Self::Outputs(..) => Kind::LiveEvents,
            Self::Act(_, _, Action::Start) => Kind::Start,
            Self::Act(_, _, Action::Stop) => Kind::Stop,
            Self::Act(_, _, Action::Allocate) => Kind::Allocate,
            Self::Operation(..) | Self::Outcome(..) => Kind::Operation,
            Self::Locators(_) | Self::Paths(_) => Kind::StreamingLocators,
            Self::Nothing => Kind::Other,
        }
    }

    /// The part that it is about, as far as the path says.
    pub(super) fn part(&self) -> Option<(Family, &str)> {
        match self {
            Self::Parts(family, Some(name))
            | Self::Act(family, name, _)
            | Self::Outcome(family, name, _) => Some((*family, name)),
            Self::Outputs(name, _) => Some((Family::LiveEvents, name)),
            _ => None,
        }
    }

    /// The resource type below `Microsoft.Media/`, and the action of a role that allows it.
    pub(super) fn action(&self) -> (String, String) {
        let (kind, action) = match self {
            Self::Account | Self::Nothing => ("", "read"),
            Self::Transforms(_) => ("transforms", "read"),
            Self::Jobs(..) => ("transforms/jobs", "read"),
            Self::Parts(family, _) => (family.as_str(), "read"),
            Self::Outputs(..) => ("liveEvents/liveOutputs", "read"),
            Self::Act(family, _, Action::Start) => (family.as_str(), "start/action"),
            Self::Act(family, _, Action::Stop) => (family.as_str(), "stop/action"),
            Self::Act(family, _, Action::Allocate) => (family.as_str(), "allocate/action"),
            Self::Operation(Family::StreamingEndpoints, _) => {
                ("streamingEndpointOperations", "read")
            }
            Self::Operation(Family::LiveEvents, _) => ("liveEventOperations", "read"),
            Self::Outcome(Family::StreamingEndpoints, ..) => {
                ("streamingEndpoints/operationLocations", "read")
            }
            Self::Outcome(Family::LiveEvents, ..) => ("liveEvents/operationLocations", "read"),
            Self::Locators(_) => ("streamingLocators", "read"),
            Self::Paths(_) => ("streamingLocators", "listPaths/action"),
        };
        let action = if kind.is_empty() {
            action.to_owned()
        } else {
            format!("{kind}/{action}")
        };
        (kind.to_owned(), action)
    }

    /// The versions of its API that ARM knows, the newest first.
    pub(super) const fn versions(&self) -> &'static [&'static str] {
        match self {
            Self::Account | Self::Nothing | Self::Locators(_) | Self::Paths(_) => &METADATA,
            Self::Transforms(_) | Self::Jobs(..) => &ENCODING,
            Self::Parts(..)
            | Self::Outputs(..)
            | Self::Act(..)
            | Self::Operation(..)
            | Self::Outcome(..) => &STREAMING,
        }
    }
}

/// Versions of accounts, and of locators.
const METADATA: [&str; 5] = [
    "2023-01-01",
    "2021-11-01",
    "2021-06-01",
    "2020-05-01",
    "2018-07-01",
];
/// Versions of transforms and jobs.
const ENCODING: [&str; 5] = [
    "2022-07-01",
    "2021-11-01",
    "2021-06-01",
    "2020-05-01",
    "2018-07-01",
];
/// Versions of streaming endpoints and live events.
const STREAMING: [&str; 6] = [
    "2022-11-01",
    "2022-08-01",
    "2021-11-01",
    "2021-06-01",
    "2020-05-01",
    "2018-07-01",
];
