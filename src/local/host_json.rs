//! `host.json`, as far as a custom handler's host reads it.
//!
//! The real host binds it with .NET's configuration: key names ignore case, and app settings named
//! `AzureFunctionsJobHost__section__key` override it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

/// What overrides a key of `host.json`: the prefix of an app setting.
const OVERRIDE: &str = "AzureFunctionsJobHost__";

/// The host's default `functionTimeout`.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// How long the host waits for the handler's first answer, unless `initializationTimeout` says otherwise.
const INITIALIZATION_TIMEOUT: Duration = Duration::from_secs(30);

/// How HTTP functions reach the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpMode {
    /// The request itself, streamed.
    Proxying,
    /// A rebuilt copy of the request (the older mode).
    Forwarding,
    /// The JSON envelope.
    Envelope,
}

/// What the host needs to know before it starts the handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostJson {
    /// `customHandler.description.defaultExecutablePath`.
    pub executable: String,
    /// `customHandler.description.arguments`.
    pub arguments: Vec<String>,
    /// How HTTP functions reach the handler.
    pub http_mode: HttpMode,
    /// `extensions.http.routePrefix`, without slashes around it; may be empty.
    pub route_prefix: String,
    /// `functionTimeout`: after it the handler is killed.
    pub function_timeout: Duration,
    /// `customHandler.initializationTimeout`: how long the handler may take to answer first.
    pub initialization_timeout: Duration,
    /// `functions`: the only ones that are loaded, if given.
    pub allowed: Option<Vec<String>>,
}

/// Reads `host.json` and the app settings that override it.
///
/// # Errors
/// A line for people: what the host would refuse, and where.
pub fn read(text: &str, settings: &BTreeMap<String, String>) -> Result<HostJson, String> {
    let mut root: Value = serde_json::from_str(text)
        .map_err(|error| format!("host.json is not valid JSON: {error}"))?;
    if !root.is_object() {
        return Err("host.json must hold a JSON object".to_owned());
    }
    for (name, value) in settings {
        if let Some(path) = strip_prefix_any_case(name, OVERRIDE) {
            put(&mut root, &path.split("__").collect::<Vec<_>>(), value);
        }
    }
    from_value(&root)
}

fn from_value(root: &Value) -> Result<HostJson, String> {
    let handler = get(root, &["customHandler"])
        .ok_or("host.json has no \"customHandler\": the host would not start the handler")?;
    let description =
        get(handler, &["description"]).ok_or("host.json: customHandler has no \"description\"")?;
    let executable = text_of(get(description, &["defaultExecutablePath"]))
        .filter(|path| !path.trim().is_empty())
        .ok_or("host.json: customHandler.description.defaultExecutablePath is empty")?;
    let arguments = list_of(
        get(description, &["arguments"]),
        "customHandler.description.arguments",
    )?;
    Ok(HostJson {
        executable,
        // The host joins the arguments with spaces and does not quote them: an entry with a space is two.
        arguments: arguments
            .unwrap_or_default()
            .iter()
            .flat_map(|argument| argument.split_whitespace().map(str::to_owned))
            .collect(),
        http_mode: if flag(handler, "enableProxyingHttpRequest")? {
            HttpMode::Proxying
        } else if flag(handler, "enableForwardingHttpRequest")? {
            HttpMode::Forwarding
        } else {
            HttpMode::Envelope
        },
        route_prefix: text_of(get(root, &["extensions", "http", "routePrefix"]))
            .unwrap_or_else(|| "api".to_owned())
            .trim_matches('/')
            .to_owned(),
        function_timeout: time_of(root, &["functionTimeout"])?.unwrap_or(FUNCTION_TIMEOUT),
        initialization_timeout: time_of(handler, &["initializationTimeout"])?
            .unwrap_or(INITIALIZATION_TIMEOUT),
        allowed: list_of(get(root, &["functions"]), "functions")?,
    })
}

