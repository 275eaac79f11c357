//! The timer's cycle over all groups: one range scan, a sweep of rounds under one deadline, one
//! heartbeat, and a write for each group that changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use tokio::time::Instant;

use super::beat::Sweep;
use super::cycle::{Asked, Storm};
use super::{Controller, now};
use crate::adapters::store::StoreError;
use crate::adapters::store::codec::GroupRow;
use crate::adapters::store::heartbeat::HeartbeatRow;
use crate::decision::{Decision, evidence};
use crate::model::evidence::GroupEvidence;
use crate::model::name::GroupName;
use crate::model::sample::Round;
use crate::model::signal::Signal;
use crate::model::spec::GroupSpec;
use crate::model::words::count;

/// A tick ends itself by now; the host would kill the process at `functionTimeout` (two minutes),
/// taking every other request with it.
pub const TICK_LIMIT: Duration = Duration::from_secs(90);
/// What has come in by now is folded and decided on, while slower groups are still being probed.
const WAVE: Duration = Duration::from_secs(12);
/// A wave is no shorter than this, so that a quiet sweep of many groups is one.
const WAVE_LEAST: Duration = Duration::from_secs(2);
/// A tick that is still reading or committing by now gives up; what is not written is decided by the next.
const TICK_GIVEN_UP: Duration = Duration::from_secs(110);
/// Groups that are decided on in one go; then others of the process have their turn.
pub(super) const DECIDED_AT_ONCE: usize = 128;
/// Commits under way at once.
pub(super) const COMMITS_AT_ONCE: usize = 32;

/// What one tick did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TickReport {
    /// Whether a round counted.
    pub counted: bool,
    /// Groups that were probed.
    pub probed: usize,
    /// Groups that were due and not covered before the deadline.
    pub not_covered: usize,
    /// Lines for people: rows that cannot be read or were rebuilt, groups that could not be committed.
    pub notes: Vec<String>,
}

/// Which groups a sweep is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// All of them, as the timer asks.
    Everything,
    /// Those that any alert speaks of, at once; probed are those for whose active site one is going on.
    Alerted,
}

impl Controller {
    /// Runs one tick.
    ///
    /// # Errors
    /// When state could not be read or committed. Failed probes, missing tokens and lost races are no
    /// error.
    pub async fn tick(self: &Arc<Self>) -> Result<TickReport, StoreError> {
        let deadline = Instant::now() + TICK_LIMIT;
        let Ok(_turn) = tokio::time::timeout_at(deadline, self.turn.lock()).await else {
            return Ok(TickReport::default());
        };
        let given_up = deadline + TICK_GIVEN_UP.saturating_sub(TICK_LIMIT);
        tokio::time::timeout_at(given_up, self.sweep(Scope::Everything, deadline))
            .await
            .unwrap_or_else(|_| {
                let limit = TICK_GIVEN_UP.as_secs();
                Err(StoreError::Unavailable(format!(
                    "state was not read and committed within {limit} s: the next tick goes on"
                )))
            })
    }

    /// Reads all state, probes what is due, and decides.
    pub(super) async fn sweep(
        self: &Arc<Self>,
        scope: Scope,
        deadline: Instant,
    ) -> Result<TickReport, StoreError> {
        let began_at = (scope == Scope::Everything).then(now);
        let mut sweeping = self.begin_sweep(scope, deadline).await?;
        if scope == Scope::Alerted {
            // What asks for no probe is decided before any: an alert may be enough by policy.
            let groups: Vec<GroupName> = sweeping.undecided.iter().cloned().collect();
            self.decide_all(&mut sweeping, &groups).await?;
        }
        let due = self.due(&sweeping, scope);
        let with_confirm = due
            .iter()
            .map(|spec| (Arc::clone(spec), sweeping.is_alerted(&spec.name)));
        let mut rounds = self.rounds(with_confirm.collect());
        let mut pending: BTreeSet<GroupName> = due.iter().map(|spec| spec.name.clone()).collect();
        let wave_limit = wave_limit(&due);
        loop {
            let until = deadline.min(Instant::now() + wave_limit);
            let (wave, is_over) = rounds.collect(until).await;
            for group in wave.keys() {
                pending.remove(group);
            }
            let is_last = is_over || Instant::now() >= deadline;
            let sweep = Sweep {
                began_at,
                not_covered: if is_last {
                    pending.iter().cloned().collect()
                } else {
                    Vec::new()
                },
            };
            self.take_wave(&mut sweeping, wave, &sweep, is_last).await?;
            if is_last {
                break;
            }
        }
        sweeping.report.not_covered = pending.len();
        if !pending.is_empty() {
            let line = format!(
                "not covered before the deadline: {}",
                count(pending.len(), "group")
            );
            note(&mut sweeping.report, line);
        }
        Ok(sweeping.report)
    }

