//! The settings file as it is written. The JSON Schema, the known keys and their types all come from
//! these structures; what a comment here says is what an editor shows.
//!
//! Every field is optional, also where the schema requires it: whatever is missing or of a wrong type
//! has been reported before, and the rest of the file is still checked. What may hold a secret has no
//! `Debug`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::duration::Span;
use crate::model::policy::{AlertPolicy, FailbackPolicy, Mode, Standby};

/// When the timer fires, unless configured.
pub const SCHEDULE: &str = "*/30 * * * * *";
/// Storm limit, unless configured.
pub const MAX_GROUPS_MOVING: u32 = 50;
/// Prefix of the table's name, unless configured.
pub const TABLE_PREFIX: &str = "understudy";
/// Folder of the embedded store, unless configured.
pub const STORE_PATH: &str = "understudy-state";
/// The data plane of Video Indexer in the public cloud.
pub const VIDEO_INDEXER_API: &str = "https://api.videoindexer.ai";
/// ARM in the public cloud.
pub const ARM: &str = "https://management.azure.com";
/// The API of MK.IO.
pub const MKIO_API: &str = "https://api.mk.io";
/// How the streaming hosts of a Media Services account are probed, unless configured.
pub const STREAMING_PROBE: &str = "https://{host}/";
/// When unfinished videos, or waiting jobs, are stuck, unless configured.
pub const STUCK_AFTER: &str = "60m";

/// Settings of Understudy.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// This deployment of Understudy.
    pub controller: Option<Controller>,
    /// Where the record is kept.
    pub store: Option<Store>,
    /// The policy of every group; a group may override any of it.
    pub policy: Option<Policy>,
    /// The failover groups.
    #[schemars(required)]
    pub groups: Option<Vec<Group>>,
}

/// This deployment of Understudy.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Controller {
    /// Where this deployment runs; without it the region in REGION_NAME, else `local`.
    pub vantage: Option<String>,
    /// A URL outside of all regions that is asked when probes fail: if it does not answer either, our own network is at fault and nothing is moved.
    pub control_target: Option<String>,
    /// When the timer fires: an NCRONTAB expression with seconds, in UTC.
    #[schemars(extend("default" = SCHEDULE))]
    pub schedule: Option<String>,
    /// Storm limit: how many groups may have unfinished moves at once before automatic moves wait their turn.
    #[schemars(range(min = 1), extend("default" = MAX_GROUPS_MOVING))]
    pub max_groups_moving: Option<u32>,
    /// Believe the platform's X-MS-CLIENT-PRINCIPAL headers; only where WEBSITE_AUTH_ENABLED is true as well.
    #[schemars(extend("default" = false))]
    pub trust_principal: Option<bool>,
}

/// Kinds of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// Azure Table Storage, Azurite, or Azure Cosmos DB for Table.
    Table,
    /// A local file, for one machine.
    Embedded,
}

/// Where the record is kept. With neither `endpoint` nor `connection_string`: the storage account of the Functions app itself.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// What keeps it.
    #[schemars(extend("default" = "table"))]
    pub kind: Option<StoreKind>,
    /// The table service's URL, reached with the managed identity.
    pub endpoint: Option<String>,
    /// The table service's connection string: Azurite, an account key, a SAS, or Cosmos DB for Table. A secret: give it as app setting.
    #[schemars(extend("writeOnly" = true))]
    pub connection_string: Option<String>,
    /// The folder of the embedded store, from the working directory.
    #[schemars(extend("default" = STORE_PATH))]
    pub path: Option<String>,
    /// The table is named `<table_prefix>state`.
    #[schemars(extend("default" = TABLE_PREFIX))]
    pub table_prefix: Option<String>,
}

