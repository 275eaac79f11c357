//! What a Media Services account of the simulated Azure has: endpoints, live events, transforms, locators.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::super::world::normal;
use super::ledger::Family;

/// Who runs an account, and so how its API is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// Azure Media Services, behind ARM.
    Azure,
    /// MK.IO: its own base URL (`/mkio`), bearer token and errors; no long-running operations to poll.
    Mkio,
}

/// The state of a streaming endpoint or a live event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum ResourceState {
    /// It serves nothing and costs nothing.
    Stopped,
    /// On its way to `Running`.
    Starting,
    /// It serves.
    Running,
    /// On its way to `Stopped`.
    Stopping,
    /// Live events only: on its way to `StandBy`.
    Allocating,
    /// Live events only: it can be started fast, and is billed.
    StandBy,
    /// Streaming endpoints only: it serves while it is made larger or smaller.
    Scaling,
    /// On its way to be no more.
    Deleting,
    /// No more, but still listed; MK.IO only.
    Deleted,
}

impl ResourceState {
    /// Its name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "Stopped",
            Self::Starting => "Starting",
            Self::Running => "Running",
            Self::Stopping => "Stopping",
            Self::Allocating => "Allocating",
            Self::StandBy => "StandBy",
            Self::Scaling => "Scaling",
            Self::Deleting => "Deleting",
            Self::Deleted => "Deleted",
        }
    }

    /// Whether it is what it is only for a while.
    #[must_use]
    pub const fn is_passing(self) -> bool {
        matches!(
            self,
            Self::Starting | Self::Stopping | Self::Allocating | Self::Scaling | Self::Deleting
        )
    }
}

impl fmt::Display for ResourceState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A streaming endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamingEndpoint {
    /// Its name.
    pub name: String,
    /// The state that it has when the simulator starts.
    pub state: ResourceState,
}

/// A live event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveEvent {
    /// Its name.
    pub name: String,
    /// The state that it has when the simulator starts.
    pub state: ResourceState,
    /// Its live outputs: while it has any, it stops only if asked to remove them.
    pub outputs: Vec<String>,
}

/// A streaming locator: content under a path on every streaming endpoint of its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamingLocator {
    /// Its name.
    pub name: String,
    /// The asset that it publishes.
    pub asset: String,
    /// Its id, which is pinned, so that URLs are equal on both sites.
    pub id: String,
    /// The path on the streaming host, which begins with a slash.
    pub path: String,
    /// The live event that it publishes; `None` is a recording.
    pub live_event: Option<String>,
    /// Whether viewers play it when the simulator starts: what serves it cannot be stopped then.
    pub playing: bool,
}

/// One Media Services account, or one project of MK.IO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaAccount {
    /// The failover group that it belongs to in the rendered configuration; `None` leaves it out.
    pub group: Option<String>,
    /// Its region's programmatic name.
    pub region: String,
    /// Who runs it.
    pub kind: MediaKind,
    /// Its subscription; not used with MK.IO.
    pub subscription_id: String,
    /// Its resource group; not used with MK.IO.
    pub resource_group: String,
    /// Its name; with MK.IO the project's.
    pub name: String,
    /// The account's GUID.
    pub media_service_id: String,
    /// Its streaming endpoints.
    pub streaming_endpoints: Vec<StreamingEndpoint>,
    /// Its live events.
    pub live_events: Vec<LiveEvent>,
    /// The names of its transforms. Each gets a job every ten minutes.
    pub transforms: Vec<String>,
    /// Its streaming locators.
    pub locators: Vec<StreamingLocator>,
    /// The path that the rendered configuration names as `canary`.
    pub canary: Option<String>,
    /// What the rendered configuration names as `workloads`; empty leaves the key out.
    pub workloads: Vec<String>,
    /// Actions that the identity lacks a role for, below `Microsoft.Media/mediaservices/`:
    /// `streamingEndpoints/start/action`. A star at the beginning stands for anything: `*/action` leaves
    /// reading. Azure only.
    pub denied: Vec<String>,
}

impl MediaAccount {
    /// The ARM resource id, as a configuration spells it; with MK.IO the path of the project below its base.
    #[must_use]
    pub fn resource_id(&self) -> String {
        match self.kind {
            MediaKind::Azure => format!(
                "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Media/mediaservices/{}",
                self.subscription_id, self.resource_group, self.name
            ),
            MediaKind::Mkio => format!("/api/ams/{}", self.name),
        }
    }

    /// The host of a streaming endpoint. It cannot be told from the names alone: the default endpoint's
    /// leaves its name out, and MK.IO has its own domain.
    #[must_use]
    pub fn host_name(&self, endpoint: &str) -> String {
        let (account, endpoint) = (normal(&self.name), endpoint.to_ascii_lowercase());
        match self.kind {
            MediaKind::Azure if endpoint == "default" => {
                format!("{account}-{}.streaming.media.azure.net", self.region)
            }
            MediaKind::Azure => format!(
                "{endpoint}-{account}-{}.streaming.media.azure.net",
                self.region
            ),
            MediaKind::Mkio => format!(
                "ep-{endpoint}-{account}.{}.streaming.mediakind.com",
                self.region
            ),
        }
    }

    /// Its streaming endpoints and live events, with the states that they have when the simulator starts.
    pub(super) fn parts(&self) -> impl Iterator<Item = (Family, &str, ResourceState)> {
        let endpoints = self.streaming_endpoints.iter();
        let endpoints =
            endpoints.map(|each| (Family::StreamingEndpoints, each.name.as_str(), each.state));
        let events = self.live_events.iter();
        let events = events.map(|each| (Family::LiveEvents, each.name.as_str(), each.state));
        endpoints.chain(events)
    }

    /// Gives it a streaming endpoint in this state.
    pub fn add_streaming_endpoint(&mut self, name: &str, state: ResourceState) {
        self.streaming_endpoints.push(StreamingEndpoint {
            name: name.to_owned(),
            state,
        });
    }

    /// Gives it a live event in this state, without outputs.
    pub fn add_live_event(&mut self, name: &str, state: ResourceState) {
        self.live_events.push(LiveEvent {
            name: name.to_owned(),
            state,
            outputs: Vec::new(),
        });
    }

    /// Gives it a recording under a path that depends only on the name.
    pub fn add_recording(&mut self, name: &str) {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&Sha256::digest(name)[..16]);
        let id = uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string();
        self.locators.push(StreamingLocator {
            name: name.to_owned(),
            asset: format!("asset-{name}"),
            path: format!("/{id}/{name}.ism/manifest(format=m3u8-cmaf)"),
            id,
            live_event: None,
            playing: false,
        });
    }

    /// Whether the identity lacks a role for this action.
    pub(in super::super) fn denies(&self, action: &str) -> bool {
        let action = action.to_ascii_lowercase();
        self.denied.iter().any(|pattern| {
            let pattern = pattern.to_ascii_lowercase();
            match pattern.strip_prefix('*') {
                Some(end) => action.ends_with(end),
                None => action == pattern,
            }
        })
    }
}
