//! App settings over the file: `UNDERSTUDY__SECTION__KEY` sets `key` of `[section]`.

use std::sync::Arc;

use super::Env;
use super::nearest::nearest;
use super::node::{Node, Source, Value};
use super::report::Report;
use super::shape::{Shape, listed, unknown_key};

const PREFIX: &str = "UNDERSTUDY__";
const SECTIONS: [&str; 3] = ["controller", "store", "policy"];

/// Puts the app settings into the tree and reports those that set nothing. Returns the sections whose
/// app settings had problems here; what names no section may have been meant for `[policy]`.
pub fn apply(root: &mut Node, env: &Env, shape: &Shape, report: &mut Report) -> Vec<&'static str> {
    let mut hurt = Vec::new();
    for (name, text) in env {
        let upper = name.to_ascii_uppercase();
        let Some(rest) = upper.strip_prefix(PREFIX) else {
            hint_at_underscores(name, &upper, shape, report);
            continue;
        };
        let rest = rest.to_ascii_lowercase();
        match target(&rest, shape) {
            Ok((section, key, wanted)) => {
                if let Err(message) = put(root, (section, key), wanted, (name, text), report) {
                    hurt.push(section);
                    report.setting_problem(name, message);
                }
            }
            Err((section, message)) => {
                hurt.push(section);
                report.setting_problem(name, message);
            }
        }
    }
    hurt
}

type Target<'a> = (&'static str, &'a str, &'a Shape);

/// Which key an app setting sets; else the section that it aims at, and what to say.
fn target<'a>(rest: &str, shape: &'a Shape) -> Result<Target<'a>, (&'static str, String)> {
    let segments: Vec<&str> = rest.split("__").collect();
    let first = segments.first().copied().unwrap_or_default();
    if first == "groups" {
        let message = "groups are not overridden by app settings; change them in the file";
        return Err(("policy", message.to_owned()));
    }
    let Some(section) = SECTIONS.into_iter().find(|section| *section == first) else {
        let message = match nearest(first, SECTIONS) {
            Some(near) => format!("unknown section `{first}`; did you mean `{near}`?"),
            None => format!(
                "unknown section `{first}`; known are {}",
                listed(SECTIONS.into_iter())
            ),
        };
        return Err(("policy", message));
    };
    let table = shape.key(section).unwrap_or(shape);
    match segments.as_slice() {
        [_, key] => match table {
            Shape::Table { keys, .. } => keys.get_key_value(*key).map_or_else(
                || Err((section, unknown_key(key, table.known()))),
                |(key, wanted)| Ok((section, key.as_str(), wanted)),
            ),
            _ => Err((section, unknown_key(key, table.known()))),
        },
        _ => Err((
            section,
            "must be UNDERSTUDY__SECTION__KEY, with two underscores between the parts".to_owned(),
        )),
    }
}

/// Puts one into the tree.
///
/// # Errors
/// What to say where another app setting sets the same key.
fn put(
    root: &mut Node,
    (section, key): (&str, &str),
    wanted: &Shape,
    (name, text): (&str, &str),
    report: &mut Report,
) -> Result<(), String> {
    // Templates write an empty app setting where a parameter was left out.
    if text.trim().is_empty() {
        let message = "is empty, so it overrides nothing; remove it".to_owned();
        report.setting_warning(name, message);
        return Ok(());
    }
    let node = Node {
        value: convert(text, wanted),
        source: Source::Setting(Arc::from(name)),
    };
    // A section that is no table in the file is reported there.
    let entries = root.table_mut().and_then(|sections| {
        let table = sections.entry(section.to_owned());
        table.or_insert_with(Node::empty_table).table_mut()
    });
    let Some(entries) = entries else {
        return Ok(());
    };
    if let Some(Source::Setting(other)) = entries.get(key).map(|old| &old.source) {
        return Err(format!("sets the same as {other}; remove one"));
    }
    entries.insert(key.to_owned(), node);
    Ok(())
}

/// A text as the type that its key wants; left as text, and so reported, where it is not one.
fn convert(text: &str, wanted: &Shape) -> Value {
    let trimmed = text.trim();
    let converted = match wanted {
        Shape::Count { .. } => trimmed.parse().ok().map(Value::Integer),
        Shape::Switch => match trimmed.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(Value::Switch(true)),
            "false" | "0" => Some(Value::Switch(false)),
            _ => None,
        },
        Shape::Duration | Shape::Choice(_) => Some(Value::Text(trimmed.to_owned())),
        _ => None,
    };
    converted.unwrap_or_else(|| Value::Text(text.to_owned()))
}

/// `UNDERSTUDY_POLICY_HOLD` sets nothing, silently, and was surely meant to.
fn hint_at_underscores(name: &str, upper: &str, shape: &Shape, report: &mut Report) {
    let Some(rest) = upper.strip_prefix("UNDERSTUDY_") else {
        return;
    };
    let rest = rest.to_ascii_lowercase();
    let meant = SECTIONS.into_iter().find_map(|section| {
        let key = rest.strip_prefix(section)?.trim_start_matches('_');
        let table = shape.key(section)?;
        table
            .key(key)
            .is_some()
            .then(|| format!("{PREFIX}{section}__{key}"))
    });
    if let Some(meant) = meant {
        let message = format!("sets nothing; did you mean {}?", meant.to_ascii_uppercase());
        report.setting_warning(name, message);
    }
}
