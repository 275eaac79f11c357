//! The timer's schedule, as Azure Functions reads it: NCRONTAB with or without seconds, or a TimeSpan.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::report::shown;

/// Enough firings to meet the longest gap of what people write: a week of working hours.
const FIRINGS: usize = 48;

/// When the timer fires, in UTC.
#[derive(Debug, Clone)]
pub enum Schedule {
    /// At a constant interval (TimeSpan form, `00:01:00`).
    Every(SignedDuration),
    /// At these times (NCRONTAB).
    Times(Box<Cron>),
}

impl Schedule {
    /// Reads `{second} {minute} {hour} {day} {month} {day-of-week}`, the same without seconds, or
    /// `hh:mm:ss`. Sunday is 0; both day fields must match.
    ///
    /// # Errors
    /// One line that says what is wrong: what Azure Functions would not take, or a time that never comes.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.contains('%') {
            return Err("app settings are not filled in here: write the schedule itself, or set UNDERSTUDY__CONTROLLER__SCHEDULE".to_owned());
        }
        if text.contains(':') {
            return time_span(text).map(Self::Every);
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        check_fields(text, &fields)?;
        let cron = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            .dom_and_dow(true)
            .build()
            .parse(text)
            .map_err(|error| format!("{} is not a schedule: {error}", shown(text)))?;
        let schedule = Self::Times(Box::new(cron));
        match schedule.next_after(Timestamp::from_second(REFERENCE).unwrap_or_default()) {
            Some(_) => Ok(schedule),
            None => Err(format!("{} never fires", shown(text))),
        }
    }

    /// The first firing after this time. `None` if there is none.
    #[must_use]
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(interval) => time.checked_add(*interval).ok(),
            Self::Times(cron) => {
                let from = time.to_zoned(TimeZone::UTC);
                let next = cron.find_next_occurrence(&from, false).ok()?;
                Some(next.timestamp())
            }
        }
    }

    /// The longest time between two firings that follow each other. For rare schedules only the first
    /// firings of 2026 are looked at.
    #[must_use]
    pub fn interval(&self) -> SignedDuration {
        if let Self::Every(interval) = self {
            return *interval;
        }
        let start = Timestamp::from_second(REFERENCE).unwrap_or_default();
        let mut last = self.next_after(start);
        let mut longest = SignedDuration::ZERO;
        for _ in 0..FIRINGS {
            let next = last.and_then(|last| self.next_after(last));
            if let (Some(last), Some(next)) = (last, next) {
                longest = longest.max(next.duration_since(last));
            }
            last = next;
        }
        if longest.is_zero() {
            SignedDuration::MAX
        } else {
            longest
        }
    }
}

/// 2026-01-01T00:00:00Z: intervals do not depend on when they are asked for.
const REFERENCE: i64 = 1_767_225_600;

/// What croner takes and Azure Functions does not.
fn check_fields(text: &str, fields: &[&str]) -> Result<(), String> {
    let malformed = |why: String| Err(format!("{} is not a schedule: {why}", shown(text)));
    if !(5..=6).contains(&fields.len()) {
        return malformed(
            "write six fields, {second} {minute} {hour} {day} {month} {day-of-week}, or hh:mm:ss"
                .to_owned(),
        );
    }
    let day_of_week = fields.len() - 1;
    for (index, field) in fields.iter().enumerate() {
        if let Some(other) = field
            .chars()
            .find(|c| !c.is_ascii_alphanumeric() && !"*,-/".contains(*c))
        {
            return malformed(format!("`{other}` is not known to Azure Functions"));
        }
        let names: &[&str] = match day_of_week - index {
            0 => &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
            1 => &[
                "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
            ],
            _ => &[],
        };
        for member in field.split(',') {
            if let Err(why) = check_member(field, member, names) {
                return malformed(why);
            }
        }
        let days = field
            .split(',')
            .map(|part| part.split('/').next().unwrap_or(part));
        if index == day_of_week && days.flat_map(|part| part.split('-')).any(|day| day == "7") {
            return malformed("days of the week are 0 (Sunday) to 6".to_owned());
        }
    }
    Ok(())
}

