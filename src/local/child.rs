//! The handler as a child process: started, waited for, restarted or given up as the real host does.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::command;
use super::host_json::HostJson;
use super::voice::Voice;

/// The host forgets errors once this much time lies between two.
const FORGIVEN_AFTER: Duration = Duration::from_secs(30 * 60);

/// The error that ends the host.
const LAST_ERROR: u32 = 3;

/// Between two questions whether the handler answers yet.
const POLL: Duration = Duration::from_millis(25);

/// An exit code that asks for a restart and is no error.
const RESTART_WANTED: i32 = 200;

/// Time for Ctrl-C, which reaches the handler as well, to reach us before its end is called a crash.
const GRACE: Duration = Duration::from_millis(200);

/// What is started, and how. The environment may hold secrets, so `Debug` tells only its names.
#[derive(Clone)]
pub struct Launch {
    /// The program, whatever `host.json` names for Azure.
    pub program: PathBuf,
    /// Where its arguments and its working directory come from, and how long it may take to answer first.
    pub host: HostJson,
    /// The script root.
    pub root: PathBuf,
    /// The whole environment that it gets, apart from what the host adds.
    pub environment: BTreeMap<String, String>,
    /// The port that it must listen on.
    pub port: u16,
}

impl fmt::Debug for Launch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Launch")
            .field("program", &self.program)
            .field("root", &self.root)
            .field("environment", &self.environment.keys())
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// Whether requests can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not yet: the process does not answer so far.
    Starting,
    /// It answers.
    Ready,
    /// It left with exit code 0 and is not restarted.
    Left,
}

/// A supervised handler. Dropping it ends the process.
#[derive(Debug)]
pub struct Handler {
    port: u16,
    state: watch::Receiver<State>,
    replace: Arc<Notify>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), String>>,
}

impl Handler {
    /// Starts the process and keeps it running.
    #[must_use]
    pub fn start(launch: Launch, voice: Arc<dyn Voice>) -> Self {
        let (sender, state) = watch::channel(State::Starting);
        let replace = Arc::new(Notify::new());
        let stop = CancellationToken::new();
        let port = launch.port;
        let supervisor = Supervisor {
            launch,
            voice,
            state: sender,
            replace: Arc::clone(&replace),
            stop: stop.clone(),
            client: super::wire::client(),
            errors: Errors::default(),
        };
        Self {
            port,
            state,
            replace,
            stop,
            task: tokio::spawn(supervisor.run()),
        }
    }

    /// The port on which it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A way to wait for it and to have it replaced, for those that send requests.
    #[must_use]
    pub fn grip(&self) -> Grip {
        Grip {
            port: self.port,
            state: self.state.clone(),
            replace: Arc::clone(&self.replace),
        }
    }

    /// Waits until the host must end: the handler failed three times within half an hour, or cannot be started.
    ///
    /// # Errors
    /// Why.
    pub async fn ended(&mut self) -> Result<(), String> {
        match (&mut self.task).await {
            Ok(result) => result,
            Err(error) => Err(format!("the handler's supervisor failed: {error}")),
        }
    }

    /// Kills the process and waits for its end.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        // The task owns the child, and a child that is dropped is killed.
        self.stop.cancel();
        self.task.abort();
    }
}

/// What a sender of requests holds of the handler.
#[derive(Debug, Clone)]
pub struct Grip {
    port: u16,
    state: watch::Receiver<State>,
    replace: Arc<Notify>,
}

impl Grip {
    /// `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port on which the handler listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until requests can be sent; false when the handler is gone for good.
    pub async fn ready(&self) -> bool {
        self.state
            .clone()
            .wait_for(|state| *state != State::Starting)
            .await
            .is_ok()
    }

    /// Has the process killed and replaced, as the host does when a function takes longer than its timeout.
    pub fn replace(&self) {
        self.replace.notify_one();
    }
}

/// The host's count of errors: it starts again when half an hour passed since the last.
#[derive(Debug, Default)]
pub struct Errors {
    count: u32,
    last: Option<Instant>,
}

impl Errors {
    /// Counts one; true when it is one too many.
    pub fn add(&mut self, at: Instant) -> bool {
        let forgiven = self
            .last
            .is_some_and(|last| at.duration_since(last) > FORGIVEN_AFTER);
        self.count = if forgiven { 1 } else { self.count + 1 };
        self.last = Some(at);
        self.count >= LAST_ERROR
    }
}

/// Why a process is no longer there.
enum End {
    Stopped,
    Replaced,
    NeverAnswered,
    Exited(Option<ExitStatus>),
}

struct Supervisor {
    launch: Launch,
    voice: Arc<dyn Voice>,
    state: watch::Sender<State>,
    replace: Arc<Notify>,
    stop: CancellationToken,
    client: reqwest::Client,
    errors: Errors,
}

