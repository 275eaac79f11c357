//! The transition table: which rule fires for which cue in which phase. Every pair is written out;
//! the compiler refuses a missing one. The table prints itself into `docs/transitions.md`.

use super::cue::Cue;
use super::guard::Ask;
use crate::model::moves::{Cause, MoveKind};
use crate::model::state::Phase;

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing changes.
    Stay,
    /// Begin a move, if no guard holds. What was under way is replaced.
    Begin(MoveKind, Cause),
    /// The target is prepared: flip the record.
    Flip,
    /// Give up the preparation; nothing has flipped.
    GiveUp,
    /// The move is complete.
    Settle,
    /// Answer with the move that is under way.
    Running,
    /// Refuse, because a move is under way.
    RefuseMoving,
    /// Answer that nothing is to be done.
    NothingToDo,
    /// Begin a pause.
    Pause,
    /// End the pause.
    Resume,
    /// Clear cool-down, budget and the guard after a forced order.
    Acknowledge,
    /// Rehearse a switchover.
    Drill,
}

macro_rules! rules {
    ($($name:ident, $id:literal, $effect:expr, $says:literal;)*) => {
        /// One arm of the table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule { $(#[doc = $says] $name),* }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The id in history, logs, answers and tests.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => $id),* }
            }

            /// What it does.
            #[must_use]
            pub const fn effect(self) -> Effect {
                match self { $(Self::$name => $effect),* }
            }

            /// What it says, in a sentence.
            #[must_use]
            pub const fn says(self) -> &'static str {
                match self { $(Self::$name => $says),* }
            }
        }
    };
}

use Cause::{Alert, Automatic, Order};
use MoveKind::{Failback, Failover, Switchover};

rules! {
    S0, "S0", Effect::Stay, "Settled, and nothing asks for a move: stay.";
    S1, "S1", Effect::Begin(Failover, Automatic), "The active site failed: fail over.";
    S2, "S2", Effect::Begin(Failover, Alert), "An alert and a failed round agree: fail over.";
    S3, "S3", Effect::Begin(Failover, Alert), "An alert is enough by policy: fail over.";
    S4, "S4", Effect::Begin(Failback, Automatic), "The primary is well again: fail back.";
    S5, "S5", Effect::Begin(Failover, Order), "A person ordered a failover.";
    S6, "S6", Effect::Begin(Switchover, Order), "A person ordered a switchover.";
    S7, "S7", Effect::Begin(Failback, Order), "A person ordered a failback.";
    S8, "S8", Effect::NothingToDo, "Asked to stay where it is, with nothing under way.";
    P0, "P0", Effect::Stay, "The target is being prepared: wait.";
    P1, "P1", Effect::Begin(Failover, Automatic), "The active site failed while a target was prepared: fail over now.";
    P2, "P2", Effect::Begin(Failover, Alert), "An alert and a failed round agree while a target was prepared: fail over now.";
    P3, "P3", Effect::Begin(Failover, Alert), "An alert came while a target was prepared, and is enough by policy: fail over now.";
    P4, "P4", Effect::Flip, "The target is prepared and fit: flip.";
    P5, "P5", Effect::GiveUp, "The preparation took longer than prepare_timeout, or its target is no longer configured: give it up.";
    P6, "P6", Effect::Begin(Failover, Order), "A failover was ordered while a target was prepared: it replaces the preparation.";
    P7, "P7", Effect::Begin(Switchover, Order), "A switchover was ordered while another target was prepared: it replaces the preparation.";
    P8, "P8", Effect::Begin(Failback, Order), "A failback was ordered while another target was prepared: it replaces the preparation.";
    P9, "P9", Effect::GiveUp, "Asked to stay while a target was prepared: give the preparation up.";
    P10, "P10", Effect::Running, "The order repeats the preparation that is under way.";
    C0, "C0", Effect::Stay, "The record has flipped: go on with the steps.";
    C1, "C1", Effect::Begin(Failover, Automatic), "The new active site failed before its move was complete.";
    C2, "C2", Effect::Begin(Failover, Alert), "An alert and a failed round agree on the new active site before its move was complete.";
    C3, "C3", Effect::Begin(Failover, Alert), "An alert on the new active site came before its move was complete, and is enough by policy.";
    C4, "C4", Effect::Begin(Failback, Automatic), "The primary is well again before the move away from it was complete.";
    C5, "C5", Effect::Settle, "Every step is done: the move is complete.";
    C6, "C6", Effect::Begin(Failover, Order), "A failover was ordered before the last move was complete: it replaces the rest.";
    C7, "C7", Effect::Begin(Switchover, Order), "A switchover was ordered before the last move was complete: it replaces the rest.";
    C8, "C8", Effect::Begin(Failback, Order), "A failback was ordered before the last move was complete: it replaces the rest.";
    C9, "C9", Effect::RefuseMoving, "Asked to stay after the record has flipped: too late, order a move back instead.";
    C10, "C10", Effect::Running, "The order repeats the move that is under way.";
    O1, "O1", Effect::Pause, "A person paused automatic moves.";
    O2, "O2", Effect::Resume, "A person ended the pause.";
    O3, "O3", Effect::Acknowledge, "A person acknowledged: automatic moves are free again.";
    O4, "O4", Effect::Drill, "A person ordered a rehearsal.";
    O5, "O5", Effect::RefuseMoving, "A rehearsal was ordered while a move is under way.";
}

