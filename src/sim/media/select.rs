//! Which jobs of a list are asked for, and in which order: the part of OData that lists of jobs know.

use std::cmp::Ordering;

use jiff::Timestamp;

use super::super::call::Call;
use super::jobs::{Job, JobState};

/// One condition of a filter.
enum Condition {
    State {
        state: JobState,
        is: bool,
    },
    Created {
        at: Timestamp,
        how: fn(Ordering) -> bool,
    },
}

impl Condition {
    /// `properties/state eq Microsoft.Media.JobState'Processing'`, or `properties/created gt` an instant.
    fn read(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (field, operator, value) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() {
            return None;
        }
        match field {
            "properties/state" => {
                let name = value
                    .strip_prefix("Microsoft.Media.JobState")
                    .unwrap_or(value)
                    .trim_matches('\'');
                let state = JobState::ALL
                    .into_iter()
                    .find(|state| state.as_str() == name)?;
                let is = match operator {
                    "eq" => true,
                    "ne" => false,
                    _ => return None,
                };
                Some(Self::State { state, is })
            }
            "properties/created" => {
                let how: fn(Ordering) -> bool = match operator {
                    "eq" => Ordering::is_eq,
                    "lt" => Ordering::is_lt,
                    "le" => Ordering::is_le,
                    "gt" => Ordering::is_gt,
                    "ge" => Ordering::is_ge,
                    _ => return None,
                };
                let at = value.parse().ok()?;
                Some(Self::Created { at, how })
            }
            _ => None,
        }
    }

    fn holds(&self, job: &Job) -> bool {
        match self {
            Self::State { state, is } => (job.state == *state) == *is,
            Self::Created { at, how } => how(job.created.cmp(at)),
        }
    }
}

/// The jobs that `$filter` keeps, in the order of `$orderby` (else the oldest first).
///
/// # Errors
/// What of the query is not understood.
pub(super) fn jobs(call: &Call, mut jobs: Vec<Job>) -> Result<Vec<Job>, String> {
    if let Some(filter) = call.query("$filter") {
        let conditions = filter
            .split(" and ")
            .map(Condition::read)
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| format!("The filter '{filter}' is not valid for jobs."))?;
        jobs.retain(|job| conditions.iter().all(|condition| condition.holds(job)));
    }
    let order = call.query("$orderby").unwrap_or("properties/created");
    let mut words = order.split_whitespace();
    let key: fn(&Job) -> Timestamp = match words.next() {
        Some("properties/created") => |job| job.created,
        Some("properties/lastModified") => |job| job.last_modified,
        _ => return Err(format!("Jobs cannot be ordered by '{order}'.")),
    };
    jobs.sort_by_key(key);
    match (words.next(), words.next()) {
        (None | Some("asc"), None) => {}
        (Some("desc"), None) => jobs.reverse(),
        _ => return Err(format!("Jobs cannot be ordered by '{order}'.")),
    }
    Ok(jobs)
}
