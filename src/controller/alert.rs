//! An alert's arrival: one durable write, an answer, and a sweep of the groups it speaks of behind it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use jiff::SignedDuration;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::memory::Question;
use super::tick::{Scope, TICK_LIMIT};
use super::{Controller, now};
use crate::adapters::store::alerts::{AlertRow, Kept};
use crate::adapters::store::{Snapshot, StoreError};
use crate::decision::alert::{self, Match, Told};
use crate::model::alert::Alert;
use crate::model::deployment::FromRecord;
use crate::model::name::{GroupName, SiteName};
use crate::model::signal::{Signal, SignalStage};
use crate::model::spec::GroupSpec;
use crate::model::state::GroupState;

/// An alert must be answered within two seconds. Which sites are active is read until so long after it came
/// in, and after that taken from memory.
const STATES_LIMIT: Duration = Duration::from_millis(1_200);
/// The records of so many groups are read one by one.
const FEW: usize = 8;
/// Alerts this young are shown without reading them again.
const SHOWN_FOR: Duration = Duration::from_secs(1);
/// Sweeps begin at least this far apart, however many alerts come in.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// After a sweep that took longer, the next waits as long again, up to this, so that in a storm of alerts lookups and
/// alerts have the store to themselves for half of the time.
const LONGEST_REST: Duration = Duration::from_secs(3);
/// Rows stay this much longer than any group believes them, so that a late message of the same thread
/// still finds what came before it.
const KEPT_LONGER: SignedDuration = SignedDuration::from_hours(24);

/// One sweep runs and at most one more waits, however many alerts come in.
#[derive(Debug, Default)]
pub struct Doorbell {
    waiting: AtomicBool,
    /// When the next sweep may begin; held by the one that runs.
    next: Mutex<Option<Instant>>,
}

/// What is answered to an alert.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertAnswer {
    /// The groups that it speaks of.
    pub matched: Vec<GroupName>,
    /// Why it moves nothing, by group where it speaks of one.
    pub ignored: Vec<(Option<GroupName>, String)>,
}

impl Controller {
    /// Takes an alert in. It is durable when this returns; the groups it speaks of are probed behind the
    /// answer, and if this process dies the next tick does it.
    ///
    /// # Errors
    /// When it could not be kept, so that it must be sent again.
    pub async fn take_alert(
        self: &Arc<Self>,
        mut message: Alert,
    ) -> Result<AlertAnswer, StoreError> {
        let until = Instant::now() + STATES_LIMIT;
        alert::trim(&mut message);
        self.pin_site(&mut message, until).await;
        let speaks_of_none = self.matches(&message, |_| None).is_empty();
        // An end that names nothing may be that of something of ours whose beginning is still on its way.
        let is_nameless_end = message.stage == SignalStage::Resolved && names_nothing(&message);
        let is_foreign = speaks_of_none && self.knows_every_group() && !is_nameless_end;
        // What speaks of no group of ours may still be the news that something of ours is over.
        let newer = move |known: Option<&Alert>, new: &Alert| match known {
            None if is_foreign => None,
            known => alert::newer(known, new),
        };
        let kept = self.store.keep_alert(&message, newer).await?;
        self.memory.forget_alerts();
        self.shelf.clear();
        let known = match kept {
            Kept::News(alert) => {
                message = alert;
                None
            }
            Kept::Known(known) => Some(alert::why_known(&known, &message)),
            Kept::Nothing => None,
        };
        let named: Vec<GroupName> = self.matches(&message, |_| None).into_keys().collect();
        let states = self.states(named, until).await;
        let matches = self.matches(&message, |group| states.get(group).map(AsRef::as_ref));
        if !matches.is_empty() {
            self.ring();
        }
        Ok(self.answer_alert(&message, &matches, &states, known.as_deref()))
    }

