//! Fires one timer by its schedule: never two at a time, in the host's envelope.

use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use jiff::Timestamp;
use tokio::sync::{Mutex, mpsc};
use uuid::Uuid;

use super::child::Grip;
use super::envelope::{Firing, Status, read_answer};
use super::function_json::Timer;
use super::proxy::{HOST_VERSION, INVOCATION_HEADER, VERSION_HEADER};
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
    /// After this the handler is killed.
    pub timeout: Duration,
    /// Who is told how a run went.
    pub voice: Arc<dyn Voice>,
    /// When it ran last; held while it runs, so that no two runs overlap.
    pub last: Mutex<Option<Timestamp>>,
}

impl Clock {
    /// Fires by the schedule, and on demand, until dropped.
    pub async fn run(&self, mut asked: mpsc::Receiver<()>) {
        let mut begun = Timestamp::now();
        if self.timer.run_on_startup {
            self.fire(begun).await;
        }
        loop {
            // Counted from the start of the last run: what it took too long for is skipped, and one that is due is fired at once.
            let Some(due) = self.timer.schedule.next_after(begun) else {
                return;
            };
            tokio::select! {
                () = sleep_until(due) => {
                    begun = Timestamp::now();
                    self.fire(due).await;
                }
                Some(()) = asked.recv() => self.fire(due).await,
            }
        }
    }

    /// Calls the function once and reports how it went.
    async fn fire(&self, due: Timestamp) {
        let mut last = self.last.lock().await;
        let now = Timestamp::now();
        let monitored = self.timer.use_monitor && self.timer.schedule.can_be_monitored();
        let firing = Firing {
            function: &self.function,
            binding: &self.timer.binding,
            adjust_for_dst: !self.timer.schedule.is_interval(),
            status: monitored.then_some(Status {
                last: *last,
                next: due,
            }),
            past_due: false,
            now,
            guid: Uuid::new_v4(),
        };
        if !self.handler.ready().await {
            return;
        }
        match self.send(&firing).await {
            Ok(logs) => self.voice.ran(&self.function, &logs),
            Err(why) => self.voice.failed(&self.function, &why),
        }
        *last = Some(now);
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
        match tokio::time::timeout(self.timeout, answered).await {
            Ok(Ok((status, kind, body))) => read_answer(status, &kind, &body),
            Ok(Err(error)) => Err(format!(
                "the handler did not answer: {}",
                super::proxy::reason(&error)
            )),
            Err(_) => {
                self.handler.replace();
                Err(format!(
                    "it took longer than functionTimeout ({} s)",
                    self.timeout.as_secs()
                ))
            }
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
