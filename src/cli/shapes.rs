//! The API's answers, as far as they are shown. Lenient: what an older or newer app leaves out is shown
//! as empty, what it adds is passed over.

use serde::{Deserialize, Deserializer};

/// `null` is taken as the empty value.
fn or_empty<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// How the app itself is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Health {
    pub(super) reasons: Vec<String>,
}

/// A page of groups.
#[derive(Debug, Deserialize)]
pub(super) struct GroupPage {
    pub(super) groups: Vec<Group>,
    #[serde(default)]
    pub(super) unreadable: Vec<Unreadable>,
}

/// A row of the store that cannot be read.
#[derive(Debug, Deserialize)]
pub(super) struct Unreadable {
    pub(super) row: String,
    pub(super) message: String,
}

/// One group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Group {
    pub(super) group: String,
    #[serde(default)]
    pub(super) tenant: Option<String>,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) mode: String,
    pub(super) generation: u64,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) phase: String,
    pub(super) active: String,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) since: String,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) as_of: String,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) sites: Vec<Site>,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) signals: Vec<Signal>,
    #[serde(default)]
    pub(super) hold: Option<Hold>,
    #[serde(default)]
    pub(super) paused: Option<Paused>,
    #[serde(default, rename = "move")]
    pub(super) moving: Option<Move>,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) leftovers: Vec<Leftover>,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) explanation: Vec<String>,
    /// Of an answer to an order.
    #[serde(default)]
    pub(super) nothing_to_do: bool,
}

impl Group {
    /// The verdict on the site that serves.
    pub(super) fn active_verdict(&self) -> &str {
        self.sites
            .iter()
            .find(|site| site.site == self.active)
            .map_or("unknown", |site| site.verdict.as_str())
    }
}

/// One site.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Site {
    pub(super) site: String,
    pub(super) region: String,
    /// None of a site that is not configured any more and still active.
    #[serde(deserialize_with = "or_empty")]
    pub(super) role: String,
    pub(super) verdict: String,
    #[serde(deserialize_with = "or_empty")]
    pub(super) accounts: Vec<Account>,
}

/// One account.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Account {
    pub(super) service: String,
    pub(super) name: String,
    pub(super) verdict: String,
    pub(super) streak: Option<Streak>,
    pub(super) last_probe: Option<Probe>,
}

/// How often in a row.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Streak {
    pub(super) outcome: String,
    pub(super) rounds: u64,
}

/// The newest probe.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Probe {
    pub(super) at: String,
    pub(super) outcome: String,
    pub(super) latency_ms: Option<f64>,
    pub(super) detail: Option<String>,
}

/// An alert, translated.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Signal {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) site: Option<String>,
    pub(super) region: Option<String>,
    pub(super) service: Option<String>,
    pub(super) is_evidence: Option<bool>,
    pub(super) is_unclear: bool,
    pub(super) why: Option<String>,
    pub(super) stage: Option<String>,
    pub(super) received_at: Option<String>,
    pub(super) expires_at: Option<String>,
}

/// Why it does not move.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Hold {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) until: Option<String>,
}

/// Who paused it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Paused {
    pub(super) by: String,
    pub(super) reason: Option<String>,
    pub(super) until: Option<String>,
}

/// A move, under way or only thought of.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Move {
    pub(super) generation: Option<u64>,
    pub(super) kind: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) cause: String,
    pub(super) started_at: Option<String>,
    pub(super) flipped_at: Option<String>,
    #[serde(deserialize_with = "or_empty")]
    pub(super) steps: Vec<Step>,
}

/// One step of a move.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) state: String,
    pub(super) attempts: u64,
    pub(super) detail: Option<String>,
}

/// What an earlier move left to be stopped on a site that is not active.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Leftover {
    pub(super) site: String,
    pub(super) since: String,
    pub(super) waits_for_recovery: bool,
    #[serde(deserialize_with = "or_empty")]
    pub(super) steps: Vec<Step>,
}

/// What a dry run answers.
#[derive(Debug, Deserialize)]
pub(super) struct DryRun {
    pub(super) would: Option<Move>,
    #[serde(default)]
    pub(super) hold: Option<Hold>,
    #[serde(default)]
    pub(super) overridden: Option<Hold>,
}

/// A page of history.
#[derive(Debug, Deserialize)]
pub(super) struct HistoryPage {
    pub(super) entries: Vec<Entry>,
    #[serde(default)]
    pub(super) next: Option<String>,
}

/// One entry of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Entry {
    pub(super) at: String,
    pub(super) generation: u64,
    pub(super) rule: String,
    pub(super) kind: String,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) actor: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) cause: Option<String>,
    pub(super) forced: bool,
    pub(super) hold: Option<Hold>,
    pub(super) times: Option<Times>,
    #[serde(deserialize_with = "or_empty")]
    pub(super) evidence: Vec<Witness>,
}

/// What was known of one account then.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Witness {
    pub(super) site: String,
    pub(super) service: String,
    pub(super) name: String,
    pub(super) outcome: String,
    pub(super) detail: Option<String>,
}

/// What recovery took.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Times {
    pub(super) first_failed_at: Option<String>,
    pub(super) decided_at: Option<String>,
    pub(super) flipped_at: Option<String>,
    pub(super) completed_at: Option<String>,
}
