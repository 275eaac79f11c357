//! Rows of alerts: one per thread of messages, named by it.

use jiff::Timestamp;
use serde_json::json;

use super::codec::{
    LAYOUT, LAYOUT_PROPERTY, check_layout, insert_parts, join_parts, object, to_json,
};
use super::rows::{Properties, Row, RowError, Write, Written};
use super::{Store, StoreError, keys};
use crate::model::alert::Alert;

/// After losing this many races on one alert's row something else is wrong.
const TRIES: u32 = 8;
/// Properties that one alert's text may take.
const ALERT_PARTS: usize = 10;
/// Services or resources that are kept of an alert that is too large.
const NAMED: usize = 16;
/// At most this many outlived rows are removed in one transaction (the limit of Table Storage).
const REMOVED_AT_ONCE: usize = 100;

/// An alert as read.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRow {
    /// What it says.
    pub alert: Alert,
    /// Its key.
    pub key: String,
    /// Its version in the store.
    pub etag: String,
}

pub(super) fn decode(row: &Row) -> Result<AlertRow, String> {
    check_layout(row)?;
    let text = join_parts(row, "alert").ok_or("it has no text property `alert`")?;
    Ok(AlertRow {
        alert: serde_json::from_str(&text)
            .map_err(|error| format!("`alert` is not an alert: {error}"))?,
        key: row.key.clone(),
        etag: row.etag.clone(),
    })
}

/// An alert's row. One that names more than a row holds keeps the first of what it names.
fn encode(alert: &Alert) -> Result<Properties, StoreError> {
    let mut properties = object(json!({
        LAYOUT_PROPERTY: LAYOUT,
        "alertId": alert.id,
        "stage": alert.stage,
        "eventAt": alert.event_at,
        "updatedAt": alert.updated_at,
    }));
    if !insert_parts(&mut properties, "alert", &to_json(alert)?, ALERT_PARTS) {
        let mut short = alert.clone();
        short.impacts.truncate(NAMED);
        short.resources.truncate(NAMED);
        insert_parts(&mut properties, "alert", &to_json(&short)?, ALERT_PARTS);
    }
    Ok(properties)
}

impl Store {
    /// Keeps an alert. `newer` says what to write in view of what is known of its thread; `None` means that
    /// the message is a repeat, and nothing is written.
    ///
    /// # Errors
    /// When the store cannot be reached, so that whoever sent the alert must send it again.
    pub async fn keep_alert(
        &self,
        alert: &Alert,
        newer: impl Fn(Option<&Alert>, &Alert) -> Option<Alert> + Send + Sync,
    ) -> Result<(), StoreError> {
        let key = keys::alert(&alert.thread);
        let mut unresolved: Option<RowError> = None;
        for _ in 0..TRIES {
            let row = self.rows.get(&key).await?;
            let known = match row.as_ref().map(decode) {
                Some(Err(problem)) if row.as_ref().is_some_and(super::codec::is_newer) => {
                    return Err(super::unreadable(&key, &problem));
                }
                // A row that is junk tells nothing, and stands in nobody's way.
                None | Some(Err(_)) => None,
                Some(Ok(found)) => Some(found.alert),
            };
            // A write whose fate was not known has landed if the row now says at least as much as ours.
            let Some(next) = newer(known.as_ref(), alert) else {
                return Ok(());
            };
            if let Some(error) = unresolved {
                return Err(error.into());
            }
            let properties = encode(&next)?;
            let write = match row {
                None => Write::Insert {
                    key: key.clone(),
                    properties,
                },
                Some(row) => Write::Replace {
                    key: key.clone(),
                    etag: row.etag,
                    properties,
                },
            };
            match self.rows.transact(vec![write]).await {
                Ok(Written::Applied(_)) => return Ok(()),
                Ok(Written::Conflict) => {}
                Err(error) => unresolved = Some(error),
            }
        }
        Err(StoreError::Unavailable(format!(
            "the row {key} was written by others {TRIES} times in a row"
        )))
    }

    /// Every alert that is kept.
    ///
    /// # Errors
    /// When the store cannot be reached. Rows that cannot be read are left out.
    pub async fn alerts(&self) -> Result<Vec<AlertRow>, StoreError> {
        let (from, to) = keys::alert_range();
        let rows = self.rows.scan(from, to).await?;
        Ok(rows.iter().filter_map(|row| decode(row).ok()).collect())
    }

    /// Removes alerts that nobody believes any more, unless they have changed meanwhile.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub async fn forget_alerts(
        &self,
        alerts: &[AlertRow],
        before: Timestamp,
    ) -> Result<(), StoreError> {
        let outlived: Vec<Write> = alerts
            .iter()
            .filter(|row| row.alert.updated_at < before)
            .take(REMOVED_AT_ONCE)
            .map(|row| Write::Delete {
                key: row.key.clone(),
                etag: row.etag.clone(),
            })
            .collect();
        if !outlived.is_empty() {
            self.rows.transact(outlived).await?;
        }
        Ok(())
    }
}
