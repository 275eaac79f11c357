//! The JSON envelope in which the host sends a timer's firing, and what it accepts as the answer.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::json::{get, scalar};
use super::monitor::Status;

/// How .NET writes a date that never was: without an offset, or with one.
pub const NEVER: &str = "0001-01-01T00:00:00";

/// One firing of a timer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing<'a> {
    /// The function's name.
    pub function: &'a str,
    /// The binding's name.
    pub binding: &'a str,
    /// False for a constant interval.
    pub adjust_for_dst: bool,
    /// None unless the schedule is monitored.
    pub status: Option<Status>,
    /// None without a retry policy.
    pub attempt: Option<Attempt>,
    /// Whether a firing was missed while the host was away.
    pub past_due: bool,
    /// When it is sent.
    pub now: Timestamp,
    /// The host's random id for this invocation.
    pub guid: Uuid,
}

/// Which attempt this is, for a function with a retry policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// From 0.
    pub number: u32,
    /// How often after the first; none is without end.
    pub times: Option<u32>,
    /// Why the one before failed.
    pub error: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'a> {
    data: BTreeMap<&'a str, TimerInfo>,
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TimerInfo {
    schedule: ScheduleInfo,
    schedule_status: Option<Status>,
    is_past_due: bool,
}

#[derive(Serialize)]
struct ScheduleInfo {
    #[serde(rename = "AdjustForDST")]
    adjust_for_dst: bool,
}

#[derive(Serialize)]
struct Metadata<'a> {
    sys: Sys<'a>,
    #[serde(rename = "RetryContext", skip_serializing_if = "Option::is_none")]
    retry: Option<RetryContext<'a>>,
}

/// `Metadata.sys`, in every envelope.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Sys<'a> {
    method_name: &'a str,
    utc_now: String,
    rand_guid: String,
}

impl<'a> Sys<'a> {
    /// For this function, now, with the host's random id for the invocation.
    #[must_use]
    pub fn new(function: &'a str, now: Timestamp, guid: Uuid) -> Self {
        Self {
            method_name: function,
            utc_now: format!("{}Z", to_ticks(now)),
            rand_guid: guid.to_string(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RetryContext<'a> {
    retry_count: u32,
    max_retry_count: i64,
    exception: Option<Exception<'a>>,
    instance: Option<()>,
    state: BTreeMap<(), ()>,
}

/// What stands here after a failure is the host's affair: a handler must bear anything.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Exception<'a> {
    class_name: &'static str,
    message: &'a str,
}

impl<'a> From<&'a Attempt> for RetryContext<'a> {
    fn from(attempt: &'a Attempt) -> Self {
        Self {
            retry_count: attempt.number,
            max_retry_count: attempt.times.map_or(-1, i64::from),
            exception: attempt.error.as_deref().map(|message| Exception {
                class_name: "System.Net.Http.HttpRequestException",
                message,
            }),
            instance: None,
            state: BTreeMap::new(),
        }
    }
}

impl Firing<'_> {
    /// The body, byte for byte as the host writes it: compact, Pascal case, no byte order mark.
    ///
    /// # Errors
    /// When the serializer fails, which these types give it no reason to.
    pub fn body(&self) -> Result<String, String> {
        let envelope = Envelope {
            data: BTreeMap::from([(
                self.binding,
                TimerInfo {
                    schedule: ScheduleInfo {
                        adjust_for_dst: self.adjust_for_dst,
                    },
                    schedule_status: self.status.clone(),
                    is_past_due: self.past_due,
                },
            )]),
            metadata: Metadata {
                sys: Sys::new(self.function, self.now, self.guid),
                retry: self.attempt.as_ref().map(RetryContext::from),
            },
        };
        serde_json::to_string(&envelope).map_err(|error| error.to_string())
    }
}

/// A .NET date with its offset.
#[must_use]
pub fn with_offset(at: Timestamp) -> String {
    format!("{}+00:00", to_ticks(at))
}

/// A .NET time: a fraction of up to seven digits, without the zeros at its end.
fn to_ticks(at: Timestamp) -> String {
    let at = at.to_zoned(TimeZone::UTC);
    let seconds = at.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let ticks = format!("{:07}", at.subsec_nanosecond() / 100);
    match ticks.trim_end_matches('0') {
        "" => seconds,
        fraction => format!("{seconds}.{fraction}"),
    }
}

/// What the host makes of an answer to an envelope.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The run succeeded.
    Done(Answer),
    /// The run failed, and why: `Logs` and the rest are lost.
    Failed(String),
    /// The result never comes: the host waits for `functionTimeout` and kills the handler.
    Hangs,
}

/// A good answer's members.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// `Logs`.
    pub logs: Vec<String>,
    /// `Outputs`, by the names of output bindings.
    pub outputs: Map<String, Value>,
    /// `ReturnValue`, unless it is null.
    pub returned: Option<Value>,
}

/// Reads the handler's answer as the host does.
#[must_use]
pub fn read_answer(status: u16, content_type: Option<&str>, body: &[u8]) -> Outcome {
    if !(200..300).contains(&status) {
        return Outcome::Failed(format!(
            "the handler answered {status}. The host: \"Response status code does not indicate success: {status}\""
        ));
    }
    if body.is_empty() || body.trim_ascii() == b"null" {
        return Outcome::Hangs;
    }
    let kind = content_type.unwrap_or("application/octet-stream");
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") && !kind.eq_ignore_ascii_case("text/json") {
        return Outcome::Failed(format!(
            "the handler answered with content type \"{kind}\", not application/json. The host: \"No MediaTypeFormatter is available to read an object of type 'HttpScriptInvocationResult'\""
        ));
    }
    match members(body) {
        Ok(answer) => Outcome::Done(answer),
        Err(why) => Outcome::Failed(format!("{why}. The host: \"Invalid HttpResponseMessage\"")),
    }
}

fn members(body: &[u8]) -> Result<Answer, String> {
    let answer: Value = serde_json::from_slice(body)
        .map_err(|error| format!("the handler's answer is not valid JSON: {error}"))?;
    if !answer.is_object() {
        return Err("the handler's answer is no JSON object".to_owned());
    }
    let logs = match get(&answer, &["Logs"]) {
        None => Vec::new(),
        Some(Value::Array(lines)) => lines
            .iter()
            .map(scalar)
            .collect::<Option<_>>()
            .ok_or("the handler's Logs must hold strings")?,
        Some(_) => return Err("the handler's Logs must be a list".to_owned()),
    };
    let outputs = match get(&answer, &["Outputs"]) {
        None => Map::new(),
        Some(Value::Object(outputs)) => outputs.clone(),
        Some(_) => return Err("the handler's Outputs must be an object".to_owned()),
    };
    Ok(Answer {
        logs,
        outputs,
        returned: get(&answer, &["ReturnValue"]).cloned(),
    })
}