/// One member of a list: `*`, a value, or a range of two, with a step or without. croner takes a list with
/// nothing in it for one that never comes, and looks for it through thousands of years.
fn check_member(field: &str, member: &str, names: &[&str]) -> Result<(), String> {
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (range, step) = match member.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (member, None),
    };
    let values = (range != "*").then(|| range.splitn(2, '-'));
    for (part, is_named) in (values.into_iter().flatten().map(|value| (value, true)))
        .chain(step.map(|step| (step, false)))
    {
        if part.is_empty() {
            return Err(format!("a value is missing in {}", shown(field)));
        }
        let is_name = is_named && names.contains(&part.to_ascii_uppercase().as_str());
        if !is_number(part) && !is_name {
            return Err(format!("{} is not known to Azure Functions", shown(part)));
        }
    }
    Ok(())
}

fn time_span(text: &str) -> Result<SignedDuration, String> {
    let malformed = || {
        format!(
            "{} is not a time span: write hh:mm:ss, up to 23:59:59",
            shown(text)
        )
    };
    let number = |part: &str, limit: i64| {
        let digits =
            (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        let number = part
            .parse::<i64>()
            .ok()
            .filter(|number| digits && *number < limit);
        number.ok_or_else(malformed)
    };
    let parts: Vec<&str> = text.split(':').collect();
    let [hours, minutes, seconds] = parts.as_slice() else {
        return Err(malformed());
    };
    let total = number(hours, 24)? * 3600 + number(minutes, 60)? * 60 + number(seconds, 60)?;
    if total == 0 {
        return Err(format!("`{text}` is too short: 00:00:01 at least"));
    }
    Ok(SignedDuration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_time_between_two_firings() {
        for (text, seconds) in [
            ("*/30 * * * * *", 30),
            ("0 */5 * * * *", 300),
            ("*/5 * * * *", 300),
            ("0 0 9 * * 1-5", 3 * 86_400),
            ("0 0 9 * * MON-FRI", 3 * 86_400),
            ("0 0 9,17 * * 1-5", 64 * 3600),
            ("0 0 0 1 JAN *", 366 * 86_400),
            ("00:01:00", 60),
            ("1:30:05", 5405),
        ] {
            assert_eq!(
                Schedule::parse(text).unwrap().interval().as_secs(),
                seconds,
                "{text}"
            );
        }
    }

    #[test]
    fn both_day_fields_must_match() {
        let schedule = Schedule::parse("0 0 0 13 * 5").unwrap();
        let next = schedule.next_after("2026-11-22T00:00:00Z".parse().unwrap());
        assert_eq!(next.unwrap().to_string(), "2027-08-13T00:00:00Z");
    }

    #[test]
    fn refuses_what_azure_functions_refuses() {
        for (text, part) in [
            ("", "write six fields"),
            ("* * * *", "write six fields"),
            ("0 0 0 * * * 2026", "write six fields"),
            ("@hourly", "write six fields"),
            ("0 0 0 L * *", "`L` is not known"),
            ("0 0 0 * * 5#2", "`#` is not known"),
            ("0 0 0 15W * *", "`15W` is not known"),
            ("0 0 0 ? * *", "`?` is not known"),
            ("0 0 0 * * 7", "0 (Sunday) to 6"),
            ("0 0 0 * * 1-7", "0 (Sunday) to 6"),
            ("0 60 * * * *", "is not a schedule"),
            ("0 , * * * *", "a value is missing in `,`"),
            ("0 5, * * * *", "a value is missing in `5,`"),
            ("0 1- * * * *", "a value is missing in `1-`"),
            ("0 */ * * * *", "a value is missing in `*/`"),
            ("0 0 0 * * */MON", "`MON` is not known"),
            ("0 1-2-3 * * * *", "`2-3` is not known"),
            ("0 ** * * * *", "`**` is not known"),
            ("JAN * * * * *", "`JAN` is not known"),
            ("0 0 0 31 2 *", "never fires"),
            ("%SCHEDULE%", "app settings are not filled in"),
            ("24:00:00", "is not a time span"),
            ("00:00:00", "too short"),
            ("1:2", "is not a time span"),
        ] {
            let message = Schedule::parse(text).unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn a_step_over_days_of_the_week_is_no_eighth_day() {
        assert!(Schedule::parse("0 0 0 * * */7").is_ok());
    }
}
