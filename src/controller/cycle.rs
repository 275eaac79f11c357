//! One group through decide, commit, act. The timer, an order and the outcome of our own steps all
//! come through here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::time::Instant;

use super::{Controller, now};
use crate::adapters::activation;
use crate::adapters::store::codec::GroupRow;
use crate::adapters::store::{Commit, StoreError};
use crate::decision::{self, Decision, Observation, steps};
use crate::model::evidence::GroupEvidence;
use crate::model::history::{HistoryEntry, HistoryKind};
use crate::model::moves::{Step, StepReport};
use crate::model::name::GroupName;
use crate::model::order::Order;
use crate::model::signal::Signal;
use crate::model::spec::GroupSpec;
use crate::model::state::GroupState;

/// After losing this many races on one row something else is wrong.
const TRIES: u32 = 10;

/// How many groups have unfinished steps, as this process knows it.
#[derive(Debug, Default)]
pub struct Storm {
    moving: AtomicU32,
}

impl Storm {
    /// The count of these records.
    pub fn of(controller: &Controller, groups: &BTreeMap<GroupName, GroupRow>) -> Self {
        let storm = Self::default();
        for (group, row) in groups {
            storm.add(&row.state, controller.spec(group));
        }
        storm
    }

    /// More than any limit allows.
    pub fn crowded() -> Self {
        Self {
            moving: AtomicU32::new(u32::MAX / 2),
        }
    }

    /// Counts one group's record.
    fn add(&self, state: &GroupState, spec: Option<&Arc<GroupSpec>>) {
        if takes_place(state, spec.map(AsRef::as_ref)) {
            self.moving.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Follows one group from one record to the next.
    fn follow(&self, before: &GroupState, after: &GroupState, spec: &GroupSpec) {
        match (
            takes_place(before, Some(spec)),
            takes_place(after, Some(spec)),
        ) {
            (false, true) => {
                self.moving.fetch_add(1, Ordering::Relaxed);
            }
            (true, false) => {
                let _ = self
                    .moving
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                        count.checked_sub(1)
                    });
            }
            (true, true) | (false, false) => {}
        }
    }

    fn elsewhere(&self, state: &GroupState, spec: &GroupSpec) -> u32 {
        let own = u32::from(takes_place(state, Some(spec)));
        self.moving.load(Ordering::Relaxed).saturating_sub(own)
    }
}

fn takes_place(state: &GroupState, spec: Option<&GroupSpec>) -> bool {
    state.moving.as_ref().is_some_and(|running| {
        !running.steps.is_empty()
            && spec.is_none_or(|spec| !steps::is_stalled(running, spec, now()))
    })
}

/// What a cycle is about.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The group as configured.
    pub spec: &'a Arc<GroupSpec>,
    /// What the rounds amount to.
    pub evidence: Option<&'a GroupEvidence>,
    /// The signals that match it.
    pub signals: &'a [Signal],
    /// Whether they were read together with the record.
    pub signals_are_current: bool,
    /// A person's order.
    pub order: Option<&'a Order>,
    /// What became of our own steps.
    pub reports: &'a [StepReport],
    /// The storm limit's count.
    pub storm: &'a Storm,
}

/// What a cycle left behind.
#[derive(Debug, Clone)]
pub struct Cycled {
    /// The decision that stands.
    pub decision: Decision,
    /// The row as it now stands; `None` where nothing was written and there was none.
    pub row: Option<GroupRow>,
}

impl Controller {
    /// Decides on a record; pure but for the clock and a fresh id.
    #[must_use]
    pub fn decide(&self, state: &GroupState, asked: &Asked<'_>) -> Decision {
        let move_id = Self::fresh_id();
        let seen = Observation {
            evidence: asked.evidence,
            signals: asked.signals,
            signals_are_current: asked.signals_are_current,
            order: asked.order,
            reports: asked.reports,
            moving_elsewhere: asked.storm.elsewhere(state, asked.spec),
            process: &self.process,
            move_id: &move_id,
        };
        decision::decide(state, &seen, asked.spec, now())
    }

