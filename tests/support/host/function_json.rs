//! The function folders of a package: which functions the host loads, and why it would not load one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use understudy::config::schedule::Schedule;

use super::host_json::{HostJson, Mode, Settings, get, text, time_span};
use super::route::Template;

/// What the host has built in, without an extension bundle.
const TRIGGERS: [&str; 4] = [
    "httptrigger",
    "timertrigger",
    "manualtrigger",
    "warmuptrigger",
];

/// A function that is loaded.
#[derive(Debug, Clone)]
pub struct Function {
    /// The folder's name.
    pub name: String,
    /// What starts it.
    pub trigger: Trigger,
}

/// What starts a function.
#[derive(Debug, Clone)]
pub enum Trigger {
    /// A request.
    Http(Http),
    /// A schedule.
    Timer(Timer),
}

/// An HTTP trigger.
#[derive(Debug, Clone)]
pub struct Http {
    /// The binding's name.
    pub binding: String,
    /// The output binding's name, if there is one.
    pub output: Option<String>,
    /// Who may call it.
    pub level: Level,
    /// In capitals; empty is all.
    pub methods: Vec<String>,
    /// The route below the prefix.
    pub route: String,
    /// The whole route.
    pub template: Template,
    /// How it is called.
    pub mode: Mode,
}

/// `authLevel`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Anybody.
    Anonymous,
    /// With a function, host or master key.
    Function,
    /// With the master key.
    Admin,
}

/// A timer trigger.
#[derive(Debug, Clone)]
pub struct Timer {
    /// The binding's name.
    pub binding: String,
    /// When it fires.
    pub schedule: Schedule,
    /// Whether `ScheduleStatus` is kept: asked for, and a minute or more between two firings.
    pub monitored: bool,
}

/// The functions of a folder, and of those that are not loaded why.
#[derive(Debug, Default)]
pub struct Loaded {
    /// By name, in the order in which routes are tried.
    pub functions: Vec<Function>,
    /// Reasons by function.
    pub errors: BTreeMap<String, String>,
}

/// Reads the direct sub-folders that have a `function.json`.
///
/// # Errors
/// What stops the whole host.
pub fn load(root: &Path, host: &HostJson, settings: &Settings) -> Result<Loaded, String> {
    let mut loaded = Loaded::default();
    let mut sources: Vec<(String, String)> = Vec::new();
    for entry in std::fs::read_dir(root).map_err(|error| error.to_string())? {
        let entry = entry.map_err(|error| error.to_string())?;
        let file = entry.path().join("function.json");
        if file.is_file() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
            sources.push((name, text));
        }
    }
    if host.has_routes && !sources.is_empty() {
        return Err(
            "Detected both function.json files and custom handler HTTP route configuration"
                .to_owned(),
        );
    }
    sources.sort_by_key(|(name, _)| name.to_lowercase());
    for (name, source) in sources {
        if host
            .allowed
            .as_ref()
            .is_some_and(|allowed| !allowed.contains(&name))
        {
            continue;
        }
        match function(&name, &source, root, host, settings) {
            Ok(None) => {}
            Ok(Some(function)) => match conflict(&loaded.functions, &function) {
                None => loaded.functions.push(function),
                Some(why) => {
                    loaded.errors.insert(name, why);
                }
            },
            Err(why) => {
                loaded.errors.insert(name, why);
            }
        }
    }
    Ok(loaded)
}

