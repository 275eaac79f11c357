//! The handler's process in the host's hands: started without a shell, waited for, restarted, given up, killed.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use understudy::local::child::Errors;
use understudy::local::command;
use understudy::local::function_json::Settings;
use understudy::local::host_json::HostJson;
use uuid::Uuid;

use super::wire::{self, Message};

/// Between two questions whether it answers.
const POLL: Duration = Duration::from_millis(25);
/// "Restart me", and no error.
const RESTART: i32 = 200;

/// How the process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It does not answer yet.
    Starting,
    /// It answers.
    Ready,
    /// It left with 0, or could not be started: nothing is done about it, calls fail.
    Dead(String),
    /// The host has given up and is down.
    HostDown(String),
}

/// What is started.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The script root.
    pub root: PathBuf,
    /// What `host.json` says of it.
    pub host: HostJson,
    /// The whole environment but what the host adds.
    pub settings: Settings,
    /// Where it listens.
    pub port: u16,
}

/// A line that the handler printed.
#[derive(Debug, Clone)]
pub struct Line {
    /// `Information`, `Warning` or `Error`.
    pub level: &'static str,
    /// The line.
    pub text: String,
}

enum Request {
    /// Dies as by a bug of its own.
    Crash,
    /// Killed and replaced, which is no error.
    Replace,
    /// Killed for good.
    Stop,
}

/// A handler and who watches it. The process is killed when this is dropped.
#[derive(Debug)]
pub struct Handler {
    /// Where it listens.
    pub port: u16,
    state: watch::Receiver<State>,
    starts: watch::Receiver<u32>,
    requests: mpsc::UnboundedSender<Request>,
    lines: Arc<Mutex<Vec<Line>>>,
    patience: Duration,
    task: tokio::task::JoinHandle<()>,
}

impl Handler {
    /// Starts it in the background.
    pub fn start(launch: Launch) -> Self {
        let (states, state) = watch::channel(State::Starting);
        let (counter, starts) = watch::channel(0);
        let (requests, inbox) = mpsc::unbounded_channel();
        let lines = Arc::default();
        let (port, patience) = (launch.port, launch.host.initialization_timeout);
        let watcher = Watcher {
            launch,
            states,
            starts: counter,
            inbox,
            lines: Arc::clone(&lines),
            errors: Errors::default(),
        };
        Self {
            port,
            state,
            starts,
            requests,
            lines,
            patience,
            task: tokio::spawn(watcher.run()),
        }
    }

    /// How it is now.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// How often a process was started.
    pub fn starts(&self) -> u32 {
        *self.starts.borrow()
    }

    /// What it printed so far.
    pub fn lines(&self) -> Vec<Line> {
        self.lines.lock().expect("no test panics with it").clone()
    }

    /// Waits as an invocation does.
    ///
    /// # Errors
    /// Why no call can be made.
    pub async fn ready(&self) -> Result<(), String> {
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| *state != State::Starting);
        match tokio::time::timeout(self.patience * 4, settled).await {
            Err(_) => Err("Initialization timed out and host is shutting down".to_owned()),
            Ok(Err(_)) => Err("the host is stopped".to_owned()),
            Ok(Ok(state)) => match &*state {
                // A dead handler's port is called all the same, and refuses.
                State::HostDown(why) => Err(why.clone()),
                _ => Ok(()),
            },
        }
    }

    /// Waits for this.
    pub async fn until(&self, is_so: impl FnMut(&State) -> bool) -> State {
        let mut state = self.state.clone();
        state
            .wait_for(is_so)
            .await
            .expect("the host is there")
            .clone()
    }

    /// Waits until a process was started so often.
    pub async fn started(&self, times: u32) {
        let mut starts = self.starts.clone();
        let _ = starts
            .wait_for(|starts| *starts >= times)
            .await
            .expect("the host is there");
    }

    /// Lets it die by SIGKILL, as when memory is short, and waits until it is gone.
    pub async fn crash(&self) {
        let mut starts = self.starts.clone();
        let before = *starts.borrow_and_update();
        let mut state = self.state.clone();
        let _ = self.requests.send(Request::Crash);
        tokio::select! {
            _ = starts.wait_for(|starts| *starts > before) => {}
            _ = state.wait_for(|state| matches!(state, State::HostDown(_))) => {}
        }
    }

    /// Kills it and has another started: an invocation took too long.
    pub fn replace(&self) {
        let _ = self.requests.send(Request::Replace);
    }

    /// Kills it for good.
    pub async fn stop(mut self) {
        let _ = self.requests.send(Request::Stop);
        let _ = (&mut self.task).await;
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        // The task owns the child, which is killed with it.
        self.task.abort();
    }
}

