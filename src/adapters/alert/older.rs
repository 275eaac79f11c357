//! The schemas from before the common one: metric, classic metric, log search, budget.

use jiff::Timestamp;
use serde_json::Value;

use super::fields::{member, subscription_of, time};
use super::{samples, stage};
use crate::model::alert::Alert;
use crate::model::signal::{SignalKind, SignalStage};

/// `AzureMonitorMetricAlert`: `data.status`, `data.context`, `data.properties`.
pub(super) fn metric(value: &Value, now: Timestamp) -> Option<Alert> {
    let data = value.get("data")?;
    from_metric(
        member(data, &["status"]),
        data.get("context")?,
        data.get("properties"),
        now,
    )
}

/// The classic metric alert, which has no `schemaId` and no `data`.
pub(super) fn classic_metric(value: &Value, now: Timestamp) -> Option<Alert> {
    from_metric(
        member(value, &["status"]),
        value.get("context")?,
        value.get("properties"),
        now,
    )
}

fn from_metric(
    status: Option<String>,
    context: &Value,
    properties: Option<&Value>,
    now: Timestamp,
) -> Option<Alert> {
    let resource = member(context, &["resourceId"]);
    let rule = member(context, &["id", "name"])?;
    let custom = |key: &str| properties.and_then(|found| member(found, &[key]));
    let status = status.unwrap_or_default();
    // Firing and recovery carry the rule's id and no id of their own.
    let id = format!("{rule} {}", resource.as_deref().unwrap_or_default());
    let resources: Vec<String> = resource.clone().into_iter().collect();
    let name = member(context, &["name"]).unwrap_or_default();
    let is_sample = samples::is_rule(&name, &resources);
    let mut alert = Alert {
        thread: id.trim().to_ascii_lowercase(),
        id: rule,
        kind: SignalKind::Metric,
        stage: SignalStage::Active,
        event_at: time(context, &["timestamp"]).unwrap_or(now),
        received_at: now,
        updated_at: now,
        subscription: member(context, &["subscriptionId"])
            .or_else(|| resource.as_deref().and_then(subscription_of)),
        impacts: Vec::new(),
        resources,
        group: custom("understudyGroup"),
        site: custom("understudySite"),
        recorded_only: is_sample.then(|| samples::WHY.to_owned()),
        is_unclear: false,
        unclear_at: None,
    };
    let said = stage::of_condition(&status);
    stage::put(&mut alert, said, "status", &status);
    Some(alert)
}

/// `Microsoft.Insights/LogAlert`: flat, stateless, with the workspace as its resource.
pub(super) fn log(value: &Value, now: Timestamp) -> Option<Alert> {
    let data = value.get("data")?;
    let rule = member(data, &["AlertRuleName"])?;
    let subscription = member(data, &["SubscriptionId"]);
    let resource = member(data, &["ResourceId"]);
    // Two subscriptions may have rules of one name.
    let place = resource.clone().or_else(|| subscription.clone());
    let thread = format!("log {rule} {}", place.unwrap_or_default());
    let resources: Vec<String> = resource.into_iter().collect();
    let is_sample = samples::is_rule(&rule, &resources);
    Some(Alert {
        thread: thread.trim().to_ascii_lowercase(),
        id: rule,
        kind: SignalKind::Metric,
        stage: SignalStage::Active,
        event_at: time(data, &["SearchIntervalEndtimeUtc"]).unwrap_or(now),
        received_at: now,
        updated_at: now,
        subscription,
        impacts: Vec::new(),
        resources,
        group: member(data, &["understudyGroup"]),
        site: member(data, &["understudySite"]),
        recorded_only: is_sample.then(|| samples::WHY.to_owned()),
        is_unclear: false,
        unclear_at: None,
    })
}

/// A budget's notification, which is never evidence.
pub(super) fn budget(value: &Value, now: Timestamp) -> Option<Alert> {
    let data = value.get("data")?;
    let id = member(data, &["BudgetId", "BudgetName"])?;
    Some(Alert {
        thread: id.clone(),
        id,
        kind: SignalKind::Other,
        stage: SignalStage::Active,
        event_at: now,
        received_at: now,
        updated_at: now,
        subscription: member(data, &["SubscriptionId"]),
        impacts: Vec::new(),
        resources: Vec::new(),
        group: None,
        site: None,
        recorded_only: Some("a budget alert is no evidence".to_owned()),
        is_unclear: false,
        unclear_at: None,
    })
}
