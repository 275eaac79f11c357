//! Transactions that come at once, over a store that answers when it is told to.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::future::join_all;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::*;
use crate::adapters::store::rows::{Page, Place, Properties, Row, binary};

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

    async fn page(&self, _: (&str, &str), _: &[&str], _: Option<Place>) -> Result<Page, RowError> {
        Ok(Page::default())
    }

    async fn transact(&self, writes: Vec<Write>) -> Answer {
        self.sizes.lock().unwrap().push(writes.len());
        self.permits.acquire().await.unwrap().forget();
        let mut rows = self.rows.lock().unwrap();
        assert!(
            writes.iter().all(|write| write.key() != "panic"),
            "asked to"
        );
        if writes.iter().any(|write| write.key() == "cut") {
            let detail = "the connection was cut".to_owned();
            return Err(RowError::Unavailable { detail });
        }
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
async fn where_nobody_knows_whether_it_was_applied_all_are_told_so_and_nothing_is_sent_again() {
    let slow = Slow::new(0);
    let (told, sizes) = all_at_once(&slow, &[&["a"], &["cut"], &["c"]]).await;
    for told in told {
        assert!(told[0].contains("the connection was cut"), "{told:?}");
    }
    assert_eq!(sizes, [3]);
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
async fn where_a_request_hangs_whoever_has_waited_for_long_is_sent_beside_it() {
    let slow = Slow::new(0);
    let shared = busy(&slow).await;
    let late = ask(&shared, &["a"]);
    tokio::time::sleep(PATIENCE / 2).await;
    assert_eq!(slow.sizes().len(), SENDERS);
    tokio::time::sleep(PATIENCE).await;
    assert_eq!(slow.sizes().split_off(SENDERS), [1]);
    slow.permits.add_permits(9);
    assert_eq!(told(&late.await.unwrap()), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn after_one_for_several_got_no_answer_each_is_sent_by_itself() {
    let slow = Slow::new(0);
    let shared = busy(&slow).await;
    let cut = [ask(&shared, &["cut"]), ask(&shared, &["b"])];
    tokio::task::yield_now().await;
    slow.permits.add_permits(4);
    for answer in join_all(cut).await {
        assert!(told(&answer.unwrap())[0].contains("was cut"));
    }
    let apart: Vec<_> = ["b", "c", "d", "e", "f"]
        .map(|key| ask(&shared, &[key]))
        .into();
    tokio::time::sleep(PATIENCE / 2).await;
    assert_eq!(slow.sizes().split_off(SENDERS), [2, 1, 1, 1, 1, 1]);
    slow.permits.add_permits(99);
    for answer in join_all(apart).await {
        assert!(matches!(answer.unwrap(), Ok(Written::Applied(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_waited_for_too_long_or_is_waited_for_no_more_is_not_sent() {
    let slow = Slow::new(0);
    let shared = busy(&slow).await;
    // Every sender hangs, also those that are sent beside the first.
    let hang: Vec<_> = (0..2)
        .map(|number| ask(&shared, &[&format!("x-{number}")]))
        .collect();
    tokio::time::sleep(PATIENCE * 2).await;
    let left = ask(&shared, &["left"]);
    tokio::task::yield_now().await;
    left.abort();
    let sent = slow.sizes().len();
    let mut queue = Queue::default();
    let (answer, mut answered) = oneshot::channel();
    queue.waiting.push_back(Asked {
        since: Instant::now(),
        writes: vec![insert("old")],
        answer,
    });
    tokio::time::sleep(GIVEN_UP * 2).await;
    assert!(queue.next().is_empty());
    assert!(told(&answered.try_recv().unwrap())[0].contains("nothing was sent"));
    assert_eq!(slow.sizes().len(), sent, "nobody waits for it");
    slow.permits.add_permits(99);
    join_all(hang).await;
    assert!(!slow.rows.lock().unwrap().contains_key("left"));
}

#[test]
fn bytes_count_like_texts() {
    let mut properties = Properties::new();
    properties.insert("text".to_owned(), "abc".into());
    properties.insert("bytes".to_owned(), binary(&[0; 6]));
    properties.insert("number".to_owned(), 7.into());
    let key = "a".to_owned();
    assert_eq!(size(&Write::Insert { key, properties }), 3 + 8);
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
