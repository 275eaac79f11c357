//! The store: groups, heartbeats and history as rows of one table, in one partition. `docs/storage.md`
//! describes the layout for people with Storage Explorer.
//!
//! What is known here is what a row means and how an ambiguous write is resolved; how rows reach the
//! table is `rows` and below.

pub mod alerts;
pub mod codec;
mod complaint;
pub mod connection;
pub mod embedded;
pub mod entity;
pub mod heartbeat;
mod history;
mod intake;
mod kept;
pub mod keys;
mod pack;
pub mod rows;
mod sealed;
mod shared;
pub mod table;
mod trouble;
mod unusable;
mod write;

use std::pin::pin;
use std::sync::Arc;

use futures::stream::TryStreamExt;

use crate::adapters::azure::identity::Identity;
use crate::model::deployment::StoreSpec;
use crate::model::name::{GroupName, Vantage};
use alerts::AlertRow;
use codec::GroupRow;
use heartbeat::HeartbeatRow;
pub use history::HistoryPage;
use kept::Kept;
use rows::{Row, RowError, RowStore};
pub use write::pause_before_retry;

/// Characters that are told of what is wrong with a row.
const PROBLEM_LIMIT: usize = 300;

/// Why the store gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Not reached, timed out or throttled: try again.
    #[error("{0}")]
    Unavailable(String),
    /// It refused us: a person must mend something.
    #[error("{0}")]
    Broken(String),
    /// This one row cannot be read: a person must mend it. The others are not harmed.
    #[error("{0}")]
    Unreadable(String),
}

impl StoreError {
    /// Whether the store as a whole gave no answer, and not just one row of it.
    #[must_use]
    pub const fn is_of_the_store(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Broken(_) => true,
            Self::Unreadable(_) => false,
        }
    }
}

impl From<RowError> for StoreError {
    fn from(error: RowError) -> Self {
        match error {
            RowError::Unavailable { .. } => Self::Unavailable(error.to_string()),
            RowError::Refused { .. } => Self::Broken(error.to_string()),
        }
    }
}

/// What became of a conditional write.
#[derive(Debug, Clone, PartialEq)]
pub enum Commit<T> {
    /// It is written; the row as it now stands.
    Done(T),
    /// Someone else wrote first, and nothing of ours was applied.
    Lost,
}

/// A row that could not be read as what its key says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowProblem {
    /// Its key.
    pub key: String,
    /// The group it would belong to, where the key tells.
    pub group: Option<GroupName>,
    /// What is wrong, in one line.
    pub problem: String,
}

/// Everything a tick reads, in one range scan that touches no history.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// When it was asked for: what was written since may be missing.
    pub asked_at: tokio::time::Instant,
    /// The groups' rows.
    pub groups: std::collections::BTreeMap<GroupName, GroupRow>,
    /// The alerts.
    pub alerts: Vec<AlertRow>,
    /// The heartbeats.
    pub heartbeats: Vec<Arc<HeartbeatRow>>,
    /// Rows that could not be read.
    pub problems: Vec<RowProblem>,
}

impl Snapshot {
    /// The heartbeat of one vantage.
    #[must_use]
    pub fn heartbeat(&self, vantage: &Vantage) -> Option<&Arc<HeartbeatRow>> {
        self.heartbeats
            .iter()
            .find(|row| row.beat.vantage == *vantage)
    }

    /// What is wrong with this group's row, if it could not be read.
    #[must_use]
    pub fn problem(&self, group: &GroupName) -> Option<&RowProblem> {
        self.problems
            .iter()
            .find(|problem| problem.group.as_ref() == Some(group))
    }
}

/// The store.
#[derive(Debug, Clone)]
pub struct Store {
    rows: Arc<dyn RowStore>,
    commits: Arc<shared::Shared>,
    kept: Arc<Kept>,
    intake: Arc<intake::Intake>,
}

impl Store {
    /// The store that is configured. Touches neither network nor disk: the first call connects. One
    /// whose settings are wrong refuses every call and says why.
    #[must_use]
    pub fn connect(spec: &StoreSpec, http: &reqwest::Client, identity: &Identity) -> Self {
        let (access, table) = match spec {
            StoreSpec::Embedded { path } => {
                return Self::new(Arc::new(embedded::EmbeddedStore::new(path)));
            }
            StoreSpec::Unusable(reason) => return Self::unusable(reason.clone()),
            StoreSpec::Table { access, table } => (access, table),
        };
        match connection::to(access) {
            Ok(connection) => Self::new(Arc::new(table::TableStore::new(
                connection, table, http, identity,
            ))),
            Err(reason) => Self::unusable(reason),
        }
    }

    /// Whether it is reached over TLS.
    #[must_use]
    pub fn is_over_tls(spec: &StoreSpec) -> bool {
        match spec {
            StoreSpec::Table { access, .. } => connection::to(access)
                .is_ok_and(|connection| connection.endpoint.starts_with("https://")),
            StoreSpec::Embedded { .. } | StoreSpec::Unusable(_) => false,
        }
    }

    fn unusable(reason: String) -> Self {
        Self::new(Arc::new(unusable::Unusable(reason)))
    }

    /// A store over these rows.
    #[must_use]
    pub fn new(rows: Arc<dyn RowStore>) -> Self {
        Self {
            commits: Arc::new(shared::Shared::over(Arc::clone(&rows))),
            kept: Arc::new(Kept::new(rows.etags_tell_all())),
            rows,
            intake: Arc::default(),
        }
    }

    /// Where it is, for people.
    #[must_use]
    pub fn place(&self) -> String {
        self.rows.place()
    }

