//! Making the rows that are missing.

use std::sync::Arc;

use jiff::Timestamp;

use super::Controller;
use super::tick::{SomeAtOnce, TickReport, note};
use crate::adapters::store::codec::GroupRow;
use crate::adapters::store::{Commit, Snapshot, StoreError};
use crate::model::answer::{Answer, AnswerAccounts};
use crate::model::history::HistoryEntry;
use crate::model::name::GroupName;
use crate::model::spec::GroupSpec;
use crate::model::state::GroupState;

impl Controller {
    /// The groups that have no row, not even one that cannot be read.
    fn missing(&self, snapshot: &Snapshot) -> Vec<&Arc<GroupSpec>> {
        self.deployment
            .groups
            .values()
            .filter(|spec| {
                !snapshot.groups.contains_key(&spec.name) && snapshot.problem(&spec.name).is_none()
            })
            .collect()
    }

    /// The same, each with the newest entry of its history; those whose history cannot be read are left
    /// out, since nothing can be said of them.
    pub(super) async fn without_row(
        &self,
        snapshot: &Snapshot,
    ) -> Result<Vec<(&Arc<GroupSpec>, Option<HistoryEntry>)>, StoreError> {
        let missing = self.missing(snapshot);
        let names: Vec<GroupName> = missing.iter().map(|spec| spec.name.clone()).collect();
        let mut histories = self.store.newest_entries(&names).await?;
        Ok(missing
            .into_iter()
            .filter_map(|spec| {
                let newest = histories.remove(&spec.name).transpose().ok()?;
                Some((spec, newest))
            })
            .collect())
    }

    /// Makes the rows that are missing: the primary for a group that is new, its last known state for
    /// one whose row has vanished.
    pub(super) async fn make_rows(
        &self,
        snapshot: &mut Snapshot,
        report: &mut TickReport,
    ) -> Result<(), StoreError> {
        let missing = self.missing(snapshot);
        let names: Vec<GroupName> = missing.iter().map(|spec| spec.name.clone()).collect();
        let mut histories = self.store.newest_entries(&names).await?;
        let mut making = SomeAtOnce::default();
        for spec in missing {
            match histories.remove(&spec.name).transpose() {
                Ok(newest) => making.take(self.make_row(spec, newest)).await,
                // Without its history the generation could fall, so no row is made.
                Err(error) => note(report, format!("{} has no row: {error}", spec.name)),
            }
        }
        let made = making.finish().await;
        for result in made {
            let (group, row, origin) = match result {
                Ok(made) => made,
                Err(error) if error.is_of_the_store() => return Err(error),
                Err(error) => {
                    note(report, error.to_string());
                    continue;
                }
            };
            if let Some(source) = origin.source() {
                note(
                    report,
                    format!(
                        "the row of {group} had vanished: rebuilt from {source} as generation {} on {}",
                        row.state.generation,
                        row.state.active()
                    ),
                );
            }
            snapshot.groups.insert(group, row);
        }
        Ok(())
    }

    /// The record of a group without a row: from its history, or from what this process knows where that is more,
    /// so that the generation does not fall where a store has lost everything.
    pub(super) fn start(&self, spec: &GroupSpec, newest: Option<&HistoryEntry>) -> Start {
        let known = self
            .memory
            .recorded(&spec.name)
            .filter(|known| newest.is_none_or(|entry| entry.generation < known.generation));
        match (known, newest) {
            (Some(known), _) => Start {
                state: known,
                origin: Origin::Memory,
            },
            (None, newest) => Start {
                state: Arc::new(starting_state(spec, newest, self.started_at)),
                origin: newest.map_or(Origin::New, |_| Origin::History),
            },
        }
    }

    async fn make_row(
        &self,
        spec: &Arc<GroupSpec>,
        newest: Option<HistoryEntry>,
    ) -> Result<(GroupName, GroupRow, Origin), StoreError> {
        let Start { state, origin } = self.start(spec, newest.as_ref());
        let group = spec.name.clone();
        match self.store.commit(&group, None, &state, &[]).await? {
            Commit::Done(row) => Ok((group, row, origin)),
            Commit::Lost => match self.store.group(&group).await? {
                Some(row) => Ok((group, row, Origin::New)),
                None => Err(StoreError::Unavailable(format!(
                    "the row of {group} was made and removed by others"
                ))),
            },
        }
    }
}

/// How a group without a row begins.
pub(super) struct Start {
    /// The record.
    pub state: Arc<GroupState>,
    /// Where it is from.
    pub origin: Origin,
}

/// Where the record of a group without a row is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Nothing is known of it: its primary.
    New,
    /// Its newest history entry.
    History,
    /// What this process has read or written before, and history says less.
    Memory,
}

impl Origin {
    /// What it was rebuilt from, for people; `None` for one that is new.
    const fn source(self) -> Option<&'static str> {
        match self {
            Self::New => None,
            Self::History => Some("its history"),
            Self::Memory => Some("what this process knew, since its history says less,"),
        }
    }
}

/// The state of a group without a row: its primary, since this process started, unless history knows better. Its
/// beginning does not move with the clock, so that whoever asks again before the first round is told the same.
fn starting_state(
    spec: &GroupSpec,
    newest: Option<&HistoryEntry>,
    started_at: Timestamp,
) -> GroupState {
    let primary = spec.primary().map_or_else(
        || unconfigured(&crate::model::name::SiteName::from("")),
        crate::model::spec::SiteSpec::answer,
    );
    match newest {
        None => GroupState::new(primary, started_at),
        Some(entry) => {
            let answer = spec.site(&entry.active).map_or_else(
                || unconfigured(&entry.active),
                crate::model::spec::SiteSpec::answer,
            );
            let mut state = GroupState::new(answer, entry.at);
            state.generation = entry.generation;
            state
        }
    }
}

fn unconfigured(site: &crate::model::name::SiteName) -> Answer {
    Answer {
        site: site.clone(),
        region: String::new(),
        accounts: AnswerAccounts::default(),
    }
}
