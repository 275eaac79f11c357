//! What the host remembers of a timer's schedule, and what it makes of it when it starts.

use jiff::Timestamp;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::Value;

use super::envelope::{NEVER, with_offset};
use super::json::text;
use super::schedule::Schedule;

/// A schedule's status. The host keeps it in a blob, for timers that are monitored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// When the timer ran last, if it ever did.
    pub last: Option<Timestamp>,
    /// When it is due.
    pub next: Timestamp,
    /// When `next` was worked out; none in the memory of a host that found nothing stored.
    pub updated: Option<Timestamp>,
}

/// What a host that starts makes of what is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// What it goes by.
    pub status: Status,
    /// What it stores at once, if anything is new.
    pub stored: Option<Status>,
    /// Whether a firing was missed: the function is called at once.
    pub is_past_due: bool,
}

/// Looks at a timer's past when its listener starts. None when the schedule never comes again.
#[must_use]
pub fn start(stored: Option<Status>, schedule: &Schedule, now: Timestamp) -> Option<Start> {
    let Some(known) = stored else {
        let next = schedule.next_after(now)?;
        let status = |updated| Status {
            last: None,
            next,
            updated,
        };
        return Some(Start {
            status: status(None),
            stored: Some(status(Some(now))),
            is_past_due: false,
        });
    };
    let base = known.last.or(known.updated).unwrap_or(now);
    let expected = schedule.next_after(base)?;
    if known.next == expected {
        return Some(Start {
            is_past_due: now > known.next,
            status: known,
            stored: None,
        });
    }
    // The schedule is another now: what it would have missed does not count.
    let status = if now > expected {
        Status {
            last: None,
            next: schedule.next_after(now)?,
            updated: Some(now),
        }
    } else {
        Status {
            last: None,
            next: expected,
            updated: Some(base),
        }
    };
    Some(Start {
        stored: Some(status.clone()),
        status,
        is_past_due: false,
    })
}

/// As the host writes it, in the envelope and in its blob.
impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let date = |at: Option<Timestamp>| at.map_or_else(|| NEVER.to_owned(), with_offset);
        let mut members = serializer.serialize_struct("ScheduleStatus", 3)?;
        members.serialize_field("Last", &date(self.last))?;
        members.serialize_field("Next", &with_offset(self.next))?;
        members.serialize_field("LastUpdated", &date(self.updated))?;
        members.end()
    }
}

impl Status {
    /// The status after a run that began at this time. A scheduled one that came early counts as on time, or it would
    /// be due twice. None when the schedule never comes again.
    #[must_use]
    pub fn after(&self, begun: Timestamp, is_scheduled: bool, schedule: &Schedule) -> Option<Self> {
        let begun = if is_scheduled {
            begun.max(self.next)
        } else {
            begun
        };
        Some(Self {
            last: Some(begun),
            next: schedule.next_after(begun)?,
            updated: Some(begun),
        })
    }

    /// Reads it again. None where it is no status.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        // The date of never comes with and without an offset.
        let date = |name: &str| {
            text(value, &[name])
                .filter(|date| !date.starts_with(NEVER))
                .and_then(|date| date.parse().ok())
        };
        Some(Self {
            last: date("Last"),
            next: date("Next")?,
            updated: date("LastUpdated"),
        })
    }
}
