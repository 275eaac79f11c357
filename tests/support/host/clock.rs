//! Timers: fired by their schedule with a stored past, one run at a time, again where a policy says so.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use understudy::local::envelope::{Attempt, Outcome};
use understudy::local::function_json::{Function, Timer, Trigger};
use understudy::local::monitor::{self, Status};
use uuid::Uuid;

use super::Run;
use super::envelope::{self, Past};
use super::inner::Inner;

/// One call of a timer's function.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The function.
    pub function: String,
    /// The id of the invocation: a new one with each attempt.
    pub invocation: Uuid,
    /// The envelope.
    pub body: Value,
    /// How it ended.
    pub run: Run,
}

/// Where the status of monitored timers is kept, as in the app's storage: a folder, a file for each timer.
#[derive(Debug)]
struct Statuses(Option<PathBuf>);

impl Statuses {
    fn get(&self, function: &str) -> Option<Status> {
        let bytes = std::fs::read(self.0.as_ref()?.join(function)).ok()?;
        Status::from_json(&serde_json::from_slice(&bytes).ok()?)
    }

    fn put(&self, function: &str, status: &Status) {
        if let Some(folder) = &self.0 {
            std::fs::write(folder.join(function), json!(status).to_string()).expect("a folder");
        }
    }
}

/// What the clocks of a host share.
#[derive(Debug)]
pub struct Clocks {
    statuses: Statuses,
    /// One run of a timer at a time.
    turns: BTreeMap<String, tokio::sync::Mutex<()>>,
    ran: watch::Sender<Vec<Ran>>,
}

impl Clocks {
    /// For these functions.
    pub fn new(functions: &[Function], folder: Option<PathBuf>) -> Self {
        Self {
            statuses: Statuses(folder),
            turns: functions
                .iter()
                .map(|function| (function.name.clone(), tokio::sync::Mutex::default()))
                .collect(),
            ran: watch::Sender::default(),
        }
    }

    /// Waits until there were so many calls, and gives them.
    pub async fn ran(&self, times: usize) -> Vec<Ran> {
        let mut ran = self.ran.subscribe();
        ran.wait_for(|ran| ran.len() >= times)
            .await
            .expect("the host is there")
            .clone()
    }
}

/// Why a timer's listener does not start: the status of a monitored one must be kept somewhere.
pub fn refused(timer: &Timer, folder: Option<&PathBuf>) -> Option<String> {
    (timer.is_monitored(Timestamp::now()) && folder.is_none())
        .then(|| "Could not create BlobContainerClient for ScheduleMonitor".to_owned())
}

/// Listens to a timer's schedule.
pub async fn listen(inner: Arc<Inner>, function: Function, timer: Timer) {
    let now = Timestamp::now();
    let is_monitored = timer.is_monitored(now);
    let statuses = &inner.clocks.statuses;
    let stored = statuses.get(&function.name).filter(|_| is_monitored);
    let Some(start) = monitor::start(stored, &timer.schedule, now) else {
        return;
    };
    let keep = |status: &Status| {
        if is_monitored {
            statuses.put(&function.name, status);
        }
    };
    start.stored.iter().for_each(keep);
    let mut status = start.status;
    // What was missed goes before a run at the start.
    let mut at_once = (start.is_past_due || timer.run_on_startup).then_some(start.is_past_due);
    loop {
        let is_past_due = at_once.take();
        if is_past_due.is_none() {
            let wait = Duration::try_from(status.next.duration_since(Timestamp::now()))
                .unwrap_or_default();
            tokio::time::sleep(wait).await;
        }
        let begun = Timestamp::now();
        let past = match is_monitored {
            true => Past::Known(status.clone(), is_past_due == Some(true)),
            false => Past::Unmonitored,
        };
        // Failures are logged, and the schedule goes on.
        let _ = inner.fire(&function.name, &past).await;
        let Some(after) = status.after(begun, is_past_due.is_none(), &timer.schedule) else {
            return;
        };
        keep(&after);
        status = after;
    }
}

impl Inner {
    fn timer(&self, name: &str) -> Result<(&Function, &Timer), String> {
        let found = self
            .loaded
            .functions
            .iter()
            .find_map(|function| match &function.trigger {
                Trigger::Timer(timer) if function.name == name => Some((function, timer)),
                _ => None,
            });
        found.ok_or_else(|| format!("no timer {name}"))
    }

    /// Fires a timer as its listener does.
    pub async fn fire(&self, name: &str, past: &Past) -> Run {
        self.timer(name)?;
        let _turn = self.clocks.turns[name].lock().await;
        self.attempts(name, past).await
    }

    /// Fires a timer as the admin's door does: with what is stored of its past, beside any other run, and without a
    /// mark on its schedule.
    pub async fn fire_beside(&self, name: &str) -> Run {
        let (_, timer) = self.timer(name)?;
        let stored = match timer.is_monitored(Timestamp::now()) {
            true => self.clocks.statuses.get(name),
            false => None,
        };
        let past = stored.map_or(Past::Unmonitored, |status| Past::Known(status, false));
        self.attempts(name, &past).await
    }

    async fn attempts(&self, name: &str, past: &Past) -> Run {
        let (function, timer) = self.timer(name)?;
        let mut attempt = function.retry.as_ref().map(|retry| Attempt {
            number: 0,
            times: retry.times,
            error: None,
        });
        loop {
            let body = envelope::timer(name, timer, past, attempt.clone(), Timestamp::now());
            let invocation = Uuid::new_v4();
            let run = self.once(name, invocation, &body).await;
            self.clocks.ran.send_modify(|ran| {
                ran.push(Ran {
                    function: name.to_owned(),
                    invocation,
                    body: serde_json::from_str(&body).expect("an envelope"),
                    run: run.clone(),
                });
            });
            let pause = match (&run, &function.retry, &attempt) {
                (Err(_), Some(retry), Some(attempt)) => retry.after(attempt.number),
                _ => None,
            };
            let (Some(pause), Some(attempt)) = (pause, &mut attempt) else {
                return run;
            };
            tokio::time::sleep(pause).await;
            attempt.number += 1;
            attempt.error = run.err();
        }
    }

    async fn once(&self, name: &str, invocation: Uuid, body: &str) -> Run {
        let handler = self.handler(name).ok_or("no handler")?;
        handler.ready().await?;
        let call = self.enveloped(handler, name, invocation, body);
        match self.in_time(handler, call).await? {
            Outcome::Done(answer) => Ok(answer.logs),
            Outcome::Failed(why) => Err(why),
            Outcome::Hangs => Err("it hangs".to_owned()),
        }
    }
}
