//! Moves: begun, flipped, given up, completed.

use std::sync::Arc;

use super::Deciding;
use crate::decision::cue::{Cue, is_automatic_failover};
use crate::decision::{Ruling, guard, steps};
use crate::model::history::HistoryKind;
use crate::model::hold::{Hold, HoldCode};
use crate::model::moves::{Cause, Move, MoveKind, Times};
use crate::model::name::SiteName;
use crate::model::order::FORCED_FOR;
use crate::model::state::{HoldClock, LastFlip, Phase};

impl Deciding<'_> {
    pub(super) fn begin(&mut self, kind: MoveKind, cause: Cause, cue: Cue) {
        let configured = self
            .target(kind)
            .filter(|target| self.spec.site(target).is_some());
        let Some(target) = configured else {
            self.refuse_without_target(kind, cause);
            return;
        };
        let guarded = self.guards(kind, cause, &target, cue);
        if let Some(first) = guarded.holds.first().cloned() {
            self.refuse(cause, &target, first, &guarded.holds);
            return;
        }
        if self.next.phase() == Phase::Preparing {
            self.give_up();
        }
        let moving = self.new_move(kind, cause, target);
        if cause == Cause::Order {
            // A person has looked: the wait after the last automatic failover has done its work.
            self.next.cooldown_until = None;
        }
        self.guard_forced(&moving);
        if steps::needs_preparation(kind, &moving.steps) {
            self.begun = Some(moving.clone());
            if let Some(rest) = self.next.moving.replace(moving) {
                self.keep_rest(&rest);
            }
            self.ruling = Ruling::Running;
        } else {
            self.flip(moving, guarded.overridden);
        }
    }

    /// Not even force goes to a site that is not configured: there is nothing to hand out.
    pub(super) fn refuse_without_target(&mut self, kind: MoveKind, cause: Cause) {
        let wanted = self.target(kind);
        let message = match &wanted {
            Some(site) => format!("{site} is not fit to become active: it is not configured"),
            None => "no other site is configured".to_owned(),
        };
        let hold = Hold {
            code: HoldCode::TargetUnfit,
            message,
            until: None,
        };
        if cause == Cause::Order {
            self.push_refusal(cause, wanted.as_ref(), &hold);
            self.ruling = Ruling::Refused(hold);
        } else {
            self.hold = Some(hold);
        }
    }

    pub(super) fn new_move(&self, kind: MoveKind, cause: Cause, to: SiteName) -> Move {
        let from = self.next.active().clone();
        let left = self.active_health();
        let mut planned = steps::plan(self.spec, kind, &from, &to);
        steps::contest(&mut planned, self.steps_under_way());
        Move {
            id: self.seen.move_id.to_owned(),
            generation: self.next.generation.saturating_add(1),
            kind,
            steps: planned,
            cause,
            actor: self.actor(),
            reason: self.reason(),
            forced: cause == Cause::Order && self.seen.order.is_some_and(|order| order.force),
            started_at: self.now,
            flipped_at: None,
            prepare_until: self.now.checked_add(self.spec.policy.prepare_timeout).ok(),
            prepared_at: None,
            times: Times {
                first_failed_at: left.and_then(|site| site.first_failed_at),
                unhealthy_at: left.and_then(|site| site.unhealthy_since),
                decided_at: Some(self.now),
                flipped_at: None,
                completed_at: None,
            },
            from,
            to,
        }
    }

    /// What keeps a preparation whose steps are done from flipping.
    pub(super) fn held_flip(&self) -> Option<Hold> {
        let running = self.next.moving.as_ref()?;
        let waits = self.next.phase() == Phase::Preparing && steps::are_prepared(&running.steps);
        let facts = self.facts(running.kind, &running.to, Cue::Quiet, true);
        let unseen = || {
            let is_unseen = steps::awaits_look(&self.next, self.seen.evidence);
            is_unseen.then(|| guard::unseen(&running.to))
        };
        waits
            .then(|| guard::target_hold(&facts).or_else(unseen))
            .flatten()
    }

    pub(super) fn flip_prepared(&mut self) {
        if let Some(moving) = self.next.moving.take() {
            let overridden = moving
                .forced
                .then(|| guard::target_hold(&self.facts(moving.kind, &moving.to, Cue::Quiet, true)))
                .flatten();
            self.flip(moving, overridden);
        }
    }

    /// The flip: the only place where the active site and the generation change.
    fn flip(&mut self, mut moving: Move, overridden: Option<Hold>) {
        let Some(target) = self.spec.site(&moving.to) else {
            return;
        };
        // While it was prepared, something may have been started on the site that is left.
        steps::contest(&mut moving.steps, self.steps_under_way());
        moving.flipped_at = Some(self.now);
        moving.times.flipped_at = Some(self.now);
        let complete = steps::are_done(&moving.steps);
        if complete {
            moving.times.completed_at = Some(self.now);
        }
        let answer = target.answer_seen(self.seen.evidence, &self.next.answer);
        self.next.answer = Arc::new(answer);
        let replaced = self.next.moving.take();
        self.leave_behind(&moving, replaced);
        self.next.generation = moving.generation;
        self.next.since = self.now;
        self.next.clock = HoldClock::Idle;
        self.keep_clock();
        self.next.noted.clear();
        self.guard_forced(&moving);
        self.remember_flip(&moving);
        let mut entry = self.entry(moving.kind.into(), moving.cause);
        entry.from = moving.from.clone();
        entry.to = Some(moving.to.clone());
        entry.actor.clone_from(&moving.actor);
        entry.reason.clone_from(&moving.reason);
        entry.forced = moving.forced;
        entry.hold = overridden;
        entry.times = Some(moving.times);
        self.history.push(entry);
        self.begun = Some(moving.clone());
        self.ruling = if complete {
            Ruling::Done
        } else {
            Ruling::Running
        };
        self.next.moving = (!complete).then_some(moving);
    }

    /// The timer does not undo a person: neither what is being prepared nor what has flipped.
    fn guard_forced(&mut self, moving: &Move) {
        if moving.forced {
            self.next.forced_until = self.now.checked_add(FORCED_FOR).ok();
        }
    }

    /// What later decisions need of a flip: cool-down and budget, and what a failback may undo.
    fn remember_flip(&mut self, moving: &Move) {
        let mut flip = LastFlip {
            kind: moving.kind,
            cause: moving.cause,
            from: moving.from.clone(),
        };
        if is_automatic_failover(&flip) {
            self.next.cooldown_until = self
                .now
                .checked_add(self.spec.policy.cooldown)
                .ok()
                .max(self.next.cooldown_until);
            self.next
                .automatic_failovers
                .retain(|at| self.now.duration_since(*at) < guard::BUDGET_WINDOW);
            self.next.automatic_failovers.push(self.now);
            if let Some(last) = self.next.last_flip.take().filter(is_automatic_failover) {
                flip.from = last.from;
            }
        }
        self.next.last_flip = Some(flip);
    }

    pub(super) fn give_up(&mut self) {
        let Some(moving) = self.next.moving.take() else {
            return;
        };
        self.undo_preparation(&moving);
        let mut entry = self.entry(HistoryKind::Cancel, moving.cause);
        entry.actor = self.actor();
        entry.reason = match (self.reason(), steps::what_is_missing(&moving.steps)) {
            // Whoever cancels need not be told what was missing.
            (reason, Some(missing)) if self.seen.order.is_none() => {
                Some(format!("{} {missing}", reason.unwrap_or_default()))
            }
            (reason, _) => reason,
        };
        entry.to = Some(moving.to);
        self.history.push(entry);
    }

    pub(super) fn settle(&mut self) {
        let Some(mut moving) = self.next.moving.take() else {
            return;
        };
        moving.times.completed_at = Some(self.now);
        let mut entry = self.entry(HistoryKind::MoveCompleted, moving.cause);
        entry.from = moving.from;
        entry.to = Some(moving.to);
        entry.times = Some(moving.times);
        self.history.push(entry);
    }
}
