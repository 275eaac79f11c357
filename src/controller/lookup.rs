//! Which account now: answered from what the store said at most two seconds ago, and from the last
//! known answer where the store cannot be reached. A lookup never writes and never starts a cycle.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::rows::Origin;
use super::{Controller, GroupError, now};
use crate::adapters::store::alerts::AlertRow;
use crate::adapters::store::codec::GroupRow;
use crate::adapters::store::heartbeat::HeartbeatRow;
use crate::adapters::store::rows::CALL_LIMIT_SECONDS;
use crate::adapters::store::{Snapshot, StoreError};
use crate::model::alert::Alert;
use crate::model::name::{GroupName, Vantage};
use crate::model::state::GroupState;

/// An answer this young is given without asking the store.
pub const FRESH_FOR: Duration = Duration::from_secs(2);
/// A read of one group takes no longer.
const SLOWEST_READ: Duration = Duration::from_secs(CALL_LIMIT_SECONDS);
/// A lookup that knows an older answer waits this long for the store before it gives that.
const PATIENCE: Duration = Duration::from_secs(3);
/// A lookup that knows nothing waits this long; it must end within ten seconds.
const PATIENCE_WITHOUT_ANSWER: Duration = Duration::from_secs(9);
/// After a failed read, answers are given at once for this long while reads go on behind them; then one
/// lookup waits for the store again, so that a store that is back shows at the next question.
const FAILURE_BELIEVED_FOR: Duration = Duration::from_secs(5);
/// A waiting lookup looks again this often.
const WAIT_STEP: Duration = Duration::from_secs(1);

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookup {
    /// The record as last read.
    pub state: Arc<GroupState>,
    /// When the store was last read.
    pub as_of: Timestamp,
    /// Whether the store could not be read since.
    pub stale: bool,
    /// Whether it is from a row, there now or before; without one every process starts it at its own time.
    pub is_recorded: bool,
}

/// What is remembered of one group.
#[derive(Debug, Clone)]
pub(super) struct Known {
    state: Arc<GroupState>,
    as_of: Timestamp,
    /// When the store was asked: from then on what it said may have changed. A scan may take long.
    pub(super) asked_at: Instant,
    /// When its answer was there.
    learned_at: Instant,
    /// Whether it is from a row, there now or before; otherwise its start must not move with the clock.
    is_recorded: bool,
    /// The row, where it was last written by this process.
    written: Option<GroupRow>,
}

/// Whose turn it is to read a group, and how the last read failed: those that waited for it share its
/// failure instead of asking again one after the other.
type Turn = Arc<tokio::sync::Mutex<Option<(Instant, StoreError)>>>;

/// What this process remembers of the store. Losing it costs a read, nothing else.
#[derive(Debug, Default)]
pub struct Memory {
    known: Mutex<HashMap<GroupName, Known>>,
    reading: Mutex<HashMap<GroupName, Turn>>,
    heartbeat: Mutex<Option<(Instant, Arc<HeartbeatRow>)>>,
    alerts: Mutex<Option<(Instant, Arc<Vec<Alert>>)>>,
    /// When the last read failed; `None` once one has succeeded.
    failed_at: Mutex<Option<Instant>>,
    changed: Notify,
}

impl Memory {
    /// Remembers a record that was written, or read by a question asked at `asked_at`.
    pub fn keep(&self, group: &GroupName, state: &Arc<GroupState>, asked_at: Instant) {
        self.put(group, Arc::clone(state), true, asked_at);
        self.changed.notify_waiters();
    }

    /// Remembers a row that was just written here: who decides next need not lose the race for it.
    pub fn keep_written(&self, group: &GroupName, row: &GroupRow, asked_at: Instant) {
        self.keep(group, &row.state, asked_at);
        if let Some(known) = locked(&self.known).get_mut(group) {
            known.written = Some(row.clone());
        }
    }

    /// The row of a group, if it was written here after this moment and nothing was read since.
    pub(super) fn written_since(&self, group: &GroupName, since: Instant) -> Option<GroupRow> {
        let known = self.get(group)?;
        known.written.filter(|_| known.learned_at > since)
    }