/// The member of this name, whatever its case; nested names one after the other.
pub(super) fn get<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| {
        value
            .as_object()?
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
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
        *value = Value::Object(serde_json::Map::new());
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

fn text_of(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn list_of(value: Option<&Value>, what: &str) -> Result<Option<Vec<String>>, String> {
    let Some(value) = value else { return Ok(None) };
    value
        .as_array()
        .and_then(|items| {
            items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect()
        })
        .map(Some)
        .ok_or_else(|| format!("host.json: {what} must be a list of strings"))
}

fn flag(handler: &Value, name: &str) -> Result<bool, String> {
    match get(handler, &[name]) {
        None => Ok(false),
        Some(Value::Bool(on)) => Ok(*on),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(_) => Err(format!(
            "host.json: customHandler.{name} must be true or false"
        )),
    }
}

fn time_of(value: &Value, path: &[&str]) -> Result<Option<Duration>, String> {
    let Some(found) = get(value, path) else {
        return Ok(None);
    };
    let text = found.as_str().unwrap_or_default();
    // "-1" means no limit; a century is none.
    if text == "-1" {
        return Ok(Some(Duration::from_secs(100 * 365 * 24 * 3600)));
    }
    time_span(text).map(Some).ok_or_else(|| {
        format!(
            "host.json: {} must be a time such as \"00:02:00\"",
            path.join(".")
        )
    })
}

/// A .NET `TimeSpan`: `hh:mm:ss` or `d.hh:mm:ss`; longer than nothing.
#[must_use]
pub fn time_span(text: &str) -> Option<Duration> {
    let (days, clock) = match text.split_once('.') {
        Some((days, clock)) if clock.contains(':') => (days.parse::<u64>().ok()?, clock),
        _ => (0, text),
    };
    let parts: Vec<u64> = clock
        .split(':')
        .map(|part| part.parse::<u64>().ok())
        .collect::<Option<_>>()?;
    let [hours, minutes, seconds] = parts.as_slice() else {
        return None;
    };
    if *hours > 23 || *minutes > 59 || *seconds > 59 || days > 10_000 {
        return None;
    }
    let total = Duration::from_secs(((days * 24 + hours) * 60 + minutes) * 60 + seconds);
    (!total.is_zero()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"version":"2.0","FunctionTimeout":"00:02:00","customHandler":{
        "Description":{"defaultExecutablePath":"understudy","arguments":["serve now"]},
        "enableForwardingHttpRequest":true,"enableProxyingHttpRequest":true}}"#;

    fn none() -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    #[test]
    fn keys_ignore_case_and_proxying_wins() {
        let host = read(GOOD, &none()).unwrap();
        assert_eq!(host.executable, "understudy");
        assert_eq!(host.arguments, ["serve", "now"]);
        assert_eq!(host.http_mode, HttpMode::Proxying);
        assert_eq!(host.function_timeout, Duration::from_secs(120));
        assert_eq!(host.initialization_timeout, Duration::from_secs(30));
        assert_eq!(host.route_prefix, "api");
        assert_eq!(host.allowed, None);
    }

    #[test]
    fn app_settings_override() {
        let settings = BTreeMap::from([
            (
                "AzureFunctionsJobHost__customHandler__enableProxyingHttpRequest".to_owned(),
                "false".to_owned(),
            ),
            (
                "AzureFunctionsJobHost__customHandler__description__arguments".to_owned(),
                r#"["a"]"#.to_owned(),
            ),
            (
                "AzureFunctionsJobHost__extensions__http__routePrefix".to_owned(),
                String::new(),
            ),
        ]);
        let host = read(GOOD, &settings).unwrap();
        assert_eq!(host.http_mode, HttpMode::Forwarding);
        assert_eq!(host.arguments, ["a"]);
        assert_eq!(host.route_prefix, "");
    }

    #[test]
    fn what_the_host_refuses_is_refused() {
        for (text, says) in [
            ("{", "not valid JSON"),
            ("[]", "JSON object"),
            ("{}", "customHandler"),
            (r#"{"customHandler":{}}"#, "description"),
            (
                r#"{"customHandler":{"description":{"defaultExecutablePath":" "}}}"#,
                "defaultExecutablePath",
            ),
            (
                r#"{"functionTimeout":"2 minutes","customHandler":{"description":{"defaultExecutablePath":"x"}}}"#,
                "functionTimeout",
            ),
            (
                r#"{"customHandler":{"description":{"defaultExecutablePath":"x","arguments":"serve"}}}"#,
                "arguments",
            ),
        ] {
            let error = read(text, &none()).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn time_spans() {
        assert_eq!(time_span("1.02:03:04"), Some(Duration::from_secs(93_784)));
        assert_eq!(time_span("00:00:30"), Some(Duration::from_secs(30)));
        for bad in [
            "", "30", "00:00:00", "24:00:00", "00:61:00", "a:b:c", "00:00:-1",
        ] {
            assert_eq!(time_span(bad), None, "{bad}");
        }
    }
}
