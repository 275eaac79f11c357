//! When a timer fires, as the host reads the `schedule` of a `timerTrigger`: NCRONTAB in UTC, or a `TimeSpan`.

use jiff::{SignedDuration, Timestamp};

use serde_json::{Value, json};

use super::host_json::time_span;
use super::json::{self, text};
use crate::config::schedule::Schedule as Times;

/// The host looks this far ahead to see whether a schedule is too fast to be monitored.
const LOOKED_AHEAD: SignedDuration = SignedDuration::from_mins(1);

/// When a timer fires.
#[derive(Debug, Clone)]
pub struct Schedule {
    text: String,
    times: Times,
}

impl Schedule {
    /// Reads six fields, five (at second 0), or `hh:mm:ss`.
    ///
    /// # Errors
    /// A line for people, with the host's words: only this function is not loaded then.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().to_owned();
        let times = match time_span(&text) {
            Some(every) => SignedDuration::try_from(every)
                .map(Times::Every)
                .map_err(|error| error.to_string()),
            None => Times::parse(&text),
        };
        match times {
            Ok(times) => Ok(Self { text, times }),
            Err(why) => Err(format!(
                "{why}. The host: \"The schedule expression '{text}' was not recognized as a valid cron expression or timespan string.\""
            )),
        }
    }

    /// The first firing after this moment.
    #[must_use]
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        self.times.next_after(moment)
    }

    /// Whether a host that starts now would keep a status: not for an interval below a minute, nor when two firings
    /// come within the next minute.
    #[must_use]
    pub fn can_be_monitored(&self, now: Timestamp) -> bool {
        if let Times::Every(interval) = &self.times {
            return *interval >= LOOKED_AHEAD;
        }
        let second = self
            .next_after(now)
            .and_then(|first| self.next_after(first));
        second.is_none_or(|second| second.duration_since(now) >= LOOKED_AHEAD)
    }

    /// Whether it is a constant interval, which daylight saving does not touch.
    #[must_use]
    pub fn is_interval(&self) -> bool {
        matches!(self.times, Times::Every(_))
    }
}

/// A timer's `function.json` with this schedule. It is read as the host reads it, so comments in it are no fault;
/// they are gone afterwards.
///
/// # Errors
/// What is wrong with the file, in a line for people.
pub fn put(file: &str, schedule: &str) -> Result<String, String> {
    let mut root = json::parse(file).map_err(|error| format!("it is not valid JSON: {error}"))?;
    let bindings = root.get_mut("bindings").and_then(Value::as_array_mut);
    let is_timer = |binding: &Value| {
        text(binding, &["type"]).is_some_and(|kind| kind.eq_ignore_ascii_case("timerTrigger"))
    };
    let mut timers = bindings
        .into_iter()
        .flatten()
        .filter(|binding| is_timer(binding))
        .filter_map(Value::as_object_mut)
        .peekable();
    if timers.peek().is_none() {
        return Err("it has no timerTrigger to give the configured schedule to".to_owned());
    }
    for timer in timers {
        timer.retain(|name, _| !name.eq_ignore_ascii_case("schedule"));
        timer.insert("schedule".to_owned(), json!(schedule));
    }
    Ok(format!("{root:#}\n"))
}

impl std::fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{FUNCTIONS, TIMER};

    fn bundled(wanted: &str) -> &'static str {
        let found = FUNCTIONS.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, text)| *text).unwrap()
    }

    #[test]
    fn a_schedule_changes_nothing_but_the_schedule() {
        let text = bundled(TIMER);
        let mut expected = json::parse(text).unwrap();
        assert_ne!(expected["bindings"][0]["schedule"], "0 */5 * * * *");
        expected["bindings"][0]["schedule"] = json!("0 */5 * * * *");
        let changed = put(text, "0 */5 * * * *").unwrap();
        assert_eq!(serde_json::from_str::<Value>(&changed).unwrap(), expected);
    }

    #[test]
    fn what_the_host_bears_is_borne() {
        let file = "{ // the timer\n \"bindings\": [{\"Type\": \"TIMERTRIGGER\", \"Schedule\": \"x\",},], }";
        let changed = put(file, "0 */5 * * * *").unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&changed).unwrap(),
            json!({"bindings": [{"Type": "TIMERTRIGGER", "schedule": "0 */5 * * * *"}]})
        );
    }

    #[test]
    fn only_a_timer_has_a_schedule() {
        let why = |file: &str| put(file, "x").unwrap_err();
        assert!(why(bundled("Active")).contains("no timerTrigger"));
        assert!(why("{").contains("not valid JSON"));
    }
}
