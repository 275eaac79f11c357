//! The common alert schema: `data.essentials`, `data.alertContext`, and the rule's custom properties.

use jiff::Timestamp;
use serde_json::Value;

use super::activity_log::{Envelope, from_event, targets};
use super::fields::{find, member, subscription_of, time};
use super::stage::Said;
use super::{samples, stage};
use crate::model::alert::Alert;
use crate::model::signal::{SignalKind, SignalStage};

pub(super) fn read(value: &Value, now: Timestamp) -> Option<Alert> {
    let essentials = value
        .pointer("/data/essentials")
        .filter(|found| found.is_object())?;
    let nothing = Value::Null;
    let context = value.pointer("/data/alertContext").unwrap_or(&nothing);
    let id = member(essentials, &["alertId", "originAlertId", "alertRule"])?;
    let (resources, targeted) = targets(find(essentials, &["alertTargetIDs"]));
    let subscription = targeted.or_else(|| subscription_of(&id));
    let service = member(essentials, &["monitoringService"]).unwrap_or_default();
    let group = custom(value, context, "understudyGroup");
    let site = custom(value, context, "understudySite");
    let fired_at = time(essentials, &["firedDateTime"]);
    let is_sample = samples::is_sample(essentials);
    let spoken = service.replace(' ', "").to_ascii_lowercase();
    if spoken == "servicehealth" || spoken == "resourcehealth" || spoken.starts_with("activitylog")
    {
        let envelope = Envelope {
            id,
            source: Some(service),
            fired_at,
            subscription,
            resources,
            group,
            site,
            is_sample,
        };
        return Some(from_event(context, envelope, now));
    }
    let condition = member(essentials, &["monitorCondition"]).unwrap_or_default();
    let said = stage::of_condition(&condition);
    let resolved_at = time(essentials, &["resolvedDateTime"]).filter(|_| said == Said::Over);
    let is_measured = is_measured(&spoken);
    let mut alert = Alert {
        thread: id.clone(),
        id,
        kind: if is_measured {
            SignalKind::Metric
        } else {
            SignalKind::Other
        },
        stage: SignalStage::Active,
        event_at: resolved_at.or(fired_at).unwrap_or(now),
        received_at: now,
        updated_at: now,
        subscription,
        impacts: Vec::new(),
        resources,
        group,
        site,
        recorded_only: if is_sample {
            Some(samples::WHY.to_owned())
        } else {
            (!is_measured).then(|| format!("an alert of {} is no evidence", named(&service)))
        },
        is_unclear: false,
        unclear_at: None,
    };
    stage::put(&mut alert, said, "monitorCondition", &condition);
    Some(alert)
}

/// Metric, log and Prometheus rules measure something; budgets and smart detection do not speak of an
/// outage.
fn is_measured(service: &str) -> bool {
    matches!(
        service,
        "platform"
            | "loganalytics"
            | "applicationinsights"
            | "logalertsv2"
            | "logalerts"
            | "prometheus"
            | "webtest"
            | "vminsights-health"
    )
}

fn named(service: &str) -> &str {
    if service.is_empty() {
        "an unnamed service"
    } else {
        service
    }
}

/// A custom property of the rule. They stand beside the context, or inside it for older rules; Prometheus
/// rules have labels and annotations instead.
fn custom(value: &Value, context: &Value, key: &str) -> Option<String> {
    let places = [
        value.pointer("/data/customProperties"),
        context.get("properties"),
        context.get("labels"),
        context.get("annotations"),
    ];
    places
        .into_iter()
        .flatten()
        .find_map(|place| member(place, &[key]))
}
