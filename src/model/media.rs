//! A Media Services account as configured, and what is to be asked of it.

use std::fmt;

use jiff::SignedDuration;

use super::secret::{Secret, masked};

/// Who runs an account, and so how its API is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// Azure, or a service that has ARM's shapes and takes its tokens.
    Azure,
    /// MK.IO, or a service with its shapes.
    Mkio,
}

/// What an account is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// Encoding.
    Encoding,
    /// Live streaming.
    Live,
    /// On-demand streaming.
    OnDemand,
}

/// The sorts of things on an account that are started and stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceKind {
    /// A streaming endpoint.
    StreamingEndpoint,
    /// A live event.
    LiveEvent,
}

impl ResourceKind {
    /// Every sort.
    pub const ALL: [Self; 2] = [Self::StreamingEndpoint, Self::LiveEvent];

    /// What people call it, and how a step's resource begins.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StreamingEndpoint => "streaming endpoint",
            Self::LiveEvent => "live event",
        }
    }

    /// The segment of URLs.
    #[must_use]
    pub const fn segment(self) -> &'static str {
        match self {
            Self::StreamingEndpoint => "streamingEndpoints",
            Self::LiveEvent => "liveEvents",
        }
    }

    /// The one with this name, as a step calls it: `streaming endpoint default`.
    #[must_use]
    pub fn named(self, name: &str) -> String {
        format!("{} {name}", self.as_str())
    }

    /// The sort and the name of what a step calls so; `None` where it is of no such sort.
    #[must_use]
    pub fn split(resource: &str) -> Option<(Self, &str)> {
        Self::ALL.into_iter().find_map(|kind| {
            let name = resource.strip_prefix(kind.as_str())?.strip_prefix(' ')?;
            Some((kind, name))
        })
    }
}

/// A Media Services account. URLs may hold a key in their query, so `Debug` masks them.
#[derive(Clone, PartialEq)]
pub struct MediaServicesSpec {
    /// Who runs it.
    pub kind: MediaKind,
    /// The account's name, or the project's.
    pub account_name: String,
    /// The ARM resource id, or the API's URL of the project.
    pub resource_id: String,
    /// Base URL of ARM, or of MK.IO's API, without a slash at the end.
    pub arm_base: String,
    /// The token of MK.IO's API.
    pub token: Option<Secret>,
    /// The streaming endpoints that run while the site is active.
    pub streaming_endpoints: Vec<String>,
    /// The live events that run while the site is active.
    pub live_events: Vec<String>,
    /// What it is used for; never empty.
    pub workloads: Vec<Workload>,
    /// How a streaming host is probed, with `{host}` in it; empty: not probed.
    pub streaming_probe: String,
    /// The path on a streaming host that must answer 2xx.
    pub canary: Option<String>,
    /// Where content keys are delivered; any HTTP answer is alive.
    pub key_delivery: Option<String>,
    /// Jobs waiting for this long, while none finishes, are stuck.
    pub stuck_after: SignedDuration,
    /// Whether stuck is failed; else it is degraded.
    pub stuck_fails: bool,
}

/// The newest version of the streaming part of the `Microsoft.Media` API.
const STREAMING_API: &str = "2022-11-01";

/// What stands for the name of a streaming host in `streaming_probe`.
pub const HOST: &str = "{host}";

impl MediaServicesSpec {
    /// Whether it is used for this.
    #[must_use]
    pub fn is_for(&self, workload: Workload) -> bool {
        self.workloads.contains(&workload)
    }

    /// Whether viewers are served from it, live or on demand.
    #[must_use]
    pub fn streams(&self) -> bool {
        self.is_for(Workload::Live) || self.is_for(Workload::OnDemand)
    }

