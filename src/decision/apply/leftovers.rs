//! What moves leave to be done. To be stopped on sites that are not active, where the policy wants its standby cold:
//! after a failover what bills on the failed site, once that is well again; after a preparation that was given up,
//! what it had started. Nothing on the active site is ever stopped, nor on one that a move is under way to. To be
//! started on the active site: what the last move had not started when the next one began its preparation.

use super::Deciding;
use crate::decision::health::Fitness;
use crate::decision::steps;
use crate::model::moves::{Claim, Leftover, Move, MoveKind, Stage, Step, StepState};
use crate::model::name::SiteName;
use crate::model::policy::Standby;
use crate::model::state::Phase;
use crate::model::verdict::Verdict;

impl Deciding<'_> {
    /// Every step that is under way besides those of the move that begins.
    pub(super) fn steps_under_way(&self) -> impl Iterator<Item = &Step> {
        let moving = self.next.moving.iter().flat_map(|moving| &moving.steps);
        let leftovers = self.next.leftovers.iter();
        moving.chain(leftovers.flat_map(|leftover| &leftover.steps))
    }

    /// At the flip: the site that becomes active keeps everything; the one that is left by a failover is stopped
    /// once it is well again; what a replaced move had yet to stop elsewhere is still to be stopped, and nothing is
    /// started any more on the site that is left.
    pub(super) fn leave_behind(&mut self, moving: &Move, replaced: Option<Move>) {
        self.next.leftovers.retain(|each| !each.starts());
        if let Some(rest) = replaced {
            self.keep(&rest, Stage::Retire);
        }
        if self.spec.policy.standby == Standby::Cold && moving.kind == MoveKind::Failover {
            self.add_leftover(moving, &moving.from, true, Vec::new());
        }
        let active = self.next.active().clone();
        self.next.leftovers.retain(|each| each.site != active);
    }

    /// A preparation begins before the last move is complete: the rest of that goes on beside it.
    pub(super) fn keep_rest(&mut self, rest: &Move) {
        for stage in Stage::ALL {
            self.keep(rest, stage);
        }
    }

    /// Stops, too, where the standby is warm by now: whatever is not to be stopped any more is dropped by
    /// [`Self::tend_leftovers`].
    fn keep(&mut self, rest: &Move, stage: Stage) {
        let site = match stage {
            Stage::Activate => &rest.to,
            Stage::Retire => &rest.from,
        };
        let is_open = |step: &&Step| step.stage == stage && step.state != StepState::Done;
        let steps = rest.steps.iter().filter(is_open).cloned().collect();
        self.add_leftover(rest, site, false, steps);
    }

    /// A preparation is given up: what it started is stopped again.
    pub(super) fn undo_preparation(&mut self, moving: &Move) {
        if self.spec.policy.standby == Standby::Cold {
            let undoing = steps::undo(&moving.steps);
            self.add_leftover(moving, &moving.to, false, undoing);
        }
    }

    fn add_leftover(&mut self, of: &Move, site: &SiteName, waits: bool, steps: Vec<Step>) {
        if steps.is_empty() && !waits {
            return;
        }
        let mut leftover = Leftover {
            move_id: of.id.clone(),
            cause: of.cause,
            site: site.clone(),
            since: self.now,
            waits_for_recovery: waits,
            steps,
        };
        // Of what was to be done there before, nothing is lost.
        let mut all = self.next.leftovers.iter();
        if let Some(at) = all.position(|each| each.site == *site) {
            let before = self.next.leftovers.remove(at);
            leftover.waits_for_recovery |= before.waits_for_recovery;
            let open = (before.steps.into_iter()).filter(|step| step.state != StepState::Done);
            for step in open {
                match leftover
                    .steps
                    .iter_mut()
                    .find(|each| each.name == step.name)
                {
                    None => leftover.steps.push(step),
                    // It was to be stopped whatever becomes of the start.
                    Some(each) if !steps::waits_for_word(&step) => each.retry_at = None,
                    Some(_) => {}
                }
            }
        }
        self.next.leftovers.push(leftover);
    }

    /// Plans what has become due, claims it, and drops what is done or must not be touched any more.
    pub(super) fn tend_leftovers(&mut self) -> Vec<Claim> {
        if self.next.leftovers.is_empty() {
            return Vec::new();
        }
        let mut leftovers = std::mem::take(&mut self.next.leftovers);
        let is_cold = self.spec.policy.standby == Standby::Cold;
        leftovers.retain(|each| {
            if each.site == *self.next.active() {
                each.starts()
            } else {
                is_cold && self.spec.site(&each.site).is_some()
            }
        });
        let mut claims = Vec::new();
        for leftover in &mut leftovers {
            let is_target =
                (self.next.moving.as_ref()).is_some_and(|move_| move_.to == leftover.site);
            if is_target {
                continue;
            }
            if leftover.waits_for_recovery && self.may_be_stopped(leftover) {
                leftover.waits_for_recovery = false;
                let site = self.spec.site(&leftover.site);
                for step in site
                    .into_iter()
                    .flat_map(|site| steps::of_site(site, Stage::Retire))
                {
                    if !leftover.steps.iter().any(|each| each.name == step.name) {
                        leftover.steps.push(step);
                    }
                }
            }
            let each = leftover.steps.iter_mut();
            claims.extend(steps::claim_each(
                &leftover.move_id,
                each,
                self.seen.process,
                self.now,
            ));
        }
        leftovers.retain(|each| each.waits_for_recovery || !steps::are_done(&each.steps));
        self.next.leftovers = leftovers;
        claims
    }

    /// Whether a site that failed has recovered: healthy by as many ok rounds as that takes, seen after the
    /// flip, with no alert against it; and the group needs it no more, and nobody asked for quiet.
    fn may_be_stopped(&self, leftover: &Leftover) -> bool {
        let site = &leftover.site;
        let quiet = self.next.phase() == Phase::Settled
            && self.next.pause_at(self.now).is_none()
            && self.looks_at_everything();
        let is_alerted = (self.seen.signals.iter())
            .any(|signal| signal.expires_at > self.now && signal.is_against(site));
        let is_well = (self.sites.iter())
            .find(|health| health.site == *site)
            .is_some_and(|health| {
                health.verdict == Verdict::Healthy && health.fitness == Fitness::Fit
            });
        // While what serves is not fit, people may want to go back.
        let is_needed = (self.sites.iter())
            .any(|health| health.site == *self.next.active() && health.fitness != Fitness::Fit);
        quiet && !is_alerted && !is_needed && is_well && self.answered_often_enough(leftover)
    }

    fn answered_often_enough(&self, leftover: &Leftover) -> bool {
        let (Some(evidence), Some(site)) = (self.seen.evidence, self.spec.site(&leftover.site))
        else {
            return false;
        };
        let wanted = self.spec.policy.recover_threshold;
        evidence.newest_at >= leftover.since
            && site.probed().all(|key| {
                let seen = evidence.accounts.get(&key);
                seen.is_some_and(|seen| seen.recoveries >= wanted)
            })
    }
}
