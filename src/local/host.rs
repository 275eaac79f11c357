//! The local host put together: functions loaded, handler started, timers and HTTP side running.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::child::{Handler, Launch};
use super::front::Front;
use super::function_json::{self, Function, Source, Trigger};
use super::host_json::{HostJson, HttpMode};
use super::route::RouteTable;
use super::timer::Clock;
use super::voice::Voice;
use super::wire;

/// What is to be run.
#[derive(Debug, Clone)]
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

/// A function as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
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
    pub functions: Vec<Loaded>,
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

/// A port that is free now. The real host, too, finds the handler's port like this.
///
/// # Errors
/// When the machine has none.
pub fn free_port() -> Result<u16, String> {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port for the handler: {error}"))
}

impl Host {
    /// Loads the functions, starts the handler, the timers and the HTTP side.
    ///
    /// # Errors
    /// A line for people, when nothing can be run. One bad function does not stop the others: the voice tells.
    pub fn start(plan: Plan, listener: TcpListener, voice: Arc<dyn Voice>) -> Result<Self, String> {
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        match plan.host.http_mode {
            HttpMode::Proxying => {}
            HttpMode::Forwarding => voice.happened(
                "host.json asks for the older forwarding; requests are proxied here. Set customHandler.enableProxyingHttpRequest to true",
            ),
            HttpMode::Envelope => {
                return Err("host.json: set customHandler.enableProxyingHttpRequest to true; HTTP functions cannot be reached otherwise".to_owned());
            }
        }
        let functions = load(&plan, voice.as_ref());
        if functions.is_empty() {
            return Err("no function could be loaded".to_owned());
        }
        let handler = Handler::start(
            Launch {
                program: plan.program.clone(),
                arguments: plan.host.arguments.clone(),
                directory: plan.directory.clone(),
                environment: plan.settings.clone(),
                port: free_port()?,
                patience: plan.host.initialization_timeout,
            },
            Arc::clone(&voice),
        );
        let client = wire::client();
        let mut tasks = JoinSet::new();
        let mut front = Front {
            routes: RouteTable::new(),
            handler: handler.grip(),
            client: client.clone(),
            timeout: plan.host.function_timeout,
            timers: BTreeMap::new(),
            voice: Arc::clone(&voice),
        };
        let mut loaded = Vec::new();
        for function in functions {
            match add(&function, &plan, &mut front, &mut tasks) {
                Ok(how) => loaded.push(Loaded {
                    name: function.name,
                    how: how.replace("{address}", &address.to_string()),
                }),
                Err(why) => voice.failed(&function.name, &why),
            }
        }
        let service = front
            .router()
            .into_make_service_with_connect_info::<SocketAddr>();
        tasks.spawn(async move {
            // The listener is ours; accepting goes on until the task is dropped.
            let _ = axum::serve(listener, service).await;
        });
        Ok(Self {
            address,
            functions: loaded,
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

fn load(plan: &Plan, voice: &dyn Voice) -> Vec<Function> {
    let allowed = |name: &str| {
        plan.host.allowed.as_ref().is_none_or(|allowed| {
            allowed
                .iter()
                .any(|listed| listed.eq_ignore_ascii_case(name))
        })
    };
    let mut functions = Vec::new();
    for source in plan.functions.iter().filter(|source| allowed(&source.name)) {
        match function_json::read(source, &plan.settings) {
            Ok(Some(function)) => functions.push(function),
            Ok(None) => voice.happened(&format!("{} is disabled", source.name)),
            Err(why) => voice.failed(&source.name, &why),
        }
    }
    functions
}

/// Puts one function in its place and says how it is started.
fn add(
    function: &Function,
    plan: &Plan,
    front: &mut Front,
    tasks: &mut JoinSet<()>,
) -> Result<String, String> {
    match &function.trigger {
        Trigger::Http(http) => {
            front.routes.add(
                &function.name,
                &plan.host.route_prefix,
                &http.route,
                &http.methods,
            )?;
            let methods = if http.methods.is_empty() {
                "any method".to_owned()
            } else {
                http.methods.join(",")
            };
            let prefix = match plan.host.route_prefix.as_str() {
                "" => String::new(),
                prefix => format!("/{prefix}"),
            };
            Ok(format!(
                "[{methods}] http://{{address}}{prefix}/{}",
                http.route
            ))
        }
        Trigger::Timer(timer) => {
            let (ask, asked) = mpsc::channel(1);
            front.timers.insert(function.name.clone(), ask);
            let clock = Clock {
                function: function.name.clone(),
                timer: timer.clone(),
                handler: front.handler.clone(),
                client: front.client.clone(),
                timeout: front.timeout,
                voice: Arc::clone(&front.voice),
                last: Mutex::new(None),
            };
            tasks.spawn(async move { clock.run(asked).await });
            Ok(format!("timer {}", timer.schedule))
        }
    }
}
