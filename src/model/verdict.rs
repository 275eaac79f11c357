//! The verdict: health judged from observations.

use serde::{Deserialize, Serialize};

/// Health of an account or a site, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It answers as it should.
    Healthy,
    /// It answers, but slowly, or it throttles, or its work does not finish.
    Degraded,
    /// Nothing recent is known.
    Unknown,
    /// It refuses us or is not there: for people to mend, never a reason to move.
    Misconfigured,
    /// It failed often enough to be given up.
    Unhealthy,
}

impl Verdict {
    /// Every verdict, from best to worst.
    pub const ALL: [Self; 5] = [
        Self::Healthy,
        Self::Degraded,
        Self::Unknown,
        Self::Misconfigured,
        Self::Unhealthy,
    ];

    /// The name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unknown => "unknown",
            Self::Misconfigured => "misconfigured",
            Self::Unhealthy => "unhealthy",
        }
    }
}
