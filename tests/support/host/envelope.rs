//! The JSON envelope: what the host writes for a timer and for a request, and what it makes of the answer.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::function_json::{Http, Timer};
use super::wire::{Message, Reply, find};

/// What the host tells of a timer's past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Past {
    /// `ScheduleStatus` is null: the schedule is not monitored.
    #[default]
    Unmonitored,
    /// It never ran; the date of never has no offset.
    Never,
    /// It never ran; the date of never has one.
    NeverWithOffset,
    /// It ran a while ago, with all seven digits.
    Ran,
    /// A firing was missed.
    Late,
}

/// The body for a timer.
pub fn timer(function: &str, timer: &Timer, past: Past, now: Timestamp) -> Value {
    let at = |seconds: i64, digits: &str| {
        let at = now + jiff::SignedDuration::from_secs(seconds);
        format!("{}{digits}+00:00", at.strftime("%Y-%m-%dT%H:%M:%S"))
    };
    let status =
        |last: &str, next: String| json!({"Last": last, "Next": next, "LastUpdated": last});
    let status = match past {
        Past::Unmonitored => Value::Null,
        Past::Never => status("0001-01-01T00:00:00", at(0, "")),
        Past::NeverWithOffset => status("0001-01-01T00:00:00+00:00", at(0, "")),
        Past::Ran => status(&at(-60, ".0096035"), at(0, "")),
        Past::Late => status(&at(-600, ".1234567"), at(-540, ".5")),
    };
    json!({
        "Data": {timer.binding.as_str(): {
            "Schedule": {"AdjustForDST": true},
            "ScheduleStatus": status,
            "IsPastDue": past == Past::Late,
        }},
        "Metadata": {"sys": sys(function, now)},
    })
}

fn sys(function: &str, now: Timestamp) -> Value {
    json!({
        "MethodName": function,
        "UtcNow": format!("{}.{:07}Z", now.strftime("%Y-%m-%dT%H:%M:%S"), now.subsec_nanosecond() / 100),
        "RandGuid": Uuid::new_v4().to_string(),
    })
}

/// The body for a request in the default mode.
pub fn request(
    function: &str,
    http: &Http,
    request: &Message,
    parameters: &BTreeMap<String, String>,
    now: Timestamp,
) -> Value {
    let query: BTreeMap<String, String> = joined(request);
    let mut many: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in &request.headers {
        many.entry(name).or_default().push(value);
    }
    let length = request.body.bytes().len().to_string();
    let is_sized = matches!(request.body, super::wire::Payload::Sized(_));
    if is_sized {
        many.insert("Content-Length", vec![&length]);
    }
    let single: BTreeMap<&str, String> = many
        .iter()
        .map(|(name, values)| (*name, values.join(", ")))
        .collect();
    let host = find(&request.headers, "host").unwrap_or("localhost");
    let mut seen = json!({
        "Url": format!("http://{host}{}", request.target),
        "Method": request.method,
        "Query": query,
        "Headers": many,
        "Params": parameters,
        "Identities": [],
    });
    // A chunked body is lost.
    if is_sized && !request.body.bytes().is_empty() {
        seen["Body"] = json!(String::from_utf8_lossy(request.body.bytes()));
    }
    let mut metadata = Map::new();
    for (name, value) in query
        .iter()
        .chain(parameters)
        .filter(|(name, _)| *name != "code")
    {
        metadata.insert(name.clone(), twice(value));
    }
    metadata.insert("Query".to_owned(), json!(query));
    metadata.insert("Headers".to_owned(), json!(single));
    metadata.insert("sys".to_owned(), sys(function, now));
    json!({"Data": {http.binding.as_str(): seen}, "Metadata": metadata})
}

/// A text is encoded as JSON, and that text again.
pub fn twice(text: &str) -> Value {
    json!(json!(text).to_string())
}