    /// Decide and commit until a decision stands. A lost race is decided anew on what is there now.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub async fn cycle(
        &self,
        row: Option<GroupRow>,
        initial: &GroupState,
        asked: &Asked<'_>,
    ) -> Result<Cycled, StoreError> {
        let spec = asked.spec;
        let group = &spec.name;
        let storm = asked.storm;
        let is_dry = asked.order.is_some_and(|order| order.dry_run);
        let mut row = row;
        let mut order = asked.order.cloned();
        let mut signals_are_current = asked.signals_are_current;
        for _ in 0..TRIES {
            let asked = Asked {
                order: order.as_ref(),
                signals_are_current,
                ..*asked
            };
            let state = row.as_ref().map_or(initial, |row| row.state.as_ref());
            let decision = self.decide(state, &asked);
            let changes = decision.next != *state || !decision.history.is_empty();
            if is_dry || !changes {
                return Ok(Cycled { decision, row });
            }
            let asked_at = Instant::now();
            let written = self
                .store
                .commit(group, row.as_ref(), &decision.next, &decision.history)
                .await?;
            match written {
                Commit::Done(written) => {
                    storm.follow(state, &decision.next, spec);
                    self.memory.keep(group, &written.state, asked_at);
                    self.shelf.clear();
                    report(group, &decision);
                    return Ok(Cycled {
                        decision,
                        row: Some(written),
                    });
                }
                Commit::Lost => {
                    // Whoever won may have moved the group. The order still means the site that it meant,
                    // else two orders to leave a site would move the group there and back.
                    if let Some(order) = &mut order
                        && let Some(begun) = &decision.begun
                    {
                        order.to.get_or_insert_with(|| begun.to.clone());
                    }
                    let there = self.store.group(group).await?;
                    if let Some(there) = &there {
                        // A move that others began takes its place as well.
                        storm.follow(state, &there.state, spec);
                    }
                    row = there;
                    signals_are_current = false;
                }
            }
        }
        Err(StoreError::Unavailable(format!(
            "the row of {group} was written by others {TRIES} times in a row"
        )))
    }

    /// Runs the steps that a committed decision claimed, and takes their outcomes through the same
    /// path, until nothing is left to run now.
    ///
    /// # Errors
    /// When the store cannot be reached; the claims run out, and the next tick goes on.
    pub async fn finish_steps(
        &self,
        spec: &Arc<GroupSpec>,
        signals: &[Signal],
        decision: Decision,
    ) -> Result<(), StoreError> {
        // How many others move is not known here, so a move with steps waits for the next tick.
        let storm = Storm::crowded();
        let mut decision = decision;
        while !decision.claims.is_empty() {
            let reports = self.act(spec, &decision).await;
            let row = self.store.group(&spec.name).await?;
            let heartbeat = self.store.heartbeat(&self.deployment.vantage).await?;
            let asked = Asked {
                spec,
                evidence: heartbeat
                    .as_ref()
                    .and_then(|row| row.of(&spec.name))
                    .map(AsRef::as_ref),
                signals,
                signals_are_current: false,
                order: None,
                reports: &reports,
                storm: &storm,
            };
            decision = self.cycle(row, &decision.next, &asked).await?.decision;
        }
        Ok(())
    }

    async fn act(&self, spec: &GroupSpec, decision: &Decision) -> Vec<StepReport> {
        let Some(running) = &decision.next.moving else {
            return Vec::new();
        };
        let perform = |step: &Step| {
            let step = step.clone();
            async move {
                StepReport {
                    move_id: running.id.clone(),
                    result: activation::perform(spec, &step).await,
                    step: step.name,
                }
            }
        };
        futures::future::join_all(decision.claims.iter().map(perform)).await
    }
}

/// A signal and a failed step say themselves what happened; of everything else the rule says it.
fn told(entry: &HistoryEntry, decision: &Decision) -> String {
    match (entry.kind, &entry.reason) {
        (HistoryKind::Signal | HistoryKind::StepFailed, Some(reason)) => reason.clone(),
        (kind, _) => format!("{} ({})", kind.as_str(), decision.rule.says()),
    }
}

/// One line per decision that changed something, readable alone, with fields for search.
fn report(group: &GroupName, decision: &Decision) {
    for entry in &decision.history {
        tracing::info!(
            group = %group,
            rule = %entry.rule,
            generation = entry.generation,
            kind = entry.kind.as_str(),
            from = %entry.from,
            to = entry.to.as_ref().map(crate::model::name::SiteName::as_str),
            actor = %entry.actor,
            hold = entry.hold.as_ref().map(|hold| hold.code.as_str()),
            "{group}: {}",
            told(entry, decision)
        );
    }
}
