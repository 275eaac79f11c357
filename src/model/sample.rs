//! What one attempt to reach one account brought. A failure is a value here, not an error.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::name::{ByAccount, SiteName};

/// How one probe ended. The table "What a failure is" in `docs/failure-detection.md` says which
/// answer is which outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It answered as it should, in time.
    Ok,
    /// It answered too slowly, or its work does not finish.
    Degraded,
    /// It answered that we ask too often: alive.
    Throttled,
    /// It did not answer, or answered that it is broken.
    Failed,
    /// It refused us.
    Denied,
    /// It is not there, or its provider has retired it.
    Missing,
    /// Nothing can be said of it.
    Unknown,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 7] = [
        Self::Ok,
        Self::Degraded,
        Self::Throttled,
        Self::Failed,
        Self::Denied,
        Self::Missing,
        Self::Unknown,
    ];

    /// The name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Throttled => "throttled",
            Self::Failed => "failed",
            Self::Denied => "denied",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }

    /// It served us: ok, degraded or throttled.
    #[must_use]
    pub const fn is_alive(self) -> bool {
        match self {
            Self::Ok | Self::Degraded | Self::Throttled => true,
            Self::Failed | Self::Denied | Self::Missing | Self::Unknown => false,
        }
    }
}

/// What a probe says of the token it needed. The same fault means different things for one site and
/// for all of them, so the probe reports the fact and `decision::reading` judges it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenFact {
    /// The probe needs none.
    NotNeeded,
    /// A token is held.
    Held {
        /// When it was minted.
        minted_at: Timestamp,
        /// Where it was minted, for example the base URL of ARM.
        issuer: String,
    },
    /// No token could be had: the issuer or the identity endpoint failed (5xx, timeout, unreachable).
    Unavailable {
        /// The first failed attempt since one last succeeded.
        since: Timestamp,
        /// Where it would be minted.
        issuer: String,
    },
    /// None is held, and that says nothing against the issuer: the turn to mint one has not come yet, or the
    /// issuer answered and refused.
    Absent,
}

/// One probe's finding, before it is weighed against the others of its round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// What the account's own answer amounts to.
    pub outcome: Outcome,
    /// From the first byte sent to the last byte read, in milliseconds.
    pub latency_ms: u32,
    /// One line for people when there is something to say; never a secret.
    pub detail: Option<String>,
    /// The host and port that were asked: a host shared by all sites tells a global fault.
    pub host: String,
    /// What is known of its token.
    pub token: TokenFact,
    /// What was seen of its streaming; empty for every other service.
    pub streaming: Streaming,
}

/// What a probe sees of a Media Services account beside its health. Whether something that does not run is a fault
/// depends on which site is active, and the probe does not know that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Streaming {
    /// Streaming endpoints and live events that do not run, each with its state: `streaming endpoint default is
    /// Stopped`.
    pub stopped: Vec<String>,
    /// The same, as it was shortly before: it could not be seen whether it still is so.
    pub before: Vec<String>,
    /// Host names by streaming endpoint, as far as known.
    pub hosts: BTreeMap<String, String>,
    /// The states of the streaming endpoints that were read now, in the service's words.
    pub states: BTreeMap<String, String>,
    /// What became of asking its API.
    pub api: ApiFact,
    /// Its API is silent, no streaming endpoint ran when that last spoke, and neither their hosts nor key delivery say
    /// otherwise. Jobs and live events are read through that same API: of them nothing is known meanwhile.
    pub as_it_was: bool,
}

/// What a probe says of an API that all sites share, such as ARM. Its silence means different things for one site and
/// for all of them, so the probe reports the fact and `decision::reading` judges it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ApiFact {
    /// It was not asked.
    #[default]
    NotAsked,
    /// It answered, whatever it said of the account.
    Answers {
        /// Its base URL.
        base: String,
    },
    /// It did not answer, or only that it is broken itself.
    Silent {
        /// Its base URL.
        base: String,
    },
}

/// One round of a group: every probed account of every site, asked at the same time.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// When it began.
    pub started_at: Timestamp,
    /// Whether accounts that failed were asked once more before it was over.
    pub asked_twice: bool,
    /// Whether the neutral control target failed in this round; `None` where it was not asked.
    pub control_failed: Option<bool>,
    /// The site on which everything that was configured to stream must run: the active one, once its start steps
    /// are done. `None` where there is none, or it is not known.
    pub must_run: Option<SiteName>,
    /// What each account brought.
    pub readings: ByAccount<Reading>,
}

/// One finding as kept and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Start of its round.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// In milliseconds.
    pub latency_ms: u32,
    /// One line for people.
    pub detail: Option<String>,
    /// The host and port that were asked.
    pub host: String,
}
