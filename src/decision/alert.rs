//! What an alert means to a group: which of two messages is believed, which groups and sites it speaks of,
//! and whether it is evidence there.

pub mod directory;

use jiff::Timestamp;

use crate::model::alert::{Alert, Impact};
use crate::model::name::{Service, SiteName, squeezed};
use crate::model::policy::AlertPolicy;
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
            "b386349559b340a593796ccca152c394",
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
    if new.is_unclear {
        return lengthened(known, new);
    }
    // Of a thread that is known by unclear messages alone, the first clear one is news, whenever it came.
    let is_newer = known.is_unclear
        || new.event_at > known.event_at
        || (new.event_at == known.event_at
            && known.stage == SignalStage::Active
            && new.stage == SignalStage::Resolved);
    if !is_newer {
        return None;
    }
    let mut kept = new.clone();
    if kept.kind == SignalKind::ResourceHealth {
        // The recovery is another alert; people know the incident by the first one's id.
        kept.id.clone_from(&known.id);
    }
    kept.unclear_at = last_unclear(known);
    if kept.impacts.is_empty() {
        kept.impacts.clone_from(&known.impacts);
    }
    if known.stage == SignalStage::Active {
        // The site that it was raised against, although another may be active when it goes on or ends.
        kept.site = known.site.clone().or(kept.site);
        if goes_on(known, &kept) {
            kept.received_at = known.received_at;
        }
    }
    Some(kept)
}

/// What is known, with the life of a later message that says neither that it goes on nor that it is over. It
/// ends nothing and begins nothing: what is over stays so. The event's own time stays as well, since a clear
/// message from before this one may still be on its way.
fn lengthened(known: &Alert, new: &Alert) -> Option<Alert> {
    let is_later = new.event_at > last_heard(known);
    (is_later && known.stage == SignalStage::Active).then(|| Alert {
        updated_at: new.updated_at,
        unclear_at: Some(new.event_at),
        ..known.clone()
    })
}

/// The event's time of the last unclear message on this thread.
fn last_unclear(known: &Alert) -> Option<Timestamp> {
    let alone = known.is_unclear.then_some(known.event_at);
    known.unclear_at.max(alone)
}

/// The event's time of the last message on this thread, clear or not.
fn last_heard(known: &Alert) -> Timestamp {
    let unclear = last_unclear(known);
    unclear.map_or(known.event_at, |at| at.max(known.event_at))
}

/// Why a message that changed nothing on its thread changed nothing.
#[must_use]
pub fn why_known(known: &Alert, new: &Alert) -> String {
    let told_at = new.event_at;
    let known_at = if new.is_unclear {
        last_heard(known)
    } else {
        known.event_at
    };
    if known_at > told_at {
        format!("it is of {told_at}, and a later message of {known_at} is known already")
    } else if known.stage == new.stage {
        format!("it repeats a message of {told_at} that is known already, and changes nothing")
    } else if new.is_unclear {
        let over_since = known.event_at;
        format!(
            "it is over since {over_since}, and this message does not say that it goes on again"
        )
    } else {
        format!("it is of {told_at}, and an end of the same moment is known already")
    }
}

/// Whether a round that confirmed the one message confirms the other as well. One that names more, or that
/// is evidence where there was none, needs a round of its own.
fn goes_on(known: &Alert, kept: &Alert) -> bool {
    let says_no_more = known.impacts == kept.impacts
        && known.resources == kept.resources
        && (known.recorded_only.is_none() || kept.recorded_only.is_some());
    says_no_more || kept.stage == SignalStage::Resolved
}

/// Of the services that an alert names, keeps those that can be ours, if any of them can: an outage of a
/// whole region may name hundreds.
pub fn trim(alert: &mut Alert) {
    let is_ours = |impact: &Impact| !services_of(impact).is_empty();
    if alert.impacts.iter().any(is_ours) {
        alert.impacts.retain(is_ours);
    }
}

/// What an alert is to one site of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The site.
    pub site: SiteName,
    /// Why it is only recorded there; `None` where it is evidence as long as the site is active.
    pub recorded_only: Option<String>,
}

/// An alert with its names in a form that can be compared: made once, it is held against ten thousand
/// groups.
#[derive(Debug)]
pub struct Told<'a> {
    alert: &'a Alert,
    subscription: Option<String>,
    impacts: Vec<(Vec<Service>, Vec<String>)>,
    resources: Vec<String>,
}

