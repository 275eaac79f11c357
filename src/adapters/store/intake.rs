//! Alerts that come at once are written at once: those that come in while others are being written wait and share
//! the next transaction. An alert that comes alone waits for nobody.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::alerts::{Kept, decode, encode};
use super::rows::{Properties, Row, RowStore, Write, Written};
use super::shared::{CHARACTERS, ROWS, size};
use super::{StoreError, codec, keys, pause_before_retry, unreadable};
use crate::model::alert::Alert;

/// After losing this many races on one alert's row something else is wrong.
const TRIES: u32 = 8;
/// Transactions under way at once: more than one, so that a request that hangs holds up nobody else, and few,
/// so that alerts that come fast share one.
const WRITERS: usize = 2;
/// Requests for single rows under way at once, of one writer.
const SINGLES: usize = 16;
/// A write that failed this fast is sent once more, after a look that it was not applied; after a slow
/// failure there is no time left to answer in.
const SEND_AGAIN_WITHIN: Duration = Duration::from_secs(1);
/// Whoever sent an alert is told within this time, and sends it again; what then still waits is left out.
const LIMIT: Duration = Duration::from_secs(20);
/// Keys that are remembered as those of rows that are there.
const REMEMBERED: usize = 10_000;

/// Alerts that wait at once: in a long hang memory is bounded, and whoever sends more is told so at once and sends
/// it again. A store that is well never has so many waiting: a transaction of a hundred takes a fraction of a second.
const QUEUE: usize = 4_096;

/// What to write in view of what is known of an alert's thread; `None` where there is nothing to write.
pub(super) type Newer = Box<dyn Fn(Option<&Alert>, &Alert) -> Option<Alert> + Send + Sync>;
type Answer = Result<Kept, StoreError>;

/// A message that waits to be kept.
struct Message {
    alert: Alert,
    newer: Newer,
    answer: oneshot::Sender<Answer>,
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<(String, Message)>,
    writers: usize,
    /// Threads that are being written: what else is said of them waits, and is held against what was written.
    busy: HashSet<String>,
    /// Threads that have a row, as far as this process knows. Only a hint: it saves a write that would not be applied.
    seen: HashSet<String>,
}

impl Waiting {
    /// Whether no more may wait; those that nobody waits for any more leave first.
    fn is_full(&mut self) -> bool {
        if self.messages.len() >= QUEUE {
            self.messages
                .retain(|(_, message)| !message.answer.is_closed());
        }
        self.messages.len() >= QUEUE
    }
}

/// Where alerts wait for their turn. They share transactions with each other alone: none waits for what a sweep writes.
#[derive(Default)]
pub(super) struct Intake {
    waiting: Mutex<Waiting>,
}

impl fmt::Debug for Intake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Intake").finish_non_exhaustive()
    }
}

impl Intake {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps one alert, together with those that come at the same time.
    pub(super) async fn keep(
        self: &Arc<Self>,
        rows: &Arc<dyn RowStore>,
        alert: &Alert,
        newer: Newer,
    ) -> Answer {
        let (answer, kept) = oneshot::channel();
        let message = Message {
            alert: alert.clone(),
            newer,
            answer,
        };
        let is_writer_wanted = {
            let mut waiting = self.waiting();
            if waiting.is_full() {
                return Err(too_many());
            }
            waiting
                .messages
                .push_back((keys::alert(&alert.thread), message));
            let is_wanted = waiting.writers < WRITERS;
            waiting.writers += usize::from(is_wanted);
            is_wanted
        };
        if is_writer_wanted {
            let (intake, rows) = (Arc::clone(self), Arc::clone(rows));
            // A task of its own: a caller that gives up does not end what others wait for.
            tokio::spawn(async move {
                let mut writer = Writer {
                    intake,
                    keys: Vec::new(),
                    is_over: false,
                };
                while let Some(batch) = writer.next() {
                    take_in(&*rows, &writer.intake, batch).await;
                }
            });
        }
        let lost = || Err(StoreError::Unavailable("the write was lost".to_owned()));
        tokio::time::timeout(LIMIT, kept)
            .await
            .map_or_else(|_| Err(late()), |kept| kept.unwrap_or_else(|_| lost()))
    }
}

fn late() -> StoreError {
    let limit = LIMIT.as_secs();
    StoreError::Unavailable(format!("the alert was not written within {limit} s"))
}

fn too_many() -> StoreError {
    StoreError::Unavailable(format!(
        "too many alerts wait to be written: {QUEUE}; this one must be sent again"
    ))
}

/// One that writes, and the threads that it is at. However it ends, others may go on.
struct Writer {
    intake: Arc<Intake>,
    keys: Vec<String>,
    is_over: bool,
}