    /// Remembers everything a scan brought.
    pub fn keep_snapshot(&self, snapshot: &Snapshot, vantage: &Vantage) {
        if let Some(row) = snapshot.heartbeat(vantage) {
            self.keep_heartbeat(row);
        }
        self.keep_alerts(&snapshot.alerts);
        self.keep_groups(snapshot);
    }

    /// Remembers the groups that a scan brought.
    pub fn keep_groups(&self, snapshot: &Snapshot) {
        for (group, row) in &snapshot.groups {
            self.put(group, Arc::clone(&row.state), true, snapshot.asked_at);
        }
        self.note_read(None);
        self.changed.notify_waiters();
    }

    /// Remembers a heartbeat that was just written or read.
    pub fn keep_heartbeat(&self, row: &Arc<HeartbeatRow>) {
        *locked(&self.heartbeat) = Some((Instant::now(), Arc::clone(row)));
    }

    /// The heartbeat, if it was read or written less than `age` ago.
    pub fn heartbeat(&self, age: Duration) -> Option<Arc<HeartbeatRow>> {
        locked(&self.heartbeat)
            .as_ref()
            .filter(|(at, _)| at.elapsed() < age)
            .map(|(_, row)| Arc::clone(row))
    }

    /// Remembers the alerts that were just read.
    pub fn keep_alerts(&self, rows: &[AlertRow]) -> Arc<Vec<Alert>> {
        let alerts: Arc<Vec<Alert>> = Arc::new(rows.iter().map(|row| row.alert.clone()).collect());
        *locked(&self.alerts) = Some((Instant::now(), Arc::clone(&alerts)));
        alerts
    }

    /// The alerts, if they were read less than `age` ago.
    pub fn alerts(&self, age: Duration) -> Option<Arc<Vec<Alert>>> {
        locked(&self.alerts)
            .as_ref()
            .filter(|(at, _)| at.elapsed() < age)
            .map(|(_, alerts)| Arc::clone(alerts))
    }

    /// Forgets the alerts, since one was just written.
    pub fn forget_alerts(&self) {
        *locked(&self.alerts) = None;
    }

    /// A question that was asked before what is known was learned may bring an older answer: a
    /// generation that was shown never falls again.
    fn put(&self, group: &GroupName, state: Arc<GroupState>, is_recorded: bool, asked_at: Instant) {
        let mut all = locked(&self.known);
        let age = |state: &GroupState| (state.generation, state.revision);
        let is_overtaken = all
            .get(group)
            .is_some_and(|known| known.learned_at > asked_at && age(&known.state) > age(&state));
        if is_overtaken {
            return;
        }
        let known = Known {
            state,
            as_of: before_now(asked_at.elapsed()),
            asked_at,
            learned_at: Instant::now(),
            is_recorded,
            written: None,
        };
        all.insert(group.clone(), known);
    }

    /// Remembers whether the store was read.
    pub(super) fn note_read(&self, error: Option<&StoreError>) {
        *locked(&self.failed_at) = error
            .filter(|error| error.is_of_the_store())
            .map(|_| Instant::now());
    }

    /// How long ago the last read failed, if it did.
    fn failing_for(&self) -> Option<Duration> {
        locked(&self.failed_at).map(|at| at.elapsed())
    }

    /// What is known of a group.
    pub(super) fn get(&self, group: &GroupName) -> Option<Known> {
        locked(&self.known).get(group).cloned()
    }

    /// The group's record, if it was read less than `age` ago.
    pub fn state(&self, group: &GroupName, age: Duration) -> Option<Arc<GroupState>> {
        self.get(group)
            .filter(|known| known.asked_at.elapsed() < age)
            .map(|known| known.state)
    }

    /// What is known of a group that had a row.
    pub fn recorded(&self, group: &GroupName) -> Option<Arc<GroupState>> {
        self.get(group)
            .filter(|known| known.is_recorded)
            .map(|known| known.state)
    }

    /// How a group without a row was shown before: its start must not move with the clock.
    pub fn starting(&self, group: &GroupName) -> Option<Arc<GroupState>> {
        self.get(group)
            .filter(|known| !known.is_recorded)
            .map(|known| known.state)
    }

    fn forget(&self, group: &GroupName) {
        locked(&self.known).remove(group);
        // Where the configuration cannot be read any name may be asked for: none is remembered for it.
        locked(&self.reading).remove(group);
    }

