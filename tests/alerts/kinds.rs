//! Every kind of alert that Azure Monitor sends, each as it must be judged.

use super::*;

/// What one body must become: its kind, and why it is only recorded, if it is.
type Judged = (&'static str, Value, SignalKind, Option<&'static str>);

fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[key] = value;
    body
}

fn service_health() -> Vec<Judged> {
    let properties = "/data/alertContext/properties";
    let incident = || bodies::incident("West Europe", "Active");
    let typed = |kind: &str| {
        with(
            incident(),
            &format!("{properties}/incidentType"),
            json!(kind),
        )
    };
    let text = incident()
        .pointer(bodies::IMPACTED)
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned();
    let list: Value = serde_json::from_str(&text).unwrap();
    let health = SignalKind::ServiceHealth;
    vec![
        ("numbers, escaped services", incident(), health, None),
        (
            "plain services",
            with(incident(), bodies::IMPACTED, list),
            health,
            None,
        ),
        (
            "texts",
            with(incident(), "/data/alertContext/level", json!("Warning")),
            health,
            None,
        ),
        (
            "older",
            bodies::incident_in_the_older_schema("West Europe", "Active"),
            health,
            None,
        ),
        (
            "maintenance",
            typed("Maintenance"),
            health,
            Some("type Maintenance"),
        ),
        (
            "informational",
            typed("Informational"),
            health,
            Some("type Informational"),
        ),
        (
            "action required",
            typed("ActionRequired"),
            health,
            Some("type ActionRequired"),
        ),
        ("security", typed("Security"), health, Some("type Security")),
        (
            "no type",
            with(
                incident(),
                &format!("{properties}/incidentType"),
                Value::Null,
            ),
            health,
            Some("type unknown"),
        ),
        (
            "synthetic",
            with(
                incident(),
                &format!("{properties}/IsSynthetic"),
                json!("True"),
            ),
            health,
            Some("test alert"),
        ),
        (
            "synthetic flag",
            with(
                incident(),
                &format!("{properties}/isSynthetic"),
                json!(true),
            ),
            health,
            Some("test alert"),
        ),
        (
            "sample",
            with(
                incident(),
                &format!("{properties}/trackingId"),
                json!("TEST-TTT"),
            ),
            health,
            Some("test alert"),
        ),
    ]
}

fn resource_health() -> Vec<Judged> {
    let of = |health: &str, cause: &str| bodies::resource_health(health, cause, "Active");
    let kind = SignalKind::ResourceHealth;
    let mut older = of("Unavailable", "PlatformInitiated")["data"]["alertContext"].clone();
    older["resourceId"] = json!(bodies::resource_id());
    let older = json!({
        "schemaId": "Microsoft.Insights/activityLogs",
        "data": {"status": "Activated", "context": {"activityLog": older}},
    });
    vec![
        (
            "unavailable",
            of("Unavailable", "PlatformInitiated"),
            kind,
            None,
        ),
        ("degraded", of("Degraded", "Platform Initiated"), kind, None),
        ("older", older, kind, None),
        (
            "by a user",
            of("Unavailable", "UserInitiated"),
            kind,
            Some("UserInitiated"),
        ),
        (
            "unknown",
            of("Unknown", "PlatformInitiated"),
            kind,
            Some("Unknown"),
        ),
    ]
}

fn measured() -> Vec<Judged> {
    let of = |service: &str| bodies::measured(service, "Fired");
    let context = |service: &str, context: Value| with(of(service), "/data/alertContext", context);
    let kind = SignalKind::Metric;
    let query = json!({"SearchQuery": "x", "ResultCount": 1, "AlertType": "Number of results",
        "SearchIntervalInMinutes": "1440"});
    let rule = json!({"interval": "PT1M", "expression": "up == 0", "expressionValue": "0", "for": "PT2M",
        "labels": {"cluster": "c"}, "annotations": {"summary": "down"}});
    let webtest = json!({"properties": null, "conditionType": "WebtestLocationAvailabilityCriteria",
        "condition": {"windowSize": "PT5M", "allOf": [{"metricName": "Failed Location", "metricValue": 5}]}});
    vec![
        ("metric", of("Platform"), kind, None),
        ("log", of("Log Alerts V2"), kind, None),
        (
            "log of the first kind",
            context("Log Analytics", query),
            kind,
            None,
        ),
        ("Prometheus", context("Prometheus", rule), kind, None),
        (
            "availability test",
            context("Platform", webtest),
            kind,
            None,
        ),
        (
            "older metric",
            bodies::metric_in_the_older_schema("Activated"),
            kind,
            None,
        ),
    ]
}

