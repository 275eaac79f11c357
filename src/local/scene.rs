//! What one look at the demo's app and its simulated Azure sees: the parts of the HTTP API's answers that are told.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

/// One look at the app.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scene {
    /// When the look was taken.
    pub at: Timestamp,
    /// Where the app is: `http://127.0.0.1:7071`.
    pub base: String,
    /// `groups/{group}`, if it was answered.
    pub group: Option<Group>,
    /// `groups/{group}/active`, if it was answered.
    pub lookup: Option<Lookup>,
    /// `groups/{group}/history`, newest first; taken last, so that it is not older than the others.
    pub history: Vec<Entry>,
    /// What can be started and stopped in the simulated Azure, and how it stands there.
    pub outside: Vec<Part>,
}

/// A streaming endpoint or a live event as it is, whatever the app knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The site that it is on.
    pub site: String,
    /// Its account's name.
    pub account: String,
    /// `streaming endpoint default`.
    pub name: String,
    /// `Stopped`, `Starting`, `Running` or `Stopping`, as Azure writes it.
    pub state: &'static str,
}

/// A group, as far as the story needs it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Group {
    /// Its name.
    pub group: String,
    /// Counts its moves.
    pub generation: u64,
    /// The active site.
    pub active: String,
    /// In configured order.
    pub sites: Vec<Site>,
    /// Why a move that is asked for is not made now.
    pub hold: Option<Hold>,
    /// The move under way.
    #[serde(rename = "move")]
    pub moving: Option<Move>,
    /// What earlier moves left to be stopped.
    pub leftovers: Vec<Leftover>,
}

/// A move under way.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Move {
    /// Its own id.
    pub id: String,
    /// The generation that its flip gives, or gave.
    pub generation: u64,
    /// `failover`, `switchover` or `failback`.
    pub kind: String,
    /// The site that is left.
    pub from: String,
    /// The site that becomes active.
    pub to: String,
    /// Null while the target is prepared.
    pub flipped_at: Option<Timestamp>,
    /// Its steps.
    pub steps: Vec<Step>,
}

/// What a move left to be stopped on a site that is not active.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Leftover {
    /// The site.
    pub site: String,
    /// Its steps; none before the site is well again.
    pub steps: Vec<Step>,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Step {
    /// `start streaming endpoint default`.
    pub name: String,
    /// `waiting`, `running`, `done` or `failed`.
    pub state: String,
    /// How often it was begun.
    pub attempts: u64,
    /// How it stands, or the last error.
    pub detail: Option<String>,
}

/// A site.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Site {
    /// Its name.
    pub site: String,
    /// `primary` or `secondary`.
    pub role: String,
    /// Its verdict.
    pub verdict: String,
    /// Its accounts.
    pub accounts: Vec<Account>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Account {
    /// `videoIndexer`, `mediaServices` or `http`.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Its verdict.
    pub verdict: String,
    /// Equal outcomes in a row.
    pub streak: Option<Streak>,
    /// The newest probe.
    pub last_probe: Option<Probe>,
}

/// Equal outcomes in a row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Streak {
    /// The outcome.
    pub outcome: String,
    /// How many.
    pub rounds: u64,
}

/// A probe.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Probe {
    /// When it began.
    pub at: String,
    /// What came of it.
    pub outcome: String,
    /// What it took.
    pub latency_ms: Option<u64>,
    /// More about it.
    pub detail: Option<String>,
}

/// A hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Hold {
    /// Its name.
    pub code: String,
    /// In words.
    pub message: String,
    /// Until when, where that is known.
    pub until: Option<Timestamp>,
}

/// A lookup's answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Lookup {
    /// The generation.
    pub generation: u64,
    /// The active site.
    pub site: String,
    /// False from a flip until what serves is started.
    pub ready: bool,
    /// The active site's accounts.
    pub accounts: LookupAccounts,
}

/// The accounts of a lookup's answer, as far as the story needs them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LookupAccounts {
    /// The Media Services account.
    pub media_services: Option<MediaServices>,
}

/// The Media Services account of a lookup's answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MediaServices {
    /// The hosts by the names of their streaming endpoints, as far as they are known.
    pub streaming_hosts: BTreeMap<String, String>,
}

/// A page of history.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct History {
    /// Newest first.
    pub entries: Vec<Entry>,
}

/// An entry of the history.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Entry {
    /// When.
    pub at: String,
    /// The generation then.
    pub generation: u64,
    /// The rule that decided.
    pub rule: String,
    /// What kind of entry.
    pub kind: String,
    /// Of a move: from where.
    pub from: Option<String>,
    /// Of a move: to where.
    pub to: Option<String>,
    /// Who.
    pub actor: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// What held it, of a refusal.
    pub hold: Option<Hold>,
    /// What recovery took.
    pub times: Option<Times>,
}

/// What recovery took.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Times {
    /// The first failed probe.
    pub first_failed_at: Option<Timestamp>,
    /// The flip of the record.
    pub flipped_at: Option<Timestamp>,
    /// The last step's end.
    pub completed_at: Option<Timestamp>,
}
