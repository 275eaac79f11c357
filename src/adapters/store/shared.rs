//! Commits that come at once are sent as one: what a sweep writes of thousands of groups would else be as many requests,
//! and a partition answers those one after the other. One that comes while few are under way is sent as it is, at once.
//!
//! Whoever asks for a transaction is told what became of its own rows: where several were sent as one and that was not
//! applied, each is sent once more by itself. Where nobody knows whether it was, all are told so, and for a while
//! nothing is sent together: it may have been too much for one request, or one of them too much for the store.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::{self, StreamExt};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::rows::{CALL_LIMIT_SECONDS, RowError, RowStore, Write, Written, base64_text};

/// Rows of one transaction (the limit of Table Storage).
pub(super) const ROWS: usize = 100;
/// Characters of one transaction: 4 MiB is the limit of Table Storage, 2 MiB that of Cosmos DB.
pub(super) const CHARACTERS: usize = 1024 * 1024;
/// Transactions under way at once, beyond which others wait for each other.
const SENDERS: usize = 3;
/// Whoever has waited for so long does not wait for a request that hangs: one more is sent beside those.
const PATIENCE: Duration = Duration::from_millis(500);
/// What has waited for so long is not sent any more: nothing was written, and whoever asked is told so.
const GIVEN_UP: Duration = Duration::from_secs(CALL_LIMIT_SECONDS);
/// After one for several got no answer, each is sent by itself for so long.
const APART_FOR: Duration = Duration::from_secs(10);
/// And as many of those at once.
const SENDERS_APART: usize = 12;
/// Transactions that are sent by themselves at the same time, after they were not applied together.
const SINGLES: usize = 8;

type Answer = Result<Written, RowError>;

/// A transaction that waits to be sent.
#[derive(Debug)]
struct Asked {
    since: Instant,
    writes: Vec<Write>,
    answer: oneshot::Sender<Answer>,
}

impl Asked {
    /// Tells that it was never sent.
    fn give_up(self) {
        let limit = GIVEN_UP.as_secs();
        let detail = format!("others kept it busy for {limit} s, and nothing was sent");
        // Whoever has left is told nothing.
        let _ = self.answer.send(Err(RowError::Unavailable { detail }));
    }
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Asked>,
    senders: usize,
    apart_until: Option<Instant>,
}

impl Queue {
    /// The next that can be sent as one: no row twice, no more than the store takes. What nobody waits for any more is
    /// left out.
    fn next(&mut self) -> Vec<Asked> {
        let most = if self.is_apart() { 1 } else { ROWS };
        let mut batch: Vec<Asked> = Vec::new();
        let (mut keys, mut rows, mut characters) = (HashSet::new(), 0, 0);
        while let Some(asked) = self.waiting.pop_front() {
            if asked.answer.is_closed() {
                continue;
            }
            if asked.since.elapsed() > GIVEN_UP {
                asked.give_up();
                continue;
            }
            rows += asked.writes.len();
            characters += asked.writes.iter().map(size).sum::<usize>();
            let own: Vec<String> = asked
                .writes
                .iter()
                .map(|write| write.key().to_owned())
                .collect();
            let is_too_much = batch.len() >= most || rows > ROWS || characters > CHARACTERS;
            if !batch.is_empty() && (is_too_much || own.iter().any(|key| keys.contains(key))) {
                self.waiting.push_front(asked);
                break;
            }
            keys.extend(own);
            batch.push(asked);
        }
        batch
    }

    fn is_apart(&self) -> bool {
        self.apart_until.is_some_and(|until| Instant::now() < until)
    }

    fn is_sender_wanted(&self) -> bool {
        let senders = if self.is_apart() {
            SENDERS_APART
        } else {
            SENDERS
        };
        let is_late = |asked: &Asked| asked.since.elapsed() >= PATIENCE;
        !self.waiting.is_empty()
            && (self.senders < senders || self.waiting.front().is_some_and(is_late))
    }
}

/// The length of a row's texts and bytes, which is nearly all that it takes.
pub(super) fn size(write: &Write) -> usize {
    match write {
        Write::Insert { properties, .. } | Write::Replace { properties, .. } => properties
            .values()
            .filter_map(|value| value.as_str().or_else(|| base64_text(value)))
            .map(str::len)
            .sum(),
        Write::Delete { .. } => 0,
    }
}

