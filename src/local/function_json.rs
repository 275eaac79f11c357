//! The function folders: which functions there are, what starts them, and why the host would not load one.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::Value;

use super::app_settings::{is_disabled, resolved};
use super::host_json::HostJson;
use super::json::{self, flag, list, text};
use super::retry::Retry;
use super::route::RouteTable;
use super::schedule::Schedule;

/// App settings.
pub type Settings = BTreeMap<String, String>;

/// The bindings that the host has built in, without an extension bundle; and of these the triggers.
const KINDS: [&str; 5] = [
    "http",
    "httptrigger",
    "manualtrigger",
    "timertrigger",
    "warmuptrigger",
];

/// One function that the host loads.
#[derive(Debug, Clone)]
pub struct Function {
    /// The folder's name.
    pub name: String,
    /// What starts it.
    pub trigger: Trigger,
    /// When a failed run is tried again: its own policy, or `host.json`'s.
    pub retry: Option<Retry>,
}

/// What starts a function.
#[derive(Debug, Clone)]
pub enum Trigger {
    /// A schedule.
    Timer(Timer),
    /// A request.
    Http(HttpTrigger),
}

/// A `timerTrigger` binding.
#[derive(Debug, Clone)]
pub struct Timer {
    /// The binding's name: the key in the envelope's `Data`.
    pub binding: String,
    /// When it fires.
    pub schedule: Schedule,
    /// Fires once when the host starts.
    pub run_on_startup: bool,
    /// Asks for `ScheduleStatus`; the host gives it only to schedules of a minute or slower.
    pub use_monitor: bool,
}

impl Timer {
    /// Whether a host that starts now keeps a `ScheduleStatus`.
    #[must_use]
    pub fn is_monitored(&self, now: Timestamp) -> bool {
        self.use_monitor && self.schedule.can_be_monitored(now)
    }
}

/// An `httpTrigger` binding, with its `http` output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTrigger {
    /// The binding's name: the key in an envelope's `Data`.
    pub binding: String,
    /// The `http` output, if there is one.
    pub output: Option<Output>,
    /// Who may call it.
    pub level: Level,
    /// The route below the prefix; the function's name unless given.
    pub route: String,
    /// Upper case; empty means every method.
    pub methods: Vec<String>,
    /// Exactly one way in and one `http` way out. Any other gets the envelope, whatever `host.json` says.
    pub is_pure: bool,
}

/// An output binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its name: the key in the answer's `Outputs`; `$return` for `ReturnValue`.
    pub name: String,
    /// `"dataType": "binary"`: the host does not guess at base64.
    pub is_binary: bool,
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

/// A `function.json` with the name of its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The folder's name.
    pub name: String,
    /// The file's text.
    pub text: String,
    /// The folder, where it is on a disk: a `scriptFile` must be there.
    pub folder: Option<PathBuf>,
}

impl Source {
    /// One that is on no disk.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Self {
        Self {
            name: name.to_owned(),
            text: text.to_owned(),
            folder: None,
        }
    }
}

/// The functions of an app.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Those that are loaded, in the order of their names, in which their routes are tried.
    pub functions: Vec<Function>,
    /// The routes of those with HTTP triggers.
    pub routes: RouteTable,
    /// Those that a setting or their file disables.
    pub disabled: Vec<String>,
    /// Why others are not loaded, by name; they do no harm to the rest.
    pub errors: BTreeMap<String, String>,
}

