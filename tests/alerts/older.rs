//! Alerts in the schemas from before the common one, and in the plain fields beside it.

use super::*;

#[test]
fn the_schemas_from_before_the_common_one_are_read() {
    let log = |subscription: &str| {
        json!({
            "schemaId": "Microsoft.Insights/LogAlert",
            "data": {
                "SubscriptionId": subscription,
                "AlertRuleName": "indexing stalls",
                "SearchIntervalEndtimeUtc": "2026-03-01T10:05:00Z",
                "AlertType": "Number of results",
            },
        })
    };
    let one = parsed(&log(bodies::SUBSCRIPTION));
    assert_eq!(one.kind, SignalKind::Metric);
    assert_eq!(one.recorded_only, None);
    assert_eq!(one.event_at, at("2026-03-01T10:05:00Z"));
    let other = parsed(&log("another"));
    assert_ne!(
        one.thread, other.thread,
        "two subscriptions, two rules of one name"
    );

    let budget = json!({
        "schemaId": "AIP Budget Notification",
        "data": {"BudgetName": "media", "SubscriptionId": bodies::SUBSCRIPTION},
    });
    assert!(parsed(&budget).recorded_only.unwrap().contains("budget"));

    let mut classic = bodies::metric_in_the_older_schema("Activated")["data"].clone();
    classic.as_object_mut().unwrap().remove("version");
    let classic = parsed(&classic);
    assert_eq!(classic.kind, SignalKind::Metric);
    assert_eq!(classic.resources, [bodies::resource_id()]);
    assert_eq!(classic.group.as_deref(), Some("contoso"));
}

#[test]
fn a_long_list_of_regions_is_read_to_its_end() {
    let mut body = bodies::incident("North Europe", "Active");
    let properties = &mut body["data"]["alertContext"]["properties"];
    properties["impactedServices"] = Value::Null;
    let many = "Australia Southeast, ".repeat(30);
    properties["region"] = json!(format!("{many}North Europe"));
    assert_eq!(
        matches(&parsed(&body), &bodies::group(), None)[0]
            .site
            .as_str(),
        "northeurope"
    );
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_body() {
    let mut body = b"\xef\xbb\xbf".to_vec();
    body.extend(
        bodies::incident("North Europe", "Active")
            .to_string()
            .bytes(),
    );
    assert_eq!(read(&body, now()).unwrap().id, "4KX9-B10");
}
