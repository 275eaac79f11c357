//! Bodies of Azure Monitor's webhooks as its documentation describes them, and a group for them to speak of.

use jiff::Timestamp;
use serde_json::{Value, json};
use understudy::model::moves::{Cause, MoveKind};
use understudy::model::name::{GroupName, SiteName};
use understudy::model::policy::Policy;
use understudy::model::spec::{AccountSpec, GroupSpec, SiteSpec, VideoIndexerSpec};
use understudy::model::state::{GroupState, LastFlip};

/// The subscription of every account and alert here.
pub const SUBSCRIPTION: &str = "5b0c1c5e-0d4f-4d7a-9c55-6b8f1d0f7a01";
/// Where an incident keeps its impacted services.
pub const IMPACTED: &str = "/data/alertContext/properties/impactedServices";

/// The ARM id of the account in West Europe.
pub fn resource_id() -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/media/providers/Microsoft.VideoIndexer/accounts/vi-weu"
    )
}

/// A group with a Video Indexer account in West Europe and one in North Europe.
pub fn group() -> GroupSpec {
    let site = |region: &str, account: &str| SiteSpec {
        name: SiteName::from(region),
        region: region.to_owned(),
        accounts: vec![AccountSpec::VideoIndexer(VideoIndexerSpec {
            subscription_id: SUBSCRIPTION.to_owned(),
            resource_group: "media".to_owned(),
            account_name: account.to_owned(),
            account_id: "0d8d7f3a-2b7e-4a55-8a3f-0f7b7c1d2e3f".to_owned(),
            api_base: "https://api.videoindexer.ai".to_owned(),
            arm_base: "https://management.azure.com".to_owned(),
            stuck_after: jiff::SignedDuration::from_mins(60),
            stuck_fails: false,
        })],
    };
    GroupSpec {
        name: GroupName::from("contoso"),
        tenant: None,
        policy: Policy::default(),
        sites: vec![site("westeurope", "vi-weu"), site("northeurope", "vi-neu")],
    }
}

/// The group's record after a flip to North Europe.
pub fn moved_to_northeurope(since: Timestamp) -> GroupState {
    let mut state = GroupState::new(group().sites[1].answer(), since);
    state.generation = 1;
    state.last_flip = Some(LastFlip {
        kind: MoveKind::Failover,
        cause: Cause::Alert,
        from: SiteName::from("westeurope"),
    });
    state
}

/// An incident of Video Indexer in the common schema.
pub fn incident(region: &str, stage: &str) -> Value {
    let service = "Azure Applied AI Services \\\\ Azure Video Indexer";
    let mut body = incident_of(service, region);
    body["data"]["alertContext"]["properties"]["stage"] = json!(stage);
    body["data"]["alertContext"]["status"] = json!(if stage == "Active" {
        "Active"
    } else {
        "Resolved"
    });
    body
}

/// The same at a time of its own.
pub fn incident_at(stage: &str, event_at: &str) -> Value {
    let mut body = incident("North Europe", stage);
    body["data"]["alertContext"]["eventTimestamp"] = json!(event_at);
    body
}

/// An active incident of any service; the name as it stands inside the escaped text.
pub fn incident_of(service: &str, region: &str) -> Value {
    json!({
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {
            "essentials": {
                "alertId": format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.AlertsManagement/alerts/77aa"),
                "alertRule": "media-service-health",
                "severity": "Sev4",
                "signalType": "Activity Log",
                "monitorCondition": "Fired",
                "monitoringService": "ServiceHealth",
                "alertTargetIDs": [format!("/subscriptions/{SUBSCRIPTION}")],
                "originAlertId": "9d1f",
                "firedDateTime": "2026-03-01T10:05:00.1234567Z",
                "essentialsVersion": "1.0",
                "alertContextVersion": "1.0",
            },
            "alertContext": event(service, region),
        },
    })
}

