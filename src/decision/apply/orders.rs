//! What persons order beside moves: pause, resume, acknowledge, a rehearsal, and orders that come too
//! late.

use jiff::Timestamp;

use super::Deciding;
use crate::decision::Ruling;
use crate::decision::cue::Cue;
use crate::model::history::HistoryKind;
use crate::model::hold::{Hold, HoldCode};
use crate::model::moves::{Cause, Move, MoveKind, StepReport, StepResult, Times};
use crate::model::order::{PAUSE_DEFAULT, PAUSE_LIMIT};
use crate::model::state::Pause;

impl Deciding<'_> {
    pub(super) fn refuse_moving(&mut self) {
        let message = self.next.moving.as_ref().map_or_else(
            || "a move is under way".to_owned(),
            |running| {
                format!(
                    "the {} to {} has not finished: wait for it, or order a move to another site",
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

    pub(super) fn pause(&mut self) {
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

    pub(super) fn resume(&mut self) {
        if self.next.paused.take().is_some() {
            self.push_order(HistoryKind::Resume);
        }
    }

    pub(super) fn acknowledge(&mut self) {
        self.next.cooldown_until = None;
        self.next.forced_until = None;
        self.next.automatic_failovers.clear();
        self.push_order(HistoryKind::Acknowledge);
    }

    /// Goes through the gates of a switchover and writes nothing but history.
    pub(super) fn drill(&mut self) {
        let kind = MoveKind::Switchover;
        let configured = self
            .target(kind)
            .filter(|target| self.spec.site(target).is_some());
        let Some(target) = configured else {
            self.refuse_without_target(kind, Cause::Order);
            return;
        };
        let guarded = self.guards(kind, Cause::Order, &target, Cue::DrillOrdered);
        if let Some(first) = guarded.holds.first().cloned() {
            self.refuse(Cause::Order, &target, first, &guarded.holds);
            return;
        }
        let rehearsed = self.new_move(kind, Cause::Order, target.clone());
        let mut entry = self.entry(HistoryKind::Drill, Cause::Order);
        entry.to = Some(target);
        entry.actor = self.actor();
        entry.reason = Some(rehearsal(&rehearsed, self.seen.reports));
        entry.forced = rehearsed.forced;
        entry.hold = guarded.overridden;
        let took = self.seen.reports.iter().map(|report| report.took).max();
        entry.times = Some(Times {
            decided_at: self.now.checked_sub(took.unwrap_or_default()).ok(),
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
}

/// What a rehearsal tells: the words of whoever asked, and what was found of each step.
fn rehearsal(rehearsed: &Move, reports: &[StepReport]) -> String {
    let is_well = |report: &StepReport| !matches!(report.result, StepResult::Failed { .. });
    let verdict = if reports.iter().all(is_well) {
        format!("a switchover to {} would go through", rehearsed.to)
    } else {
        format!("a switchover to {} would not be completed", rehearsed.to)
    };
    let mut text = match &rehearsed.reason {
        Some(reason) if reports.is_empty() => reason.clone(),
        Some(reason) => format!("{reason}: {verdict}"),
        None => verdict,
    };
    for report in reports {
        let found = match &report.result {
            StepResult::Done => "nothing to do",
            StepResult::GoingOn(line) | StepResult::Failed { detail: line, .. } => line,
        };
        let took = report.took.as_millis();
        text.push_str(&format!("; {}: {found} ({took} ms)", report.step));
    }
    text
}
