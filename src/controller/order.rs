//! A person's order on one group: fresh evidence if it asks for a move, then the same cycle as the
//! timer's.

use std::sync::Arc;
use std::time::Duration;

use super::cycle::{Asked, Storm};
use super::observe::{Standing, evidence_of};
use super::view::{self, GroupView};
use super::{Controller, GroupError, now};
use crate::adapters::store::StoreError;
use crate::decision::{Decision, Ruling};
use crate::model::evidence::GroupEvidence;
use crate::model::hold::Hold;
use crate::model::moves::{Move, StepReport};
use crate::model::name::GroupName;
use crate::model::order::{Order, OrderKind};
use crate::model::signal::Signal;
use crate::model::spec::GroupSpec;
use crate::model::state::GroupState;

/// An order is answered within this time, whatever the store does: the contract allows 30 s.
const ORDER_LIMIT: Duration = Duration::from_secs(27);

/// What is answered to an order.
#[derive(Debug, Clone)]
pub enum OrderAnswer {
    /// Done.
    Done(Box<GroupView>),
    /// Nothing was to be done.
    Nothing(Box<GroupView>),
    /// A move is under way.
    Running(Box<GroupView>),
    /// Refused.
    Refused(Hold),
    /// The group has this generation, not the one the order named.
    GenerationMismatch {
        /// The group's generation.
        generation: u64,
    },
    /// What a dry run found.
    Would {
        /// The move that would have been made.
        moving: Option<Box<Move>>,
        /// The hold that would have refused it.
        hold: Option<Hold>,
        /// The hold that force would have overridden.
        overridden: Option<Hold>,
    },
}

