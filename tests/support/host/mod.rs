//! A strict stand-in for the Functions host, to be trusted with a packaged folder: it reads what the host reads,
//! refuses what the host refuses, and calls the handler as the host calls it, the nasty ways included.
//!
//! What it reads, and what it makes of an answer, are the parts of `understudy::local`, which have tests of their own.
//!
//! | looking for | file |
//! | --- | --- |
//! | `host.json`, `function.json`, routes, schedules, command lines | `src/local` |
//! | which function a request reaches, who may, the admin's doors | `inner` |
//! | timers: their stored past, retries | `clock` |
//! | the platform's front end, and a port to call | `front` |
//! | the handler's process | `process` |
//! | the ways of passing a request on | `pass` |
//! | the envelope's odd forms, requests in it, and what outputs become | `envelope` |
//! | bytes on the wire | `wire` |

pub mod clock;
pub mod envelope;
pub mod front;
mod inner;
pub mod pass;
pub mod process;
pub mod wire;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use understudy::local::function_json::{self, Settings, Trigger};
use understudy::local::host_json;
pub use understudy::local::host_json::HttpMode as Mode;
use uuid::Uuid;

use clock::{Clocks, Ran};
use envelope::Past;
use inner::{Inner, group};
use process::{Handler, Launch, Line, State};
use wire::{Message, Payload, Reply};

/// Which functions share a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Split {
    /// All: one instance, as on a plan without per-function scaling.
    #[default]
    Together,
    /// All HTTP functions share one, each timer has its own: Flex Consumption.
    Flex,
}

/// Keys of the app.
#[derive(Debug, Clone)]
pub struct Keys {
    /// `_master`.
    pub master: String,
    /// The host key.
    pub host: String,
    /// Function keys by function.
    pub functions: BTreeMap<String, String>,
}

impl Default for Keys {
    fn default() -> Self {
        let key = || Uuid::new_v4().simple().to_string();
        Self {
            master: key(),
            host: key(),
            functions: BTreeMap::new(),
        }
    }
}

/// How the host runs.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// App settings, beside what the platform sets.
    pub settings: Settings,
    /// Another mode than `host.json`'s, chosen as in Azure by app settings.
    pub mode: Option<Mode>,
    /// Which functions share a process.
    pub split: Split,
    /// Another `functionTimeout`, in whole seconds.
    pub function_timeout: Option<Duration>,
    /// Whether envelopes go out in chunks, as in Azure; else with a length, as under the developer's tools.
    pub chunked: bool,
    /// Whether the older mode loses what it loses in the field; else the platform before the host has made up for it.
    pub strict_forwarding: bool,
    /// Whether timers fire by their schedule; else only on demand.
    pub clock: bool,
    /// The folder where the status of monitored timers is kept, as in the app's storage; none is an app without storage,
    /// in which their listeners do not start.
    pub statuses: Option<PathBuf>,
    /// The app's keys.
    pub keys: Keys,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            settings: Settings::new(),
            mode: None,
            split: Split::Together,
            function_timeout: None,
            chunked: true,
            strict_forwarding: true,
            clock: false,
            statuses: None,
            keys: Keys::default(),
        }
    }
}

impl HostOptions {
    /// Sets an app setting.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    fn all_settings(&self, root: &Path) -> Settings {
        let mut all: Settings = [
            ("FUNCTIONS_EXTENSION_VERSION", "~4"),
            ("FUNCTIONS_WORKER_RUNTIME", "custom"),
            ("HOME", "/home"),
            (
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ),
            ("TZ", "UTC"),
            ("WEBSITE_HOSTNAME", "app.azurewebsites.net"),
            ("WEBSITE_SITE_NAME", "app"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        all.insert(
            "AzureWebJobsScriptRoot".to_owned(),
            root.to_string_lossy().into_owned(),
        );
        if let Some(mode) = self.mode {
            for (name, is_on) in [
                ("enableProxyingHttpRequest", mode == Mode::Proxying),
                ("enableForwardingHttpRequest", mode == Mode::Forwarding),
            ] {
                all.insert(
                    format!("AzureFunctionsJobHost__customHandler__{name}"),
                    is_on.to_string(),
                );
            }
        }
        if let Some(limit) = self.function_timeout {
            let (minutes, seconds) = (limit.as_secs() / 60, limit.as_secs() % 60);
            all.insert(
                "AzureFunctionsJobHost__functionTimeout".to_owned(),
                format!("00:{minutes:02}:{seconds:02}"),
            );
        }
        all.extend(self.settings.clone());
        all
    }
}

/// How a timer's run ended.
pub type Run = Result<Vec<String>, String>;

/// A running host. Everything ends when it is dropped.
pub struct Host {
    inner: Arc<Inner>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    silent: BTreeMap<String, String>,
}

impl Host {
    /// Starts the host over a packaged folder. The handlers start in the background.
    ///
    /// # Errors
    /// What the host refuses to start with.
    pub async fn start(root: &Path, options: HostOptions) -> Result<Self, String> {
        let root = std::fs::canonicalize(root).map_err(|error| error.to_string())?;
        let settings = options.all_settings(&root);
        let text = std::fs::read_to_string(root.join("host.json"))
            .map_err(|error| format!("host.json: {error}"))?;
        let json = host_json::read(&text, &settings)?;
        let sources = function_json::find_in(&root)?;
        let loaded = function_json::load(&sources, &json, &settings)?;
        let mut handlers = BTreeMap::new();
        for function in &loaded.functions {
            if let Entry::Vacant(place) = handlers.entry(group(function, options.split)) {
                let launch = Launch {
                    root: root.clone(),
                    port: json.handler_port()?,
                    host: json.clone(),
                    settings: settings.clone(),
                };
                place.insert(Handler::start(launch));
            }
        }
        let clocks = Clocks::new(&loaded.functions, options.statuses.clone());
        let inner = Arc::new(Inner {
            root,
            json,
            loaded,
            options,
            handlers,
            clocks,
        });
        let mut host = Self {
            inner,
            tasks: Vec::new(),
            silent: BTreeMap::new(),
        };
        if host.inner.options.clock {
            host.listen_to_clocks();
        }
        Ok(host)
    }

