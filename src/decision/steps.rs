//! The steps of a move: planning, claiming, folding what became of them. Pure; who runs a step and
//! how is the controller's and the adapters' concern.

use jiff::{SignedDuration, Timestamp};

use crate::model::moves::{Move, MoveKind, Stage, Step, StepReport, StepState};
use crate::model::name::SiteName;
use crate::model::policy::Standby;
use crate::model::spec::{GroupSpec, SiteSpec};

/// A claim outlives the longest request a step makes; after it another process may take over.
pub const CLAIM_FOR: SignedDuration = SignedDuration::from_mins(2);
/// The first retry of a failed step comes after this long, each further one after twice as long.
pub const RETRY_FIRST: SignedDuration = SignedDuration::from_secs(5);
/// And no retry later than this.
pub const RETRY_LIMIT: SignedDuration = SignedDuration::from_mins(5);

/// The steps of a move: start what the target needs; after a planned move away from a cold standby,
/// stop what bills on the site that was left.
#[must_use]
pub fn plan(spec: &GroupSpec, kind: MoveKind, from: &SiteName, to: &SiteName) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(target) = spec.site(to) {
        push(&mut steps, target, Stage::Activate, "start");
    }
    let retires = kind != MoveKind::Failover && spec.policy.standby == Standby::Cold;
    if let Some(left) = spec.site(from).filter(|_| retires) {
        push(&mut steps, left, Stage::Retire, "stop");
    }
    steps
}

fn push(steps: &mut Vec<Step>, site: &SiteSpec, stage: Stage, verb: &str) {
    for (account, resource) in site.activation() {
        steps.push(Step {
            name: format!("{verb} {resource}"),
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
        });
    }
}

/// The steps that come before the flip of a planned move: everything the target needs to serve.
#[must_use]
pub fn needs_preparation(kind: MoveKind, steps: &[Step]) -> bool {
    kind != MoveKind::Failover && steps.iter().any(|step| step.stage == Stage::Activate)
}

/// Whether the target serves, so that a planned move may flip.
#[must_use]
pub fn are_prepared(steps: &[Step]) -> bool {
    steps
        .iter()
        .all(|step| step.stage != Stage::Activate || step.state == StepState::Done)
}

/// Whether every step is done.
#[must_use]
pub fn are_done(steps: &[Step]) -> bool {
    steps.iter().all(|step| step.state == StepState::Done)
}

/// Whether a move's steps have been failing for longer than `prepare_timeout`: it no longer takes a
/// place under the storm limit, and an automatic move may replace it.
#[must_use]
pub fn is_stalled(running: &Move, spec: &GroupSpec, now: Timestamp) -> bool {
    running.steps.iter().any(|step| {
        step.failing_since
            .is_some_and(|since| now.duration_since(since) >= spec.policy.prepare_timeout)
    })
}

/// Folds what became of this process's steps into the move. Returns the steps that failed for the
/// first time, each with what went wrong. Reports for another move, or for a step that is done, are
/// dropped; so is the failure of a step that another process has claimed since.
pub fn fold(
    running: &mut Move,
    reports: &[StepReport],
    process: &str,
    now: Timestamp,
) -> Vec<(String, String)> {
    let mut first_failures = Vec::new();
    for report in reports.iter().filter(|report| report.move_id == running.id) {
        let found = running
            .steps
            .iter_mut()
            .find(|step| step.name == report.step && step.state != StepState::Done);
        let Some(step) = found else { continue };
        match &report.result {
            Ok(()) => {
                step.state = StepState::Done;
                step.detail = None;
                step.retry_at = None;
                step.failing_since = None;
            }
            Err(detail) => {
                if step.owner.as_deref().is_some_and(|owner| owner != process) {
                    continue;
                }
                if step.detail.is_none() {
                    first_failures.push((step.name.clone(), detail.clone()));
                }
                step.state = StepState::Failed;
                step.detail = Some(detail.clone());
                step.failing_since = step.failing_since.or(Some(now));
                step.retry_at = now.checked_add(backoff(step.attempts)).ok();
            }
        }
        step.owner = None;
        step.claimed_until = None;
    }
    first_failures
}

fn backoff(attempts: u32) -> SignedDuration {
    let doublings = attempts.saturating_sub(1).min(10);
    (RETRY_FIRST * (1_i32 << doublings)).min(RETRY_LIMIT)
}

/// Claims every step that is due for `owner`: waiting, failed with its retry due, or running under a
/// claim that ran out. Steps of a stage are due only when all earlier stages are done, and what stops
/// the old site only after the flip.
pub fn claim(running: &mut Move, owner: &str, now: Timestamp) -> Vec<Step> {
    let flipped = running.flipped_at.is_some();
    let stage = running
        .steps
        .iter()
        .filter(|step| step.state != StepState::Done)
        .map(|step| step.stage)
        .min();
    let mut claimed = Vec::new();
    for step in &mut running.steps {
        let is_due = Some(step.stage) == stage
            && (flipped || step.stage == Stage::Activate)
            && match step.state {
                StepState::Waiting => true,
                StepState::Failed => step.retry_at.is_none_or(|at| now >= at),
                StepState::Running => step.claimed_until.is_none_or(|until| now >= until),
                StepState::Done => false,
            };
        if is_due {
            if step.state == StepState::Running {
                // Whoever ran it never said what became of it: it has been failing since then.
                step.failing_since = step.failing_since.or(step.claimed_until);
            }
            step.state = StepState::Running;
            step.attempts = step.attempts.saturating_add(1);
            step.owner = Some(owner.to_owned());
            step.claimed_until = now.checked_add(CLAIM_FOR).ok();
            claimed.push(step.clone());
        }
    }
    claimed
}