impl<'a> Told<'a> {
    /// Reads the names of an alert.
    #[must_use]
    pub fn of(alert: &'a Alert) -> Self {
        let regions = |impact: &Impact| {
            let named = impact.regions.iter();
            named.map(|name| region::programmatic(name)).collect()
        };
        Self {
            alert,
            subscription: alert.subscription.as_deref().map(str::to_ascii_lowercase),
            impacts: alert
                .impacts
                .iter()
                .map(|impact| (services_of(impact), regions(impact)))
                .filter(|(services, _)| !services.is_empty())
                .collect(),
            resources: alert
                .resources
                .iter()
                .map(|id| id.to_ascii_lowercase())
                .collect(),
        }
    }

    /// The sites of a group that it speaks of. The rule's custom property comes before everything else.
    #[must_use]
    pub fn matches(&self, spec: &GroupSpec, state: Option<&GroupState>) -> Vec<Match> {
        self.matching(&Places::of(spec), spec, state)
    }

    fn matching(
        &self,
        places: &Places<'_>,
        spec: &GroupSpec,
        state: Option<&GroupState>,
    ) -> Vec<Match> {
        if let Some(group) = &self.alert.group {
            return if group.eq_ignore_ascii_case(spec.name.as_str()) {
                named_site(self.alert, spec, state)
            } else {
                Vec::new()
            };
        }
        places
            .sites
            .iter()
            .filter(|place| self.speaks_of(place, places))
            .map(|place| Match {
                site: place.site.name.clone(),
                recorded_only: self.alert.recorded_only.clone(),
            })
            .collect()
    }

    fn speaks_of(&self, place: &Place<'_>, places: &Places<'_>) -> bool {
        match self.alert.kind {
            SignalKind::ServiceHealth => {
                self.subscription
                    .as_ref()
                    .is_some_and(|named| places.subscriptions.contains(named))
                    && self.impacts.iter().any(|(services, regions)| {
                        regions.contains(&place.region)
                            && services.iter().any(|one| place.services.contains(one))
                    })
            }
            SignalKind::ResourceHealth | SignalKind::Metric | SignalKind::Other => place
                .resources
                .iter()
                .any(|own| self.resources.iter().any(|named| is_on(named, own))),
        }
    }
}

/// What alerts are held against: the subscriptions, regions, services and resources of one group.
struct Places<'a> {
    subscriptions: Vec<String>,
    sites: Vec<Place<'a>>,
}

struct Place<'a> {
    site: &'a SiteSpec,
    region: String,
    services: Vec<Service>,
    resources: Vec<String>,
}

impl<'a> Places<'a> {
    fn of(spec: &'a GroupSpec) -> Self {
        let accounts = spec.sites.iter().flat_map(|site| &site.accounts);
        Self {
            subscriptions: accounts.filter_map(subscription_id).collect(),
            sites: spec
                .sites
                .iter()
                .map(|site| Place {
                    site,
                    region: region::programmatic(&site.region),
                    services: site.accounts.iter().filter_map(service_of).collect(),
                    resources: site.accounts.iter().filter_map(resource_id).collect(),
                })
                .collect(),
        }
    }
}

fn named_site(alert: &Alert, spec: &GroupSpec, state: Option<&GroupState>) -> Vec<Match> {
    let site = match (&alert.site, state) {
        (Some(wanted), _) => site_called(wanted, spec)
            .map_or_else(|| SiteName::from(wanted.as_str()), |site| site.name.clone()),
        // Raised against the site that was active when it came in, not against its successor.
        (None, Some(state)) if state.since > alert.received_at => state
            .last_flip
            .as_ref()
            .map_or_else(|| state.active().clone(), |flip| flip.from.clone()),
        (None, Some(state)) => state.active().clone(),
        (None, None) => spec
            .primary()
            .map_or_else(SiteName::default, |site| site.name.clone()),
    };
    let recorded_only = if spec.site(&site).is_none() {
        let sites: Vec<&str> = spec.sites.iter().map(|site| site.name.as_str()).collect();
        Some(format!(
            "the group has no site {site}: its sites are {}",
            sites.join(", ")
        ))
    } else {
        alert.recorded_only.clone()
    };
    vec![Match {
        site,
        recorded_only,
    }]
}

/// The site of this name; else the only one in the region that is so called, in either spelling.
fn site_called<'a>(wanted: &str, spec: &'a GroupSpec) -> Option<&'a SiteSpec> {
    let mut sites = spec.sites.iter();
    if let Some(site) = sites.find(|site| site.name.as_str().eq_ignore_ascii_case(wanted)) {
        return Some(site);
    }
    let wanted = region::programmatic(wanted);
    let is_there = |site: &&SiteSpec| region::programmatic(&site.region) == wanted;
    let mut there = spec.sites.iter().filter(is_there);
    there.next().filter(|_| there.next().is_none())
}

