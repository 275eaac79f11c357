//! What answers look like: groups, sites, accounts, moves and history as JSON.

use jiff::Timestamp;
use serde::Serialize;

use crate::controller::view::GroupView;
use crate::decision::{alert, health};
use crate::model::evidence::AccountEvidence;
use crate::model::history::{HistoryEntry, HistoryKind, Witness};
use crate::model::hold::Hold;
use crate::model::moves::{Cause, Leftover, Move, MoveKind, Step, StepState, Times};
use crate::model::name::{AccountKey, Service};
use crate::model::policy::Mode;
use crate::model::sample::Outcome;
use crate::model::signal::Signal;
use crate::model::spec::SiteSpec;
use crate::model::state::{GroupState, Pause};
use crate::model::verdict::Verdict;

/// One group.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupBody<'a> {
    group: &'a str,
    tenant: Option<&'a str>,
    /// Null where the configuration is bad.
    mode: Option<Mode>,
    generation: u64,
    phase: &'static str,
    active: &'a str,
    since: Timestamp,
    as_of: Timestamp,
    sites: Vec<SiteBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signals: Option<Vec<&'a Signal>>,
    hold: Option<&'a Hold>,
    paused: Option<&'a Pause>,
    #[serde(rename = "move")]
    moving: Option<MoveBody<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    leftovers: Vec<LeftoverBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<&'a [String]>,
    /// Of an answer to an order that found everything done.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    nothing_to_do: bool,
}

#[derive(Debug, Serialize)]
struct SiteBody<'a> {
    site: &'a str,
    region: &'a str,
    /// Null where the site is not configured any more.
    role: Option<&'static str>,
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts: Option<Vec<AccountBody<'a>>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AccountBody<'a> {
    service: Service,
    name: String,
    verdict: Verdict,
    streak: Streak,
    last_probe: Option<LastProbe<'a>>,
}

/// How many counted rounds in a row failed, or were ok. With zero rounds the outcome is the newest one.
#[derive(Debug, Serialize)]
struct Streak {
    outcome: Outcome,
    rounds: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LastProbe<'a> {
    at: Timestamp,
    outcome: Outcome,
    latency_ms: u32,
    detail: Option<&'a str>,
    vantage: &'a str,
}

/// One move; a dry run's has neither id nor times.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MoveBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    generation: u64,
    kind: MoveKind,
    from: &'a str,
    to: &'a str,
    cause: Cause,
    actor: &'a str,
    reason: Option<&'a str>,
    forced: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    times: Option<MoveTimes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<StepBody<'a>>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MoveTimes {
    started_at: Timestamp,
    flipped_at: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct StepBody<'a> {
    name: &'a str,
    state: StepState,
    attempts: u32,
    detail: Option<&'a str>,
}

/// What an earlier move left to be stopped on a site that is not active, or to be started on the active one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LeftoverBody<'a> {
    site: &'a str,
    since: Timestamp,
    waits_for_recovery: bool,
    steps: Vec<StepBody<'a>>,
}

/// One entry of the history.
#[derive(Debug, Serialize)]
pub struct EntryBody<'a> {
    at: Timestamp,
    generation: u64,
    rule: &'a str,
    kind: HistoryKind,
    from: &'a str,
    to: Option<&'a str>,
    actor: &'a str,
    reason: Option<&'a str>,
    cause: Cause,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    forced: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<&'a Hold>,
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<&'a Times>,
    evidence: &'a [Witness],
}

/// A group with everything that is known of it.
#[must_use]
pub fn whole(view: &GroupView) -> GroupBody<'_> {
    group(view, true)
}

/// The same as the answer to an order for which nothing was to be done.
#[must_use]
pub fn unchanged(view: &GroupView) -> GroupBody<'_> {
    GroupBody {
        nothing_to_do: true,
        ..whole(view)
    }
}

/// A group as lists show it: without accounts, signals and steps.
#[must_use]
pub fn line(view: &GroupView) -> GroupBody<'_> {
    group(view, false)
}

/// The word for whether a move is under way.
#[must_use]
pub fn phase(state: &GroupState) -> &'static str {
    if state.moving.is_some() {
        "moving"
    } else {
        "settled"
    }
}

fn group(view: &GroupView, all: bool) -> GroupBody<'_> {
    let spec = view.spec.as_deref();
    GroupBody {
        group: view.name.as_str(),
        tenant: spec.and_then(|spec| spec.tenant.as_deref()),
        mode: spec.map(|spec| spec.policy.mode),
        generation: view.state.generation,
        phase: phase(&view.state),
        active: view.state.active().as_str(),
        since: view.state.since,
        as_of: view.as_of,
        sites: sites(view, all),
        signals: all.then(|| alert::one_per_incident(&view.signals, view.state.active())),
        hold: view.hold.as_ref(),
        paused: view.state.pause_at(view.as_of),
        moving: view
            .state
            .moving
            .as_ref()
            .map(|moving| move_body(moving, all)),
        leftovers: if all {
            view.state.leftovers.iter().map(leftover).collect()
        } else {
            Vec::new()
        },
        explanation: all.then_some(view.explanation.as_slice()),
        nothing_to_do: false,
    }
}