/// Finds the function folders: `functions/*` of a checkout, else the direct sub-folders, as in a package.
///
/// # Errors
/// A line for people when a file that is there cannot be read, or when there is none.
pub fn find(root: &Path) -> Result<Vec<Source>, String> {
    for folder in [root.join("functions"), root.to_owned()] {
        let found = find_in(&folder)?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Err(format!(
        "no functions/*/function.json in {}: run this in the checkout's folder, or in a packaged app",
        root.display()
    ))
}

/// The direct sub-folders that have a `function.json`; the host looks nowhere else.
///
/// # Errors
/// A line for people when a file that is there cannot be read.
pub fn find_in(folder: &Path) -> Result<Vec<Source>, String> {
    let told =
        |path: &Path, error: &std::io::Error| format!("{} cannot be read: {error}", path.display());
    let is_none = |error: &std::io::Error| {
        matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if is_none(&error) => return Ok(Vec::new()),
        Err(error) => return Err(told(folder, &error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| told(folder, &error))?;
        let file = entry.path().join("function.json");
        match file.metadata() {
            Ok(kind) if kind.is_file() => {}
            Ok(_) => continue,
            Err(error) if is_none(&error) => continue,
            Err(error) => return Err(told(&file, &error)),
        }
        let text = std::fs::read_to_string(&file).map_err(|error| told(&file, &error))?;
        found.push(Source {
            name: entry.file_name().to_string_lossy().into_owned(),
            text,
            folder: Some(entry.path()),
        });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Reads all of them.
///
/// # Errors
/// What stops the whole host, in a line for people.
pub fn load(sources: &[Source], host: &HostJson, settings: &Settings) -> Result<Loaded, String> {
    if host.has_routes {
        return Err("host.json has customHandler.http.routes (or a profile with them) beside function.json files: keep one of the two. The host: \"Detected both function.json files and custom handler HTTP route configuration\"".to_owned());
    }
    let is_allowed = |name: &str| match &host.allowed {
        None => true,
        Some(allowed) => allowed
            .iter()
            .any(|listed| listed.eq_ignore_ascii_case(name)),
    };
    let mut sources: Vec<&Source> = sources
        .iter()
        .filter(|source| is_allowed(&source.name))
        .collect();
    sources.sort_by_key(|source| source.name.to_lowercase());
    let mut loaded = Loaded::default();
    for source in sources {
        let function = match read(source, host, settings) {
            Ok(Some(function)) => function,
            Ok(None) => {
                loaded.disabled.push(source.name.clone());
                continue;
            }
            Err(why) => {
                loaded.errors.insert(source.name.clone(), why);
                continue;
            }
        };
        if let Trigger::Http(http) = &function.trigger
            && let Err(why) = loaded.routes.add(
                &function.name,
                &host.route_prefix,
                &http.route,
                &http.methods,
            )
        {
            loaded.errors.insert(function.name, why);
            continue;
        }
        loaded.functions.push(function);
    }
    Ok(loaded)
}

/// Reads one `function.json`. `None` when an app setting or the file itself disables it.
///
/// # Errors
/// Why the host would not load this function, in a line for people.
pub fn read(
    source: &Source,
    host: &HostJson,
    settings: &Settings,
) -> Result<Option<Function>, String> {
    let Source { name, text, folder } = source;
    let is_name = is_word(name, |letter| {
        letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_')
    });
    if !is_name || name.eq_ignore_ascii_case("host") {
        return Err(format!("'{name}' is not a valid function name."));
    }
    let root = json::parse(text).map_err(|error| {
        format!("not valid JSON: {error}. The host: \"Unable to parse function.json\"")
    })?;
    if is_disabled(name, &root, settings) {
        return Ok(None);
    }
    // These three are read in this case only.
    let script = root.get("scriptFile").and_then(Value::as_str);
    if let (Some(folder), Some(script)) = (folder, script)
        && !folder.join(script).exists()
    {
        return Err(format!(
            "there is no {script}. The host: \"Invalid script file name configuration.\""
        ));
    }
    let bindings = root
        .get("bindings")
        .and_then(Value::as_array)
        .filter(|bindings| !bindings.is_empty())
        .ok_or("it has no \"bindings\". The host: \"At least one binding must be declared.\"")?;
    let own = root.get("retry").filter(|retry| !retry.is_null());
    let retry = own.map(Retry::read).transpose()?.or(host.retry.clone());
    Ok(Some(Function {
        name: name.clone(),
        trigger: trigger(name, bindings, host, settings)?,
        retry,
    }))
}

fn trigger(
    name: &str,
    bindings: &[Value],
    host: &HostJson,
    settings: &Settings,
) -> Result<Trigger, String> {
    let kinds = check_bindings(bindings, host)?;
    let triggers: Vec<usize> = (0..kinds.len())
        .filter(|index| kinds[*index].ends_with("trigger"))
        .collect();
    let [index] = triggers.as_slice() else {
        return Err(format!(
            "{} of its bindings are triggers: a function has exactly one",
            triggers.len()
        ));
    };
    let binding = resolved(&bindings[*index], settings)?;
    match kinds[*index].as_str() {
        "timertrigger" => timer(&binding).map(Trigger::Timer),
        "httptrigger" => http(name, &binding, bindings, &kinds).map(Trigger::Http),
        other => Err(format!("its trigger {other} needs the real host")),
    }
}

/// The bindings' types in small letters.
fn check_bindings(bindings: &[Value], host: &HostJson) -> Result<Vec<String>, String> {
    let mut names = BTreeSet::new();
    let mut kinds = Vec::new();
    for binding in bindings {
        let name = text(binding, &["name"]).unwrap_or_default();
        let kind = text(binding, &["type"])
            .unwrap_or_default()
            .to_ascii_lowercase();
        let direction = text(binding, &["direction"]).unwrap_or_else(|| "in".to_owned());
        if !is_word(&name, |letter| letter.is_ascii_alphanumeric()) && name != "$return" {
            return Err(format!(
                "The binding name {name} is invalid. Letters and digits only, a letter first"
            ));
        }
        if !names.insert(name.to_ascii_lowercase()) {
            return Err(format!(
                "Multiple bindings named '{name}' discovered. Binding names must be unique."
            ));
        }
        if !KINDS.contains(&kind.as_str()) {
            return Err(match host.has_bundle {
                true => format!("bindings of type '{kind}' need the real host"),
                false => format!(
                    "The binding type(s) '{kind}' are not registered: host.json has no extensionBundle"
                ),
            });
        }
        let wanted = if kind.ends_with("trigger") {
            "in"
        } else {
            "out"
        };
        if !direction.eq_ignore_ascii_case(wanted) {
            return Err(format!(
                "the binding {name} of type {kind} has direction {direction}, not {wanted}"
            ));
        }
        kinds.push(kind);
    }
    Ok(kinds)
}

fn timer(binding: &Value) -> Result<Timer, String> {
    Ok(Timer {
        binding: text(binding, &["name"]).unwrap_or_default(),
        schedule: Schedule::parse(&text(binding, &["schedule"]).unwrap_or_default())?,
        run_on_startup: flag(binding, &["runOnStartup"], false)?,
        use_monitor: flag(binding, &["useMonitor"], true)?,
    })
}

fn http(
    name: &str,
    binding: &Value,
    bindings: &[Value],
    kinds: &[String],
) -> Result<HttpTrigger, String> {
    let route = text(binding, &["route"]).unwrap_or_default();
    let route = route.trim_matches('/');
    let lower = route.to_ascii_lowercase();
    if ["admin", "runtime"]
        .iter()
        .any(|word| lower.starts_with(word))
    {
        return Err(format!(
            "the route \"{route}\": The specified route conflicts with one or more built in routes."
        ));
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
                "authLevel is \"{other}\": anonymous, function or admin. The host: \"Error converting value to type AuthorizationLevel\""
            ));
        }
    };
    let outputs: Vec<&Value> = bindings
        .iter()
        .zip(kinds)
        .filter(|(_, kind)| *kind == "http")
        .map(|(binding, _)| binding)
        .collect();
    Ok(HttpTrigger {
        binding: text(binding, &["name"]).unwrap_or_default(),
        output: outputs.first().map(|output| Output {
            name: text(output, &["name"]).unwrap_or_default(),
            is_binary: text(output, &["dataType"])
                .is_some_and(|kind| kind.eq_ignore_ascii_case("binary")),
        }),
        level,
        route: if route.is_empty() { name } else { route }.to_owned(),
        methods: list(binding, &["methods"])?
            .unwrap_or_default()
            .iter()
            .map(|method| method.to_ascii_uppercase())
            .collect(),
        is_pure: bindings.len() == 2 && outputs.len() == 1,
    })
}

/// At most 128 letters, the first of them one of the alphabet.
fn is_word(name: &str, is_letter: impl Fn(char) -> bool) -> bool {
    (1..=128).contains(&name.len())
        && name.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && name.chars().all(is_letter)
}
