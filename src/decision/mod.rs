//! What should happen: total, deterministic, silent. No IO, no clock, no log, no `Result`.
//!
//! [`decide`] is the only entrance. It reads the observation as a [`cue::Cue`], looks up the
//! [`transition::Rule`], lets the guards speak, and returns the whole next record with its history.
#![deny(clippy::wildcard_enum_match_arm, clippy::disallowed_methods)]

pub mod alert;
pub mod cue;
pub mod evidence;
pub mod explain;
pub mod guard;
pub mod health;
pub mod print;
pub mod reading;
pub mod steps;
pub mod transition;

mod apply;

use jiff::Timestamp;

use self::transition::Effect;
use crate::model::evidence::GroupEvidence;
use crate::model::history::HistoryEntry;
use crate::model::hold::Hold;
use crate::model::moves::{Claim, Move, StepReport};
use crate::model::order::Order;
use crate::model::signal::Signal;
use crate::model::spec::GroupSpec;
use crate::model::state::GroupState;

/// The actor of what no person did.
pub const UNDERSTUDY: &str = "understudy";

/// Everything one pass saw of one group.
#[derive(Debug, Clone)]
pub struct Observation<'a> {
    /// What the rounds amount to, the newest included.
    pub evidence: Option<&'a GroupEvidence>,
    /// The signals that match the group. A pass over an order, or over what became of steps, may leave
    /// them out; the timer's pass has them all.
    pub signals: &'a [Signal],
    /// Whether the signals were read together with the record. Where they were not, others may have told of
    /// later ones since, so history is told of none.
    pub signals_are_current: bool,
    /// The order, if a person gave one.
    pub order: Option<&'a Order>,
    /// What became of steps that this process ran; with a drill, what their rehearsal found.
    pub reports: &'a [StepReport],
    /// Groups other than this one with unfinished steps.
    pub moving_elsewhere: u32,
    /// Who decides: the owner of any claim.
    pub process: &'a str,
    /// A fresh id, for a move that begins.
    pub move_id: &'a str,
}

/// What is answered to an order.
#[derive(Debug, Clone, PartialEq)]
pub enum Ruling {
    /// Done, or nothing was to be done.
    Done,
    /// A move is under way.
    Running,
    /// Refused.
    Refused(Hold),
    /// The group has another generation than the order named.
    GenerationMismatch,
}

/// What should happen.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The complete next record; the caller only stores it.
    pub next: GroupState,
    /// The rule that fired.
    pub rule: transition::Rule,
    /// Why the move that the evidence asks for is not made now.
    pub hold: Option<Hold>,
    /// What to answer to an order.
    pub ruling: Ruling,
    /// The move that was begun or flipped by this decision; a dry run shows it.
    pub begun: Option<Move>,
    /// What to write into history, in the same transaction as the record.
    pub history: Vec<HistoryEntry>,
    /// Steps to run after the commit; they are claimed in `next`.
    pub claims: Vec<Claim>,
}

/// Decides. The same input gives the same answer, and deciding again on the result with the same
/// observation adds nothing; an order is spent by the decision that answers it.
#[must_use]
pub fn decide(
    state: &GroupState,
    seen: &Observation<'_>,
    spec: &GroupSpec,
    now: Timestamp,
) -> Decision {
    let mut decision = decided(state, seen, spec, now);
    name_sections(&mut decision);
    decision
}

/// Whatever hold a decision tells of names its section of the runbook: here, and nowhere else.
fn name_sections(decision: &mut Decision) {
    let refused = match &mut decision.ruling {
        Ruling::Refused(hold) => Some(hold),
        Ruling::Done | Ruling::Running | Ruling::GenerationMismatch => None,
    };
    let told = decision.history.iter_mut();
    let told = told.filter_map(|entry| entry.hold.as_mut());
    for hold in decision.hold.iter_mut().chain(refused).chain(told) {
        hold.name_section();
    }
}

fn decided(
    state: &GroupState,
    seen: &Observation<'_>,
    spec: &GroupSpec,
    now: Timestamp,
) -> Decision {
    let first = apply::Deciding::new(state, seen, spec, now).run();
    if !apply::ends_what_was(first.rule, seen) {
        return first;
    }
    // What was under way is over: the same observation may ask for something now that it is.
    let mut second = apply::Deciding::new(&first.next, seen, spec, now).run();
    if second.rule.effect() == Effect::Stay {
        second.rule = first.rule;
    }
    second.history.splice(0..0, first.history);
    second
}
