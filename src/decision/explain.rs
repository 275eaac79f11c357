//! Why a group is where it is, in sentences for the person on call.

use jiff::{SignedDuration, Timestamp};

use super::evidence::{is_fresh, stale_after};
use super::health::{self, SiteHealth};
use crate::model::evidence::{AccountEvidence, GroupEvidence};
use crate::model::hold::Hold;
use crate::model::sample::Outcome;
use crate::model::signal::{Signal, SignalStage};
use crate::model::spec::GroupSpec;
use crate::model::state::GroupState;
use crate::model::verdict::Verdict;

/// The sentences: who serves, what is under way, what each site looks like, why nothing moves.
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
    let mut sentences = vec![serving(state, &sites)];
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
    for site in &sites {
        sentences.extend(site_sentences(site, spec, evidence, now));
    }
    for signal in signals
        .iter()
        .filter(|signal| signal.stage == SignalStage::Active)
    {
        let weight = if signal.is_evidence {
            "says that"
        } else {
            "is only recorded for"
        };
        sentences.push(format!(
            "An alert ({}) {weight} {}{} since {}.",
            signal.id,
            signal.site,
            if signal.is_evidence { " fails," } else { "," },
            signal.received_at
        ));
    }
    sentences.push(conclusion(state, &sites, hold));
    if let Some(pause) = state.pause_at(now) {
        sentences.push(format!(
            "Automatic moves are paused until {} by {}: {}.",
            pause.until, pause.by, pause.reason
        ));
    }
    sentences
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
        sentences.push(format!("{key} is {}: {what}.", verdict.as_str()));
    }
    if sentences.is_empty() {
        sentences.push(format!("{} is {}.", site.site, site.verdict.as_str()));
    }
    sentences
}

fn newest(account: &AccountEvidence, spec: &GroupSpec, now: Timestamp) -> String {
    let age = now
        .duration_since(account.newest.at)
        .max(SignedDuration::ZERO);
    let mut text = format!(
        "the newest round, {} s ago, was {}",
        age.as_secs(),
        account.newest.outcome.as_str()
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
    if account.unhealthy.is_some() {
        if account.newest.outcome.is_alive() {
            text.push_str(&format!(
                "; it just answered, so it is not left; {} of {} ok rounds make it healthy again",
                account.recoveries, spec.policy.recover_threshold
            ));
        }
    } else if account.failures > 0 {
        text.push_str(&format!(
            "; {} failed in a row, {} of the last {} make it unhealthy",
            rounds(account.failures),
            spec.policy.fail_threshold,
            spec.policy.fail_window
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

fn rounds(count: u32) -> String {
    if count == 1 {
        "1 round".to_owned()
    } else {
        format!("{count} rounds")
    }
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