/// The configured sites in their order, then the active one if it is none of them.
fn sites(view: &GroupView, all: bool) -> Vec<SiteBody<'_>> {
    let configured = view.spec.as_deref().map_or(&[][..], |spec| &spec.sites);
    let mut sites: Vec<SiteBody<'_>> = configured
        .iter()
        .enumerate()
        .map(|(index, site)| SiteBody {
            site: site.name.as_str(),
            region: &site.region,
            role: Some(if index == 0 { "primary" } else { "secondary" }),
            verdict: verdict(view, site),
            accounts: all.then(|| accounts(view, site)),
        })
        .collect();
    let active = view.state.active();
    if configured.iter().all(|site| site.name != *active) {
        sites.push(SiteBody {
            site: active.as_str(),
            region: &view.state.answer.region,
            role: None,
            verdict: Verdict::Misconfigured,
            accounts: all.then(Vec::new),
        });
    }
    sites
}

fn verdict(view: &GroupView, site: &SiteSpec) -> Verdict {
    view.sites
        .iter()
        .find(|health| health.site == site.name)
        .map_or(Verdict::Unknown, |health| health.verdict)
}

fn accounts<'a>(view: &'a GroupView, site: &SiteSpec) -> Vec<AccountBody<'a>> {
    site.accounts
        .iter()
        .map(|account| account_body(view, account.key(&site.name)))
        .collect()
}

fn account_body(view: &GroupView, key: AccountKey) -> AccountBody<'_> {
    let seen = view
        .evidence
        .as_ref()
        .and_then(|evidence| evidence.accounts.get(&key));
    let verdict = view.spec.as_ref().map_or(Verdict::Unknown, |spec| {
        health::account_verdict(seen, &spec.policy, view.as_of)
    });
    AccountBody {
        service: key.service,
        name: key.name,
        verdict,
        streak: streak(seen),
        last_probe: seen.map(|seen| LastProbe {
            at: seen.newest.at,
            outcome: seen.newest.outcome,
            latency_ms: seen.newest.latency_ms,
            detail: seen.newest.detail.as_deref(),
            vantage: view.vantage.as_str(),
        }),
    }
}

fn streak(seen: Option<&AccountEvidence>) -> Streak {
    let (outcome, rounds) = match seen {
        Some(seen) if seen.failures > 0 => (Outcome::Failed, seen.failures),
        Some(seen) if seen.recoveries > 0 => (Outcome::Ok, seen.recoveries),
        Some(seen) => (seen.newest.outcome, 0),
        None => (Outcome::Unknown, 0),
    };
    Streak { outcome, rounds }
}

fn move_body(moving: &Move, all: bool) -> MoveBody<'_> {
    MoveBody {
        id: Some(&moving.id),
        times: Some(MoveTimes {
            started_at: moving.started_at,
            flipped_at: moving.flipped_at,
        }),
        steps: all.then(|| steps(&moving.steps)),
        ..planned(moving)
    }
}

/// A move that a dry run would have made.
#[must_use]
pub fn planned(moving: &Move) -> MoveBody<'_> {
    MoveBody {
        id: None,
        generation: moving.generation,
        kind: moving.kind,
        from: moving.from.as_str(),
        to: moving.to.as_str(),
        cause: moving.cause,
        actor: &moving.actor,
        reason: moving.reason.as_deref(),
        forced: moving.forced,
        times: None,
        steps: Some(steps(&moving.steps)),
    }
}

fn leftover(leftover: &Leftover) -> LeftoverBody<'_> {
    LeftoverBody {
        site: leftover.site.as_str(),
        since: leftover.since,
        waits_for_recovery: leftover.waits_for_recovery,
        steps: steps(&leftover.steps),
    }
}

fn steps(steps: &[Step]) -> Vec<StepBody<'_>> {
    steps
        .iter()
        .map(|step| StepBody {
            name: &step.name,
            state: step.state,
            attempts: step.attempts,
            detail: step.detail.as_deref(),
        })
        .collect()
}

/// One entry of the history.
#[must_use]
pub fn entry(entry: &HistoryEntry) -> EntryBody<'_> {
    EntryBody {
        at: entry.at,
        generation: entry.generation,
        rule: &entry.rule,
        kind: entry.kind,
        from: entry.from.as_str(),
        to: entry.to.as_ref().map(crate::model::name::SiteName::as_str),
        actor: &entry.actor,
        reason: entry.reason.as_deref(),
        cause: entry.cause,
        forced: entry.forced,
        hold: entry.hold.as_ref(),
        times: entry.times.as_ref(),
        evidence: &entry.evidence,
    }
}
