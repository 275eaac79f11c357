//! Transactions that come at once are sent as one: what a sweep writes of thousands of groups would else be as many requests,
//! and a partition answers those one after the other. One that comes alone is sent as it is, at once.
//!
//! Whoever asks for a transaction is told what became of its own rows: where several were sent as one and that was not
//! applied, each is sent once more by itself.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, StreamExt};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::rows::{Listing, Row, RowError, RowStore, Write, Written};

/// Rows of one transaction (the limit of Table Storage).
pub(super) const ROWS: usize = 100;
/// Characters of one transaction: 4 MiB is the limit of Table Storage, 2 MiB that of Cosmos DB.
pub(super) const CHARACTERS: usize = 1024 * 1024;
/// Transactions under way at once, beyond which others wait for each other.
const SENDERS: usize = 3;
/// Nobody waits longer for others: where a request hangs, each goes by itself as well.
const PATIENCE: Duration = Duration::from_millis(500);
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

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Asked>,
    senders: usize,
}

impl Queue {
    /// The next that can be sent as one: no row twice, no more than the store takes.
    fn next(&mut self) -> Vec<Asked> {
        let mut batch: Vec<Asked> = Vec::new();
        let (mut keys, mut rows, mut characters) = (HashSet::new(), 0, 0);
        while let Some(asked) = self.waiting.front() {
            rows += asked.writes.len();
            characters += asked.writes.iter().map(size).sum::<usize>();
            let mut own = asked.writes.iter().map(|write| write.key().to_owned());
            let is_too_much = rows > ROWS || characters > CHARACTERS;
            if !batch.is_empty() && (is_too_much || own.any(|key| keys.contains(&key))) {
                break;
            }
            keys.extend(asked.writes.iter().map(|write| write.key().to_owned()));
            batch.extend(self.waiting.pop_front());
        }
        batch
    }

    fn is_sender_wanted(&self) -> bool {
        let is_late = |asked: &Asked| asked.since.elapsed() > PATIENCE;
        self.senders < SENDERS || self.waiting.front().is_some_and(is_late)
    }
}

