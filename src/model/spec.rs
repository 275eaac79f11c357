//! Groups, sites and accounts as configured, already checked: names are unique, URLs parse.

use std::fmt;

use jiff::SignedDuration;

use super::answer::{Answer, AnswerAccounts, MediaServicesAnswer, VideoIndexerAnswer};
use super::evidence::{AccountEvidence, GroupEvidence};
pub use super::media::{MediaKind, MediaServicesSpec, Workload};
use super::name::{AccountKey, GroupName, Service, SiteName};
use super::policy::Policy;
use super::secret::masked;

/// One failover group as configured.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupSpec {
    /// Its name.
    pub name: GroupName,
    /// Whose it is, where one deployment serves several tenants.
    pub tenant: Option<String>,
    /// The policy in force.
    pub policy: Policy,
    /// Two or more sites; the first is primary.
    pub sites: Vec<SiteSpec>,
}

impl GroupSpec {
    /// The site with this name.
    #[must_use]
    pub fn site(&self, name: &SiteName) -> Option<&SiteSpec> {
        self.sites.iter().find(|site| site.name == *name)
    }

    /// The first site. `None` only for a group without sites, which no configuration yields.
    #[must_use]
    pub fn primary(&self) -> Option<&SiteSpec> {
        self.sites.first()
    }

    /// Whether this site is the primary.
    #[must_use]
    pub fn is_primary(&self, name: &SiteName) -> bool {
        self.primary().is_some_and(|site| site.name == *name)
    }
}

/// One region's side of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteSpec {
    /// Its name within the group.
    pub name: SiteName,
    /// The region's programmatic name, for example `westeurope`.
    pub region: String,
    /// Its accounts.
    pub accounts: Vec<AccountSpec>,
}

impl SiteSpec {
    /// The accounts that are probed.
    pub fn watched(&self) -> impl Iterator<Item = &AccountSpec> {
        self.accounts.iter().filter(|account| account.is_probed())
    }

    /// The keys of the accounts that are probed.
    pub fn probed(&self) -> impl Iterator<Item = AccountKey> + '_ {
        self.watched().map(|account| account.key(&self.name))
    }

    /// What starts when this site becomes active: one name per thing, in order.
    pub fn activation(&self) -> impl Iterator<Item = (AccountKey, String)> + '_ {
        self.accounts.iter().flat_map(|account| {
            let key = account.key(&self.name);
            account
                .activation()
                .into_iter()
                .map(move |name| (key.clone(), name))
        })
    }

    /// What a lookup hands out while this site is active.
    #[must_use]
    pub fn answer(&self) -> Answer {
        let mut accounts = AnswerAccounts::default();
        for account in &self.accounts {
            match account {
                AccountSpec::VideoIndexer(spec) => {
                    accounts.video_indexer = Some(VideoIndexerAnswer {
                        account_id: spec.account_id.clone(),
                        location: self.region.clone(),
                        api_base: spec.api_base.clone(),
                        resource_id: spec.resource_id(),
                    });
                }
                AccountSpec::MediaServices(spec) => {
                    accounts.media_services = Some(MediaServicesAnswer {
                        account_name: spec.account_name.clone(),
                        resource_id: spec.resource_id.clone(),
                        streaming_hosts: std::collections::BTreeMap::new(),
                    });
                }
                AccountSpec::Http(spec) => {
                    accounts
                        .http
                        .insert(spec.name.clone(), spec.endpoint.clone());
                }
            }
        }
        Answer {
            site: self.name.clone(),
            region: self.region.clone(),
            accounts,
        }
    }

    /// Whether this is what [`Self::answer_seen`] makes of the same. Every decision asks, so nothing is made to find
    /// out.
    #[must_use]
    pub fn is_answered_by(&self, evidence: Option<&GroupEvidence>, known: &Answer) -> bool {
        let Answer {
            site,
            region,
            accounts:
                AnswerAccounts {
                    video_indexer,
                    media_services,
                    http,
                },
        } = known;
        let told = usize::from(video_indexer.is_some())
            + usize::from(media_services.is_some())
            + http.len();
        let is_same = |account: &AccountSpec| match account {
            AccountSpec::VideoIndexer(spec) => video_indexer
                .as_ref()
                .is_some_and(|known| spec.is_answered_by(known, &self.region)),
            AccountSpec::MediaServices(spec) => media_services.as_ref().is_some_and(|known| {
                let seen = evidence.and_then(|all| all.of(&self.name, account));
                spec.is_answered_by(seen, known)
            }),
            AccountSpec::Http(spec) => http.get(&spec.name) == Some(&spec.endpoint),
        };
        *site == self.name
            && *region == self.region
            && told == self.accounts.len()
            && self.accounts.iter().all(is_same)
    }

    /// The same with the streaming hosts that were seen. One of which nothing is known now stays as `known` has it: not
    /// every pass, and not every vantage, has seen it.
    #[must_use]
    pub fn answer_seen(&self, evidence: Option<&GroupEvidence>, known: &Answer) -> Answer {
        let mut answer = self.answer();
        let Some(media) = &mut answer.accounts.media_services else {
            return answer;
        };
        let known = known.accounts.media_services.as_ref();
        let known = known.filter(|known| known.resource_id == media.resource_id);
        for account in &self.accounts {
            let AccountSpec::MediaServices(spec) = account else {
                continue;
            };
            let seen = evidence.and_then(|all| all.of(&self.name, account));
            media.streaming_hosts = (spec.endpoints().iter())
                .filter_map(|name| {
                    let host = host_of(name, seen, known)?;
                    Some((name.clone(), host.clone()))
                })
                .collect();
        }
        answer
    }
}

