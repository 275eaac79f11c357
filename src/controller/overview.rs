//! Everything as it was read at one time: what lists of groups are cut from. One reading serves all pages of
//! a list, so that walking over ten thousand groups does not read them a hundred times.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::cycle::Storm;
use super::view::GroupView;
use super::{Controller, now};
use crate::adapters::store::heartbeat::HeartbeatRow;
use crate::adapters::store::{RowProblem, StoreError};
use crate::model::name::GroupName;
use crate::model::signal::Signal;
use crate::model::state::GroupState;

/// The next page of a list is cut from a reading this young, unless this process has written since.
const SHOWN_FOR: Duration = Duration::from_secs(1);

/// All groups as read.
#[derive(Debug)]
pub struct Overview {
    /// The records, by name.
    states: BTreeMap<GroupName, Arc<GroupState>>,
    heartbeat: Option<Arc<HeartbeatRow>>,
    signals: BTreeMap<GroupName, Vec<Signal>>,
    storm: Storm,
    as_of: Timestamp,
    /// Rows that cannot be read. A group whose own row is among them is not listed, since nothing is known of
    /// it.
    pub unreadable: Vec<RowProblem>,
}

impl Overview {
    /// The groups and their records, by name, from after this name on.
    pub fn groups<'a>(
        &'a self,
        after: Option<&str>,
    ) -> impl Iterator<Item = (&'a GroupName, &'a GroupState)> {
        let from = after.map_or(Bound::Unbounded, |name| {
            Bound::Excluded(GroupName::from(name))
        });
        self.states
            .range((from, Bound::Unbounded))
            .map(|(name, state)| (name, state.as_ref()))
    }
}

/// The last reading, and how often this process has written.
#[derive(Debug, Default)]
pub struct Shelf {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    overview: Option<(Instant, Arc<Overview>)>,
    writes: u64,
}

impl Shelf {
    fn locked(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn young(&self) -> Option<Arc<Overview>> {
        self.locked()
            .overview
            .as_ref()
            .filter(|(asked_at, _)| asked_at.elapsed() < SHOWN_FOR)
            .map(|(_, overview)| Arc::clone(overview))
    }

    fn writes(&self) -> u64 {
        self.locked().writes
    }

    /// Keeps a reading, unless something was written since it was asked for.
    fn keep(&self, asked_at: Instant, writes: u64, overview: &Arc<Overview>) {
        let mut kept = self.locked();
        if kept.writes == writes {
            kept.overview = Some((asked_at, Arc::clone(overview)));
        }
    }

    /// This process has written: what was read before is not shown any more.
    pub fn clear(&self) {
        let mut kept = self.locked();
        kept.writes += 1;
        kept.overview = None;
    }
}

impl Controller {
    /// Every group as read now; to go on with a list, as read at most a second ago.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn overview(&self, to_go_on: bool) -> Result<Arc<Overview>, StoreError> {
        if let Some(overview) = self.shelf.young().filter(|_| to_go_on) {
            return Ok(overview);
        }
        let writes = self.shelf.writes();
        let snapshot = self.store.snapshot().await?;
        self.memory
            .keep_snapshot(&snapshot, &self.deployment.vantage);
        let signals = self.signals(&snapshot);
        let mut states: BTreeMap<GroupName, Arc<GroupState>> = snapshot
            .groups
            .iter()
            .filter(|(group, _)| {
                self.spec(group).is_some() || self.deployment.from_record.holds(group)
            })
            .map(|(group, row)| (group.clone(), Arc::clone(&row.state)))
            .collect();
        for (spec, newest) in self.without_row(&snapshot).await? {
            let state = self
                .memory
                .starting(&spec.name)
                .unwrap_or_else(|| self.start(spec, newest.as_ref()).state);
            states.insert(spec.name.clone(), state);
        }
        let overview = Arc::new(Overview {
            states,
            heartbeat: snapshot.heartbeat(&self.deployment.vantage).cloned(),
            signals,
            storm: Storm::of(self, &snapshot.groups),
            as_of: now(),
            unreadable: snapshot.problems,
        });
        self.shelf.keep(snapshot.asked_at, writes, &overview);
        Ok(overview)
    }

    /// One group of it as shown.
    #[must_use]
    pub fn view_in(&self, overview: &Overview, group: &GroupName) -> Option<GroupView> {
        let state = overview.states.get(group)?;
        let heartbeat = overview.heartbeat.as_ref();
        Some(self.view_of(
            group,
            Arc::clone(state),
            heartbeat.and_then(|row| row.of(group).cloned()),
            overview.signals.get(group).cloned().unwrap_or_default(),
            &overview.storm,
            overview.as_of,
        ))
    }
}