    fn matches<'a>(
        &self,
        message: &Alert,
        state: impl Fn(&GroupName) -> Option<&'a GroupState>,
    ) -> BTreeMap<GroupName, Vec<Match>> {
        let told = Told::of(message);
        self.directory
            .candidates(&told)
            .into_iter()
            .filter_map(|group| self.spec(group))
            .map(|spec| (spec.name.clone(), told.matches(spec, state(&spec.name))))
            .filter(|(_, found)| !found.is_empty())
            .collect()
    }

    /// A group whose configuration cannot be read now may be spoken of all the same.
    fn knows_every_group(&self) -> bool {
        match &self.deployment.from_record {
            FromRecord::These(names) => names.is_empty(),
            FromRecord::Any => false,
        }
    }

    /// An alert that names a group and none of its sites speaks of the one that is active now, whatever moves
    /// come later. Where that cannot be had in time, it is worked out from the record when the row is read.
    async fn pin_site(self: &Arc<Self>, message: &mut Alert, until: Instant) {
        if message.group.is_none() || message.site.is_some() {
            return;
        }
        let named: Vec<GroupName> = self.matches(message, |_| None).into_keys().collect();
        let states = self.states(named, until).await;
        message.site = states
            .into_values()
            .next()
            .map(|state| state.active().to_string());
    }

    /// The records of these groups, as far as they can be had in time; for a group without a row, the one that
    /// it will begin with. Of several alerts that ask at once, one reads.
    async fn states(
        self: &Arc<Self>,
        groups: Vec<GroupName>,
        until: Instant,
    ) -> BTreeMap<GroupName, Arc<GroupState>> {
        let question = Question::now(None);
        let reading = async {
            if self.are_known(&groups, &question) {
                return BTreeMap::new();
            }
            if groups.len() <= FEW {
                let single = |group: &GroupName| Arc::clone(self).refresh(group.clone(), question);
                join_all(groups.iter().map(single)).await;
                return BTreeMap::new();
            }
            let Ok(Some(snapshot)) = self.read_all(&groups, &question).await else {
                return BTreeMap::new();
            };
            self.starting_states(&groups, &snapshot).await
        };
        // Late is as good as never: then what was known before serves.
        let mut starting = tokio::time::timeout_at(until, reading)
            .await
            .unwrap_or_default();
        groups
            .into_iter()
            .filter_map(|group| {
                let known = self.memory.state(&group, Duration::MAX);
                let state = known.or_else(|| starting.remove(&group))?;
                Some((group, state))
            })
            .collect()
    }

    /// How those of these groups begin that have no row yet.
    async fn starting_states(
        &self,
        groups: &[GroupName],
        snapshot: &Snapshot,
    ) -> BTreeMap<GroupName, Arc<GroupState>> {
        let has_row = |group: &GroupName| snapshot.groups.contains_key(group);
        if groups.iter().all(has_row) {
            return BTreeMap::new();
        }
        let missing = self.without_row(snapshot).await.unwrap_or_default();
        missing
            .into_iter()
            .map(|(spec, newest)| {
                let start = self.start(spec, newest.as_ref());
                (spec.name.clone(), start.state)
            })
            .collect()
    }

    fn answer_alert(
        &self,
        message: &Alert,
        matches: &BTreeMap<GroupName, Vec<Match>>,
        states: &BTreeMap<GroupName, Arc<GroupState>>,
        known: Option<&str>,
    ) -> AlertAnswer {
        let mut answer = AlertAnswer::default();
        let mut ignore = |group: Option<&GroupName>, whys: [Option<String>; 2]| {
            let whys: Vec<String> = whys.into_iter().flatten().collect();
            if !whys.is_empty() {
                answer.ignored.push((group.cloned(), whys.join("; ")));
            }
        };
        for (group, found) in matches {
            let active = states.get(group).map(|state| state.active());
            let inert = self
                .spec(group)
                .filter(|_| message.stage == SignalStage::Active)
                .and_then(|spec| why_inert(spec, found, active));
            ignore(Some(group), [inert, known.map(str::to_owned)]);
        }
        if matches.is_empty() {
            ignore(None, [Some(unmatched(message)), known.map(str::to_owned)]);
        }
        answer.matched = matches.keys().cloned().collect();
        answer
    }

    /// Starts a sweep of the alerted groups behind the answer.
    fn ring(self: &Arc<Self>) {
        if self.alerted.waiting.swap(true, Ordering::AcqRel) {
            return;
        }
        let controller = Arc::clone(self);
        self.spawn(async move {
            let mut next = controller.alerted.next.lock().await;
            if let Some(next) = *next {
                tokio::time::sleep_until(next).await;
            }
            let began = Instant::now();
            controller.alerted.waiting.store(false, Ordering::Release);
            let deadline = Instant::now() + TICK_LIMIT;
            if let Err(error) = controller.sweep(Scope::Alerted, deadline).await {
                tracing::warn!("the alerted groups are probed by the next tick: {error}");
            }
            let rest = began.elapsed().min(LONGEST_REST);
            *next = Some((began + SWEEP_EVERY).max(Instant::now() + rest));
        });
    }

    /// The signals of every group that any alert speaks of.
    pub(super) fn signals(&self, snapshot: &Snapshot) -> BTreeMap<GroupName, Vec<Signal>> {
        if snapshot.alerts.is_empty() {
            return BTreeMap::new();
        }
        let alerts: Vec<Told<'_>> = snapshot
            .alerts
            .iter()
            .map(|row| Told::of(&row.alert))
            .collect();
        let mut by_group: BTreeMap<&GroupName, Vec<&Told<'_>>> = BTreeMap::new();
        for told in &alerts {
            for group in self.directory.candidates(told) {
                by_group.entry(group).or_default().push(told);
            }
        }
        let at = now();
        by_group
            .into_iter()
            .filter_map(|(group, alerts)| Some((self.spec(group)?, alerts)))
            .map(|(spec, alerts)| {
                let state = snapshot
                    .groups
                    .get(&spec.name)
                    .map(|row| row.state.as_ref());
                let signals = alert::signals(alerts, spec, state, at);
                (spec.name.clone(), signals)
            })
            .filter(|(_, signals)| !signals.is_empty())
            .collect()
    }

    /// The signals of one group, from alerts read at most a second ago.
    pub(super) async fn signals_of(
        &self,
        spec: &GroupSpec,
        state: &GroupState,
    ) -> Result<Vec<Signal>, StoreError> {
        let alerts = match self.memory.alerts(SHOWN_FOR) {
            Some(alerts) => alerts,
            None => {
                let asked_at = Instant::now();
                let rows = self.store.alerts().await?;
                self.memory.keep_alerts(&rows, asked_at)
            }
        };
        let alerts: Vec<Told<'_>> = alerts.iter().map(Told::of).collect();
        Ok(alert::signals(&alerts, spec, Some(state), now()))
    }

    /// Removes alerts that no group believes any more. That they are still there harms nobody, so a store
    /// that fails here fails no tick.
    pub(super) async fn forget_outlived(&self, alerts: &[AlertRow]) {
        let longest = self
            .deployment
            .groups
            .values()
            .map(|spec| spec.policy.alert_ttl)
            .max()
            .unwrap_or_default();
        let kept_for = longest.saturating_add(KEPT_LONGER);
        let Ok(before) = now().checked_sub(kept_for) else {
            return;
        };
        if let Err(error) = self.store.forget_alerts(alerts, before).await {
            tracing::debug!("outlived alerts were not removed: {error}");
        }
    }
}

