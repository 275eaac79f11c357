//! A move in progress: from where to where, why, and its steps.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::name::{AccountKey, SiteName};

/// Which kind of move it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MoveKind {
    /// Unplanned: the record flips first.
    Failover,
    /// Planned: the target is prepared first.
    Switchover,
    /// A switchover to the primary.
    Failback,
}

impl MoveKind {
    /// The name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failover => "failover",
            Self::Switchover => "switchover",
            Self::Failback => "failback",
        }
    }
}

/// Who or what asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Cause {
    /// Our own probes.
    Automatic,
    /// An alert, confirmed or direct.
    Alert,
    /// A person.
    Order,
}

impl Cause {
    /// The name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::Alert => "alert",
            Self::Order => "order",
        }
    }
}

/// What recovery took, moment by moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Times {
    /// Start of the first failed round of the site that was left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_failed_at: Option<Timestamp>,
    /// Start of the round that made it unhealthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unhealthy_at: Option<Timestamp>,
    /// When the move was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    /// When the record flipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flipped_at: Option<Timestamp>,
    /// When its last step was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
}

/// When in a move a step is due. All steps of one stage are done before the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// Start what the target needs to serve.
    Activate,
    /// Stop what bills on the site that was left.
    Retire,
}

/// How far a step has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StepState {
    /// Not begun.
    Waiting,
    /// Claimed by a process.
    Running,
    /// Done.
    Done,
    /// Failed; it is tried again at `retry_at`.
    Failed,
}

/// One outside effect of a move. Idempotent: whoever runs it reads the outside state first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What people read, unique within the move: `start streaming endpoint default`.
    pub name: String,
    /// When it is due.
    pub stage: Stage,
    /// The account it works on.
    pub account: AccountKey,
    /// The thing on that account.
    pub resource: String,
    /// How far it is.
    pub state: StepState,
    /// How often it was begun.
    pub attempts: u32,
    /// The last error, in one line.
    pub detail: Option<String>,
    /// Who runs it.
    pub owner: Option<String>,
    /// Until when the owner's claim holds.
    pub claimed_until: Option<Timestamp>,
    /// Not again before this.
    pub retry_at: Option<Timestamp>,
    /// Since when it has been failing.
    pub failing_since: Option<Timestamp>,
}

/// What became of a step that this process ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepReport {
    /// The move it belongs to; a report for another move is dropped.
    pub move_id: String,
    /// The step's name.
    pub step: String,
    /// `Ok` when done, else what went wrong in one line.
    pub result: Result<(), String>,
}

/// One move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Move {
    /// Its own id.
    pub id: String,
    /// The generation that its flip gives, or gave.
    pub generation: u64,
    /// Failover, switchover or failback.
    pub kind: MoveKind,
    /// The site that is left.
    pub from: SiteName,
    /// The site that becomes active.
    pub to: SiteName,
    /// Why.
    pub cause: Cause,
    /// Who: `understudy` where no person did.
    pub actor: String,
    /// The reason given, or what the evidence said.
    pub reason: Option<String>,
    /// Whether a person forced it.
    pub forced: bool,
    /// When it was decided.
    pub started_at: Timestamp,
    /// When the record flipped; `None` while the target is prepared.
    pub flipped_at: Option<Timestamp>,
    /// When the preparation is given up.
    pub prepare_until: Option<Timestamp>,
    /// What recovery took so far.
    pub times: Times,
    /// Its steps.
    pub steps: Vec<Step>,
}
