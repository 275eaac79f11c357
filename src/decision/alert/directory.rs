//! Which groups an alert may speak of, found without holding it against every one: in an outage alerts come by the
//! hundred in a second, and groups are ten thousand.

use std::collections::{BTreeSet, HashMap};

use super::{Places, Told};
use crate::model::name::{GroupName, Service};
use crate::model::signal::SignalKind;
use crate::model::spec::GroupSpec;

/// Groups by everything that an alert may name. Made once from the configuration.
#[derive(Debug, Default)]
pub struct Directory {
    /// By name, in lower case.
    names: HashMap<String, Vec<GroupName>>,
    /// By the id of an account's resource, in lower case.
    resources: HashMap<String, Vec<GroupName>>,
    /// By subscription, service and region, as Service Health names them.
    places: HashMap<(String, Service, String), Vec<GroupName>>,
}

impl Directory {
    /// A directory of these groups.
    pub fn of<'a>(specs: impl IntoIterator<Item = &'a GroupSpec>) -> Self {
        let mut directory = Self::default();
        for spec in specs {
            directory.add(spec);
        }
        directory
    }

    fn add(&mut self, spec: &GroupSpec) {
        let places = Places::of(spec);
        let name = spec.name.as_str().to_ascii_lowercase();
        enter(&mut self.names, name, spec);
        for site in &places.sites {
            for resource in &site.resources {
                enter(&mut self.resources, resource.clone(), spec);
            }
            for subscription in &places.subscriptions {
                for service in &site.services {
                    let place = (subscription.clone(), *service, site.region.clone());
                    enter(&mut self.places, place, spec);
                }
            }
        }
    }

    /// Every group that this alert speaks of. Which of its sites, and whether at all, is for [`Told::matches`] to
    /// say: it is asked of these groups and of no other.
    #[must_use]
    pub fn candidates(&self, told: &Told<'_>) -> BTreeSet<&GroupName> {
        if let Some(group) = &told.alert.group {
            return found(&self.names, group.to_ascii_lowercase().as_str()).collect();
        }
        match told.alert.kind {
            SignalKind::ServiceHealth => self.in_places(told),
            SignalKind::ResourceHealth | SignalKind::Metric | SignalKind::Other => told
                .resources
                .iter()
                .flat_map(|named| wholes(named))
                .flat_map(|own| found(&self.resources, own))
                .collect(),
        }
    }

    fn in_places(&self, told: &Told<'_>) -> BTreeSet<&GroupName> {
        let Some(subscription) = &told.subscription else {
            return BTreeSet::new();
        };
        let mut groups = BTreeSet::new();
        for (services, regions) in &told.impacts {
            for service in services {
                for region in regions {
                    let place = (subscription.clone(), *service, region.clone());
                    groups.extend(found(&self.places, &place));
                }
            }
        }
        groups
    }
}

fn enter<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Vec<GroupName>>, key: K, spec: &GroupSpec) {
    let groups = map.entry(key).or_default();
    // One group's places come one after the other.
    if groups.last() != Some(&spec.name) {
        groups.push(spec.name.clone());
    }
}

fn found<'a, K, Q>(map: &'a HashMap<K, Vec<GroupName>>, key: &Q) -> std::slice::Iter<'a, GroupName>
where
    K: std::borrow::Borrow<Q> + std::hash::Hash + Eq,
    Q: std::hash::Hash + Eq + ?Sized,
{
    map.get(key).map(Vec::as_slice).unwrap_or_default().iter()
}

/// The resource that is named, and those that it is a part of.
fn wholes(named: &str) -> impl Iterator<Item = &str> {
    let parents = named
        .match_indices('/')
        .filter_map(|(at, _)| named.get(..at));
    parents.chain(std::iter::once(named))
}
