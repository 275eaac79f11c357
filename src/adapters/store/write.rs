//! Writes, and what becomes of one whose fate is not known: it is looked for by its own id.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::codec::{self, GroupRow};
use super::heartbeat::{self, Heartbeat, HeartbeatRow};
use super::rows::{RowError, Write, Written};
use super::{Commit, Store, StoreError, aside, keys};
use crate::model::history::HistoryEntry;
use crate::model::name::GroupName;
use crate::model::state::GroupState;

/// A write that failed this fast is sent once more, after a look that it was not applied: a connection
/// that had gone stale, a server that was busy. After a slow failure the caller has waited enough.
///
/// Sending again is safe: both carry the same ETag (or insert the same keys), so only one can be
/// applied, and both carry the same write id, so that it does not matter which.
const SEND_AGAIN_WITHIN: Duration = Duration::from_secs(2);

/// What a look at the row said of our write.
enum Fate<T> {
    /// Applied; the row as it now stands.
    Ours(T),
    /// Not applied, and nothing else was either.
    Unchanged,
    /// Others wrote.
    Theirs,
}

/// Spreads those that lost a race for one row, so that they do not collide again: up to 20 ms more with each attempt,
/// the first being 0.
pub async fn pause_before_retry(attempt: u32) {
    let limit = 20_u64.saturating_mul(u64::from(attempt) + 1);
    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..limit))).await;
}

impl Store {
    /// Writes a group's next state and its history in one transaction: as an insert where there was
    /// no row, else conditional on the ETag that was read.
    ///
    /// A write whose fate is not known (a timeout, or a conflict that may be our own echo) is resolved
    /// by reading back and looking for our own write id.
    ///
    /// # Errors
    /// When the store cannot be reached and the fate of the write could not be found out either, when
    /// it was found not to be applied, or when the row that is there now cannot be read.
    pub async fn commit(
        &self,
        group: &GroupName,
        before: Option<&GroupRow>,
        next: &GroupState,
        history: &[HistoryEntry],
    ) -> Result<Commit<GroupRow>, StoreError> {
        let write_id = uuid::Uuid::new_v4().simple().to_string();
        let writes = codec::remember(before, &write_id);
        let mut batch = vec![conditional(
            keys::group(group),
            before.map(|row| row.etag.as_str()),
            codec::encode_group(group, next, &writes)?,
        )];
        for (index, entry) in history.iter().enumerate() {
            batch.push(Write::Insert {
                key: keys::history(group, entry.at, index, &write_id),
                properties: codec::encode_history(group, entry)?,
            });
        }
        let began = Instant::now();
        for is_last in [false, true] {
            let unknown = match self.commits.transact(batch.clone()).await {
                Ok(Written::Applied(etags)) => {
                    let row = GroupRow {
                        state: Arc::new(next.clone()),
                        etag: etags.into_iter().next().unwrap_or_default(),
                        writes,
                    };
                    self.kept.keep(group, &row);
                    return Ok(Commit::Done(row));
                }
                Err(error @ RowError::Refused { .. }) => return Err(error.into()),
                Ok(Written::Conflict) => None,
                Err(error @ RowError::Unavailable { .. }) => Some(error),
            };
            match (self.fate(group, before, &write_id).await?, unknown) {
                (Fate::Ours(row), _) => return Ok(Commit::Done(row)),
                (Fate::Theirs, _) | (Fate::Unchanged, None) => return Ok(Commit::Lost),
                (Fate::Unchanged, Some(error)) => {
                    if is_last || began.elapsed() > SEND_AGAIN_WITHIN {
                        return Err(error.into());
                    }
                }
            }
        }
        Ok(Commit::Lost)
    }

    async fn fate(
        &self,
        group: &GroupName,
        before: Option<&GroupRow>,
        write_id: &str,
    ) -> Result<Fate<GroupRow>, StoreError> {
        Ok(match self.group(group).await? {
            Some(row) if row.writes.iter().any(|write| write == write_id) => Fate::Ours(row),
            now if now.as_ref().map(|row| &row.etag) == before.map(|row| &row.etag) => {
                Fate::Unchanged
            }
            _ => Fate::Theirs,
        })
    }

    /// Writes a vantage's heartbeat, conditional on the row that was read.
    ///
    /// A conflict is taken for a lost race without another look: were it our own echo, the caller would
    /// fold the same rounds onto a row that has them, and a round is folded once by its start time. A
    /// write that got no answer is looked for, so that a tick does not fail for one that was applied.
    ///
    /// # Errors
    /// When the store cannot be reached, or the heartbeat is too large for one row.
    pub async fn beat(
        &self,
        before: Option<&HeartbeatRow>,
        next: Heartbeat,
    ) -> Result<Commit<Arc<HeartbeatRow>>, StoreError> {
        let key = keys::heartbeat(&next.vantage);
        let write_id = uuid::Uuid::new_v4().simple().to_string();
        let etag = before.map(|row| row.etag.as_str());
        let id = write_id.clone();
        let (next, encoded) = aside(move || {
            let encoded = heartbeat::encode(&next, &id);
            (next, encoded)
        })
        .await?;
        let (properties, is_whole) = encoded?;
        let write = conditional(key.clone(), etag, properties);
        let began = Instant::now();
        for is_last in [false, true] {
            let error = match self.rows.transact(vec![write.clone()]).await {
                Ok(Written::Applied(etags)) => {
                    let etag = etags.into_iter().next().unwrap_or_default();
                    return Ok(self.beaten(next, etag, is_whole));
                }
                Ok(Written::Conflict) => return Ok(Commit::Lost),
                Err(error @ RowError::Refused { .. }) => return Err(error.into()),
                Err(error @ RowError::Unavailable { .. }) => error,
            };
            match self.fate_of_beat(&key, etag, &write_id).await? {
                Fate::Ours(etag) => return Ok(self.beaten(next, etag, is_whole)),
                Fate::Theirs => return Ok(Commit::Lost),
                Fate::Unchanged => {
                    if is_last || began.elapsed() > SEND_AGAIN_WITHIN {
                        return Err(error.into());
                    }
                }
            }
        }
        Ok(Commit::Lost)
    }

    /// What was written. It is kept only where the row says as much: all processes must see the same.
    fn beaten(&self, beat: Heartbeat, etag: String, is_whole: bool) -> Commit<Arc<HeartbeatRow>> {
        let row = Arc::new(HeartbeatRow { beat, etag });
        if is_whole {
            self.kept.keep_heartbeat(&row);
        }
        Commit::Done(row)
    }

    async fn fate_of_beat(
        &self,
        key: &str,
        before: Option<&str>,
        write_id: &str,
    ) -> Result<Fate<String>, StoreError> {
        let now = self.rows.get(key).await?;
        let written = now
            .as_ref()
            .and_then(|row| row.properties.get(heartbeat::WRITE))
            .and_then(Value::as_str);
        Ok(if written == Some(write_id) {
            Fate::Ours(now.map(|row| row.etag).unwrap_or_default())
        } else if now.as_ref().map(|row| row.etag.as_str()) == before {
            Fate::Unchanged
        } else {
            Fate::Theirs
        })
    }
}

fn conditional(key: String, etag: Option<&str>, properties: super::rows::Properties) -> Write {
    match etag {
        None => Write::Insert { key, properties },
        Some(etag) => Write::Replace {
            key,
            etag: etag.to_owned(),
            properties,
        },
    }
}
