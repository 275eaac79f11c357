//! Alerts: translation of Azure Monitor's bodies, which message of two is believed, and which groups and
//! sites an alert speaks of.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

#[path = "alerts/accounts.rs"]
mod accounts;
#[path = "alerts/directory.rs"]
mod directory;
#[path = "alerts/explained.rs"]
mod explained;
#[path = "alerts/kinds.rs"]
mod kinds;
#[path = "alerts/known.rs"]
mod known;
#[path = "alerts/older.rs"]
mod older;
#[path = "alerts/page.rs"]
mod page;
#[path = "alerts/refused.rs"]
mod refused;
#[path = "alerts/samples.rs"]
mod samples;
#[path = "alerts/stages.rs"]
mod stages;

use jiff::Timestamp;
use serde_json::{Value, json};
use support::alert_bodies as bodies;
use understudy::adapters::alert::read;
use understudy::decision::alert::{Match, Told, newer, one_per_incident, signals, trim, why_known};
use understudy::model::alert::Alert;
use understudy::model::policy::AlertPolicy;
use understudy::model::signal::{Signal, SignalKind, SignalStage};
use understudy::model::spec::{AccountSpec, GroupSpec};
use understudy::model::state::GroupState;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-03-01T12:00:00Z")
}

fn matches(alert: &Alert, group: &GroupSpec, state: Option<&GroupState>) -> Vec<Match> {
    Told::of(alert).matches(group, state)
}

fn parsed(body: &Value) -> Alert {
    read(body.to_string().as_bytes(), now()).unwrap()
}

#[test]
fn an_incident_reads_the_same_from_both_schemas() {
    let common = parsed(&bodies::incident("North Europe", "Active"));
    let older = parsed(&bodies::incident_in_the_older_schema(
        "North Europe",
        "Active",
    ));
    assert_eq!(common, older);
    assert_eq!(common.id, "4KX9-B10");
    assert_eq!(common.kind, SignalKind::ServiceHealth);
    assert_eq!(common.stage, SignalStage::Active);
    assert_eq!(common.event_at, at("2026-03-01T10:04:00Z"));
    assert_eq!(common.subscription.as_deref(), Some(bodies::SUBSCRIPTION));
    assert_eq!(common.impacts[0].regions, ["North Europe"]);
    assert_eq!(common.recorded_only, None);
}

#[test]
fn impacted_services_are_read_as_a_list_and_as_its_text() {
    let escaped = bodies::incident("North Europe", "Active");
    let mut plain = escaped.clone();
    let text = escaped.pointer(bodies::IMPACTED).unwrap().as_str().unwrap();
    *plain.pointer_mut(bodies::IMPACTED).unwrap() = serde_json::from_str(text).unwrap();
    assert_eq!(parsed(&escaped).impacts, parsed(&plain).impacts);
    *plain.pointer_mut(bodies::IMPACTED).unwrap() = json!("not a list");
    let alert = parsed(&plain);
    assert_eq!(
        alert.impacts[0].regions,
        ["North Europe"],
        "the plain fields serve instead"
    );
}

#[test]
fn a_resolution_is_read_from_the_stage_and_not_from_the_condition() {
    for stage in ["Resolved", "RCA"] {
        let body = bodies::incident("North Europe", stage);
        assert_eq!(
            body.pointer("/data/essentials/monitorCondition"),
            Some(&json!("Fired"))
        );
        assert_eq!(parsed(&body).stage, SignalStage::Resolved, "{stage}");
    }
}