    /// Reads all state.
    ///
    /// # Errors
    /// When the store cannot be reached or refuses us. Rows that cannot be read are no error.
    pub async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.scan(keys::state_range()).await
    }

    /// Reads the groups' rows alone.
    ///
    /// # Errors
    /// As [`Store::snapshot`].
    pub async fn groups(&self) -> Result<Snapshot, StoreError> {
        self.scan(keys::group_range()).await
    }

    async fn scan(&self, range: (&str, &str)) -> Result<Snapshot, StoreError> {
        let mut snapshot = Snapshot {
            asked_at: tokio::time::Instant::now(),
            groups: std::collections::BTreeMap::new(),
            alerts: Vec::new(),
            heartbeats: Vec::new(),
            problems: Vec::new(),
        };
        let mut pages = pin!(rows::pages(&*self.rows, range, &[]));
        while let Some(rows) = pages.try_next().await? {
            let kept = Arc::clone(&self.kept);
            snapshot = aside(move || {
                for row in rows {
                    match decode(&row, &kept) {
                        Ok(Decoded::Group(group, row)) => {
                            snapshot.groups.insert(group, *row);
                        }
                        Ok(Decoded::Alert(row)) => snapshot.alerts.push(*row),
                        Ok(Decoded::Heartbeat(row)) => snapshot.heartbeats.push(row),
                        Err(problem) => snapshot.problems.push(problem),
                    }
                }
                snapshot
            })
            .await?;
        }
        self.kept.keep_only(&snapshot);
        Ok(snapshot)
    }

    /// Reads one group's row.
    ///
    /// # Errors
    /// When the store cannot be reached, or the row cannot be read.
    pub async fn group(&self, group: &GroupName) -> Result<Option<GroupRow>, StoreError> {
        let key = keys::group(group);
        match self.rows.get(&key).await? {
            None => Ok(None),
            Some(row) => decode_group(&row, &self.kept)
                .map(|(_, row)| Some(row))
                .map_err(|problem| unreadable(&key, &problem)),
        }
    }

    /// Reads one vantage's heartbeat. One that cannot be read is treated as absent, unless a newer
    /// version of Understudy wrote it.
    ///
    /// # Errors
    /// When the store cannot be reached, or the row is of a newer layout.
    pub async fn heartbeat(
        &self,
        vantage: &Vantage,
    ) -> Result<Option<Arc<HeartbeatRow>>, StoreError> {
        let key = keys::heartbeat(vantage);
        let Some(row) = self.rows.get(&key).await? else {
            return Ok(None);
        };
        let (vantage, kept) = (vantage.clone(), Arc::clone(&self.kept));
        aside(move || match decode_heartbeat(&row, &kept) {
            Ok(beat) => Ok(Some(beat)),
            Err(problem) if codec::is_newer(&row) => Err(unreadable(&key, &problem)),
            Err(_) => Ok(Some(Arc::new(heartbeat::blank(&vantage, &row)))),
        })
        .await?
    }
}

/// Work that takes long where groups are many, on a thread of its own: lookups go on meanwhile, also on a
/// machine with one core.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| StoreError::Unavailable(format!("rows could not be worked on: {error}")))
}

enum Decoded {
    Group(GroupName, Box<GroupRow>),
    Heartbeat(Arc<HeartbeatRow>),
    Alert(Box<AlertRow>),
}

fn decode(row: &Row, kept: &Kept) -> Result<Decoded, RowProblem> {
    let group = keys::parse_group(&row.key);
    let decoded = if group.is_some() {
        decode_group(row, kept).map(|(name, row)| Decoded::Group(name, Box::new(row)))
    } else if keys::is_heartbeat(&row.key) {
        decode_heartbeat(row, kept).map(Decoded::Heartbeat)
    } else if keys::is_alert(&row.key) {
        alerts::decode(row).map(|alert| Decoded::Alert(Box::new(alert)))
    } else {
        Err("its key is none of ours".to_owned())
    };
    decoded.map_err(|problem| RowProblem {
        key: row.key.clone(),
        group,
        problem: shortly(&problem),
    })
}

/// A group's row and the name that it bears. A row that was copied to another key by hand would
/// answer for a group that is not its own.
fn decode_group(row: &Row, kept: &Kept) -> Result<(GroupName, GroupRow), String> {
    let name = row.properties.get("group");
    let name = name
        .and_then(serde_json::Value::as_str)
        .map(GroupName::from);
    let known = (name.as_ref()).and_then(|name| kept.state(name, &row.etag));
    let is_known = known.is_some();
    let decoded = codec::decode_group(row, known)?;
    let name = name.ok_or("it has no text property `group`")?;
    if keys::group(&name) != row.key {
        return Err(format!("its key is not that of its `group` {name}"));
    }
    if !is_known {
        kept.keep(&name, &decoded);
    }
    Ok((name, decoded))
}

fn decode_heartbeat(row: &Row, kept: &Kept) -> Result<Arc<HeartbeatRow>, String> {
    if let Some(known) = kept.heartbeat(&row.key, &row.etag) {
        return Ok(known);
    }
    let row = Arc::new(heartbeat::decode(row)?);
    kept.keep_heartbeat(&row);
    Ok(row)
}

fn unreadable(key: &str, problem: &str) -> StoreError {
    let problem = shortly(problem);
    StoreError::Unreadable(format!("the row {key} cannot be read: {problem}"))
}

/// What is wrong with a row, in one line that can be shown: a reader's error repeats what it found, which may
/// be as long as the row.
fn shortly(problem: &str) -> String {
    let letters = problem.chars().filter(|letter| !letter.is_control());
    let mut kept: String = letters.take(PROBLEM_LIMIT).collect();
    if problem.chars().count() > PROBLEM_LIMIT {
        kept.push('…');
    }
    kept
}
