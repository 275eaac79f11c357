//! What the rounds of one vantage amount to, account by account. It lives in the heartbeat row, so
//! that counting a round never writes a group's row.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::name::{ByAccount, SiteName};
use super::sample::{Outcome, Sample};
use super::spec::AccountSpec;
use super::verdict::Verdict;

/// How long an account has been unhealthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unhealthy {
    /// Start of the round that made it so.
    pub since: Timestamp,
    /// Start of the first failed round of that run.
    pub first_failed_at: Timestamp,
}

/// What is known of one account from one vantage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountEvidence {
    /// The newest sample, counted or not.
    pub newest: Sample,
    /// The outcomes of the last counted rounds, oldest first, at most the policy's `fail_window`.
    pub window: Vec<Outcome>,
    /// Failed counted rounds since the last one that answered.
    pub failures: u32,
    /// Ok counted rounds since the last failed one.
    pub recoveries: u32,
    /// What it was when it last did something other than fail.
    pub standing: Verdict,
    /// Start of the first failed round since the last one that answered.
    pub first_failed_at: Option<Timestamp>,
    /// Set while it is unhealthy.
    pub unhealthy: Option<Unhealthy>,
    /// Since when it has been alive in every round without being unhealthy.
    pub well_since: Option<Timestamp>,
    /// Host names by streaming endpoint, as last seen; what was seen once is kept while nothing else is.
    #[serde(default)]
    pub hosts: BTreeMap<String, String>,
    /// The state of each streaming endpoint when it was last read, in the service's words, such as `Stopped`: while the
    /// API is silent, any process can tell what did not run before.
    #[serde(default)]
    pub states: BTreeMap<String, String>,
}

/// What is known of one group from one vantage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupEvidence {
    /// Start of the newest round.
    pub newest_at: Timestamp,
    /// Whether the newest round asked the accounts that failed once more.
    pub asked_twice: bool,
    /// Start of the last round that counted.
    pub counted_at: Option<Timestamp>,
    /// Start of the first round after the last gap of more than three intervals.
    pub unbroken_since: Timestamp,
    /// Its accounts.
    pub accounts: ByAccount<AccountEvidence>,
}

impl GroupEvidence {
    /// What is known of this account of this site.
    #[must_use]
    pub fn of(&self, site: &SiteName, account: &AccountSpec) -> Option<&AccountEvidence> {
        let wanted = (site, account.service(), account.name());
        self.accounts
            .get_by(|key| (&key.site, key.service, key.name.as_str()).cmp(&wanted))
    }
}
