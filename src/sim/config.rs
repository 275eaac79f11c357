//! A configuration for a world: the text of an `understudy.toml` whose accounts are the simulator's.

use std::fmt::Write as _;

use toml::{Table, Value};

use super::media::{MediaAccount, MediaKind};
use super::world::{HttpEndpoint, VideoIndexerAccount, World};

/// The app setting in which the rendered configuration looks for the token of MK.IO.
pub const MKIO_TOKEN: &str = "SIMULATOR_MKIO_TOKEN";

/// What the text says besides the groups. Keys and values are those of the settings file.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// `[controller]`.
    pub controller: Table,
    /// `[store]`.
    pub store: Table,
    /// `[policy]`.
    pub policy: Table,
    /// More keys of every group, `policy` for example.
    pub group: Table,
    /// More keys of every Video Indexer account, `stuck_after` for example.
    pub video_indexer: Table,
    /// More keys of every Media Services account, `streaming_probe` for example: they win over what is
    /// written otherwise.
    pub media_services: Table,
    /// More keys of every HTTP endpoint, `expect_status` for example.
    pub http: Table,
    /// Whether the simulator's control target is used.
    pub control_target: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            controller: Table::new(),
            store: Table::new(),
            policy: Table::new(),
            group: Table::new(),
            video_indexer: Table::new(),
            media_services: Table::new(),
            http: Table::new(),
            control_target: true,
        }
    }
}

impl Options {
    /// Default settings on the embedded store in this folder.
    #[must_use]
    pub fn embedded(path: &str) -> Self {
        Self::default()
            .store("kind", "embedded")
            .store("path", path)
    }

    /// Sets a key of `[controller]`.
    #[must_use]
    pub fn controller(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.controller.insert(key.to_owned(), value.into());
        self
    }

    /// Sets a key of `[store]`.
    #[must_use]
    pub fn store(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.store.insert(key.to_owned(), value.into());
        self
    }

    /// Sets a key of `[policy]`.
    #[must_use]
    pub fn policy(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.policy.insert(key.to_owned(), value.into());
        self
    }

    /// Sets a key of every Video Indexer account.
    #[must_use]
    pub fn video_indexer(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.video_indexer.insert(key.to_owned(), value.into());
        self
    }

    /// Sets a key of every Media Services account.
    #[must_use]
    pub fn media_services(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.media_services.insert(key.to_owned(), value.into());
        self
    }

    /// Sets a key of every HTTP endpoint.
    #[must_use]
    pub fn http(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.http.insert(key.to_owned(), value.into());
        self
    }
}

/// The text of the settings file for every group of this world, against the simulator at this base URL
/// (without a slash at the end). A site is a region in which the group has something; the order of the
/// world's regions is the order of the sites. A site holds the group's first Video Indexer account and its first
/// Media Services account there.
#[must_use]
pub fn toml(world: &World, base_url: &str, options: &Options) -> String {
    let mut controller = options.controller.clone();
    if options.control_target {
        controller
            .entry("control_target")
            .or_insert_with(|| Value::from(format!("{base_url}/control")));
    }
    let mut text = String::new();
    for (name, table) in [
        ("controller", &controller),
        ("store", &options.store),
        ("policy", &options.policy),
    ] {
        if !table.is_empty() {
            let _ = writeln!(text, "[{name}]");
            write_keys(&mut text, "", table);
            text.push('\n');
        }
    }
    let members = Members::of(world);
    for group in world.groups() {
        write_group(&mut text, world, &members, &group, base_url, options);
    }
    text
}

/// What each group has in each region, found once.
struct Members<'a> {
    accounts: std::collections::HashMap<(&'a str, &'a str), &'a VideoIndexerAccount>,
    media: std::collections::HashMap<(&'a str, &'a str), &'a MediaAccount>,
    endpoints: std::collections::HashMap<(&'a str, &'a str), Vec<&'a HttpEndpoint>>,
}

impl<'a> Members<'a> {
    fn of(world: &'a World) -> Self {
        let mut members = Self {
            accounts: std::collections::HashMap::new(),
            media: std::collections::HashMap::new(),
            endpoints: std::collections::HashMap::new(),
        };
        for account in &world.accounts {
            if let Some(group) = &account.group {
                members
                    .accounts
                    .entry((group, &account.region))
                    .or_insert(account);
            }
        }
        for account in &world.media {
            if let Some(group) = &account.group {
                let place = (group.as_str(), account.region.as_str());
                members.media.entry(place).or_insert(account);
            }
        }
        for endpoint in &world.endpoints {
            if let Some(group) = &endpoint.group {
                members
                    .endpoints
                    .entry((group, &endpoint.region))
                    .or_default()
                    .push(endpoint);
            }
        }
        members
    }
}

