//! One attempt at a step: read the state, ask for the change once, follow the operation, look again.

use std::time::Duration;

use jiff::SignedDuration;
use reqwest::Method;
use tokio::time::Instant;

use super::exchange::{NoReply, Reply};
use super::operation::{Follow, Patience, Progress};
use super::target::{Reached, Target};
use super::{Fence, Performed, Standing, Tools};
use crate::model::moves::{Stage, StepResult};

/// A look is given up after this time.
const LOOK_LIMIT: Duration = Duration::from_secs(5);
/// And a call that changes something after this.
const ACTION_LIMIT: Duration = Duration::from_secs(10);
/// A change that was accepted shows in the state within this time, or was none.
const SHOWS_WITHIN: Duration = Duration::from_secs(5);

/// Why an attempt ends here.
enum End {
    /// With this result.
    Result(StepResult),
    /// Its time is over.
    Late,
}

/// What was made of the call that asks for the change.
enum Asked {
    /// Not asked yet.
    Not,
    /// Accepted at this time.
    Accepted(Instant),
    /// Refused, or not heard of; what was said.
    Doubtful(StepResult),
}

/// One attempt.
pub(super) struct Attempt<'a> {
    tools: &'a Tools,
    target: Target,
    until: Instant,
    begun: Instant,
    patience: Patience,
    began: bool,
    asked: Asked,
    /// The state as it was last seen.
    seen: String,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(tools: &'a Tools, target: Target, until: Instant) -> Self {
        Self {
            tools,
            target,
            until,
            begun: Instant::now(),
            patience: Patience::new(),
            began: false,
            asked: Asked::Not,
            seen: String::new(),
        }
    }

    /// Does it.
    pub(super) async fn run(mut self, fence: &Fence) -> Performed {
        let result = loop {
            match self.advance(fence).await {
                Ok(()) => {}
                Err(End::Result(result)) => break result,
                Err(End::Late) => break self.going_on(),
            }
        };
        Performed {
            began: self.began,
            result,
        }
    }

    /// Reads the state, and says what a step would do about it.
    pub(super) async fn rehearse(mut self) -> StepResult {
        let found = match self.look().await {
            Ok(()) => self.target.judge(&self.seen),
            Err(End::Result(result)) => return result,
            Err(End::Late) => return StepResult::failed("its state could not be read in time"),
        };
        let (verb, seen) = (self.target.stage.verb(), &self.seen);
        match found {
            Reached::There => StepResult::GoingOn(format!("it is {seen}: nothing to do")),
            Reached::Passing => StepResult::GoingOn(format!("it is {seen} now")),
            Reached::Off => StepResult::GoingOn(format!(
                "it is {seen}; whether the identity may {verb} it, reading cannot tell"
            )),
            Reached::Gone => StepResult::failed(format!("it is {seen}")),
        }
    }

    fn going_on(&self) -> StepResult {
        let after = self.begun.elapsed().as_secs();
        let state = match self.seen.as_str() {
            "" => "not known yet",
            seen => seen,
        };
        StepResult::GoingOn(format!(
            "still under way after {after} s of this attempt: its state is {state}"
        ))
    }

    /// One look, and what follows from it.
    async fn advance(&mut self, fence: &Fence) -> Result<(), End> {
        if let Err(end) = self.look().await {
            let goes_on = matches!(self.asked, Asked::Accepted(_));
            return match end {
                // What was accepted goes on, also while we cannot see it.
                End::Result(StepResult::Failed { wait, .. }) if goes_on => {
                    self.pause(wait.map(|wait| wait.unsigned_abs())).await
                }
                end => Err(end),
            };
        }
        match self.target.judge(&self.seen) {
            Reached::There => Err(End::Result(StepResult::Done)),
            Reached::Passing => {
                if matches!(self.asked, Asked::Doubtful(_)) {
                    // Another operation was in the way, or ours had landed.
                    self.asked = Asked::Not;
                }
                self.pause(None).await
            }
            Reached::Gone => Err(End::Result(StepResult::failed(format!(
                "{} is {}: make it anew, or take it out of the configuration",
                self.target.resource, self.seen
            )))),
            Reached::Off => self.change(fence).await,
        }
    }

    /// It is not as it should be: asks for the change, once.
    async fn change(&mut self, fence: &Fence) -> Result<(), End> {
        match &self.asked {
            Asked::Not => self.ask(fence).await,
            Asked::Doubtful(said) => Err(End::Result(said.clone())),
            Asked::Accepted(at) if at.elapsed() < SHOWS_WITHIN => self.pause(None).await,
            Asked::Accepted(_) => Err(End::Result(StepResult::failed(format!(
                "the call to {} it was accepted, but it is {}",
                self.target.stage.verb(),
                self.seen
            )))),
        }
    }

    async fn look(&mut self) -> Result<(), End> {
        let reply = match self.get(&self.target.state_url).await? {
            Ok(reply) => reply,
            Err(none) => return Err(unread(&none.detail)),
        };
        match (reply.status, reply.state()) {
            (200, Some(state)) => {
                self.seen = state;
                Ok(())
            }
            (200, None) => Err(unread("it answered something that is not its answer")),
            _ => Err(End::Result(self.refused(&reply))),
        }
    }

    /// What an answer that is no success means.
    fn refused(&self, reply: &Reply) -> StepResult {
        let said = &reply.said;
        let hint = match reply.status {
            // What does not exist need not be stopped.
            404 | 410 if self.target.stage == Stage::Retire => return StepResult::Done,
            401 | 403 => format!(" ({})", self.target.what_to_grant()),
            404 | 410 => format!(
                " (there is no {} on the account, or no account: mend the configuration)",
                self.target.resource
            ),
            _ => String::new(),
        };
        StepResult::Failed {
            detail: format!("{said}{hint}"),
            wait: (reply.retry_after).and_then(|wait| SignedDuration::try_from(wait).ok()),
        }
    }

    /// Asks for the change, if the step is still ours.
    async fn ask(&mut self, fence: &Fence) -> Result<(), End> {
        let verb = self.target.stage.verb();
        let turns = async {
            let account = self
                .tools
                .actions_on_account
                .turn(&self.target.account)
                .await;
            let subscription = self.tools.actions.turn(&self.target.subscription).await;
            (account, subscription)
        };
        let Ok(turns) = tokio::time::timeout_at(self.until, turns).await else {
            return Err(End::Late);
        };
        match (fence.ask().await, self.target.stage) {
            (Standing::Ours, _) | (Standing::Unknown, Stage::Activate) => {}
            (Standing::Lost, _) => {
                let line = format!("this process may not {verb} it any more");
                return Err(End::Result(StepResult::GoingOn(line)));
            }
            // Stopping can wait; stopping what serves would be worse.
            (Standing::Unknown, Stage::Retire) => {
                let line = "the record cannot be read, so nothing is stopped now";
                return Err(End::Result(StepResult::failed(line)));
            }
        }
        let (access, url) = (&self.target.access, &self.target.action_url);
        let post = Method::POST;
        let reply = self
            .tools
            .exchange(access, post, url, ACTION_LIMIT, self.until)
            .await;
        // What is followed now is only looked at: others may ask meanwhile.
        drop(turns);
        match reply {
            Ok(reply) => self.answered(&reply).await,
            Err(NoReply {
                detail,
                may_have_landed,
            }) => {
                self.began |= may_have_landed;
                let said = StepResult::failed(format!("the call to {verb} it: {detail}"));
                if !may_have_landed {
                    return Err(End::Result(said));
                }
                self.asked = Asked::Doubtful(said);
                Ok(())
            }
        }
    }

    async fn answered(&mut self, reply: &Reply) -> Result<(), End> {
        match reply.status {
            200..=204 => {
                // It was read as not there, so whatever the service did, it did for us.
                self.began = true;
                self.asked = Asked::Accepted(Instant::now());
                if reply.status != 202 {
                    return Ok(());
                }
                let follow = Follow::of(reply, &self.target.action_url);
                self.follow(&follow, reply.retry_after).await
            }
            // Whether it was done the state will tell: something else may be under way, or it landed before
            // the service broke.
            408 | 409 | 500.. => {
                self.began |= reply.status != 409;
                self.asked = Asked::Doubtful(self.refused(reply));
                Ok(())
            }
            _ => Err(End::Result(self.refused(reply))),
        }
    }

    /// Follows the operation to its end. How it ended is read off the resource, unless it failed.
    async fn follow(&mut self, follow: &Follow, first: Option<Duration>) -> Result<(), End> {
        let mut wait = first;
        let Some(url) = follow.url() else {
            return self.pause(wait).await;
        };
        loop {
            self.pause(wait).await?;
            let Ok(reply) = self.get(url).await? else {
                wait = None;
                continue;
            };
            wait = reply.retry_after;
            match follow.read(&reply) {
                Progress::Under | Progress::Unheard => {}
                Progress::Succeeded | Progress::Unknown => return Ok(()),
                Progress::Failed(why) => {
                    let line = format!("the call to {} it: {why}", self.target.stage.verb());
                    return Err(End::Result(StepResult::failed(line)));
                }
            }
        }
    }

    async fn get(&self, url: &str) -> Result<Result<Reply, NoReply>, End> {
        let turn = self.tools.looks.turn(&self.target.subscription);
        let Ok(_turn) = tokio::time::timeout_at(self.until, turn).await else {
            return Err(End::Late);
        };
        let (access, until) = (&self.target.access, self.until);
        let reply = self
            .tools
            .exchange(access, Method::GET, url, LOOK_LIMIT, until);
        let reply = reply.await;
        if reply.is_err() && Instant::now() >= self.until {
            return Err(End::Late);
        }
        Ok(reply)
    }

    async fn pause(&mut self, asked: Option<Duration>) -> Result<(), End> {
        let next = Instant::now() + self.patience.next(asked);
        if next >= self.until {
            tokio::time::sleep_until(self.until).await;
            return Err(End::Late);
        }
        tokio::time::sleep_until(next).await;
        Ok(())
    }
}

fn unread(why: &str) -> End {
    End::Result(StepResult::failed(format!(
        "its state could not be read: {why}"
    )))
}
