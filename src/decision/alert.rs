//! What an alert means to a group: which of two messages is believed, which groups and sites it speaks of,
//! and whether it is evidence there.

use jiff::Timestamp;

use crate::model::alert::{Alert, Impact};
use crate::model::name::{GroupName, Service, SiteName};
use crate::model::region;
use crate::model::signal::{Signal, SignalKind, SignalStage};
use crate::model::spec::{AccountSpec, GroupSpec, SiteSpec};
use crate::model::state::GroupState;

/// Names and permanent GUIDs under which Service Health speaks of a service, in lower case without
/// separators. Names have changed before, GUIDs do not (Azure Resource Health metadata, 2022-10-01-preview
/// and 2024-02-01). A parent service stands for its children.
const SERVICE_NAMES: &[(Service, &[&str])] = &[
    (
        Service::VideoIndexer,
        &[
            "azurevideoindexer",
            "azureaivideoindexer",
            "videoindexer",
            "azurevideoanalyzerformedia",
            "azurevideoanalyzer",
            "azureappliedaiservices",
            "azureappliedaiservicesazurevideoindexer",
            "e9a80e677cad4840bf1bae9373c9c411",
            "438b91acac2848ffbd61d66aa3e7961c",
        ],
    ),
    (
        Service::MediaServices,
        &[
            "mediaservices",
            "azuremediaservices",
            "mediaservicesencoding",
            "mediaservicesstreaming",
        ],
    ),
];

/// The message to keep of two on the same thread: `None` where the new one is a repeat or older than what is
/// known, so that nothing is written.
#[must_use]
pub fn newer(known: Option<&Alert>, new: &Alert) -> Option<Alert> {
    let Some(known) = known else {
        return Some(new.clone());
    };
    let is_newer = new.event_at > known.event_at
        || (new.event_at == known.event_at
            && known.stage == SignalStage::Active
            && new.stage == SignalStage::Resolved);
    if !is_newer {
        return None;
    }
    let mut kept = new.clone();
    if known.stage == SignalStage::Active && new.stage == SignalStage::Active {
        // An update goes on with what a round may already have confirmed.
        kept.received_at = known.received_at;
    }
    if kept.kind == SignalKind::ResourceHealth {
        // The recovery is another alert; people know the incident by the first one's id.
        kept.id.clone_from(&known.id);
    }
    if kept.impacts.is_empty() {
        kept.impacts.clone_from(&known.impacts);
    }
    Some(kept)
}

/// What an alert is to one site of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The site.
    pub site: SiteName,
    /// Why it is only recorded there; `None` where it is evidence as long as the site is active.
    pub recorded_only: Option<String>,
}

/// The sites of a group that an alert speaks of. `left` is the site that the last flip left and when, so that
/// an alert for "the active site" is not read as one for its successor.
#[must_use]
pub fn matches(alert: &Alert, spec: &GroupSpec, state: Option<&GroupState>) -> Vec<Match> {
    if let Some(group) = &alert.group {
        return if *group == spec.name.as_str() {
            named_site(alert, spec, state)
        } else {
            Vec::new()
        };
    }
    spec.sites
        .iter()
        .filter(|site| speaks_of(alert, site))
        .map(|site| Match {
            site: site.name.clone(),
            recorded_only: alert.recorded_only.clone(),
        })
        .collect()
}

/// The group that the rule's custom property names.
#[must_use]
pub fn named_group(alert: &Alert) -> Option<GroupName> {
    alert.group.as_deref().map(GroupName::from)
}

fn named_site(alert: &Alert, spec: &GroupSpec, state: Option<&GroupState>) -> Vec<Match> {
    let wanted = alert.site.as_deref().map(SiteName::from);
    let site = match wanted {
        Some(site) => site,
        None => match state {
            Some(state) if state.since > alert.received_at => state
                .last_flip
                .as_ref()
                .map_or_else(|| state.active().clone(), |flip| flip.from.clone()),
            Some(state) => state.active().clone(),
            None => spec
                .primary()
                .map_or_else(SiteName::default, |site| site.name.clone()),
        },
    };
    let recorded_only = if spec.site(&site).is_none() {
        Some(format!("the group has no site {site}"))
    } else {
        alert.recorded_only.clone()
    };
    vec![Match {
        site,
        recorded_only,
    }]
}

