//! What Media Services accounts are doing: states of endpoints and live events, operations under way.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::super::board::Fate;
use super::super::faults::Scope;
use super::account::{MediaAccount, ResourceState};
use super::jobs::Job;

/// The two sorts of things that can be started and stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Family {
    StreamingEndpoints,
    LiveEvents,
}

impl Family {
    pub(super) const ALL: [Self; 2] = [Self::StreamingEndpoints, Self::LiveEvents];

    /// The segment of paths.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::StreamingEndpoints => "streamingEndpoints",
            Self::LiveEvents => "liveEvents",
        }
    }

    /// The segment of paths to its operations, as the real headers spell it.
    pub(super) const fn operations(self) -> &'static str {
        match self {
            Self::StreamingEndpoints => "streamingendpointoperations",
            Self::LiveEvents => "liveeventoperations",
        }
    }
}

/// One streaming endpoint or live event of an account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Part {
    pub(super) family: Family,
    pub(super) name: String,
}

impl Part {
    pub(super) fn new(family: Family, name: &str) -> Self {
        Self {
            family,
            name: name.to_owned(),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.family.as_str(), self.name)
    }
}

/// What can be done to a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Start,
    Stop,
    Allocate,
}

impl Action {
    pub(super) const ALL: [Self; 3] = [Self::Start, Self::Stop, Self::Allocate];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Allocate => "allocate",
        }
    }
}

/// From which state an action leads, through which, to which.
struct Rule(Family, Action, ResourceState, ResourceState, ResourceState);

/// Every step that there is; whatever is not here is refused, or there already.
const RULES: &[Rule] = {
    use Action::{Allocate, Start, Stop};
    use Family::{LiveEvents, StreamingEndpoints};
    use ResourceState::{Allocating, Running, StandBy, Starting, Stopped, Stopping};
    &[
        Rule(StreamingEndpoints, Start, Stopped, Starting, Running),
        Rule(StreamingEndpoints, Stop, Running, Stopping, Stopped),
        Rule(LiveEvents, Allocate, Stopped, Allocating, StandBy),
        Rule(LiveEvents, Start, Stopped, Starting, Running),
        Rule(LiveEvents, Start, StandBy, Starting, Running),
        Rule(LiveEvents, Stop, Running, Stopping, Stopped),
        Rule(LiveEvents, Stop, StandBy, Stopping, Stopped),
    ]
};

/// How an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum OperationStatus {
    /// Under way.
    InProgress,
    /// It ended well.
    Succeeded,
    /// It ended, and the resource is what it was before.
    Failed,
}

impl OperationStatus {
    /// Its name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }
}

/// One long-running operation, whoever polls it.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) id: String,
    pub(super) account: usize,
    pub(super) part: Part,
    pub(super) action: Action,
    pub(super) begun: Timestamp,
    pub(super) status: OperationStatus,
    ends: Instant,
    hung_by: Option<Scope>,
    fails: bool,
    from: ResourceState,
    to: ResourceState,
}

/// A part's state, and since when it has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) state: ResourceState,
    pub(super) since: Timestamp,
}

/// What came of asking for an action.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// It is under way, as the operation with this id.
    Accepted(String),
    /// There is nothing to do.
    Already,
    /// Another operation is under way on the same part.
    Busy,
    /// The part does not allow it as it is; why.
    Refused(String),
}

/// What the simulator knows of its Media Services accounts, by their place in the world.
#[derive(Debug, Default)]
pub(super) struct Books {
    held: HashMap<(usize, Part), Held>,
    outputs: HashMap<(usize, String), Vec<String>>,
    playing: BTreeSet<(usize, String)>,
    content: BTreeSet<(usize, String)>,
    pub(super) jobs: HashMap<(usize, String), Vec<Job>>,
    pub(super) operations: Vec<Operation>,
    under_way: Vec<usize>,
}

/// The books, which any request may open.
#[derive(Debug)]
pub(in super::super) struct Ledger(Mutex<Books>);