fn write_group(
    text: &mut String,
    world: &World,
    members: &Members<'_>,
    group: &str,
    base_url: &str,
    options: &Options,
) {
    let mut keys = options.group.clone();
    keys.insert("name".to_owned(), group.into());
    if let Some(tenant) = world.tenants.get(group) {
        keys.insert("tenant".to_owned(), tenant.as_str().into());
    }
    text.push_str("[[groups]]\n");
    write_keys(text, "", &keys);
    for region in &world.regions {
        let place = (group, region.name.as_str());
        let account = members.accounts.get(&place);
        let media = members.media.get(&place);
        let endpoints = members.endpoints.get(&place);
        if account.is_none() && media.is_none() && endpoints.is_none() {
            continue;
        }
        text.push_str("\n  [[groups.sites]]\n");
        write_pairs(
            text,
            "  ",
            &[("name", &region.name), ("region", &region.name)],
        );
        if let Some(account) = account {
            write_video_indexer(text, account, base_url, options);
        }
        if let Some(account) = media {
            text.push_str("\n    [groups.sites.media_services]\n");
            let mut keys = media_keys(account, base_url);
            keys.extend(options.media_services.clone());
            write_keys(text, "    ", &keys);
        }
        for endpoint in endpoints.into_iter().flatten() {
            text.push_str("\n    [[groups.sites.http]]\n");
            write_pairs(
                text,
                "    ",
                &[
                    ("name", &endpoint.name),
                    (
                        "url",
                        &format!("{base_url}/http/{}/{}", endpoint.region, endpoint.name),
                    ),
                ],
            );
            write_keys(text, "    ", &options.http);
        }
    }
    text.push('\n');
}

fn write_video_indexer(
    text: &mut String,
    account: &VideoIndexerAccount,
    base_url: &str,
    options: &Options,
) {
    text.push_str("\n    [groups.sites.video_indexer]\n");
    write_pairs(
        text,
        "    ",
        &[
            ("subscription_id", &account.subscription_id),
            ("resource_group", &account.resource_group),
            ("account_name", &account.name),
            ("account_id", &account.account_id),
            ("api_base", &format!("{base_url}/vi")),
            ("arm_base", &format!("{base_url}/arm")),
        ],
    );
    write_keys(text, "    ", &options.video_indexer);
}

/// The keys of a Media Services account. Its streaming hosts are reached below the simulator's own.
fn media_keys(account: &MediaAccount, base_url: &str) -> Table {
    let mut keys = Table::new();
    let mut set = |key: &str, value: Value| keys.insert(key.to_owned(), value);
    match account.kind {
        MediaKind::Azure => {
            set("kind", "azure".into());
            set("subscription_id", account.subscription_id.as_str().into());
            set("resource_group", account.resource_group.as_str().into());
            set("arm_base", format!("{base_url}/arm").into());
        }
        MediaKind::Mkio => {
            set("kind", "mkio".into());
            set("arm_base", format!("{base_url}/mkio").into());
            set("token", format!("${MKIO_TOKEN}").into());
        }
    }
    set("account_name", account.name.as_str().into());
    let endpoints = account.streaming_endpoints.iter();
    let endpoints: Vec<&str> = endpoints.map(|each| each.name.as_str()).collect();
    set("streaming_endpoints", endpoints.into());
    let events = account.live_events.iter();
    let events: Vec<&str> = events.map(|each| each.name.as_str()).collect();
    set("live_events", events.into());
    if !account.workloads.is_empty() {
        set("workloads", account.workloads.clone().into());
    }
    let probe = format!("{base_url}/stream/{{host}}/");
    set("streaming_probe", probe.into());
    if let Some(canary) = &account.canary {
        set("canary", canary.as_str().into());
    }
    keys
}

fn write_pairs(text: &mut String, indent: &str, pairs: &[(&str, &str)]) {
    for (key, value) in pairs {
        let _ = writeln!(text, "{indent}{key} = {}", Value::from(*value));
    }
}

/// Keys with values on one line each; a table is written inline.
fn write_keys(text: &mut String, indent: &str, table: &Table) {
    for (key, value) in table {
        let _ = writeln!(text, "{indent}{key} = {value}");
    }
}
