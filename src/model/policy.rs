//! The policy: the numbers and choices by which a group is judged and moved.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// Whether Understudy moves a group by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It moves when the evidence asks for it and nothing holds.
    Automatic,
    /// It decides and records, and never moves by itself.
    Observe,
}

/// What an alert is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AlertPolicy {
    /// Shown, never acted on.
    Ignore,
    /// One failed round, begun after the alert arrived, is enough.
    Confirm,
    /// The alert alone moves: no failed round, no hold time.
    Direct,
}

/// Who starts a failback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FailbackPolicy {
    /// A person.
    Manual,
    /// Understudy, after a continuous recovery of the primary.
    Automatic,
}

/// What happens to a site that was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Standby {
    /// It keeps running.
    Warm,
    /// What bills there is stopped.
    Cold,
}

/// The policy in force for one group. Durations are at least one second, counts at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Whether moves are made without a person.
    pub mode: Mode,
    /// Time from the start of one counted round to the next.
    pub probe_interval: SignedDuration,
    /// After this long a probe has failed.
    pub probe_timeout: SignedDuration,
    /// An answer slower than this is degraded.
    pub latency_limit: SignedDuration,
    /// Failed rounds, among the last `fail_window`, that make an account unhealthy.
    pub fail_threshold: u32,
    /// How many counted rounds are looked at; at least `fail_threshold`.
    pub fail_window: u32,
    /// Ok rounds after which an unhealthy account is healthy again.
    pub recover_threshold: u32,
    /// Time from unhealthy to an automatic move.
    pub hold: SignedDuration,
    /// No automatic move for this long after an automatic failover.
    pub cooldown: SignedDuration,
    /// Automatic failovers allowed in any 24 hours.
    pub max_moves_per_day: u32,
    /// How long a switchover may prepare its target.
    pub prepare_timeout: SignedDuration,
    /// What an alert is worth.
    pub alert: AlertPolicy,
    /// How long a signal lives after its last update.
    pub alert_ttl: SignedDuration,
    /// Who starts a failback.
    pub failback: FailbackPolicy,
    /// Continuous recovery of the primary before an automatic failback.
    pub failback_after: SignedDuration,
    /// What happens to the site that was left.
    pub standby: Standby,
    /// Storm limit of the deployment: how many groups may have unfinished steps at once.
    pub max_groups_moving: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mode: Mode::Automatic,
            probe_interval: SignedDuration::from_secs(30),
            probe_timeout: SignedDuration::from_secs(10),
            latency_limit: SignedDuration::from_secs(5),
            fail_threshold: 3,
            fail_window: 3,
            recover_threshold: 2,
            hold: SignedDuration::from_secs(90),
            cooldown: SignedDuration::from_secs(3600),
            max_moves_per_day: 2,
            prepare_timeout: SignedDuration::from_mins(15),
            alert: AlertPolicy::Confirm,
            alert_ttl: SignedDuration::from_hours(2),
            failback: FailbackPolicy::Manual,
            failback_after: SignedDuration::from_secs(1800),
            standby: Standby::Warm,
            max_groups_moving: 50,
        }
    }
}
