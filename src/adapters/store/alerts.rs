//! Rows of alerts: one per thread of messages, named by it.

use jiff::Timestamp;
use serde_json::json;

use super::codec::{
    LAYOUT, LAYOUT_PROPERTY, check_layout, insert_parts, join_parts, object, to_json,
};
use super::rows::{Properties, Row, Write};
use super::{Store, StoreError, keys};
use crate::model::alert::Alert;

/// Properties that one alert's text may take.
const ALERT_PARTS: usize = 10;
/// Services or resources that are kept of an alert that is too large.
const NAMED: usize = 16;
/// At most this many outlived rows are removed in one transaction (the limit of Table Storage).
const REMOVED_AT_ONCE: usize = 100;
/// At most this many such transactions are made in one tick.
const REMOVALS: usize = 5;
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
pub(super) fn encode(alert: &Alert) -> Result<Properties, StoreError> {
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
        newer: impl Fn(Option<&Alert>, &Alert) -> Option<Alert> + Send + Sync + 'static,
    ) -> Result<Kept, StoreError> {
        self.intake.keep(&self.rows, alert, Box::new(newer)).await
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