    fn listen_to_clocks(&mut self) {
        for function in &self.inner.loaded.functions {
            let Trigger::Timer(timer) = &function.trigger else {
                continue;
            };
            let folder = self.inner.options.statuses.as_ref();
            if let Some(why) = clock::refused(timer, folder) {
                self.silent.insert(function.name.clone(), why);
                continue;
            }
            let inner = Arc::clone(&self.inner);
            let listening = clock::listen(inner, function.clone(), timer.clone());
            self.tasks.push(tokio::spawn(listening));
        }
    }

    /// Why the listeners of timers did not start, by function.
    pub fn silent(&self) -> &BTreeMap<String, String> {
        &self.silent
    }

    /// The functions that are loaded, in the order in which their routes are tried.
    pub fn functions(&self) -> Vec<&str> {
        self.inner
            .loaded
            .functions
            .iter()
            .map(|function| function.name.as_str())
            .collect()
    }

    /// Why the others are not.
    pub fn errors(&self) -> &BTreeMap<String, String> {
        &self.inner.loaded.errors
    }

    /// The script root.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// The app's keys.
    pub fn keys(&self) -> &Keys {
        &self.inner.options.keys
    }

    /// A caller's GET with the host key.
    pub async fn get(&self, target: &str) -> Reply {
        self.call(self.keyed("GET", target)).await
    }

    /// A caller's POST of JSON with the host key.
    pub async fn post(&self, target: &str, body: &str) -> Reply {
        let request = self
            .keyed("POST", target)
            .header("Content-Type", "application/json")
            .body(Payload::Sized(body.as_bytes().to_vec()));
        self.call(request).await
    }

    /// A request as a caller sends it, with the host key.
    pub fn keyed(&self, method: &str, target: &str) -> Message {
        Message::new(method, target)
            .header("Host", "app.azurewebsites.net")
            .header("x-functions-key", &self.keys().host)
    }

    /// Any request from outside.
    pub async fn call(&self, request: Message) -> Reply {
        front::Serve::serve(&*self.inner, request).await
    }

    /// Opens a port for clients that want an address; gives that, without a slash at the end.
    pub async fn listen(&mut self) -> String {
        let (base, task) = front::listen(Arc::clone(&self.inner)).await;
        self.tasks.push(task);
        base
    }

    /// Fires a timer.
    pub async fn fire(&self, function: &str) -> Run {
        self.fire_with(function, Past::Unmonitored).await
    }

    /// Fires a timer with this past.
    pub async fn fire_with(&self, function: &str, past: Past) -> Run {
        self.inner.fire(function, &past).await
    }

    /// Waits until timers' functions were called so often, and gives all those calls.
    pub async fn ran(&self, times: usize) -> Vec<Ran> {
        self.inner.clocks.ran(times).await
    }

    /// Kills the process that runs this function, as a crash does; it is restarted unless that was once too often.
    pub async fn kill_handler(&self, function: &str) {
        self.handler(function).crash().await;
    }

    /// The state of the process that runs this function.
    pub fn state(&self, function: &str) -> State {
        self.handler(function).state()
    }

    /// Waits for a state of the process that runs this function.
    pub async fn until(&self, function: &str, is_so: impl FnMut(&State) -> bool) -> State {
        self.handler(function).until(is_so).await
    }

    /// How often a process was started for this function.
    pub fn starts(&self, function: &str) -> u32 {
        self.handler(function).starts()
    }

    /// Waits until a process was started so often for this function, and answers.
    pub async fn started(&self, function: &str, times: u32) {
        self.handler(function).started(times).await;
        self.until(function, |state| *state != State::Starting)
            .await;
    }

    /// What the process that runs this function printed.
    pub fn lines(&self, function: &str) -> Vec<Line> {
        self.handler(function).lines()
    }

    /// The port of the process that runs this function.
    pub fn port(&self, function: &str) -> u16 {
        self.handler(function).port
    }

    /// Ends the host: its handlers are killed without a word.
    pub async fn stop(mut self) {
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            let _ = task.await;
        }
        let inner = Arc::clone(&self.inner);
        drop(self);
        if let Some(inner) = Arc::into_inner(inner) {
            for handler in inner.handlers.into_values() {
                handler.stop().await;
            }
        }
    }

    fn handler(&self, function: &str) -> &Handler {
        self.inner
            .handler(function)
            .expect("a function that is loaded")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}