impl Writer {
    /// What waits now, by thread, as much as one transaction takes.
    fn next(&mut self) -> Option<BTreeMap<String, Vec<Message>>> {
        let mut waiting = self.intake.waiting();
        for key in self.keys.drain(..) {
            waiting.busy.remove(&key);
        }
        let mut batch: BTreeMap<String, Vec<Message>> = BTreeMap::new();
        let mut left = VecDeque::new();
        while let Some((key, message)) = waiting.messages.pop_front() {
            if message.answer.is_closed() {
                continue;
            }
            let is_full = batch.len() >= ROWS && !batch.contains_key(&key);
            if is_full || waiting.busy.contains(&key) {
                left.push_back((key, message));
            } else {
                batch.entry(key).or_default().push(message);
            }
        }
        waiting.messages = left;
        if batch.is_empty() {
            // Under the same lock: whoever comes next sees that a writer is wanted.
            waiting.writers = waiting.writers.saturating_sub(1);
            self.is_over = true;
            return None;
        }
        self.keys = batch.keys().cloned().collect();
        waiting.busy.extend(self.keys.iter().cloned());
        Some(batch)
    }
}

impl Drop for Writer {
    /// Ends one that was lost to a panic: its threads are free again, and whoever waits with nobody left to write
    /// is told so.
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut waiting = self.intake.waiting();
        waiting.writers = waiting.writers.saturating_sub(1);
        for key in &self.keys {
            waiting.busy.remove(key);
        }
        if waiting.writers == 0 {
            waiting.messages.clear();
        }
    }
}

/// The messages on one thread, and how far their keeping has come.
struct Thread {
    key: String,
    messages: Vec<Message>,
    row: Option<Row>,
    /// The row must be read before anything is decided.
    is_unread: bool,
    /// It is written by itself, after a transaction with others was not applied.
    is_alone: bool,
    /// What a write whose fate is not known would have written, and what its messages would be told.
    ours: Option<(Alert, Vec<Kept>)>,
}

/// What was decided on one thread.
struct Plan {
    next: Alert,
    kept: Vec<Kept>,
    write: Write,
}

impl Thread {
    /// Whether all who sent its messages have given up: they send them again.
    fn is_given_up(&self) -> bool {
        let mut messages = self.messages.iter();
        messages.all(|message| message.answer.is_closed())
    }

    fn answer(self, kept: Result<Vec<Kept>, StoreError>) {
        match kept {
            Ok(kept) => {
                for (message, kept) in self.messages.into_iter().zip(kept) {
                    // Whoever asked may have gone; the alert is kept all the same.
                    let _ = message.answer.send(Ok(kept));
                }
            }
            Err(error) => {
                for message in self.messages {
                    let _ = message.answer.send(Err(error.clone()));
                }
            }
        }
    }

    /// Holds the messages against the row, one after the other; answers where there is nothing to write.
    fn decide(self) -> Option<(Self, Plan)> {
        let known = match self.row.as_ref().map(decode) {
            Some(Err(problem)) if self.row.as_ref().is_some_and(codec::is_newer) => {
                let error = unreadable(&self.key, &problem);
                self.answer(Err(error));
                return None;
            }
            // A row that is junk tells nothing, and stands in nobody's way.
            None | Some(Err(_)) => None,
            Some(Ok(found)) => Some(found.alert),
        };
        // A write whose fate was not known has landed if the row says now what we meant to write.
        if let Some((_, kept)) = self
            .ours
            .as_ref()
            .filter(|(ours, _)| known.as_ref() == Some(ours))
        {
            let kept = kept.clone();
            self.answer(Ok(kept));
            return None;
        }
        let mut current = known;
        let mut is_changed = false;
        let mut kept = Vec::with_capacity(self.messages.len());
        for message in &self.messages {
            if let Some(next) = (message.newer)(current.as_ref(), &message.alert) {
                kept.push(Kept::News(next.clone()));
                current = Some(next);
                is_changed = true;
            } else {
                kept.push(current.clone().map_or(Kept::Nothing, Kept::Known));
            }
        }
        let Some(next) = current.filter(|_| is_changed) else {
            self.answer(Ok(kept));
            return None;
        };
        let properties = match encode(&next) {
            Ok(properties) => properties,
            Err(error) => {
                self.answer(Err(error));
                return None;
            }
        };
        let write = write(&self.key, self.row.as_ref(), properties);
        Some((self, Plan { next, kept, write }))
    }
}

fn write(key: &str, row: Option<&Row>, properties: Properties) -> Write {
    let key = key.to_owned();
    match row {
        None => Write::Insert { key, properties },
        Some(row) => Write::Replace {
            key,
            etag: row.etag.clone(),
            properties,
        },
    }
}