/// Why a group does nothing about an alert that goes on: no match is evidence, or none is on its active site.
fn why_inert(spec: &GroupSpec, found: &[Match], active: Option<&SiteName>) -> Option<String> {
    let whys: Vec<Option<String>> = found
        .iter()
        .map(|one| {
            alert::why_recorded(one, spec).or_else(|| {
                let is_elsewhere = active.is_some_and(|active| *active != one.site);
                is_elsewhere.then(|| format!("{} is not active", one.site))
            })
        })
        .collect();
    let mut whys = whys.into_iter().collect::<Option<Vec<String>>>()?;
    whys.dedup();
    Some(whys.join(", "))
}

fn names_nothing(message: &Alert) -> bool {
    message.impacts.is_empty() && message.resources.is_empty() && message.group.is_none()
}

fn unmatched(message: &Alert) -> String {
    if let Some(group) = &message.group {
        let known: String = group.chars().take(80).collect();
        return format!(
            "there is no group `{known}`, which the custom property understudyGroup names"
        );
    }
    if message.site.is_some() {
        return "it has the custom property understudySite, but no understudyGroup, which says of which group that is a site; \
                and no group has an account on what it names otherwise"
            .to_owned();
    }
    if message.impacts.is_empty() {
        return "no group has an account on the resources that it names".to_owned();
    }
    "no group has an account of the services, in the regions and the subscription that it names"
        .to_owned()
}
