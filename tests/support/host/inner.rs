//! What the host does with a request and with a timer: which function, who may, how it is called, for how long.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::envelope::{self, Outcome, Past};
use super::function_json::{Function, Http, Level, Loaded, Timer, Trigger};
use super::host_json::{HostJson, Mode};
use super::process::Handler;
use super::wire::{self, Message, Payload, Reply, find};
use super::{HostOptions, Run, Split, front, pass};

/// Redirects that the default mode follows.
const REDIRECTS: usize = 50;

/// A host's parts, shared with those who serve and those who fire.
pub struct Inner {
    pub(super) root: PathBuf,
    pub(super) json: HostJson,
    pub(super) loaded: Loaded,
    pub(super) options: HostOptions,
    /// By group: a timer's name, or `http`.
    pub(super) handlers: BTreeMap<String, Handler>,
    /// One run of a timer at a time.
    pub(super) turns: BTreeMap<String, tokio::sync::Mutex<()>>,
}

/// The group of the HTTP functions, and of all where they are together.
const SHARED: &str = "http";

/// Which process runs a function.
pub fn group(function: &Function, split: Split) -> String {
    match (&function.trigger, split) {
        (Trigger::Timer(_), Split::Flex) => function.name.clone(),
        _ => SHARED.to_owned(),
    }
}

/// Fires a timer by its schedule.
pub async fn tick(inner: Arc<Inner>, function: String, timer: Timer) {
    let mut begun = Timestamp::now();
    // Counted from the start of the last run: one that is due when it ends fires at once, others are skipped.
    while let Some(due) = timer.schedule.next_after(begun) {
        let wait = Duration::try_from(due.duration_since(Timestamp::now())).unwrap_or_default();
        tokio::time::sleep(wait).await;
        begun = Timestamp::now();
        let past = if timer.monitored {
            Past::Ran
        } else {
            Past::Unmonitored
        };
        // Failures are logged, and the schedule goes on.
        let _ = inner.fire(&function, past).await;
    }
}

impl front::Serve for Inner {
    async fn serve(&self, request: Message) -> Reply {
        self.route(front::entered(request)).await
    }
}

impl Inner {
    /// The process that runs this function.
    pub fn handler(&self, function: &str) -> Option<&Handler> {
        let function = self
            .loaded
            .functions
            .iter()
            .find(|known| known.name == function)?;
        self.handlers.get(&group(function, self.options.split))
    }

    async fn route(&self, request: Message) -> Reply {
        if let Some(rest) = request.path().to_ascii_lowercase().strip_prefix("/admin/") {
            return self.admin(&request, rest).await;
        }
        let found = self
            .loaded
            .functions
            .iter()
            .find_map(|function| match &function.trigger {
                Trigger::Http(http) => {
                    let is_method = http.methods.is_empty()
                        || http.methods.contains(&request.method.to_ascii_uppercase());
                    let parameters = http
                        .template
                        .matches(request.path())
                        .filter(|_| is_method)?;
                    Some((function, http, parameters))
                }
                Trigger::Timer(_) => None,
            });
        let Some((function, http, parameters)) = found else {
            return plain(if request.path() == "/" { 200 } else { 404 });
        };
        if !self.may(&request, &function.name, http.level) {
            return plain(401);
        }
        self.invoke(&request, &function.name, http, &parameters)
            .await
    }