/// The length of a row's texts, which is nearly all that it takes.
pub(super) fn size(write: &Write) -> usize {
    match write {
        Write::Insert { properties, .. } | Write::Replace { properties, .. } => properties
            .values()
            .filter_map(serde_json::Value::as_str)
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
}

fn locked(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl RowStore for Shared {
    async fn get(&self, key: &str) -> Result<Option<Row>, RowError> {
        self.rows.get(key).await
    }

    async fn scan(&self, from: &str, to: &str) -> Result<Vec<Row>, RowError> {
        self.rows.scan(from, to).await
    }

    async fn list(
        &self,
        from: &str,
        to: &str,
        columns: &[&str],
        one_page: bool,
    ) -> Result<Listing, RowError> {
        self.rows.list(from, to, columns, one_page).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Answer {
        let (answer, answered) = oneshot::channel();
        let is_sender_wanted = {
            let mut queue = locked(&self.queue);
            queue.waiting.push_back(Asked {
                since: Instant::now(),
                writes,
                answer,
            });
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
        answered.await.unwrap_or_else(|_| {
            Err(RowError::Unavailable {
                detail: "the write was lost".to_owned(),
            })
        })
    }

    fn place(&self) -> String {
        self.rows.place()
    }
}

/// One that sends until nobody waits.
struct Sender {
    queue: Arc<Mutex<Queue>>,
    is_over: bool,
}

impl Sender {
    async fn send_all(mut self, rows: Arc<dyn RowStore>) {
        while let Some(batch) = self.next() {
            send(&*rows, batch).await;
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

async fn send(rows: &dyn RowStore, mut batch: Vec<Asked>) {
    if batch.len() == 1 {
        return send_alone(rows, batch.remove(0)).await;
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
        }
    }
}

async fn send_alone(rows: &dyn RowStore, asked: Asked) {
    let answer = rows.transact(asked.writes).await;
    // Whoever gave up is told nothing.
    let _ = asked.answer.send(answer);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures::future::join_all;
    use tokio::sync::Semaphore;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::adapters::store::rows::Properties;

    /// Rows in memory that answer one transaction for each permit, and tell how many rows each had.
    #[derive(Debug)]
    struct Slow {
        permits: Semaphore,
        rows: Mutex<BTreeMap<String, u64>>,
        sizes: Mutex<Vec<usize>>,
    }

    impl Slow {
        fn new(permits: usize) -> Arc<Self> {
            Arc::new(Self {
                permits: Semaphore::new(permits),
                rows: Mutex::default(),
                sizes: Mutex::default(),
            })
        }

        fn sizes(&self) -> Vec<usize> {
            self.sizes.lock().unwrap().clone()
        }
    }

    #[async_trait]
    impl RowStore for Slow {
        async fn get(&self, _: &str) -> Result<Option<Row>, RowError> {
            Ok(None)
        }

        async fn scan(&self, _: &str, _: &str) -> Result<Vec<Row>, RowError> {
            Ok(Vec::new())
        }

        async fn transact(&self, writes: Vec<Write>) -> Answer {
            self.sizes.lock().unwrap().push(writes.len());
            self.permits.acquire().await.unwrap().forget();
            let mut rows = self.rows.lock().unwrap();
            assert!(
                writes.iter().all(|write| write.key() != "panic"),
                "asked to"
            );
            if writes.iter().any(|write| rows.contains_key(write.key())) {
                return Ok(Written::Conflict);
            }
            let mut etags = Vec::new();
            for write in writes {
                let etag = rows.len() as u64;
                rows.insert(write.key().to_owned(), etag);
                etags.push(format!("{}:{etag}", write.key()));
            }
            Ok(Written::Applied(etags))
        }

        fn place(&self) -> String {
            "in memory".to_owned()
        }
    }

    fn insert(key: &str) -> Write {
        Write::Insert {
            key: key.to_owned(),
            properties: Properties::new(),
        }
    }

    /// Rows over a store that is busy with as many transactions as are sent at once.
    async fn busy(slow: &Arc<Slow>) -> Arc<Shared> {
        let shared = Arc::new(Shared::over(Arc::clone(slow) as Arc<dyn RowStore>));
        for number in 0..SENDERS {
            ask(&shared, &[&format!("busy-{number}")]);
            while slow.sizes().len() <= number {
                tokio::task::yield_now().await;
            }
        }
        shared
    }

    fn ask(shared: &Arc<Shared>, keys: &[&str]) -> JoinHandle<Answer> {
        let writes = keys.iter().map(|key| insert(key)).collect();
        let shared = Arc::clone(shared);
        tokio::spawn(async move { shared.transact(writes).await })
    }

    /// Asks for all of these while the store is busy, then lets it answer; and how many rows each further transaction
    /// had.
    async fn all_at_once(slow: &Arc<Slow>, asked: &[&[&str]]) -> (Vec<Vec<String>>, Vec<usize>) {
        let shared = busy(slow).await;
        let asking = asked
            .iter()
            .map(|keys| shared.transact(keys.iter().map(|key| insert(key)).collect()));
        let (answers, ()) = tokio::join!(join_all(asking), async {
            slow.permits.add_permits(1_000);
        });
        let sizes = slow.sizes().split_off(SENDERS);
        (answers.iter().map(told).collect(), sizes)
    }

    fn told(answer: &Answer) -> Vec<String> {
        match answer {
            Ok(Written::Applied(etags)) => etags
                .iter()
                .map(|etag| etag.split(':').next().unwrap().to_owned())
                .collect(),
            Ok(Written::Conflict) => vec!["conflict".to_owned()],
            Err(error) => vec![error.to_string()],
        }
    }

    #[tokio::test]
    async fn one_that_comes_alone_is_sent_as_it_is() {
        let slow = Slow::new(9);
        let shared = Shared::over(Arc::clone(&slow) as Arc<dyn RowStore>);
        for key in ["a", "b"] {
            assert_eq!(told(&shared.transact(vec![insert(key)]).await), [key]);
        }
        assert_eq!(slow.sizes(), [1, 1]);
    }

    #[tokio::test]
    async fn those_that_wait_are_sent_as_one_and_each_is_told_of_its_own_rows() {
        let slow = Slow::new(0);
        let asked: [&[&str]; 3] = [&["a", "b"], &["c"], &["d", "e"]];
        let (told, sizes) = all_at_once(&slow, &asked).await;
        assert_eq!(told, asked);
        assert_eq!(sizes, [5]);
    }

    #[tokio::test]
    async fn one_that_is_not_applied_keeps_no_other_from_it() {
        let slow = Slow::new(0);
        let asked: [&[&str]; 3] = [&["a"], &["b", "busy-0"], &["c"]];
        let (told, sizes) = all_at_once(&slow, &asked).await;
        assert_eq!(told, [["a"], ["conflict"], ["c"]]);
        assert_eq!(sizes, [4, 1, 2, 1]);
        assert!(!slow.rows.lock().unwrap().contains_key("b"));
    }

    #[tokio::test]
    async fn no_row_is_twice_in_a_transaction_and_none_is_too_large() {
        let slow = Slow::new(0);
        let names: Vec<String> = (0..150).map(|number| format!("row-{number}")).collect();
        let mut asked: Vec<Vec<&str>> = vec![vec!["x"], vec!["x"]];
        asked.extend(names.iter().map(|name| vec![name.as_str()]));
        let asked: Vec<&[&str]> = asked.iter().map(Vec::as_slice).collect();
        let (told, sizes) = all_at_once(&slow, &asked).await;
        let lost = told.iter().filter(|told| **told == ["conflict"]);
        assert_eq!(lost.count(), 1, "of the two that write x");
        assert_eq!(sizes[..2], [1, ROWS]);
        assert!(
            sizes.contains(&51),
            "what is left over goes as one: {sizes:?}"
        );
        assert_eq!(slow.rows.lock().unwrap().len(), SENDERS + 1 + names.len());
    }

    #[tokio::test(start_paused = true)]
    async fn where_a_request_hangs_whoever_has_waited_for_long_goes_by_itself() {
        let slow = Slow::new(0);
        let shared = busy(&slow).await;
        let late = ask(&shared, &["a"]);
        tokio::time::sleep(PATIENCE * 2).await;
        assert_eq!(slow.sizes().len(), SENDERS);
        let later = ask(&shared, &["b"]);
        tokio::time::sleep(PATIENCE).await;
        assert_eq!(slow.sizes().split_off(SENDERS), [2]);
        slow.permits.add_permits(9);
        assert_eq!(told(&late.await.unwrap()), ["a"]);
        assert_eq!(told(&later.await.unwrap()), ["b"]);
    }

    #[tokio::test]
    async fn a_panic_is_told_to_those_it_was_for_and_others_go_on() {
        let slow = Slow::new(9);
        let shared = Shared::over(Arc::clone(&slow) as Arc<dyn RowStore>);
        for _ in 0..SENDERS + 1 {
            let lost = shared.transact(vec![insert("panic")]).await;
            assert!(told(&lost)[0].contains("the write was lost"), "{lost:?}");
            slow.rows.clear_poison();
        }
        assert_eq!(told(&shared.transact(vec![insert("a")]).await), ["a"]);
    }
}
