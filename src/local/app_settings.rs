//! App settings in a `function.json`: `%NAME%`, and what disables a function.

use std::collections::BTreeSet;

use serde_json::Value;

use super::function_json::{Settings, Source};
use super::json::{self, get};

/// Whether a setting of the function's, the file, or the setting that the file names disables it.
pub(super) fn is_disabled(name: &str, root: &Value, settings: &Settings) -> bool {
    // On Linux a dot cannot be part of a setting's name.
    let dotted = format!("AzureWebJobs.{name}.Disabled");
    let underscored = dotted.replace('.', "_");
    let is_on = |setting: &str| {
        look_up(settings, setting)
            .is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
    };
    let by_file = match get(root, &["disabled"]) {
        Some(Value::Bool(is_disabled)) => *is_disabled,
        Some(Value::String(setting)) => is_on(setting),
        _ => false,
    };
    by_file || is_on(&dotted) || is_on(&underscored)
}

/// An app setting; the host's configuration knows no case.
fn look_up<'a>(settings: &'a Settings, name: &str) -> Option<&'a str> {
    let exact = settings.get(name);
    let any_case = || {
        let mut all = settings.iter();
        all.find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    exact.or_else(any_case).map(String::as_str)
}

/// The app settings that these bindings' texts name as `%NAME%` and that are not set here.
#[must_use]
pub fn unset(source: &Source, settings: &Settings) -> Vec<String> {
    let root = json::parse(&source.text).unwrap_or_default();
    let bindings = root.get("bindings").and_then(Value::as_array);
    let members = bindings
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .flat_map(|members| members.values());
    let names = members
        .filter_map(Value::as_str)
        .flat_map(|text| text.split('%').skip(1).step_by(2));
    let missing: BTreeSet<&str> = names
        .filter(|name| look_up(settings, name).is_none())
        .collect();
    missing.into_iter().map(str::to_owned).collect()
}

/// The binding with app settings in the place of `%NAME%`.
pub(super) fn resolved(binding: &Value, settings: &Settings) -> Result<Value, String> {
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
    let mut resolved = String::new();
    let mut parts = text.split('%');
    resolved.push_str(parts.next().unwrap_or_default());
    while let Some(name) = parts.next() {
        let Some(after) = parts.next() else {
            return Err(format!(
                "The '%' at the end of '{text}' does not have a closing '%'."
            ));
        };
        let value = look_up(settings, name)
            .ok_or_else(|| format!("'%{name}%' does not resolve to a value."))?;
        resolved.push_str(value);
        resolved.push_str(after);
    }
    Ok(resolved)
}
