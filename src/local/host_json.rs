//! `host.json` as the host reads it, for a custom handler: keys in any case, app settings over it, and what the host
//! refuses to start with.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use serde_json::{Map, Value};

use super::json::{self, flag, get, list, text};
use super::retry::Retry;

/// What overrides a key of `host.json`: the prefix of an app setting.
const OVERRIDE: &str = "AzureFunctionsJobHost__";

/// The host's default `functionTimeout`, where plans have no other.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// How long the host waits for the handler's first answer, unless `initializationTimeout` says otherwise.
const INITIALIZATION_TIMEOUT: Duration = Duration::from_secs(30);

/// Profiles that bring a catch-all route, and with it the end of every `function.json`.
const ROUTE_PROFILES: [&str; 2] = ["mcp-custom-handler", "web-app-custom-handler"];

/// How HTTP functions of one trigger and one `http` output reach the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpMode {
    /// The request itself, streamed: `enableProxyingHttpRequest`, which wins over the other switch.
    Proxying,
    /// A rebuilt copy of the request: `enableForwardingHttpRequest`, the older mode.
    Forwarding,
    /// The JSON envelope: neither switch.
    Envelope,
}

/// What the host goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostJson {
    /// `customHandler.description.defaultExecutablePath`, with its `%NAME%`s.
    pub executable: String,
    /// `arguments`, `defaultWorkerPath` in quotes, `workerArguments`: one line, with its `%NAME%`s.
    pub arguments: String,
    /// `workingDirectory`; the script root unless given.
    pub working_directory: Option<String>,
    /// `workerDirectory`, from which a relative program is looked for; the script root unless given.
    pub worker_directory: Option<String>,
    /// `useStdErrorStreamForErrorsOnly`: every line on stderr is a warning or an error.
    pub stderr_is_for_errors: bool,
    /// How HTTP functions reach the handler.
    pub http_mode: HttpMode,
    /// `customHandler.port`.
    pub port: Option<u16>,
    /// `extensions.http.routePrefix`, without slashes around it; may be empty.
    pub route_prefix: String,
    /// `functionTimeout`: after it the handler is killed. None is no limit.
    pub function_timeout: Option<Duration>,
    /// `customHandler.initializationTimeout`: how long the handler may take to answer first.
    pub initialization_timeout: Duration,
    /// `functions`: the only ones that are loaded, if given.
    pub allowed: Option<Vec<String>>,
    /// `retry`, for every function without its own.
    pub retry: Option<Retry>,
    /// Whether `customHandler.http.routes`, or a profile, has routes: then there may be no `function.json`.
    pub has_routes: bool,
    /// Whether there is an `extensionBundle`, with more kinds of bindings.
    pub has_bundle: bool,
    /// What the host only warns of.
    pub warnings: Vec<String>,
}

/// Reads `host.json` and the app settings that override it.
///
/// # Errors
/// A line for people: what the host refuses to start with, in its words where they are known, and what to do.
pub fn read(source: &str, settings: &BTreeMap<String, String>) -> Result<HostJson, String> {
    let mut root = json::parse(source).map_err(|error| {
        format!("host.json is not valid JSON: {error}. The host: \"Unable to parse host configuration file\"")
    })?;
    if !root.is_object() {
        return Err(
            "host.json must hold a JSON object. The host: \"Unable to parse host configuration file\""
                .to_owned(),
        );
    }
    // Of all keys this one is read from the file itself, and only in this case.
    match root.get("version").and_then(json::scalar) {
        Some(version) if version == "2.0" => {}
        Some(version) if !version.is_empty() => {
            return Err(format!(
                "host.json: \"version\" must be \"2.0\". The host: \"'{version}' is an invalid value for host.json 'version' property\""
            ));
        }
        _ => {
            return Err("host.json: add \"version\": \"2.0\". The host: \"The host.json file is missing the required 'version' property\"".to_owned());
        }
    }
    for (name, value) in settings {
        if let Some(path) = strip_prefix_any_case(name, OVERRIDE) {
            put(&mut root, &path.split("__").collect::<Vec<_>>(), value);
        }
    }
    let profile = text(&root, &["configurationProfile"]).unwrap_or_default();
    let has_profile = ROUTE_PROFILES.contains(&profile.as_str());
    if !has_profile && !["", "default"].contains(&profile.as_str()) {
        return Err(format!(
            "host.json: configurationProfile \"{profile}\" is not supported: leave it out"
        ));
    }
    from_value(&root, has_profile).map_err(|why| format!("host.json: {why}"))
}

