//! An order: what a person asked for.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::name::SiteName;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OrderKind {
    /// Leave the active site now; it need not have failed.
    Failover,
    /// Planned move between two fit sites.
    Switchover,
    /// Switchover to the primary.
    Failback,
    /// Give up a preparation.
    Cancel,
    /// No automatic moves for a while.
    Pause,
    /// End a pause.
    Resume,
    /// A person has seen it: ends cool-down, spent budget and the guard after a forced order.
    Acknowledge,
    /// Rehearse a switchover; nothing outside is changed.
    Drill,
}

impl OrderKind {
    /// Every order.
    pub const ALL: [Self; 8] = [
        Self::Failover,
        Self::Switchover,
        Self::Failback,
        Self::Cancel,
        Self::Pause,
        Self::Resume,
        Self::Acknowledge,
        Self::Drill,
    ];

    /// The last segment of its route.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failover => "failover",
            Self::Switchover => "switchover",
            Self::Failback => "failback",
            Self::Cancel => "cancel",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Acknowledge => "acknowledge",
            Self::Drill => "drill",
        }
    }

    /// The order with this route segment.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether a reason must be given: what ends or rehearses something needs none.
    #[must_use]
    pub const fn needs_reason(self) -> bool {
        match self {
            Self::Failover
            | Self::Switchover
            | Self::Failback
            | Self::Pause
            | Self::Acknowledge => true,
            Self::Cancel | Self::Resume | Self::Drill => false,
        }
    }

    /// Whether it asks for a move (or the rehearsal of one), so that fresh evidence is needed.
    #[must_use]
    pub const fn is_move(self) -> bool {
        match self {
            Self::Failover | Self::Switchover | Self::Failback | Self::Drill => true,
            Self::Cancel | Self::Pause | Self::Resume | Self::Acknowledge => false,
        }
    }
}

/// One order, checked for form: `to` is a site of the group, durations are in their range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// What is asked for.
    pub kind: OrderKind,
    /// Who asked.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// Where to; the best other site unless given.
    pub to: Option<SiteName>,
    /// Go although the fitness of the sites holds it.
    pub force: bool,
    /// Through every gate, but stop at the write.
    pub dry_run: bool,
    /// Only if the group still has this generation.
    pub if_generation: Option<u64>,
    /// How long a pause lasts.
    pub lasting: Option<SignedDuration>,
}

/// A pause lasts this long unless the order says otherwise.
pub const PAUSE_DEFAULT: SignedDuration = SignedDuration::from_mins(60);
/// And never longer than this.
pub const PAUSE_LIMIT: SignedDuration = SignedDuration::from_hours(24);
/// After a forced order the timer leaves the group alone for this long, unless acknowledged.
pub const FORCED_FOR: SignedDuration = SignedDuration::from_mins(60);
