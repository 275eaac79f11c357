//! What is recorded of a group: its row, without the store's own columns.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::hold::HoldCode;
use super::moves::{Cause, Leftover, Move, MoveKind, Step};
use super::name::SiteName;

/// Where a group is in a move: the first key of the transition table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// No move is under way.
    Settled,
    /// A switchover prepares its target; nothing has flipped.
    Preparing,
    /// The record has flipped; steps are unfinished.
    Completing,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 3] = [Self::Settled, Self::Preparing, Self::Completing];

    /// The name in the table and in docs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "Settled",
            Self::Preparing => "Preparing",
            Self::Completing => "Completing",
        }
    }
}

/// A pause: no automatic moves until it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Who paused.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// The last flip: what a failback may undo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastFlip {
    /// Kind of the move.
    pub kind: MoveKind,
    /// Who or what asked for it.
    pub cause: Cause,
    /// The site that was left; of several automatic failovers in a row, the site that the first of
    /// them left.
    pub from: SiteName,
}

/// The clock of the hold time. It runs only while the evidence is complete and a target is fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HoldClock {
    /// The active site is not unhealthy.
    #[default]
    Idle,
    /// The active site is unhealthy, but the evidence is incomplete or no target is fit.
    Broken,
    /// It runs.
    Running {
        /// Since when.
        since: Timestamp,
    },
}

/// The record of one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupState {
    /// Counts the flips; never falls.
    pub generation: u64,
    /// Since when the active site has been active.
    pub since: Timestamp,
    /// What a lookup hands out. Its site is the active one. Copies of the record share it.
    pub answer: Arc<Answer>,
    /// Counts the changes of the lookup's body within one generation.
    pub revision: u32,
    /// The move under way.
    pub moving: Option<Move>,
    /// What earlier moves left to be done; at most one for each site: on the active one something to be started,
    /// on the others to be stopped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<Leftover>,
    /// The pause, if any; it may have run out.
    pub paused: Option<Pause>,
    /// End of the cool-down.
    pub cooldown_until: Option<Timestamp>,
    /// End of the guard that begins with a forced order.
    pub forced_until: Option<Timestamp>,
    /// Automatic failovers of the last 24 hours.
    pub automatic_failovers: Vec<Timestamp>,
    /// The last flip.
    pub last_flip: Option<LastFlip>,
    /// The clock of the hold time.
    pub clock: HoldClock,
    /// Holds that history already tells of, in this failure of the active site.
    pub noted: BTreeSet<HoldCode>,
    /// Signals that history already tells of.
    pub noted_signals: BTreeSet<String>,
}

impl GroupState {
    /// The record of a group that has never moved.
    #[must_use]
    pub fn new(answer: impl Into<Arc<Answer>>, since: Timestamp) -> Self {
        Self {
            generation: 0,
            since,
            answer: answer.into(),
            revision: 0,
            moving: None,
            leftovers: Vec::new(),
            paused: None,
            cooldown_until: None,
            forced_until: None,
            automatic_failovers: Vec::new(),
            last_flip: None,
            clock: HoldClock::Idle,
            noted: BTreeSet::new(),
            noted_signals: BTreeSet::new(),
        }
    }

    /// The site that serves now.
    #[must_use]
    pub fn active(&self) -> &SiteName {
        &self.answer.site
    }

    /// Where it is in a move.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match &self.moving {
            None => Phase::Settled,
            Some(running) if running.flipped_at.is_none() => Phase::Preparing,
            Some(_) => Phase::Completing,
        }
    }

    /// False only from a flip until the active site's start steps are done.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let flipped = (self.moving.iter()).filter(|running| running.flipped_at.is_some());
        let left = (self.leftovers.iter()).filter(|each| each.site == *self.active());
        let mut steps = flipped
            .flat_map(|running| &running.steps)
            .chain(left.flat_map(|each| &each.steps));
        !steps.any(Step::is_open_start)
    }

    /// The site on which everything that is configured to stream must run: the active one, unless it is still being
    /// started.
    #[must_use]
    pub fn must_run(&self) -> Option<&SiteName> {
        self.is_ready().then(|| self.active())
    }

    /// The pause, while it lasts.
    #[must_use]
    pub fn pause_at(&self, now: Timestamp) -> Option<&Pause> {
        self.paused.as_ref().filter(|pause| pause.until > now)
    }
}
