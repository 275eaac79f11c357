//! Bodies that are no alert, lack a part, or have a time that is none.

use understudy::adapters::alert::{AlertError, unread_times};

use super::*;

#[test]
fn what_is_no_alert_is_refused_with_what_was_expected() {
    assert!(matches!(read(b"{", now()), Err(AlertError::NotJson(_))));
    for body in [
        json!({}),
        json!([]),
        json!("x"),
        json!({"schemaId": 5}),
        json!({"schemaId": "Other"}),
    ] {
        let error = read(body.to_string().as_bytes(), now()).unwrap_err();
        assert!(error.to_string().contains("schemaId"), "{error}");
        if body.is_object() {
            for known in [
                "azureMonitorCommonAlertSchema",
                "Microsoft.Insights/activityLogs",
                "AzureMonitorMetricAlert",
                "Microsoft.Insights/LogAlert",
                "AIP Budget Notification",
            ] {
                assert!(error.to_string().contains(known), "{error}");
            }
        }
    }
}

#[test]
fn a_time_that_is_none_is_told_and_does_no_harm() {
    let mut body = bodies::measured("Platform", "Fired");
    let unread = |body: &Value| unread_times(body.to_string().as_bytes());
    assert_eq!(unread(&body), Vec::<String>::new());
    body["data"]["essentials"]["firedDateTime"] = json!("yesterday");
    assert_eq!(parsed(&body).event_at, now());
    let told = unread(&body);
    assert!(
        told.len() == 1 && told[0].contains("firedDateTime `yesterday` is no time"),
        "{told:?}"
    );
}

#[test]
fn what_a_known_schema_lacks_is_named() {
    for (schema, part) in [
        ("azureMonitorCommonAlertSchema", "`data.essentials`"),
        (
            "Microsoft.Insights/activityLogs",
            "`data.context.activityLog`",
        ),
        ("AzureMonitorMetricAlert", "`data.context`"),
        ("Microsoft.Insights/LogAlert", "`AlertRuleName`"),
        ("AIP Budget Notification", "`BudgetName`"),
    ] {
        for body in [
            json!({"schemaId": schema}),
            json!({"schemaId": schema, "data": null}),
            json!({"schemaId": schema, "data": {"essentials": {}, "context": {}}}),
        ] {
            let error = read(body.to_string().as_bytes(), now()).unwrap_err();
            assert!(matches!(error, AlertError::Incomplete { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains(part) && text.contains("missing"), "{text}");
            assert!(text.contains(schema), "{text}");
            assert!(
                !text.contains("expected"),
                "the schema itself is right: {text}"
            );
        }
    }
}
