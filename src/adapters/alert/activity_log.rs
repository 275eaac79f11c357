//! Alerts on the activity log: Service Health, Resource Health, and everything else that is only recorded.
//! Both schemas carry the same event, so both are read here once its fields are at hand.

use jiff::Timestamp;
use serde_json::Value;

use super::fields::{find, list, long_text, member, subscription_of, text, texts, time};
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
            resources: resource.into_iter().collect(),
            group: member(properties, &["understudyGroup"]),
            site: member(properties, &["understudySite"]),
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
        recorded_only: None,
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
        alert.recorded_only = Some(format!(
            "an activity log alert of category {} is no evidence",
            envelope.source.as_deref().unwrap_or("unknown")
        ));
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
    let stage = member(properties, &["stage"]).or_else(|| member(event, &["status"]));
    let stage = stage.unwrap_or_default().to_ascii_lowercase();
    // Post-incident reviews and ended maintenance say as much as a resolution: it is over.
    if matches!(stage.as_str(), "resolved" | "rca" | "complete" | "canceled") {
        alert.stage = SignalStage::Resolved;
    }
    alert.impacts = impacts(properties);
    let incident = member(properties, &["incidentType"]).unwrap_or_default();
    let is_test = member(properties, &["isSynthetic"])
        .is_some_and(|flag| flag.eq_ignore_ascii_case("true"))
        || alert.id.eq_ignore_ascii_case("TEST-TTT");
    alert.recorded_only = if is_test {
        Some("a test alert is no evidence".to_owned())
    } else if incident.eq_ignore_ascii_case("incident") {
        let goes_on =
            alert.stage == SignalStage::Resolved || matches!(stage.as_str(), "" | "active");
        (!goes_on).then(|| format!("an incident of stage {stage} is no evidence"))
    } else {
        Some(format!(
            "a Service Health event of type {} is no evidence",
            if incident.is_empty() {
                "unknown"
            } else {
                &incident
            }
        ))
    };
}

fn impacts(properties: &Value) -> Vec<Impact> {
    let listed: Vec<Impact> = list(find(properties, &["impactedServices"]))
        .iter()
        .map(|entry| Impact {
            service: member(entry, &["ServiceName"]).unwrap_or_default(),
            service_id: member(entry, &["ServiceGuid", "ImpactedServiceGuid"]),
            regions: list(find(entry, &["ImpactedRegions"]))
                .iter()
                .filter_map(|region| member(region, &["RegionName"]))
                .collect(),
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
    let cause = member(properties, &["cause"]).unwrap_or_default();
    let is_down =
        health.eq_ignore_ascii_case("unavailable") || health.eq_ignore_ascii_case("degraded");
    let is_platform = cause
        .replace(' ', "")
        .eq_ignore_ascii_case("platforminitiated");
    alert.recorded_only = if !is_down {
        Some(format!(
            "a resource health of {} is no evidence",
            if health.is_empty() {
                "unknown"
            } else {
                &health
            }
        ))
    } else if is_platform {
        None
    } else {
        Some(format!(
            "a resource health event caused by {} is no evidence: only the platform's are",
            if cause.is_empty() {
                "nobody named"
            } else {
                &cause
            }
        ))
    };
}

/// The resource ids of a list, and the subscription that the first names.
pub(super) fn targets(value: Option<&Value>) -> (Vec<String>, Option<String>) {
    let resources = texts(value);
    let subscription = resources.iter().find_map(|id| subscription_of(id));
    (resources, subscription)
}
