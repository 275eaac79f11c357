//! The handler's process in the host's hands: started without a shell, waited for, restarted, given up, killed.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::host_json::{HostJson, Settings};
use super::wire::{self, Message};

/// Between two questions whether it answers.
const POLL: Duration = Duration::from_millis(25);
/// Errors are forgotten when more than this lies between two.
const FORGIVEN_AFTER: Duration = Duration::from_secs(30 * 60);
/// The error that ends the host.
const LAST_ERROR: usize = 3;
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
    /// The program, resolved.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Where it runs.
    pub directory: PathBuf,
    /// The whole environment but what is new with each start.
    pub settings: Settings,
    /// Where it listens.
    pub port: u16,
    /// How long it may take to answer.
    pub patience: Duration,
}

impl Launch {
    /// What this host starts for this script root.
    pub fn new(root: &Path, host: &HostJson, settings: &Settings, port: u16) -> Self {
        let below = |folder: &Option<String>| match folder {
            Some(folder) => root.join(folder),
            None => root.to_owned(),
        };
        let mut settings = settings.clone();
        settings.insert("FUNCTIONS_CUSTOMHANDLER_PORT".to_owned(), port.to_string());
        settings.insert("FUNCTIONS_HTTPWORKER_PORT".to_owned(), port.to_string());
        settings.insert(
            "FUNCTIONS_APP_ROOT_PATH".to_owned(),
            root.to_string_lossy().into_owned(),
        );
        let executable = expand(&host.executable, &settings);
        let joined = below(&host.worker_directory).join(&executable);
        Self {
            // Used only if it is there; else it is looked up on PATH.
            program: if joined.is_file() {
                joined
            } else {
                PathBuf::from(executable)
            },
            arguments: split(&expand(&host.arguments, &settings)),
            directory: below(&host.working_directory),
            settings,
            port,
            patience: host.initialization_timeout,
        }
    }
}

/// `%NAME%` from the environment; what is not set goes.
fn expand(text: &str, settings: &Settings) -> String {
    let parts: Vec<&str> = text.split('%').collect();
    if parts.len().is_multiple_of(2) {
        return text.to_owned();
    }
    let part = |(index, part): (usize, &&str)| {
        if index % 2 == 0 {
            (*part).to_owned()
        } else {
            settings.get(*part).cloned().unwrap_or_default()
        }
    };
    parts.iter().enumerate().map(part).collect()
}

/// Words at spaces; double quotes group, single ones do not.
pub fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            ' ' if !is_quoted => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
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
        let (port, patience) = (launch.port, launch.patience);
        let watcher = Watcher {
            launch,
            states,
            starts: counter,
            inbox,
            lines: Arc::clone(&lines),
            errors: Vec::new(),
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
    errors: Vec<Instant>,
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
                Err(error) => {
                    // Only logged: the invocations find out.
                    let program = self.launch.program.display();
                    self.states.send_replace(State::Dead(format!(
                        "Failed to start Worker Channel. Process fileName: {program}: {error}"
                    )));
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
            if self.is_last(Instant::now()) {
                self.states.send_replace(State::HostDown(format!(
                    "Exceeded http worker restart retry count. Shutting down Functions Host ({why})"
                )));
                return;
            }
        }
    }

    fn is_last(&mut self, now: Instant) -> bool {
        let is_old = |last: &Instant| now.duration_since(*last) > FORGIVEN_AFTER;
        if self.errors.last().is_some_and(is_old) {
            self.errors.clear();
        }
        self.errors.push(now);
        self.errors.len() >= LAST_ERROR
    }

    fn spawn(&self) -> std::io::Result<Child> {
        let id = Uuid::new_v4().to_string();
        let mut child = Command::new(&self.launch.program)
            .args(&self.launch.arguments)
            .current_dir(&self.launch.directory)
            .env_clear()
            .envs(&self.launch.settings)
            .env("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", &id)
            .env("FUNCTIONS_HTTPWORKER_ID", &id)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().expect("piped");
        let stderr = child.stderr.take().expect("piped");
        tokio::spawn(keep(stdout, Arc::clone(&self.lines), |_| "Information"));
        tokio::spawn(keep(stderr, Arc::clone(&self.lines), |line| {
            if line.to_ascii_lowercase().contains("warn") {
                "Warning"
            } else {
                "Error"
            }
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
        let answering = answers(launch.port, launch.patience);
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
