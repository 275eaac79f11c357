//! How a body is sent: as it is, with a custom property, or, where only a part of an alert is at hand, wrapped
//! into a whole one of either schema.

use serde_json::{Value, json};

use super::groups::{SUBSCRIPTION, account};

/// Where an incident of the common schema keeps its services.
const IMPACTED: &str = "/data/alertContext/properties/impactedServices";
/// Video Indexer's permanent GUID.
const GUID: &str = "E9A80E67-7CAD-4840-BF1B-AE9373C9C411";

/// The body that is sent. `how` is one of the table's words.
pub fn sent_as(mut body: Value, how: &str) -> Result<Value, String> {
    if let Some(service) = how.strip_prefix("common of ") {
        return Ok(common(context(&body), service));
    }
    match how {
        "as it is" => Ok(body),
        "older" => Ok(older(context(&body))),
        "named" => {
            let is_older = body.pointer("/data/context").is_some();
            let place = if is_older {
                "properties"
            } else {
                "customProperties"
            };
            body["data"][place] = json!({"understudyGroup": "named"});
            Ok(body)
        }
        "named by label" => {
            let mut body = common(context(&body), "Prometheus");
            body["data"]["essentials"]["alertTargetIDs"] = json!([]);
            body["data"]["alertContext"]["labels"] =
                json!({"understudyGroup": "named", "understudySite": "second"});
            Ok(body)
        }
        // The list itself instead of its text, as in test alerts.
        "plain list" => {
            let place = body
                .pointer_mut(IMPACTED)
                .ok_or("it has no impactedServices")?;
            let text = place.as_str().ok_or("it is no text")?;
            *place = serde_json::from_str(text).map_err(|error| error.to_string())?;
            Ok(body)
        }
        "guid alone" => {
            let mut body = sent_as(body, "plain list")?;
            let place = body
                .pointer_mut(IMPACTED)
                .ok_or("it has no impactedServices")?;
            place[0]["ServiceName"] = json!("A name of tomorrow");
            place[0]["ServiceGuid"] = json!(GUID);
            Ok(body)
        }
        other => Err(format!("`{other}` is no way to send a body")),
    }
}

fn context(body: &Value) -> Value {
    body.get("alertContext").cloned().unwrap_or_default()
}

/// A whole alert of the common schema around this context, told of our account or, for Service Health, of its
/// subscription.
fn common(context: Value, service: &str) -> Value {
    let target = if service == "ServiceHealth" {
        format!("/subscriptions/{SUBSCRIPTION}")
    } else {
        account().to_lowercase()
    };
    json!({
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {
            "essentials": {
                "alertId": format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.AlertsManagement/alerts/1"),
                "monitoringService": service, "monitorCondition": "Fired",
                "alertTargetIDs": [target], "firedDateTime": "2026-03-01T10:05:00Z",
            },
            "alertContext": context,
        },
    })
}

/// The same as a receiver without the common schema gets it: the event has texts where the other has numbers.
fn older(mut event: Value) -> Value {
    let is_service = event.pointer("/properties/incidentType").is_some();
    event["subscriptionId"] = json!(SUBSCRIPTION);
    event["level"] = json!("Informational");
    if is_service {
        event["channels"] = json!("Admin");
        event["eventSource"] = json!("ServiceHealth");
    } else {
        event["resourceId"] = json!(account());
    }
    json!({
        "schemaId": "Microsoft.Insights/activityLogs",
        "data": {"status": "Activated", "context": {"activityLog": event}, "properties": {}},
    })
}
