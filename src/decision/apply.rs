//! What a rule does to the record: the assembly of a decision.

use jiff::Timestamp;

use super::cue::{self, Cue};
use super::guard::{self, Facts};
use super::health::{self, Fitness, SiteHealth};
use super::transition::{self, Effect, Rule};
use super::{Decision, Observation, Ruling, UNDERSTUDY, steps};
use crate::model::history::{HistoryEntry, HistoryKind, Witness};
use crate::model::hold::{Hold, HoldCode};
use crate::model::moves::{Cause, Move, MoveKind, Times};
use crate::model::name::SiteName;
use crate::model::order::{FORCED_FOR, PAUSE_DEFAULT, PAUSE_LIMIT};
use crate::model::spec::GroupSpec;
use crate::model::state::{GroupState, HoldClock, LastFlip, Pause, Phase};

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
        for entry in &mut self.history {
            self.rule.id().clone_into(&mut entry.rule);
        }
        self.apply(cue);
        self.forget_noted(cue);
        let claims = match &mut self.next.moving {
            Some(running) => steps::claim(running, self.seen.process, self.now),
            None => Vec::new(),
        };
        self.finish(claims)
    }

    fn apply(&mut self, cue: Cue) {
        match self.rule.effect() {
            Effect::Stay | Effect::NothingToDo => {}
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
        if let Some(site) = self.spec.site(self.next.active()) {
            let answer = site.answer();
            if self.next.answer != answer {
                self.next.answer = answer;
            }
        }
    }

    fn fold_reports(&mut self) {
        let Some(running) = &mut self.next.moving else {
            return;
        };
        let failed = steps::fold(running, self.seen.reports, self.now);
        let cause = running.cause;
        let to = running.to.clone();
        for step in failed {
            let mut entry = self.entry(HistoryKind::StepFailed, cause);
            entry.to = Some(to.clone());
            entry.reason = Some(step);
            self.history.push(entry);
        }
    }

    /// Every signal is told once, with its stage.
    fn note_signals(&mut self) {
        let mut present = std::collections::BTreeSet::new();
        for signal in self.seen.signals {
            let stage = match signal.stage {
                crate::model::signal::SignalStage::Active => "active",
                crate::model::signal::SignalStage::Resolved => "resolved",
            };
            let key = format!("{}:{stage}", signal.id);
            if !self.next.noted_signals.contains(&key) {
                let mut entry = self.entry(HistoryKind::Signal, Cause::Alert);
                entry.from = signal.site.clone();
                entry.reason = Some(format!("signal {} is {stage}", signal.id));
                self.history.push(entry);
            }
            present.insert(key);
        }
        self.next.noted_signals = present;
    }

    fn active_health(&self) -> Option<&SiteHealth> {
        self.sites
            .iter()
            .find(|site| site.site == *self.next.active())
    }

    /// The hold time runs from the start of the round that made the site unhealthy, and only while
    /// the evidence is complete and a target is fit; else it starts again.
    fn keep_clock(&mut self) {
        let active = self.active_health();
        let unhealthy_since = active.and_then(|site| site.unhealthy_since);
        let unseen = active.is_some_and(|site| site.unhealthy_unseen);
        let newest = self.seen.evidence.map(|evidence| evidence.newest_at);
        let runs = !unseen && self.fit_target().is_some();
        self.next.clock = match (unhealthy_since, self.next.clock) {
            (None, _) => HoldClock::Idle,
            (Some(_), HoldClock::Idle | HoldClock::Broken | HoldClock::Running { .. }) if !runs => {
                HoldClock::Broken
            }
            (Some(since), HoldClock::Idle) => HoldClock::Running { since },
            (Some(since), HoldClock::Broken) => HoldClock::Running {
                since: newest.unwrap_or(since),
            },
            (Some(_), HoldClock::Running { since }) => HoldClock::Running { since },
        };
    }

    fn others(&self) -> impl Iterator<Item = &SiteHealth> {
        self.sites
            .iter()
            .filter(|site| site.site != *self.next.active())
    }

    fn fit_target(&self) -> Option<SiteName> {
        self.others()
            .find(|site| site.fitness == Fitness::Fit)
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
            .or_else(|| {
                self.others()
                    .find(|site| site.fitness == Fitness::Unknown)
                    .map(|site| site.site.clone())
            })
            .or_else(|| self.others().next().map(|site| site.site.clone()))
    }

    fn guards(&self, kind: MoveKind, cause: Cause, target: &SiteName, cue: Cue) -> guard::Guarded {
        let forced = self.seen.order.is_some_and(|order| order.force);
        let planned = steps::plan(self.spec, kind, self.next.active(), target);
        guard::check(
            transition::ask(kind, cause, forced),
            &Facts {
                state: &self.next,
                spec: self.spec,
                sites: &self.sites,
                unbroken_since: self.seen.evidence.map(|evidence| evidence.unbroken_since),
                kind,
                target,
                direct: cue == Cue::AlertDirect,
                has_steps: !planned.is_empty(),
                moving_elsewhere: self.seen.moving_elsewhere,
                now: self.now,
            },
        )
    }

    fn begin(&mut self, kind: MoveKind, cause: Cause, cue: Cue) {
        let Some(target) = self.target(kind) else {
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
        let forced = cause == Cause::Order && self.seen.order.is_some_and(|order| order.force);
        let moving = self.new_move(kind, cause, target, forced);
        if cause == Cause::Order {
            // A person has looked: the wait after the last automatic failover has done its work.
            self.next.cooldown_until = None;
        }
        if steps::needs_preparation(kind, &moving.steps) {
            self.begun = Some(moving.clone());
            self.next.moving = Some(moving);
            self.ruling = Ruling::Running;
        } else {
            self.flip(moving, guarded.overridden);
        }
    }

    fn new_move(&self, kind: MoveKind, cause: Cause, to: SiteName, forced: bool) -> Move {
        let from = self.next.active().clone();
        let left = self.active_health();
        let reason = match self.seen.order {
            Some(order) => order.reason.clone(),
            None => Some(self.rule.says().to_owned()),
        };
        Move {
            id: self.seen.move_id.to_owned(),
            generation: self.next.generation.saturating_add(1),
            kind,
            steps: steps::plan(self.spec, kind, &from, &to),
            cause,
            actor: self.actor(),
            reason,
            forced,
            started_at: self.now,
            flipped_at: None,
            prepare_until: self.now.checked_add(self.spec.policy.prepare_timeout).ok(),
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

    fn flip_prepared(&mut self) {
        if let Some(moving) = self.next.moving.take() {
            self.flip(moving, None);
        }
    }

    /// The flip: the only place where the active site and the generation change.
    fn flip(&mut self, mut moving: Move, overridden: Option<Hold>) {
        let Some(target) = self.spec.site(&moving.to) else {
            return;
        };
        let automatic = moving.cause != Cause::Order;
        moving.flipped_at = Some(self.now);
        moving.times.flipped_at = Some(self.now);
        let complete = steps::are_done(&moving.steps);
        if complete {
            moving.times.completed_at = Some(self.now);
        }
        self.next.answer = target.answer();
        self.next.generation = moving.generation;
        self.next.since = self.now;
        self.next.clock = HoldClock::Idle;
        self.next.noted.clear();
        self.next.last_flip = Some(LastFlip {
            kind: moving.kind,
            cause: moving.cause,
            from: moving.from.clone(),
        });
        self.next.forced_until = moving
            .forced
            .then(|| self.now.checked_add(FORCED_FOR).ok())
            .flatten();
        if automatic && moving.kind == MoveKind::Failover {
            self.next.cooldown_until = self.now.checked_add(self.spec.policy.cooldown).ok();
            self.next
                .automatic_failovers
                .retain(|at| self.now.duration_since(*at) < guard::BUDGET_WINDOW);
            self.next.automatic_failovers.push(self.now);
        }
        let mut entry = self.entry(moving.kind.into(), moving.cause);
        entry.generation = moving.generation;
        entry.from = moving.from.clone();
        entry.to = Some(moving.to.clone());
        entry.actor.clone_from(&moving.actor);
        entry.reason.clone_from(&moving.reason);
        entry.forced = moving.forced;
        entry.hold = overridden;
        entry.times = Some(moving.times);
        entry.active = moving.to.clone();
        self.history.push(entry);
        self.begun = Some(moving.clone());
        self.ruling = if complete {
            Ruling::Done
        } else {
            Ruling::Running
        };
        self.next.moving = (!complete).then_some(moving);
    }

    fn give_up(&mut self) {
        let Some(moving) = self.next.moving.take() else {
            return;
        };
        let mut entry = self.entry(HistoryKind::Cancel, moving.cause);
        entry.to = Some(moving.to);
        entry.actor = self.actor();
        entry.reason = match self.seen.order {
            Some(order) => order.reason.clone(),
            None => Some(self.rule.says().to_owned()),
        };
        self.history.push(entry);
    }

    fn settle(&mut self) {
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

    /// A hold is shown always and written into history once: an order's at once, an automatic one
    /// when it is the only thing between the evidence and the move, or people must be told.
    fn refuse(&mut self, cause: Cause, target: &SiteName, first: Hold, all: &[Hold]) {
        if cause == Cause::Order {
            self.push_refusal(cause, Some(target), &first);
            self.ruling = Ruling::Refused(first);
            return;
        }
        let waits = all.iter().any(|hold| hold.code == HoldCode::HoldTime);
        let tell = match first.code {
            HoldCode::GlobalFault | HoldCode::AllSitesDown | HoldCode::TargetUnfit => true,
            HoldCode::ObserveMode => all.len() == 1,
            HoldCode::Paused
            | HoldCode::Forced
            | HoldCode::CoolingDown
            | HoldCode::MoveBudgetSpent => !waits,
            HoldCode::Moving
            | HoldCode::EvidenceIncomplete
            | HoldCode::SourceUnfit
            | HoldCode::HoldTime
            | HoldCode::StormLimit
            | HoldCode::FailbackIsManual => false,
        };
        let failback = matches!(self.rule.effect(), Effect::Begin(MoveKind::Failback, _));
        if tell && !failback && self.next.noted.insert(first.code) {
            self.push_refusal(cause, Some(target), &first);
        }
        self.hold = Some(first);
    }

    fn push_refusal(&mut self, cause: Cause, target: Option<&SiteName>, hold: &Hold) {
        let mut entry = self.entry(HistoryKind::Refused, cause);
        entry.to = target.cloned();
        entry.actor = self.actor();
        entry.reason = self.seen.order.and_then(|order| order.reason.clone());
        entry.hold = Some(hold.clone());
        self.history.push(entry);
    }

    fn refuse_moving(&mut self) {
        let message = self.next.moving.as_ref().map_or_else(
            || "a move is under way".to_owned(),
            |running| {
                format!(
                    "the {} to {} has not finished: order a move to another site instead",
                    running.kind.as_str(),
                    running.to
                )
            },
        );
        let hold = Hold {
            code: HoldCode::Moving,
            message,
            until: None,
        };
        self.push_refusal(Cause::Order, None, &hold);
        self.ruling = Ruling::Refused(hold);
    }

    fn pause(&mut self) {
        let Some(order) = self.seen.order else { return };
        let lasting = order.lasting.unwrap_or(PAUSE_DEFAULT).min(PAUSE_LIMIT);
        let until = self.now.checked_add(lasting).unwrap_or(Timestamp::MAX);
        self.next.paused = Some(Pause {
            by: order.actor.clone(),
            reason: order.reason.clone().unwrap_or_default(),
            since: self.now,
            until,
        });
        self.push_order(HistoryKind::Pause);
    }

    fn resume(&mut self) {
        if self.next.paused.take().is_some() {
            self.push_order(HistoryKind::Resume);
        }
    }

    fn acknowledge(&mut self) {
        self.next.cooldown_until = None;
        self.next.forced_until = None;
        self.next.automatic_failovers.clear();
        self.push_order(HistoryKind::Acknowledge);
    }

    /// Goes through the gates of a switchover and writes nothing but history.
    fn drill(&mut self) {
        let Some(target) = self.target(MoveKind::Switchover) else {
            return;
        };
        let guarded = self.guards(
            MoveKind::Switchover,
            Cause::Order,
            &target,
            Cue::DrillOrdered,
        );
        if let Some(first) = guarded.holds.first().cloned() {
            self.refuse(Cause::Order, &target, first, &guarded.holds);
            return;
        }
        let rehearsed = self.new_move(MoveKind::Switchover, Cause::Order, target.clone(), false);
        let mut entry = self.entry(HistoryKind::Drill, Cause::Order);
        entry.to = Some(target);
        entry.actor = self.actor();
        entry.reason.clone_from(&rehearsed.reason);
        entry.hold = guarded.overridden;
        entry.times = Some(Times {
            completed_at: Some(self.now),
            ..rehearsed.times
        });
        self.history.push(entry);
        self.begun = Some(rehearsed);
    }

    fn push_order(&mut self, kind: HistoryKind) {
        let mut entry = self.entry(kind, Cause::Order);
        entry.actor = self.actor();
        entry.reason = self.seen.order.and_then(|order| order.reason.clone());
        self.history.push(entry);
    }

    /// Once the active site is well again, the next failure is told anew.
    fn forget_noted(&mut self, cue: Cue) {
        let asks = matches!(
            cue,
            Cue::ActiveFailed | Cue::AlertConfirmed | Cue::AlertDirect
        );
        if self.next.clock == HoldClock::Idle && !asks && self.seen.order.is_none() {
            self.next.noted.clear();
        }
    }

    fn actor(&self) -> String {
        self.seen
            .order
            .map_or_else(|| UNDERSTUDY.to_owned(), |order| order.actor.clone())
    }

    fn entry(&self, kind: HistoryKind, cause: Cause) -> HistoryEntry {
        HistoryEntry {
            at: self.now,
            generation: self.next.generation,
            rule: self.rule.id().to_owned(),
            kind,
            from: self.next.active().clone(),
            to: None,
            actor: UNDERSTUDY.to_owned(),
            reason: None,
            cause,
            forced: false,
            hold: None,
            times: None,
            evidence: self.witnesses(),
            active: self.next.active().clone(),
        }
    }

    fn witnesses(&self) -> Vec<Witness> {
        let Some(evidence) = self.seen.evidence else {
            return Vec::new();
        };
        evidence
            .accounts
            .iter()
            .map(|(key, seen)| Witness {
                site: key.site.clone(),
                service: key.service,
                name: key.name.clone(),
                verdict: health::account_verdict(Some(seen), &self.spec.policy, self.now),
                outcome: seen.newest.outcome,
                at: seen.newest.at,
                detail: seen.newest.detail.clone(),
            })
            .collect()
    }

    fn finish(mut self, claims: Vec<crate::model::moves::Step>) -> Decision {
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

/// What a lookup shows of a record, its age apart.
fn shown(state: &GroupState) -> (&crate::model::answer::Answer, bool, bool) {
    (&state.answer, state.is_ready(), state.moving.is_some())
}
