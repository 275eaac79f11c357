//! Which account now: answered from what the store said at most two seconds ago, and from the last
//! known answer where the store cannot be reached. A lookup never writes and never starts a cycle.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::time::Instant;

use super::memory::{Known, Question};
use super::rows::Origin;
use super::{Controller, GroupError};
use crate::adapters::store::StoreError;
use crate::model::name::GroupName;
use crate::model::state::GroupState;

/// A lookup that knows an older answer waits this long for the store before it gives that.
const PATIENCE: Duration = Duration::from_secs(3);
/// A lookup that knows nothing waits this long; it must end within ten seconds.
const PATIENCE_WITHOUT_ANSWER: Duration = Duration::from_secs(9);
/// After a failed read, answers are given at once for this long while reads go on behind them; then one
/// lookup waits for the store again, so that a store that is back shows at the next question.
const FAILURE_BELIEVED_FOR: Duration = Duration::from_secs(5);
/// Who waited for so long found the store slow. For [`SLOW_BELIEVED_FOR`] who knows an answer waits no longer than that, one
/// for each group, and the others take an answer of [`SLOW_FRESH_FOR`]; who comes when a group's read has taken so long
/// takes what is known, as stale. Thousands a second that all wait would take every connection, and wait there.
const SLOW: Duration = Duration::from_secs(1);
/// See [`SLOW`].
const SLOW_BELIEVED_FOR: Duration = Duration::from_secs(5);
/// An answer this young may be given while the store is slow: reads may lag a move by five seconds.
const SLOW_FRESH_FOR: Duration = Duration::from_millis(4_500);
/// A waiting lookup looks again this often.
const WAIT_STEP: Duration = Duration::from_secs(1);

/// One answer.
#[derive(Debug, Clone)]
pub struct Lookup {
    known: Arc<Known>,
    /// Whether the store could not be read since.
    pub stale: bool,
}

/// An answer as it is shown to clients.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its tag, the same as long as the record is.
    pub etag: String,
    /// Its body.
    pub body: Bytes,
}

impl Lookup {
    /// The record as last read.
    #[must_use]
    pub fn state(&self) -> &GroupState {
        &self.known.state
    }

    /// When the store was last read.
    #[must_use]
    pub fn as_of(&self) -> Timestamp {
        self.known.as_of
    }

