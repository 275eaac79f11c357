//! Whether an account still finishes what it is given, read from its list of videos or of encoding jobs.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// Where a piece of work stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Unfinished,
    /// The service has done with it, however it ended.
    Finished,
    /// Neither, or a state that we do not know: says nothing.
    Other,
}

/// What is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// Videos of a Video Indexer account.
    #[default]
    Videos,
    /// Encoding jobs of a Media Services account.
    Jobs,
}

/// What a list says of the account's work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    kind: Kind,
    unfinished: usize,
    late: usize,
    oldest: Option<Timestamp>,
    finishes: bool,
}

impl Tally {
    /// Nothing is counted yet.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            ..Self::default()
        }
    }

    /// Counts one page of a list.
    pub fn count(&mut self, items: &[Value], now: Timestamp, stuck_after: SignedDuration) {
        for item in items {
            let (work, touched) = match self.kind {
                Kind::Videos => (video(item), touched_at(item)),
                Kind::Jobs => job(item),
            };
            let is_old = touched.is_some_and(|at| now.duration_since(at) > stuck_after);
            match work {
                Work::Unfinished => {
                    self.unfinished += 1;
                    if is_old {
                        self.late += 1;
                        self.oldest = match (self.oldest, touched) {
                            (Some(oldest), Some(at)) => Some(oldest.min(at)),
                            (oldest, at) => oldest.or(at),
                        };
                    }
                }
                Work::Finished => self.finishes |= touched.is_some() && !is_old,
                Work::Other => {}
            }
        }
    }

    /// Whether older ones have to be seen before it can be told: all that is known so far is new and unfinished.
    #[must_use]
    pub const fn wants_more(&self) -> bool {
        self.unfinished > 0 && self.late == 0 && !self.finishes
    }

    /// One line, if work is stuck: unfinished for longer than the limit, while none finishes.
    #[must_use]
    pub fn stuck(&self, stuck_after: SignedDuration) -> Option<String> {
        if self.late == 0 || self.finishes {
            return None;
        }
        let since = self
            .oldest
            .map(|oldest| format!(", the oldest since {oldest:.0}"))
            .unwrap_or_default();
        let are = match (self.kind, self.late) {
            (Kind::Videos, 1) => "video is unfinished",
            (Kind::Videos, _) => "videos are unfinished",
            (Kind::Jobs, 1) => "job is waiting",
            (Kind::Jobs, _) => "jobs are waiting",
        };
        Some(format!(
            "{} {are} for longer than {stuck_after:#} while none finishes{since}",
            self.late
        ))
    }
}

/// Names in the cloud; numbers, in the order in which the names are documented, on Arc.
fn video(video: &Value) -> Work {
    match video.get("state") {
        Some(Value::String(name)) => match name.as_str() {
            "Uploaded" | "Processing" => Work::Unfinished,
            "Processed" | "Failed" | "Quarantined" => Work::Finished,
            _ => Work::Other,
        },
        Some(Value::Number(number)) => match number.as_u64() {
            Some(0 | 1) => Work::Unfinished,
            Some(2..=4) => Work::Finished,
            _ => Work::Other,
        },
        _ => Work::Other,
    }
}

/// A job that is being encoded may take hours; one that nobody takes up is what tells. One that was canceled was
/// ended by its owner.
fn job(job: &Value) -> (Work, Option<Timestamp>) {
    let Some(properties) = job.get("properties") else {
        return (Work::Other, None);
    };
    let work = match properties.get("state").and_then(Value::as_str) {
        Some("Queued" | "Scheduled") => Work::Unfinished,
        Some("Finished" | "Error") => Work::Finished,
        _ => Work::Other,
    };
    (work, touched_at(properties))
}