/// The table.
#[must_use]
pub const fn rule(phase: Phase, cue: Cue) -> Rule {
    match (phase, cue) {
        (Phase::Settled, Cue::Quiet | Cue::Prepared | Cue::PrepareOverdue | Cue::StepsDone) => {
            Rule::S0
        }
        (Phase::Settled, Cue::ActiveFailed) => Rule::S1,
        (Phase::Settled, Cue::AlertConfirmed) => Rule::S2,
        (Phase::Settled, Cue::AlertDirect) => Rule::S3,
        (Phase::Settled, Cue::PrimaryRecovered) => Rule::S4,
        (Phase::Settled, Cue::FailoverOrdered) => Rule::S5,
        (Phase::Settled, Cue::SwitchoverOrdered) => Rule::S6,
        (Phase::Settled, Cue::FailbackOrdered) => Rule::S7,
        (Phase::Settled, Cue::StayOrdered | Cue::OrderRepeated) => Rule::S8,

        (Phase::Preparing, Cue::Quiet | Cue::PrimaryRecovered | Cue::StepsDone) => Rule::P0,
        (Phase::Preparing, Cue::ActiveFailed) => Rule::P1,
        (Phase::Preparing, Cue::AlertConfirmed) => Rule::P2,
        (Phase::Preparing, Cue::AlertDirect) => Rule::P3,
        (Phase::Preparing, Cue::Prepared) => Rule::P4,
        (Phase::Preparing, Cue::PrepareOverdue) => Rule::P5,
        (Phase::Preparing, Cue::FailoverOrdered) => Rule::P6,
        (Phase::Preparing, Cue::SwitchoverOrdered) => Rule::P7,
        (Phase::Preparing, Cue::FailbackOrdered) => Rule::P8,
        (Phase::Preparing, Cue::StayOrdered) => Rule::P9,
        (Phase::Preparing, Cue::OrderRepeated) => Rule::P10,

        (Phase::Completing, Cue::Quiet | Cue::Prepared | Cue::PrepareOverdue) => Rule::C0,
        (Phase::Completing, Cue::ActiveFailed) => Rule::C1,
        (Phase::Completing, Cue::AlertConfirmed) => Rule::C2,
        (Phase::Completing, Cue::AlertDirect) => Rule::C3,
        (Phase::Completing, Cue::PrimaryRecovered) => Rule::C4,
        (Phase::Completing, Cue::StepsDone) => Rule::C5,
        (Phase::Completing, Cue::FailoverOrdered) => Rule::C6,
        (Phase::Completing, Cue::SwitchoverOrdered) => Rule::C7,
        (Phase::Completing, Cue::FailbackOrdered) => Rule::C8,
        (Phase::Completing, Cue::StayOrdered) => Rule::C9,
        (Phase::Completing, Cue::OrderRepeated) => Rule::C10,

        (Phase::Settled | Phase::Preparing | Phase::Completing, Cue::PauseOrdered) => Rule::O1,
        (Phase::Settled | Phase::Preparing | Phase::Completing, Cue::ResumeOrdered) => Rule::O2,
        (Phase::Settled | Phase::Preparing | Phase::Completing, Cue::AcknowledgeOrdered) => {
            Rule::O3
        }
        (Phase::Settled, Cue::DrillOrdered) => Rule::O4,
        (Phase::Preparing | Phase::Completing, Cue::DrillOrdered) => Rule::O5,
    }
}

/// Which column of the guard table a move is looked up in.
#[must_use]
pub const fn ask(kind: MoveKind, cause: Cause, forced: bool) -> Ask {
    match (cause, kind) {
        (Order, _) if forced => Ask::ForcedOrder,
        (Order, Failover | Switchover | Failback) => Ask::Order,
        (Automatic | Alert, Failback) => Ask::Failback,
        (Automatic, Failover | Switchover) => Ask::Automatic,
        (Alert, Failover | Switchover) => Ask::Alert,
    }
}
