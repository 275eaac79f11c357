//! The JSON envelope, as far as it is the stand-in's own: odd forms of a timer's past, requests, and what outputs become.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use understudy::local::envelope::{Answer, Attempt, Firing, NEVER, Sys};
use understudy::local::function_json::{HttpTrigger, Output, Timer};
use understudy::local::monitor::Status;
use uuid::Uuid;

use super::wire::{Message, Payload, Reply, find};

/// What the host tells of a timer's past.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    /// What a listener knows of it, and whether a firing was missed.
    Known(Status, bool),
}

/// The body for a timer.
pub fn timer(
    function: &str,
    timer: &Timer,
    past: &Past,
    attempt: Option<Attempt>,
    now: Timestamp,
) -> String {
    let second = now.as_second();
    let at = |seconds: i64, nanoseconds: i32| {
        Timestamp::new(second, nanoseconds).expect("a time of today")
            + SignedDuration::from_secs(seconds)
    };
    let status = |last: Option<Timestamp>, next| {
        Some(Status {
            last,
            next,
            updated: last,
        })
    };
    let status = match past {
        Past::Unmonitored => None,
        Past::Never | Past::NeverWithOffset => status(None, at(0, 0)),
        Past::Ran => status(Some(at(-60, 9_603_500)), at(0, 0)),
        Past::Late => status(Some(at(-600, 123_456_700)), at(-540, 500_000_000)),
        Past::Known(status, _) => Some(status.clone()),
    };
    let body = Firing {
        function,
        binding: &timer.binding,
        adjust_for_dst: !timer.schedule.is_interval(),
        status,
        attempt,
        past_due: matches!(past, Past::Late | Past::Known(_, true)),
        now,
        guid: Uuid::new_v4(),
    }
    .body()
    .expect("it can be written");
    match past {
        Past::NeverWithOffset => body.replace(NEVER, &format!("{NEVER}+00:00")),
        _ => body,
    }
}

/// The body for a request in the default mode.
pub fn request(
    function: &str,
    http: &HttpTrigger,
    request: &Message,
    parameters: &BTreeMap<String, String>,
    now: Timestamp,
) -> String {
    let query: BTreeMap<String, String> = joined(request);
    let mut many: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in &request.headers {
        many.entry(name).or_default().push(value);
    }
    let length = request.body.bytes().len().to_string();
    let is_sized = matches!(request.body, Payload::Sized(_));
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
    let mut metadata = Map::new();
    // A chunked body is lost.
    if is_sized && !request.body.bytes().is_empty() {
        let (body, members) = body_of(request);
        seen["Body"] = body;
        metadata.extend(members);
    }
    for (name, value) in query
        .iter()
        .chain(parameters)
        .filter(|(name, _)| *name != "code")
    {
        metadata.insert(name.clone(), twice(value));
    }
    metadata.insert("Query".to_owned(), json!(query));
    metadata.insert("Headers".to_owned(), json!(single));
    metadata.insert(
        "sys".to_owned(),
        json!(Sys::new(function, now, Uuid::new_v4())),
    );
    json!({"Data": {http.binding.as_str(): seen}, "Metadata": metadata}).to_string()
}

/// A body as the envelope holds it: as text, or in base64 for what is called bytes; and what binding data it gives.
fn body_of(request: &Message) -> (Value, Map<String, Value>) {
    let kind = find(&request.headers, "content-type")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let bytes = request.body.bytes();
    if kind.starts_with("application/octet-stream") || kind.starts_with("multipart/") {
        return (json!(STANDARD.encode(bytes)), Map::new());
    }
    let members = match serde_json::from_slice(bytes) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    };
    let members = members
        .into_iter()
        .filter(|(_, value)| !value.is_array() && !value.is_null())
        .map(|(name, value)| match value {
            Value::Object(_) => (name, value),
            Value::String(text) => (name, twice(&text)),
            other => (name, twice(&other.to_string())),
        })
        .collect();
    (json!(String::from_utf8_lossy(bytes)), members)
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

/// The host's guess at a text that is bound to anything but `http` under a name: what .NET takes for base64 is decoded,
/// short words among it. A binding of binary data is left alone.
pub fn guessed(text: &str, is_binary: bool) -> Vec<u8> {
    let kept: String = text.split([' ', '\t', '\r', '\n']).collect();
    match STANDARD.decode(kept) {
        Ok(bytes) if !is_binary => bytes,
        _ => text.as_bytes().to_vec(),
    }
}

/// The answer that the caller gets, by the function's `http` output.
pub fn answer(answer: &Answer, output: Option<&Output>) -> Result<Reply, String> {
    let plain = |status, body: &[u8]| Reply {
        status,
        headers: Vec::new(),
        body: body.to_vec(),
    };
    let Some(output) = output else {
        return Ok(plain(204, b""));
    };
    if output.name == "$return" {
        return Ok(match &answer.returned {
            None => plain(204, b""),
            Some(Value::String(text)) => plain(200, &guessed(text, output.is_binary)),
            // Without a body the object itself is the body.
            Some(Value::Object(members)) if member(members, "body").is_some() => reply(members),
            Some(other) => plain(200, format!("{other:#}").as_bytes()),
        });
    }
    // A returned object's members are outputs as well.
    let mut outputs = answer.outputs.clone();
    if let Some(Value::Object(returned)) = &answer.returned {
        outputs.extend(returned.clone());
    }
    match outputs.get(&output.name) {
        None if outputs.is_empty() => Ok(plain(204, b"")),
        None => Ok(plain(200, b"{}")),
        Some(Value::Object(members)) => Ok(reply(members)),
        Some(_) => {
            Err("Failed while trying to Deserialize to httpOutputBindingResponse".to_owned())
        }
    }
}

fn member<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

fn reply(members: &Map<String, Value>) -> Reply {
    let status = member(members, "statusCode")
        .or_else(|| member(members, "status"))
        .and_then(|status| match status {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64().and_then(|number| u16::try_from(number).ok()),
        });
    let mut headers: Vec<(String, String)> = member(members, "headers")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), indented(value)))
        .collect();
    if find(&headers, "content-type").is_none() {
        headers.push((
            "Content-Type".to_owned(),
            "text/plain; charset=utf-8".to_owned(),
        ));
    }
    let body = match member(members, "body") {
        None | Some(Value::Null) => String::new(),
        Some(body) => indented(body),
    };
    Reply {
        status: status.unwrap_or(200),
        headers,
        body: body.into_bytes(),
    }
}

/// A text as it is; anything else as indented JSON.
fn indented(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => format!("{other:#}"),
    }
}
