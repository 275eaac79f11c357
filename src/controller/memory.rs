//! What this process remembers of the store, and the one rule of what is young enough for an answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::lookup::Shown;
use super::now;
use crate::adapters::store::alerts::AlertRow;
use crate::adapters::store::codec::GroupRow;
use crate::adapters::store::heartbeat::HeartbeatRow;
use crate::adapters::store::rows::CALL_LIMIT_SECONDS;
use crate::adapters::store::{Snapshot, StoreError};
use crate::model::alert::Alert;
use crate::model::name::{GroupName, Vantage};
use crate::model::state::GroupState;

/// An answer this young is given without asking the store.
const FRESH_FOR: Duration = Duration::from_secs(2);
/// A read of one group takes no longer.
const SLOWEST_READ: Duration = Duration::from_secs(CALL_LIMIT_SECONDS);

/// What is remembered of one group.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) state: Arc<GroupState>,
    pub(super) as_of: Timestamp,
    /// When the store was asked: from then on what it said may have changed. A scan may take long.
    pub(super) asked_at: Instant,
    /// When its answer was there.
    pub(super) learned_at: Instant,
    /// Whether it is from a row, there now or before; otherwise its start must not move with the clock.
    pub(super) is_recorded: bool,
    /// The row, where it was last written by this process.
    pub(super) written: Option<GroupRow>,
    /// What lookups are answered as long as this is what is known.
    pub(super) shown: OnceLock<Shown>,
}

/// What is asked, and since when: the one rule of what is young enough for an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    pub(super) asked_at: Instant,
    at_least: Option<u64>,
}

impl Question {
    /// Asked now; an older generation than `at_least` does for no answer.
    pub(super) fn now(at_least: Option<u64>) -> Self {
        Self {
            asked_at: Instant::now(),
            at_least,
        }
    }

    /// Whether this answers it. What was read later than it was asked does, whatever the generation.
    pub(super) fn takes(&self, known: &Known) -> bool {
        known.asked_at > self.asked_at
            || self.takes_read(known.asked_at, known.learned_at) && self.is_met_by(known)
    }

    /// Whether this is of the generation that is asked for, or a later one.
    pub(super) fn is_met_by(&self, known: &Known) -> bool {
        (self.at_least).is_none_or(|least| known.state.generation >= least)
    }

    /// Whether a read that was asked for then, and answered then, is young enough: it began a moment ago, or one
    /// slow read serves all that came while it went on.
    pub(super) fn takes_read(&self, asked_at: Instant, learned_at: Instant) -> bool {
        let is_shared = learned_at >= self.asked_at && asked_at.elapsed() < SLOWEST_READ;
        is_shared || asked_at.elapsed() < FRESH_FOR
    }
}

/// Whose turn it is to read a group.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// How the last read failed: those that waited for it share its failure instead of asking again one after the
    /// other.
    pub(super) failure: tokio::sync::Mutex<Option<(Instant, StoreError)>>,
    /// Since when the store has been asked without an answer.
    asking_since: Mutex<Option<Instant>>,
}

impl Turn {
    /// The store is asked from now on.
    pub(super) fn begin(&self) -> Asking<'_> {
        *locked(&self.asking_since) = Some(Instant::now());
        Asking(self)
    }

    /// Whether somebody's read is under way.
    pub(super) fn is_taken(&self) -> bool {
        self.failure.try_lock().is_err()
    }

    /// Whether it has been for longer than this.
    pub(super) fn has_asked_for(&self, time: Duration) -> bool {
        locked(&self.asking_since).is_some_and(|since| since.elapsed() > time)
    }
}

/// The store is being asked.
pub(super) struct Asking<'a>(&'a Turn);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        *locked(&self.0.asking_since) = None;
    }
}

/// The alerts as last read, unless one was written since.
#[derive(Debug, Default)]
struct KnownAlerts {
    read: Option<(Instant, Arc<Vec<Alert>>)>,
    /// When one was last written here.
    written_at: Option<Instant>,
}

/// What this process remembers of the store. Losing it costs a read, nothing else.
#[derive(Debug, Default)]
pub struct Memory {
    known: Mutex<HashMap<GroupName, Arc<Known>>>,
    reading: Mutex<HashMap<GroupName, Arc<Turn>>>,
    heartbeat: Mutex<Option<(Instant, Arc<HeartbeatRow>)>>,
    alerts: Mutex<KnownAlerts>,
    /// When the last read failed; `None` once one has succeeded.
    failed_at: Mutex<Option<Instant>>,
    /// When a lookup last waited long.
    slow_at: Mutex<Option<Instant>>,
    pub(super) changed: Notify,
}

impl Memory {
    /// Remembers a record that was written, or read by a question asked at `asked_at`.
    pub fn keep(&self, group: &GroupName, state: &Arc<GroupState>, asked_at: Instant) {
        self.put(group, Arc::clone(state), true, asked_at, None);
        self.changed.notify_waiters();
    }

    /// Remembers a row that was just written here: who decides next need not lose the race for it.
    pub fn keep_written(&self, group: &GroupName, row: &GroupRow, asked_at: Instant) {
        let state = Arc::clone(&row.state);
        self.put(group, state, true, asked_at, Some(row.clone()));
        self.changed.notify_waiters();
    }

    /// The row of a group, if it was written here after this moment and nothing was read since.
    pub(super) fn written_since(&self, group: &GroupName, since: Instant) -> Option<GroupRow> {
        let known = self.get(group)?;
        let row = known.written.as_ref();
        row.filter(|_| known.learned_at > since).cloned()
    }

    /// Remembers everything a scan brought.
    pub fn keep_snapshot(&self, snapshot: &Snapshot, vantage: &Vantage) {
        if let Some(row) = snapshot.heartbeat(vantage) {
            self.keep_heartbeat(row);
        }
        self.keep_alerts(&snapshot.alerts, snapshot.asked_at);
        self.keep_groups(snapshot);
    }