#[test]
fn what_is_no_outage_is_only_recorded() {
    for (incident, word) in [
        ("Maintenance", "Maintenance"),
        ("Informational", "Informational"),
        ("ActionRequired", "ActionRequired"),
        ("Security", "Security"),
    ] {
        let mut body = bodies::incident("North Europe", "Active");
        body["data"]["alertContext"]["properties"]["incidentType"] = json!(incident);
        let why = parsed(&body).recorded_only.unwrap();
        assert!(why.contains(word), "{why}");
    }
    let mut test = bodies::incident("Global", "Active");
    test["data"]["alertContext"]["properties"]["IsSynthetic"] = json!("True");
    assert!(parsed(&test).recorded_only.unwrap().contains("test"));
    let mut test = bodies::incident("North Europe", "Active");
    test["data"]["alertContext"]["properties"]["trackingId"] = json!("TEST-TTT");
    assert!(parsed(&test).recorded_only.unwrap().contains("test"));
    for service in [
        "Activity Log - Administrative",
        "Activity Log - Security",
        "Activity Log - Policy",
        "Activity Log - Recommendation",
        "Activity Log - Autoscale",
        "SmartDetector",
        "CostAlerts",
    ] {
        let body = bodies::measured(service, "Fired");
        assert!(parsed(&body).recorded_only.is_some(), "{service}");
    }
}

#[test]
fn resource_health_counts_where_the_platform_caused_it() {
    let cases = [
        ("Unavailable", "PlatformInitiated", None),
        ("Degraded", "Platform Initiated", None),
        ("Unavailable", "UserInitiated", Some("UserInitiated")),
        ("Unknown", "PlatformInitiated", Some("Unknown")),
        ("", "PlatformInitiated", Some("unknown")),
    ];
    for (health, cause, word) in cases {
        let alert = parsed(&bodies::resource_health(health, cause, "Active"));
        assert_eq!(alert.kind, SignalKind::ResourceHealth);
        match word {
            None => assert_eq!(alert.recorded_only, None, "{health} {cause}"),
            Some(word) => assert!(alert.recorded_only.unwrap().contains(word)),
        }
    }
    let over = parsed(&bodies::resource_health(
        "Available",
        "PlatformInitiated",
        "Resolved",
    ));
    assert_eq!(over.stage, SignalStage::Resolved);
}

#[test]
fn a_recovery_of_a_resource_ends_the_alert_on_it_although_it_is_another_alert() {
    let down = parsed(&bodies::resource_health(
        "Unavailable",
        "PlatformInitiated",
        "Active",
    ));
    let mut body = bodies::resource_health("Available", "PlatformInitiated", "Resolved");
    body["data"]["essentials"]["alertId"] = json!("/subscriptions/x/alerts/another");
    body["data"]["alertContext"]["eventTimestamp"] = json!("2026-03-01T11:00:00Z");
    let up = parsed(&body);
    assert_eq!(down.thread, up.thread);
    let kept = newer(Some(&down), &up).unwrap();
    assert_eq!(kept.stage, SignalStage::Resolved);
    assert_eq!(kept.id, down.id);
}

#[test]
fn measured_alerts_follow_their_condition() {
    for service in [
        "Platform",
        "Log Alerts V2",
        "Log Analytics",
        "Application Insights",
        "Prometheus",
    ] {
        let fired = parsed(&bodies::measured(service, "Fired"));
        assert_eq!(fired.kind, SignalKind::Metric, "{service}");
        assert_eq!(fired.stage, SignalStage::Active);
        assert_eq!(fired.recorded_only, None, "{service}");
        let over = parsed(&bodies::measured(service, "Resolved"));
        assert_eq!(over.stage, SignalStage::Resolved);
        assert!(over.event_at > fired.event_at);
        assert_eq!(over.thread, fired.thread);
    }
    let older = parsed(&bodies::metric_in_the_older_schema("Activated"));
    assert_eq!(older.resources, [bodies::resource_id()]);
    assert_eq!(older.group.as_deref(), Some("contoso"));
    let over = parsed(&bodies::metric_in_the_older_schema("Deactivated"));
    assert_eq!(
        (over.thread, over.stage),
        (older.thread, SignalStage::Resolved)
    );
}

#[test]
fn nulls_numbers_and_missing_fields_break_nothing() {
    let mut body = bodies::incident("North Europe", "Active");
    body["data"]["essentials"]["alertTargetIDs"] = Value::Null;
    body["data"]["essentials"]["firedDateTime"] = json!(5);
    body["data"]["alertContext"]["eventTimestamp"] = json!("yesterday");
    body["data"]["alertContext"]["level"] = json!([]);
    let alert = parsed(&body);
    assert_eq!(
        alert.subscription.as_deref(),
        Some(bodies::SUBSCRIPTION),
        "the alert's own id serves instead"
    );
    assert_eq!(
        alert.event_at,
        at("2026-03-01T10:04:30Z"),
        "the time of submission serves instead"
    );
    body["data"]["alertContext"] = Value::Null;
    assert!(parsed(&body).impacts.is_empty());
}