/// The numbers and choices by which a group is judged and moved.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Whether moves are made without a person.
    #[schemars(extend("default" = "automatic"))]
    pub mode: Option<Mode>,
    /// From the start of one round of probes to the next.
    #[schemars(extend("default" = "30s"))]
    pub probe_interval: Option<Span>,
    /// After this long a probe has failed.
    #[schemars(extend("default" = "10s"))]
    pub probe_timeout: Option<Span>,
    /// An answer slower than this is degraded.
    #[schemars(extend("default" = "5s"))]
    pub latency_limit: Option<Span>,
    /// Failed rounds, among the last `fail_window`, that make an account unhealthy.
    #[schemars(range(min = 1), extend("default" = 3))]
    pub fail_threshold: Option<u32>,
    /// How many rounds are looked at; without it the `fail_threshold` in force, that is so many in a row.
    #[schemars(range(min = 1))]
    pub fail_window: Option<u32>,
    /// Good rounds after which an unhealthy account is healthy again.
    #[schemars(range(min = 1), extend("default" = 2))]
    pub recover_threshold: Option<u32>,
    /// From unhealthy to an automatic move.
    #[schemars(extend("default" = "90s"))]
    pub hold: Option<Span>,
    /// No automatic move for this long after an automatic failover.
    #[schemars(extend("default" = "3600s"))]
    pub cooldown: Option<Span>,
    /// Automatic failovers in any 24 hours.
    #[schemars(range(min = 1), extend("default" = 2))]
    pub max_moves_per_day: Option<u32>,
    /// How long a switchover may prepare its target.
    #[schemars(extend("default" = "15m"))]
    pub prepare_timeout: Option<Span>,
    /// What an alert is worth.
    #[schemars(extend("default" = "confirm"))]
    pub alert: Option<AlertPolicy>,
    /// How long a signal lives after its last update.
    #[schemars(extend("default" = "2h"))]
    pub alert_ttl: Option<Span>,
    /// Who starts a failback.
    #[schemars(extend("default" = "manual"))]
    pub failback: Option<FailbackPolicy>,
    /// Continuous recovery of the primary before an automatic failback.
    #[schemars(extend("default" = "1800s"))]
    pub failback_after: Option<Span>,
    /// What becomes of the site that was left.
    #[schemars(extend("default" = "warm"))]
    pub standby: Option<Standby>,
}

impl Policy {
    /// What is given here, and what is given there where it is not.
    #[must_use]
    pub fn over(&self, base: &Self) -> Self {
        Self {
            mode: self.mode.or(base.mode),
            probe_interval: self.probe_interval.or(base.probe_interval),
            probe_timeout: self.probe_timeout.or(base.probe_timeout),
            latency_limit: self.latency_limit.or(base.latency_limit),
            fail_threshold: self.fail_threshold.or(base.fail_threshold),
            fail_window: self.fail_window.or(base.fail_window),
            recover_threshold: self.recover_threshold.or(base.recover_threshold),
            hold: self.hold.or(base.hold),
            cooldown: self.cooldown.or(base.cooldown),
            max_moves_per_day: self.max_moves_per_day.or(base.max_moves_per_day),
            prepare_timeout: self.prepare_timeout.or(base.prepare_timeout),
            alert: self.alert.or(base.alert),
            alert_ttl: self.alert_ttl.or(base.alert_ttl),
            failback: self.failback.or(base.failback),
            failback_after: self.failback_after.or(base.failback_after),
            standby: self.standby.or(base.standby),
        }
    }
}

/// What fails over as one.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name.
    #[schemars(required, regex(pattern = r"^[a-z0-9-]{1,63}$"))]
    pub name: Option<String>,
    /// Whose it is, where one deployment serves several tenants.
    pub tenant: Option<String>,
    /// What differs from the policy of all groups.
    pub policy: Option<Policy>,
    /// Two or more sites in order; the first is primary.
    #[schemars(required, length(min = 2))]
    pub sites: Option<Vec<Site>>,
}

/// One region's side of a group.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Its name within the group; without it the region.
    pub name: Option<String>,
    /// Its region, as `westeurope` or `West Europe`.
    #[schemars(required)]
    pub region: Option<String>,
    /// Its Azure AI Video Indexer account.
    pub video_indexer: Option<VideoIndexer>,
    /// Its Media Services account.
    pub media_services: Option<MediaServices>,
    /// Its HTTP endpoints.
    pub http: Option<Vec<Http>>,
}

