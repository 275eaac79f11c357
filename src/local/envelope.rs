//! The JSON envelope in which the host sends a timer's firing, and what it accepts as the answer.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// How .NET writes a date that never was: without an offset.
const NEVER: &str = "0001-01-01T00:00:00";

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
    /// Whether a firing was missed while the host was away.
    pub past_due: bool,
    /// When it is sent.
    pub now: Timestamp,
    /// The host's random id for this invocation.
    pub guid: Uuid,
}

/// What the host remembers of a monitored schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// When it ran last, if it ever did.
    pub last: Option<Timestamp>,
    /// When this run was due.
    pub next: Timestamp,
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
    schedule_status: Option<StatusInfo>,
    is_past_due: bool,
}

#[derive(Serialize)]
struct ScheduleInfo {
    #[serde(rename = "AdjustForDST")]
    adjust_for_dst: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct StatusInfo {
    last: String,
    next: String,
    last_updated: String,
}

#[derive(Serialize)]
struct Metadata<'a> {
    sys: Sys<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Sys<'a> {
    method_name: &'a str,
    utc_now: String,
    rand_guid: String,
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
                    schedule_status: self.status.as_ref().map(StatusInfo::from),
                    is_past_due: self.past_due,
                },
            )]),
            metadata: Metadata {
                sys: Sys {
                    method_name: self.function,
                    utc_now: format!("{}Z", to_ticks(self.now)),
                    rand_guid: self.guid.to_string(),
                },
            },
        };
        serde_json::to_string(&envelope).map_err(|error| error.to_string())
    }
}

impl From<&Status> for StatusInfo {
    fn from(status: &Status) -> Self {
        let last = status.last.map_or_else(|| NEVER.to_owned(), with_offset);
        Self {
            last_updated: last.clone(),
            last,
            next: with_offset(status.next),
        }
    }
}

fn with_offset(at: Timestamp) -> String {
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

/// Reads the handler's answer as the host does, and gives its `Logs`.
///
/// # Errors
/// Why the host would count the run as failed.
pub fn read_answer(status: u16, content_type: &str, body: &[u8]) -> Result<Vec<String>, String> {
    if !(200..300).contains(&status) {
        return Err(format!("the handler answered {status}"));
    }
    if body.is_empty() || body == b"null" {
        return Err("the handler answered with an empty body: the real host would wait for it until functionTimeout".to_owned());
    }
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") && !kind.eq_ignore_ascii_case("text/json") {
        return Err(format!(
            "the handler answered with content type \"{kind}\", not application/json"
        ));
    }
    let answer: Value = serde_json::from_slice(body)
        .map_err(|error| format!("the handler's answer is not valid JSON: {error}"))?;
    if !answer.is_object() {
        return Err("the handler's answer is no JSON object".to_owned());
    }
    match super::host_json::get(&answer, &["Logs"]) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(lines)) => lines
            .iter()
            .map(|line| match line {
                Value::String(text) => Ok(text.clone()),
                Value::Number(_) | Value::Bool(_) => Ok(line.to_string()),
                _ => Err("the handler's Logs must hold strings".to_owned()),
            })
            .collect(),
        Some(_) => Err("the handler's Logs must be a list".to_owned()),
    }
}
