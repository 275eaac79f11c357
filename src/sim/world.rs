//! What exists in the simulated Azure: regions, accounts, HTTP endpoints, and how fast and strict they are.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use uuid::Uuid;

use super::media::{MediaAccount, MediaKind, ResourceState};

/// The tenant of every account of the simulator.
pub const TENANT: &str = "8c406f87-77ac-4ebb-a401-000000000001";
/// The object id of the identity that the simulator issues tokens for.
pub const PRINCIPAL: &str = "a661c16c-ee39-46e7-93f6-000000000001";

/// Display names, as ARM's list of locations writes them; the programmatic name is the same text in
/// lower case without spaces.
const DISPLAY_NAMES: &[&str] = &[
    "Australia East",
    "Brazil South",
    "Canada Central",
    "Central India",
    "Central US",
    "East US",
    "East US 2",
    "France Central",
    "Germany West Central",
    "Japan East",
    "Japan West",
    "Korea Central",
    "North Central US",
    "North Europe",
    "South Central US",
    "Sweden Central",
    "Switzerland North",
    "Switzerland West",
    "UK South",
    "West Central US",
    "West Europe",
    "West US",
    "West US 2",
    "West US 3",
];

/// A region's name as it is compared: lower case, letters and digits only.
#[must_use]
pub fn normal(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

/// One region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Programmatic name, for example `westeurope`.
    pub name: String,
    /// Display name, for example `West Europe`.
    pub display: String,
}

impl Region {
    /// The region with this programmatic or display name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let key = normal(name);
        let display = DISPLAY_NAMES
            .iter()
            .find(|display| normal(display) == key)
            .map_or_else(|| name.to_owned(), |display| (*display).to_owned());
        Self { name: key, display }
    }

    /// The name as Video Indexer's ARM resource writes it: `NorthEurope`.
    #[must_use]
    pub fn location(&self) -> String {
        self.display.replace(' ', "")
    }
}

/// One Video Indexer account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoIndexerAccount {
    /// The failover group that it belongs to in the rendered configuration; `None` leaves it out.
    pub group: Option<String>,
    /// Its region's programmatic name.
    pub region: String,
    /// Its subscription.
    pub subscription_id: String,
    /// Its resource group.
    pub resource_group: String,
    /// The ARM resource's name.
    pub name: String,
    /// The data plane's GUID.
    pub account_id: String,
}

impl VideoIndexerAccount {
    /// The ARM resource id, as a configuration spells it.
    #[must_use]
    pub fn resource_id(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.VideoIndexer/accounts/{}",
            self.subscription_id, self.resource_group, self.name
        )
    }
}

/// One HTTP endpoint, served at `/http/{region}/{name}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpEndpoint {
    /// The failover group that it belongs to in the rendered configuration; `None` leaves it out.
    pub group: Option<String>,
    /// Its region's programmatic name.
    pub region: String,
    /// Its name.
    pub name: String,
    /// The status that it answers.
    pub status: u16,
    /// The text that it answers.
    pub body: String,
}

/// Video Indexer's limits per account. The real ones are 10 a second and 120 a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests in one second.
    pub per_second: u32,
    /// Requests in one minute.
    pub per_minute: u32,
}

impl RateLimits {
    /// The documented limits of Video Indexer.
    pub const REAL: Self = Self {
        per_second: 10,
        per_minute: 120,
    };
}

/// Everything that exists. Regions, accounts and endpoints may be any number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    /// The regions; their order is the order of a group's sites in the rendered configuration.
    pub regions: Vec<Region>,
    /// The Video Indexer accounts.
    pub accounts: Vec<VideoIndexerAccount>,
    /// The Media Services accounts.
    pub media: Vec<MediaAccount>,
    /// The HTTP endpoints.
    pub endpoints: Vec<HttpEndpoint>,
    /// Which tenant a group belongs to, by group name.
    pub tenants: BTreeMap<String, String>,
    /// Client ids of the identities that are assigned: the first is the system's, the others are
    /// user-assigned.
    pub identities: Vec<String>,
    /// How long a token of the identity endpoint is good.
    pub identity_token_lifetime: Duration,
    /// How long an account's access token is good.
    pub account_token_lifetime: Duration,
    /// Whether Video Indexer throttles as the real one does; `None` never throttles by itself.
    pub rate_limits: Option<RateLimits>,
    /// How long starting, stopping and allocating take in Media Services.
    pub operation_time: Duration,
    /// The `Retry-After` of answers to long-running operations, in seconds; `None` sends none.
    pub operation_retry_after: Option<u64>,
    /// The most transforms, jobs and so on that one page of a list has, from 1.
    pub media_page_size: usize,
    /// What the host of a streaming endpoint that does not run answers; `None` closes the connection, as if
    /// nobody were there.
    pub stopped_hosts_answer: Option<u16>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            regions: Vec::new(),
            accounts: Vec::new(),
            media: Vec::new(),
            endpoints: Vec::new(),
            tenants: BTreeMap::new(),
            identities: vec!["5e29463d-71da-4fe0-8e69-999b57db23b0".to_owned()],
            identity_token_lifetime: Duration::from_secs(86_400),
            account_token_lifetime: Duration::from_secs(3_600),
            rate_limits: None,
            operation_time: Duration::from_millis(50),
            operation_retry_after: None,
            media_page_size: 25,
            stopped_hosts_answer: None,
        }
    }
}

