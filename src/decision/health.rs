//! How evidence becomes verdicts, and which site is fit to become active.

use jiff::Timestamp;

use super::evidence::is_fresh;
use crate::model::evidence::{AccountEvidence, GroupEvidence};
use crate::model::name::SiteName;
use crate::model::policy::Policy;
use crate::model::sample::Outcome;
use crate::model::spec::{GroupSpec, SiteSpec};
use crate::model::verdict::Verdict;

/// Whether a site may become active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fitness {
    /// Every account is healthy or degraded, and alive in the newest round.
    Fit,
    /// Too little is known of one of them.
    Unknown,
    /// One of them is unhealthy, misconfigured, or failed in the newest round.
    Unfit,
}

/// What is known of one site at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteHealth {
    /// The site.
    pub site: SiteName,
    /// As bad as its worst account.
    pub verdict: Verdict,
    /// Whether it may become active.
    pub fitness: Fitness,
    /// An account of it failed in the newest round.
    pub failed_now: bool,
    /// An account of it is unhealthy and failed in the newest round: the failure goes on.
    pub unhealthy_now: bool,
    /// It is unhealthy, and no unhealthy account's newest sample says whether the failure goes on.
    pub unhealthy_unseen: bool,
    /// Start of the round that made it unhealthy.
    pub unhealthy_since: Option<Timestamp>,
    /// Start of the first failed round of that run.
    pub first_failed_at: Option<Timestamp>,
    /// Since when every account has been well.
    pub well_since: Option<Timestamp>,
    /// Host and port through which its accounts failed in the newest round.
    pub failed_hosts: Vec<String>,
}

/// The verdict on one account.
#[must_use]
pub fn account_verdict(
    evidence: Option<&AccountEvidence>,
    policy: &Policy,
    now: Timestamp,
) -> Verdict {
    evidence
        .filter(|seen| is_fresh(&seen.newest, now, policy))
        .map_or(Verdict::Unknown, verdict_while_fresh)
}

fn verdict_while_fresh(seen: &AccountEvidence) -> Verdict {
    if seen.unhealthy.is_some() {
        Verdict::Unhealthy
    } else {
        seen.standing
    }
}

/// The health of every configured site, in configured order.
#[must_use]
pub fn assess(
    spec: &GroupSpec,
    evidence: Option<&GroupEvidence>,
    now: Timestamp,
) -> Vec<SiteHealth> {
    spec.sites
        .iter()
        .map(|site| assess_site(site, &spec.policy, evidence, now))
        .collect()
}

fn assess_site(
    site: &SiteSpec,
    policy: &Policy,
    evidence: Option<&GroupEvidence>,
    now: Timestamp,
) -> SiteHealth {
    let mut health = SiteHealth {
        site: site.name.clone(),
        verdict: Verdict::Healthy,
        fitness: Fitness::Fit,
        failed_now: false,
        unhealthy_now: false,
        unhealthy_unseen: false,
        unhealthy_since: None,
        first_failed_at: None,
        well_since: None,
        failed_hosts: Vec::new(),
    };
    let mut well: Option<Option<Timestamp>> = None;
    let mut unseen = false;
    for account in site.watched() {
        let known = evidence.and_then(|all| all.of(&site.name, account));
        let fresh = known.filter(|seen| is_fresh(&seen.newest, now, policy));
        let verdict = fresh.map_or(Verdict::Unknown, verdict_while_fresh);
        health.verdict = health.verdict.max(verdict);
        health.fitness = worse(health.fitness, account_fitness(verdict, fresh));
        let since = known.and_then(|seen| seen.well_since);
        well = Some(well.map_or(since, |others| Some(others?.max(since?))));
        let Some(seen) = fresh else { continue };
        if seen.newest.outcome == Outcome::Failed {
            health.failed_now = true;
            health.failed_hosts.push(seen.newest.host.clone());
        }
        if let Some(unhealthy) = seen.unhealthy {
            health.unhealthy_now |= seen.newest.outcome == Outcome::Failed;
            unseen |= seen.newest.outcome == Outcome::Unknown;
            health.unhealthy_since = earlier(health.unhealthy_since, unhealthy.since);
            health.first_failed_at = earlier(health.first_failed_at, unhealthy.first_failed_at);
        } else if let Some(first) = seen.first_failed_at {
            health.first_failed_at = earlier(health.first_failed_at, first);
        }
    }
    if well.is_none() {
        // Nothing of it is probed.
        health.verdict = Verdict::Unknown;
        health.fitness = Fitness::Unknown;
    }
    health.unhealthy_unseen = unseen && !health.unhealthy_now;
    health.well_since = well.flatten();
    health
}

fn account_fitness(verdict: Verdict, evidence: Option<&AccountEvidence>) -> Fitness {
    match verdict {
        Verdict::Unhealthy | Verdict::Misconfigured => Fitness::Unfit,
        Verdict::Unknown => Fitness::Unknown,
        Verdict::Healthy | Verdict::Degraded => match evidence.map(|seen| seen.newest.outcome) {
            Some(Outcome::Ok | Outcome::Degraded | Outcome::Throttled) => Fitness::Fit,
            Some(Outcome::Failed | Outcome::Denied | Outcome::Missing) => Fitness::Unfit,
            Some(Outcome::Unknown) | None => Fitness::Unknown,
        },
    }
}

/// Unfit is certain, so it outweighs unknown.
fn worse(one: Fitness, other: Fitness) -> Fitness {
    match (one, other) {
        (Fitness::Unfit, _) | (_, Fitness::Unfit) => Fitness::Unfit,
        (Fitness::Unknown, _) | (_, Fitness::Unknown) => Fitness::Unknown,
        (Fitness::Fit, Fitness::Fit) => Fitness::Fit,
    }
}

fn earlier(one: Option<Timestamp>, other: Timestamp) -> Option<Timestamp> {
    Some(one.map_or(other, |at| at.min(other)))
}

/// The host that all sites share and through which every one of them failed in the newest round.
#[must_use]
pub fn shared_failed_host(sites: &[SiteHealth]) -> Option<&str> {
    let (first, rest) = sites.split_first()?;
    first
        .failed_hosts
        .iter()
        .find(|host| !host.is_empty() && rest.iter().all(|site| site.failed_hosts.contains(host)))
        .map(String::as_str)
}