/// The host of a streaming endpoint: as seen, else as known.
fn host_of<'a>(
    endpoint: &str,
    seen: Option<&'a AccountEvidence>,
    known: Option<&'a MediaServicesAnswer>,
) -> Option<&'a String> {
    seen.and_then(|seen| seen.hosts.get(endpoint))
        .or_else(|| known?.streaming_hosts.get(endpoint))
}

impl MediaServicesSpec {
    fn is_answered_by(&self, seen: Option<&AccountEvidence>, known: &MediaServicesAnswer) -> bool {
        let MediaServicesAnswer {
            account_name,
            resource_id,
            streaming_hosts,
        } = known;
        let is_named = |(name, host): (&String, &String)| {
            self.endpoints().contains(name) && host_of(name, seen, Some(known)) == Some(host)
        };
        let is_told = |name: &String| {
            streaming_hosts.contains_key(name) || host_of(name, seen, None).is_none()
        };
        *account_name == self.account_name
            && *resource_id == self.resource_id
            && streaming_hosts.iter().all(is_named)
            && self.endpoints().iter().all(is_told)
    }
}

/// One account as configured.
#[derive(Debug, Clone, PartialEq)]
pub enum AccountSpec {
    /// An Azure AI Video Indexer account.
    VideoIndexer(VideoIndexerSpec),
    /// A Media Services account.
    MediaServices(MediaServicesSpec),
    /// An HTTP endpoint.
    Http(HttpSpec),
}

impl AccountSpec {
    /// Its key within its group.
    #[must_use]
    pub fn key(&self, site: &SiteName) -> AccountKey {
        AccountKey {
            site: site.clone(),
            service: self.service(),
            name: self.name().to_owned(),
        }
    }

    /// Which kind it is.
    #[must_use]
    pub const fn service(&self) -> Service {
        match self {
            Self::VideoIndexer(_) => Service::VideoIndexer,
            Self::MediaServices(_) => Service::MediaServices,
            Self::Http(_) => Service::Http,
        }
    }

    /// Its name within its site.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::VideoIndexer(spec) => &spec.account_name,
            Self::MediaServices(spec) => &spec.account_name,
            Self::Http(spec) => &spec.name,
        }
    }

    /// Whether this version probes it, so that it counts for the verdict.
    #[must_use]
    pub const fn is_probed(&self) -> bool {
        match self {
            Self::VideoIndexer(_) | Self::MediaServices(_) | Self::Http(_) => true,
        }
    }

    /// The URLs at which this version asks it anything.
    #[must_use]
    pub fn asked_at(&self) -> Vec<&str> {
        match self {
            Self::VideoIndexer(spec) => vec![&spec.api_base, &spec.arm_base],
            Self::MediaServices(spec) => spec.asked_at(),
            Self::Http(spec) => vec![&spec.url],
        }
    }

    /// What has to be started when its site becomes active. A Video Indexer account and an HTTP
    /// endpoint serve at once.
    #[must_use]
    pub fn activation(&self) -> Vec<String> {
        match self {
            Self::VideoIndexer(_) | Self::Http(_) => Vec::new(),
            Self::MediaServices(spec) => spec.activation(),
        }
    }
}

/// An Azure AI Video Indexer account.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoIndexerSpec {
    /// The subscription it is in.
    pub subscription_id: String,
    /// The resource group it is in.
    pub resource_group: String,
    /// The ARM resource's name.
    pub account_name: String,
    /// The data plane's GUID.
    pub account_id: String,
    /// Base URL of the data plane, without a slash at the end.
    pub api_base: String,
    /// Base URL of ARM, without a slash at the end.
    pub arm_base: String,
    /// Videos unfinished for this long, while none finishes, are stuck.
    pub stuck_after: SignedDuration,
    /// Whether stuck is failed; else it is degraded.
    pub stuck_fails: bool,
}

impl VideoIndexerSpec {
    /// The ARM resource id.
    #[must_use]
    pub fn resource_id(&self) -> String {
        self.resource_id_parts().concat()
    }

    fn resource_id_parts(&self) -> [&str; 6] {
        [
            "/subscriptions/",
            &self.subscription_id,
            "/resourceGroups/",
            &self.resource_group,
            "/providers/Microsoft.VideoIndexer/accounts/",
            &self.account_name,
        ]
    }

    fn is_answered_by(&self, known: &VideoIndexerAnswer, site_region: &str) -> bool {
        let VideoIndexerAnswer {
            account_id,
            location,
            api_base,
            resource_id,
        } = known;
        let rest = self
            .resource_id_parts()
            .iter()
            .try_fold(resource_id.as_str(), |rest, part| rest.strip_prefix(part));
        *account_id == self.account_id
            && location == site_region
            && *api_base == self.api_base
            && rest == Some("")
    }
}

/// An HTTP endpoint. Its URLs may hold a key in their query, so `Debug` masks them.
#[derive(Clone, PartialEq)]
pub struct HttpSpec {
    /// Its name within the site.
    pub name: String,
    /// What is probed.
    pub url: String,
    /// What a lookup hands out.
    pub endpoint: String,
    /// Statuses that are ok before any other rule.
    pub expect_status: Vec<u16>,
    /// A text that the body must hold.
    pub expect_body: Option<String>,
}

impl fmt::Debug for HttpSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HttpSpec")
            .field("name", &self.name)
            .field("url", &masked(&self.url))
            .field("endpoint", &masked(&self.endpoint))
            .field("expect_status", &self.expect_status)
            .field("expect_body", &self.expect_body)
            .finish()
    }
}

#[cfg(test)]
mod tests;