#[test]
fn an_event_from_the_future_does_not_outrank_what_comes_later() {
    let mut body = bodies::incident("North Europe", "Active");
    body["data"]["alertContext"]["eventTimestamp"] = json!("2099-01-01T00:00:00Z");
    assert_eq!(parsed(&body).event_at, now());
}

#[test]
fn an_incident_speaks_of_the_sites_in_its_region_of_its_service_and_subscription() {
    let group = bodies::group();
    let sites = |body: &Value| -> Vec<String> {
        matches(&parsed(body), &group, None)
            .iter()
            .map(|found| found.site.to_string())
            .collect()
    };
    assert_eq!(
        sites(&bodies::incident("North Europe", "Active")),
        ["northeurope"]
    );
    assert_eq!(
        sites(&bodies::incident("northeurope", "Active")),
        ["northeurope"]
    );
    assert_eq!(
        sites(&bodies::incident("East US", "Active")),
        Vec::<String>::new()
    );
    assert_eq!(
        sites(&bodies::incident("Global", "Active")),
        Vec::<String>::new()
    );
    let mut other = bodies::incident("North Europe", "Active");
    other["data"]["essentials"]["alertTargetIDs"] = json!(["/subscriptions/another"]);
    assert_eq!(sites(&other), Vec::<String>::new());
    for (service, is_ours) in [
        ("Azure Applied AI Services \\\\ Azure Video Indexer", true),
        ("AZURE AI VIDEO INDEXER", true),
        ("Azure Applied AI Services", true),
        ("All", true),
        ("Virtual Machines", false),
        ("Media Services \\\\ Encoding", false),
    ] {
        let body = bodies::incident_of(service, "North Europe");
        assert_eq!(!sites(&body).is_empty(), is_ours, "{service}");
    }
    let mut by_id = bodies::incident_of("A new name", "North Europe");
    *by_id.pointer_mut(bodies::IMPACTED).unwrap() = json!([{
        "ServiceName": "A new name",
        "ServiceGuid": "E9A80E67-7CAD-4840-BF1B-AE9373C9C411",
        "ImpactedRegions": [{"RegionName": "West Europe"}, {"RegionName": "North Europe"}],
    }]);
    assert_eq!(sites(&by_id), ["westeurope", "northeurope"]);
}

#[test]
fn a_custom_property_names_the_group_and_its_site() {
    let group = bodies::group();
    let mut body = bodies::measured("Platform", "Fired");
    body["data"]["essentials"]["alertTargetIDs"] = json!([]);
    body["data"]["customProperties"] =
        json!({"understudyGroup": "contoso", "understudySite": "northeurope"});
    assert_eq!(
        matches(&parsed(&body), &group, None)[0].site.as_str(),
        "northeurope"
    );
    body["data"]["customProperties"] = json!({"understudyGroup": "contoso"});
    assert_eq!(
        matches(&parsed(&body), &group, None)[0].site.as_str(),
        "westeurope"
    );
    body["data"]["customProperties"] =
        json!({"understudyGroup": "contoso", "understudySite": "mars"});
    let found = matches(&parsed(&body), &group, None);
    let why = found[0].recorded_only.as_ref().unwrap();
    assert!(
        why.contains("mars") && why.contains("westeurope, northeurope"),
        "{why}"
    );
    body["data"]["customProperties"] =
        json!({"understudyGroup": "contoso", "understudySite": "North Europe"});
    let found = matches(&parsed(&body), &group, None);
    assert_eq!(
        (found[0].site.as_str(), &found[0].recorded_only),
        ("northeurope", &None)
    );
    body["data"]["customProperties"] = json!({"understudyGroup": "other"});
    assert_eq!(matches(&parsed(&body), &group, None), []);
    let mut prometheus = bodies::measured("Prometheus", "Fired");
    prometheus["data"]["alertContext"] = json!({"labels": {"understudyGroup": "contoso"}});
    assert_eq!(parsed(&prometheus).group.as_deref(), Some("contoso"));
}

