//! The guard table: which guard holds which kind of ask. It prints itself into `docs/transitions.md`.

use jiff::{SignedDuration, Timestamp};

use super::health::{Fitness, SiteHealth, shared_failed_host};
use super::steps;
use crate::model::hold::{Hold, HoldCode};
use crate::model::moves::MoveKind;
use crate::model::name::SiteName;
use crate::model::policy::{FailbackPolicy, Mode};
use crate::model::spec::GroupSpec;
use crate::model::state::{GroupState, HoldClock};
use crate::model::verdict::Verdict;

/// Who asks for a move: the columns of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ask {
    /// Our own probes ask to leave a failed site.
    Automatic,
    /// An alert asks to leave a failed site.
    Alert,
    /// The recovery of the primary asks to go back.
    Failback,
    /// A person asks.
    Order,
    /// A person insists.
    ForcedOrder,
}

impl Ask {
    /// Every column.
    pub const ALL: [Self; 5] = [
        Self::Automatic,
        Self::Alert,
        Self::Failback,
        Self::Order,
        Self::ForcedOrder,
    ];

    /// The heading of the column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::Alert => "alert",
            Self::Failback => "failback",
            Self::Order => "order",
            Self::ForcedOrder => "forced order",
        }
    }
}

/// What a guard that applies does to an ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// The move is not made.
    Holds,
    /// It does not matter.
    Passes,
    /// The move is made, and history says that this was overridden.
    Overridden,
}

/// The table.
#[must_use]
pub const fn force(guard: HoldCode, ask: Ask) -> Force {
    use Force::{Holds, Overridden, Passes};
    match (guard, ask) {
        (
            HoldCode::ObserveMode
            | HoldCode::Paused
            | HoldCode::Moving
            | HoldCode::Forced
            | HoldCode::CoolingDown
            | HoldCode::StormLimit,
            Ask::Automatic | Ask::Alert | Ask::Failback,
        )
        | (HoldCode::EvidenceIncomplete, Ask::Automatic | Ask::Alert | Ask::Failback | Ask::Order)
        | (HoldCode::GlobalFault | HoldCode::AllSitesDown, Ask::Automatic | Ask::Alert)
        | (HoldCode::TargetUnfit, Ask::Automatic | Ask::Alert | Ask::Order)
        | (HoldCode::SourceUnfit, Ask::Failback | Ask::Order)
        | (HoldCode::HoldTime, Ask::Automatic | Ask::Failback)
        | (HoldCode::MoveBudgetSpent, Ask::Automatic | Ask::Alert)
        | (HoldCode::FailbackIsManual, Ask::Failback) => Holds,
        (
            HoldCode::EvidenceIncomplete | HoldCode::TargetUnfit | HoldCode::SourceUnfit,
            Ask::ForcedOrder,
        ) => Overridden,
        (
            HoldCode::ObserveMode
            | HoldCode::Paused
            | HoldCode::Moving
            | HoldCode::GlobalFault
            | HoldCode::AllSitesDown
            | HoldCode::Forced
            | HoldCode::CoolingDown
            | HoldCode::StormLimit,
            Ask::Order | Ask::ForcedOrder,
        )
        // A failback is asked for only where the primary is fit, so none of these can apply to it.
        | (
            HoldCode::GlobalFault | HoldCode::AllSitesDown | HoldCode::TargetUnfit,
            Ask::Failback,
        )
        | (HoldCode::SourceUnfit, Ask::Automatic | Ask::Alert)
        | (HoldCode::HoldTime, Ask::Alert | Ask::Order | Ask::ForcedOrder)
        | (HoldCode::MoveBudgetSpent, Ask::Failback | Ask::Order | Ask::ForcedOrder)
        | (
            HoldCode::FailbackIsManual,
            Ask::Automatic | Ask::Alert | Ask::Order | Ask::ForcedOrder,
        ) => Passes,
    }
}

/// Everything the guards look at.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The record before the move.
    pub state: &'a GroupState,
    /// The group as configured.
    pub spec: &'a GroupSpec,
    /// Health of every site.
    pub sites: &'a [SiteHealth],
    /// Start of the first round after the last gap.
    pub unbroken_since: Option<Timestamp>,
    /// The kind of move asked for.
    pub kind: MoveKind,
    /// The site it would go to.
    pub target: &'a SiteName,
    /// Whether the move rests on our own probes alone, so that the failure of the active site must
    /// have been seen in the newest round. An alert or a person needs no such proof.
    pub by_probes: bool,
    /// Whether the move would have steps.
    pub has_steps: bool,
    /// Groups with unfinished steps, other than this one.
    pub moving_elsewhere: u32,
    /// Now.
    pub now: Timestamp,
}

