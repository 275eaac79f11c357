//! Is the app itself well: its configuration, its store, and its sweeps.

use jiff::{SignedDuration, Timestamp};

use super::{Controller, now};
use crate::model::name::Vantage;

/// A sweep may be this many intervals late.
const LATE_INTERVALS: i32 = 3;

/// What is wrong, and what is known.
#[derive(Debug, Clone)]
pub struct Wellbeing {
    /// In lines for people; empty when all is well.
    pub reasons: Vec<String>,
    /// Where this deployment runs.
    pub vantage: Vantage,
    /// When the last sweep ended.
    pub last_sweep: Option<Timestamp>,
    /// Groups that it did not cover.
    pub not_covered: usize,
    /// Groups that are served.
    pub groups: usize,
}

impl Controller {
    /// Looks at the configuration, the store and the last sweep.
    pub async fn wellbeing(&self) -> Wellbeing {
        let mut reasons = self.deployment.problems.clone();
        let mut last_sweep = None;
        let mut not_covered = 0;
        match self.store.heartbeat(&self.deployment.vantage).await {
            Err(error) => reasons.push(error.to_string()),
            Ok(row) => {
                if let Some(row) = row.filter(|row| row.beat.ended_at > Timestamp::UNIX_EPOCH) {
                    last_sweep = Some(row.beat.ended_at);
                    not_covered = row.beat.not_covered_count;
                }
                reasons.extend(self.late(last_sweep));
            }
        }
        Wellbeing {
            reasons,
            vantage: self.deployment.vantage.clone(),
            last_sweep,
            not_covered,
            groups: self.deployment.groups.len(),
        }
    }

    /// The platform's timer can die while HTTP goes on; nobody else would notice.
    fn late(&self, last_sweep: Option<Timestamp>) -> Option<String> {
        let interval = self
            .deployment
            .groups
            .values()
            .map(|spec| spec.policy.probe_interval)
            .min()?
            .max(self.deployment.schedule_interval);
        let limit: SignedDuration = interval * LATE_INTERVALS;
        let since = last_sweep.unwrap_or(self.started_at);
        let age = now().duration_since(since);
        (age > limit).then(|| {
            let what = last_sweep.map_or_else(
                || "no sweep has ended yet".to_owned(),
                |at| format!("the last sweep ended at {at}"),
            );
            format!(
                "{what}, more than {} s ago: does the timer HealthCheck run? POST /api/tick runs the same cycle",
                limit.as_secs()
            )
        })
    }
}