/// Rows whose transactions are sent together.
#[derive(Debug)]
pub(super) struct Shared {
    rows: Arc<dyn RowStore>,
    queue: Arc<Mutex<Queue>>,
}

impl Shared {
    /// These rows.
    pub(super) fn over(rows: Arc<dyn RowStore>) -> Self {
        Self {
            rows,
            queue: Arc::default(),
        }
    }

    /// Sends what waits, if more may be under way.
    fn send_more(&self) {
        let is_sender_wanted = {
            let mut queue = locked(&self.queue);
            let is_wanted = queue.is_sender_wanted();
            queue.senders += usize::from(is_wanted);
            is_wanted
        };
        if is_sender_wanted {
            // A task of its own: a caller that gives up does not end what others wait for.
            let sender = Sender {
                queue: Arc::clone(&self.queue),
                is_over: false,
            };
            tokio::spawn(sender.send_all(Arc::clone(&self.rows)));
        }
    }

    /// Applies all of these or none, as [`RowStore::transact`] does, perhaps together with others'. Ends within twice
    /// [`CALL_LIMIT_SECONDS`]: one that has waited for that long is not sent.
    pub(super) async fn transact(&self, writes: Vec<Write>) -> Answer {
        let (answer, mut answered) = oneshot::channel();
        locked(&self.queue).waiting.push_back(Asked {
            since: Instant::now(),
            writes,
            answer,
        });
        self.send_more();
        let told = match tokio::time::timeout(PATIENCE, &mut answered).await {
            Ok(told) => told,
            Err(_) => {
                self.send_more();
                answered.await
            }
        };
        told.unwrap_or_else(|_| {
            Err(RowError::Unavailable {
                detail: "the write was lost".to_owned(),
            })
        })
    }
}

fn locked(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One that sends until nobody waits.
struct Sender {
    queue: Arc<Mutex<Queue>>,
    is_over: bool,
}

impl Sender {
    async fn send_all(mut self, rows: Arc<dyn RowStore>) {
        while let Some(batch) = self.next() {
            let is_known = send(&*rows, batch).await;
            if !is_known {
                locked(&self.queue).apart_until = Some(Instant::now() + APART_FOR);
            }
        }
    }

    fn next(&mut self) -> Option<Vec<Asked>> {
        let mut queue = locked(&self.queue);
        let batch = queue.next();
        if batch.is_empty() {
            // Under the same lock: whoever comes next sees that a sender is wanted.
            queue.senders = queue.senders.saturating_sub(1);
            self.is_over = true;
            return None;
        }
        Some(batch)
    }
}

impl Drop for Sender {
    /// Ends one that was lost to a panic: whoever waits with nobody left to send is told so.
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut queue = locked(&self.queue);
        queue.senders = queue.senders.saturating_sub(1);
        if queue.senders == 0 {
            queue.waiting.clear();
        }
    }
}

/// Sends these as one. `false` where nobody knows what became of them.
async fn send(rows: &dyn RowStore, mut batch: Vec<Asked>) -> bool {
    if batch.len() == 1 {
        send_alone(rows, batch.remove(0)).await;
        return true;
    }
    let writes = batch.iter().flat_map(|asked| asked.writes.clone());
    match rows.transact(writes.collect()).await {
        Ok(Written::Applied(etags)) => {
            let mut etags = etags.into_iter();
            for asked in batch {
                let own = etags.by_ref().take(asked.writes.len()).collect();
                let _ = asked.answer.send(Ok(Written::Applied(own)));
            }
        }
        // Nothing was applied, and it may be the fault of one of them.
        Ok(Written::Conflict) | Err(RowError::Refused { .. }) => {
            let each = batch.into_iter().map(|asked| send_alone(rows, asked));
            stream::iter(each)
                .buffer_unordered(SINGLES)
                .collect::<Vec<()>>()
                .await;
        }
        Err(RowError::Unavailable { detail }) => {
            for asked in batch {
                let detail = detail.clone();
                let _ = asked.answer.send(Err(RowError::Unavailable { detail }));
            }
            return false;
        }
    }
    true
}

async fn send_alone(rows: &dyn RowStore, asked: Asked) {
    if asked.since.elapsed() > GIVEN_UP {
        return asked.give_up();
    }
    let answer = rows.transact(asked.writes).await;
    // Whoever gave up is told nothing.
    let _ = asked.answer.send(answer);
}

#[cfg(test)]
mod tests;
