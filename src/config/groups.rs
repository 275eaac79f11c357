//! Groups and their sites. A group with a problem is left out and answered from its record.

use std::collections::{BTreeMap, BTreeSet};

use super::node::At;
use super::pieces::{name_fault, structured};
use super::policy::Base;
use super::reading::Reading;
use super::report::{Report, shown};
use super::shape::{self, Shape};
use super::{Env, accounts, media, raw};
use crate::model::name::{GroupName, SiteName, Vantage};
use crate::model::policy::Standby;
use crate::model::region;
use crate::model::spec::{AccountSpec, GroupSpec, SiteSpec};

/// What the list of groups gave.
#[derive(Default)]
pub struct Found {
    /// Groups without problems.
    pub good: Vec<GroupSpec>,
    /// The names of groups with problems.
    pub bad: Vec<GroupName>,
    /// Whether every group's name could be read; else any record may belong to one of them.
    pub named: bool,
}

/// Reads `groups` at the top of the tree.
pub fn read(
    at: At<'_>,
    env: &Env,
    shape: &Shape,
    base: &Base,
    vantage: &Vantage,
    report: &mut Report,
) -> Found {
    let here = at.child("groups");
    let list = if at.has("groups") {
        here.node().list()
    } else {
        Some(&[][..])
    };
    let item = shape.key("groups").and_then(Shape::items);
    let (Some(list), Some(item)) = (list, item) else {
        if let Some(shape) = shape.key("groups") {
            shape::check(here, shape, report);
        }
        return Found::default();
    };
    if list.is_empty() {
        report.problem(
            here,
            "no groups are configured: add a [[groups]]".to_owned(),
        );
        return Found::default();
    }
    let mut reading = Reading { env, base, report };
    let twice = names_given_twice(here, &mut *reading.report);
    let mut found = Found {
        named: true,
        ..Found::default()
    };
    for index in 0..list.len() {
        let at = here.item(index);
        let name = at.node().get("name").and_then(|name| name.text());
        let name = name.filter(|name| is_group_name(name)).map(GroupName::from);
        let group =
            group(at, item, &mut reading).filter(|group| !twice.contains(group.name.as_str()));
        match (group, name) {
            (Some(group), _) => found.good.push(group),
            (None, Some(name)) => found.bad.push(name),
            (None, None) => found.named = false,
        }
    }
    found.bad.sort();
    found.bad.dedup();
    warn_of_shared_fate(&found.good, vantage, at, report);
    warn_of_shared_stops(&found.good, here, report);
    found
}

/// Names that more than one group has, each reported where it comes again. Which of them is meant is
/// not known, so neither is used.
fn names_given_twice<'a>(at: At<'a>, report: &mut Report) -> BTreeSet<&'a str> {
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    let mut twice = BTreeSet::new();
    for (index, node) in at.node().list().unwrap_or_default().iter().enumerate() {
        let Some(name) = node.get("name").and_then(|name| name.text()) else {
            continue;
        };
        if let Some(other) = first.get(name) {
            let message =
                format!("`{name}` is the name of groups[{other}] as well: names are unique");
            report.problem(at.item(index).child("name"), message);
            twice.insert(name);
        } else {
            first.insert(name, index);
        }
    }
    twice
}

fn is_group_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn group(at: At<'_>, shape: &Shape, reading: &mut Reading<'_>) -> Option<GroupSpec> {
    let before = reading.report.problems.len();
    let good = shape::check(at, shape, reading.report)?;
    let raw: raw::Group = structured(good, at, reading.report);
    if let Some(name) = raw.name.as_deref().filter(|name| !is_group_name(name)) {
        let message = format!(
            "{} is not a group's name: 1 to 63 of a-z, 0-9 and -",
            shown(name)
        );
        reading.report.problem(at.child("name"), message);
    }
    if raw
        .tenant
        .as_deref()
        .is_some_and(|tenant| tenant.trim().is_empty())
    {
        let message = "is empty: name the tenant, or leave the key out".to_owned();
        reading.report.problem(at.child("tenant"), message);
    }
    let policy = (reading.base).for_group(raw.policy.as_ref(), at.child("policy"), reading.report);
    let raw_sites = raw.sites.unwrap_or_default();
    let sites_at = at.child("sites");
    if at
        .node()
        .get("sites")
        .and_then(|sites| sites.list())
        .is_some()
        && raw_sites.len() < 2
    {
        let message = format!(
            "has {} of the two or more sites that a group needs",
            raw_sites.len()
        );
        reading.report.problem(sites_at, message);
    }
    let mut sites = Vec::with_capacity(raw_sites.len());
    for (index, raw) in raw_sites.into_iter().enumerate() {
        sites.extend(site(raw, sites_at.item(index), reading));
    }
    site_names(&sites, sites_at, reading.report);
    warn_of_same_account(&sites, sites_at, reading.report);
    let name = raw.name?;
    (reading.report.problems.len() == before).then(|| GroupSpec {
        name: GroupName::new(name),
        tenant: raw.tenant,
        policy,
        sites,
    })
}