fn from_value(root: &Value, has_profile: bool) -> Result<HostJson, String> {
    let handler = get(root, &["customHandler"]).ok_or_else(|| {
        match get(root, &["httpWorker"]) {
            None => "there is no customHandler section: the host would start no handler",
            Some(_) => "httpWorker is the section of long ago, which sends every request to another path: name it customHandler",
        }
        .to_owned()
    })?;
    let description = get(handler, &["description"])
        .ok_or("customHandler has no \"description\". The host: \"Missing worker Description.\"")?;
    let executable = text(description, &["defaultExecutablePath"])
        .filter(|path| !path.trim().is_empty())
        .ok_or("customHandler.description.defaultExecutablePath is empty. The host: \"WorkerDescription DefaultExecutablePath cannot be empty\"")?;
    let http_mode = if flag(handler, &["enableProxyingHttpRequest"], has_profile)? {
        HttpMode::Proxying
    } else if flag(handler, &["enableForwardingHttpRequest"], false)? {
        HttpMode::Forwarding
    } else {
        HttpMode::Envelope
    };
    Ok(HostJson {
        executable,
        arguments: arguments(description)?,
        working_directory: text(description, &["workingDirectory"]),
        worker_directory: text(description, &["workerDirectory"]),
        stderr_is_for_errors: flag(description, &["useStdErrorStreamForErrorsOnly"], true)?,
        http_mode,
        port: port(handler)?,
        route_prefix: text(root, &["extensions", "http", "routePrefix"])
            .unwrap_or_else(|| if has_profile { "" } else { "api" }.to_owned())
            .trim_matches('/')
            .to_owned(),
        function_timeout: time_of(root, &["functionTimeout"])?.unwrap_or(Some(FUNCTION_TIMEOUT)),
        initialization_timeout: time_of(handler, &["initializationTimeout"])?
            .flatten()
            .unwrap_or(INITIALIZATION_TIMEOUT),
        allowed: list(root, &["functions"])?,
        retry: get(root, &["retry"]).map(Retry::read).transpose()?,
        has_routes: has_profile
            || get(handler, &["http", "routes"])
                .and_then(Value::as_array)
                .is_some_and(|routes| !routes.is_empty()),
        has_bundle: get(root, &["extensionBundle"]).is_some(),
        warnings: warnings(root, handler)?,
    })
}

fn warnings(root: &Value, handler: &Value) -> Result<Vec<String>, String> {
    let mut warnings = Vec::new();
    if get(root, &["httpWorker"]).is_some() {
        warnings.push("host.json has httpWorker and customHandler: the latter counts".to_owned());
    }
    match text(handler, &["type"])
        .unwrap_or_default()
        .to_ascii_lowercase()
        .as_str()
    {
        "" | "http" => {}
        "none" => {
            warnings
                .push("host.json: customHandler.type \"none\" is taken for \"http\"".to_owned());
        }
        other => {
            return Err(format!(
                "customHandler.type is \"{other}\". The host: \"Failed to convert configuration value at 'customHandler:type'\""
            ));
        }
    }
    for name in ["maxConcurrentRequests", "maxOutstandingRequests"] {
        let path = ["extensions", "http", name];
        let Some(found) = get(root, &path) else {
            continue;
        };
        let number: Option<i64> = json::scalar(found).and_then(|text| text.trim().parse().ok());
        if !number.is_some_and(|number| number == -1 || number > 0) {
            warnings.push(format!(
                "host.json: extensions.http.{name} is {found}: it must be a number from 1 up, or -1 for no limit"
            ));
        }
    }
    Ok(warnings)
}