struct Watcher {
    launch: Launch,
    states: watch::Sender<State>,
    starts: watch::Sender<u32>,
    inbox: mpsc::UnboundedReceiver<Request>,
    lines: Arc<Mutex<Vec<Line>>>,
    errors: Errors,
}

enum End {
    Exited(ExitStatus),
    NeverAnswered,
    Replaced,
    Stopped,
}

impl Watcher {
    async fn run(mut self) {
        loop {
            self.states.send_replace(State::Starting);
            let mut child = match self.spawn() {
                Ok(child) => child,
                Err(why) => {
                    // Only logged: the invocations find out.
                    self.states.send_replace(State::Dead(why));
                    return;
                }
            };
            self.starts.send_modify(|starts| *starts += 1);
            let end = self.live(&mut child).await;
            let _ = child.kill().await;
            let why = match end {
                End::Stopped => return,
                End::Replaced => continue,
                End::Exited(status) if status.code() == Some(RESTART) => continue,
                End::Exited(status) if status.code() == Some(0) => {
                    self.states
                        .send_replace(State::Dead("it left with exit code 0".to_owned()));
                    return;
                }
                End::Exited(status) => status.to_string(),
                End::NeverAnswered => "it never answered".to_owned(),
            };
            if self.errors.add(Instant::now()) {
                self.states.send_replace(State::HostDown(format!(
                    "Exceeded http worker restart retry count. Shutting down Functions Host ({why})"
                )));
                return;
            }
        }
    }

    /// The program and its arguments, and its whole environment.
    fn command(&self) -> (command::CommandLine, Settings) {
        let Launch {
            root,
            host,
            settings,
            port,
        } = &self.launch;
        let mut environment = settings.clone();
        let added = command::variables(root, *port, &Uuid::new_v4().to_string());
        environment.extend(added.map(|(name, value)| (name.to_owned(), value)));
        (command::of(root, host, &environment), environment)
    }

    fn spawn(&self) -> Result<Child, String> {
        let (line, environment) = self.command();
        let mut child = Command::new(&line.program)
            .args(line.arguments)
            .current_dir(line.directory)
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                let program = line.program.display();
                format!("Failed to start Worker Channel. Process fileName: {program}: {error}")
            })?;
        let stdout = child.stdout.take().expect("piped");
        let stderr = child.stderr.take().expect("piped");
        tokio::spawn(keep(stdout, Arc::clone(&self.lines), |_| "Information"));
        let for_errors = self.launch.host.stderr_is_for_errors;
        tokio::spawn(keep(stderr, Arc::clone(&self.lines), move |line| {
            stderr_level(line, for_errors)
        }));
        Ok(child)
    }

    async fn live(&mut self, child: &mut Child) -> End {
        let Self {
            launch,
            states,
            inbox,
            ..
        } = self;
        let mut is_starting = true;
        let answering = answers(launch.port, launch.host.initialization_timeout);
        tokio::pin!(answering);
        loop {
            tokio::select! {
                status = child.wait() => return End::Exited(status.expect("the process is ours")),
                answers = &mut answering, if is_starting => {
                    is_starting = false;
                    if !answers {
                        return End::NeverAnswered;
                    }
                    states.send_replace(State::Ready);
                }
                request = inbox.recv() => match request {
                    Some(Request::Crash) => {
                        // Its end is told by the process itself.
                        let _ = child.start_kill();
                    }
                    Some(Request::Replace) => return End::Replaced,
                    Some(Request::Stop) | None => return End::Stopped,
                },
            }
        }
    }
}

/// What the host takes a line on stderr for; `useStdErrorStreamForErrorsOnly` is on unless `host.json` says otherwise.
pub fn stderr_level(line: &str, is_for_errors: bool) -> &'static str {
    let line = line.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| line.contains(word));
    if says(&["warn"]) {
        "Warning"
    } else if is_for_errors || says(&["error", "fail", "severe", "unhandled exception"]) {
        "Error"
    } else {
        "Information"
    }
}

/// Asks `GET /` until anything answers; false when the naps add up to the limit.
async fn answers(port: u16, patience: Duration) -> bool {
    let question = Message::new("GET", "/").header("Host", &format!("127.0.0.1:{port}"));
    let mut napped = Duration::ZERO;
    while napped < patience {
        match wire::send(port, &question).await {
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {}
            _ => return true,
        }
        tokio::time::sleep(POLL).await;
        napped += POLL;
    }
    false
}

async fn keep(
    from: impl AsyncRead + Unpin,
    lines: Arc<Mutex<Vec<Line>>>,
    level: impl Fn(&str) -> &'static str,
) {
    let mut reader = BufReader::new(from).lines();
    while let Ok(Some(text)) = reader.next_line().await {
        let level = level(&text);
        lines
            .lock()
            .expect("no test panics with it")
            .push(Line { level, text });
    }
}