/// An Azure AI Video Indexer account.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VideoIndexer {
    /// The subscription it is in.
    #[schemars(required)]
    pub subscription_id: Option<String>,
    /// The resource group it is in.
    #[schemars(required)]
    pub resource_group: Option<String>,
    /// The name of the Azure resource.
    #[schemars(required)]
    pub account_name: Option<String>,
    /// The account's id in the data plane, a GUID.
    #[schemars(required)]
    pub account_id: Option<String>,
    /// Base URL of the data plane.
    #[schemars(extend("default" = VIDEO_INDEXER_API))]
    pub api_base: Option<String>,
    /// Base URL of Azure Resource Manager.
    #[schemars(extend("default" = ARM))]
    pub arm_base: Option<String>,
    /// Videos Uploaded or Processing for this long, while none finishes, are stuck.
    #[schemars(extend("default" = STUCK_AFTER))]
    pub stuck_after: Option<Span>,
    /// Whether stuck is failed; else it is degraded.
    #[schemars(extend("default" = false))]
    pub stuck_fails: Option<bool>,
}

/// Who runs a Media Services account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// Azure.
    Azure,
    /// MK.IO, or a service with the same shapes.
    Mkio,
}

/// What a Media Services account is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// Encoding.
    Encoding,
    /// Live streaming.
    Live,
    /// On-demand streaming.
    OnDemand,
}

/// A Media Services account.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MediaServices {
    /// Who runs it.
    #[schemars(extend("default" = "azure"))]
    pub kind: Option<MediaKind>,
    /// The subscription it is in; with kind azure.
    pub subscription_id: Option<String>,
    /// The resource group it is in; with kind azure.
    pub resource_group: Option<String>,
    /// Its name; with kind mkio the project's.
    #[schemars(required)]
    pub account_name: Option<String>,
    /// The streaming endpoints that run while the site is active.
    #[schemars(extend("default" = ["default"]))]
    pub streaming_endpoints: Option<Vec<String>>,
    /// The live events that run while the site is active.
    #[schemars(extend("default" = []))]
    pub live_events: Option<Vec<String>>,
    /// What it is used for.
    #[schemars(extend("default" = ["encoding", "live", "on-demand"]))]
    pub workloads: Option<Vec<Workload>>,
    /// How its streaming hosts are probed, with `{host}` for a host's name: any HTTP answer is alive. Empty: not
    /// probed.
    #[schemars(extend("default" = STREAMING_PROBE))]
    pub streaming_probe: Option<String>,
    /// A path on the streaming host that must answer 2xx: is the content there too?
    pub canary: Option<String>,
    /// Where viewers get the keys of protected content: any HTTP answer is alive. It is not behind the streaming host.
    pub key_delivery: Option<String>,
    /// Jobs Queued or Scheduled for this long, while none finishes, are stuck.
    #[schemars(extend("default" = STUCK_AFTER))]
    pub stuck_after: Option<Span>,
    /// Whether stuck is failed; else it is degraded.
    #[schemars(extend("default" = false))]
    pub stuck_fails: Option<bool>,
    /// Base URL of Azure Resource Manager; with kind mkio of its API, then `https://api.mk.io` unless given.
    #[schemars(extend("default" = ARM))]
    pub arm_base: Option<String>,
    /// With kind mkio: `$NAME`, the app setting that holds the token.
    #[schemars(extend("writeOnly" = true))]
    pub token: Option<String>,
}

/// An HTTP endpoint.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Its name within the site.
    #[schemars(required)]
    pub name: Option<String>,
    /// What is probed.
    #[schemars(required)]
    pub url: Option<String>,
    /// What a lookup hands out; without it `url`.
    pub endpoint: Option<String>,
    /// Statuses that are good before any other rule. Redirects are not followed.
    #[schemars(length(min = 1), inner(range(min = 100, max = 599)), extend("default" = [200]))]
    pub expect_status: Option<Vec<u16>>,
    /// A text that the body must hold.
    pub expect_body: Option<String>,
}
