//! Azure Monitor's webhooks, translated: the common alert schema and the older ones become one [`Alert`].
//!
//! Shapes and traps are those of Azure's documentation (`alerts-payload-samples`,
//! `activity-log-alerts-webhook`, `alerts-common-schema`): numbers where other alerts have texts, lists as
//! escaped texts, nulls anywhere. Nothing here fails on a field that it does not need.

mod activity_log;
mod common;
mod fields;
mod older;
mod samples;
mod stage;

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
    /// Its schema is known, and what such an alert must have is not there.
    #[error(
        "the body has the `schemaId` {schema}, but not what an alert of that schema has: {missing} is missing"
    )]
    Incomplete {
        /// The schema as it was named.
        schema: String,
        /// Which part, in code marks.
        missing: &'static str,
    },
}

/// How one schema is read, and what no alert of it can be without.
struct Schema {
    /// Its `schemaId`; the case does not matter.
    name: &'static str,
    read: fn(&Value, Timestamp) -> Option<Alert>,
    needs: &'static str,
}

const SCHEMAS: &[Schema] = &[
    Schema {
        name: "azureMonitorCommonAlertSchema",
        read: common::read,
        needs: "`data.essentials` with an `alertId`",
    },
    Schema {
        name: "Microsoft.Insights/activityLogs",
        read: activity_log::read,
        needs: "`data.context.activityLog`",
    },
    Schema {
        name: "AzureMonitorMetricAlert",
        read: older::metric,
        needs: "`data.context` with an `id`",
    },
    Schema {
        name: "Microsoft.Insights/LogAlert",
        read: older::log,
        needs: "`data` with an `AlertRuleName`",
    },
    Schema {
        name: "AIP Budget Notification",
        read: older::budget,
        needs: "`data` with a `BudgetName`",
    },
];

/// Reads the body of an action group's webhook. `now` is when it arrived.
///
/// # Errors
/// When the body is no JSON, its schema is not Azure Monitor's, or it lacks what its schema cannot be without.
pub fn read(body: &[u8], now: Timestamp) -> Result<Alert, AlertError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let value: Value =
        serde_json::from_slice(body).map_err(|error| AlertError::NotJson(error.to_string()))?;
    let schema = fields::text(&value, "/schemaId").unwrap_or_default();
    let alert = if let Some(known) = SCHEMAS
        .iter()
        .find(|known| known.name.eq_ignore_ascii_case(&schema))
    {
        (known.read)(&value, now).ok_or(AlertError::Incomplete {
            missing: known.needs,
            schema,
        })?
    } else if schema.is_empty() && value.pointer("/context/condition").is_some() {
        older::classic_metric(&value, now).ok_or_else(|| unknown(&schema))?
    } else {
        return Err(unknown(&schema));
    };
    Ok(settle(alert, now))
}

/// Where the messages of these schemas hold the event's own time.
const TIMES: &[(&str, &str)] = &[
    ("/data/essentials", "firedDateTime"),
    ("/data/essentials", "resolvedDateTime"),
    ("/data/alertContext", "eventTimestamp"),
    ("/data/context/activityLog", "eventTimestamp"),
];

/// The event's times in a body that was understood, which are there and are no times: when the message came in
/// counts instead. In sentences for whoever sent it.
#[must_use]
pub fn unread_times(body: &[u8]) -> Vec<String> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let unread = |(place, key): &(&str, &str)| {
        let place = value.pointer(place)?;
        let text = fields::member(place, &[key])?;
        let is_read = fields::time(place, &[key]).is_some();
        (!is_read).then(|| {
            let text: String = (text.chars().filter(|letter| !letter.is_control()))
                .take(80)
                .collect();
            format!("the {key} `{text}` is no time: when the message came in counts instead")
        })
    };
    TIMES.iter().filter_map(unread).collect()
}

fn unknown(schema: &str) -> AlertError {
    let known: Vec<String> = SCHEMAS
        .iter()
        .map(|schema| format!("`{}`", schema.name))
        .collect();
    let known = known.join(", ");
    AlertError::UnknownSchema(if schema.is_empty() {
        format!(
            "the body is no alert of Azure Monitor: it has no `schemaId`, which is one of {known}"
        )
    } else {
        let named: String = schema
            .chars()
            .filter(|letter| !letter.is_control())
            .take(80)
            .collect();
        format!(
            "the body is no alert that is understood: its `schemaId` is `{named}`, and not one of {known}"
        )
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
