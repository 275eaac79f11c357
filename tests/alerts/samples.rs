//! The samples of the portal's *Test action group*, in both schemas: recorded, whatever they name; and what only
//! looks like one.

use super::*;

const SUBSCRIPTION: &str = "/subscriptions/11111111-1111-1111-1111-111111111111";

fn on_sample(name: &str) -> String {
    format!("{SUBSCRIPTION}/resourceGroups/test-RG/providers/x/y/{name}")
}

/// A sample in the common schema: its rule, its service, what it is on.
fn common(rule: &str, service: &str, name: &str) -> Value {
    let mut body = bodies::measured(service, "Fired");
    body["data"]["essentials"]["alertRule"] = json!(rule);
    body["data"]["essentials"]["alertTargetIDs"] = json!([on_sample(name)]);
    body["data"]["customProperties"] = json!({"understudyGroup": "contoso"});
    body
}

/// An event of the activity log in the older schema.
fn event(source: &str, more: &Value) -> Value {
    let mut event = json!({
        "channels": "Admin", "eventSource": source, "level": "Warning",
        "eventTimestamp": "2026-03-01T10:04:00Z", "eventDataId": "12345678-1234-1234-1234-1234567890ab",
        "status": "Active",
    });
    let members = more.as_object().unwrap().clone();
    event.as_object_mut().unwrap().extend(members);
    json!({
        "schemaId": "Microsoft.Insights/activityLogs",
        "data": {
            "status": "Activated", "context": {"activityLog": event},
            "properties": {"understudyGroup": "contoso"},
        },
    })
}

fn resource_health(resource: &str) -> Value {
    event(
        "ResourceHealth",
        &json!({
            "operationName": "Microsoft.Resourcehealth/healthevent/Activated/action",
            "operationId": "2b37e2d0-7bda-489f-81c6-1447d02265b2",
            "resourceId": resource,
            "properties": {"currentHealthStatus": "Unavailable", "cause": "PlatformInitiated"},
        }),
    )
}

fn service_health(operation: &str) -> Value {
    event(
        "ServiceHealth",
        &json!({
            "operationName": "Microsoft.ServiceHealth/incident/action",
            "operationId": operation,
            "subscriptionId": bodies::SUBSCRIPTION,
            "properties": {
                "title": "Test Action Group - Test Service Health Alert",
                "service": "Azure Video Indexer", "region": "West Europe",
                "incidentType": "Incident", "trackingId": "ABC1-DEF", "stage": "Active",
            },
        }),
    )
}

/// A metric rule of this name in the older schema, on this.
fn older_metric(rule: &str, resource: &str) -> Value {
    let mut body = bodies::metric_in_the_older_schema("Activated");
    body["data"]["context"]["name"] = json!(rule);
    body["data"]["context"]["resourceId"] = json!(resource);
    body
}

fn log(resource: &str) -> Value {
    json!({
        "schemaId": "Microsoft.Insights/LogAlert",
        "data": {
            "SubscriptionId": bodies::SUBSCRIPTION, "AlertRuleName": "test-logAlertRule-v1-numResults",
            "SearchIntervalEndtimeUtc": "2026-03-01T10:05:00Z", "ResourceId": resource,
            "understudyGroup": "contoso",
        },
    })
}

#[test]
fn the_samples_of_the_portal_are_recorded_only_whatever_they_name() {
    let mut budget = bodies::measured("CostAlerts", "Fired");
    budget["data"]["essentials"]["alertId"] = json!(format!(
        "{SUBSCRIPTION}/providers/Microsoft.CostManagement/alerts/Test_Alert"
    ));
    budget["data"]["customProperties"] = json!({"understudyGroup": "contoso"});
    let mut health = bodies::resource_health("Unavailable", "PlatformInitiated", "Active");
    health["data"]["essentials"]["alertRule"] = json!("test-ResourceHealthAlertRule");
    health["data"]["essentials"]["alertTargetIDs"] = json!([on_sample("test-VM")]);
    health["data"]["customProperties"] = json!({"understudyGroup": "contoso"});
    let mut incident = bodies::incident("West Europe", "Active");
    incident["data"]["essentials"]["alertId"] = json!(format!(
        "{SUBSCRIPTION}/providers/Microsoft.AlertsManagement/alerts/{}",
        "1234abcd5678efgh".repeat(4)
    ));
    let insights = "test-applicationInsights";
    let workspace = "test-logAnalyticsWorkspace";
    let storage = "test-storageAccount";
    for body in [
        common("test-metricAlertRule", "Platform", storage),
        common("test-dynamicMetricAlertRule", "Platform", storage),
        common(
            "test-availabilityTest-test-applicationInsights",
            "Platform",
            insights,
        ),
        common(
            "test-logAlertRule-v1-numResults",
            "Log Analytics",
            workspace,
        ),
        common("test-logAlertRule-v2", "Log Alerts V2", workspace),
        common("test-SmartAlertRule", "SmartDetector", insights),
        common(
            "test-activityLogAlertRule",
            "Activity Log - Administrative",
            "test-VM",
        ),
        budget,
        health,
        incident,
        older_metric("test-metricAlertRule", &on_sample(storage)),
        log(&on_sample(workspace)),
        resource_health(&on_sample("test-VM")),
        service_health("12345678-abcd-efgh-ijkl-abcd12345678"),
    ] {
        let found = matches(&parsed(&body), &bodies::group(), None);
        let why = found[0]
            .recorded_only
            .as_ref()
            .expect("it is recorded only");
        assert!(why.contains("test alert"), "{why}: {body}");
    }
}

#[test]
fn a_rule_of_ones_own_may_have_the_name_of_a_samples() {
    let own = bodies::resource_id();
    let mut metric = bodies::measured("Platform", "Fired");
    metric["data"]["essentials"]["alertRule"] = json!("test-metricAlertRule");
    for body in [
        metric,
        older_metric("test-metricAlertRule", &own),
        log(&own),
        resource_health(&own),
        service_health("2b37e2d0-7bda-489f-81c6-1447d02265b2"),
    ] {
        let alert = parsed(&body);
        assert_eq!(alert.recorded_only, None, "{body}");
        assert!(
            !matches(&alert, &bodies::group(), None).is_empty(),
            "{body}"
        );
    }
}