impl Supervisor {
    async fn run(mut self) -> Result<(), String> {
        loop {
            self.state.send_replace(State::Starting);
            let (mut child, copying) = self.spawn()?;
            let end = self.watch(&mut child).await;
            let _ = child.kill().await;
            // Its last words come before what is said of its end; a process that it left behind may hold the pipe.
            let _ = tokio::time::timeout(GRACE, copying.join_all()).await;
            let why = match end {
                End::Stopped => return Ok(()),
                End::Replaced => {
                    self.voice.happened("a function took longer than functionTimeout: the handler was killed and is started again");
                    continue;
                }
                End::Exited(Some(status)) if status.code() == Some(RESTART_WANTED) => {
                    self.voice
                        .happened("the handler asked for a restart (exit code 200)");
                    continue;
                }
                End::Exited(Some(status)) if status.success() => {
                    self.state.send_replace(State::Left);
                    self.voice.happened(
                        "the handler left with exit code 0: like the real host, this one does not start it again; requests now fail (Ctrl-C ends)",
                    );
                    self.stop.cancelled().await;
                    return Ok(());
                }
                End::Exited(Some(status)) => format!("the handler ended with {status}"),
                End::Exited(None) => "the handler is gone".to_owned(),
                End::NeverAnswered => {
                    format!(
                        "the handler did not answer GET / within {} s",
                        self.launch.host.initialization_timeout.as_secs()
                    )
                }
            };
            if self.errors.add(Instant::now()) {
                return Err(format!(
                    "{why}: the third error within 30 minutes, so the host ends, as the real one does. What the handler said last is above"
                ));
            }
            self.voice.happened(&format!("{why}: starting it again"));
        }
    }

    fn spawn(&self) -> Result<(Child, JoinSet<()>), String> {
        let Launch {
            program,
            host,
            root,
            environment,
            port,
        } = &self.launch;
        let mut environment = environment.clone();
        let added = command::variables(root, *port, &Uuid::new_v4().to_string());
        environment.extend(added.map(|(name, value)| (name.to_owned(), value)));
        let line = command::of(root, host, &environment);
        let mut child = Command::new(program)
            .args(line.arguments)
            .current_dir(line.directory)
            .env_clear()
            .envs(environment)
            .env(super::leash::VARIABLE, "stdin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                format!(
                    "the handler {} cannot be started: {error}",
                    program.display()
                )
            })?;
        let mut copying = JoinSet::new();
        if let Some(out) = child.stdout.take() {
            copying.spawn(copy_lines(out, Arc::clone(&self.voice)));
        }
        if let Some(err) = child.stderr.take() {
            copying.spawn(copy_lines(err, Arc::clone(&self.voice)));
        }
        Ok((child, copying))
    }

    async fn watch(&self, child: &mut Child) -> End {
        // `wait` closes the child's stdin, which is its leash: it is kept here until the end.
        let _leash = child.stdin.take();
        tokio::select! {
            biased;
            () = self.stop.cancelled() => End::Stopped,
            () = self.replace.notified() => End::Replaced,
            status = child.wait() => self.exited(status.ok()).await,
            answered = self.until_ready() => {
                if !answered {
                    return End::NeverAnswered;
                }
                self.state.send_replace(State::Ready);
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => End::Stopped,
                    () = self.replace.notified() => End::Replaced,
                    status = child.wait() => self.exited(status.ok()).await,
                }
            }
        }
    }

    async fn exited(&self, status: Option<ExitStatus>) -> End {
        self.state.send_replace(State::Starting);
        let by_signal = status.is_some_and(|status| status.code().is_none());
        if by_signal
            && tokio::time::timeout(GRACE, self.stop.cancelled())
                .await
                .is_ok()
        {
            return End::Stopped;
        }
        End::Exited(status)
    }

    /// Asks `GET /` until any answer comes; false once the patience is used up.
    async fn until_ready(&self) -> bool {
        let url = format!("http://127.0.0.1:{}/", self.launch.port);
        let asking = async {
            loop {
                match self.client.get(&url).send().await {
                    Err(error) if error.is_connect() => tokio::time::sleep(POLL).await,
                    // Any answer at all will do, and the host takes any other failure for one.
                    Ok(_) | Err(_) => return,
                }
            }
        };
        tokio::time::timeout(self.launch.host.initialization_timeout, asking)
            .await
            .is_ok()
    }
}

async fn copy_lines(stream: impl AsyncRead + Unpin + Send, voice: Arc<dyn Voice>) {
    let mut lines = BufReader::new(stream).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        voice.printed(String::from_utf8_lossy(&line).trim_end_matches('\r'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_error_within_half_an_hour_ends_the_host() {
        let start = Instant::now();
        let minutes = |count: u64| start + Duration::from_secs(count * 60);
        let mut errors = Errors::default();
        assert!(!errors.add(minutes(0)));
        assert!(!errors.add(minutes(29)));
        // 58 minutes after the first, but 29 after the last.
        assert!(errors.add(minutes(58)));
    }

    #[test]
    fn an_error_half_an_hour_later_is_the_first_again() {
        let start = Instant::now();
        let minutes = |count: u64| start + Duration::from_secs(count * 60);
        let mut errors = Errors::default();
        assert!(!errors.add(minutes(0)));
        assert!(!errors.add(minutes(1)));
        assert!(!errors.add(minutes(32)));
        assert!(!errors.add(minutes(33)));
        assert!(errors.add(minutes(34)));
    }
}
