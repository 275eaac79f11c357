//! Alerts on the activity log: Service Health, Resource Health, and everything else that is only recorded.
//! Both schemas carry the same event, so both are read here once its fields are at hand.

use jiff::Timestamp;
use serde_json::Value;

use super::fields::{find, list, long_text, member, subscription_of, text, texts, time};
use super::{samples, stage};
use crate::model::alert::{Alert, Impact};
use crate::model::signal::{SignalKind, SignalStage};

/// The older schema: `data.context.activityLog`.
pub(super) fn read(value: &Value, now: Timestamp) -> Option<Alert> {
    let event = value.pointer("/data/context/activityLog")?;
    let properties = value.pointer("/data/properties").unwrap_or(&Value::Null);
    let resource = member(event, &["resourceId"]);
    let alert_id = member(event, &["eventDataId", "correlationId", "operationId"])
        .or_else(|| resource.clone())
        .unwrap_or_else(|| "activityLog".to_owned());
    Some(from_event(
        event,
        Envelope {
            id: alert_id,
            source: member(event, &["eventSource"]),
            fired_at: None,
            subscription: member(event, &["subscriptionId"])
                .or_else(|| resource.as_deref().and_then(subscription_of)),
            resources: resource.iter().cloned().collect(),
            group: member(properties, &["understudyGroup"]),
            site: member(properties, &["understudySite"]),
            is_sample: samples::is_event(event, resource.as_slice()),
        },
        now,
    ))
}

/// What stands around the event, which differs between the two schemas.
pub(super) struct Envelope {
    /// The alert's own id.
    pub id: String,
    /// Which monitoring service it comes from.
    pub source: Option<String>,
    /// When the alert fired, where the event has no time of its own.
    pub fired_at: Option<Timestamp>,
    /// The subscription.
    pub subscription: Option<String>,
    /// The resources.
    pub resources: Vec<String>,
    /// The rule's custom property.
    pub group: Option<String>,
    /// The rule's custom property.
    pub site: Option<String>,
    /// Whether it is a sample of the portal's.
    pub is_sample: bool,
}

/// One event of the activity log.
pub(super) fn from_event(event: &Value, envelope: Envelope, now: Timestamp) -> Alert {
    let source = envelope.source.clone().unwrap_or_default().replace(' ', "");
    let mut alert = Alert {
        thread: envelope.id.clone(),
        id: envelope.id,
        kind: SignalKind::Other,
        stage: SignalStage::Active,
        event_at: time(event, &["eventTimestamp", "submissionTimestamp"])
            .or(envelope.fired_at)
            .unwrap_or(now),
        received_at: now,
        updated_at: now,
        subscription: envelope.subscription,
        impacts: Vec::new(),
        resources: envelope.resources,
        group: envelope.group,
        site: envelope.site,
        recorded_only: envelope.is_sample.then(|| samples::WHY.to_owned()),
        is_unclear: false,
        unclear_at: None,
    };
    let operation = member(event, &["operationName"]).unwrap_or_default();
    let operation = operation.to_ascii_lowercase();
    if source.eq_ignore_ascii_case("servicehealth")
        || operation.starts_with("microsoft.servicehealth/")
    {
        service_health(event, &mut alert);
    } else if source.eq_ignore_ascii_case("resourcehealth")
        || operation.starts_with("microsoft.resourcehealth/")
    {
        resource_health(event, &mut alert);
    } else {
        let category = envelope.source.as_deref().unwrap_or("unknown");
        alert.recorded_only.get_or_insert_with(|| {
            format!("an activity log alert of category {category} is no evidence")
        });
    }
    alert
}