/// When something last happened to it. An old video that is indexed again is not stuck since its upload.
fn touched_at(item: &Value) -> Option<Timestamp> {
    ["created", "lastModified", "lastIndexed"]
        .iter()
        .filter_map(|name| item.get(name)?.as_str()?.parse::<Timestamp>().ok())
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn tally(videos: &[Value]) -> Tally {
        let now: Timestamp = "2026-05-01T12:00:00Z".parse().unwrap();
        let mut work = Tally::default();
        work.count(videos, now, HOUR);
        work
    }

    fn video(state: impl Into<Value>, minutes_ago: i64) -> Value {
        let at = "2026-05-01T12:00:00Z".parse::<Timestamp>().unwrap()
            - SignedDuration::from_mins(minutes_ago);
        json!({"state": state.into(), "created": "2024-01-01T00:00:00.5+00:00",
               "lastModified": at.to_string()})
    }

    #[test]
    fn stuck_is_old_and_unfinished_while_none_finishes() {
        let cases = [
            (vec![], false),
            (vec![video("Processing", 61)], true),
            (vec![video("Uploaded", 61)], true),
            (vec![video(1, 61)], true),
            (vec![video(0, 61)], true),
            (vec![video("Processing", 59)], false),
            (vec![video("Processing", 90), video("Processed", 10)], false),
            (vec![video("Processing", 90), video(2, 10)], false),
            (vec![video("Processing", 90), video("Failed", 10)], false),
            (
                vec![video("Processing", 90), video("Quarantined", 10)],
                false,
            ),
            (vec![video("Processing", 90), video("Processed", 70)], true),
            (
                vec![video("Dreaming", 90), video(17, 90), video(-1, 90)],
                false,
            ),
            (
                vec![
                    json!(null),
                    json!(7),
                    json!({"state": "Processing", "created": 5}),
                ],
                false,
            ),
        ];
        for (videos, expected) in cases {
            assert_eq!(tally(&videos).stuck(HOUR).is_some(), expected, "{videos:?}");
        }
    }

    #[test]
    fn older_videos_are_wanted_only_when_all_are_new_and_unfinished() {
        assert!(tally(&[video("Uploaded", 5), video("Processing", 30)]).wants_more());
        assert!(!tally(&[]).wants_more());
        assert!(!tally(&[video("Uploaded", 5), video("Processed", 30)]).wants_more());
        assert!(!tally(&[video("Uploaded", 5), video("Processing", 61)]).wants_more());
    }

    #[test]
    fn the_line_says_how_many_and_since_when() {
        let line = tally(&[video("Uploaded", 90), video("Processing", 120)])
            .stuck(HOUR)
            .unwrap();
        assert_eq!(
            line,
            "2 videos are unfinished for longer than 1h while none finishes, the oldest since 2026-05-01T10:00:00Z"
        );
    }

    #[test]
    fn jobs_that_nobody_takes_up_are_stuck_while_none_finishes() {
        let now: Timestamp = "2026-05-01T12:00:00Z".parse().unwrap();
        let job = |state: &str, minutes: i64| {
            let at = (now - SignedDuration::from_mins(minutes)).to_string();
            json!({"name": "j", "properties": {"state": state, "created": at, "lastModified": at}})
        };
        let cases = [
            (vec![job("Queued", 61)], true),
            (vec![job("Scheduled", 90), job("Finished", 61)], true),
            (vec![job("Scheduled", 90), job("Processing", 10)], true),
            (vec![job("Scheduled", 90), job("Canceled", 10)], true),
            (vec![job("Scheduled", 90), job("Finished", 10)], false),
            (vec![job("Scheduled", 90), job("Error", 10)], false),
            (vec![job("Scheduled", 59)], false),
            (vec![job("Processing", 600)], false),
            (vec![json!(7), json!({"properties": 7})], false),
        ];
        for (jobs, expected) in cases {
            let mut tally = Tally::of(Kind::Jobs);
            tally.count(&jobs, now, HOUR);
            assert_eq!(tally.stuck(HOUR).is_some(), expected, "{jobs:?}");
        }
        let mut tally = Tally::of(Kind::Jobs);
        tally.count(&[job("Queued", 61)], now, HOUR);
        assert_eq!(
            tally.stuck(HOUR).unwrap(),
            "1 job is waiting for longer than 1h while none finishes, the oldest since 2026-05-01T10:59:00Z"
        );
    }
}
