//! The steps of a move: planning, claiming, folding what became of them. Pure; who runs a step and
//! how is the controller's and the adapters' concern.

use jiff::{SignedDuration, Timestamp};

use crate::model::evidence::GroupEvidence;
use crate::model::moves::{Claim, Move, MoveKind, Stage, Step, StepReport, StepResult, StepState};
use crate::model::name::SiteName;
use crate::model::policy::Standby;
use crate::model::runbook::Topic;
use crate::model::spec::{GroupSpec, SiteSpec};
use crate::model::state::GroupState;

/// A claim outlives the longest attempt at a step; after it another process may take over. What takes longer
/// than one attempt is claimed anew.
pub const CLAIM_FOR: SignedDuration = SignedDuration::from_secs(30);
/// The first retry of a failed step comes after this long, each further one after twice as long.
pub const RETRY_FIRST: SignedDuration = SignedDuration::from_secs(5);
/// And no retry later than this, unless the service itself asks for more.
pub const RETRY_LIMIT: SignedDuration = SignedDuration::from_mins(5);
/// A service that asks for a longer wait than this is asked again all the same.
pub const WAIT_LIMIT: SignedDuration = SignedDuration::from_mins(15);

/// The steps of a move: start what the target needs; after a planned move away from a cold standby,
/// stop what bills on the site that was left.
#[must_use]
pub fn plan(spec: &GroupSpec, kind: MoveKind, from: &SiteName, to: &SiteName) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(target) = spec.site(to) {
        steps.extend(of_site(target, Stage::Activate));
    }
    let retires = kind != MoveKind::Failover && spec.policy.standby == Standby::Cold;
    if let Some(left) = spec.site(from).filter(|_| retires) {
        steps.extend(of_site(left, Stage::Retire));
    }
    steps
}

/// The steps that start, or stop, everything on a site.
pub fn of_site(site: &SiteSpec, stage: Stage) -> impl Iterator<Item = Step> + '_ {
    site.activation()
        .map(move |(account, resource)| Step::new(stage, account, resource))
}

/// What undoes the start steps of a preparation: only what it changed, or may be changing now. What somebody is only
/// claimed for waits for what becomes of that attempt, see [`hear_of_undone`], or for the end of the claim: it may
/// have run before.
#[must_use]
pub fn undo(steps: &[Step]) -> Vec<Step> {
    let is_claimed = |step: &Step| step.state == StepState::Running && step.owner.is_some();
    let mut undoing: Vec<Step> = steps
        .iter()
        .filter(|step| step.stage == Stage::Activate)
        .filter(|step| step.began || is_claimed(step))
        .map(|step| Step {
            retry_at: step.claimed_until.filter(|_| !step.began),
            ..Step::new(Stage::Retire, step.account.clone(), step.resource.clone())
        })
        .collect();
    contest(&mut undoing, steps);
    undoing
}

/// Hears what became of the starts that these steps undo: what such a start changed is stopped now, what it did not
/// change is left as it was. A stop that has been tried already goes on.
pub fn hear_of_undone(move_id: &str, undoing: &mut Vec<Step>, reports: &[StepReport]) {
    for report in reports.iter().filter(|report| report.move_id == move_id) {
        let is_of = |stop: &Step| {
            let start = Step::new(Stage::Activate, stop.account.clone(), stop.resource.clone());
            waits_for_word(stop) && start.name == report.step
        };
        if report.began {
            for stop in undoing.iter_mut().filter(|stop| is_of(stop)) {
                stop.retry_at = None;
            }
        } else {
            undoing.retain(|stop| !is_of(stop));
        }
    }
}

/// Whether this stop is due only if the start that it undoes turns out to have begun.
#[must_use]
pub fn waits_for_word(stop: &Step) -> bool {
    stop.stage == Stage::Retire && stop.attempts == 0 && stop.retry_at.is_some()
}