fn function(
    name: &str,
    source: &str,
    root: &Path,
    host: &HostJson,
    settings: &Settings,
) -> Result<Option<Function>, String> {
    let is_name = is_word(name, |letter| {
        letter.is_ascii_alphanumeric() || "_-".contains(letter)
    });
    if !is_name || name.eq_ignore_ascii_case("host") {
        return Err(format!("'{name}' is not a valid function name."));
    }
    let config: Value = serde_json::from_str(source)
        .map_err(|error| format!("Unable to parse function.json: {error}"))?;
    if is_disabled(name, &config, settings) {
        return Ok(None);
    }
    if let Some(script) = text(&config, &["scriptFile"])
        && !root.join(name).join(&script).exists()
    {
        return Err(format!("Invalid script file name configuration: {script}"));
    }
    let bindings = get(&config, &["bindings"])
        .and_then(Value::as_array)
        .filter(|bindings| !bindings.is_empty())
        .ok_or("At least one binding must be declared.".to_owned())?;
    let kinds = check_bindings(bindings)?;
    let triggers: Vec<usize> = (0..kinds.len())
        .filter(|index| kinds[*index].ends_with("trigger"))
        .collect();
    let [trigger] = triggers.as_slice() else {
        return Err(format!(
            "{} triggers: a function has exactly one",
            triggers.len()
        ));
    };
    let binding = resolved(&bindings[*trigger], settings)?;
    let trigger = match kinds[*trigger].as_str() {
        "timertrigger" => Trigger::Timer(timer(&binding)?),
        "httptrigger" => Trigger::Http(http(name, &binding, bindings, &kinds, host)?),
        other => return Err(format!("the stand-in fires no {other}")),
    };
    Ok(Some(Function {
        name: name.to_owned(),
        trigger,
    }))
}

/// The bindings' types in small letters.
fn check_bindings(bindings: &[Value]) -> Result<Vec<String>, String> {
    let mut names = BTreeSet::new();
    let mut kinds = Vec::new();
    for binding in bindings {
        let name = text(binding, &["name"]).unwrap_or_default();
        let kind = text(binding, &["type"]).unwrap_or_default();
        let direction = text(binding, &["direction"]).unwrap_or_else(|| "in".to_owned());
        let is_name = is_word(&name, |letter| letter.is_ascii_alphanumeric());
        if !is_name && name != "$return" {
            return Err(format!("The binding name {name} is invalid."));
        }
        if !names.insert(name.to_ascii_lowercase()) {
            return Err(format!("Multiple bindings named '{name}' discovered."));
        }
        let is_trigger = kind.to_ascii_lowercase().ends_with("trigger");
        let kind = kind.to_ascii_lowercase();
        if !TRIGGERS.contains(&kind.as_str()) && kind != "http" {
            return Err(format!("The binding type(s) '{kind}' are not registered."));
        }
        let wanted = if is_trigger { "in" } else { "out" };
        if !direction.eq_ignore_ascii_case(wanted) {
            return Err(format!(
                "the binding {name} of type {kind} has direction {direction}"
            ));
        }
        kinds.push(kind);
    }
    Ok(kinds)
}

fn timer(binding: &Value) -> Result<Timer, String> {
    let text_of = text(binding, &["schedule"]).unwrap_or_default();
    let refused = |why: String| {
        format!(
            "The schedule expression '{text_of}' was not recognized as a valid cron expression or timespan string. {why}"
        )
    };
    let schedule = Schedule::parse(&text_of).map_err(refused)?;
    if text_of.contains(':') && time_span(&text_of).is_none() {
        return Err(refused(String::new()));
    }
    let wanted = get(binding, &["useMonitor"])
        .and_then(Value::as_bool)
        .unwrap_or(true);
    Ok(Timer {
        binding: text(binding, &["name"]).unwrap_or_default(),
        monitored: wanted && schedule.interval() >= jiff::SignedDuration::from_mins(1),
        schedule,
    })
}

