//! In which order: load, observe, decide, commit, act. Deadlines, limits and retries live here, and no
//! rule does.
//!
//! | looking for | file |
//! | --- | --- |
//! | the timer's cycle over all groups | `tick` |
//! | a person's order on one group | `order` |
//! | an alert's arrival | `alert` |
//! | rows that are missing | `rows` |
//! | decide, commit, act for one group | `cycle` |
//! | probing one group | `observe` |
//! | the rounds of a sweep | `rounds` |
//! | what a sweep carries, and the steps that it began | `sweeping` |
//! | folding rounds into the heartbeat | `beat` |
//! | turns at writing a group | `turns` |
//! | which account now | `lookup` |
//! | what is remembered of the store | `memory` |
//! | reads of many groups at once | `crowd` |
//! | what answers show of a group | `view` |
//! | lists of groups | `overview` |
//! | is the app itself well | `wellbeing` |

pub mod alert;
pub mod beat;
mod crowd;
pub mod cycle;
pub mod lookup;
mod memory;
pub mod observe;
pub mod order;
pub mod overview;
mod rounds;
pub mod rows;
mod sweeping;
pub mod tick;
mod turns;
pub mod view;
pub mod wellbeing;

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinHandle;

use crate::adapters::activation::Activator;
use crate::adapters::probe::Prober;
use crate::adapters::store::{Store, StoreError};
use crate::decision::alert::directory::Directory;
use crate::model::deployment::Deployment;
use crate::model::name::GroupName;
use crate::model::spec::GroupSpec;

/// Requests of probes that are under way at once. What else is asked meanwhile (the store, witnesses) keeps a
/// deployment below 1,024 in flight.
pub const REQUESTS_AT_ONCE: usize = 900;

/// Why a question about a group has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum GroupError {
    /// No such group.
    #[error("there is no group {0}")]
    NotFound(GroupName),
    /// It has a record, but its configuration is bad.
    #[error("the configuration of {0} is bad, so nothing can be ordered: see /api/health")]
    Misconfigured(GroupName),
    /// The store gave no answer.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// The controller of one process. Nothing that matters lives in its memory: it may be killed at any
/// moment, and other processes work on the same store.
#[derive(Debug)]
pub struct Controller {
    deployment: Deployment,
    directory: Directory,
    store: Store,
    prober: Prober,
    activator: Activator,
    /// Names this process where it claims steps.
    process: String,
    started_at: Timestamp,
    probes: Arc<Semaphore>,
    turn: Mutex<()>,
    commits: turns::Turns,
    alerted: alert::Doorbell,
    memory: memory::Memory,
    crowd: crowd::Crowd,
    shelf: overview::Shelf,
    workers: OnceLock<Handle>,
}

impl Controller {
    /// A controller; touches neither the store nor any credential.
    #[must_use]
    pub fn new(
        deployment: Deployment,
        store: Store,
        prober: Prober,
        activator: Activator,
    ) -> Arc<Self> {
        Arc::new(Self {
            directory: Directory::of(deployment.groups.values().map(AsRef::as_ref)),
            deployment,
            store,
            prober,
            activator,
            process: uuid::Uuid::now_v7().to_string(),
            started_at: now(),
            probes: Arc::new(Semaphore::new(REQUESTS_AT_ONCE)),
            turn: Mutex::new(()),
            commits: turns::Turns::default(),
            alerted: alert::Doorbell::default(),
            memory: memory::Memory::default(),
            crowd: crowd::Crowd::default(),
            shelf: overview::Shelf::default(),
            workers: OnceLock::new(),
        })
    }

    /// What it is configured to do.
    #[must_use]
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// Has all that is more than an answer done by these threads: ticks, sweeps, orders, steps. Lookups then do not
    /// wait for a thread behind thousands of probes. Without this they share those of whoever asks.
    pub fn work_on(&self, threads: Handle) {
        // The first word counts: work that was begun stays where it is.
        let _ = self.workers.set(threads);
    }

    /// Does this to its end, whether or not anybody waits for it.
    fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match self.workers.get() {
            Some(threads) => threads.spawn(work),
            None => tokio::spawn(work),
        }
    }

    fn spec(&self, group: &GroupName) -> Option<&Arc<GroupSpec>> {
        self.deployment.groups.get(group)
    }

    fn fresh_id() -> String {
        uuid::Uuid::now_v7().to_string()
    }
}

/// The time, in whole milliseconds: what is kept in rows is what was decided on.
#[must_use]
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}