/// Where somebody is claimed for the opposite of a new step, that call may still land after ours: until the
/// claim is over nothing counts as done.
pub fn contest<'a>(new: &mut [Step], old: impl IntoIterator<Item = &'a Step>) {
    for running in old {
        let opposite = |step: &&mut Step| {
            step.stage != running.stage
                && step.account == running.account
                && step.resource == running.resource
        };
        if running.state != StepState::Running {
            continue;
        }
        for step in new.iter_mut().filter(opposite) {
            step.contested_until = step.contested_until.max(running.claimed_until);
        }
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
    !steps.iter().any(Step::is_open_start)
}

/// Whether a preparation whose steps are done waits for a round that began since. What was started only then could not
/// be asked before: content that is missing on a target shows only once its streaming endpoint runs.
#[must_use]
pub fn awaits_look(state: &GroupState, evidence: Option<&GroupEvidence>) -> bool {
    let preparing = state
        .moving
        .as_ref()
        .filter(|each| each.flipped_at.is_none());
    let prepared_at = preparing.and_then(|running| running.prepared_at);
    prepared_at.is_some_and(|at| evidence.is_none_or(|seen| seen.newest_at < at))
}

/// Notes when a preparation's last step was done.
pub fn note_prepared(running: &mut Move, now: Timestamp) {
    if running.flipped_at.is_none() && are_prepared(&running.steps) {
        running.prepared_at = running.prepared_at.or(Some(now));
    }
}

/// Whether every step is done.
#[must_use]
pub fn are_done(steps: &[Step]) -> bool {
    steps.iter().all(|step| step.state == StepState::Done)
}

/// What keeps a preparation from being done, in one line: the first of its steps that is not.
#[must_use]
pub fn what_is_missing(steps: &[Step]) -> Option<String> {
    let missing = steps.iter().filter(|step| step.is_open_start());
    let step = missing.max_by_key(|step| (step.told, step.detail.is_some()))?;
    Some(match &step.detail {
        Some(detail) => format!("{}: {detail}", step.name),
        None => format!("{} was not done yet", step.name),
    })
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

/// Folds what became of this process's steps into the steps of the move with this id. Returns the steps that
/// failed for the first time, each with what went wrong and where the runbook tells of it. Reports for another
/// move, or for a step that is done, are dropped; so is whatever but success comes for a step that another
/// process has claimed since.
pub fn fold(
    move_id: &str,
    steps: &mut [Step],
    reports: &[StepReport],
    process: &str,
    now: Timestamp,
) -> Vec<(String, String)> {
    let mut first_failures = Vec::new();
    for report in reports.iter().filter(|report| report.move_id == move_id) {
        let found = steps
            .iter_mut()
            .find(|step| step.name == report.step && step.state != StepState::Done);
        let Some(step) = found else { continue };
        step.began |= report.began;
        let is_others = step.owner.as_deref().is_some_and(|owner| owner != process);
        if is_others && report.result != StepResult::Done {
            continue;
        }
        match &report.result {
            StepResult::Done => end(step, now),
            StepResult::GoingOn(detail) => {
                step.detail = Some(detail.clone());
                step.failing_since = step.failing_since.or(Some(now));
            }
            StepResult::Failed { detail, wait } => {
                let detail = Topic::of_step(step)
                    .map_or_else(|| detail.clone(), |topic| topic.named_in(detail));
                if !step.told {
                    step.told = true;
                    first_failures.push((step.name.clone(), detail.clone()));
                }
                step.state = StepState::Failed;
                step.detail = Some(detail);
                step.failing_since = step.failing_since.or(Some(now));
                let wait = wait.map(|wait| wait.min(WAIT_LIMIT));
                let pause = backoff(step.attempts).max(wait.unwrap_or_default());
                step.retry_at = now.checked_add(pause).ok();
            }
        }
        step.owner = None;
        step.claimed_until = None;
    }
    first_failures
}

/// A step is done, unless somebody may still be at work on the opposite: then it is looked at again.
fn end(step: &mut Step, now: Timestamp) {
    if let Some(until) = step.contested_until.filter(|until| *until > now) {
        step.state = StepState::Waiting;
        step.retry_at = Some(until);
        step.detail = Some(format!(
            "it is done, and looked at again at {until}: until then an earlier call to {} it may land",
            match step.stage {
                Stage::Activate => Stage::Retire.verb(),
                Stage::Retire => Stage::Activate.verb(),
            }
        ));
        return;
    }
    step.state = StepState::Done;
    step.detail = None;
    step.retry_at = None;
    step.failing_since = None;
}

fn backoff(attempts: u32) -> SignedDuration {
    let doublings = attempts.saturating_sub(1).min(10);
    (RETRY_FIRST * (1_i32 << doublings)).min(RETRY_LIMIT)
}

/// Claims every step of a move that is due for `owner`. Steps of a stage are due only when all earlier stages
/// are done, and what stops the old site only after the flip.
pub fn claim(running: &mut Move, owner: &str, now: Timestamp) -> Vec<Claim> {
    let flipped = running.flipped_at.is_some();
    let stage = running
        .steps
        .iter()
        .filter(|step| step.state != StepState::Done)
        .map(|step| step.stage)
        .min();
    let is_open = stage.is_some_and(|stage| flipped || stage == Stage::Activate);
    let open = running
        .steps
        .iter_mut()
        .filter(|step| is_open && Some(step.stage) == stage);
    claim_each(&running.id, open, owner, now)
}

/// Whether the record still has this claim, and the step is one that may be run: nothing is stopped on the active
/// site, nor on the one that a move is under way to.
#[must_use]
pub fn may_run(state: &GroupState, claim: &Claim, process: &str, now: Timestamp) -> bool {
    let moving = state.moving.iter().map(|each| (&each.id, &each.steps));
    let leftovers = state
        .leftovers
        .iter()
        .map(|each| (&each.move_id, &each.steps));
    let mut held = moving
        .chain(leftovers)
        .filter(|(id, _)| **id == claim.move_id)
        .flat_map(|(_, steps)| steps)
        .filter(|step| step.name == claim.step.name && step.account == claim.step.account);
    let site = &claim.step.account.site;
    let serves = state.active() == site
        || state
            .moving
            .as_ref()
            .is_some_and(|running| running.to == *site);
    let is_allowed = match claim.step.stage {
        Stage::Activate => true,
        Stage::Retire => !serves,
    };
    is_allowed
        && held.any(|step| {
            step.state == StepState::Running
                && step.owner.as_deref() == Some(process)
                && step.claimed_until.is_some_and(|until| until > now)
        })
}

/// Claims every one of these steps that is due: waiting or failed with its time come, or running and nobody's,
/// or under a claim that ran out.
pub fn claim_each<'a>(
    move_id: &str,
    steps: impl Iterator<Item = &'a mut Step>,
    owner: &str,
    now: Timestamp,
) -> Vec<Claim> {
    let mut claimed = Vec::new();
    for step in steps {
        let is_due = match step.state {
            StepState::Waiting | StepState::Failed => step.retry_at.is_none_or(|at| now >= at),
            StepState::Running => step.claimed_until.is_none_or(|until| now >= until),
            StepState::Done => false,
        };
        if !is_due {
            continue;
        }
        let goes_on = step.state == StepState::Running && step.owner.is_none();
        if step.state == StepState::Running && !goes_on {
            // Whoever ran it never said what became of it: it has been failing since then, and may have begun.
            step.failing_since = step.failing_since.or(step.claimed_until);
            step.began = true;
        }
        if !goes_on {
            step.attempts = step.attempts.saturating_add(1);
        }
        step.state = StepState::Running;
        step.owner = Some(owner.to_owned());
        step.claimed_until = now.checked_add(CLAIM_FOR).ok();
        claimed.push(Claim {
            move_id: move_id.to_owned(),
            step: step.clone(),
        });
    }
    claimed
}