impl Facts<'_> {
    fn site(&self, name: &SiteName) -> Option<&SiteHealth> {
        self.sites.iter().find(|site| site.site == *name)
    }

    fn fitness(&self, name: &SiteName) -> Fitness {
        self.site(name).map_or(Fitness::Unfit, |site| site.fitness)
    }
}

/// What the guards say to one ask.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Guarded {
    /// Every guard that holds, in order; the first is the one that is shown.
    pub holds: Vec<Hold>,
    /// The first guard that force overrode.
    pub overridden: Option<Hold>,
}

/// Looks at every guard in order.
#[must_use]
pub fn check(ask: Ask, facts: &Facts<'_>) -> Guarded {
    let mut guarded = Guarded::default();
    for code in HoldCode::ALL {
        let verdict = force(*code, ask);
        if verdict == Force::Passes {
            continue;
        }
        let Some((message, until)) = applies(*code, facts) else {
            continue;
        };
        let hold = Hold {
            code: *code,
            message,
            until,
        };
        if verdict == Force::Holds {
            guarded.holds.push(hold);
        } else if guarded.overridden.is_none() {
            guarded.overridden = Some(hold);
        }
    }
    guarded
}

/// What the fitness of the target alone says: a preparation flips only onto a fit site.
#[must_use]
pub fn target_hold(facts: &Facts<'_>) -> Option<Hold> {
    let (code, (message, until)) = match facts.fitness(facts.target) {
        Fitness::Fit => return None,
        Fitness::Unknown => (HoldCode::EvidenceIncomplete, target_unknown(facts.target)),
        Fitness::Unfit => (HoldCode::TargetUnfit, target_unfit(facts)?),
    };
    Some(Hold {
        code,
        message,
        until,
    })
}

/// What is said while a target that was prepared has not been looked at since.
#[must_use]
pub fn unseen(target: &SiteName) -> Hold {
    Hold {
        code: HoldCode::EvidenceIncomplete,
        message: format!("{target} is prepared; it is looked at once more before the record flips"),
        until: None,
    }
}

type Applies = Option<(String, Option<Timestamp>)>;

fn applies(code: HoldCode, facts: &Facts<'_>) -> Applies {
    match code {
        HoldCode::ObserveMode => (facts.spec.policy.mode == Mode::Observe).then(|| {
            let message = format!(
                "the group only observes, so it does not move to {} by itself; set policy.mode to automatic, or order the move",
                facts.target
            );
            (message, None)
        }),
        HoldCode::Paused => facts.state.pause_at(facts.now).map(|pause| {
            let message = format!("paused by {}: {}", pause.by, pause.reason);
            (message, Some(pause.until))
        }),
        HoldCode::Moving => moving(facts),
        HoldCode::EvidenceIncomplete => evidence_incomplete(facts),
        HoldCode::GlobalFault => shared_failed_host(facts.sites).map(|host| {
            let message = format!(
                "every site failed in the newest round through the one host they share ({host}): no other site would be better"
            );
            (message, None)
        }),
        HoldCode::AllSitesDown => all_failed(facts).then(|| {
            ("every site failed in the newest round: staying, no other site would be better".to_owned(), None)
        }),
        HoldCode::TargetUnfit => target_unfit(facts),
        HoldCode::SourceUnfit => source_unfit(facts),
        HoldCode::Forced => future(facts.state.forced_until, facts.now).map(|until| {
            ("the last move was forced by a person: automatic moves wait until it is acknowledged".to_owned(), Some(until))
        }),
        HoldCode::HoldTime => hold_time(facts),
        HoldCode::CoolingDown => future(facts.state.cooldown_until, facts.now).map(|until| {
            let waits = "the last automatic failover is too recent; an order or acknowledge ends the wait";
            let is_manual = facts.kind == MoveKind::Failback
                && facts.spec.policy.failback == FailbackPolicy::Manual;
            let message = if is_manual {
                format!("{waits}; failback is manual, so nothing comes by itself afterwards: order it when you are ready")
            } else {
                waits.to_owned()
            };
            (message, Some(until))
        }),
        HoldCode::MoveBudgetSpent => budget(facts),
        HoldCode::StormLimit => {
            let limit = facts.spec.policy.max_groups_moving;
            (facts.has_steps && facts.moving_elsewhere >= limit).then(|| {
                let message = format!(
                    "{} groups have unfinished steps, the limit is {limit}: this one waits its turn",
                    facts.moving_elsewhere
                );
                (message, None)
            })
        }
        HoldCode::FailbackIsManual => (facts.spec.policy.failback == FailbackPolicy::Manual).then(|| {
            let message = format!(
                "{} is fit again; failback is manual: order it when you are ready",
                facts.target
            );
            (message, None)
        }),
    }
}

fn future(until: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    until.filter(|until| *until > now)
}