fn others() -> Vec<Judged> {
    let kind = SignalKind::Other;
    let of = |service: &str| bodies::measured(service, "Fired");
    let event = |source: &str| {
        json!({
            "schemaId": "Microsoft.Insights/activityLogs",
            "data": {"status": "Activated", "properties": {}, "context": {"activityLog": {
                "eventSource": source, "eventDataId": "e1", "level": "Informational", "status": "Started",
                "operationName": "Microsoft.VideoIndexer/accounts/write", "resourceId": bodies::resource_id(),
            }}},
        })
    };
    let mut all = vec![
        (
            "smart detection",
            of("SmartDetector"),
            kind,
            Some("SmartDetector"),
        ),
        ("budget", of("CostAlerts"), kind, Some("CostAlerts")),
        ("unnamed", of(""), kind, Some("an unnamed service")),
    ];
    for category in [
        "Administrative",
        "Security",
        "Policy",
        "Recommendation",
        "Autoscale",
    ] {
        all.push((
            category,
            of(&format!("Activity Log - {category}")),
            kind,
            Some(category),
        ));
        all.push((category, event(category), kind, Some(category)));
    }
    all
}

#[test]
fn every_kind_is_judged_and_matched() {
    let all = [service_health(), resource_health(), measured(), others()].concat();
    for (name, body, kind, why) in all {
        let alert = parsed(&body);
        assert_eq!(alert.kind, kind, "{name}");
        assert_eq!(alert.stage, SignalStage::Active, "{name}");
        match (why, &alert.recorded_only) {
            (None, None) => {}
            (Some(words), Some(found)) => assert!(found.contains(words), "{name}: {found}"),
            (wanted, found) => panic!("{name}: {wanted:?} is expected, and it is {found:?}"),
        }
        let group = bodies::group();
        if alert.group.is_none() {
            let found = matches(&alert, &group, None);
            assert_eq!(found.len(), 1, "{name}");
            assert_eq!(found[0].site.as_str(), "westeurope", "{name}");
            assert_eq!(found[0].recorded_only, alert.recorded_only, "{name}");
        }
        let shown = signals(&[Told::of(&alert)], &group, None, now());
        assert_eq!(shown[0].why, alert.recorded_only, "{name}");
        assert_eq!(shown[0].is_evidence, why.is_none(), "{name}");
    }
}

#[test]
fn a_custom_property_makes_no_evidence_of_what_is_none() {
    for (name, mut body, _, why) in others() {
        let is_older = body.pointer("/data/context").is_some();
        let place = if is_older {
            "properties"
        } else {
            "customProperties"
        };
        body["data"][place] = json!({"understudyGroup": "contoso"});
        let found = matches(&parsed(&body), &bodies::group(), None);
        assert!(
            found[0]
                .recorded_only
                .as_ref()
                .unwrap()
                .contains(why.unwrap()),
            "{name}"
        );
    }
}

#[test]
fn of_thousands_of_services_the_last_is_read() {
    let services: Vec<Value> = (0..3_000)
        .map(|n| format!("Service {n}"))
        .chain(["Azure Video Indexer".to_owned()])
        .map(|name| json!({"ServiceName": name, "ImpactedRegions": [{"RegionName": "North Europe"}]}))
        .collect();
    for value in [
        json!(services),
        json!(Value::from(services.clone()).to_string()),
    ] {
        let mut body = bodies::incident("North Europe", "Active");
        *body.pointer_mut(bodies::IMPACTED).unwrap() = value;
        let mut alert = parsed(&body);
        trim(&mut alert);
        assert_eq!(alert.impacts.len(), 1);
        assert_eq!(matches(&alert, &bodies::group(), None).len(), 1);
    }
}
