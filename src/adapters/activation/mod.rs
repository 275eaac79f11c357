//! Running one step of a move on the account it names: starting and stopping what streams.
//!
//! | looking for | file |
//! | --- | --- |
//! | one attempt at a step: read, ask, follow, look again | `attempt` |
//! | what a step is about: which URL, which token, which states it wants | `target` |
//! | one request and its answer, within a deadline | `exchange` |
//! | long-running operations, and how long to wait between looks | `operation` |
//!
//! An attempt always reads the outside state before it asks for anything, and asks at most once per state seen off: a
//! call that may have landed is not repeated, unless something else was seen under way in between. So whoever goes on
//! after a crash starts nothing twice.

mod attempt;
mod exchange;
mod operation;
mod target;

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::time::Instant;

use self::attempt::Attempt;
use self::target::Target;
use crate::adapters::azure::identity::Identity;
use crate::adapters::azure::pace::{ACTIONS, ACTIONS_ON_ACCOUNT, LOOKS, Pacer};
use crate::model::moves::{Step, StepResult};
use crate::model::spec::GroupSpec;

/// Starts and stops things on accounts. Clones share their pace.
#[derive(Debug, Clone)]
pub struct Activator {
    tools: Arc<Tools>,
}

#[derive(Debug)]
struct Tools {
    http: reqwest::Client,
    identity: Identity,
    /// Starts and stops, by subscription.
    actions: Pacer,
    /// Starts and stops, by account.
    actions_on_account: Pacer,
    /// Looks at states and operations, by subscription.
    looks: Pacer,
}

/// Whether a step is still ours to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is claimed by us.
    Ours,
    /// Its move was replaced, or another process has taken over.
    Lost,
    /// The record cannot be read now.
    Unknown,
}

/// Asks the record whether a step is still ours; asked right before anything outside is changed.
pub struct Fence(Box<dyn Fn() -> BoxFuture<'static, Standing> + Send + Sync>);

impl Fence {
    /// A fence that asks this.
    #[must_use]
    pub fn new(ask: impl Fn() -> BoxFuture<'static, Standing> + Send + Sync + 'static) -> Self {
        Self(Box::new(ask))
    }

    async fn ask(&self) -> Standing {
        (self.0)().await
    }
}

impl fmt::Debug for Fence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Fence")
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Performed {
    /// Whether it changed the outside, or may have.
    pub began: bool,
    /// How it ended.
    pub result: StepResult,
}

impl Activator {
    /// An activator over this client and identity.
    #[must_use]
    pub fn new(http: reqwest::Client, identity: Identity) -> Self {
        Self {
            tools: Arc::new(Tools {
                http,
                identity,
                actions: Pacer::new(ACTIONS),
                actions_on_account: Pacer::new(ACTIONS_ON_ACCOUNT),
                looks: Pacer::new(LOOKS),
            }),
        }
    }

    /// One attempt at a step, over at `until`: what is under way outside by then goes on without us. A Video
    /// Indexer account and an HTTP endpoint serve at once, so nothing is started on them.
    pub async fn perform(
        &self,
        spec: &GroupSpec,
        step: &Step,
        until: Instant,
        fence: &Fence,
    ) -> Performed {
        match Target::of(spec, step) {
            Ok(Some(target)) => Attempt::new(&self.tools, target, until).run(fence).await,
            Ok(None) => Performed {
                began: false,
                result: StepResult::Done,
            },
            Err(detail) => Performed {
                began: false,
                result: StepResult::failed(detail),
            },
        }
    }

    /// Reads what a step is about and changes nothing: its state, as far as it may be read. Whether the identity
    /// may start it as well, only starting it would show.
    pub async fn rehearse(&self, spec: &GroupSpec, step: &Step, until: Instant) -> StepResult {
        match Target::of(spec, step) {
            Ok(Some(target)) => Attempt::new(&self.tools, target, until).rehearse().await,
            Ok(None) => StepResult::Done,
            Err(detail) => StepResult::failed(detail),
        }
    }
}
