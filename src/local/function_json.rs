//! The function folders: which functions there are, what starts them, and why one is not loaded.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::host_json::get;
use super::schedule::Schedule;

/// One function that the host loads.
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

/// An `httpTrigger` binding, with its `http` output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTrigger {
    /// The route below the prefix; the function's name unless given.
    pub route: String,
    /// Upper case; empty means every method.
    pub methods: Vec<String>,
}

/// A `function.json` with the name of its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The folder's name.
    pub name: String,
    /// The file's text.
    pub text: String,
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

fn find_in(folder: &Path) -> Result<Vec<Source>, String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let file = entry.path().join("function.json");
        if !file.is_file() {
            continue;
        }
        let text = std::fs::read_to_string(&file)
            .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
        found.push(Source {
            name: entry.file_name().to_string_lossy().into_owned(),
            text,
        });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Reads one `function.json`. `None` when an app setting or the file itself disables it.
///
/// # Errors
/// Why the host would not load this function; the others are not harmed.
pub fn read(
    source: &Source,
    settings: &BTreeMap<String, String>,
) -> Result<Option<Function>, String> {
    let Source { name, text } = source;
    if !name_is_good(name) {
        return Err(format!("\"{name}\" is no name for a function"));
    }
    let root: Value =
        serde_json::from_str(text).map_err(|error| format!("not valid JSON: {error}"))?;
    if disabled(name, &root, settings) {
        return Ok(None);
    }
    let bindings = get(&root, &["bindings"])
        .and_then(Value::as_array)
        .ok_or("it has no \"bindings\"")?;
    let trigger = bindings
        .iter()
        .find(|binding| {
            text_at(binding, "type")
                .to_ascii_lowercase()
                .ends_with("trigger")
        })
        .ok_or("no binding is a trigger")?;
    let binding = text_at(trigger, "name");
    if !binding_name_is_good(binding) {
        return Err(format!(
            "\"{binding}\" is no name for a binding: letters and digits only"
        ));
    }
    let trigger = match text_at(trigger, "type").to_ascii_lowercase().as_str() {
        "timertrigger" => Trigger::Timer(timer(binding, trigger, settings)?),
        "httptrigger" => Trigger::Http(http(name, trigger, bindings, settings)?),
        other => return Err(format!("its trigger \"{other}\" needs the real host")),
    };
    Ok(Some(Function {
        name: name.clone(),
        trigger,
    }))
}

fn timer(
    binding: &str,
    trigger: &Value,
    settings: &BTreeMap<String, String>,
) -> Result<Timer, String> {
    Ok(Timer {
        binding: binding.to_owned(),
        schedule: Schedule::parse(&resolve(text_at(trigger, "schedule"), settings)?)?,
        run_on_startup: flag_at(trigger, "runOnStartup", false),
        use_monitor: flag_at(trigger, "useMonitor", true),
    })
}

fn http(
    name: &str,
    trigger: &Value,
    bindings: &[Value],
    settings: &BTreeMap<String, String>,
) -> Result<HttpTrigger, String> {
    // Only "HTTP in and out" is proxied: any other binding brings the envelope back.
    let outputs: Vec<&str> = bindings
        .iter()
        .filter(|binding| text_at(binding, "direction").eq_ignore_ascii_case("out"))
        .map(|binding| text_at(binding, "type"))
        .collect();
    let pure = bindings.len() == 2
        && matches!(outputs.as_slice(), [output] if output.eq_ignore_ascii_case("http"));
    if !pure {
        return Err(
            "an HTTP function needs exactly one trigger and one \"http\" output to be proxied"
                .to_owned(),
        );
    }
    let route = resolve(text_at(trigger, "route"), settings)?;
    let route = route.trim_matches('/');
    if ["admin", "runtime"]
        .iter()
        .any(|word| route.to_ascii_lowercase().starts_with(word))
    {
        return Err(format!(
            "the route \"{route}\" conflicts with the host's own routes"
        ));
    }
    Ok(HttpTrigger {
        route: if route.is_empty() {
            name.to_owned()
        } else {
            route.to_owned()
        },
        methods: get(trigger, &["methods"])
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_ascii_uppercase)
            .collect(),
    })
}

