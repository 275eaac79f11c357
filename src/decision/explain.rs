//! Why a group is where it is, in sentences for the person on call.

use jiff::{SignedDuration, Timestamp};

use super::cue::has_round_since;
use super::evidence::{is_fresh, stale_after};
use super::health::{self, SiteHealth};
use crate::model::evidence::{AccountEvidence, GroupEvidence};
use crate::model::hold::Hold;
use crate::model::moves::StepState;
use crate::model::policy::AlertPolicy;
use crate::model::runbook::Topic;
use crate::model::sample::Outcome;
use crate::model::signal::{Signal, SignalStage};
use crate::model::spec::GroupSpec;
use crate::model::state::GroupState;
use crate::model::verdict::Verdict;

/// The sentences: what decides comes first (what is under way, why nothing moves, who serves), then how each site is,
/// then what alerts say, those that are only recorded last.
#[must_use]
pub fn explain(
    state: &GroupState,
    evidence: Option<&GroupEvidence>,
    spec: &GroupSpec,
    signals: &[Signal],
    hold: Option<&Hold>,
    now: Timestamp,
) -> Vec<String> {
    let sites = health::assess(spec, evidence, now);
    let mut sentences = Vec::new();
    if let Some(running) = &state.moving {
        let progress = if running.flipped_at.is_some() {
            "the record has flipped, steps are unfinished"
        } else {
            "the target is being prepared, nothing has flipped yet"
        };
        sentences.push(format!(
            "A {} from {} to {} is under way: {progress}.",
            running.kind.as_str(),
            running.from,
            running.to
        ));
    }
    sentences.extend(failing_steps(state));
    sentences.push(conclusion(state, &sites, hold));
    if let Some(until) = state.forced_until.filter(|until| *until > now) {
        sentences.push(format!(
            "Automatic moves wait until {until}, since a person forced the last move; acknowledge ends that."
        ));
    }
    if let Some(pause) = state.pause_at(now) {
        sentences.push(format!(
            "Automatic moves are paused until {} by {}: {}.",
            pause.until, pause.by, pause.reason
        ));
    }
    sentences.push(serving(state, &sites));
    for site in &sites {
        sentences.extend(site_sentences(site, spec, evidence, now));
    }
    let mut going_on: Vec<&Signal> = signals
        .iter()
        .filter(|signal| signal.stage == SignalStage::Active)
        .collect();
    going_on.sort_by_key(|signal| (!signal.is_against(state.active()), !signal.is_evidence));
    sentences.extend(
        going_on
            .into_iter()
            .map(|signal| alert_sentence(signal, &sites, evidence, spec, state)),
    );
    sentences.extend(runbook(&sites));
    sentences
}

/// What an alert says, and what it still takes to move the group.
fn alert_sentence(
    signal: &Signal,
    sites: &[SiteHealth],
    evidence: Option<&GroupEvidence>,
    spec: &GroupSpec,
    state: &GroupState,
) -> String {
    let (id, site, since) = (signal.short_id(), &signal.site, signal.received_at);
    if !signal.is_evidence {
        let why = signal
            .why
            .as_ref()
            .map_or_else(String::new, |why| format!(": {why}"));
        return format!("An alert ({id}) is only recorded for {site}, since {since}{why}.");
    }
    let said = format!("An alert ({id}) says that {site} fails, since {since}");
    if !signal.is_against(state.active()) {
        return format!("{said}; {site} is not active, so it asks for no move.");
    }
    match spec.policy.alert {
        AlertPolicy::Ignore => format!("{said}."),
        AlertPolicy::Direct => {
            format!("{said}; by policy (`alert = \"direct\"`) it is enough alone.")
        }
        AlertPolicy::Confirm => {
            let threshold = spec.policy.fail_threshold;
            let has_round = has_round_since(evidence, signal);
            let failed = sites.iter().any(|one| one.site == *site && one.failed_now);
            let so_far = match (has_round, failed) {
                (false, _) => "no such round has ended yet",
                (true, true) => "the newest one failed",
                (true, false) => "the newest one did not fail",
            };
            format!(
                "{said}; one failed round that began after it is enough to move, without the threshold of {threshold} and without the hold time: {so_far}."
            )
        }
    }
}

fn serving(state: &GroupState, sites: &[SiteHealth]) -> String {
    let configured = sites.iter().any(|site| site.site == *state.active());
    if configured {
        format!(
            "{} serves since {} (generation {}).",
            state.active(),
            state.since,
            state.generation
        )
    } else {
        format!(
            "{} serves since {} (generation {}), but is no longer configured: it is kept and not moved; configure it again or order a failover.",
            state.active(),
            state.since,
            state.generation
        )
    }
}

fn site_sentences(
    site: &SiteHealth,
    spec: &GroupSpec,
    evidence: Option<&GroupEvidence>,
    now: Timestamp,
) -> Vec<String> {
    let Some(configured) = spec.site(&site.site) else {
        return Vec::new();
    };
    let mut sentences = Vec::new();
    for key in configured.probed() {
        let seen = evidence.and_then(|all| all.accounts.get(&key));
        let verdict = health::account_verdict(seen, &spec.policy, now);
        let quiet = seen.is_some_and(|account| account.newest.outcome == Outcome::Ok);
        if verdict == Verdict::Healthy && quiet {
            continue;
        }
        let what = seen.map_or_else(
            || "it has not been probed yet".to_owned(),
            |account| newest(account, spec, now),
        );
        let so_far = seen
            .filter(|account| is_only_failing(account, spec, now))
            .map_or_else(String::new, |account| threshold(account, spec));
        sentences.push(format!("{key} is {}{so_far}: {what}.", verdict.as_str()));
    }
    if sentences.is_empty() {
        sentences.push(format!("{} is {}.", site.site, site.verdict.as_str()));
    }
    sentences
}

