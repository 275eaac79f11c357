//! `host.json` as the host reads it: keys in any case, app settings over it, and what it refuses to start with.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Map, Value};

/// App settings.
pub type Settings = BTreeMap<String, String>;

/// How HTTP functions of one trigger and one `http` output are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The envelope.
    Envelope,
    /// A rebuilt copy of the request.
    Forwarding,
    /// The request itself.
    Proxying,
}

/// What the host goes by.
#[derive(Debug, Clone)]
pub struct HostJson {
    /// `defaultExecutablePath`, unresolved.
    pub executable: String,
    /// `arguments`, `defaultWorkerPath` in quotes, `workerArguments`: as one line, unresolved.
    pub arguments: String,
    /// `workingDirectory`; the script root unless given.
    pub working_directory: Option<String>,
    /// `workerDirectory`; the script root unless given.
    pub worker_directory: Option<String>,
    /// How HTTP functions are called.
    pub mode: Mode,
    /// `customHandler.port`.
    pub port: Option<u16>,
    /// `initializationTimeout`.
    pub initialization_timeout: Duration,
    /// `functionTimeout`; none is no limit.
    pub function_timeout: Option<Duration>,
    /// `extensions.http.routePrefix`.
    pub route_prefix: String,
    /// `functions`: the only ones that are loaded.
    pub allowed: Option<Vec<String>>,
    /// Whether `customHandler.http.routes` has entries.
    pub has_routes: bool,
}

/// Finds a member in any case.
pub fn get<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| {
        let members = value.as_object()?;
        members
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .filter(|value| !value.is_null())
    })
}

/// A member's text; numbers are texts to .NET's configuration.
pub fn text(value: &Value, path: &[&str]) -> Option<String> {
    match get(value, path)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Reads it.
///
/// # Errors
/// What the host says before it stops, in its words where they are known.
pub fn read(text_of_file: &str, settings: &Settings) -> Result<HostJson, String> {
    let mut root: Value = serde_json::from_str(text_of_file)
        .map_err(|error| format!("Unable to parse host configuration file: {error}"))?;
    if !root.is_object() {
        return Err("Unable to parse host configuration file: not an object".to_owned());
    }
    if text(&root, &["version"]).as_deref() != Some("2.0") {
        return Err("The host.json file is missing the required 'version' property".to_owned());
    }
    let profile = text(&root, &["configurationProfile"]).unwrap_or_default();
    if !["", "default"].contains(&profile.as_str()) {
        return Err(format!(
            "configurationProfile '{profile}' is not supported here"
        ));
    }
    override_by(&mut root, settings);
    if get(&root, &["customHandler"]).is_none() {
        return Err("no customHandler section: no handler would be started".to_owned());
    }
    let handler = &root["customHandler"];
    let handler = get(&root, &["customHandler"]).unwrap_or(handler);
    let description =
        get(handler, &["description"]).ok_or("Missing worker Description.".to_owned())?;
    let executable = text(description, &["defaultExecutablePath"])
        .filter(|path| !path.trim().is_empty())
        .ok_or("WorkerDescription DefaultExecutablePath cannot be empty".to_owned())?;
    let mode = if flag(handler, "enableProxyingHttpRequest")? {
        Mode::Proxying
    } else if flag(handler, "enableForwardingHttpRequest")? {
        Mode::Forwarding
    } else {
        Mode::Envelope
    };
    Ok(HostJson {
        executable,
        arguments: arguments(description)?,
        working_directory: text(description, &["workingDirectory"]),
        worker_directory: text(description, &["workerDirectory"]),
        mode,
        port: port(handler)?,
        initialization_timeout: span(handler, &["initializationTimeout"])?
            .flatten()
            .unwrap_or(Duration::from_secs(30)),
        function_timeout: span(&root, &["functionTimeout"])?
            .unwrap_or(Some(Duration::from_secs(30 * 60))),
        route_prefix: text(&root, &["extensions", "http", "routePrefix"])
            .unwrap_or_else(|| "api".to_owned())
            .trim_matches('/')
            .to_owned(),
        allowed: list(&root, "functions")?,
        has_routes: get(handler, &["http", "routes"])
            .and_then(Value::as_array)
            .is_some_and(|routes| !routes.is_empty()),
    })
}

fn override_by(root: &mut Value, settings: &Settings) {
    const PREFIX: &str = "azurefunctionsjobhost__";
    for (name, value) in settings {
        let Some(path) = name
            .to_ascii_lowercase()
            .strip_prefix(PREFIX)
            .map(str::to_owned)
        else {
            continue;
        };
        let mut place = &mut *root;
        for part in path.split("__") {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            let members = place.as_object_mut().expect("made one");
            let key = members
                .keys()
                .find(|key| key.eq_ignore_ascii_case(part))
                .cloned()
                .unwrap_or_else(|| part.to_owned());
            place = members.entry(key).or_insert(Value::Null);
        }
        *place = serde_json::from_str::<Value>(value)
            .ok()
            .filter(Value::is_array)
            .unwrap_or_else(|| Value::String(value.clone()));
    }
}

fn arguments(description: &Value) -> Result<String, String> {
    let mut words = list(description, "arguments")?.unwrap_or_default();
    if let Some(path) = text(description, &["defaultWorkerPath"]).filter(|path| !path.is_empty()) {
        words.push(format!("\"{path}\""));
    }
    words.extend(list(description, "workerArguments")?.unwrap_or_default());
    Ok(words.join(" "))
}

fn list(value: &Value, name: &str) -> Result<Option<Vec<String>>, String> {
    let Some(found) = get(value, &[name]) else {
        return Ok(None);
    };
    let items = found
        .as_array()
        .ok_or_else(|| format!("{name} is no list"))?;
    let texts: Option<Vec<String>> = items
        .iter()
        .map(|item| item.as_str().map(str::to_owned))
        .collect();
    texts
        .map(Some)
        .ok_or_else(|| format!("{name} holds what is no text"))
}

fn flag(handler: &Value, name: &str) -> Result<bool, String> {
    match text(handler, &[name]) {
        None => Ok(false),
        Some(text) => text.to_ascii_lowercase().parse().map_err(|_| {
            format!("Failed to convert configuration value at 'customHandler:{name}'")
        }),
    }
}

fn port(handler: &Value) -> Result<Option<u16>, String> {
    let Some(text) = text(handler, &["port"]) else {
        return Ok(None);
    };
    let refused = || format!("Unable to bind to port {text}");
    let port: u16 = text.parse().map_err(|_| refused())?;
    if port == 0 || TcpListener::bind(("127.0.0.1", port)).is_err() {
        return Err(refused());
    }
    Ok(Some(port))
}

/// A `TimeSpan`; the inner none is `-1`, no limit.
fn span(value: &Value, path: &[&str]) -> Result<Option<Option<Duration>>, String> {
    let Some(text) = text(value, path) else {
        return Ok(None);
    };
    if text == "-1" {
        return Ok(Some(None));
    }
    time_span(&text)
        .map(|span| Some(Some(span)))
        .ok_or_else(|| format!("'{text}' is not a valid value for {}", path.join(":")))
}

/// `hh:mm:ss`.
pub fn time_span(text: &str) -> Option<Duration> {
    let parts: Vec<u64> = text
        .split(':')
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    match parts.as_slice() {
        [hours, minutes, seconds] if *hours < 24 && *minutes < 60 && *seconds < 60 => {
            Some(Duration::from_secs((hours * 60 + minutes) * 60 + seconds))
        }
        _ => None,
    }
    .filter(|span| !span.is_zero())
}