    /// Whether it is from a row, there now or before; without one every process starts it at its own time.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.known.is_recorded
    }

    /// How it is shown: made once for all who ask before the store is read again. Forgotten with what is known, it
    /// cannot be older than that.
    ///
    /// # Errors
    /// Those of making it.
    pub fn shown<E>(&self, make: impl FnOnce() -> Result<Shown, E>) -> Result<Shown, E> {
        if self.stale {
            return make();
        }
        if let Some(shown) = self.known.shown.get() {
            return Ok(shown.clone());
        }
        let shown = make()?;
        Ok(self.known.shown.get_or_init(|| shown).clone())
    }
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
        let question = Question::now(at_least);
        let known = match self.at_hand(group, &question)? {
            AtHand::Answer(lookup) => return Ok(lookup),
            AtHand::TooOld(known) => Some(known),
            AtHand::Nothing => None,
        };
        let failing = self.memory.failing_for();
        let at_once = known.as_ref();
        if let Some(lookup) =
            at_once.and_then(|known| self.without_waiting(group, known, &question))
        {
            return Ok(lookup);
        }
        let patience = match (&known, failing) {
            (None, _) => PATIENCE_WITHOUT_ANSWER,
            (Some(_), Some(age)) if age < FAILURE_BELIEVED_FOR => Duration::ZERO,
            (Some(known), None) if question.is_met_by(known) && self.is_slow() => SLOW,
            (Some(_), Some(_) | None) => PATIENCE,
        };
        let reading = tokio::spawn(Arc::clone(self).refresh(group.clone(), question));
        let refreshed = match tokio::time::timeout(patience, reading).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(StoreError::Unavailable(format!("a read was lost: {error}"))),
            Err(_) => Err(StoreError::Unavailable(
                "the store did not answer in time".to_owned(),
            )),
        };
        if question.asked_at.elapsed() >= SLOW {
            self.memory.note_slow();
        }
        match (refreshed, known) {
            (Ok(Some(known)), _) => Ok(answer(&known, false)),
            (Ok(None), _) => Err(GroupError::NotFound(group.clone())),
            (Err(_), Some(known)) => Ok(answer(&known, true)),
            (Err(error), None) => Err(error.into()),
        }
    }

    /// What is known, although it is no longer young: where somebody else waits for the store already, and it fails or
    /// is slow.
    fn without_waiting(
        &self,
        group: &GroupName,
        known: &Arc<Known>,
        question: &Question,
    ) -> Option<Lookup> {
        let turn = self.memory.turn(group);
        if !turn.is_taken() {
            return None;
        }
        if self.memory.failing_for().is_some() {
            return Some(answer(known, true));
        }
        if !question.is_met_by(known) {
            return None;
        }
        if known.asked_at.elapsed() < SLOW_FRESH_FOR && self.is_slow() {
            return Some(answer(known, false));
        }
        turn.has_asked_for(SLOW).then(|| answer(known, true))
    }

    fn is_slow(&self) -> bool {
        self.memory.was_slow_within(SLOW_BELIEVED_FOR)
    }

    /// The answer that needs no read, which is what nearly every lookup gets; nothing where the store is to be asked.
    ///
    /// # Errors
    /// When there is no such group.
    pub fn lookup_at_hand(
        self: &Arc<Self>,
        group: &GroupName,
        at_least: Option<u64>,
    ) -> Result<Option<Lookup>, GroupError> {
        match self.at_hand(group, &Question::now(at_least))? {
            AtHand::Answer(lookup) => Ok(Some(lookup)),
            AtHand::TooOld(_) | AtHand::Nothing => Ok(None),
        }
    }

    fn at_hand(
        self: &Arc<Self>,
        group: &GroupName,
        question: &Question,
    ) -> Result<AtHand, GroupError> {
        if self.spec(group).is_none() && !self.deployment.from_record.holds(group) {
            return Err(GroupError::NotFound(group.clone()));
        }
        let Some(known) = self.memory.get(group) else {
            return Ok(AtHand::Nothing);
        };
        if question.takes(&known) {
            self.renew_ahead(known.asked_at.elapsed());
            return Ok(AtHand::Answer(answer(&known, false)));
        }
        Ok(AtHand::TooOld(known))
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
            if found.state().generation > after || Instant::now() >= deadline {
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
        question: Question,
    ) -> Result<Option<Arc<Known>>, StoreError> {
        let turn = self.memory.turn(&group);
        let mut last_failure = turn.failure.lock().await;
        let failed = last_failure.as_ref();
        if let Some((_, error)) = failed.filter(|(at, _)| *at >= question.asked_at) {
            return Err(error.clone());
        }
        let read_meanwhile = self.memory.answer_to(&question, &group);
        if read_meanwhile.is_some() {
            return Ok(read_meanwhile);
        }
        let _asking = turn.begin();
        if let Some(known) = self.read_in_crowd(&group, &question).await {
            *last_failure = None;
            return Ok(Some(known));
        }
        let reading_since = Instant::now();
        let read = self.read(&group).await;
        self.memory.note_read(read.as_ref().err());
        *last_failure = read
            .as_ref()
            .err()
            .map(|error| (Instant::now(), error.clone()));
        if let Some((state, is_recorded)) = read? {
            self.memory
                .put(&group, state, is_recorded, reading_since, None);
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

/// What is known of a group before the store is asked.
enum AtHand {
    /// An answer that is young enough.
    Answer(Lookup),
    /// One that is not.
    TooOld(Arc<Known>),
    /// None.
    Nothing,
}

fn answer(known: &Arc<Known>, stale: bool) -> Lookup {
    Lookup {
        known: Arc::clone(known),
        stale,
    }
}
