//! What the host does with a request and with a timer: which function, who may, how it is called, for how long.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use understudy::local::envelope::{Outcome, read_answer};
use understudy::local::function_json::{Function, HttpTrigger, Level, Loaded, Trigger};
use understudy::local::host_json::{HostJson, HttpMode};
use understudy::local::proxy::HOST_VERSION;
use uuid::Uuid;

use super::clock::Clocks;
use super::envelope;
use super::process::Handler;
use super::wire::{self, Message, Payload, Reply, find};
use super::{HostOptions, Split, front, pass};

/// Redirects that the default mode follows.
const REDIRECTS: usize = 50;

/// The largest body that gets in.
const BODY_LIMIT: usize = 100 * 1024 * 1024;

/// Before these, in milliseconds, the proxy tries again to reach a handler that refuses the connection.
const PROXY_PAUSES: [u64; 10] = [50, 100, 200, 250, 250, 250, 250, 250, 250, 250];

/// A host's parts, shared with those who serve and those who fire.
pub struct Inner {
    pub(super) root: PathBuf,
    pub(super) json: HostJson,
    pub(super) loaded: Loaded,
    pub(super) options: HostOptions,
    /// By group: a timer's name, or `http`.
    pub(super) handlers: BTreeMap<String, Handler>,
    pub(super) clocks: Clocks,
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

impl front::Serve for Inner {
    async fn serve(&self, request: Message) -> Reply {
        self.route(front::entered(request)).await
    }
}

impl Inner {
    /// The process that runs this function.
    pub fn handler(&self, function: &str) -> Option<&Handler> {
        let function = self.function(function)?;
        self.handlers.get(&group(function, self.options.split))
    }

    async fn route(&self, request: Message) -> Reply {
        if let Some(rest) = request.path().to_ascii_lowercase().strip_prefix("/admin/") {
            return self.admin(&request, rest).await;
        }
        let Some(found) = self.loaded.routes.find(&request.method, request.path()) else {
            return plain(if request.path() == "/" { 200 } else { 404 });
        };
        let Some(http) = self.http(found.function) else {
            return plain(404);
        };
        if !self.may(&request, found.function, http.level) {
            return plain(401);
        }
        if request.body.bytes().len() > BODY_LIMIT {
            return plain(413);
        }
        self.invoke(&request, found.function, http, &found.parameters)
            .await
    }

    fn function(&self, name: &str) -> Option<&Function> {
        self.loaded
            .functions
            .iter()
            .find(|known| known.name.eq_ignore_ascii_case(name))
    }

    fn http(&self, name: &str) -> Option<&HttpTrigger> {
        match &self.function(name)?.trigger {
            Trigger::Http(http) => Some(http),
            Trigger::Timer(_) => None,
        }
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
        http: &HttpTrigger,
        parameters: &BTreeMap<String, String>,
    ) -> Reply {
        let Some(handler) = self.handler(function) else {
            return plain(500);
        };
        if handler.ready().await.is_err() {
            return plain(503);
        }
        let id = Uuid::new_v4();
        let mode = match http.is_pure {
            true => self.json.http_mode,
            false => HttpMode::Envelope,
        };
        let passed = match mode {
            HttpMode::Envelope => {
                let body = envelope::request(function, http, request, parameters, Timestamp::now());
                let call = self.enveloped(handler, function, id, &body);
                return match self.in_time(handler, call).await {
                    Ok(Outcome::Done(answer)) => envelope::answer(&answer, http.output.as_ref())
                        .unwrap_or_else(|_| plain(500)),
                    Ok(Outcome::Failed(_) | Outcome::Hangs) | Err(_) => plain(500),
                };
            }
            HttpMode::Forwarding if self.options.strict_forwarding => {
                match pass::forwarded(request, id) {
                    Ok(message) => message,
                    Err(_) => return plain(500),
                }
            }
            HttpMode::Forwarding => pass::copied(request, id),
            HttpMode::Proxying => pass::proxied(request, handler.port, id),
        };
        let sending = async {
            let sent = match mode {
                HttpMode::Proxying => reached(handler.port, &passed).await,
                _ => wire::send(handler.port, &passed).await,
            };
            sent.map_err(|error| error.to_string())
        };
        self.in_time(handler, sending)
            .await
            .unwrap_or_else(|_| plain(500))
    }

    /// Waits no longer than `functionTimeout`; then the process is killed, with all else that it was doing.
    pub(super) async fn in_time<T>(
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
    pub(super) async fn enveloped(
        &self,
        handler: &Handler,
        function: &str,
        invocation: Uuid,
        body: &str,
    ) -> Result<Outcome, String> {
        let bytes = body.as_bytes().to_vec();
        let mut message = Message::new("POST", &format!("/{function}"))
            .header("Host", &format!("127.0.0.1:{}", handler.port))
            .header("X-Azure-Functions-HostVersion", HOST_VERSION)
            .header("X-Azure-Functions-InvocationId", &invocation.to_string())
            .header(
                "User-Agent",
                &format!("Azure-Functions-Host/{}", HOST_VERSION),
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
            let kind = reply.header("content-type");
            return match read_answer(reply.status, kind, &reply.body) {
                Outcome::Hangs => std::future::pending().await,
                outcome => Ok(outcome),
            };
        }
        Err("too many redirects".to_owned())
    }

    /// The host's own doors, with the master key.
    async fn admin(&self, request: &Message, rest: &str) -> Reply {
        if rest == "host/ping" {
            return plain(200);
        }
        if !self.may(request, "", Level::Admin) {
            return plain(401);
        }
        let parts: Vec<&str> = rest.trim_end_matches('/').split('/').collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["host", "status"]) => told(&json!({
                "id": "app",
                "state": "Running",
                "version": HOST_VERSION,
            })),
            ("GET", ["functions"]) => {
                let all: Vec<Value> = self.loaded.functions.iter().map(about).collect();
                told(&json!(all))
            }
            ("GET", ["functions", name]) => self
                .function(name)
                .map_or_else(|| plain(404), |function| told(&about(function))),
            ("GET", ["functions", name, "status"]) => self.status_of(name),
            ("POST", ["functions", name]) => self.run_by_hand(request, name).await,
            _ => plain(404),
        }
    }

    fn status_of(&self, name: &str) -> Reply {
        let error = self
            .loaded
            .errors
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        match (self.function(name), error) {
            (_, Some((_, why))) => told(&json!({"errors": [why]})),
            (Some(_), None) => told(&json!({"errors": null})),
            (None, None) => plain(404),
        }
    }

    async fn run_by_hand(&self, request: &Message, name: &str) -> Reply {
        let Some(function) = self.function(name) else {
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
        let _ = self.fire_beside(&function.name).await;
        plain(202)
    }
}

/// Sends what the proxy sends, again while the connection is refused.
async fn reached(port: u16, message: &Message) -> Result<Reply, Error> {
    let mut pauses = PROXY_PAUSES.iter();
    loop {
        match (wire::send(port, message).await, pauses.next()) {
            (Err(error), Some(pause)) if error.kind() == ErrorKind::ConnectionRefused => {
                tokio::time::sleep(Duration::from_millis(*pause)).await;
            }
            (sent, _) => return sent,
        }
    }
}

fn about(function: &Function) -> Value {
    json!({"name": function.name, "isDisabled": false, "language": "Custom"})
}

fn told(value: &Value) -> Reply {
    Reply {
        status: 200,
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: value.to_string().into_bytes(),
    }
}

fn plain(status: u16) -> Reply {
    Reply {
        status,
        headers: Vec::new(),
        body: Vec::new(),
    }
}