/// Which of our services an impact names; all of them where it names every service.
fn services_of(impact: &Impact) -> Vec<Service> {
    let name = squeezed(&impact.service);
    let id = impact.service_id.as_deref().map(squeezed);
    // A name in another script has no letters that are compared, and is a name all the same.
    let is_all = id.is_none()
        && (impact.service.trim().is_empty() || matches!(name.as_str(), "all" | "allservices"));
    SERVICE_NAMES
        .iter()
        .filter(|(_, names)| {
            is_all
                || names.contains(&name.as_str())
                || id.as_deref().is_some_and(|id| names.contains(&id))
        })
        .map(|(service, _)| *service)
        .collect()
}

fn service_of(account: &AccountSpec) -> Option<Service> {
    match account {
        AccountSpec::VideoIndexer(_) => Some(Service::VideoIndexer),
        AccountSpec::MediaServices(_) => Some(Service::MediaServices),
        AccountSpec::Http(_) => None,
    }
}

fn resource_id(account: &AccountSpec) -> Option<String> {
    let id = match account {
        AccountSpec::VideoIndexer(spec) => spec.resource_id(),
        AccountSpec::MediaServices(spec) => spec.resource_id.clone(),
        AccountSpec::Http(_) => return None,
    };
    Some(id.to_ascii_lowercase())
}

fn subscription_id(account: &AccountSpec) -> Option<String> {
    let id = match account {
        AccountSpec::VideoIndexer(spec) => spec.subscription_id.as_str(),
        AccountSpec::MediaServices(spec) => {
            let mut parts = spec.resource_id.split('/').filter(|part| !part.is_empty());
            parts
                .next()
                .filter(|part| part.eq_ignore_ascii_case("subscriptions"))?;
            parts.next()?
        }
        AccountSpec::Http(_) => return None,
    };
    Some(id.to_ascii_lowercase())
}

/// Whether a named resource is the account or a part of it; both in lower case, since Azure does not keep
/// the case of ids.
fn is_on(named: &str, own: &str) -> bool {
    named
        .strip_prefix(own)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The signals of one group: every match of every alert, with its expiry by the group's policy. An alert
/// that has outlived it is left out.
#[must_use]
pub fn signals<'a>(
    alerts: impl IntoIterator<Item = &'a Told<'a>>,
    spec: &GroupSpec,
    state: Option<&GroupState>,
    now: Timestamp,
) -> Vec<Signal> {
    let places = Places::of(spec);
    alerts
        .into_iter()
        .filter(|told| expires_at(told.alert, spec) > now)
        .flat_map(|told| {
            let found = told.matching(&places, spec, state);
            found.into_iter().map(|one| signal(told.alert, one, spec))
        })
        .collect()
}

/// One signal for each incident, for people: of several sites, or of several subscriptions that were told of
/// the same one, what is said of the active site comes first.
#[must_use]
pub fn one_per_incident<'a>(signals: &'a [Signal], active: &SiteName) -> Vec<&'a Signal> {
    let rank = |signal: &Signal| {
        (
            signal.stage != SignalStage::Active,
            signal.site != *active,
            !signal.is_evidence,
        )
    };
    let mut shown: Vec<&Signal> = Vec::new();
    for signal in signals {
        match shown.iter_mut().find(|other| other.id == signal.id) {
            None => shown.push(signal),
            Some(other) if rank(signal) < rank(other) => *other = signal,
            Some(_) => {}
        }
    }
    shown
}

fn expires_at(alert: &Alert, spec: &GroupSpec) -> Timestamp {
    alert
        .updated_at
        .checked_add(spec.policy.alert_ttl)
        .unwrap_or(Timestamp::MAX)
}

fn signal(alert: &Alert, found: Match, spec: &GroupSpec) -> Signal {
    let site_region = spec.site(&found.site).map(|site| site.region.clone());
    let why = why_recorded(&found, spec);
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
        expires_at: expires_at(alert, spec),
        site: found.site,
        is_evidence: why.is_none(),
        is_unclear: alert.is_unclear,
        why,
    }
}

/// Why a match is no evidence for this group, whichever of its sites is active.
#[must_use]
pub fn why_recorded(found: &Match, spec: &GroupSpec) -> Option<String> {
    if spec.policy.alert == AlertPolicy::Ignore {
        return Some("the group's policy is to ignore alerts".to_owned());
    }
    found.recorded_only.clone()
}
