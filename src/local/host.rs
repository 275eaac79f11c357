//! The local host put together: functions loaded, handler started, timers and HTTP side running.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::child::{Handler, Launch};
use super::front::{ENVELOPED, Front};
use super::function_json::{self, Function, HttpTrigger, Loaded, Source, Timer, Trigger};
use super::host_json::{HostJson, HttpMode};
use super::timer::Clock;
use super::voice::Voice;
use super::wire;

/// What is to be run. The settings may be secrets, so `Debug` tells only their names.
#[derive(Clone)]
pub struct Plan {
    /// `host.json`, read.
    pub host: HostJson,
    /// The function folders.
    pub functions: Vec<Source>,
    /// The handler's program.
    pub program: PathBuf,
    /// The script root.
    pub directory: PathBuf,
    /// The handler's whole environment: the app settings.
    pub settings: BTreeMap<String, String>,
}

impl fmt::Debug for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Plan")
            .field("functions", &self.functions)
            .field("program", &self.program)
            .field("directory", &self.directory)
            .field("settings", &self.settings.keys())
            .finish_non_exhaustive()
    }
}

/// A function as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// What starts it: methods and URL, or the timer.
    pub how: String,
}

/// A running host. Dropping it ends everything.
pub struct Host {
    /// Where the HTTP functions are.
    pub address: SocketAddr,
    /// The functions that were loaded.
    pub functions: Vec<Shown>,
    handler: Handler,
    tasks: JoinSet<()>,
}

/// Takes the port of the HTTP functions.
///
/// # Errors
/// A line that says what to do when it is taken.
pub async fn bind(port: u16) -> Result<TcpListener, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!("port {port} is in use, perhaps by another local run: end that one, or choose another port with --port")
        }
        _ => format!("port {port} cannot be listened on: {error}; choose another with --port"),
    })
}

impl Host {
    /// Loads the functions, starts the handler, the timers and the HTTP side.
    ///
    /// # Errors
    /// A line for people, when nothing can be run. One bad function does not stop the others: the voice tells.
    pub fn start(plan: Plan, listener: TcpListener, voice: Arc<dyn Voice>) -> Result<Self, String> {
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        for warning in &plan.host.warnings {
            voice.happened(warning);
        }
        match plan.host.http_mode {
            HttpMode::Proxying => {}
            HttpMode::Forwarding => voice.happened(
                "host.json asks for the older forwarding; requests are proxied here. Set customHandler.enableProxyingHttpRequest to true",
            ),
            HttpMode::Envelope => {
                return Err("host.json: set customHandler.enableProxyingHttpRequest to true; HTTP functions cannot be reached otherwise".to_owned());
            }
        }
        let loaded = load(&plan, voice.as_ref())?;
        let handler = Handler::start(
            Launch {
                port: plan.host.handler_port()?,
                program: plan.program,
                root: plan.directory,
                environment: plan.settings,
                host: plan.host.clone(),
            },
            Arc::clone(&voice),
        );
        let mut tasks = JoinSet::new();
        let mut front = Front {
            routes: loaded.routes,
            handler: handler.grip(),
            client: wire::client(),
            timeout: plan.host.function_timeout,
            timers: BTreeMap::new(),
            enveloped: loaded
                .functions
                .iter()
                .filter(|function| is_enveloped(function))
                .map(|function| function.name.clone())
                .collect(),
            voice: Arc::clone(&voice),
        };
        let functions = loaded
            .functions
            .into_iter()
            .map(|function| Shown {
                how: match &function.trigger {
                    Trigger::Http(http) => shown(http, &plan.host.route_prefix, address),
                    Trigger::Timer(timer) => {
                        start_clock(&function, timer, &mut front, &mut tasks);
                        format!("timer {}", timer.schedule)
                    }
                },
                name: function.name,
            })
            .collect();
        let service = front
            .router()
            .into_make_service_with_connect_info::<SocketAddr>();
        tasks.spawn(async move {
            // The listener is ours; accepting goes on until the task is dropped.
            let _ = axum::serve(listener, service).await;
        });
        Ok(Self {
            address,
            functions,
            handler,
            tasks,
        })
    }

    /// Waits until the host must end because of its handler.
    ///
    /// # Errors
    /// Why, in a line for people.
    pub async fn ended(&mut self) -> Result<(), String> {
        self.handler.ended().await
    }

    /// Ends timers and HTTP side, then the handler, and waits for its end.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        self.handler.stop().await;
    }
}

/// Loads what the host would, and tells of what it would not.
fn load(plan: &Plan, voice: &dyn Voice) -> Result<Loaded, String> {
    let loaded = function_json::load(&plan.functions, &plan.host, &plan.settings)?;
    for name in &loaded.disabled {
        voice.happened(&format!("{name} is disabled"));
    }
    for (name, why) in &loaded.errors {
        voice.failed(name, &format!("it is not loaded: {why}"));
    }
    for function in loaded
        .functions
        .iter()
        .filter(|function| is_enveloped(function))
    {
        voice.failed(&function.name, ENVELOPED);
    }
    if loaded.functions.is_empty() {
        return Err("no function could be loaded".to_owned());
    }
    Ok(loaded)
}

fn is_enveloped(function: &Function) -> bool {
    matches!(&function.trigger, Trigger::Http(http) if !http.is_pure)
}

fn shown(http: &HttpTrigger, prefix: &str, address: SocketAddr) -> String {
    let methods = if http.methods.is_empty() {
        "any method".to_owned()
    } else {
        http.methods.join(",")
    };
    let prefix = match prefix {
        "" => String::new(),
        prefix => format!("/{prefix}"),
    };
    format!("[{methods}] http://{address}{prefix}/{}", http.route)
}

fn start_clock(function: &Function, timer: &Timer, front: &mut Front, tasks: &mut JoinSet<()>) {
    let (ask, asked) = mpsc::channel(1);
    front.timers.insert(function.name.clone(), ask);
    let clock = Clock {
        function: function.name.clone(),
        timer: timer.clone(),
        retry: function.retry.clone(),
        handler: front.handler.clone(),
        client: front.client.clone(),
        timeout: front.timeout,
        voice: Arc::clone(&front.voice),
    };
    tasks.spawn(async move { clock.run(asked).await });
}
