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
    /// Whether its only message so far says neither that it goes on nor that it is over.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub is_unclear: bool,
    /// Why it is only recorded; `None` where it is evidence.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
}

impl Signal {
    /// How far it has come, for people: `unclear` where its stage is only supposed.
    #[must_use]
    pub const fn progress(&self) -> &'static str {
        match self.stage {
            SignalStage::Active if self.is_unclear => "unclear",
            SignalStage::Active => "active",
            SignalStage::Resolved => "resolved",
        }
    }

    /// Its id as people know it.
    #[must_use]
    pub fn short_id(&self) -> &str {
        short_id(&self.id)
    }

    /// Whether it says that this site, being the active one, fails.
    #[must_use]
    pub fn is_against(&self, active: &SiteName) -> bool {
        self.is_evidence && self.stage == SignalStage::Active && self.site == *active
    }
}

/// The last part of an alert's id that is a resource's: the portal shows no more of it. Any other id as it is.
#[must_use]
pub fn short_id(id: &str) -> &str {
    match id.rsplit_once('/') {
        Some((_, last)) if id.starts_with('/') && !last.is_empty() => last,
        _ => id,
    }
}