/// Keeps a batch: reads what must be read, decides, writes, and decides anew where others were faster.
async fn take_in(rows: &dyn RowStore, intake: &Intake, batch: BTreeMap<String, Vec<Message>>) {
    let began = Instant::now();
    let mut threads: Vec<Thread> = {
        let waiting = intake.waiting();
        batch
            .into_iter()
            .map(|(key, messages)| Thread {
                // What would not begin a thread of its own may be news of one that is there.
                is_unread: waiting.seen.contains(&key)
                    || messages
                        .iter()
                        .any(|one| (one.newer)(None, &one.alert).is_none()),
                key,
                messages,
                row: None,
                is_alone: false,
                ours: None,
            })
            .collect()
    };
    intake.remember(&threads);
    for attempt in 0..TRIES {
        if attempt > 1 {
            pause_before_retry(attempt).await;
        }
        let read = stream::iter(threads).map(|thread| read(rows, thread));
        let read: Vec<Option<Thread>> = read.buffer_unordered(SINGLES).collect().await;
        let planned = read.into_iter().flatten().filter_map(Thread::decide);
        let written = stream::iter(transactions(planned)).map(|plans| transact(rows, plans, began));
        let left: Vec<Vec<Thread>> = written.buffer_unordered(SINGLES).collect().await;
        threads = left.into_iter().flatten().collect();
        if threads.is_empty() {
            return;
        }
    }
    for thread in threads {
        let error = StoreError::Unavailable(format!(
            "the row {} was written by others {TRIES} times in a row",
            thread.key
        ));
        thread.answer(Err(error));
    }
}

impl Intake {
    fn remember(&self, threads: &[Thread]) {
        let mut waiting = self.waiting();
        if waiting.seen.len() > REMEMBERED {
            waiting.seen.clear();
        }
        let keys = threads.iter().map(|thread| thread.key.clone());
        waiting.seen.extend(keys);
    }
}

/// Reads the row, where it must be.
async fn read(rows: &dyn RowStore, mut thread: Thread) -> Option<Thread> {
    if thread.is_unread {
        match rows.get(&thread.key).await {
            Ok(row) => thread.row = row,
            Err(error) => {
                thread.answer(Err(error.into()));
                return None;
            }
        }
        thread.is_unread = false;
    }
    Some(thread)
}

/// Puts together what one transaction takes.
fn transactions(planned: impl Iterator<Item = (Thread, Plan)>) -> Vec<Vec<(Thread, Plan)>> {
    let (mut all, mut together, mut characters) = (Vec::new(), Vec::new(), 0);
    for (thread, plan) in planned {
        let size = size(&plan.write);
        if thread.is_alone || size > CHARACTERS {
            all.push(vec![(thread, plan)]);
            continue;
        }
        if characters + size > CHARACTERS {
            all.push(std::mem::take(&mut together));
            characters = 0;
        }
        characters += size;
        together.push((thread, plan));
    }
    if !together.is_empty() {
        all.push(together);
    }
    all
}

/// One transaction. Answers what is done; the threads that are left are to be decided on anew.
async fn transact(rows: &dyn RowStore, plans: Vec<(Thread, Plan)>, began: Instant) -> Vec<Thread> {
    let writes = plans.iter().map(|(_, plan)| plan.write.clone()).collect();
    let is_single = plans.len() == 1;
    let error = match rows.transact(writes).await {
        Ok(Written::Applied(_)) => {
            for (thread, plan) in plans {
                thread.answer(Ok(plan.kept));
            }
            return Vec::new();
        }
        Ok(Written::Conflict) => None,
        Err(error) => Some(StoreError::from(error)),
    };
    let (mut left, mut unknown) = (Vec::new(), Vec::new());
    for (mut thread, plan) in plans {
        match &error {
            // One of them was overtaken, it is not told which: each by itself finds out.
            None if !is_single => thread.is_alone = true,
            Some(error) if thread.ours.is_some() || began.elapsed() > SEND_AGAIN_WITHIN => {
                unknown.push(find_out(rows, thread, plan, error));
                continue;
            }
            None | Some(_) => {
                thread.is_alone = true;
                thread.is_unread = true;
                thread.ours = Some((plan.next, plan.kept));
            }
        }
        left.push(thread);
    }
    let unknown = stream::iter(unknown).buffer_unordered(SINGLES);
    unknown.collect::<()>().await;
    left
}

/// Answers a thread whose write got no answer, if anyone still waits for that.
async fn find_out(rows: &dyn RowStore, thread: Thread, plan: Plan, error: &StoreError) {
    if !thread.is_given_up() {
        let fate = fate(rows, &thread.key, plan, error).await;
        thread.answer(fate);
    }
}

/// Whether a write that got no answer was applied.
async fn fate(
    rows: &dyn RowStore,
    key: &str,
    plan: Plan,
    error: &StoreError,
) -> Result<Vec<Kept>, StoreError> {
    let row = rows.get(key).await?;
    let found = row.as_ref().and_then(|row| decode(row).ok());
    if found.is_some_and(|found| found.alert == plan.next) {
        Ok(plan.kept)
    } else {
        Err(error.clone())
    }
}