/// Whether rounds have failed, and not enough of them to make it unhealthy.
fn is_only_failing(account: &AccountEvidence, spec: &GroupSpec, now: Timestamp) -> bool {
    let is_failing = account.failures > 0 || account.newest.outcome == Outcome::Failed;
    is_failing && account.unhealthy.is_none() && is_fresh(&account.newest, now, &spec.policy)
}

/// How far it is from the threshold.
fn threshold(account: &AccountEvidence, spec: &GroupSpec) -> String {
    let failed = (account.window.iter())
        .filter(|outcome| **outcome == Outcome::Failed)
        .count();
    let (threshold, window) = (spec.policy.fail_threshold, spec.policy.fail_window);
    let among = if window == threshold {
        String::new()
    } else {
        format!(" among the last {window}")
    };
    let rounds = if threshold == 1 { "round" } else { "rounds" };
    format!(
        " so far, with {failed} of the {threshold} failed {rounds}{among} that make it unhealthy"
    )
}

/// A sentence's verb and what was seen.
const fn was(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "was ok",
        Outcome::Degraded => "was degraded",
        Outcome::Throttled => "was throttled",
        Outcome::Failed => "failed",
        Outcome::Denied => "was denied",
        Outcome::Missing => "found it missing",
        Outcome::Unknown => "could not tell",
    }
}

fn newest(account: &AccountEvidence, spec: &GroupSpec, now: Timestamp) -> String {
    let age = now
        .duration_since(account.newest.at)
        .max(SignedDuration::ZERO);
    let mut text = format!(
        "the newest round, {} s ago, {}",
        age.as_secs(),
        was(account.newest.outcome)
    );
    if let Some(detail) = &account.newest.detail {
        text.push_str(&format!(" ({detail})"));
    }
    if !is_fresh(&account.newest, now, &spec.policy) {
        text.push_str(&format!(
            "; that is too long ago to say anything, rounds older than {} s do not count",
            stale_after(&spec.policy).as_secs()
        ));
        return text;
    }
    if account.unhealthy.is_some() && account.newest.outcome.is_alive() {
        text.push_str(&format!(
            "; it just answered, so it is not left; {} of {} ok rounds make it healthy again",
            account.recoveries, spec.policy.recover_threshold
        ));
    }
    match account.newest.outcome {
        Outcome::Denied | Outcome::Missing => {
            text.push_str("; this is for people to mend and never a reason to move");
        }
        Outcome::Ok
        | Outcome::Degraded
        | Outcome::Throttled
        | Outcome::Failed
        | Outcome::Unknown => {}
    }
    text
}

/// What of a move does not get done, and what that means to clients.
fn failing_steps(state: &GroupState) -> Vec<String> {
    let moving = state.moving.iter().flat_map(|running| &running.steps);
    let left = state.leftovers.iter().flat_map(|each| &each.steps);
    let failing = moving
        .chain(left)
        .filter(|step| step.state == StepState::Failed);
    let mut sentences: Vec<String> = failing
        .map(|step| {
            format!(
                "{} in {} failed, and is tried again: {}.",
                step.name,
                step.account.site,
                step.detail.as_deref().unwrap_or("nothing is known of why")
            )
        })
        .collect();
    if !state.is_ready() {
        sentences.push(format!(
            "Lookups name {} as not ready: not everything that streams there is started yet.",
            state.active()
        ));
    }
    sentences
}

/// Where to read on, for every verdict that asks for somebody.
fn runbook(sites: &[SiteHealth]) -> impl Iterator<Item = String> {
    let is_there = |verdict: Verdict| sites.iter().any(|site| site.verdict == verdict);
    let unwell = Verdict::ALL
        .into_iter()
        .filter(|verdict| *verdict != Verdict::Healthy);
    let shown: Vec<Verdict> = unwell.filter(|verdict| is_there(*verdict)).collect();
    shown.into_iter().map(|verdict| {
        let reference = Topic::Verdict(verdict).reference();
        format!("For {} sites {reference}.", verdict.as_str())
    })
}

fn conclusion(state: &GroupState, sites: &[SiteHealth], hold: Option<&Hold>) -> String {
    if let Some(hold) = hold {
        let until = hold
            .until
            .map_or_else(String::new, |until| format!(" (until {until})"));
        return format!(
            "It does not move now: {}: {}{until}.",
            hold.code.as_str(),
            hold.message
        );
    }
    let active = sites.iter().find(|site| site.site == *state.active());
    match active.map(|site| site.verdict) {
        None => "Nothing is judged for the active site.".to_owned(),
        Some(Verdict::Unhealthy) => {
            "The active site is unhealthy, but its newest round does not ask for a move.".to_owned()
        }
        Some(Verdict::Misconfigured) => {
            "No move: a misconfigured account is mended by people, moving would not help."
                .to_owned()
        }
        Some(Verdict::Unknown) => {
            "No move: too little is known, and no knowledge is no failure.".to_owned()
        }
        Some(Verdict::Degraded) => "No move: degraded alone never moves anything.".to_owned(),
        Some(Verdict::Healthy) => "No move is asked for.".to_owned(),
    }
}
