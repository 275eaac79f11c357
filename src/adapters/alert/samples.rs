//! The samples that *Test action group* of the Azure portal sends: how they are told from real alerts.
//!
//! In both schemas they are fixed texts (`alerts-payload-samples`, `alerts-non-common-schema-definitions`). A rule of
//! one's own may have the name of a sample's rule, so a name alone proves nothing: a sample is known by what it is on,
//! or by an id that no real alert has.

use serde_json::Value;

use super::fields::{find, member, texts};

/// What the ids of the samples on no resource end in.
const ALERT_ENDINGS: &[&str] = &[
    "/test_alert",
    "/1234abcd5678efgh1234abcd5678efgh1234abcd5678efgh1234abcd5678efgh",
];
/// The correlation and the operation of the samples of Service Health: no GUID, which real ones are.
const OPERATION: &str = "12345678-abcd-efgh-ijkl-abcd12345678";
/// The tracking id of a sample of Service Health.
const TRACKING: &str = "TEST-TTT";
/// The resource group of the resources that the samples are on, as it stands inside their ids.
const GROUP: &str = "/resourcegroups/test-rg/";
/// Those resources, in lower case.
const RESOURCES: &[&str] = &[
    "test-applicationinsights",
    "test-loganalyticsworkspace",
    "test-storageaccount",
    "test-vm",
];
/// What the names of the samples' rules begin with.
const RULE: &str = "test-";

/// Why a sample is no evidence.
pub(super) const WHY: &str = "a test alert is no evidence";

/// Whether these essentials of a common alert are those of a sample.
pub(super) fn is_sample(essentials: &Value) -> bool {
    let id = member(essentials, &["alertId"]).unwrap_or_default();
    let rule = member(essentials, &["alertRule"]).unwrap_or_default();
    let targets = texts(find(essentials, &["alertTargetIDs"]));
    let id = id.to_ascii_lowercase();
    ALERT_ENDINGS.iter().any(|ending| id.ends_with(ending)) || is_rule(&rule, &targets)
}

/// Whether a rule of this name on these resources is one of the samples'.
pub(super) fn is_rule(rule: &str, targets: &[String]) -> bool {
    rule.to_ascii_lowercase().starts_with(RULE) && is_on_sample(targets)
}

/// Whether an event of the activity log is a sample's. It names no rule.
pub(super) fn is_event(event: &Value, targets: &[String]) -> bool {
    let is_operation =
        |key: &str| member(event, &[key]).is_some_and(|id| id.eq_ignore_ascii_case(OPERATION));
    is_operation("operationId") || is_operation("correlationId") || is_on_sample(targets)
}

/// Whether this is the tracking id of a sample.
pub(super) fn is_tracking(id: &str) -> bool {
    id.eq_ignore_ascii_case(TRACKING)
}

fn is_on_sample(targets: &[String]) -> bool {
    targets.iter().any(|id| {
        let id = id.to_ascii_lowercase();
        let name = id.rsplit('/').next().unwrap_or_default();
        id.contains(GROUP) && RESOURCES.contains(&name)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn on(group: &str, name: &str) -> Vec<String> {
        vec![format!(
            "/subscriptions/1/resourceGroups/{group}/providers/x/y/{name}"
        )]
    }

    #[test]
    fn a_rule_is_a_samples_by_what_it_is_on() {
        for (rule, targets, expected) in [
            ("test-metricAlertRule", on("test-RG", "test-VM"), true),
            (
                "test-of-a-new-kind",
                on("TEST-rg", "test-storageAccount"),
                true,
            ),
            ("test-metricAlertRule", on("media", "vi-weu"), false),
            ("test-metricAlertRule", on("test-RG", "vi-weu"), false),
            ("test-metricAlertRule", on("media", "test-VM"), false),
            ("latency", on("test-RG", "test-VM"), false),
            ("test-metricAlertRule", Vec::new(), false),
        ] {
            assert_eq!(is_rule(rule, &targets), expected, "{rule} {targets:?}");
        }
    }

    #[test]
    fn an_event_is_a_samples_by_its_ids_or_what_it_is_on() {
        let real = json!({"operationId": "2b37e2d0-7bda-489f-81c6-1447d02265b2"});
        let sample = json!({"operationId": OPERATION});
        assert!(is_event(&sample, &[]));
        assert!(is_event(&real, &on("test-RG", "test-VM")));
        assert!(!is_event(&real, &on("media", "vi-weu")));
        assert!(!is_event(&json!({}), &[]));
    }
}
