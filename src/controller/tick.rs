//! The timer's cycle over all groups: one range scan, a sweep of rounds under one deadline, one
//! heartbeat, and a write for each group that changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::beat::Sweep;
use super::cycle::Storm;
use super::sweeping::Sweeping;
use super::{Controller, now};
use crate::adapters::store::StoreError;
use crate::adapters::store::codec::GroupRow;
use crate::decision::{Decision, evidence};
use crate::model::name::GroupName;
use crate::model::policy::AlertPolicy;
use crate::model::sample::Round;
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
/// Commits under way at once. Each is two or three rows; the store sends those that wait together, so that these are
/// three transactions as large as may be. A partition of Table Storage takes 2,000 rows a second, and alerts and
/// lookups wait behind them there.
pub(super) const COMMITS_AT_ONCE: usize = 128;

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
    /// Runs one tick to its end, even if whoever asked for it goes away: it writes.
    ///
    /// # Errors
    /// When state could not be read or committed, and when the tick was lost to a panic. Failed probes, missing
    /// tokens and lost races are no error.
    pub async fn tick(self: &Arc<Self>) -> Result<TickReport, StoreError> {
        let controller = Arc::clone(self);
        self.spawn(async move { controller.tick_here().await })
            .await
            .unwrap_or_else(|error| {
                Err(StoreError::Unavailable(format!(
                    "the tick was lost: {error}"
                )))
            })
    }

    async fn tick_here(self: &Arc<Self>) -> Result<TickReport, StoreError> {
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
        let sweep_began = Instant::now();
        let began_at = (scope == Scope::Everything).then(now);
        let mut sweeping = self.begin_sweep(scope, deadline).await?;
        if scope == Scope::Alerted {
            let groups = self.decided_before_probes(&sweeping);
            self.decide_all(&mut sweeping, &groups).await?;
        }
        let due = self.due(&sweeping, scope);
        let standing = due
            .iter()
            .map(|spec| (Arc::clone(spec), sweeping.standing(&spec.name)));
        let mut rounds = self.rounds(standing.collect());
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
        self.await_steps(&mut sweeping, sweep_began).await?;
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
            read_at: snapshot.asked_at,
            heartbeat: snapshot.heartbeat(&self.deployment.vantage).cloned(),
            storm: Storm::of(self, &snapshot.groups),
            signals: self.signals(&snapshot),
            undecided: snapshot.groups.keys().cloned().collect(),
            rows: snapshot.groups,
            steps: JoinSet::new(),
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

    /// The alerted groups that wait for no round: an alert may be enough by policy, and a move that runs goes on. The
    /// others are decided on when the rounds are over: what is only told of them takes no time from moves, and a group
    /// that is probed is written once and not twice.
    fn decided_before_probes(&self, sweeping: &Sweeping) -> Vec<GroupName> {
        let is_pressing = |group: &&GroupName| {
            let spec = self.spec(group);
            spec.is_some_and(|spec| spec.policy.alert == AlertPolicy::Direct)
                || sweeping
                    .rows
                    .get(*group)
                    .is_some_and(|row| row.state.moving.is_some())
        };
        let groups = sweeping.undecided.iter();
        groups.filter(is_pressing).cloned().collect()
    }

    /// Folds a wave into the heartbeat, then decides on its groups; with the last wave, on all that
    /// were not probed as well: their moves go on, and their evidence ages.
    async fn take_wave(
        self: &Arc<Self>,
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
            if !folded.is_current {
                let (tries, lost) = (super::beat::TRIES, count(wave.len(), "group"));
                let line = format!(
                    "others wrote the heartbeat {tries} times in a row: the rounds of {lost} are lost, and are made again"
                );
                note(&mut sweeping.report, line);
            }
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
        self: &Arc<Self>,
        sweeping: &mut Sweeping,
        groups: &[GroupName],
    ) -> Result<(), StoreError> {
        let mut in_turn = Vec::new();
        let mut at_once = Vec::new();
        // A row goes to its commit and comes back as what was written: of ten thousand that move at once none is kept
        // twice. Where one fails the sweep does, and the next reads them all.
        let mut rows = std::mem::take(&mut sweeping.rows);
        for (index, group) in groups.iter().enumerate() {
            if index % DECIDED_AT_ONCE == DECIDED_AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
            let (Some(spec), Some(row)) = (self.spec(group), rows.get(group)) else {
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
                in_turn.push(Arc::clone(spec));
            } else {
                at_once.push((decision.begun.is_none(), Arc::clone(spec)));
            }
        }
        // Moves before what is only told.
        at_once.sort_by_key(|(is_told, _)| *is_told);
        let swept: &Sweeping = sweeping;
        let mut committing = SomeAtOnce::default();
        for (_, spec) in at_once {
            if let Some(row) = rows.remove(&spec.name) {
                committing.take(self.commit_one(swept, spec, row)).await;
            }
        }
        let mut committed = committing.finish().await;
        for spec in in_turn {
            if let Some(row) = rows.remove(&spec.name) {
                committed.push(self.commit_one(swept, spec, row).await);
            }
        }
        // A later wave, or the last, decides on what was written here.
        for (spec, committed) in &mut committed {
            if let Ok(Committed { row, .. }) = committed
                && let Some(row) = row.take()
            {
                rows.insert(spec.name.clone(), row);
            }
        }
        sweeping.rows = rows;
        let mut failed = None;
        for (spec, committed) in committed {
            match committed.map(|committed| committed.claimed) {
                Ok(None) => {}
                Ok(Some(decision)) => self.begin_steps(sweeping, spec, *decision),
                Err(error) => {
                    note(&mut sweeping.report, format!("{}: {error}", spec.name));
                    failed = Some(error);
                }
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
        let _turn = self.commits.of(&spec.name).await;
        let mut asked = sweeping.asked(&spec);
        // A sweep beside this one may have written it meanwhile: then that is what is decided on.
        let newer = self.memory.written_since(&spec.name, sweeping.read_at);
        let newer = newer.filter(|newer| newer.etag != row.etag);
        asked.signals_are_current = newer.is_none();
        let row = newer.unwrap_or(row);
        let state = Arc::clone(&row.state);
        let cycled = self.cycle(Some(row), &state, &asked).await;
        let committed = cycled.map(|cycled| Committed {
            row: cycled.row,
            claimed: (!cycled.decision.claims.is_empty()).then(|| Box::new(cycled.decision)),
        });
        (spec, committed)
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
    /// The decision, where it claimed steps that are to be run now. Boxed, so that those without take no room for one.
    claimed: Option<Box<Decision>>,
}

/// Runs at most [`COMMITS_AT_ONCE`] at a time. What is to be run is handed over one by one: ten thousand that were made
/// beforehand would take more memory than all that they are about.
pub(super) struct SomeAtOnce<F: Future> {
    running: FuturesUnordered<F>,
    done: Vec<F::Output>,
}

impl<F: Future> Default for SomeAtOnce<F> {
    fn default() -> Self {
        Self {
            running: FuturesUnordered::new(),
            done: Vec::new(),
        }
    }
}

impl<F: Future> SomeAtOnce<F> {
    /// Begins this one as soon as there is room.
    pub(super) async fn take(&mut self, work: F) {
        while self.running.len() >= COMMITS_AT_ONCE {
            self.done.extend(self.running.next().await);
        }
        self.running.push(work);
    }

    /// What came of all of them, in the order in which they ended.
    pub(super) async fn finish(mut self) -> Vec<F::Output> {
        while let Some(done) = self.running.next().await {
            self.done.push(done);
        }
        self.done
    }
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
