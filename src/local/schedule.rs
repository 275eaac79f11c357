//! When a timer fires: NCRONTAB with six fields (five are accepted), or a .NET `TimeSpan`, in UTC.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::host_json::time_span;

/// The host gives `ScheduleStatus` only to schedules with at least this between two firings.
const MONITORED_FROM: SignedDuration = SignedDuration::from_secs(60);

/// How many firings are looked at to find the shortest time between two.
const LOOKED_AT: usize = 100;

/// When a timer fires.
#[derive(Debug, Clone)]
pub struct Schedule {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Cron(Box<Cron>),
    Every(SignedDuration),
}

impl Schedule {
    /// Reads the `schedule` of a `timerTrigger`.
    ///
    /// # Errors
    /// A line that says what the host would not take.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(every) = time_span(text) {
            let every = SignedDuration::try_from(every).map_err(|error| error.to_string())?;
            return Ok(Self {
                text: text.to_owned(),
                kind: Kind::Every(every),
            });
        }
        // The parser knows more than NCRONTAB; what the host does not know must not work here either.
        if !text.split_whitespace().all(is_ncrontab) {
            return Err(format!("the schedule \"{text}\" is no NCRONTAB expression"));
        }
        let cron = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            // NCRONTAB wants both day fields to match.
            .dom_and_dow(true)
            .build()
            .parse(text)
            .map_err(|error| {
                format!("the schedule \"{text}\" is no NCRONTAB expression: {error}")
            })?;
        let schedule = Self {
            text: text.to_owned(),
            kind: Kind::Cron(Box::new(cron)),
        };
        if schedule.next_after(Timestamp::now()).is_none() {
            return Err(format!("the schedule \"{text}\" never comes"));
        }
        Ok(schedule)
    }

    /// The first firing after this moment.
    #[must_use]
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        match &self.kind {
            Kind::Every(every) => moment.checked_add(*every).ok(),
            Kind::Cron(cron) => cron
                .find_next_occurrence(&moment.to_zoned(TimeZone::UTC), false)
                .ok()
                .map(|next| next.timestamp()),
        }
    }

    /// Whether the host would keep a `ScheduleStatus`: never for schedules faster than once a minute.
    #[must_use]
    pub fn can_be_monitored(&self) -> bool {
        let start = Timestamp::now();
        let mut firings = std::iter::successors(self.next_after(start), |at| self.next_after(*at));
        let Some(mut earlier) = firings.next() else {
            return false;
        };
        firings.take(LOOKED_AT).all(|at| {
            let between = at.duration_since(earlier);
            earlier = at;
            between >= MONITORED_FROM
        })
    }

    /// Whether it is a constant interval, which daylight saving does not touch.
    #[must_use]
    pub fn is_interval(&self) -> bool {
        matches!(self.kind, Kind::Every(_))
    }
}

impl std::fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// A field of digits, signs and the names of days and months.
fn is_ncrontab(field: &str) -> bool {
    field
        .split(|letter: char| !letter.is_ascii_alphabetic())
        .all(|word| word.is_empty() || word.len() >= 3)
        && !field.contains(['#', '@', '?', '+'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, after: &str) -> String {
        Schedule::parse(schedule)
            .unwrap()
            .next_after(after.parse().unwrap())
            .unwrap()
            .to_string()
    }

    #[test]
    fn the_next_firing() {
        for (schedule, after, expected) in [
            (
                "*/2 * * * * *",
                "2026-11-22T02:36:16.5Z",
                "2026-11-22T02:36:18Z",
            ),
            (
                "*/2 * * * * *",
                "2026-11-22T02:36:16Z",
                "2026-11-22T02:36:18Z",
            ),
            (
                "0 */5 * * * *",
                "2026-11-22T02:36:16Z",
                "2026-11-22T02:40:00Z",
            ),
            // Five fields: at second 0.
            (
                "*/5 * * * *",
                "2026-11-22T02:36:16Z",
                "2026-11-22T02:40:00Z",
            ),
            // Both day fields must match: the next Friday the 13th.
            (
                "0 0 0 13 * 5",
                "2026-11-22T00:00:00Z",
                "2027-08-13T00:00:00Z",
            ),
            (
                "0 0 0 * * 0",
                "2026-11-23T00:00:00Z",
                "2026-11-29T00:00:00Z",
            ),
            (
                "0 0 6 * JUL Wed",
                "2026-11-23T00:00:00Z",
                "2027-07-07T06:00:00Z",
            ),
            ("00:00:30", "2026-11-22T02:36:16Z", "2026-11-22T02:36:46Z"),
        ] {
            assert_eq!(next(schedule, after), expected, "{schedule}");
        }
    }

    #[test]
    fn what_the_host_does_not_take() {
        for bad in [
            "",
            "x",
            "* * * *",
            "0 0 0 L * *",
            "@hourly",
            "0 0 0 * * 5#2",
            "0 0 0 15W * *",
            "0 0 0 31 2 *",
        ] {
            assert!(Schedule::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_a_minute_or_slower_is_monitored() {
        assert!(
            !Schedule::parse("*/30 * * * * *")
                .unwrap()
                .can_be_monitored()
        );
        assert!(!Schedule::parse("00:00:59").unwrap().can_be_monitored());
        assert!(
            !Schedule::parse("0,30 0 * * * *")
                .unwrap()
                .can_be_monitored()
        );
        assert!(Schedule::parse("0 * * * * *").unwrap().can_be_monitored());
        assert!(Schedule::parse("00:01:00").unwrap().can_be_monitored());
    }
}
