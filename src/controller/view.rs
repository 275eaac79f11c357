//! What answers show of a group: its record, its evidence, and the hold that the rules name for them
//! now. Nothing is written.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::cycle::{Asked, Storm};
use super::{Controller, GroupError, now};
use crate::adapters::store::heartbeat::HeartbeatRow;
use crate::adapters::store::{HistoryPage, StoreError};
use crate::decision::explain::explain;
use crate::decision::health::{self, SiteHealth};
use crate::model::evidence::GroupEvidence;
use crate::model::hold::{Hold, HoldCode};
use crate::model::name::{GroupName, Vantage};
use crate::model::signal::Signal;
use crate::model::spec::GroupSpec;
use crate::model::state::GroupState;
use crate::model::verdict::Verdict;

/// A heartbeat this young is shown without reading it again.
const HEARTBEAT_FRESH_FOR: Duration = Duration::from_secs(1);

/// One group as shown.
#[derive(Debug, Clone)]
pub struct GroupView {
    /// Its name.
    pub name: GroupName,
    /// As configured; `None` where it is answered from its record alone.
    pub spec: Option<Arc<GroupSpec>>,
    /// Its record.
    pub state: Arc<GroupState>,
    /// What its rounds amount to.
    pub evidence: Option<Arc<GroupEvidence>>,
    /// Which vantage saw them.
    pub vantage: Vantage,
    /// What alerts say of it.
    pub signals: Vec<Signal>,
    /// Health of its sites.
    pub sites: Vec<SiteHealth>,
    /// Why the move that the evidence asks for is not made now.
    pub hold: Option<Hold>,
    /// The same in sentences.
    pub explanation: Vec<String>,
    /// When the store was read.
    pub as_of: Timestamp,
}

impl GroupView {
    /// The verdict on the active site; misconfigured where it is not configured any more.
    #[must_use]
    pub fn active_verdict(&self) -> Verdict {
        self.sites
            .iter()
            .find(|site| site.site == *self.state.active())
            .map_or(Verdict::Misconfigured, |site| site.verdict)
    }
}

/// Puts a view together.
#[must_use]
pub fn of(
    controller: &Controller,
    spec: &Arc<GroupSpec>,
    state: Arc<GroupState>,
    evidence: Option<Arc<GroupEvidence>>,
    signals: Vec<Signal>,
    storm: &Storm,
    as_of: Timestamp,
) -> GroupView {
    let asked = Asked {
        spec,
        evidence: evidence.as_deref(),
        signals: &signals,
        signals_are_current: false,
        order: None,
        reports: &[],
        storm,
    };
    let hold = controller.decide(&state, &asked).hold;
    let at = now();
    GroupView {
        name: spec.name.clone(),
        sites: health::assess(spec, evidence.as_deref(), at),
        explanation: explain(
            &state,
            evidence.as_deref(),
            spec,
            &signals,
            hold.as_ref(),
            at,
        ),
        spec: Some(Arc::clone(spec)),
        vantage: controller.deployment.vantage.clone(),
        state,
        evidence,
        signals,
        hold,
        as_of,
    }
}

impl Controller {
    /// One group.
    ///
    /// # Errors
    /// When there is no such group, or the store cannot be read.
    pub async fn view(&self, group: &GroupName) -> Result<GroupView, GroupError> {
        let spec = self.spec(group).cloned();
        if spec.is_none() && !self.deployment.from_record.holds(group) {
            return Err(GroupError::NotFound(group.clone()));
        }
        let asked_at = Instant::now();
        let Some((state, is_recorded)) = self.read(group).await? else {
            return Err(GroupError::NotFound(group.clone()));
        };
        if is_recorded {
            self.memory.keep(group, &state, asked_at);
        }
        let heartbeat = self.shown_heartbeat().await?;
        let evidence = heartbeat.and_then(|row| row.of(group).cloned());
        let signals = match self.spec(group) {
            Some(spec) => self.signals_of(spec, &state).await?,
            None => Vec::new(),
        };
        let view = |storm: &Storm| {
            let (state, evidence) = (state.clone(), evidence.clone());
            self.view_of(group, state, evidence, signals.clone(), storm, now())
        };
        let crowded = view(&Storm::crowded());
        // Only where the storm limit could be what holds the group are the others counted. One that only observes
        // is told what else would hold it.
        let code = crowded.hold.as_ref().map(|hold| hold.code);
        if !matches!(code, Some(HoldCode::StormLimit | HoldCode::ObserveMode)) {
            return Ok(crowded);
        }
        let snapshot = self.store.snapshot().await?;
        Ok(view(&Storm::of(self, &snapshot.groups)))
    }

    /// At most `top` entries of a group's history, newest first, from after this key on.
    ///
    /// # Errors
    /// When there is no such group, or the store cannot be read.
    pub async fn history(
        &self,
        group: &GroupName,
        after: Option<&str>,
        top: usize,
    ) -> Result<HistoryPage, GroupError> {
        if self.spec(group).is_none() && !self.deployment.from_record.holds(group) {
            return Err(GroupError::NotFound(group.clone()));
        }
        Ok(self.store.history_page(group, after, top).await?)
    }

    pub(super) fn view_of(
        &self,
        group: &GroupName,
        state: Arc<GroupState>,
        evidence: Option<Arc<GroupEvidence>>,
        signals: Vec<Signal>,
        storm: &Storm,
        as_of: Timestamp,
    ) -> GroupView {
        match self.spec(group) {
            Some(spec) => of(self, spec, state, evidence, signals, storm, as_of),
            None => GroupView {
                name: group.clone(),
                spec: None,
                explanation: vec![format!(
                    "{} serves since {} (generation {}). Its configuration is bad, so it is answered from its record and not judged: see /api/health.",
                    state.active(),
                    state.since,
                    state.generation
                )],
                state,
                evidence: None,
                signals: Vec::new(),
                vantage: self.deployment.vantage.clone(),
                sites: Vec::new(),
                hold: None,
                as_of,
            },
        }
    }

    /// This vantage's heartbeat, at most a second old.
    pub(super) async fn shown_heartbeat(&self) -> Result<Option<Arc<HeartbeatRow>>, StoreError> {
        if let Some(row) = self.memory.heartbeat(HEARTBEAT_FRESH_FOR) {
            return Ok(Some(row));
        }
        let row = self.store.heartbeat(&self.deployment.vantage).await?;
        if let Some(row) = &row {
            self.memory.keep_heartbeat(row);
        }
        Ok(row)
    }
}
