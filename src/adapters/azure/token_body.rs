//! What an identity endpoint answers, brought into the one shape that `azure_identity` reads. The App Service
//! documents `expires_on` as text; containers, emulators and older versions send a number, or only
//! `expires_in`, or leave out what says nothing (`resource`, `token_type`).

use jiff::Timestamp;
use serde_json::{Map, Value};

/// The same body in the documented shape; `None` where it holds no token that could be brought into it.
#[must_use]
pub fn as_documented(body: &[u8], now: Timestamp) -> Option<Vec<u8>> {
    let mut body: Map<String, Value> = serde_json::from_slice(body).ok()?;
    body.get("access_token")?.as_str()?;
    let lasts = || seconds(body.get("expires_in")?)?.checked_add(now.as_second());
    let expires_on = body.get("expires_on").and_then(seconds).or_else(lasts)?;
    body.insert("expires_on".to_owned(), expires_on.to_string().into());
    for (name, usual) in [("token_type", "Bearer"), ("resource", "")] {
        if !body.get(name).is_some_and(Value::is_string) {
            body.insert(name.to_owned(), usual.into());
        }
    }
    serde_json::to_vec(&body).ok()
}

/// Whole seconds, as a number or as its text.
fn seconds(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_way_to_say_when_it_ends_is_read() {
        let now = Timestamp::from_second(1_000).unwrap();
        let ends = |body: Value| -> Option<String> {
            let body = as_documented(body.to_string().as_bytes(), now)?;
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert!(body["token_type"].is_string() && body["resource"].is_string());
            assert_eq!(body["access_token"], "t");
            body["expires_on"].as_str().map(str::to_owned)
        };
        let full = json!({"access_token": "t", "expires_on": "4600", "resource": "r", "token_type": "Bearer"});
        for (body, expected) in [
            (full, Some("4600")),
            (
                json!({"access_token": "t", "expires_on": 4600}),
                Some("4600"),
            ),
            (
                json!({"access_token": "t", "expires_in": "3600"}),
                Some("4600"),
            ),
            (
                json!({"access_token": "t", "expires_on": "9/14/2017 00:00:00 PM +00:00", "expires_in": 3600}),
                Some("4600"),
            ),
            (json!({"access_token": "t"}), None),
            (json!({"access_token": 7, "expires_on": 4600}), None),
            (json!({"expires_on": "4600"}), None),
            (json!(["access_token"]), None),
        ] {
            assert_eq!(ends(body.clone()).as_deref(), expected, "{body}");
        }
        assert_eq!(as_documented(b"<html>", now), None);
    }
}