impl World {
    /// A world with these regions and nothing in them.
    #[must_use]
    pub fn with_regions(names: &[&str]) -> Self {
        Self {
            regions: names.iter().map(|name| Region::new(name)).collect(),
            ..Self::default()
        }
    }

    /// The demo's world: West Europe and North Europe, one group `contoso` with a Video Indexer account
    /// and a captions endpoint in each.
    #[must_use]
    pub fn two_regions() -> Self {
        let mut world = Self::with_regions(&["westeurope", "northeurope"]);
        for (region, name) in [("westeurope", "vi-weu"), ("northeurope", "vi-neu")] {
            world.add_account(Some("contoso"), region, name);
            world.add_endpoint(
                Some("contoso"),
                region,
                "captions",
                200,
                "captions are ready",
            );
        }
        world
            .tenants
            .insert("contoso".to_owned(), "contoso".to_owned());
        world
    }

    /// The same with a Media Services account in each region, `ms-weu` and `ms-neu`: streaming endpoint
    /// `default` and live event `studio` run in the first and are stopped in the second. Both have the same
    /// recording, which is the canary.
    #[must_use]
    pub fn two_regions_streaming() -> Self {
        Self::two_regions().streaming(MediaKind::Azure)
    }

    /// The same with projects of MK.IO, `ms-weu` and `ms-neu`.
    #[must_use]
    pub fn two_regions_mkio() -> Self {
        Self::two_regions().streaming(MediaKind::Mkio)
    }

    /// Gives every Video Indexer account that belongs to a group a Media Services account beside it, named
    /// alike (`ms-` for `vi-`). Its streaming endpoint `default` and live event `studio` run in the group's
    /// first account and are stopped in the others; the recording `welcome` is everywhere, and is the canary.
    #[must_use]
    pub fn streaming(mut self, kind: MediaKind) -> Self {
        let mut begun = std::collections::HashSet::new();
        for beside in self.accounts.clone() {
            let Some(group) = beside.group else {
                continue;
            };
            let name = beside.name.replacen("vi-", "ms-", 1);
            let account = self.add_media_account(Some(&group), &beside.region, &name);
            account.kind = kind;
            account.subscription_id = beside.subscription_id;
            account.resource_group = beside.resource_group;
            let state = if begun.insert(group) {
                ResourceState::Running
            } else {
                ResourceState::Stopped
            };
            account.add_streaming_endpoint("default", state);
            account.add_live_event("studio", state);
            account.add_recording("welcome");
            account.canary = account.locators.first().map(|each| each.path.clone());
        }
        self
    }

    /// A media platform with a group per tenant: `tenant-0000` and so on, each with one Video Indexer
    /// account in every region, spread evenly over the subscriptions (at least one).
    #[must_use]
    pub fn fleet(groups: usize, regions: &[&str], subscriptions: usize) -> Self {
        let mut world = Self::with_regions(regions);
        let names: Vec<String> = world
            .regions
            .iter()
            .map(|region| region.name.clone())
            .collect();
        for index in 0..groups {
            let group = format!("tenant-{index:04}");
            for region in &names {
                let name = format!("vi-{index:04}-{region}");
                world.add_account(Some(&group), region, &name);
                if let Some(account) = world.accounts.last_mut() {
                    account.subscription_id = guid(0x5AB5, index % subscriptions.max(1));
                    account.resource_group = format!("rg-{group}");
                }
            }
            world.tenants.insert(group.clone(), group);
        }
        world
    }

    /// Adds a Video Indexer account with ids of its own; change the last of `accounts` for others.
    pub fn add_account(&mut self, group: Option<&str>, region: &str, name: &str) {
        let account_id = guid(0xACC0, self.accounts.len());
        self.accounts.push(VideoIndexerAccount {
            group: group.map(str::to_owned),
            region: normal(region),
            subscription_id: guid(0x5AB5, 0),
            resource_group: format!("rg-{}", group.unwrap_or("media")),
            name: name.to_owned(),
            account_id,
        });
    }

    /// Adds an account of Azure Media Services with ids of its own, one transform, and nothing that streams.
    pub fn add_media_account(
        &mut self,
        group: Option<&str>,
        region: &str,
        name: &str,
    ) -> &mut MediaAccount {
        let account = MediaAccount {
            group: group.map(str::to_owned),
            region: normal(region),
            kind: MediaKind::Azure,
            subscription_id: guid(0x5AB5, 0),
            resource_group: format!("rg-{}", group.unwrap_or("media")),
            name: name.to_owned(),
            media_service_id: guid(0xA325, self.media.len()),
            streaming_endpoints: Vec::new(),
            live_events: Vec::new(),
            transforms: vec!["encode".to_owned()],
            locators: Vec::new(),
            canary: None,
            workloads: Vec::new(),
            denied: Vec::new(),
        };
        self.media.push(account);
        let last = self.media.len() - 1;
        &mut self.media[last]
    }

