//! What a sweep carries from wave to wave, and the steps that it began.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Controller;
use super::cycle::{Asked, Storm};
use super::observe::Standing;
use super::tick::{TickReport, note};
use crate::adapters::store::StoreError;
use crate::adapters::store::codec::GroupRow;
use crate::adapters::store::heartbeat::HeartbeatRow;
use crate::decision::Decision;
use crate::model::evidence::GroupEvidence;
use crate::model::name::GroupName;
use crate::model::signal::Signal;
use crate::model::spec::GroupSpec;

/// A sweep waits for the steps that it began until it has taken as long as the shortest interval, and at most so
/// long: the next one is due.
const STEPS_AWAITED: Duration = Duration::from_secs(25);
/// But for so long at least.
const STEPS_AWAITED_LEAST: Duration = Duration::from_secs(2);

/// What a sweep carries from wave to wave.
pub(super) struct Sweeping {
    pub(super) deadline: Instant,
    /// When the rows were asked for.
    pub(super) read_at: Instant,
    /// Of the groups that any alert speaks of.
    pub(super) signals: BTreeMap<GroupName, Vec<Signal>>,
    pub(super) rows: BTreeMap<GroupName, GroupRow>,
    pub(super) undecided: BTreeSet<GroupName>,
    pub(super) heartbeat: Option<Arc<HeartbeatRow>>,
    pub(super) storm: Storm,
    /// Steps under way, by group.
    pub(super) steps: JoinSet<(GroupName, Result<(), StoreError>)>,
    pub(super) report: TickReport,
}

impl Sweeping {
    fn evidence(&self, group: &GroupName) -> Option<&GroupEvidence> {
        self.heartbeat
            .as_ref()
            .and_then(|row| row.of(group))
            .map(AsRef::as_ref)
    }

    pub(super) fn signals(&self, group: &GroupName) -> &[Signal] {
        self.signals.get(group).map_or(&[], Vec::as_slice)
    }

    /// How a group stands before its round.
    pub(super) fn standing(&self, group: &GroupName) -> Standing {
        let state = self.rows.get(group).map(|row| &row.state);
        Standing {
            confirm: self.is_alerted(group),
            must_run: state.and_then(|state| state.must_run().cloned()),
            evidence: self
                .heartbeat
                .as_ref()
                .and_then(|row| row.of(group).cloned()),
        }
    }

    /// Whether an alert for the active site is going on.
    pub(super) fn is_alerted(&self, group: &GroupName) -> bool {
        self.waiting_alerts(group).next().is_some()
    }

    /// Whether such an alert has had no round of the kind that could confirm it since its last message, from
    /// which its life is counted: each message of an incident starts a round, not only the first.
    pub(super) fn awaits_round(&self, spec: &GroupSpec, seen: Option<&Arc<GroupEvidence>>) -> bool {
        let life = spec.policy.alert_ttl;
        let newest_at = seen
            .filter(|seen| seen.asked_twice)
            .map(|seen| seen.newest_at);
        self.waiting_alerts(&spec.name)
            .any(|signal| newest_at.is_none_or(|at| signal.expires_at.duration_since(at) > life))
    }

    fn waiting_alerts(&self, group: &GroupName) -> impl Iterator<Item = &Signal> {
        let active = self.rows.get(group).map(|row| row.state.active());
        self.signals(group)
            .iter()
            .filter(move |signal| active.is_some_and(|active| signal.is_against(active)))
    }

    pub(super) fn asked<'a>(&'a self, spec: &'a Arc<GroupSpec>) -> Asked<'a> {
        Asked {
            spec,
            evidence: self.evidence(&spec.name),
            signals: self.signals(&spec.name),
            signals_are_current: true,
            order: None,
            reports: &[],
            storm: &self.storm,
        }
    }
}

impl Controller {
    /// Runs the steps of a committed decision beside the sweep: what is slow outside delays no other group.
    pub(super) fn begin_steps(
        self: &Arc<Self>,
        sweeping: &mut Sweeping,
        spec: Arc<GroupSpec>,
        decision: Decision,
    ) {
        let signals = sweeping.signals(&spec.name).to_vec();
        let controller = Arc::clone(self);
        sweeping.steps.spawn(async move {
            let result = controller.finish_steps(&spec, &signals, decision).await;
            (spec.name.clone(), result)
        });
    }

    fn steps_awaited(&self) -> Duration {
        let specs = self.deployment.groups.values();
        let shortest = specs
            .map(|spec| spec.policy.probe_interval.unsigned_abs())
            .min();
        shortest.map_or(STEPS_AWAITED, |shortest| shortest.min(STEPS_AWAITED))
    }

    /// Waits for the steps that this sweep began, as long as that delays no round: what takes longer goes on
    /// behind it, and if this process dies the next tick goes on from the row.
    pub(super) async fn await_steps(
        &self,
        sweeping: &mut Sweeping,
        began: Instant,
    ) -> Result<(), StoreError> {
        let earliest = Instant::now() + STEPS_AWAITED_LEAST;
        let until = (began + self.steps_awaited()).max(earliest);
        let until = until.min(sweeping.deadline.max(earliest));
        let mut failed = None;
        while let Ok(Some(ended)) = tokio::time::timeout_at(until, sweeping.steps.join_next()).await
        {
            match ended {
                Ok((_, Ok(()))) => {}
                Ok((group, Err(error))) => {
                    note(&mut sweeping.report, format!("{group}: {error}"));
                    failed = Some(error);
                }
                Err(error) => note(&mut sweeping.report, format!("steps were lost: {error}")),
            }
        }
        sweeping.steps.detach_all();
        failed.map_or(Ok(()), Err)
    }
}
