//! What a rule does to the record: the assembly of a decision. Beginning and flipping moves is in
//! `moves`, what moves leave to be stopped in `leftovers`, what persons order beside moves in `orders`, what
//! history and answers are told in `tell`.

mod leftovers;
mod moves;
mod orders;
mod tell;

use std::sync::Arc;

use jiff::Timestamp;

use super::cue::{self, Cue};
use super::guard::{self, Facts};
use super::health::{self, Fitness, SiteHealth};
use super::transition::{self, Effect, Rule};
use super::{Decision, Observation, Ruling, steps};
use crate::model::answer::Answer;
use crate::model::history::HistoryEntry;
use crate::model::hold::Hold;
use crate::model::moves::{Cause, Claim, Move, MoveKind};
use crate::model::name::SiteName;
use crate::model::spec::GroupSpec;
use crate::model::state::{GroupState, HoldClock};

/// A decision in the making.
pub(super) struct Deciding<'a> {
    before: &'a GroupState,
    seen: &'a Observation<'a>,
    spec: &'a GroupSpec,
    now: Timestamp,
    sites: Vec<SiteHealth>,
    next: GroupState,
    rule: Rule,
    hold: Option<Hold>,
    ruling: Ruling,
    begun: Option<Move>,
    history: Vec<HistoryEntry>,
}

impl<'a> Deciding<'a> {
    pub(super) fn new(
        state: &'a GroupState,
        seen: &'a Observation<'a>,
        spec: &'a GroupSpec,
        now: Timestamp,
    ) -> Self {
        Self {
            before: state,
            seen,
            spec,
            now,
            sites: health::assess(spec, seen.evidence, now),
            next: state.clone(),
            rule: Rule::S0,
            hold: None,
            ruling: Ruling::Done,
            begun: None,
            history: Vec::new(),
        }
    }

    pub(super) fn run(mut self) -> Decision {
        let wanted = self.seen.order.and_then(|order| order.if_generation);
        if wanted.is_some_and(|generation| generation != self.before.generation) {
            self.ruling = Ruling::GenerationMismatch;
            return self.finish(Vec::new());
        }
        self.refresh_answer();
        self.fold_reports();
        self.note_signals();
        self.keep_clock();
        let cue = cue::read(&self.next, self.seen, self.spec, &self.sites, self.now);
        self.rule = transition::rule(self.next.phase(), cue);
        // What was noted on the way is told under the rule that then fired.
        for entry in &mut self.history {
            self.rule.id().clone_into(&mut entry.rule);
        }
        self.apply(cue);
        self.forget_noted(cue);
        let claims = if ends_what_was(self.rule, self.seen) {
            // The pass that follows claims.
            Vec::new()
        } else {
            self.claim()
        };
        self.finish(claims)
    }

    fn claim(&mut self) -> Vec<Claim> {
        let mut claims = match &mut self.next.moving {
            Some(running) => steps::claim(running, self.seen.process, self.now),
            None => Vec::new(),
        };
        claims.extend(self.tend_leftovers());
        claims
    }

    fn apply(&mut self, cue: Cue) {
        match self.rule.effect() {
            Effect::Stay => self.hold = self.held_flip(),
            Effect::NothingToDo => {}
            Effect::Begin(kind, cause) => self.begin(kind, cause, cue),
            Effect::Flip => self.flip_prepared(),
            Effect::GiveUp => self.give_up(),
            Effect::Settle => self.settle(),
            Effect::Running => self.ruling = Ruling::Running,
            Effect::RefuseMoving => self.refuse_moving(),
            Effect::Pause => self.pause(),
            Effect::Resume => self.resume(),
            Effect::Acknowledge => self.acknowledge(),
            Effect::Drill => self.drill(),
        }
    }

    /// The record holds what lookups hand out; a configuration that changed it is followed, one that
    /// no longer knows the active site is not.
    fn refresh_answer(&mut self) {
        let known = &self.next.answer;
        if let Some(site) = self.spec.site(self.next.active())
            && !site.is_answered_by(self.seen.evidence, known)
        {
            self.next.answer = Arc::new(site.answer_seen(self.seen.evidence, known));
        }
    }

    fn active_health(&self) -> Option<&SiteHealth> {
        self.sites
            .iter()
            .find(|site| site.site == *self.next.active())
    }

