//! What happened to a group, entry by entry.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::hold::Hold;
use super::moves::{Cause, MoveKind, Times};
use super::name::SiteName;

/// What kind of entry it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HistoryKind {
    /// The record flipped: failover.
    Failover,
    /// The record flipped: switchover.
    Switchover,
    /// The record flipped: failback.
    Failback,
    /// A preparation was given up.
    Cancel,
    /// Automatic moves were paused.
    Pause,
    /// A pause was ended.
    Resume,
    /// Cool-down, budget and the guard after a forced order were cleared.
    Acknowledge,
    /// A move was asked for and not made.
    Refused,
    /// A signal arrived.
    Signal,
    /// A step failed for the first time.
    StepFailed,
    /// The last step of a move was done.
    MoveCompleted,
    /// A rehearsal went through.
    Drill,
}

impl HistoryKind {
    /// The name in answers.
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
            Self::Refused => "refused",
            Self::Signal => "signal",
            Self::StepFailed => "stepFailed",
            Self::MoveCompleted => "moveCompleted",
            Self::Drill => "drill",
        }
    }
}

impl From<MoveKind> for HistoryKind {
    fn from(kind: MoveKind) -> Self {
        match kind {
            MoveKind::Failover => Self::Failover,
            MoveKind::Switchover => Self::Switchover,
            MoveKind::Failback => Self::Failback,
        }
    }
}

/// What one account looked like when an entry was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Witness {
    /// The account's site.
    pub site: SiteName,
    /// Its service.
    pub service: super::name::Service,
    /// Its name.
    pub name: String,
    /// Its verdict then.
    pub verdict: super::verdict::Verdict,
    /// Its newest outcome then.
    pub outcome: super::sample::Outcome,
    /// Start of that round.
    pub at: Timestamp,
    /// What was seen, in one line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// When.
    pub at: Timestamp,
    /// The generation after it.
    pub generation: u64,
    /// Id of the rule that fired.
    pub rule: String,
    /// What kind of entry.
    pub kind: HistoryKind,
    /// The site that was active before, or would have been left.
    pub from: SiteName,
    /// The site that became active, or would have.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to: Option<SiteName>,
    /// Who; `understudy` where no person did.
    pub actor: String,
    /// Why, in the words of whoever asked, or what the evidence said.
    pub reason: Option<String>,
    /// What asked for it.
    pub cause: Cause,
    /// Whether a person forced it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub forced: bool,
    /// The hold that refused it, or that force overrode.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hold: Option<Hold>,
    /// What recovery took.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub times: Option<Times>,
    /// What was seen.
    pub evidence: Vec<Witness>,
    /// The site that is active after it: a lost row is rebuilt from this.
    pub active: SiteName,
}