fn http(
    name: &str,
    binding: &Value,
    bindings: &[Value],
    kinds: &[String],
    host: &HostJson,
) -> Result<Http, String> {
    let route = text(binding, &["route"])
        .filter(|route| !route.is_empty())
        .unwrap_or_else(|| name.to_owned());
    let route = route.trim_matches('/').to_owned();
    let lower = route.to_ascii_lowercase();
    if lower.starts_with("admin") || lower.starts_with("runtime") {
        return Err("The specified route conflicts with one or more built in routes.".to_owned());
    }
    let level = match text(binding, &["authLevel"])
        .unwrap_or_default()
        .to_ascii_lowercase()
        .as_str()
    {
        "" | "function" => Level::Function,
        "anonymous" => Level::Anonymous,
        "admin" => Level::Admin,
        other => {
            return Err(format!(
                "Error converting value \"{other}\" to type AuthorizationLevel"
            ));
        }
    };
    let methods = match get(binding, &["methods"]) {
        None => Vec::new(),
        Some(methods) => methods
            .as_array()
            .and_then(|methods| {
                methods
                    .iter()
                    .map(|method| method.as_str().map(str::to_ascii_uppercase))
                    .collect()
            })
            .ok_or("methods is no list of texts".to_owned())?,
    };
    // Exactly one way in and one way out, or the envelope is back.
    let outputs = kinds.iter().filter(|kind| *kind == "http").count();
    let is_pure = kinds.len() == 2 && outputs == 1;
    let output = kinds.iter().position(|kind| kind == "http");
    Ok(Http {
        binding: text(binding, &["name"]).unwrap_or_default(),
        output: output.and_then(|index| text(&bindings[index], &["name"])),
        level,
        methods,
        template: Template::parse(format!("{}/{route}", host.route_prefix).trim_matches('/'))?,
        route,
        mode: if is_pure { host.mode } else { Mode::Envelope },
    })
}

fn conflict(earlier: &[Function], function: &Function) -> Option<String> {
    let Trigger::Http(new) = &function.trigger else {
        return None;
    };
    earlier.iter().find_map(|known| {
        let Trigger::Http(old) = &known.trigger else {
            return None;
        };
        let overlap = old.methods.is_empty()
            || new.methods.is_empty()
            || old
                .methods
                .iter()
                .any(|method| new.methods.contains(method));
        (overlap && old.route.eq_ignore_ascii_case(&new.route)).then(|| {
            format!(
                "The route specified conflicts with the route defined by function '{}'.",
                known.name
            )
        })
    })
}

fn is_disabled(name: &str, config: &Value, settings: &Settings) -> bool {
    // On Linux a dot cannot be part of a setting's name.
    let keys = [
        format!("AzureWebJobs.{name}.Disabled"),
        format!("AzureWebJobs_{name}_Disabled"),
    ];
    let by_setting = settings.iter().any(|(key, value)| {
        keys.iter().any(|known| known.eq_ignore_ascii_case(key))
            && ["1", "true"].contains(&value.to_ascii_lowercase().as_str())
    });
    by_setting || get(config, &["disabled"]).and_then(Value::as_bool) == Some(true)
}

/// The binding with app settings in the place of `%NAME%`.
fn resolved(binding: &Value, settings: &Settings) -> Result<Value, String> {
    let mut binding = binding.clone();
    for value in binding
        .as_object_mut()
        .into_iter()
        .flat_map(|members| members.values_mut())
    {
        if let Value::String(text) = value {
            *text = resolve(text, settings)?;
        }
    }
    Ok(binding)
}

fn resolve(text: &str, settings: &Settings) -> Result<String, String> {
    let parts: Vec<&str> = text.split('%').collect();
    if parts.len().is_multiple_of(2) {
        return Err(format!(
            "The '%' at the end of '{text}' does not have a closing '%'."
        ));
    }
    let mut whole = String::new();
    for (index, part) in parts.iter().enumerate() {
        if index % 2 == 0 {
            whole.push_str(part);
        } else {
            let value = settings
                .get(*part)
                .ok_or_else(|| format!("'%{part}%' does not resolve to a value."))?;
            whole.push_str(value);
        }
    }
    Ok(whole)
}

/// At most 128 letters, the first of them one of the alphabet.
fn is_word(name: &str, is_letter: impl Fn(char) -> bool) -> bool {
    (1..=128).contains(&name.len())
        && name.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && name.chars().all(is_letter)
}
