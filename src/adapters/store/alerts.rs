//! Rows of alerts: one per thread of messages, named by it.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;

use super::codec::{
    LAYOUT, LAYOUT_PROPERTY, check_layout, insert_parts, join_parts, object, to_json,
};
use super::rows::{Properties, Row, Write, Written};
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
/// At most this many such transactions are made in one tick.
const REMOVALS: usize = 5;
/// A write that failed this fast is sent once more, after a look that it was not applied; after a slow
/// failure there is no time left to answer in.
const SEND_AGAIN_WITHIN: Duration = Duration::from_secs(1);

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

/// What stands in the store after an alert was taken in.
#[derive(Debug, Clone, PartialEq)]
pub enum Kept {
    /// The message was news; this is what was made of it.
    News(Alert),
    /// The message was a repeat, or older than this.
    Known(Alert),
    /// Nothing was known of its thread, and nothing was to be kept.
    Nothing,
}

pub(super) fn decode(row: &Row) -> Result<AlertRow, String> {
    check_layout(row)?;
    let text = join_parts(row, "alert").ok_or("it has no text property `alert`")?;
    let alert: Alert =
        serde_json::from_str(&text).map_err(|error| format!("`alert` is not an alert: {error}"))?;
    // Copied to another key by hand, it would be a second signal that no resolution ever ends.
    if keys::alert(&alert.thread) != row.key {
        return Err(format!(
            "its key is not that of its thread {}",
            alert.thread
        ));
    }
    Ok(AlertRow {
        alert,
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
        for impact in &mut short.impacts {
            impact.regions.truncate(NAMED);
        }
        short.resources.truncate(NAMED);
        insert_parts(&mut properties, "alert", &to_json(&short)?, ALERT_PARTS);
    }
    Ok(properties)
}

impl Store {
    /// Keeps an alert. `newer` says what to write in view of what is known of its thread; `None` means that
    /// there is nothing to write.
    ///
    /// # Errors
    /// When the store cannot be reached, so that whoever sent the alert must send it again.
    pub async fn keep_alert(
        &self,
        alert: &Alert,
        newer: impl Fn(Option<&Alert>, &Alert) -> Option<Alert> + Send + Sync,
    ) -> Result<Kept, StoreError> {
        let key = keys::alert(&alert.thread);
        let began = Instant::now();
        let mut ours: Option<Alert> = None;
        for attempt in 0..TRIES {
            let row = self.rows.get(&key).await?;
            let known = match row.as_ref().map(decode) {
                Some(Err(problem)) if row.as_ref().is_some_and(super::codec::is_newer) => {
                    return Err(super::unreadable(&key, &problem));
                }
                // A row that is junk tells nothing, and stands in nobody's way.
                None | Some(Err(_)) => None,
                Some(Ok(found)) => Some(found.alert),
            };
            // A write whose fate was not known has landed if the row says now what we meant to write.
            if ours.is_some() && known == ours {
                return Ok(known.map_or(Kept::Nothing, Kept::News));
            }
            let Some(next) = newer(known.as_ref(), alert) else {
                return Ok(known.map_or(Kept::Nothing, Kept::Known));
            };
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
                Ok(Written::Applied(_)) => return Ok(Kept::News(next)),
                Ok(Written::Conflict) => pause(attempt).await,
                Err(error) if ours.is_some() || began.elapsed() > SEND_AGAIN_WITHIN => {
                    return self.fate_of_alert(&key, &next).await?.ok_or(error.into());
                }
                Err(_) => {}
            }
            ours = Some(next);
        }
        Err(StoreError::Unavailable(format!(
            "the row {key} was written by others {TRIES} times in a row"
        )))
    }

    /// Whether a write that got no answer was applied.
    async fn fate_of_alert(&self, key: &str, ours: &Alert) -> Result<Option<Kept>, StoreError> {
        let row = self.rows.get(key).await?;
        let found = row.as_ref().and_then(|row| decode(row).ok());
        Ok(found
            .filter(|found| found.alert == *ours)
            .map(|found| Kept::News(found.alert)))
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
        let outlived: Vec<&AlertRow> = alerts
            .iter()
            .filter(|row| row.alert.updated_at < before)
            .collect();
        for rows in outlived.chunks(REMOVED_AT_ONCE).take(REMOVALS) {
            let removed = rows.iter().map(|row| Write::Delete {
                key: row.key.clone(),
                etag: row.etag.clone(),
            });
            self.rows.transact(removed.collect()).await?;
        }
        Ok(())
    }
}

/// Spreads messages of one thread that collide: up to 20 ms more with each try.
async fn pause(attempt: u32) {
    let limit = 20_u64.saturating_mul(u64::from(attempt) + 1);
    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..limit))).await;
}