fn service_health(event: &Value, alert: &mut Alert) {
    let properties = event.get("properties").unwrap_or(&Value::Null);
    alert.kind = SignalKind::ServiceHealth;
    // The targets of a Service Health alert are subscriptions.
    alert.resources.clear();
    if let Some(tracking) = member(properties, &["trackingId"]) {
        alert.thread = tracking.clone();
        alert.id = tracking;
    }
    // Every subscription is told of an incident by itself, with the same tracking id.
    if let Some(subscription) = &alert.subscription {
        alert.thread = format!("{} {}", alert.thread, subscription.to_ascii_lowercase());
    }
    alert.impacts = impacts(properties);
    let is_synthetic =
        member(properties, &["isSynthetic"]).is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
    let incident = member(properties, &["incidentType"]).unwrap_or_default();
    if is_synthetic || samples::is_tracking(&alert.id) {
        alert.recorded_only = Some(samples::WHY.to_owned());
    } else if !incident.eq_ignore_ascii_case("incident") {
        let kind = if incident.is_empty() {
            "unknown"
        } else {
            &incident
        };
        alert
            .recorded_only
            .get_or_insert_with(|| format!("a Service Health event of type {kind} is no evidence"));
    }
    let named = member(properties, &["stage"]).unwrap_or_default();
    let status = member(event, &["status"]).unwrap_or_default();
    let mut tags = texts(find(properties, &["eventTags"]));
    tags.extend(texts(find(event, &["eventTags"])));
    let said = stage::of_event(&named, &status, &tags);
    let shown = if named.is_empty() { &status } else { &named };
    stage::put(alert, said, "stage", shown);
}

fn impacts(properties: &Value) -> Vec<Impact> {
    let listed: Vec<Impact> = list(find(properties, &["impactedServices"]))
        .iter()
        .filter_map(|entry| {
            let name = find(entry, &["ServiceName"]);
            Some(Impact {
                // None at all stands for every service, one that cannot be read for none.
                service: match name {
                    Some(Value::Array(_) | Value::Object(_)) => return None,
                    _ => member(entry, &["ServiceName"]).unwrap_or_default(),
                },
                service_id: member(entry, &["ServiceGuid", "ImpactedServiceGuid"]),
                regions: list(find(entry, &["ImpactedRegions"]))
                    .iter()
                    .filter_map(|region| member(region, &["RegionName"]))
                    .collect(),
            })
        })
        .collect();
    if !listed.is_empty() {
        return listed;
    }
    let Some(service) = text(properties, "/service") else {
        return Vec::new();
    };
    vec![Impact {
        service,
        service_id: None,
        regions: long_text(properties, "region")
            .map(|regions| {
                regions
                    .split([',', ';'])
                    .map(|one| one.trim().to_owned())
                    .collect()
            })
            .unwrap_or_default(),
    }]
}

fn resource_health(event: &Value, alert: &mut Alert) {
    let properties = event.get("properties").unwrap_or(&Value::Null);
    alert.kind = SignalKind::ResourceHealth;
    if let Some(resource) = alert.resources.first() {
        alert.thread = format!("resourceHealth {}", resource.to_ascii_lowercase());
    }
    let health = member(properties, &["currentHealthStatus"]).unwrap_or_default();
    let status = member(event, &["status"]).unwrap_or_default();
    let operation = member(event, &["operationName"]).unwrap_or_default();
    let is_over = status.eq_ignore_ascii_case("resolved")
        || health.eq_ignore_ascii_case("available")
        || operation.to_ascii_lowercase().contains("/resolved/");
    if is_over {
        alert.stage = SignalStage::Resolved;
        return;
    }
    let is_down =
        health.eq_ignore_ascii_case("unavailable") || health.eq_ignore_ascii_case("degraded");
    if !is_down {
        // No information is neither an outage nor the end of one.
        alert.is_unclear = true;
        let health = if health.is_empty() {
            "unknown"
        } else {
            &health
        };
        alert
            .recorded_only
            .get_or_insert_with(|| format!("a resource health of {health} is no evidence"));
        return;
    }
    let cause = member(properties, &["cause"]).unwrap_or_default();
    if !cause
        .replace(' ', "")
        .eq_ignore_ascii_case("platforminitiated")
    {
        let cause = if cause.is_empty() {
            "nobody named"
        } else {
            &cause
        };
        alert.recorded_only.get_or_insert_with(|| {
            format!(
                "a resource health event caused by {cause} is no evidence: only the platform's are"
            )
        });
    }
}

/// The resource ids of a list, and the subscription that the first names.
pub(super) fn targets(value: Option<&Value>) -> (Vec<String>, Option<String>) {
    let resources = texts(value);
    let subscription = resources.iter().find_map(|id| subscription_of(id));
    (resources, subscription)
}
