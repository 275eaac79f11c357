//! A signal: an alert, translated into our words, with an expiry.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::name::SiteName;

/// Where an alert came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SignalKind {
    /// Azure Service Health.
    ServiceHealth,
    /// Azure Resource Health.
    ResourceHealth,
    /// A metric, log or Prometheus rule.
    Metric,
    /// Anything else: shown, never acted on.
    Other,
}

/// How far the thing it tells of has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SignalStage {
    /// Going on.
    Active,
    /// Over.
    Resolved,
}

/// One signal as one group sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signal {
    /// The tracking id of the incident, or the alert's id.
    pub id: String,
    /// Where it came from.
    pub kind: SignalKind,
    /// The region it names, if any.
    pub region: Option<String>,
    /// The service it names, if any.
    pub service: Option<String>,
    /// Going on, or over.
    pub stage: SignalStage,
    /// When it arrived here.
    pub received_at: Timestamp,
    /// When it is no longer believed.
    pub expires_at: Timestamp,
    /// The site of the group that it speaks of.
    pub site: SiteName,
    /// Whether it may move the group, or is only recorded.
    pub is_evidence: bool,
}

impl Signal {
    /// Whether it says that this site, being the active one, fails.
    #[must_use]
    pub fn is_against(&self, active: &SiteName) -> bool {
        self.is_evidence && self.stage == SignalStage::Active && self.site == *active
    }
}