    fn turn(&self, group: &GroupName) -> Turn {
        Arc::clone(locked(&self.reading).entry(group.clone()).or_default())
    }
}

/// The time, this long ago.
fn before_now(age: Duration) -> Timestamp {
    let now = now();
    i64::try_from(age.as_millis())
        .ok()
        .and_then(|age| now.checked_sub(jiff::SignedDuration::from_millis(age)).ok())
        .unwrap_or(now)
}

/// A poisoned lock holds nothing worse than an old answer.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Controller {
    /// Reads all state once, so that an answer is known for every group should the store fail next.
    pub async fn warm(self: Arc<Self>) {
        match self.store.snapshot().await {
            Ok(snapshot) => self
                .memory
                .keep_snapshot(&snapshot, &self.deployment.vantage),
            Err(error) => tracing::warn!("the store was not read at start: {error}"),
        }
    }

    /// Which account now. With `at_least`, an older generation than that is not answered from memory.
    ///
    /// # Errors
    /// When there is no such group, or nothing is known of it and the store cannot be read.
    pub async fn lookup(
        self: &Arc<Self>,
        group: &GroupName,
        at_least: Option<u64>,
    ) -> Result<Lookup, GroupError> {
        if self.spec(group).is_none() && !self.deployment.from_record.holds(group) {
            return Err(GroupError::NotFound(group.clone()));
        }
        let known = self.memory.get(group);
        let suffices = |known: &Known| {
            known.asked_at.elapsed() < FRESH_FOR
                && at_least.is_none_or(|least| known.state.generation >= least)
        };
        if let Some(known) = known.as_ref().filter(|known| suffices(known)) {
            self.renew_ahead(known.asked_at.elapsed());
            return Ok(answer(known, false));
        }
        let failing = self.memory.failing_for();
        if let Some(known) = known.as_ref().filter(|_| failing.is_some())
            && self.memory.turn(group).try_lock().is_err()
        {
            return Ok(answer(known, true));
        }
        let patience = match (&known, failing) {
            (None, _) => PATIENCE_WITHOUT_ANSWER,
            (Some(_), Some(age)) if age < FAILURE_BELIEVED_FOR => Duration::ZERO,
            (Some(_), Some(_) | None) => PATIENCE,
        };
        let reading = tokio::spawn(Arc::clone(self).refresh(group.clone(), at_least));
        let refreshed = match tokio::time::timeout(patience, reading).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(StoreError::Unavailable(format!("a read was lost: {error}"))),
            Err(_) => Err(StoreError::Unavailable(
                "the store did not answer in time".to_owned(),
            )),
        };
        match (refreshed, known) {
            (Ok(Some(known)), _) => Ok(answer(&known, false)),
            (Ok(None), _) => Err(GroupError::NotFound(group.clone())),
            (Err(_), Some(known)) => Ok(answer(&known, true)),
            (Err(error), None) => Err(error.into()),
        }
    }

    /// Answers when the generation has passed `after`, or `wait` is over.
    ///
    /// # Errors
    /// As [`Controller::lookup`].
    pub async fn lookup_after(
        self: &Arc<Self>,
        group: &GroupName,
        at_least: Option<u64>,
        after: u64,
        wait: Duration,
    ) -> Result<Lookup, GroupError> {
        let deadline = Instant::now() + wait;
        loop {
            let changed = self.memory.changed.notified();
            let found = self.lookup(group, at_least).await?;
            if found.state.generation > after || Instant::now() >= deadline {
                return Ok(found);
            }
            let until = deadline.min(Instant::now() + WAIT_STEP);
            let _ = tokio::time::timeout_at(until, changed).await;
        }
    }

    /// Reads one group from the store; of several that ask at once, one reads.
    pub(super) async fn refresh(
        self: Arc<Self>,
        group: GroupName,
        at_least: Option<u64>,
    ) -> Result<Option<Known>, StoreError> {
        let asked_at = Instant::now();
        let turn = self.memory.turn(&group);
        let mut last_failure = turn.lock().await;
        if let Some((_, error)) = last_failure.as_ref().filter(|(at, _)| *at >= asked_at) {
            return Err(error.clone());
        }
        let read_meanwhile = self.memory.get(&group).filter(|known| {
            // One slow read serves all that waited for it.
            let is_shared = known.learned_at >= asked_at && known.asked_at.elapsed() < SLOWEST_READ;
            (is_shared || known.asked_at.elapsed() < FRESH_FOR)
                && at_least.is_none_or(|least| known.state.generation >= least)
        });
        if read_meanwhile.is_some() {
            return Ok(read_meanwhile);
        }
        let suffices = |known: &Known| {
            known.asked_at.elapsed() < FRESH_FOR
                && at_least.is_none_or(|least| known.state.generation >= least)
        };
        let reading_since = Instant::now();
        let read = match self.read_in_crowd(&group, suffices).await {
            Ok(Some(known)) => {
                *last_failure = None;
                return Ok(Some(known));
            }
            Ok(None) => self.read(&group).await,
            Err(error) => Err(error),
        };
        self.memory.note_read(read.as_ref().err());
        *last_failure = read
            .as_ref()
            .err()
            .map(|error| (Instant::now(), error.clone()));
        if let Some((state, is_recorded)) = read? {
            self.memory.put(&group, state, is_recorded, reading_since);
            self.memory.changed.notify_waiters();
        } else {
            self.memory.forget(&group);
        }
        Ok(self.memory.get(&group))
    }

    /// A group's record; for one without a row its starting state, and `None` where it has neither a
    /// row nor a good configuration.
    pub(super) async fn read(
        &self,
        group: &GroupName,
    ) -> Result<Option<(Arc<GroupState>, bool)>, StoreError> {
        if let Some(row) = self.store.group(group).await? {
            return Ok(Some((row.state, true)));
        }
        let Some(spec) = self.spec(group) else {
            // Its row has vanished, and nobody can make it again before its configuration is mended.
            return Ok(self.memory.recorded(group).map(|state| (state, true)));
        };
        if let Some(state) = self.memory.starting(group) {
            return Ok(Some((state, false)));
        }
        let newest = self.store.newest_entry(group).await?;
        let start = self.start(spec, newest.as_ref());
        Ok(Some((start.state, start.origin == Origin::Memory)))
    }
}

