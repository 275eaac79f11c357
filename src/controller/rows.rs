//! Making the rows that are missing.

use std::sync::Arc;

use super::tick::{TickReport, note, some_at_once};
use super::{Controller, now};
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
        let mut making = Vec::new();
        for spec in missing {
            match histories.remove(&spec.name).transpose() {
                Ok(newest) => making.push(self.make_row(spec, newest)),
                // Without its history the generation could fall, so no row is made.
                Err(error) => note(report, format!("{} has no row: {error}", spec.name)),
            }
        }
        let made = some_at_once(making).await;
        for result in made {
            let (group, row, rebuilt) = match result {
                Ok(made) => made,
                Err(error) if error.is_of_the_store() => return Err(error),
                Err(error) => {
                    note(report, error.to_string());
                    continue;
                }
            };
            if rebuilt {
                note(
                    report,
                    format!(
                        "the row of {group} had vanished: rebuilt from its history as generation {} on {}",
                        row.state.generation,
                        row.state.active()
                    ),
                );
            }
            snapshot.groups.insert(group, row);
        }
        Ok(())
    }

    async fn make_row(
        &self,
        spec: &Arc<GroupSpec>,
        newest: Option<HistoryEntry>,
    ) -> Result<(GroupName, GroupRow, bool), StoreError> {
        let state = starting_state(spec, newest.as_ref());
        let group = spec.name.clone();
        match self.store.commit(&group, None, &state, &[]).await? {
            Commit::Done(row) => Ok((group, row, newest.is_some())),
            Commit::Lost => match self.store.group(&group).await? {
                Some(row) => Ok((group, row, false)),
                None => Err(StoreError::Unavailable(format!(
                    "the row of {group} was made and removed by others"
                ))),
            },
        }
    }
}

/// The state of a group without a row: its primary, unless history knows better.
#[must_use]
pub fn starting_state(spec: &GroupSpec, newest: Option<&HistoryEntry>) -> GroupState {
    let primary = spec.primary().map_or_else(
        || unconfigured(&crate::model::name::SiteName::from("")),
        crate::model::spec::SiteSpec::answer,
    );
    match newest {
        None => GroupState::new(primary, now()),
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