fn disabled(name: &str, root: &Value, settings: &BTreeMap<String, String>) -> bool {
    let dotted = format!("AzureWebJobs.{name}.Disabled");
    let underscored = dotted.replace('.', "_");
    let by_setting = settings.iter().any(|(key, value)| {
        (key.eq_ignore_ascii_case(&dotted) || key.eq_ignore_ascii_case(&underscored))
            && (value.eq_ignore_ascii_case("true") || value == "1")
    });
    by_setting || flag_at(root, "disabled", false)
}

/// Puts app settings in the place of `%NAME%`; the host disables a function that names one that is not set.
fn resolve(text: &str, settings: &BTreeMap<String, String>) -> Result<String, String> {
    let mut resolved = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        let Some((name, tail)) = after.split_once('%') else {
            break;
        };
        let value = settings
            .get(name)
            .ok_or_else(|| format!("'%{name}%' does not resolve to a value"))?;
        resolved.push_str(before);
        resolved.push_str(value);
        rest = tail;
    }
    resolved.push_str(rest);
    Ok(resolved)
}

fn text_at<'a>(value: &'a Value, key: &str) -> &'a str {
    get(value, &[key])
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn flag_at(value: &Value, key: &str, default: bool) -> bool {
    get(value, &[key])
        .and_then(Value::as_bool)
        .unwrap_or(default)
}

fn name_is_good(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'))
        && !name.eq_ignore_ascii_case("host")
}

fn binding_name_is_good(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(
        name: &str,
        text: &str,
        settings: &[(&str, &str)],
    ) -> Result<Option<Function>, String> {
        let settings = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        read(
            &Source {
                name: name.to_owned(),
                text: text.to_owned(),
            },
            &settings,
        )
    }

    const TIMER: &str = r#"{"bindings":[{"type":"timerTrigger","direction":"in","name":"timer",
        "schedule":"%WHEN%","useMonitor":false}]}"#;
    const HTTP: &str = r#"{"bindings":[
        {"type":"httpTrigger","direction":"in","name":"req","methods":["get"],"route":"/groups/{group}/active"},
        {"type":"http","direction":"out","name":"res"}]}"#;

    #[test]
    fn a_timer_takes_its_schedule_from_an_app_setting() {
        let function = read_text("HealthCheck", TIMER, &[("WHEN", "*/2 * * * * *")])
            .unwrap()
            .unwrap();
        let Trigger::Timer(timer) = function.trigger else {
            panic!("a timer")
        };
        assert_eq!(timer.binding, "timer");
        assert!(!timer.use_monitor && !timer.run_on_startup);
        let error = read_text("HealthCheck", TIMER, &[]).unwrap_err();
        assert!(error.contains("'%WHEN%' does not resolve"), "{error}");
    }

    #[test]
    fn an_http_function_has_one_way_in_and_one_out() {
        let function = read_text("Active", HTTP, &[]).unwrap().unwrap();
        let Trigger::Http(http) = function.trigger else {
            panic!("http")
        };
        assert_eq!(
            http,
            HttpTrigger {
                route: "groups/{group}/active".to_owned(),
                methods: vec!["GET".to_owned()]
            }
        );
        let without_output =
            r#"{"bindings":[{"type":"httpTrigger","direction":"in","name":"req"}]}"#;
        assert!(
            read_text("Active", without_output, &[])
                .unwrap_err()
                .contains("one \"http\" output")
        );
        let reserved = HTTP.replace("/groups/{group}/active", "administrators");
        assert!(
            read_text("Active", &reserved, &[])
                .unwrap_err()
                .contains("conflicts")
        );
    }

    #[test]
    fn settings_disable_a_function() {
        for key in [
            "AzureWebJobs.Active.Disabled",
            "AzureWebJobs_Active_Disabled",
        ] {
            assert!(
                read_text("Active", HTTP, &[(key, "true")])
                    .unwrap()
                    .is_none(),
                "{key}"
            );
        }
        assert!(
            read_text("Active", HTTP, &[("AzureWebJobs.Groups.Disabled", "true")])
                .unwrap()
                .is_some()
        );
    }

    #[test]
    fn names_are_the_hosts() {
        assert!(read_text("host", HTTP, &[]).is_err());
        assert!(read_text("9lives", HTTP, &[]).is_err());
        assert!(read_text("Active", &HTTP.replace("\"req\"", "\"my_req\""), &[]).is_err());
    }
}