fn answer(known: &Known, stale: bool) -> Lookup {
    Lookup {
        state: Arc::clone(&known.state),
        as_of: known.as_of,
        stale,
        is_recorded: known.is_recorded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::answer::{Answer, AnswerAccounts};

    fn record(generation: u64) -> Arc<GroupState> {
        let answer = Answer {
            site: "west".into(),
            region: "westeurope".to_owned(),
            accounts: AnswerAccounts::default(),
        };
        let mut state = GroupState::new(answer, now());
        state.generation = generation;
        Arc::new(state)
    }

    #[test]
    fn an_answer_is_as_old_as_its_question() {
        let memory = Memory::default();
        let group = GroupName::from("contoso");
        let long_ago = Instant::now().checked_sub(FRESH_FOR * 2).unwrap();
        memory.keep(&group, &record(1), long_ago);
        let known = memory.get(&group).unwrap();
        assert!(known.asked_at.elapsed() > FRESH_FOR);
        let age = now().duration_since(known.as_of);
        assert!(age >= jiff::SignedDuration::from_secs(3), "{age}");
    }

    #[test]
    fn an_answer_that_was_overtaken_by_a_write_does_not_bring_back_the_older_generation() {
        let memory = Memory::default();
        let group = GroupName::from("contoso");
        let shown = || memory.get(&group).unwrap().state.generation;
        let before_the_move = Instant::now()
            .checked_sub(Duration::from_millis(1))
            .unwrap();
        memory.keep(&group, &record(7), Instant::now());
        memory.keep(&group, &record(6), before_the_move);
        assert_eq!(shown(), 7);
    }

    #[test]
    fn what_the_store_says_now_is_what_is_shown() {
        let memory = Memory::default();
        let group = GroupName::from("contoso");
        let asked_at = Instant::now();
        memory.keep(&group, &record(7), asked_at);
        let later = Instant::now()
            .checked_add(Duration::from_millis(1))
            .unwrap();
        memory.keep(&group, &record(0), later);
        assert_eq!(memory.get(&group).unwrap().state.generation, 0);
    }
}
