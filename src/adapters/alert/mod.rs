//! Azure Monitor's webhooks, translated: the common alert schema and the older ones become one [`Alert`].
//!
//! Shapes and traps are those of Azure's documentation (`alerts-payload-samples`,
//! `activity-log-alerts-webhook`, `alerts-common-schema`): numbers where other alerts have texts, lists as
//! escaped texts, nulls anywhere. Nothing here fails on a field that it does not need.

mod activity_log;
mod common;
mod fields;
mod older;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::alert::Alert;

/// Why a body is no alert. The text is for whoever set the webhook up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AlertError {
    /// It is no JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// Its schema is not one of Azure Monitor's.
    #[error("{0}")]
    UnknownSchema(String),
}

/// Reads the body of an action group's webhook. `now` is when it arrived.
///
/// # Errors
/// When the body is no JSON, or its schema is not Azure Monitor's.
pub fn read(body: &[u8], now: Timestamp) -> Result<Alert, AlertError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let value: Value =
        serde_json::from_slice(body).map_err(|error| AlertError::NotJson(error.to_string()))?;
    let schema = fields::text(&value, "/schemaId").unwrap_or_default();
    let alert = match schema.to_ascii_lowercase().as_str() {
        "azuremonitorcommonalertschema" => common::read(&value, now),
        "microsoft.insights/activitylogs" => activity_log::read(&value, now),
        "azuremonitormetricalert" => older::metric(&value, now),
        "microsoft.insights/logalert" => older::log(&value, now),
        "aip budget notification" => older::budget(&value, now),
        "" if value.pointer("/context/condition").is_some() => older::classic_metric(&value, now),
        _ => None,
    };
    alert.map(|alert| settle(alert, now)).ok_or_else(|| {
        AlertError::UnknownSchema(if schema.is_empty() {
            "the body is no alert of Azure Monitor: it has no `schemaId`".to_owned()
        } else {
            let known: String = schema.chars().take(80).collect();
            format!(
                "the body is no alert that is understood: its `schemaId` is `{known}`, and `azureMonitorCommonAlertSchema` or `Microsoft.Insights/activityLogs` with their `data` are expected"
            )
        })
    })
}

/// A clock that runs ahead must not make an alert outrank every later one. Two rules that tell of the same
/// thing, and name different groups, are two threads.
fn settle(mut alert: Alert, now: Timestamp) -> Alert {
    alert.event_at = alert.event_at.min(now);
    if let Some(group) = &alert.group {
        let site = alert.site.as_deref().unwrap_or_default();
        alert.thread = format!("{} for {group} {site}", alert.thread)
            .trim_end()
            .to_ascii_lowercase();
    }
    alert
}