    /// Adds an HTTP endpoint.
    pub fn add_endpoint(
        &mut self,
        group: Option<&str>,
        region: &str,
        name: &str,
        status: u16,
        body: &str,
    ) {
        self.endpoints.push(HttpEndpoint {
            group: group.map(str::to_owned),
            region: normal(region),
            name: name.to_owned(),
            status,
            body: body.to_owned(),
        });
    }

    /// The groups in the order in which they first appear.
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        let mut seen = std::collections::HashSet::new();
        self.accounts
            .iter()
            .map(|account| &account.group)
            .chain(self.media.iter().map(|account| &account.group))
            .chain(self.endpoints.iter().map(|endpoint| &endpoint.group))
            .flatten()
            .filter(|group| seen.insert((*group).clone()))
            .cloned()
            .collect()
    }
}

/// A GUID that says what it is of, and is the same in every run.
fn guid(kind: u16, index: usize) -> String {
    let low = u128::try_from(index).unwrap_or(u128::MAX) & 0xFFFF_FFFF_FFFF;
    Uuid::from_u128((u128::from(kind) << 112) | (0x4000_8000_u128 << 48) | low).to_string()
}

/// Finds things by the keys that requests carry.
#[derive(Debug)]
pub(super) struct Index {
    by_resource: HashMap<String, usize>,
    by_id: HashMap<String, usize>,
    endpoints: HashMap<(String, String), usize>,
    media: HashMap<String, usize>,
    hosts: HashMap<String, (usize, String)>,
    groups: std::collections::HashSet<(String, String)>,
}

impl Index {
    /// Built once; asking is a hash look-up whatever the number of accounts.
    pub(super) fn new(world: &World) -> Self {
        let accounts = || world.accounts.iter().enumerate();
        let media = || world.media.iter().enumerate();
        Self {
            by_resource: accounts()
                .map(|(at, account)| (account.resource_id().to_ascii_lowercase(), at))
                .collect(),
            by_id: accounts()
                .map(|(at, account)| (account.account_id.to_ascii_lowercase(), at))
                .collect(),
            endpoints: world
                .endpoints
                .iter()
                .enumerate()
                .map(|(at, endpoint)| ((endpoint.region.clone(), endpoint.name.clone()), at))
                .collect(),
            media: media()
                .map(|(at, account)| (account.resource_id().to_ascii_lowercase(), at))
                .collect(),
            hosts: media()
                .flat_map(|(at, account)| {
                    let endpoints = account.streaming_endpoints.iter();
                    endpoints
                        .map(move |each| (account.host_name(&each.name), (at, each.name.clone())))
                })
                .collect(),
            groups: accounts()
                .map(|(_, account)| (&account.subscription_id, &account.resource_group))
                .chain(
                    media().map(|(_, account)| (&account.subscription_id, &account.resource_group)),
                )
                .map(|(subscription, group)| {
                    (
                        subscription.to_ascii_lowercase(),
                        group.to_ascii_lowercase(),
                    )
                })
                .collect(),
        }
    }

    /// The account with this ARM resource id, in any case.
    pub(super) fn account_by_resource<'a>(
        &self,
        world: &'a World,
        resource_id: &str,
    ) -> Option<&'a VideoIndexerAccount> {
        let at = self.by_resource.get(&resource_id.to_ascii_lowercase())?;
        world.accounts.get(*at)
    }

    /// The account with this data-plane GUID, in any case.
    pub(super) fn account_by_id<'a>(
        &self,
        world: &'a World,
        account_id: &str,
    ) -> Option<&'a VideoIndexerAccount> {
        let at = self.by_id.get(&account_id.to_ascii_lowercase())?;
        world.accounts.get(*at)
    }

    /// The place of the Media Services account with this resource id, in any case.
    pub(super) fn media(&self, resource_id: &str) -> Option<usize> {
        self.media.get(&resource_id.to_ascii_lowercase()).copied()
    }

    /// The account's place and the endpoint's name of a streaming host, in any case.
    pub(super) fn host(&self, host: &str) -> Option<(usize, &str)> {
        let (at, name) = self.hosts.get(&host.to_ascii_lowercase())?;
        Some((*at, name))
    }

    /// The endpoint of this name in this region.
    pub(super) fn endpoint<'a>(
        &self,
        world: &'a World,
        region: &str,
        name: &str,
    ) -> Option<&'a HttpEndpoint> {
        let at = self.endpoints.get(&(normal(region), name.to_owned()))?;
        world.endpoints.get(*at)
    }

    /// Whether any account is in this subscription, and in this resource group of it.
    pub(super) fn has(&self, subscription: &str, resource_group: &str) -> (bool, bool) {
        let subscription = subscription.to_ascii_lowercase();
        let group = resource_group.to_ascii_lowercase();
        if self.groups.contains(&(subscription.clone(), group)) {
            return (true, true);
        }
        (
            self.groups.iter().any(|(each, _)| *each == subscription),
            false,
        )
    }
}
