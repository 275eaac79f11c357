//! Fires one timer by its schedule: never two at a time, in the host's envelope.

use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use jiff::Timestamp;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::child::Grip;
use super::envelope::{Attempt, Firing, Outcome, read_answer};
use super::function_json::Timer;
use super::monitor::{self, Status};
use super::proxy::{HOST_VERSION, INVOCATION_HEADER, VERSION_HEADER};
use super::retry::Retry;
use super::voice::Voice;

/// The longest sleep before the wall clock is looked at again: it may be set, and laptops sleep.
const NAP: Duration = Duration::from_secs(5);

/// One timer function with what it takes to call it.
pub struct Clock {
    /// The function's name.
    pub function: String,
    /// Its binding.
    pub timer: Timer,
    /// The handler.
    pub handler: Grip,
    /// The client for the handler.
    pub client: reqwest::Client,
    /// After this the handler is killed; none is no limit.
    pub timeout: Option<Duration>,
    /// Who is told how a run went.
    pub voice: Arc<dyn Voice>,
    /// When a failed run is tried again.
    pub retry: Option<Retry>,
}

impl Clock {
    /// Fires by the schedule, and on demand, until dropped. One run at a time: what another took too long for is
    /// skipped, and one that is due is fired at once.
    pub async fn run(&self, mut asked: mpsc::Receiver<()>) {
        let begun = Timestamp::now();
        let is_monitored = self.timer.is_monitored(begun);
        // Nothing is kept from an earlier run of this host, so nothing is past due.
        let Some(start) = monitor::start(None, &self.timer.schedule, begun) else {
            return;
        };
        let mut status = start.status;
        if self.timer.run_on_startup {
            self.fire(is_monitored.then_some(&status)).await;
            match status.after(begun, false, &self.timer.schedule) {
                Some(after) => status = after,
                None => return,
            }
        }
        loop {
            tokio::select! {
                () = sleep_until(status.next) => {
                    let begun = Timestamp::now();
                    self.fire(is_monitored.then_some(&status)).await;
                    match status.after(begun, true, &self.timer.schedule) {
                        Some(after) => status = after,
                        None => return,
                    }
                }
                // What is asked for leaves the schedule's status alone.
                Some(()) = asked.recv() => self.fire(is_monitored.then_some(&status)).await,
            }
        }
    }

    /// Calls the function, again where its policy says so, and reports how it went.
    async fn fire(&self, status: Option<&Status>) {
        let mut attempt = self.retry.as_ref().map(|retry| Attempt {
            number: 0,
            times: retry.times,
            error: None,
        });
        loop {
            if !self.handler.ready().await {
                return;
            }
            let firing = Firing {
                function: &self.function,
                binding: &self.timer.binding,
                adjust_for_dst: !self.timer.schedule.is_interval(),
                status: status.cloned(),
                attempt: attempt.clone(),
                past_due: false,
                now: Timestamp::now(),
                guid: Uuid::new_v4(),
            };
            let why = match self.send(&firing).await {
                Ok(logs) => return self.voice.ran(&self.function, &logs),
                Err(why) => why,
            };
            self.voice.failed(&self.function, &why);
            let (Some(retry), Some(attempt)) = (&self.retry, &mut attempt) else {
                return;
            };
            let Some(pause) = retry.after(attempt.number) else {
                return;
            };
            tokio::time::sleep(pause).await;
            attempt.number = attempt.number.saturating_add(1);
            attempt.error = Some(why);
        }
    }

    async fn send(&self, firing: &Firing<'_>) -> Result<Vec<String>, String> {
        // A stream has no length, so the body goes out in chunks, as the real host sends it.
        let body = stream::iter([Ok::<_, std::io::Error>(firing.body()?)]);
        let call = self
            .client
            .post(format!("{}/{}", self.handler.base(), self.function))
            .header(VERSION_HEADER, HOST_VERSION)
            .header(INVOCATION_HEADER, Uuid::new_v4().to_string())
            .header(
                http::header::USER_AGENT,
                format!("Azure-Functions-Host/{HOST_VERSION}"),
            )
            .header(
                http::header::CONTENT_TYPE,
                "application/json; charset=utf-8",
            )
            .body(reqwest::Body::wrap_stream(body));
        let answered = async {
            let answer = call.send().await?;
            let status = answer.status().as_u16();
            let kind = answer
                .headers()
                .get(http::header::CONTENT_TYPE)
                .and_then(|value| value.to_str().ok())
                .unwrap_or("application/octet-stream")
                .to_owned();
            Ok::<_, reqwest::Error>((status, kind, answer.bytes().await?))
        };
        match self.in_time(answered).await {
            Ok(Ok((status, kind, body))) => match read_answer(status, Some(&kind), &body) {
                Outcome::Done(answer) => Ok(answer.logs),
                Outcome::Failed(why) => Err(why),
                // Said at once rather than waited for.
                Outcome::Hangs => Err("the handler answered with an empty body: the real host would wait for it until functionTimeout".to_owned()),
            },
            Ok(Err(error)) => Err(format!(
                "the handler did not answer: {}",
                super::proxy::reason(&error)
            )),
            Err(limit) => {
                self.handler.replace();
                Err(format!(
                    "it took longer than functionTimeout ({} s)",
                    limit.as_secs()
                ))
            }
        }
    }

    /// # Errors
    /// The limit, where it is passed.
    async fn in_time<T>(&self, work: impl Future<Output = T>) -> Result<T, Duration> {
        match self.timeout {
            None => Ok(work.await),
            Some(limit) => tokio::time::timeout(limit, work).await.map_err(|_| limit),
        }
    }
}

async fn sleep_until(due: Timestamp) {
    loop {
        let left = due.duration_since(Timestamp::now());
        let Ok(left) = Duration::try_from(left) else {
            return;
        };
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(NAP)).await;
    }
}
