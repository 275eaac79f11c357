//! Reading history. Keys sort newest first, but no answer's order is relied on (Azure Cosmos DB for
//! Table promises none): a reader lists keys, which are small, chooses, and then reads what it chose.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use futures::StreamExt;
use serde_json::Value;

use super::rows::Row;
use super::{Store, StoreError, codec, keys, unreadable};
use crate::model::history::HistoryEntry;
use crate::model::name::GroupName;

/// Groups that are asked for one by one at the same time.
const READS_AT_ONCE: usize = 32;
/// What tells which entry is the newest without reading it.
const COLUMNS: [&str; 2] = ["generation", codec::LAYOUT_PROPERTY];

/// Some of a group's history.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HistoryPage {
    /// Newest first, each with its key.
    pub entries: Vec<(String, HistoryEntry)>,
    /// The key after which the next page begins, if there is more.
    pub next: Option<String>,
}

impl Store {
    /// A group's whole history, newest first, with the key of each entry as a place to go on from.
    ///
    /// # Errors
    /// When the store cannot be reached. Entries that cannot be read are logged and left out.
    pub async fn history(
        &self,
        group: &GroupName,
    ) -> Result<Vec<(String, HistoryEntry)>, StoreError> {
        let (from, to) = keys::history_range(group);
        Ok(readable(group, self.rows.scan(&from, &to).await?))
    }

    /// At most `top` entries after this key (from the newest without one). A key of another group,
    /// see [`keys::is_history`], gives an empty page.
    ///
    /// # Errors
    /// When the store cannot be reached. Entries that cannot be read are logged and left out, so that a
    /// page may hold fewer although there is a next one.
    pub async fn history_page(
        &self,
        group: &GroupName,
        after: Option<&str>,
        top: usize,
    ) -> Result<HistoryPage, StoreError> {
        let (first, to) = keys::history_range(group);
        let from = match after {
            None => first,
            Some(key) if keys::is_history(group, key) && key < to.as_str() => keys::after(key),
            Some(_) => return Ok(HistoryPage::default()),
        };
        let rows = self.rows.list(&from, &to, &COLUMNS).await?;
        let keys = rows.into_iter().map(|row| row.key);
        let mut listed: Vec<String> = keys.filter(|key| keys::is_history(group, key)).collect();
        listed.sort_unstable();
        let has_more = listed.len() > top;
        listed.truncate(top);
        let Some(last) = listed.pop() else {
            return Ok(HistoryPage::default());
        };
        let rows = self.rows.scan(&from, &keys::after(&last)).await?;
        Ok(HistoryPage {
            entries: readable(group, rows),
            next: has_more.then_some(last),
        })
    }

    /// The newest entry of a group: of those of the highest generation the latest. From this a row
    /// that has vanished is rebuilt, so clocks that disagree must not make the generation fall.
    ///
    /// # Errors
    /// When the store cannot be reached, or a newer version of Understudy wrote that entry.
    pub async fn newest_entry(
        &self,
        group: &GroupName,
    ) -> Result<Option<HistoryEntry>, StoreError> {
        let (from, to) = keys::history_range(group);
        let rows = self.rows.list(&from, &to, &COLUMNS).await?;
        self.newest_of(group, rows).await
    }

    /// [`Store::newest_entry`] of many groups whose rows are missing: one request where history is
    /// short (so for any number of groups of a new deployment), else one or two per group. Groups
    /// without history are left out; an entry that cannot be read is that group's own error.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub async fn newest_entries(
        &self,
        groups: &[GroupName],
    ) -> Result<BTreeMap<GroupName, Result<HistoryEntry, StoreError>>, StoreError> {
        if groups.is_empty() {
            return Ok(BTreeMap::new());
        }
        let first = self.rows.page(keys::all_history(), &COLUMNS, None).await?;
        let by_key: Option<BTreeMap<String, Row>> = first.next.is_none().then(|| {
            first
                .rows
                .into_iter()
                .map(|row| (row.key.clone(), row))
                .collect()
        });
        let read = |group: &GroupName| {
            let own: Option<Vec<Row>> = by_key.as_ref().map(|rows| {
                let (from, to) = keys::history_range(group);
                rows.range(from..to).map(|(_, row)| row.clone()).collect()
            });
            let group = group.clone();
            async move {
                let newest = match own {
                    Some(rows) => self.newest_of(&group, rows).await,
                    None => self.newest_entry(&group).await,
                };
                (group, newest)
            }
        };
        let reading: Vec<_> = groups.iter().map(read).collect();
        let mut found = futures::stream::iter(reading).buffer_unordered(READS_AT_ONCE);
        let mut entries = BTreeMap::new();
        while let Some((group, newest)) = found.next().await {
            match newest {
                Ok(None) => {}
                Ok(Some(entry)) => {
                    entries.insert(group, Ok(entry));
                }
                Err(error @ StoreError::Unavailable(_)) => return Err(error),
                Err(error @ (StoreError::Broken(_) | StoreError::Unreadable(_))) => {
                    entries.insert(group, Err(error));
                }
            }
        }
        Ok(entries)
    }

    async fn newest_of(
        &self,
        group: &GroupName,
        listed: Vec<Row>,
    ) -> Result<Option<HistoryEntry>, StoreError> {
        let mut listed = listed;
        listed.sort_by_cached_key(|row| {
            let generation = codec::count(row, "generation").unwrap_or_default();
            (Reverse(generation), row.key.clone())
        });
        for row in listed {
            let Some(row) = self.rows.get(&row.key).await? else {
                continue;
            };
            match decode(group, &row) {
                Ok(entry) => return Ok(Some(entry)),
                // What an older one says would let the generation fall.
                Err(problem) if codec::is_newer(&row) => {
                    return Err(unreadable(&row.key, &problem));
                }
                Err(problem) => tracing::warn!("{}", unreadable(&row.key, &problem)),
            }
        }
        Ok(None)
    }
}

/// An entry of this group. One that was copied here by hand, or bears a key that no page can begin after,
/// tells nothing of it.
fn decode(group: &GroupName, row: &Row) -> Result<HistoryEntry, String> {
    let entry = codec::decode_history(row)?;
    if !keys::is_history(group, &row.key) {
        return Err("its key is none of ours".to_owned());
    }
    match row.properties.get("group").and_then(Value::as_str) {
        Some(other) if other != group.as_str() => Err(format!("it is an entry of {other}")),
        Some(_) | None => Ok(entry),
    }
}

fn readable(group: &GroupName, rows: Vec<Row>) -> Vec<(String, HistoryEntry)> {
    let mut rows = rows;
    rows.sort_by(|one, other| one.key.cmp(&other.key));
    rows.into_iter()
        .filter_map(|row| match decode(group, &row) {
            Ok(entry) => Some((row.key, entry)),
            Err(problem) => {
                tracing::warn!("{}", unreadable(&row.key, &problem));
                None
            }
        })
        .collect()
}
