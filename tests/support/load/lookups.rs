//! Clients that ask which account now, on a thread of their own, and what they see of the move.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::task::{JoinSet, LocalSet};

use super::Answers;
use super::pace::Pace;
use super::pool::Pool;
use crate::support::client::{Reply, Request};

/// Steps of this length have no common divisor with the number of groups, so that all are visited, in no order.
const STRIDE: usize = 7919;
/// Nobody waits longer for the last group.
const PATIENCE: Duration = Duration::from_secs(300);

/// What is asked.
#[derive(Debug, Clone)]
pub struct Asking {
    /// The handlers; each has a share of the clients.
    pub handlers: Vec<SocketAddr>,
    /// The names of the groups.
    pub groups: Vec<String>,
    /// Lookups per second.
    pub per_second: u32,
    /// At least so many are sent.
    pub at_least: usize,
    /// Lookups per second after these, while the rest is waited for.
    pub per_second_then: u32,
    /// The site by which they end: every group has been seen there. Without one they end by their number.
    pub until_all_on: Option<String>,
}

/// What the clients saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// The answers.
    pub answers: Answers,
    /// When each group was first seen on the last site, in seconds since the first lookup, in order.
    pub moved_after: Vec<f64>,
}

/// Lookups that go on.
#[derive(Debug)]
pub struct Running {
    thread: JoinHandle<Seen>,
    others_are_done: Arc<AtomicBool>,
}

impl Running {
    /// Waits until there were enough of them, and every group was seen where it is to be.
    pub async fn finish(self) -> Seen {
        self.others_are_done.store(true, Ordering::Release);
        let thread = self.thread;
        tokio::task::spawn_blocking(move || thread.join().expect("the clients end by themselves"))
            .await
            .expect("it is waited for")
    }
}

/// Begins to ask; goes on until [`Running::finish`] at least.
pub fn begin(asking: Asking) -> Running {
    let others_are_done = Arc::new(AtomicBool::new(false));
    let done = Arc::clone(&others_are_done);
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        LocalSet::new().block_on(&runtime, ask(asking, done))
    });
    Running {
        thread,
        others_are_done,
    }
}

/// What is known of one group at one handler.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    generation: u64,
}

struct Clients {
    asking: Asking,
    pools: Vec<Pool>,
    requests: Vec<Request>,
    began: Instant,
    /// By handler and group.
    known: RefCell<Vec<Vec<Known>>>,
    /// When each group was first seen on the last site.
    moved_after: RefCell<Vec<Option<f64>>>,
    answers: RefCell<Answers>,
}

async fn ask(asking: Asking, others_are_done: Arc<AtomicBool>) -> Seen {
    let groups = asking.groups.len();
    let request = |group: &String| Request::get(&format!("/api/groups/{group}/active"));
    let clients = Rc::new(Clients {
        pools: asking.handlers.iter().map(|at| Pool::to(*at)).collect(),
        requests: asking.groups.iter().map(request).collect(),
        began: Instant::now(),
        known: RefCell::new(vec![vec![Known::default(); groups]; asking.handlers.len()]),
        moved_after: RefCell::new(vec![None; groups]),
        answers: RefCell::default(),
        asking,
    });
    let mut pace = Pace::per_second(clients.asking.per_second);
    let mut under_way = JoinSet::new();
    let mut sent = 0;
    while !clients.are_done(sent, &others_are_done) {
        let number = pace.next().await;
        let one = Rc::clone(&clients);
        under_way.spawn_local(async move { one.look(number).await });
        while under_way.try_join_next().is_some() {}
        sent = number + 1;
        if sent == clients.asking.at_least {
            clients.answers.borrow_mut().offered_at = sent as f64 / pace.elapsed();
            pace.change(clients.asking.per_second_then);
        }
    }
    while under_way.join_next().await.is_some() {}
    clients.answers.borrow_mut().taken = pace.elapsed();
    clients.seen()
}

impl Clients {
    fn are_done(&self, sent: usize, others_are_done: &AtomicBool) -> bool {
        let all_are_there = || {
            self.asking.until_all_on.is_none()
                || self.moved_after.borrow().iter().all(Option::is_some)
        };
        let is_enough = sent >= self.asking.at_least
            && others_are_done.load(Ordering::Acquire)
            && all_are_there();
        is_enough || self.began.elapsed() > PATIENCE
    }

    async fn look(&self, number: usize) {
        let group = number * STRIDE % self.requests.len();
        let handler = number % self.pools.len();
        let known_before = self.known.borrow()[handler][group];
        let asked_at = Instant::now();
        let reply = self.pools[handler].ask(&self.requests[group]).await;
        let wait = asked_at.elapsed().as_secs_f64();
        let fault = match reply {
            Ok(reply) => self.judge(handler, group, known_before, &reply),
            Err(error) => Some(format!("no answer: {error}")),
        };
        let mut answers = self.answers.borrow_mut();
        answers.waits.push(wait);
        if let Some(fault) = fault {
            let name = &self.asking.groups[group];
            answers
                .faults
                .push(format!("{name} after {wait:.3} s: {fault}"));
        }
    }

    /// What is wrong with an answer: its status, or that it is older than one that was there before it was asked for.
    fn judge(&self, handler: usize, group: usize, before: Known, reply: &Reply) -> Option<String> {
        if reply.status != 200 {
            return Some(format!("{}: {}", reply.status, reply.body));
        }
        let Some(generation) = number_after(&reply.body, "\"generation\":") else {
            return Some(format!("no generation: {}", reply.body));
        };
        let known = &mut self.known.borrow_mut()[handler][group];
        known.generation = known.generation.max(generation);
        if let Some(site) = &self.asking.until_all_on
            && reply.body.contains(&format!("\"site\":\"{site}\""))
        {
            self.moved_after.borrow_mut()[group]
                .get_or_insert_with(|| self.began.elapsed().as_secs_f64());
        }
        (generation < before.generation).then(|| {
            format!(
                "generation {} was followed by {generation}",
                before.generation
            )
        })
    }

    fn seen(&self) -> Seen {
        let mut answers = self.answers.take();
        let mut moved_after: Vec<f64> = self
            .moved_after
            .borrow()
            .iter()
            .flatten()
            .copied()
            .collect();
        moved_after.sort_by(f64::total_cmp);
        if self.asking.until_all_on.is_some() && moved_after.len() < self.requests.len() {
            answers.faults.push(format!(
                "after {} s clients are told of the move of {} groups, not of {}",
                PATIENCE.as_secs(),
                moved_after.len(),
                self.requests.len()
            ));
        }
        Seen {
            answers,
            moved_after,
        }
    }
}

fn number_after(text: &str, name: &str) -> Option<u64> {
    let (_, rest) = text.split_once(name)?;
    let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
    rest.get(..end)?.parse().ok()
}