impl Ledger {
    /// What the accounts are when the simulator starts.
    pub(in super::super) fn new(accounts: &[MediaAccount]) -> Self {
        let mut books = Books::default();
        let since = Timestamp::now();
        for (at, account) in accounts.iter().enumerate() {
            for (family, name, state) in account.parts() {
                let key = (at, Part::new(family, name));
                books.held.insert(key, Held { state, since });
            }
            for event in &account.live_events {
                let key = (at, event.name.clone());
                books.outputs.insert(key, event.outputs.clone());
            }
            for locator in &account.locators {
                books.content.insert((at, locator.path.clone()));
                if locator.playing {
                    books.playing.insert((at, locator.name.clone()));
                }
            }
        }
        Self(Mutex::new(books))
    }

    /// The books as they are now: what has ended is written down first.
    pub(super) fn open(&self) -> MutexGuard<'_, Books> {
        let mut books = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        books.settle(Instant::now());
        books
    }

    /// Operations that hang because of a fault at such a place end now; answers how many.
    pub(in super::super) fn release(&self, accept: impl Fn(&Scope) -> bool) -> usize {
        let mut books = self.open();
        let now = Instant::now();
        let under_way = books.under_way.clone();
        let mut released = 0;
        for at in under_way {
            if let Some(operation) = books.operations.get_mut(at)
                && operation.hung_by.as_ref().is_some_and(&accept)
            {
                operation.hung_by = None;
                operation.ends = now;
                released += 1;
            }
        }
        released
    }
}

impl Books {
    fn settle(&mut self, now: Instant) {
        let (ended, under_way) = self.under_way.iter().partition::<Vec<usize>, _>(|at| {
            self.operations
                .get(**at)
                .is_none_or(|operation| operation.hung_by.is_none() && operation.ends <= now)
        });
        self.under_way = under_way;
        for at in ended {
            let Some(operation) = self.operations.get_mut(at) else {
                continue;
            };
            let (status, state) = if operation.fails {
                (OperationStatus::Failed, operation.from)
            } else {
                (OperationStatus::Succeeded, operation.to)
            };
            operation.status = status;
            let since = Timestamp::now();
            let key = (operation.account, operation.part.clone());
            self.held.insert(key, Held { state, since });
        }
    }

    /// A part's state now.
    pub(super) fn held(&self, account: usize, part: &Part) -> Option<Held> {
        self.held.get(&(account, part.clone())).copied()
    }

    /// Makes it so; an operation under way on it is over, and has failed.
    pub(super) fn force(&mut self, account: usize, part: &Part, state: ResourceState) {
        let operations = &mut self.operations;
        self.under_way.retain(|at| match operations.get_mut(*at) {
            Some(each) if each.account == account && each.part == *part => {
                each.status = OperationStatus::Failed;
                false
            }
            _ => true,
        });
        let since = Timestamp::now();
        self.held
            .insert((account, part.clone()), Held { state, since });
    }