fn joined(request: &Message) -> BTreeMap<String, String> {
    let query = request
        .target
        .split_once('?')
        .map_or("", |(_, query)| query);
    let mut pairs: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        pairs
            .entry(name.into_owned())
            .and_modify(|known| *known = format!("{known},{value}"))
            .or_insert_with(|| value.into_owned());
    }
    pairs
}

/// What the host makes of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The run succeeded.
    Done {
        /// `Logs`.
        logs: Vec<String>,
        /// `Outputs`.
        outputs: Map<String, Value>,
    },
    /// The run failed.
    Failed(String),
    /// The result never comes: the host waits for `functionTimeout`.
    Hangs,
}

/// Reads an answer as the host does.
pub fn outcome(reply: &Reply) -> Outcome {
    if !(200..300).contains(&reply.status) {
        return Outcome::Failed(format!(
            "Response status code does not indicate success: {}",
            reply.status
        ));
    }
    let is_null = reply.body.trim_ascii() == b"null";
    if reply.body.is_empty() || is_null {
        return Outcome::Hangs;
    }
    let kind = reply
        .header("content-type")
        .unwrap_or("application/octet-stream");
    let kind = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if !["application/json", "text/json"].contains(&kind.as_str()) {
        return Outcome::Failed(format!(
            "No MediaTypeFormatter is available to read an object of type 'HttpScriptInvocationResult' from content with media type '{kind}'."
        ));
    }
    let invalid = |why: &str| Outcome::Failed(format!("Invalid HttpResponseMessage: {why}"));
    let members = match serde_json::from_slice::<Value>(&reply.body) {
        Ok(Value::Object(members)) => members,
        Ok(_) => return invalid("not an object"),
        Err(error) => return invalid(&error.to_string()),
    };
    let member = |name: &str| {
        members
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .filter(|value| !value.is_null())
    };
    let logs = match member("Logs") {
        None => Some(Vec::new()),
        Some(Value::Array(lines)) => lines.iter().map(log_line).collect(),
        Some(_) => None,
    };
    let outputs = match member("Outputs") {
        None => Some(Map::new()),
        Some(Value::Object(outputs)) => Some(outputs.clone()),
        Some(_) => None,
    };
    match (logs, outputs) {
        (Some(logs), Some(outputs)) => Outcome::Done { logs, outputs },
        (None, _) => invalid("Logs is no list of texts"),
        (_, None) => invalid("Outputs is no object"),
    }
}

fn log_line(line: &Value) -> Option<String> {
    match line {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(line.to_string()),
        _ => None,
    }
}

/// The answer that the caller gets for the `http` output of this name.
pub fn answer(outputs: &Map<String, Value>, binding: Option<&str>) -> Result<Reply, String> {
    let plain = |status, body: &str| Reply {
        status,
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
    };
    let Some(binding) = binding else {
        return Ok(plain(204, ""));
    };
    let value = match outputs.get(binding) {
        None if outputs.is_empty() => return Ok(plain(204, "")),
        None => return Ok(plain(200, "{}")),
        Some(Value::Object(members)) => members,
        Some(_) => {
            return Err(
                "Failed while trying to Deserialize to httpOutputBindingResponse".to_owned(),
            );
        }
    };
    let member = |name: &str| {
        value
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    let status =
        member("statusCode")
            .or_else(|| member("status"))
            .and_then(|status| match status {
                Value::String(text) => text.parse().ok(),
                other => other.as_u64().and_then(|number| u16::try_from(number).ok()),
            });
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in member("headers")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        headers.push((
            name.clone(),
            value
                .as_str()
                .map_or_else(|| format!("{value:#}"), str::to_owned),
        ));
    }
    if find(&headers, "content-type").is_none() {
        headers.push((
            "Content-Type".to_owned(),
            "text/plain; charset=utf-8".to_owned(),
        ));
    }
    let body = match member("body") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => format!("{other:#}"),
    };
    Ok(Reply {
        status: status.unwrap_or(200),
        headers,
        body: body.into_bytes(),
    })
}