fn event(service: &str, region: &str) -> Value {
    json!({
        "authorization": null, "channels": 1, "claims": null, "caller": null,
        "correlationId": "c1", "eventSource": 2,
        "eventTimestamp": "2026-03-01T10:04:00.0000000+00:00",
        "httpRequest": null, "eventDataId": "e1", "level": 2,
        "operationName": "Microsoft.ServiceHealth/incident/action",
        "properties": {
            "title": "Video Indexer is failing",
            "service": service.replace("\\\\", "\\"),
            "region": region,
            "communication": "<p>We are looking into it.</p>",
            "incidentType": "Incident",
            "trackingId": "4KX9-B10",
            "impactStartTime": "2026-03-01T10:00:00Z",
            "impactedServices": format!(r#"[{{"ImpactedRegions":[{{"RegionName":"{region}"}}],"ServiceName":"{service}"}}]"#),
            "stage": "Active",
            "communicationId": "11000000000001",
            "isHIR": "false",
        },
        "status": "Active", "subStatus": null,
        "submissionTimestamp": "2026-03-01T10:04:30Z",
        "ResourceType": null,
    })
}

/// The same incident as a receiver without the common schema gets it.
pub fn incident_in_the_older_schema(region: &str, stage: &str) -> Value {
    let common = incident(region, stage);
    let mut event = common["data"]["alertContext"].clone();
    event["channels"] = json!("Admin");
    event["eventSource"] = json!("ServiceHealth");
    event["level"] = json!("Warning");
    event["subscriptionId"] = json!(SUBSCRIPTION);
    json!({
        "schemaId": "Microsoft.Insights/activityLogs",
        "data": {"status": "Activated", "context": {"activityLog": event}, "properties": {}},
    })
}

/// A Resource Health alert on the account in West Europe.
pub fn resource_health(health: &str, cause: &str, status: &str) -> Value {
    json!({
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {
            "essentials": {
                "alertId": format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.AlertsManagement/alerts/88bb"),
                "monitorCondition": "Fired",
                "monitoringService": "Resource Health",
                "alertTargetIDs": [resource_id().to_lowercase()],
                "firedDateTime": "2026-03-01T10:05:00Z",
            },
            "alertContext": {
                "channels": "Admin, Operation", "eventSource": "ResourceHealth",
                "eventTimestamp": "2026-03-01T10:04:00Z", "level": "Critical",
                "operationName": "Microsoft.Resourcehealth/healthevent/Activated/action",
                "properties": {
                    "title": "The account is not reachable", "details": null,
                    "currentHealthStatus": health, "previousHealthStatus": "Available",
                    "type": "Downtime", "cause": cause,
                },
                "status": status,
            },
        },
    })
}

/// A metric, log or other rule on the account in West Europe.
pub fn measured(service: &str, condition: &str) -> Value {
    let mut body = json!({
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {
            "essentials": {
                "alertId": format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.AlertsManagement/alerts/99cc"),
                "alertRule": "indexing-stalls", "severity": null, "signalType": null,
                "monitorCondition": condition, "monitoringService": service,
                "alertTargetIDs": [resource_id()],
                "firedDateTime": "2026-03-01T10:05:00Z",
            },
            "alertContext": {"properties": null, "condition": {"windowSize": "PT5M", "allOf": []}},
        },
    });
    if condition == "Resolved" {
        body["data"]["essentials"]["resolvedDateTime"] = json!("2026-03-01T10:35:00Z");
    }
    body
}

/// A metric alert in the schema from before the common one.
pub fn metric_in_the_older_schema(status: &str) -> Value {
    json!({
        "schemaId": "AzureMonitorMetricAlert",
        "data": {
            "version": "2.0", "status": status,
            "properties": {"understudyGroup": "contoso"},
            "context": {
                "timestamp": "2026-03-01T10:05:00.5Z",
                "id": format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/media/providers/microsoft.insights/metricAlerts/stalls"),
                "name": "stalls", "severity": "2", "conditionType": "SingleResourceMultipleMetricCriteria",
                "condition": {"windowSize": "PT5M", "allOf": []},
                "subscriptionId": SUBSCRIPTION, "resourceGroupName": "media",
                "resourceName": "vi-weu", "resourceType": "Microsoft.VideoIndexer/accounts",
                "resourceId": resource_id(),
            },
        },
    })
}