    fn may(&self, request: &Message, function: &str, level: Level) -> bool {
        let keys = &self.options.keys;
        let query = request
            .target
            .split_once('?')
            .map_or("", |(_, query)| query);
        let in_query = url::form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name.eq_ignore_ascii_case("code"))
            .map(|(_, value)| value.into_owned());
        // The header wins, also with a wrong key.
        let key = find(&request.headers, "x-functions-key")
            .map(str::to_owned)
            .or(in_query);
        let is = |known: &str| key.as_deref() == Some(known);
        match level {
            Level::Anonymous => true,
            Level::Function => {
                is(&keys.master)
                    || is(&keys.host)
                    || keys.functions.get(function).is_some_and(|known| is(known))
            }
            Level::Admin => is(&keys.master),
        }
    }

    async fn invoke(
        &self,
        request: &Message,
        function: &str,
        http: &Http,
        parameters: &BTreeMap<String, String>,
    ) -> Reply {
        let Some(handler) = self.handler(function) else {
            return plain(500);
        };
        if handler.ready().await.is_err() {
            return plain(503);
        }
        let id = Uuid::new_v4();
        let passed = match http.mode {
            Mode::Envelope => {
                let body = envelope::request(function, http, request, parameters, Timestamp::now());
                return match self
                    .in_time(handler, self.enveloped(handler, function, &body))
                    .await
                {
                    Ok(Outcome::Done { outputs, .. }) => {
                        envelope::answer(&outputs, http.output.as_deref())
                            .unwrap_or_else(|_| plain(500))
                    }
                    Ok(Outcome::Failed(_) | Outcome::Hangs) | Err(_) => plain(500),
                };
            }
            Mode::Forwarding => match pass::forwarded(request, id) {
                Ok(message) => message,
                Err(_) => return plain(500),
            },
            Mode::Proxying => pass::proxied(request, handler.port, id),
        };
        let sending = async {
            wire::send(handler.port, &passed)
                .await
                .map_err(|error| error.to_string())
        };
        self.in_time(handler, sending)
            .await
            .unwrap_or_else(|_| plain(500))
    }

    /// Waits no longer than `functionTimeout`; then the process is killed, with all else that it was doing.
    async fn in_time<T>(
        &self,
        handler: &Handler,
        work: impl Future<Output = Result<T, String>>,
    ) -> Result<T, String> {
        let Some(limit) = self.json.function_timeout else {
            return work.await;
        };
        match tokio::time::timeout(limit, work).await {
            Ok(done) => done,
            Err(_) => {
                handler.replace();
                Err("Timeout value was exceeded by function".to_owned())
            }
        }
    }

    /// Calls the handler with an envelope. A result that never comes is waited for.
    async fn enveloped(
        &self,
        handler: &Handler,
        function: &str,
        body: &serde_json::Value,
    ) -> Result<Outcome, String> {
        let bytes = body.to_string().into_bytes();
        let mut message = Message::new("POST", &format!("/{function}"))
            .header("Host", &format!("127.0.0.1:{}", handler.port))
            .header("X-Azure-Functions-HostVersion", pass::VERSION)
            .header(
                "X-Azure-Functions-InvocationId",
                &Uuid::new_v4().to_string(),
            )
            .header(
                "User-Agent",
                &format!("Azure-Functions-Host/{}", pass::VERSION),
            )
            .header("Content-Type", "application/json; charset=utf-8")
            .body(if self.options.chunked {
                Payload::Chunked(bytes)
            } else {
                Payload::Sized(bytes)
            });
        for _ in 0..REDIRECTS {
            let reply = wire::send(handler.port, &message)
                .await
                .map_err(|error| error.to_string())?;
            let location = reply
                .header("location")
                .filter(|_| matches!(reply.status, 301 | 302 | 303 | 307 | 308));
            if let Some(location) = location {
                message.target = location.to_owned();
                if reply.status < 304 {
                    "GET".clone_into(&mut message.method);
                    message.body = Payload::None;
                }
                continue;
            }
            return match envelope::outcome(&reply) {
                Outcome::Hangs => std::future::pending().await,
                outcome => Ok(outcome),
            };
        }
        Err("too many redirects".to_owned())
    }

    /// Fires a timer.
    pub async fn fire(&self, function: &str, past: Past) -> Run {
        let timer = self
            .loaded
            .functions
            .iter()
            .find_map(|known| match &known.trigger {
                Trigger::Timer(timer) if known.name == function => Some(timer),
                _ => None,
            });
        let timer = timer.ok_or_else(|| format!("no timer {function}"))?;
        let _turn = self.turns[function].lock().await;
        let handler = self.handler(function).ok_or("no handler")?;
        handler.ready().await?;
        let body = envelope::timer(function, timer, past, Timestamp::now());
        match self
            .in_time(handler, self.enveloped(handler, function, &body))
            .await?
        {
            Outcome::Done { logs, .. } => Ok(logs),
            Outcome::Failed(why) => Err(why),
            Outcome::Hangs => Err("it hangs".to_owned()),
        }
    }

    /// The host's own doors, with the master key.
    async fn admin(&self, request: &Message, rest: &str) -> Reply {
        if rest == "host/ping" {
            return plain(200);
        }
        if !self.may(request, "", Level::Admin) {
            return plain(401);
        }
        let name = rest.strip_prefix("functions/").unwrap_or_default();
        let found = self
            .loaded
            .functions
            .iter()
            .find(|function| function.name.eq_ignore_ascii_case(name));
        let Some(function) = found.filter(|_| request.method == "POST") else {
            return plain(404);
        };
        let kind = find(&request.headers, "content-type").unwrap_or_default();
        if !kind.starts_with("application/json") {
            return plain(415);
        }
        if request.body.bytes().is_empty() {
            return plain(400);
        }
        // In the real host it runs on in the background; here it is over when the answer is read.
        let _ = self.fire(&function.name, Past::Unmonitored).await;
        plain(202)
    }
}

fn plain(status: u16) -> Reply {
    Reply {
        status,
        headers: Vec::new(),
        body: Vec::new(),
    }
}