    /// Remembers the groups that a scan brought.
    pub fn keep_groups(&self, snapshot: &Snapshot) {
        for (group, row) in &snapshot.groups {
            self.put(group, Arc::clone(&row.state), true, snapshot.asked_at, None);
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

    /// Remembers the alerts that were just read by a question asked at `asked_at`, unless it may have missed one that
    /// was written since.
    pub fn keep_alerts(&self, rows: &[AlertRow], asked_at: Instant) -> Arc<Vec<Alert>> {
        let alerts: Arc<Vec<Alert>> = Arc::new(rows.iter().map(|row| row.alert.clone()).collect());
        let mut known = locked(&self.alerts);
        if known.written_at.is_none_or(|at| at <= asked_at) {
            known.read = Some((Instant::now(), Arc::clone(&alerts)));
        }
        alerts
    }

    /// The alerts, if they were read less than `age` ago.
    pub fn alerts(&self, age: Duration) -> Option<Arc<Vec<Alert>>> {
        locked(&self.alerts)
            .read
            .as_ref()
            .filter(|(at, _)| at.elapsed() < age)
            .map(|(_, alerts)| Arc::clone(alerts))
    }

    /// Forgets the alerts, since one was just written.
    pub fn forget_alerts(&self) {
        *locked(&self.alerts) = KnownAlerts {
            read: None,
            written_at: Some(Instant::now()),
        };
    }

    /// A question that was asked before what is known was learned may bring an older answer: a
    /// generation that was shown never falls again.
    pub(super) fn put(
        &self,
        group: &GroupName,
        state: Arc<GroupState>,
        is_recorded: bool,
        asked_at: Instant,
        written: Option<GroupRow>,
    ) {
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
            written,
            shown: OnceLock::new(),
        };
        all.insert(group.clone(), Arc::new(known));
    }

    /// Remembers whether the store was read.
    pub(super) fn note_read(&self, error: Option<&StoreError>) {
        *locked(&self.failed_at) = error
            .filter(|error| error.is_of_the_store())
            .map(|_| Instant::now());
    }

    /// How long ago the last read failed, if it did.
    pub(super) fn failing_for(&self) -> Option<Duration> {
        locked(&self.failed_at).map(|at| at.elapsed())
    }

    /// Remembers that a lookup waited long, whatever came of it.
    pub(super) fn note_slow(&self) {
        *locked(&self.slow_at) = Some(Instant::now());
    }

    /// Whether one did within this time.
    pub(super) fn was_slow_within(&self, time: Duration) -> bool {
        locked(&self.slow_at).is_some_and(|at| at.elapsed() < time)
    }

    /// What is known of a group.
    pub(super) fn get(&self, group: &GroupName) -> Option<Arc<Known>> {
        locked(&self.known).get(group).cloned()
    }

    /// What is known of a group, if it answers this.
    pub(super) fn answer_to(&self, question: &Question, group: &GroupName) -> Option<Arc<Known>> {
        self.get(group).filter(|known| question.takes(known))
    }

    /// The group's record, if it was read less than `age` ago.
    pub fn state(&self, group: &GroupName, age: Duration) -> Option<Arc<GroupState>> {
        self.get(group)
            .filter(|known| known.asked_at.elapsed() < age)
            .map(|known| Arc::clone(&known.state))
    }

    /// What is known of a group that had a row.
    pub fn recorded(&self, group: &GroupName) -> Option<Arc<GroupState>> {
        self.get(group)
            .filter(|known| known.is_recorded)
            .map(|known| Arc::clone(&known.state))
    }

    /// How a group without a row was shown before: its start must not move with the clock.
    pub fn starting(&self, group: &GroupName) -> Option<Arc<GroupState>> {
        self.get(group)
            .filter(|known| !known.is_recorded)
            .map(|known| Arc::clone(&known.state))
    }

    pub(super) fn forget(&self, group: &GroupName) {
        locked(&self.known).remove(group);
        // Where the configuration cannot be read any name may be asked for: none is remembered for it.
        locked(&self.reading).remove(group);
    }

    pub(super) fn turn(&self, group: &GroupName) -> Arc<Turn> {
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
    fn alerts_that_were_asked_for_before_one_was_written_are_not_remembered() {
        let memory = Memory::default();
        let remembered = || memory.alerts(FRESH_FOR).is_some();
        let asked_at = Instant::now()
            .checked_sub(Duration::from_millis(1))
            .unwrap();
        memory.keep_alerts(&[], asked_at);
        assert!(remembered());
        memory.forget_alerts();
        memory.keep_alerts(&[], asked_at);
        assert!(!remembered());
        memory.keep_alerts(&[], Instant::now());
        assert!(remembered());
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
    fn a_row_written_here_that_others_have_overtaken_is_not_what_was_written_last() {
        let memory = Memory::default();
        let group = GroupName::from("contoso");
        let row = |generation| GroupRow {
            state: record(generation),
            etag: format!("e{generation}"),
            writes: Vec::new(),
        };
        let long_ago = Instant::now().checked_sub(FRESH_FOR).unwrap();
        let written = || memory.written_since(&group, long_ago).map(|row| row.etag);
        memory.keep_written(&group, &row(5), Instant::now());
        assert_eq!(written().as_deref(), Some("e5"));
        let before_the_read = Instant::now()
            .checked_sub(Duration::from_millis(1))
            .unwrap();
        memory.keep(&group, &record(7), Instant::now());
        memory.keep_written(&group, &row(6), before_the_read);
        assert_eq!(memory.get(&group).unwrap().state.generation, 7);
        assert_eq!(written(), None);
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