fn speaks_of(alert: &Alert, site: &SiteSpec) -> bool {
    match alert.kind {
        SignalKind::ServiceHealth => site
            .accounts
            .iter()
            .any(|account| is_impacted(alert, site, account)),
        SignalKind::ResourceHealth | SignalKind::Metric | SignalKind::Other => {
            site.accounts.iter().any(|account| {
                resource_id(account)
                    .is_some_and(|own| alert.resources.iter().any(|named| is_on(named, &own)))
            })
        }
    }
}

fn is_impacted(alert: &Alert, site: &SiteSpec, account: &AccountSpec) -> bool {
    let subscription = subscription_id(account);
    let in_subscription = match (&alert.subscription, subscription) {
        (Some(named), Some(own)) => named.eq_ignore_ascii_case(&own),
        (None, _) | (_, None) => false,
    };
    in_subscription
        && alert
            .impacts
            .iter()
            .any(|impact| names_service(impact, account) && names_region(impact, site))
}

fn names_region(impact: &Impact, site: &SiteSpec) -> bool {
    let own = region::programmatic(&site.region);
    impact
        .regions
        .iter()
        .any(|named| region::programmatic(named) == own)
}

fn names_service(impact: &Impact, account: &AccountSpec) -> bool {
    let service = match account {
        AccountSpec::VideoIndexer(_) => Service::VideoIndexer,
        AccountSpec::MediaServices(_) => Service::MediaServices,
        AccountSpec::Http(_) => return false,
    };
    let name = squeezed(&impact.service);
    let id = impact.service_id.as_deref().map(squeezed);
    let known = SERVICE_NAMES
        .iter()
        .find(|(owner, _)| *owner == service)
        .map_or(&[][..], |(_, names)| *names);
    let is_all = id.is_none() && matches!(name.as_str(), "" | "all" | "allservices");
    is_all || known.contains(&name.as_str()) || id.is_some_and(|id| known.contains(&id.as_str()))
}

/// The letters and digits of a service's name or GUID, in lower case.
fn squeezed(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

fn resource_id(account: &AccountSpec) -> Option<String> {
    match account {
        AccountSpec::VideoIndexer(spec) => Some(spec.resource_id()),
        AccountSpec::MediaServices(spec) => Some(spec.resource_id.clone()),
        AccountSpec::Http(_) => None,
    }
}

fn subscription_id(account: &AccountSpec) -> Option<String> {
    match account {
        AccountSpec::VideoIndexer(spec) => Some(spec.subscription_id.clone()),
        AccountSpec::MediaServices(spec) => {
            let mut parts = spec.resource_id.split('/').filter(|part| !part.is_empty());
            parts
                .next()
                .filter(|part| part.eq_ignore_ascii_case("subscriptions"))?;
            parts.next().map(str::to_owned)
        }
        AccountSpec::Http(_) => None,
    }
}

/// Whether a named resource is the account or a part of it. Azure does not keep the letter case of ids.
fn is_on(named: &str, own: &str) -> bool {
    let (named, own) = (named.to_ascii_lowercase(), own.to_ascii_lowercase());
    named == own || named.starts_with(&format!("{own}/"))
}

/// The signals of one group: every match of every alert, with its expiry by the group's policy. An alert
/// that has outlived it is left out.
#[must_use]
pub fn signals(
    alerts: &[Alert],
    spec: &GroupSpec,
    state: Option<&GroupState>,
    now: Timestamp,
) -> Vec<Signal> {
    alerts
        .iter()
        .flat_map(|alert| {
            matches(alert, spec, state)
                .into_iter()
                .map(move |found| signal(alert, found, spec))
        })
        .filter(|signal| signal.expires_at > now)
        .collect()
}

fn signal(alert: &Alert, found: Match, spec: &GroupSpec) -> Signal {
    let expires_at = alert
        .updated_at
        .checked_add(spec.policy.alert_ttl)
        .unwrap_or(Timestamp::MAX);
    let site_region = spec.site(&found.site).map(|site| site.region.clone());
    Signal {
        id: alert.id.clone(),
        kind: alert.kind,
        region: site_region,
        service: alert
            .impacts
            .iter()
            .map(|impact| impact.service.clone())
            .find(|name| !name.is_empty())
            .or_else(|| alert.resources.first().cloned()),
        stage: alert.stage,
        received_at: alert.received_at,
        expires_at,
        site: found.site,
        is_evidence: found.recorded_only.is_none(),
    }
}