fn site(raw: raw::Site, at: At<'_>, reading: &mut Reading<'_>) -> Option<SiteSpec> {
    let has_account = ["video_indexer", "media_services", "http"]
        .iter()
        .any(|key| {
            at.has(key)
                && at
                    .node()
                    .get(key)
                    .and_then(|node| node.list())
                    .is_none_or(|list| !list.is_empty())
        });
    if at.node().table().is_some() && !has_account {
        let message = "has no account: add video_indexer, media_services or http".to_owned();
        reading.report.problem(at, message);
    }
    if let Some(fault) = raw.name.as_deref().and_then(name_fault) {
        reading.report.problem(at.child("name"), fault);
    }
    let region = raw
        .region
        .as_deref()
        .and_then(|text| region_of(text, at.child("region"), reading.report));
    let mut accounts = Vec::new();
    if let Some(raw) = raw.video_indexer {
        let spec = accounts::video_indexer(raw, at.child("video_indexer"), reading.report);
        accounts.extend(spec.map(AccountSpec::VideoIndexer));
    }
    if let Some(raw) = raw.media_services {
        let spec = media::media_services(raw, at.child("media_services"), reading);
        accounts.extend(spec.map(AccountSpec::MediaServices));
    }
    let http = accounts::http(
        raw.http.unwrap_or_default(),
        at.child("http"),
        reading.report,
    );
    accounts.extend(http.into_iter().map(AccountSpec::Http));
    // Most sites have one; room for four in each of twenty thousand is felt.
    accounts.shrink_to_fit();
    let region = region?;
    Some(SiteSpec {
        name: SiteName::new(raw.name.unwrap_or_else(|| region.clone())),
        region,
        accounts,
    })
}

fn region_of(text: &str, at: At<'_>, report: &mut Report) -> Option<String> {
    let name = region::programmatic(text);
    if name.is_empty()
        || !name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        report.problem(at, format!("{} is not a region's name", shown(text)));
        return None;
    }
    if !region::is_known(&name) {
        let known = region::REGIONS.iter().map(|(name, _)| *name);
        let hint = super::nearest::nearest(&name, known)
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        report.warning(
            at,
            format!("`{name}` is no public region that is known here{hint}"),
        );
    }
    Some(name)
}

fn site_names(sites: &[SiteSpec], at: At<'_>, report: &mut Report) {
    let mut seen = BTreeSet::new();
    for site in sites {
        if !seen.insert(&site.name) {
            let message = format!(
                "two sites are named `{}`: sites in the same region need a `name` each",
                site.name
            );
            report.problem(at, message);
        }
    }
}

/// Two sites with one account: a move from one to the other changes nothing.
fn warn_of_same_account(sites: &[SiteSpec], at: At<'_>, report: &mut Report) {
    let mut seen = BTreeSet::new();
    for account in sites.iter().flat_map(|site| &site.accounts) {
        let (what, key) = match account {
            AccountSpec::VideoIndexer(spec) => ("Video Indexer account", &spec.account_id),
            AccountSpec::MediaServices(spec) => ("Media Services account", &spec.resource_id),
            AccountSpec::Http(spec) => ("HTTP endpoint", &spec.url),
        };
        if !seen.insert((what, key.to_ascii_lowercase())) {
            let message =
                format!("the same {what} is configured twice: a move between them changes nothing");
            report.warning(at, message);
        }
    }
}

/// What one group's move stops must not be what another group streams from.
fn warn_of_shared_stops(groups: &[GroupSpec], at: At<'_>, report: &mut Report) {
    let mut users: BTreeMap<String, Vec<&GroupSpec>> = BTreeMap::new();
    for group in groups {
        let accounts = group.sites.iter().flat_map(|site| &site.accounts);
        for account in accounts.filter(|account| !account.activation().is_empty()) {
            if let AccountSpec::MediaServices(spec) = account {
                let users = users
                    .entry(spec.resource_id.to_ascii_lowercase())
                    .or_default();
                if users.last().is_none_or(|last| last.name != group.name) {
                    users.push(group);
                }
            }
        }
    }
    for (account, users) in users {
        let cold = users
            .iter()
            .find(|group| group.policy.standby == Standby::Cold);
        if let Some(cold) = cold.filter(|_| users.len() > 1) {
            let other = users.iter().find(|group| group.name != cold.name);
            let message = format!(
                "{} and {} share {account}, and the standby of {} is cold: what its moves stop is stopped for both; give each its own account, or set standby to warm",
                cold.name,
                other.map_or("another", |group| group.name.as_str()),
                cold.name
            );
            report.warning(at, message);
        }
    }
}

/// Whoever watches a region should not stand in it.
fn warn_of_shared_fate(groups: &[GroupSpec], vantage: &Vantage, at: At<'_>, report: &mut Report) {
    let mut primaries = groups.iter().filter(|group| {
        (group.primary()).is_some_and(|primary| primary.region == vantage.as_str())
    });
    if let Some(group) = primaries.next() {
        let others = primaries.count();
        let and = if others == 0 {
            String::new()
        } else {
            format!(" and of {others} more")
        };
        let message = format!(
            "`{vantage}` is the primary region of group {}{and}: if it fails, Understudy may fail with it; run it in a third region",
            group.name
        );
        let controller = at.child("controller");
        report.warning(controller.child("vantage"), message);
    }
}