    /// The hold time runs from the start of the round that made the site unhealthy, and only while
    /// the evidence is complete and a target is fit; else it starts again.
    fn keep_clock(&mut self) {
        let Some(newest) = self.seen.evidence.map(|evidence| evidence.newest_at) else {
            return;
        };
        let active = self.active_health();
        let unhealthy_since = active.and_then(|site| site.unhealthy_since);
        let unseen = active.is_some_and(|site| site.unhealthy_unseen);
        let runs = !unseen && self.fit_target().is_some();
        self.next.clock = match (unhealthy_since, self.next.clock) {
            (None, _) => HoldClock::Idle,
            (Some(_), HoldClock::Idle | HoldClock::Broken | HoldClock::Running { .. }) if !runs => {
                HoldClock::Broken
            }
            // A site that was unhealthy when it became active is given its hold time all the same.
            (Some(since), HoldClock::Idle) => HoldClock::Running {
                since: since.max(self.next.since).min(newest),
            },
            (Some(_), HoldClock::Broken) => HoldClock::Running { since: newest },
            // A start that lies after the newest round comes from a clock that was set back since.
            (Some(_), HoldClock::Running { since }) => HoldClock::Running {
                since: since.min(newest),
            },
        };
    }

    fn others(&self) -> impl Iterator<Item = &SiteHealth> {
        self.sites
            .iter()
            .filter(|site| site.site != *self.next.active())
    }

    fn fit_target(&self) -> Option<SiteName> {
        self.first_with(Fitness::Fit)
    }

    fn first_with(&self, fitness: Fitness) -> Option<SiteName> {
        self.others()
            .find(|site| site.fitness == fitness)
            .map(|site| site.site.clone())
    }

    /// Where a move would go: where the order says, else the first fit site in configured order, else
    /// the one of which least is known against it, so that the hold names the nearest way out.
    fn target(&self, kind: MoveKind) -> Option<SiteName> {
        if let Some(order) = self.seen.order
            && let Some(to) = cue::wanted_target(order, self.spec)
        {
            return Some(to);
        }
        if kind == MoveKind::Failback {
            return self.spec.primary().map(|site| site.name.clone());
        }
        self.fit_target()
            .or_else(|| self.first_with(Fitness::Unknown))
            .or_else(|| self.first_with(Fitness::Unfit))
    }

    fn facts<'f>(
        &'f self,
        kind: MoveKind,
        target: &'f SiteName,
        cue: Cue,
        has_steps: bool,
    ) -> Facts<'f> {
        Facts {
            state: &self.next,
            spec: self.spec,
            sites: &self.sites,
            unbroken_since: self.seen.evidence.map(|evidence| evidence.unbroken_since),
            kind,
            target,
            by_probes: cue == Cue::ActiveFailed,
            has_steps,
            moving_elsewhere: self.seen.moving_elsewhere,
            now: self.now,
        }
    }

    fn guards(&self, kind: MoveKind, cause: Cause, target: &SiteName, cue: Cue) -> guard::Guarded {
        let forced = self.seen.order.is_some_and(|order| order.force);
        let planned = steps::plan(self.spec, kind, self.next.active(), target);
        guard::check(
            transition::ask(kind, cause, forced),
            &self.facts(kind, target, cue, !planned.is_empty()),
        )
    }

    fn finish(mut self, claims: Vec<Claim>) -> Decision {
        if self.next.generation != self.before.generation {
            self.next.revision = 0;
        } else if shown(&self.next) != shown(self.before) {
            self.next.revision = self.next.revision.saturating_add(1);
        }
        Decision {
            next: self.next,
            rule: self.rule,
            hold: self.hold,
            ruling: self.ruling,
            begun: self.begun,
            history: self.history,
            claims,
        }
    }
}

/// Whether this rule ends what was under way, so that the same observation is decided on once more.
pub(super) fn ends_what_was(rule: Rule, seen: &Observation<'_>) -> bool {
    match rule.effect() {
        Effect::Settle | Effect::GiveUp => seen.order.is_none(),
        Effect::Stay
        | Effect::Begin(..)
        | Effect::Flip
        | Effect::Running
        | Effect::RefuseMoving
        | Effect::NothingToDo
        | Effect::Pause
        | Effect::Resume
        | Effect::Acknowledge
        | Effect::Drill => false,
    }
}

/// What a lookup shows of a record, its age apart.
fn shown(state: &GroupState) -> (&Arc<Answer>, bool, bool) {
    (&state.answer, state.is_ready(), state.moving.is_some())
}