    /// The streaming endpoints that have to run while its site is active: none where nothing is streamed.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        if self.streams() {
            &self.streaming_endpoints
        } else {
            &[]
        }
    }

    /// The live events that have to run while its site is active: none where nothing is live.
    #[must_use]
    pub fn events(&self) -> &[String] {
        if self.is_for(Workload::Live) {
            &self.live_events
        } else {
            &[]
        }
    }

    /// What has to be started on it when its site becomes active, in order: `streaming endpoint default`,
    /// `live event studio`.
    #[must_use]
    pub fn activation(&self) -> Vec<String> {
        let endpoints = self.endpoints().iter();
        let events = self.events().iter();
        endpoints
            .map(|name| ResourceKind::StreamingEndpoint.named(name))
            .chain(events.map(|name| ResourceKind::LiveEvent.named(name)))
            .collect()
    }

    /// The account's URL in its API, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        match self.kind {
            MediaKind::Azure => format!("{}{}", self.arm_base, self.resource_id),
            MediaKind::Mkio => self.resource_id.clone(),
        }
    }

    /// The subscription that its API counts requests by; with MK.IO the project.
    #[must_use]
    pub fn subscription(&self) -> &str {
        let mut segments = self.resource_id.split('/');
        match self.kind {
            MediaKind::Azure => segments.nth(2).unwrap_or(&self.resource_id),
            MediaKind::Mkio => &self.resource_id,
        }
    }

    /// The URL of what is below the account, for example `/streamingEndpoints/default`. ARM wants to know the
    /// version of its API; MK.IO has none.
    #[must_use]
    pub fn api_url(&self, below: &str, version: &str) -> String {
        let url = self.url();
        match self.kind {
            MediaKind::Azure => format!("{url}{below}?api-version={version}"),
            MediaKind::Mkio => format!("{url}{below}"),
        }
    }

    /// The URL of what is below the thing of this sort and name; of the thing itself where `below` is empty.
    #[must_use]
    pub fn resource_url(&self, kind: ResourceKind, name: &str, below: &str) -> String {
        let segment = kind.segment();
        self.api_url(&format!("/{segment}/{name}{below}"), STREAMING_API)
    }

    /// The URL at which a streaming host is probed; `None` where it is not.
    #[must_use]
    pub fn probe_url(&self, host: &str) -> Option<String> {
        let is_probed = !self.streaming_probe.is_empty();
        is_probed.then(|| self.streaming_probe.replace(HOST, host))
    }

    /// Whether the URL of the probe does not depend on the host's name.
    #[must_use]
    pub fn is_probed_anywhere(&self) -> bool {
        !self.streaming_probe.is_empty() && !self.streaming_probe.contains(HOST)
    }

    /// The URL of the canary on a streaming host; `None` where there is none, or nothing is streamed on demand.
    #[must_use]
    pub fn canary_url(&self, host: &str) -> Option<String> {
        let path = self.canary.as_deref()?.trim_start_matches('/');
        if !self.is_for(Workload::OnDemand) {
            return None;
        }
        let template = match self.streaming_probe.as_str() {
            "" => "https://{host}",
            template => match template.find(HOST) {
                Some(at) => template.get(..at + HOST.len()).unwrap_or(template),
                None => template.split(['?', '#']).next().unwrap_or(template),
            },
        };
        let root = template.replace(HOST, host);
        Some(format!("{}/{path}", root.trim_end_matches('/')))
    }

    /// The URLs at which it is asked anything.
    #[must_use]
    pub fn asked_at(&self) -> Vec<&str> {
        let mut urls = vec![self.arm_base.as_str()];
        if self.streams() {
            urls.push(&self.streaming_probe);
            urls.extend(self.key_delivery.as_deref());
        }
        urls
    }
}

