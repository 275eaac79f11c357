//! Reading single fields of a foreign body, tolerant of nulls, numbers and letter case.

use jiff::Timestamp;
use serde_json::Value;

/// A longer text than this is cut: ids, names and regions are short.
const TEXT_LIMIT: usize = 300;
/// A list of every region's name is shorter than this.
const LONG_TEXT_LIMIT: usize = 8_192;

/// The text at this JSON pointer; a number is read as its text, a blank one as none.
pub(super) fn text(value: &Value, pointer: &str) -> Option<String> {
    as_text(value.pointer(pointer)?)
}

/// The text under the first of these keys that has one, whatever its letter case.
pub(super) fn member(value: &Value, keys: &[&str]) -> Option<String> {
    as_text(find(value, keys)?)
}

/// The value under the first of these keys that is there, whatever its letter case.
pub(super) fn find<'a>(value: &'a Value, keys: &[&str]) -> Option<&'a Value> {
    let object = value.as_object()?;
    keys.iter().find_map(|key| {
        object
            .iter()
            .find(|(name, value)| name.eq_ignore_ascii_case(key) && !value.is_null())
            .map(|(_, value)| value)
    })
}

/// A text that lists many names: cut only where no list of regions ends.
pub(super) fn long_text(value: &Value, key: &str) -> Option<String> {
    let text = find(value, &[key])?.as_str()?;
    Some(text.chars().take(LONG_TEXT_LIMIT).collect())
}

fn as_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    let text: String = text.chars().take(TEXT_LIMIT).collect();
    (!text.is_empty()).then_some(text)
}

/// The time under the first of these keys that holds one.
pub(super) fn time(value: &Value, keys: &[&str]) -> Option<Timestamp> {
    keys.iter()
        .filter_map(|key| member(value, &[key]))
        .find_map(|text| text.parse::<Timestamp>().ok())
        .map(|at| Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at))
}

/// A list that is there as a list, or as its text: Service Health sends `impactedServices` both ways. All of
/// it, since what is ours may stand last; the size of the body bounds it.
pub(super) fn list(value: Option<&Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(entries)) => entries.clone(),
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(Value::Array(entries)) => entries,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The texts of a list.
pub(super) fn texts(value: Option<&Value>) -> Vec<String> {
    list(value).iter().filter_map(as_text).collect()
}

/// The subscription in a resource id.
pub(super) fn subscription_of(resource: &str) -> Option<String> {
    let mut parts = resource.split('/').filter(|part| !part.is_empty());
    let is_subscription = parts.next()?.eq_ignore_ascii_case("subscriptions");
    let id = parts.next()?;
    is_subscription.then(|| id.to_owned())
}