    /// Whether an action could be begun now: the rule that allows it.
    fn allowed(
        &self,
        account: &MediaAccount,
        at: usize,
        part: &Part,
        action: Action,
        removes_outputs: bool,
    ) -> Result<&'static Rule, Begun> {
        let busy = self.under_way.iter().any(|each| {
            self.operations
                .get(*each)
                .is_some_and(|each| each.account == at && each.part == *part)
        });
        let state = self.held(at, part).map(|held| held.state);
        let Some(state) = state.filter(|state| !busy && !state.is_passing()) else {
            return Err(Begun::Busy);
        };
        let mut rules = RULES
            .iter()
            .filter(|rule| rule.0 == part.family && rule.1 == action);
        if rules.clone().any(|rule| rule.4 == state) {
            return Err(Begun::Already);
        }
        let Some(rule) = rules.find(|rule| rule.2 == state) else {
            let sentence = format!("{part} is {state}: {} is not possible.", action.as_str());
            return Err(Begun::Refused(sentence));
        };
        if action == Action::Stop
            && let Some(reason) = self.keeps_running(account, at, part, removes_outputs)
        {
            return Err(Begun::Refused(reason));
        }
        Ok(rule)
    }

    /// Why a part cannot be stopped: somebody watches, or it records.
    fn keeps_running(
        &self,
        account: &MediaAccount,
        at: usize,
        part: &Part,
        removes_outputs: bool,
    ) -> Option<String> {
        let of_part = |event: Option<&String>| match part.family {
            Family::StreamingEndpoints => true,
            Family::LiveEvents => event == Some(&part.name),
        };
        let playing = account.locators.iter().find(|locator| {
            of_part(locator.live_event.as_ref())
                && self.playing.contains(&(at, locator.name.clone()))
        });
        if let Some(locator) = playing {
            let name = &locator.name;
            return Some(format!(
                "{part} cannot be stopped while streaming locator {name} plays."
            ));
        }
        let records = part.family == Family::LiveEvents
            && !removes_outputs
            && !self.outputs(at, &part.name).is_empty();
        records.then(|| {
            format!(
                "{part} has live outputs: delete them first, or stop it with removeOutputsOnStop."
            )
        })
    }

    /// Asks for an action; `fate` is asked only if it is begun.
    pub(super) fn begin(
        &mut self,
        account: &MediaAccount,
        at: usize,
        asked: (&Part, Action, bool),
        takes: Duration,
        fate: impl FnOnce() -> Fate,
    ) -> Begun {
        let (part, action, removes_outputs) = asked;
        let rule = match self.allowed(account, at, part, action, removes_outputs) {
            Ok(rule) => rule,
            Err(begun) => return begun,
        };
        let fate = fate();
        let id = uuid::Uuid::new_v4().to_string();
        let begun = Timestamp::now();
        let now = Instant::now();
        self.under_way.push(self.operations.len());
        self.operations.push(Operation {
            id: id.clone(),
            account: at,
            part: part.clone(),
            action,
            begun,
            status: OperationStatus::InProgress,
            ends: now.checked_add(takes).unwrap_or(now),
            fails: fate == Fate::Fails,
            hung_by: match fate {
                Fate::Hangs(scope) => Some(scope),
                Fate::Well | Fate::Fails => None,
            },
            from: rule.2,
            to: rule.4,
        });
        if removes_outputs {
            self.outputs.remove(&(at, part.name.clone()));
        }
        let held = Held {
            state: rule.3,
            since: begun,
        };
        self.held.insert((at, part.clone()), held);
        // What takes no time has ended before it is first looked at.
        self.settle(Instant::now());
        Begun::Accepted(id)
    }

    /// The operation with this id of an account.
    pub(super) fn operation(&self, account: usize, id: &str) -> Option<&Operation> {
        let mut operations = self.operations.iter().rev();
        operations.find(|each| each.account == account && each.id.eq_ignore_ascii_case(id))
    }

    /// The live outputs of a live event.
    pub(super) fn outputs(&self, account: usize, event: &str) -> &[String] {
        let key = (account, event.to_owned());
        self.outputs.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Viewers begin to play a locator, or leave.
    pub(super) fn set_playing(&mut self, account: usize, locator: &str, playing: bool) {
        let key = (account, locator.to_owned());
        if playing {
            self.playing.insert(key);
        } else {
            self.playing.remove(&key);
        }
    }

    /// Content appears under a path, or vanishes.
    pub(super) fn set_content(&mut self, account: usize, path: &str, there: bool) {
        let key = (account, path.to_owned());
        if there {
            self.content.insert(key);
        } else {
            self.content.remove(&key);
        }
    }

    /// Whether there is content under a path.
    pub(super) fn has_content(&self, account: usize, path: &str) -> bool {
        self.content.contains(&(account, path.to_owned()))
    }
}
