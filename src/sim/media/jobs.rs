//! The jobs of a transform: made up from the clock, so that many accounts cost nothing.

use jiff::{SignedDuration, Timestamp};

/// A job is submitted to every transform each so many seconds.
const EVERY: i64 = 600;
/// A job is queued until this age, then scheduled, then processed, then finished.
const QUEUED: SignedDuration = SignedDuration::from_secs(10);
const SCHEDULED: SignedDuration = SignedDuration::from_secs(30);
const ENCODING: SignedDuration = SignedDuration::from_secs(180);
/// Jobs that a transform keeps: more than one page.
const KEPT: i64 = 37;
/// One in so many jobs ends in an error.
const ERRORS: i64 = 12;

/// What has become of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// It waits for its turn.
    Queued,
    /// It waits for a machine.
    Scheduled,
    /// It is being encoded.
    Processing,
    /// It is encoded.
    Finished,
    /// It could not be encoded.
    Error,
    /// It is being given up.
    Canceling,
    /// It was given up.
    Canceled,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Scheduled,
        Self::Processing,
        Self::Finished,
        Self::Error,
        Self::Canceling,
        Self::Canceled,
    ];

    /// Its name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "Queued",
            Self::Scheduled => "Scheduled",
            Self::Processing => "Processing",
            Self::Finished => "Finished",
            Self::Error => "Error",
            Self::Canceling => "Canceling",
            Self::Canceled => "Canceled",
        }
    }
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// What has become of it.
    pub state: JobState,
    /// When it was submitted.
    pub created: Timestamp,
    /// When anything about it changed last.
    pub last_modified: Timestamp,
    /// When its encoding began.
    pub started: Option<Timestamp>,
    /// When it ended, however it did.
    pub ended: Option<Timestamp>,
}

/// A transform's jobs now, oldest first. None created after `stuck_since` is ever processed.
pub(super) fn of(now: Timestamp, stuck_since: Option<Timestamp>) -> Vec<Job> {
    let newest = now.as_second().div_euclid(EVERY);
    (newest - KEPT + 1..=newest)
        .filter_map(|slot| Some((slot, Timestamp::from_second(slot * EVERY).ok()?)))
        .map(|(slot, created)| {
            let age = now.duration_since(created);
            let is_stuck = stuck_since.is_some_and(|since| created > since);
            let state = if age < QUEUED {
                JobState::Queued
            } else if is_stuck || age < SCHEDULED {
                JobState::Scheduled
            } else if age < ENCODING {
                JobState::Processing
            } else if slot % ERRORS == 0 {
                JobState::Error
            } else {
                JobState::Finished
            };
            let at = |after| created.checked_add(after).ok();
            let started =
                at(SCHEDULED).filter(|_| !matches!(state, JobState::Queued | JobState::Scheduled));
            let ended =
                at(ENCODING).filter(|_| matches!(state, JobState::Finished | JobState::Error));
            let scheduled = at(QUEUED).filter(|_| state == JobState::Scheduled);
            Job {
                name: format!("job-{slot}"),
                state,
                created,
                last_modified: ended.or(started).or(scheduled).unwrap_or(created),
                started,
                ended,
            }
        })
        .collect()
}