/// A move that is under way holds automatic ones, except where a failover replaces a preparation (nothing has
/// flipped yet) or one that has only stops left (they go on without it), or where the rest has been failing for
/// longer than `prepare_timeout`.
fn moving(facts: &Facts<'_>) -> Applies {
    let running = facts.state.moving.as_ref()?;
    let loses_nothing = running.flipped_at.is_none() || steps::are_prepared(&running.steps);
    let may_replace = facts.kind == MoveKind::Failover && loses_nothing;
    if may_replace || steps::is_stalled(running, facts.spec, facts.now) {
        return None;
    }
    Some((
        format!(
            "the {} to {} is not complete yet",
            running.kind.as_str(),
            running.to
        ),
        None,
    ))
}

fn evidence_incomplete(facts: &Facts<'_>) -> Applies {
    let unseen = facts
        .site(facts.state.active())
        .is_some_and(|site| site.unhealthy_unseen);
    if facts.by_probes && unseen {
        let message = format!(
            "{} is unhealthy, but its newest round could not tell whether it still fails",
            facts.state.active()
        );
        return Some((message, None));
    }
    if facts.fitness(facts.target) == Fitness::Unknown {
        return Some(target_unknown(facts.target));
    }
    let planned = facts.kind != MoveKind::Failover;
    if planned && facts.fitness(facts.state.active()) == Fitness::Unknown {
        let message = format!(
            "too little is known of {} for a planned move",
            facts.state.active()
        );
        return Some((message, None));
    }
    None
}

fn target_unknown(target: &SiteName) -> (String, Option<Timestamp>) {
    let message = format!("too little is known of {target} to move there");
    (message, None)
}

fn all_failed(facts: &Facts<'_>) -> bool {
    !facts.sites.is_empty() && facts.sites.iter().all(|site| site.failed_now)
}

fn target_unfit(facts: &Facts<'_>) -> Applies {
    if facts.fitness(facts.target) != Fitness::Unfit {
        return None;
    }
    let verdict = facts.site(facts.target).map(|site| site.verdict);
    let state = match verdict {
        None => "not configured",
        Some(Verdict::Healthy | Verdict::Degraded) => "not answering in the newest round",
        Some(Verdict::Unknown) => "unknown",
        Some(Verdict::Misconfigured) => "misconfigured",
        Some(Verdict::Unhealthy) => "unhealthy",
    };
    let message = format!(
        "{} is not fit to become active: it is {state}",
        facts.target
    );
    Some((message, None))
}

fn source_unfit(facts: &Facts<'_>) -> Applies {
    let planned = facts.kind != MoveKind::Failover;
    (planned && facts.fitness(facts.state.active()) == Fitness::Unfit).then(|| {
        let message = format!(
            "{} is not fit, so no planned move can leave it: order a failover",
            facts.state.active()
        );
        (message, None)
    })
}

fn hold_time(facts: &Facts<'_>) -> Applies {
    let policy = &facts.spec.policy;
    let (since, wait, what): (Timestamp, SignedDuration, String) = match facts.kind {
        MoveKind::Failover | MoveKind::Switchover => {
            let HoldClock::Running { since } = facts.state.clock else {
                return None;
            };
            let since = facts.unbroken_since.map_or(since, |start| since.max(start));
            let what = format!(
                "{} has not been unhealthy for long enough",
                facts.state.active()
            );
            (since, policy.hold, what)
        }
        MoveKind::Failback if policy.failback == FailbackPolicy::Manual => return None,
        MoveKind::Failback => {
            let since = facts.site(facts.target)?.well_since?;
            let since = facts.unbroken_since.map_or(since, |start| since.max(start));
            let what = format!("{} has not been well for long enough", facts.target);
            (since, policy.failback_after, what)
        }
    };
    let until = since.checked_add(wait).unwrap_or(Timestamp::MAX);
    (until > facts.now).then_some((what, Some(until)))
}

fn budget(facts: &Facts<'_>) -> Applies {
    let limit = facts.spec.policy.max_moves_per_day as usize;
    let mut recent: Vec<Timestamp> = facts
        .state
        .automatic_failovers
        .iter()
        .copied()
        .filter(|at| facts.now.duration_since(*at) < BUDGET_WINDOW)
        .collect();
    if recent.len() < limit {
        return None;
    }
    recent.sort_unstable();
    let frees = recent.get(recent.len().saturating_sub(limit)).copied();
    let until = frees.and_then(|at| at.checked_add(BUDGET_WINDOW).ok());
    Some((
        format!(
            "{} automatic failovers in the last 24 hours, the limit is {limit}; acknowledge to allow more",
            recent.len()
        ),
        until,
    ))
}

/// The daily budget looks back this far.
pub const BUDGET_WINDOW: SignedDuration = SignedDuration::from_hours(24);
