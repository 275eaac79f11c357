//! Whether a Video Indexer account still finishes what it is given, read from its list of videos.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// Where a video stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Unfinished,
    /// Indexed, failed or quarantined: the service has done with it.
    Finished,
    /// A state that we do not know: says nothing.
    Other,
}

/// What a list of videos says of the account's work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    unfinished: usize,
    late: usize,
    oldest: Option<Timestamp>,
    finishes: bool,
}

impl Tally {
    /// Counts one page of the list.
    pub fn count(&mut self, videos: &[Value], now: Timestamp, stuck_after: SignedDuration) {
        for video in videos {
            let touched = touched_at(video);
            let is_old = touched.is_some_and(|at| now.duration_since(at) > stuck_after);
            match work(video) {
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

    /// Whether older videos have to be seen before it can be told: all that is known so far is new and unfinished.
    #[must_use]
    pub const fn wants_more(&self) -> bool {
        self.unfinished > 0 && self.late == 0 && !self.finishes
    }

    /// One line, if videos are stuck: unfinished for longer than the limit, while none finishes.
    #[must_use]
    pub fn stuck(&self, stuck_after: SignedDuration) -> Option<String> {
        if self.late == 0 || self.finishes {
            return None;
        }
        let since = self
            .oldest
            .map(|oldest| format!(", the oldest since {oldest:.0}"))
            .unwrap_or_default();
        let are = if self.late == 1 {
            "video is"
        } else {
            "videos are"
        };
        Some(format!(
            "{} {are} unfinished for longer than {stuck_after:#} while none finishes{since}",
            self.late
        ))
    }
}

/// Names in the cloud; numbers, in the order in which the names are documented, on Arc.
fn work(video: &Value) -> Work {
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

/// When something last happened to a video. An old video that is indexed again is not stuck since its upload.
fn touched_at(video: &Value) -> Option<Timestamp> {
    ["created", "lastModified", "lastIndexed"]
        .iter()
        .filter_map(|name| video.get(name)?.as_str()?.parse::<Timestamp>().ok())
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
}
