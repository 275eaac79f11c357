//! An alert as it came in, in our words. One alert is one row, whatever number of groups it touches; which
//! they are is found out from the configuration whenever the row is read.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::signal::{SignalKind, SignalStage};

/// One service that an alert names, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Impact {
    /// The service's name as Azure wrote it; empty where it named none.
    pub service: String,
    /// The service's permanent GUID, where it was given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub service_id: Option<String>,
    /// The regions, as Azure wrote them.
    pub regions: Vec<String>,
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// The tracking id of the incident, or the alert's own id.
    pub id: String,
    /// What all messages on the same thing share; the row is named by it. The id, except for Resource
    /// Health, where a recovery comes as another alert on the same resource.
    pub thread: String,
    /// Where it came from.
    pub kind: SignalKind,
    /// Going on, or over.
    pub stage: SignalStage,
    /// The event's own time; of two messages that are not unclear the later one is believed.
    pub event_at: Timestamp,
    /// When the message arrived that began it: a round that confirms it begins later.
    pub received_at: Timestamp,
    /// When the last message arrived: its life is counted from here.
    pub updated_at: Timestamp,
    /// The subscription it speaks of.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subscription: Option<String>,
    /// The services and regions it names.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub impacts: Vec<Impact>,
    /// The resource ids it names.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub resources: Vec<String>,
    /// The rule's custom property `understudyGroup`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub group: Option<String>,
    /// The rule's custom property `understudySite`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub site: Option<String>,
    /// Why it is only recorded and never evidence, whatever it names.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recorded_only: Option<String>,
    /// Whether its stage or condition says neither that the thing goes on nor that it is over: one that Azure
    /// documents (Planned, InProgress, Rescheduled; a resource health of Unknown), or one that it does not. What
    /// is known of its thread then stands; alone it is only recorded.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub is_unclear: bool,
    /// The event's time of the last unclear message that lengthened its life: by this a repeat of one is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unclear_at: Option<Timestamp>,
}
