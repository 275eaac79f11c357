//! Groups, sites and accounts as configured, already checked: names are unique, URLs parse.

use jiff::SignedDuration;

use super::answer::{Answer, AnswerAccounts, MediaServicesAnswer, VideoIndexerAnswer};
use super::name::{AccountKey, GroupName, Service, SiteName};
use super::policy::Policy;

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
    /// The keys of the accounts that are probed.
    pub fn probed(&self) -> impl Iterator<Item = AccountKey> + '_ {
        self.accounts
            .iter()
            .filter(|account| account.is_probed())
            .map(|account| account.key(&self.name))
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
        let (service, name) = match self {
            Self::VideoIndexer(spec) => (Service::VideoIndexer, spec.account_name.clone()),
            Self::MediaServices(spec) => (Service::MediaServices, spec.account_name.clone()),
            Self::Http(spec) => (Service::Http, spec.name.clone()),
        };
        AccountKey {
            site: site.clone(),
            service,
            name,
        }
    }

    /// Whether this version probes it, so that it counts for the verdict.
    #[must_use]
    pub const fn is_probed(&self) -> bool {
        match self {
            Self::VideoIndexer(_) | Self::Http(_) => true,
            Self::MediaServices(_) => false,
        }
    }

    /// What has to be started when its site becomes active. A Video Indexer account and an HTTP
    /// endpoint serve at once.
    #[must_use]
    pub fn activation(&self) -> Vec<String> {
        match self {
            Self::VideoIndexer(_) | Self::Http(_) => Vec::new(),
            Self::MediaServices(spec) => spec.activation.clone(),
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
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.VideoIndexer/accounts/{}",
            self.subscription_id, self.resource_group, self.account_name
        )
    }
}

/// A Media Services account. This version hands it out in lookups and does not probe it.
#[derive(Debug, Clone, PartialEq)]
pub struct MediaServicesSpec {
    /// The account's name, or the project's.
    pub account_name: String,
    /// The ARM resource id, or the API's URL of the project.
    pub resource_id: String,
    /// What has to be started on it when its site becomes active.
    pub activation: Vec<String>,
}

/// An HTTP endpoint.
#[derive(Debug, Clone, PartialEq)]
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