#[test]
fn an_alert_for_the_active_site_is_not_read_as_one_for_its_successor() {
    let group = bodies::group();
    let mut body = bodies::measured("Platform", "Fired");
    body["data"]["customProperties"] = json!({"understudyGroup": "contoso"});
    let alert = parsed(&body);
    let moved = bodies::moved_to_northeurope(at("2026-03-01T12:00:05Z"));
    assert_eq!(
        matches(&alert, &group, Some(&moved))[0].site.as_str(),
        "westeurope"
    );
    for since in ["2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"] {
        let before = bodies::moved_to_northeurope(at(since));
        assert_eq!(
            matches(&alert, &group, Some(&before))[0].site.as_str(),
            "northeurope"
        );
    }
}

#[test]
fn a_signal_expires_by_the_policy_of_its_group() {
    let group = bodies::group();
    let alert = parsed(&bodies::incident("North Europe", "Active"));
    let found = signals(&[Told::of(&alert)], &group, None, now());
    assert_eq!(found[0].expires_at, at("2026-03-01T14:00:00Z"));
    assert!(found[0].is_evidence);
    assert_eq!(
        signals(
            &[Told::of(&alert)],
            &group,
            None,
            at("2026-03-01T14:00:00Z")
        ),
        []
    );
}

#[test]
fn an_incident_counts_in_whichever_subscription_of_the_group_it_was_told() {
    let mut group = bodies::group();
    if let AccountSpec::VideoIndexer(account) = &mut group.sites[0].accounts[0] {
        account.subscription_id = "0000aaaa-0000-0000-0000-000000000000".to_owned();
    }
    let mut body = bodies::incident("West Europe", "Active");
    assert_eq!(matches(&parsed(&body), &group, None).len(), 1);
    let first = parsed(&body);
    body["data"]["essentials"]["alertTargetIDs"] =
        json!(["/subscriptions/0000AAAA-0000-0000-0000-000000000000"]);
    let second = parsed(&body);
    assert_eq!(matches(&second, &group, None).len(), 1);
    assert_eq!(first.id, second.id);
    assert_ne!(
        first.thread, second.thread,
        "one must not be taken for a repeat of the other"
    );
}

#[test]
fn rules_that_name_different_groups_do_not_repeat_each_other() {
    let mut body = bodies::incident("North Europe", "Active");
    let plain = parsed(&body);
    body["data"]["customProperties"] = json!({"understudyGroup": "Contoso"});
    let named = parsed(&body);
    assert_ne!(plain.thread, named.thread);
    assert_eq!(matches(&named, &bodies::group(), None).len(), 1);
}

#[test]
fn of_hundreds_of_services_those_that_can_be_ours_are_kept() {
    let mut body = bodies::incident("North Europe", "Active");
    let services: Vec<Value> = (0..400)
        .map(|n| format!("Service {n}"))
        .chain(["Azure Video Indexer".to_owned()])
        .map(|name| json!({"ServiceName": name, "ImpactedRegions": [{"RegionName": "North Europe"}]}))
        .collect();
    *body.pointer_mut(bodies::IMPACTED).unwrap() = json!(Value::from(services).to_string());
    let mut alert = parsed(&body);
    assert_eq!(matches(&alert, &bodies::group(), None).len(), 1);
    trim(&mut alert);
    assert_eq!(alert.impacts.len(), 1);
    let found = signals(&[Told::of(&alert)], &bodies::group(), None, now());
    assert_eq!(found[0].service.as_deref(), Some("Azure Video Indexer"));
}

#[test]
fn a_policy_that_ignores_alerts_makes_no_evidence_of_them() {
    let mut group = bodies::group();
    group.policy.alert = AlertPolicy::Ignore;
    let alert = parsed(&bodies::incident("North Europe", "Active"));
    let found = signals(&[Told::of(&alert)], &group, None, now());
    assert!(!found[0].is_evidence);
}