    async fn begin_sweep(
        self: &Arc<Self>,
        scope: Scope,
        deadline: Instant,
    ) -> Result<Sweeping, StoreError> {
        let mut report = TickReport::default();
        let mut snapshot = self.store.snapshot().await?;
        if scope == Scope::Everything {
            for problem in &snapshot.problems {
                note(
                    &mut report,
                    format!("row {}: {}", problem.key, problem.problem),
                );
            }
            self.make_rows(&mut snapshot, &mut report).await?;
            self.forget_outlived(&snapshot.alerts).await;
        }
        self.memory
            .keep_snapshot(&snapshot, &self.deployment.vantage);
        let mut sweeping = Sweeping {
            deadline,
            heartbeat: snapshot.heartbeat(&self.deployment.vantage).cloned(),
            storm: Storm::of(self, &snapshot.groups),
            signals: self.signals(&snapshot),
            undecided: snapshot.groups.keys().cloned().collect(),
            rows: snapshot.groups,
            report,
        };
        if scope == Scope::Alerted {
            let signals = &sweeping.signals;
            sweeping.rows.retain(|group, _| signals.contains_key(group));
            sweeping
                .undecided
                .retain(|group| signals.contains_key(group));
        }
        Ok(sweeping)
    }

    /// The groups whose round would count now, or whose alert waits for one: the latter first, then those
    /// that were seen longest ago, so that none starves where a sweep cannot cover all.
    fn due(&self, sweeping: &Sweeping, scope: Scope) -> Vec<Arc<GroupSpec>> {
        let beat = sweeping.heartbeat.as_ref().map(|row| &row.beat);
        let at = now();
        let mut due: Vec<Arc<GroupSpec>> = self
            .deployment
            .groups
            .values()
            .filter(|spec| sweeping.rows.contains_key(&spec.name))
            .filter(|spec| scope == Scope::Everything || sweeping.is_alerted(&spec.name))
            .filter(|spec| {
                let seen = beat.and_then(|beat| beat.evidence.get(&spec.name));
                evidence::counts(seen.and_then(|seen| seen.counted_at), at, &spec.policy)
                    || sweeping.awaits_round(spec, seen)
            })
            .cloned()
            .collect();
        due.sort_by_cached_key(|spec| {
            let seen = beat.and_then(|beat| beat.evidence.get(&spec.name));
            let newest_at = seen.map(|seen| seen.newest_at);
            (!sweeping.awaits_round(spec, seen), newest_at)
        });
        due
    }

    /// Folds a wave into the heartbeat, then decides on its groups; with the last wave, on all that
    /// were not probed as well: their moves go on, and their evidence ages.
    async fn take_wave(
        &self,
        sweeping: &mut Sweeping,
        wave: BTreeMap<GroupName, Round>,
        sweep: &Sweep,
        is_last: bool,
    ) -> Result<(), StoreError> {
        // A sweep that finds nothing to probe is one all the same: the timer runs.
        let mut known = self.deployment.groups.keys();
        let nothing_known =
            sweeping.heartbeat.is_none() || !known.any(|group| sweeping.rows.contains_key(group));
        if !wave.is_empty() || nothing_known || !sweep.not_covered.is_empty() {
            let folded = self.fold(sweeping.heartbeat.take(), &wave, sweep).await?;
            sweeping.report.counted |= folded.counted;
            sweeping.heartbeat = Some(folded.row);
        }
        sweeping.report.probed += wave.len();
        let groups: Vec<GroupName> = if is_last {
            std::mem::take(&mut sweeping.undecided)
                .into_iter()
                .collect()
        } else {
            wave.keys()
                .filter(|group| sweeping.undecided.remove(*group))
                .cloned()
                .collect()
        };
        self.decide_all(sweeping, &groups).await
    }

