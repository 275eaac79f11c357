//! The cue: what an observation amounts to, as the second key of the transition table.

use jiff::Timestamp;

use super::health::{Fitness, SiteHealth};
use super::{Observation, steps};
use crate::model::evidence::GroupEvidence;
use crate::model::moves::{Cause, MoveKind};
use crate::model::name::SiteName;
use crate::model::order::{Order, OrderKind};
use crate::model::policy::AlertPolicy;
use crate::model::signal::Signal;
use crate::model::spec::GroupSpec;
use crate::model::state::{GroupState, LastFlip, Phase};

macro_rules! cues {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What an observation amounts to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Cue { $($(#[$doc])* $name),* }

        impl Cue {
            /// Every cue.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name in the table.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

cues! {
    /// Nothing asks for anything.
    Quiet,
    /// The active site is unhealthy, and its failure was not seen to end.
    ActiveFailed,
    /// An alert says that the active site fails, and a round begun after it agrees.
    AlertConfirmed,
    /// An alert says that the active site fails, and the policy asks for no more.
    AlertDirect,
    /// An automatic failover left the primary, which is fit again.
    PrimaryRecovered,
    /// Every step of the preparation is done, and the target is fit, or the order was forced.
    Prepared,
    /// The preparation took too long, or its target is no longer configured.
    PrepareOverdue,
    /// Every step of the move is done.
    StepsDone,
    /// A person ordered a failover.
    FailoverOrdered,
    /// A person ordered a switchover.
    SwitchoverOrdered,
    /// A person ordered a failback.
    FailbackOrdered,
    /// A person ordered what is already under way.
    OrderRepeated,
    /// A person ordered to stay: `cancel`, or a move to the site that is active.
    StayOrdered,
    /// A person ordered a pause.
    PauseOrdered,
    /// A person ended the pause.
    ResumeOrdered,
    /// A person acknowledged.
    AcknowledgeOrdered,
    /// A person ordered a rehearsal.
    DrillOrdered,
}

/// Reads the cue. An order comes first, then the progress of our own steps, then the evidence.
#[must_use]
pub fn read(
    state: &GroupState,
    seen: &Observation<'_>,
    spec: &GroupSpec,
    sites: &[SiteHealth],
    now: Timestamp,
) -> Cue {
    if let Some(order) = seen.order {
        return read_order(state, order, spec);
    }
    if let Some(cue) = read_progress(state, spec, seen.evidence, sites, now) {
        return cue;
    }
    read_evidence(state, seen, spec, sites, now)
}

fn read_order(state: &GroupState, order: &Order, spec: &GroupSpec) -> Cue {
    let names_active = order.to.as_ref() == Some(state.active());
    let (kind, cue) = match order.kind {
        OrderKind::Cancel => return Cue::StayOrdered,
        OrderKind::Pause => return Cue::PauseOrdered,
        OrderKind::Resume => return Cue::ResumeOrdered,
        OrderKind::Acknowledge => return Cue::AcknowledgeOrdered,
        // A rehearsal never gives up what is under way.
        OrderKind::Drill if names_active && state.phase() == Phase::Settled => {
            return Cue::StayOrdered;
        }
        OrderKind::Drill => return Cue::DrillOrdered,
        OrderKind::Failover => (MoveKind::Failover, Cue::FailoverOrdered),
        OrderKind::Switchover => (MoveKind::Switchover, Cue::SwitchoverOrdered),
        OrderKind::Failback => (MoveKind::Failback, Cue::FailbackOrdered),
    };
    let to = wanted_target(order, spec);
    let repeats = state.moving.as_ref().is_some_and(|running| {
        running.kind == kind && to.as_ref().is_none_or(|to| *to == running.to)
    });
    if repeats {
        Cue::OrderRepeated
    } else if names_active || to.as_ref() == Some(state.active()) {
        Cue::StayOrdered
    } else {
        cue
    }
}

/// The site that an order names: a failback names the primary.
#[must_use]
pub fn wanted_target(order: &Order, spec: &GroupSpec) -> Option<SiteName> {
    match order.kind {
        OrderKind::Failback => spec.primary().map(|site| site.name.clone()),
        OrderKind::Failover
        | OrderKind::Switchover
        | OrderKind::Cancel
        | OrderKind::Pause
        | OrderKind::Resume
        | OrderKind::Acknowledge
        | OrderKind::Drill => order.to.clone(),
    }
}

fn read_progress(
    state: &GroupState,
    spec: &GroupSpec,
    evidence: Option<&GroupEvidence>,
    sites: &[SiteHealth],
    now: Timestamp,
) -> Option<Cue> {
    let running = state.moving.as_ref()?;
    match state.phase() {
        Phase::Settled => None,
        Phase::Preparing => {
            let is_configured = spec.site(&running.to).is_some();
            let is_overdue = running.prepare_until.is_some_and(|until| now >= until);
            // The steps may have taken long: what was fit when the move began need not be now.
            let is_seen_fit = is_fit(sites, &running.to) && !steps::awaits_look(state, evidence);
            let may_flip = running.forced || is_seen_fit;
            if is_configured && may_flip && steps::are_prepared(&running.steps) {
                Some(Cue::Prepared)
            } else {
                (is_overdue || !is_configured).then_some(Cue::PrepareOverdue)
            }
        }
        Phase::Completing => steps::are_done(&running.steps).then_some(Cue::StepsDone),
    }
}

fn is_fit(sites: &[SiteHealth], name: &SiteName) -> bool {
    sites
        .iter()
        .any(|site| site.site == *name && site.fitness == Fitness::Fit)
}

fn read_evidence(
    state: &GroupState,
    seen: &Observation<'_>,
    spec: &GroupSpec,
    sites: &[SiteHealth],
    now: Timestamp,
) -> Cue {
    let Some(active) = sites.iter().find(|site| site.site == *state.active()) else {
        // No longer configured: it is served, shown as misconfigured, and not moved.
        return Cue::Quiet;
    };
    let mut alerts = alerts(state, seen, now);
    let alerted = match spec.policy.alert {
        AlertPolicy::Ignore => None,
        AlertPolicy::Direct => alerts
            .any(|signal| is_news(signal, state, now))
            .then_some(Cue::AlertDirect),
        AlertPolicy::Confirm => {
            let is_confirmed =
                |signal: &Signal| active.failed_now && has_round_since(seen.evidence, signal);
            alerts.any(is_confirmed).then_some(Cue::AlertConfirmed)
        }
    };
    if let Some(cue) = alerted {
        cue
    } else if active.unhealthy_now || active.unhealthy_unseen {
        Cue::ActiveFailed
    } else if may_fail_back(state, spec, sites) {
        Cue::PrimaryRecovered
    } else {
        Cue::Quiet
    }
}

/// Whether the newest round is one that could confirm this alert: begun after it arrived, and asked twice, since a
/// round that was under way when the alert came may have failed by a single lost answer. Whether it did is another
/// question.
#[must_use]
pub fn has_round_since(evidence: Option<&GroupEvidence>, signal: &Signal) -> bool {
    evidence.is_some_and(|seen| seen.asked_twice && seen.newest_at >= signal.received_at)
}

/// The signals that are evidence against the active site now.
pub(super) fn alerts<'a>(
    state: &'a GroupState,
    seen: &Observation<'a>,
    now: Timestamp,
) -> impl Iterator<Item = &'a Signal> {
    seen.signals
        .iter()
        .filter(move |signal| signal.expires_at > now && signal.is_against(state.active()))
}

/// Whoever moved the group to this site has seen what had arrived by then: an older alert alone does
/// not move it away again.
fn is_news(signal: &Signal, state: &GroupState, now: Timestamp) -> bool {
    state.last_flip.is_none() || signal.received_at.min(now) > state.since
}

/// Failback undoes only what Understudy did by itself, never what a person ordered: the failover, or
/// the first of several in a row, must have left the primary.
fn may_fail_back(state: &GroupState, spec: &GroupSpec, sites: &[SiteHealth]) -> bool {
    let Some(primary) = spec.primary() else {
        return false;
    };
    state
        .last_flip
        .as_ref()
        .is_some_and(|flip| is_automatic_failover(flip) && flip.from == primary.name)
        && *state.active() != primary.name
        && is_fit(sites, &primary.name)
}

/// Whether the last flip was a failover that no person ordered.
pub(super) fn is_automatic_failover(flip: &LastFlip) -> bool {
    let by_itself = match flip.cause {
        Cause::Automatic | Cause::Alert => true,
        Cause::Order => false,
    };
    by_itself && flip.kind == MoveKind::Failover
}
