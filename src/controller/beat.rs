//! Folding rounds into the vantage's heartbeat. Any process of the vantage may do it; the ETag decides
//! who was first, and whoever was late folds again onto what is there.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::tick::DECIDED_AT_ONCE;
use super::{Controller, now};
use crate::adapters::store::heartbeat::{Heartbeat, HeartbeatRow};
use crate::adapters::store::{Commit, StoreError, pause_before_retry};
use crate::decision::evidence;
use crate::model::name::GroupName;
use crate::model::sample::Round;

/// Losing this often in a row means that something else is wrong.
pub(super) const TRIES: u32 = 12;

/// Evidence of groups that this process does not know is kept this long: another version of the
/// configuration at work beside this one, during a rollout or for good, may count on it.
const OTHERS_KEPT_FOR: SignedDuration = SignedDuration::from_hours(1);

/// What a sweep adds to the heartbeat beside its rounds.
#[derive(Debug, Clone, Default)]
pub struct Sweep {
    /// When it began; `None` for a round of one group, which is no sweep.
    pub began_at: Option<Timestamp>,
    /// Groups that were due and not covered.
    pub not_covered: Vec<GroupName>,
}

/// The heartbeat after folding.
#[derive(Debug)]
pub struct Folded {
    /// The row as it now stands.
    pub row: Arc<HeartbeatRow>,
    /// Whether any of the rounds counted.
    pub counted: bool,
    /// Whether the rounds are in it, or later ones of the same groups; `false` where every race was lost.
    pub is_current: bool,
}

impl Controller {
    /// Folds rounds into the heartbeat and writes it, conditional on what was read. Where others write it all the
    /// time the rounds are lost: what others wrote is given, and said not to be current.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub async fn fold(
        &self,
        before: Option<Arc<HeartbeatRow>>,
        rounds: &BTreeMap<GroupName, Round>,
        sweep: &Sweep,
    ) -> Result<Folded, StoreError> {
        let mut before = before;
        for attempt in 0..TRIES {
            let (next, counted) = self.folded(before.as_deref(), rounds, sweep).await;
            match self.store.beat(before.as_deref(), next).await? {
                Commit::Done(row) => {
                    self.memory.keep_heartbeat(&row);
                    self.shelf.clear();
                    return Ok(Folded {
                        row,
                        counted,
                        is_current: true,
                    });
                }
                Commit::Lost => {
                    pause_before_retry(attempt).await;
                    before = self.store.heartbeat(&self.deployment.vantage).await?;
                    if let Some(row) = before.as_ref().filter(|row| is_late(row, rounds)) {
                        self.memory.keep_heartbeat(row);
                        return Ok(Folded {
                            row: Arc::clone(row),
                            counted: false,
                            is_current: true,
                        });
                    }
                }
            }
        }
        // A lost race is no fault: the row is good, though these rounds are lost.
        before
            .map(|row| {
                self.memory.keep_heartbeat(&row);
                Folded {
                    row,
                    counted: false,
                    is_current: false,
                }
            })
            .ok_or_else(|| {
                StoreError::Unavailable(format!(
                    "the heartbeat of {} was written and removed by others {TRIES} times in a row",
                    self.deployment.vantage
                ))
            })
    }

    async fn folded(
        &self,
        before: Option<&HeartbeatRow>,
        rounds: &BTreeMap<GroupName, Round>,
        sweep: &Sweep,
    ) -> (Heartbeat, bool) {
        let ended_at = now();
        let mut next = before.map_or_else(
            || Heartbeat {
                vantage: self.deployment.vantage.clone(),
                began_at: sweep.began_at.unwrap_or(Timestamp::UNIX_EPOCH),
                ended_at: sweep.began_at.unwrap_or(Timestamp::UNIX_EPOCH),
                not_covered: Vec::new(),
                not_covered_count: 0,
                evidence: BTreeMap::new(),
            },
            |row| row.beat.clone(),
        );
        let mut counted = false;
        for (index, (group, round)) in rounds.iter().enumerate() {
            if index % DECIDED_AT_ONCE == DECIDED_AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
            let Some(spec) = self.spec(group) else {
                continue;
            };
            let seen = next.evidence.get(group);
            counted |= evidence::counts(
                seen.and_then(|seen| seen.counted_at),
                round.started_at,
                &spec.policy,
            );
            let folded = evidence::fold(seen.map(AsRef::as_ref), round, &spec.policy);
            next.evidence.insert(group.clone(), Arc::new(folded));
        }
        if let Some(began_at) = sweep.began_at {
            next.evidence.retain(|group, seen| {
                self.deployment.groups.contains_key(group)
                    || ended_at.duration_since(seen.newest_at) < OTHERS_KEPT_FOR
            });
            next.began_at = began_at;
            next.ended_at = ended_at;
            next.not_covered_count = sweep.not_covered.len();
            next.not_covered.clone_from(&sweep.not_covered);
        }
        (next, counted)
    }
}

/// Whether others have since seen every group of ours in a later round.
fn is_late(row: &HeartbeatRow, rounds: &BTreeMap<GroupName, Round>) -> bool {
    !rounds.is_empty()
        && rounds.iter().all(|(group, round)| {
            row.beat
                .evidence
                .get(group)
                .is_some_and(|seen| seen.newest_at >= round.started_at)
        })
}