    async fn decide_all(
        &self,
        sweeping: &mut Sweeping,
        groups: &[GroupName],
    ) -> Result<(), StoreError> {
        let mut in_turn = Vec::new();
        let mut at_once = Vec::new();
        for (index, group) in groups.iter().enumerate() {
            if index % DECIDED_AT_ONCE == DECIDED_AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
            let (Some(spec), Some(row)) = (self.spec(group), sweeping.rows.get(group)) else {
                continue;
            };
            let asked = sweeping.asked(spec);
            let decision = self.decide(&row.state, &asked);
            if decision.next == *row.state && decision.history.is_empty() {
                continue;
            }
            let has_steps = decision
                .begun
                .as_ref()
                .is_some_and(|begun| !begun.steps.is_empty());
            // Moves with steps begin one after the other, so that the storm limit is never overrun.
            if has_steps {
                in_turn.push((Arc::clone(spec), row.clone()));
            } else {
                at_once.push((Arc::clone(spec), row.clone()));
            }
        }
        let swept: &Sweeping = sweeping;
        let committing: Vec<_> = at_once
            .into_iter()
            .map(|(spec, row)| self.commit_one(swept, spec, row))
            .collect();
        let mut committed = some_at_once(committing).await;
        for (spec, row) in in_turn {
            committed.push(self.commit_one(swept, spec, row).await);
        }
        // A later wave, or the last, decides on what was written here.
        for (spec, committed) in &mut committed {
            if let Ok(Committed { row, .. }) = committed
                && let Some(row) = row.take()
            {
                sweeping.rows.insert(spec.name.clone(), row);
            }
        }
        let swept: &Sweeping = sweeping;
        let finishing: Vec<_> = committed
            .into_iter()
            .map(|(spec, committed)| {
                let claimed = committed.map(|committed| committed.claimed);
                self.finish_one(swept, spec, claimed)
            })
            .collect();
        let finished = some_at_once(finishing).await;
        let mut failed = None;
        for (group, result) in finished {
            if let Err(error) = result {
                note(&mut sweeping.report, format!("{group}: {error}"));
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn commit_one(
        &self,
        sweeping: &Sweeping,
        spec: Arc<GroupSpec>,
        row: GroupRow,
    ) -> (Arc<GroupSpec>, Result<Committed, StoreError>) {
        let asked = sweeping.asked(&spec);
        let state = Arc::clone(&row.state);
        let cycled = self.cycle(Some(row), &state, &asked).await;
        let committed = cycled.map(|cycled| Committed {
            row: cycled.row,
            claimed: Some(cycled.decision).filter(|decision| !decision.claims.is_empty()),
        });
        (spec, committed)
    }

    /// Runs the steps of a committed decision, until the tick's deadline: what is not done by then goes
    /// on with the next tick, when the claims have run out.
    async fn finish_one(
        &self,
        sweeping: &Sweeping,
        spec: Arc<GroupSpec>,
        claimed: Result<Option<Decision>, StoreError>,
    ) -> (GroupName, Result<(), StoreError>) {
        let result = match claimed {
            Ok(None) => Ok(()),
            Ok(Some(decision)) => {
                let signals = sweeping.signals(&spec.name);
                let steps = self.finish_steps(&spec, signals, decision);
                tokio::time::timeout_at(sweeping.deadline, steps)
                    .await
                    .unwrap_or(Ok(()))
            }
            Err(error) => Err(error),
        };
        (spec.name.clone(), result)
    }
}

/// Groups that are probed often must not wait for slow ones until what they saw is old.
fn wave_limit(due: &[Arc<GroupSpec>]) -> Duration {
    due.iter()
        .map(|spec| spec.policy.probe_interval.unsigned_abs())
        .min()
        .map_or(WAVE, |shortest| shortest.clamp(WAVE_LEAST, WAVE))
}

/// What is kept of a group's cycle: of ten thousand that move at once, not every decision with its story.
struct Committed {
    row: Option<GroupRow>,
    /// The decision, where it claimed steps that are to be run now.
    claimed: Option<Decision>,
}

/// What a sweep carries from wave to wave.
struct Sweeping {
    deadline: Instant,
    /// Of the groups that any alert speaks of.
    signals: BTreeMap<GroupName, Vec<Signal>>,
    rows: BTreeMap<GroupName, GroupRow>,
    undecided: BTreeSet<GroupName>,
    heartbeat: Option<Arc<HeartbeatRow>>,
    storm: Storm,
    report: TickReport,
}

impl Sweeping {
    fn evidence(&self, group: &GroupName) -> Option<&GroupEvidence> {
        self.heartbeat
            .as_ref()
            .and_then(|row| row.of(group))
            .map(AsRef::as_ref)
    }

    fn signals(&self, group: &GroupName) -> &[Signal] {
        self.signals.get(group).map_or(&[], Vec::as_slice)
    }

    /// Whether an alert for the active site is going on.
    fn is_alerted(&self, group: &GroupName) -> bool {
        self.waiting_alerts(group).next().is_some()
    }

    /// Whether such an alert has had no round of the kind that could confirm it since its last message, from
    /// which its life is counted: each message of an incident starts a round, not only the first.
    fn awaits_round(&self, spec: &GroupSpec, seen: Option<&Arc<GroupEvidence>>) -> bool {
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

    fn asked<'a>(&'a self, spec: &'a Arc<GroupSpec>) -> Asked<'a> {
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

/// Runs these, at most [`COMMITS_AT_ONCE`] at a time.
pub(super) async fn some_at_once<F: Future>(work: Vec<F>) -> Vec<F::Output> {
    stream::iter(work)
        .buffer_unordered(COMMITS_AT_ONCE)
        .collect()
        .await
}

pub(super) fn note(report: &mut TickReport, line: String) {
    tracing::warn!("{line}");
    report.notes.push(line);
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::model::policy::Policy;

    #[test]
    fn a_wave_is_as_short_as_the_group_that_is_probed_most_often_needs() {
        let spec = |seconds| {
            Arc::new(GroupSpec {
                name: GroupName::from("contoso"),
                tenant: None,
                policy: Policy {
                    probe_interval: SignedDuration::from_secs(seconds),
                    ..Policy::default()
                },
                sites: Vec::new(),
            })
        };
        assert_eq!(wave_limit(&[]), WAVE);
        assert_eq!(wave_limit(&[spec(30), spec(60)]), WAVE);
        assert_eq!(wave_limit(&[spec(30), spec(5)]), Duration::from_secs(5));
        assert_eq!(wave_limit(&[spec(1)]), WAVE_LEAST);
    }
}
