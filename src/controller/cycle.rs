//! One group through decide, commit, act. The timer, an order and the outcome of our own steps all
//! come through here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::observe::{self, evidence_of};
use super::{Controller, now};
use crate::adapters::activation::{Fence, Standing};
use crate::adapters::store::codec::GroupRow;
use crate::adapters::store::{Commit, StoreError};
use crate::decision::{self, Decision, Observation, steps};
use crate::model::evidence::GroupEvidence;
use crate::model::history::{HistoryEntry, HistoryKind};
use crate::model::moves::{Claim, Move, Step, StepReport, StepResult};
use crate::model::name::GroupName;
use crate::model::order::Order;
use crate::model::runbook::Topic;
use crate::model::signal::Signal;
use crate::model::spec::GroupSpec;
use crate::model::state::GroupState;

/// After losing this many races on one row something else is wrong.
const TRIES: u32 = 10;

/// One attempt at a step: well below the host's `functionTimeout`, and below the claim.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(20);
/// An attempt is over by this much before its claim is: clocks differ, and the last call needs its answer.
const CLAIM_MARGIN: Duration = Duration::from_secs(5);
/// Asking the record whether a step is still ours takes at most this long.
const FENCE_LIMIT: Duration = Duration::from_secs(5);

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
                    self.memory.keep_written(group, &written, asked_at);
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
        self: &Arc<Self>,
        spec: &Arc<GroupSpec>,
        signals: &[Signal],
        decision: Decision,
    ) -> Result<(), StoreError> {
        let mut decision = decision;
        while !decision.claims.is_empty() {
            let reports = self.act(spec, &decision).await;
            let heartbeat = self.store.heartbeat(&self.deployment.vantage).await?;
            let evidence = evidence_of(heartbeat.as_deref(), spec);
            let seen = evidence.as_deref();
            decision = self.anew(spec, signals, &decision, seen, &reports).await?;
            if !steps::awaits_look(&decision.next, seen) {
                continue;
            }
            // What was started only now can be asked only now, the canary above all. If nothing comes of it, a
            // later round tells.
            let standing = observe::Standing {
                confirm: false,
                must_run: decision.next.must_run().cloned(),
                evidence,
            };
            if let Some(looked) = self.look(spec, &standing, heartbeat).await? {
                let seen = evidence_of(Some(&looked), spec);
                let seen = seen.as_deref();
                decision = self.anew(spec, signals, &decision, seen, &[]).await?;
            }
        }
        Ok(())
    }

    /// The same path once more, on the record that is there now.
    async fn anew(
        &self,
        spec: &Arc<GroupSpec>,
        signals: &[Signal],
        before: &Decision,
        evidence: Option<&GroupEvidence>,
        reports: &[StepReport],
    ) -> Result<Decision, StoreError> {
        // How many others move is not known here, so a move with steps waits for the next tick.
        let storm = Storm::crowded();
        let row = self.store.group(&spec.name).await?;
        let asked = Asked {
            spec,
            evidence,
            signals,
            signals_are_current: false,
            order: None,
            reports,
            storm: &storm,
        };
        Ok(self.cycle(row, &before.next, &asked).await?.decision)
    }

    async fn act(self: &Arc<Self>, spec: &Arc<GroupSpec>, decision: &Decision) -> Vec<StepReport> {
        let perform = |claim: &Claim| {
            let claim = claim.clone();
            let fence = self.fence(&spec.name, &claim);
            async move {
                let begun = Instant::now();
                let until = begun + attempt_limit(&claim.step, now());
                let performing = self.activator.perform(spec, &claim.step, until, &fence);
                let performed = performing.await;
                let took = SignedDuration::try_from(begun.elapsed()).unwrap_or_default();
                tell(&spec.name, &claim.step, &performed.result);
                StepReport {
                    move_id: claim.move_id,
                    step: claim.step.name,
                    began: performed.began,
                    result: performed.result,
                    took,
                }
            }
        };
        futures::future::join_all(decision.claims.iter().map(perform)).await
    }

    /// Whether the record still names this process as the one that runs a step, and the step as one that may
    /// be run: right before anything outside is changed.
    fn fence(self: &Arc<Self>, group: &GroupName, claim: &Claim) -> Fence {
        let (controller, group, claim) = (Arc::clone(self), group.clone(), claim.clone());
        Fence::new(move || {
            let (controller, group, claim) =
                (Arc::clone(&controller), group.clone(), claim.clone());
            Box::pin(async move {
                let reading = controller.store.group(&group);
                match tokio::time::timeout(FENCE_LIMIT, reading).await {
                    Ok(Ok(Some(row))) => {
                        if steps::may_run(&row.state, &claim, &controller.process, now()) {
                            Standing::Ours
                        } else {
                            Standing::Lost
                        }
                    }
                    Ok(Ok(None)) => Standing::Lost,
                    Ok(Err(_)) | Err(_) => Standing::Unknown,
                }
            })
        })
    }

    /// Reads what every step of a move is about, and changes nothing: what a rehearsal finds.
    pub(super) async fn rehearse(&self, spec: &GroupSpec, planned: &Move) -> Vec<StepReport> {
        let look = |step: &Step| {
            let step = step.clone();
            async move {
                let begun = Instant::now();
                let looking = self
                    .activator
                    .rehearse(spec, &step, begun + ATTEMPT_LIMIT / 2);
                let result = looking.await;
                StepReport {
                    took: SignedDuration::try_from(begun.elapsed()).unwrap_or_default(),
                    ..StepReport::new(&planned.id, &step.name, result)
                }
            }
        };
        futures::future::join_all(planned.steps.iter().map(look)).await
    }
}

/// An attempt ends before its claim does, so that no two processes are ever at work on one step.
fn attempt_limit(step: &Step, at: Timestamp) -> Duration {
    let claimed = step
        .claimed_until
        .map_or(SignedDuration::ZERO, |until| until.duration_since(at));
    let left = claimed.max(SignedDuration::ZERO).unsigned_abs();
    left.saturating_sub(CLAIM_MARGIN).min(ATTEMPT_LIMIT)
}

/// One line per attempt, readable alone.
fn tell(group: &GroupName, step: &Step, result: &StepResult) {
    let (name, site) = (&step.name, &step.account.site);
    match result {
        StepResult::Done => tracing::info!(group = %group, "{group}: {name} in {site}: done"),
        StepResult::GoingOn(line) => {
            tracing::info!(group = %group, "{group}: {name} in {site}: {line}");
        }
        StepResult::Failed { detail, .. } => {
            let runbook = Topic::of_step(step).map(Topic::reference);
            tracing::warn!(group = %group, runbook, "{group}: {name} in {site}: {detail}");
        }
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
            runbook = entry.hold.as_ref().map(|hold| Topic::Hold(hold.code).reference()),
            "{group}: {}",
            told(entry, decision)
        );
    }
}
