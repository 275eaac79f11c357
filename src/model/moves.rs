//! A move in progress: from where to where, why, and its steps.

use jiff::{SignedDuration, Timestamp};
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

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 2] = [Self::Activate, Self::Retire];

    /// What its steps do to the things they name.
    #[must_use]
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Activate => "start",
            Self::Retire => "stop",
        }
    }
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

impl StepState {
    /// The name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
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
    /// Since when it has been failing, or taking longer than one attempt.
    pub failing_since: Option<Timestamp>,
    /// Whether an attempt of it changed the outside, or may have: then it is ours to undo.
    #[serde(default)]
    pub began: bool,
    /// Whether history tells of a failure of it.
    #[serde(default)]
    pub told: bool,
    /// Until then somebody who was claimed for the opposite may still be at work, so that nothing counts as done.
    #[serde(default)]
    pub contested_until: Option<Timestamp>,
}

impl Step {
    /// Whether it is something to be started that is not, as far as is known.
    #[must_use]
    pub fn is_open_start(&self) -> bool {
        self.stage == Stage::Activate && self.state != StepState::Done
    }

    /// A step that nobody has begun.
    #[must_use]
    pub fn new(stage: Stage, account: AccountKey, resource: String) -> Self {
        Self {
            name: format!("{} {resource}", stage.verb()),
            stage,
            account,
            resource,
            state: StepState::Waiting,
            attempts: 0,
            detail: None,
            owner: None,
            claimed_until: None,
            retry_at: None,
            failing_since: None,
            began: false,
            told: false,
            contested_until: None,
        }
    }
}

/// How an attempt at a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepResult {
    /// The outside is as the step wants it.
    Done,
    /// It is under way outside and goes on without us; the line says how it stands.
    GoingOn(String),
    /// It went wrong.
    Failed {
        /// What went wrong, in one line.
        detail: String,
        /// Not again before this much time has passed, where the service said so.
        wait: Option<SignedDuration>,
    },
}

impl StepResult {
    /// A failure that may be tried again as soon as we like.
    #[must_use]
    pub fn failed(detail: impl Into<String>) -> Self {
        Self::Failed {
            detail: detail.into(),
            wait: None,
        }
    }
}

/// What became of a step that this process ran, or rehearsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepReport {
    /// The move it belongs to; a report for another move is dropped.
    pub move_id: String,
    /// The step's name.
    pub step: String,
    /// Whether it changed the outside, or may have.
    pub began: bool,
    /// How it ended.
    pub result: StepResult,
    /// How long it took.
    pub took: SignedDuration,
}

impl StepReport {
    /// A report of an attempt that changed nothing and took no time.
    #[must_use]
    pub fn new(move_id: &str, step: &str, result: StepResult) -> Self {
        Self {
            move_id: move_id.to_owned(),
            step: step.to_owned(),
            began: false,
            result,
            took: SignedDuration::ZERO,
        }
    }
}

/// A step that a process has claimed, and the move that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The move's id.
    pub move_id: String,
    /// The step as claimed.
    pub step: Step,
}

/// What a move of ours leaves to be done: to be stopped on a site that is not active, where the policy wants its
/// standby cold, or to be started on the active one, where the next move was begun before that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leftover {
    /// The move that it is the rest of.
    pub move_id: String,
    /// What asked for that move.
    pub cause: Cause,
    /// The site.
    pub site: SiteName,
    /// Since when.
    pub since: Timestamp,
    /// Whether the site has to be well again first. Its steps are planned then.
    pub waits_for_recovery: bool,
    /// What is to be done: all of it stops, or all of it starts.
    pub steps: Vec<Step>,
}

impl Leftover {
    /// Whether it is something to be started.
    #[must_use]
    pub fn starts(&self) -> bool {
        self.steps.iter().any(|step| step.stage == Stage::Activate)
    }
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
    /// When the last start step of a preparation was done: it flips on what is seen of the target from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepared_at: Option<Timestamp>,
    /// What recovery took so far.
    pub times: Times,
    /// Its steps.
    pub steps: Vec<Step>,
}