impl Controller {
    /// Carries out an order, and answers within 27 s. An order that takes longer is not torn
    /// off in the middle of a write: it goes on, and the group tells what became of it.
    ///
    /// # Errors
    /// When there is no such group, its configuration is bad, or the store gives no answer.
    pub async fn order(
        self: &Arc<Self>,
        group: &GroupName,
        order: &Order,
    ) -> Result<OrderAnswer, GroupError> {
        let (controller, group, order) = (Arc::clone(self), group.clone(), order.clone());
        let carrying = self.spawn(async move { controller.carry_out(&group, &order).await });
        let unknown = |what: String| {
            GroupError::Store(StoreError::Unavailable(format!(
                "{what}; look at the group before you order again"
            )))
        };
        match tokio::time::timeout(ORDER_LIMIT, carrying).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Err(unknown(format!("the order was lost: {error}"))),
            Err(_) => Err(unknown(format!(
                "the order was not carried out within {} s",
                ORDER_LIMIT.as_secs()
            ))),
        }
    }

    async fn carry_out(
        self: &Arc<Self>,
        group: &GroupName,
        order: &Order,
    ) -> Result<OrderAnswer, GroupError> {
        let spec = self.ordered(group)?;
        let row = self.store.group(group).await?;
        let initial = match &row {
            Some(row) => Arc::clone(&row.state),
            None => {
                let newest = self.store.newest_entry(group).await?;
                self.start(&spec, newest.as_ref()).state
            }
        };
        if order
            .if_generation
            .is_some_and(|generation| generation != initial.generation)
        {
            return Ok(OrderAnswer::GenerationMismatch {
                generation: initial.generation,
            });
        }
        let signals = self.signals_of(&spec, &initial).await?;
        // A round that comes after an alert may confirm it, so it must not be a blip here either.
        let confirm = signals
            .iter()
            .any(|signal| signal.is_against(initial.active()));
        let standing = Standing {
            confirm,
            must_run: initial.must_run().cloned(),
            evidence: None,
        };
        let evidence = self.fresh_evidence(&spec, order, standing).await?;
        let storm = Storm::default();
        let asked = Asked {
            spec: &spec,
            evidence: evidence.as_deref(),
            signals: &signals,
            signals_are_current: false,
            order: Some(order),
            reports: &[],
            storm: &storm,
        };
        let found = self.rehearsed(&initial, &asked).await;
        let asked = Asked {
            reports: &found,
            ..asked
        };
        let cycled = self.cycle(row, &initial, &asked).await?;
        let decision = cycled.decision;
        if !decision.claims.is_empty() && !order.dry_run {
            self.go_on(Arc::clone(&spec), signals.clone(), decision.clone());
        }
        if order.dry_run {
            return Ok(would(decision));
        }
        Ok(self.answered(&spec, decision, evidence, signals))
    }

    fn answered(
        &self,
        spec: &Arc<GroupSpec>,
        decision: Decision,
        evidence: Option<Arc<GroupEvidence>>,
        signals: Vec<Signal>,
    ) -> OrderAnswer {
        let shown = |state| self.shown(spec, state, evidence, signals);
        match decision.ruling {
            Ruling::Refused(hold) => OrderAnswer::Refused(hold),
            Ruling::GenerationMismatch => OrderAnswer::GenerationMismatch {
                generation: decision.next.generation,
            },
            // Whatever an order does, history tells of.
            Ruling::Done if decision.history.is_empty() => {
                OrderAnswer::Nothing(shown(decision.next))
            }
            Ruling::Done => OrderAnswer::Done(shown(decision.next)),
            Ruling::Running => OrderAnswer::Running(shown(decision.next)),
        }
    }

    /// With a drill that the gates let through: what reading every step's target finds.
    async fn rehearsed(&self, state: &GroupState, asked: &Asked<'_>) -> Vec<StepReport> {
        let is_drill = asked
            .order
            .is_some_and(|order| order.kind == OrderKind::Drill);
        let planned = is_drill.then(|| self.decide(state, asked).begun).flatten();
        match planned {
            Some(planned) => self.rehearse(asked.spec, &planned).await,
            None => Vec::new(),
        }
    }

    /// The group as configured, where orders can be given.
    ///
    /// # Errors
    /// When there is no such group, or only its record is known.
    pub fn ordered(&self, group: &GroupName) -> Result<Arc<GroupSpec>, GroupError> {
        match self.spec(group) {
            Some(spec) => Ok(Arc::clone(spec)),
            None if self.deployment.from_record.holds(group) => {
                Err(GroupError::Misconfigured(group.clone()))
            }
            None => Err(GroupError::NotFound(group.clone())),
        }
    }

    fn shown(
        &self,
        spec: &Arc<GroupSpec>,
        state: GroupState,
        evidence: Option<Arc<GroupEvidence>>,
        signals: Vec<Signal>,
    ) -> Box<GroupView> {
        let storm = Storm::default();
        Box::new(view::of(
            self,
            spec,
            Arc::new(state),
            evidence,
            signals,
            &storm,
            now(),
        ))
    }

    /// The evidence for an order: an order that asks for a move and finds the newest round older than
    /// one interval probes the group first.
    async fn fresh_evidence(
        &self,
        spec: &Arc<GroupSpec>,
        order: &Order,
        standing: Standing,
    ) -> Result<Option<Arc<GroupEvidence>>, StoreError> {
        let heartbeat = self.store.heartbeat(&self.deployment.vantage).await?;
        let known = evidence_of(heartbeat.as_deref(), spec);
        let is_fresh = known.as_ref().is_some_and(|seen| {
            // One from ahead comes from a clock that has been wrong; an account that is new in the
            // configuration has not been seen at all.
            let age = now().duration_since(seen.newest_at);
            age.abs() <= spec.policy.probe_interval
                && spec
                    .sites
                    .iter()
                    .flat_map(|site| site.probed())
                    .all(|key| seen.accounts.contains_key(&key))
        });
        if is_fresh || !order.kind.is_move() {
            return Ok(known);
        }
        let standing = Standing {
            evidence: known.clone(),
            ..standing
        };
        let looked = self.look(spec, &standing, heartbeat).await?;
        Ok(looked.map_or(known, |row| evidence_of(Some(&row), spec)))
    }

    /// Runs the steps of an accepted order behind its answer. If this process dies, the next tick
    /// goes on from the row.
    fn go_on(self: &Arc<Self>, spec: Arc<GroupSpec>, signals: Vec<Signal>, decision: Decision) {
        let controller = Arc::clone(self);
        self.spawn(async move {
            if let Err(error) = controller.finish_steps(&spec, &signals, decision).await {
                tracing::warn!("{}: the steps go on with the next tick: {error}", spec.name);
            }
        });
    }
}

fn would(decision: Decision) -> OrderAnswer {
    let (hold, overridden) = match decision.ruling {
        Ruling::Refused(hold) => (Some(hold), None),
        Ruling::Done | Ruling::Running | Ruling::GenerationMismatch => {
            let mut holds = decision.history.into_iter().filter_map(|entry| entry.hold);
            (None, holds.next())
        }
    };
    OrderAnswer::Would {
        moving: decision.begun.map(Box::new),
        hold,
        overridden,
    }
}