impl HostJson {
    /// The port on which the handler must listen: the one that is asked for, or one that is free now. It is not reserved,
    /// as with the host.
    ///
    /// # Errors
    /// When the one that is asked for is taken, or there is none.
    pub fn handler_port(&self) -> Result<u16, String> {
        let port = self.port.unwrap_or(0);
        TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .and_then(|listener| listener.local_addr())
            .map(|address| address.port())
            .map_err(|error| match self.port {
                Some(port) => format!("host.json: customHandler.port: {error}. The host: \"Unable to bind to port {port}\""),
                None => format!("no free port for the handler: {error}"),
            })
    }
}

fn put(value: &mut Value, path: &[&str], text: &str) {
    let Some((name, rest)) = path.split_first() else {
        // Arrays are overridden by a JSON list; everything else by its text.
        *value = serde_json::from_str::<Value>(text)
            .ok()
            .filter(Value::is_array)
            .unwrap_or_else(|| Value::String(text.to_owned()));
        return;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    if let Some(members) = value.as_object_mut() {
        let key = members
            .keys()
            .find(|key| key.eq_ignore_ascii_case(name))
            .cloned()
            .unwrap_or_else(|| (*name).to_owned());
        put(members.entry(key).or_insert(Value::Null), rest, text);
    }
}

fn strip_prefix_any_case<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let head = name.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix)
        .then(|| &name[prefix.len()..])
}

/// The host joins them with spaces and does not quote them: an entry with a space is two.
fn arguments(description: &Value) -> Result<String, String> {
    let mut words = list(description, &["arguments"])?.unwrap_or_default();
    if let Some(path) = text(description, &["defaultWorkerPath"]).filter(|path| !path.is_empty()) {
        words.push(format!("\"{path}\""));
    }
    words.extend(list(description, &["workerArguments"])?.unwrap_or_default());
    Ok(words.join(" "))
}

fn port(handler: &Value) -> Result<Option<u16>, String> {
    let Some(text) = text(handler, &["port"]) else {
        return Ok(None);
    };
    match text.trim().parse() {
        Ok(0) | Err(_) => Err(format!(
            "customHandler.port must be a number from 1 to 65535, or left out. The host: \"Unable to bind to port {text}\""
        )),
        Ok(port) => Ok(Some(port)),
    }
}

/// A `TimeSpan`; the inner none is `-1`, no limit.
fn time_of(value: &Value, path: &[&str]) -> Result<Option<Option<Duration>>, String> {
    let Some(text) = text(value, path) else {
        return Ok(None);
    };
    if text == "-1" {
        return Ok(Some(None));
    }
    time_span(&text).map(|span| Some(Some(span))).ok_or_else(|| {
        format!(
            "{} must be a time such as \"00:02:00\". The host: \"'{text}' is not a valid value\"",
            path.join(".")
        )
    })
}

/// A .NET `TimeSpan`: `[d.]hh:mm[:ss[.fffffff]]`; longer than nothing. What .NET reads as days, a bare number and a
/// first part of 24 or more, is refused: nobody means `24:00:00` to be 24 days.
#[must_use]
pub fn time_span(text: &str) -> Option<Duration> {
    let (days, clock) = match text.split_once('.') {
        Some((days, clock)) if clock.contains(':') => (days.parse::<u64>().ok()?, clock),
        _ => (0, text),
    };
    let (clock, nanos) = match clock.split_once('.') {
        Some((whole, fraction)) if whole.matches(':').count() == 2 => (whole, nanos(fraction)?),
        Some(_) => return None,
        None => (clock, 0),
    };
    let parts: Vec<u64> = clock
        .split(':')
        .map(|part| part.parse::<u64>().ok())
        .collect::<Option<_>>()?;
    let (hours, minutes, seconds) = match parts.as_slice() {
        [hours, minutes] => (hours, minutes, &0),
        [hours, minutes, seconds] => (hours, minutes, seconds),
        _ => return None,
    };
    if *hours > 23 || *minutes > 59 || *seconds > 59 || days > 10_000 {
        return None;
    }
    let seconds = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
    let total = Duration::new(seconds, nanos);
    (!total.is_zero()).then_some(total)
}

/// The digits behind a second's point, at most seven.
fn nanos(fraction: &str) -> Option<u32> {
    let is_fraction =
        (1..=7).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    is_fraction.then(|| format!("{fraction:0<9}").parse().ok())?
}