impl fmt::Debug for MediaServicesSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MediaServicesSpec")
            .field("kind", &self.kind)
            .field("account_name", &self.account_name)
            .field("resource_id", &self.resource_id)
            .field("arm_base", &self.arm_base)
            .field("token", &self.token)
            .field("streaming_endpoints", &self.streaming_endpoints)
            .field("live_events", &self.live_events)
            .field("workloads", &self.workloads)
            .field("streaming_probe", &masked(&self.streaming_probe))
            .field("canary", &self.canary.as_deref().map(masked))
            .field("key_delivery", &self.key_delivery.as_deref().map(masked))
            .field("stuck_after", &self.stuck_after)
            .field("stuck_fails", &self.stuck_fails)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(streaming_probe: &str, canary: &str) -> MediaServicesSpec {
        MediaServicesSpec {
            kind: MediaKind::Azure,
            account_name: "ms".to_owned(),
            resource_id: "/subscriptions/s".to_owned(),
            arm_base: "https://arm.example".to_owned(),
            token: Some(Secret::new("hunter2")),
            streaming_endpoints: vec!["default".to_owned()],
            live_events: vec!["studio".to_owned()],
            workloads: vec![Workload::OnDemand],
            streaming_probe: streaming_probe.to_owned(),
            canary: Some(canary.to_owned()),
            key_delivery: Some("https://keys.example/?code=hunter2".to_owned()),
            stuck_after: SignedDuration::from_hours(1),
            stuck_fails: false,
        }
    }

    #[test]
    fn the_canary_is_on_the_host_whatever_else_the_probe_asks_for() {
        let cases = [
            ("https://{host}/", "/a/b", "https://h/a/b"),
            ("https://{host}/health?x=1", "a/b", "https://h/a/b"),
            (
                "http://127.0.0.1:1/stream/{host}/",
                "/a",
                "http://127.0.0.1:1/stream/h/a",
            ),
            (
                "http://127.0.0.1:1/alive/?x=1",
                "/a",
                "http://127.0.0.1:1/alive/a",
            ),
            ("", "/a", "https://h/a"),
        ];
        for (probe, canary, expected) in cases {
            let spec = spec(probe, canary);
            assert_eq!(spec.canary_url("h").as_deref(), Some(expected), "{probe}");
        }
        let mut live = spec("https://{host}/", "/a");
        live.workloads = vec![Workload::Live];
        assert_eq!(live.canary_url("h"), None);
    }

    #[test]
    fn what_starts_is_what_its_workloads_need() {
        let mut spec = spec("", "/a");
        assert_eq!(spec.activation(), ["streaming endpoint default"]);
        spec.workloads = vec![Workload::Live];
        assert_eq!(
            spec.activation(),
            ["streaming endpoint default", "live event studio"]
        );
        spec.workloads = vec![Workload::Encoding];
        assert!(spec.activation().is_empty());
    }

    #[test]
    fn what_a_step_calls_a_thing_says_of_which_sort_it_is() {
        for kind in ResourceKind::ALL {
            assert_eq!(ResourceKind::split(&kind.named("a b")), Some((kind, "a b")));
        }
        for other in ["", "live event", "live eventful", "dns record x"] {
            assert_eq!(ResourceKind::split(other), None, "{other}");
        }
    }

    #[test]
    fn only_azure_is_told_the_version_of_its_api() {
        let mut spec = spec("", "/a");
        let start = |spec: &MediaServicesSpec| {
            spec.resource_url(ResourceKind::LiveEvent, "studio", "/start")
        };
        assert_eq!(
            start(&spec),
            "https://arm.example/subscriptions/s/liveEvents/studio/start?api-version=2022-11-01"
        );
        spec.kind = MediaKind::Mkio;
        spec.resource_id = "https://mkio.example/api/ams/p".to_owned();
        assert_eq!(
            start(&spec),
            "https://mkio.example/api/ams/p/liveEvents/studio/start"
        );
    }

    #[test]
    fn neither_the_token_nor_a_key_in_a_url_is_printed() {
        let printed = format!(
            "{:?}",
            spec("https://{host}/?key=hunter2", "/a?sig=hunter2")
        );
        assert!(!printed.contains("hunter2"), "{printed}");
    }
}
