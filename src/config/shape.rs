//! The form of the settings: known keys, types, choices, ranges. Taken from the JSON Schema, so that
//! what is checked is what the schema says.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::duration;
use super::nearest::nearest;
use super::node::{At, Entries, Node, Value};
use super::report::{Report, shown};

/// The form that a value must have.
#[derive(Debug, Clone)]
pub enum Shape {
    /// A table with these keys and no others.
    Table {
        /// The form of each key's value.
        keys: BTreeMap<String, Shape>,
        /// Which keys must be there.
        required: Vec<String>,
    },
    /// A list of such items.
    List(Box<Shape>),
    /// One of these texts.
    Choice(Vec<String>),
    /// A duration.
    Duration,
    /// Any text.
    Text,
    /// A whole number in this range.
    Count {
        /// The smallest.
        least: i64,
        /// The largest.
        most: i64,
    },
    /// True or false.
    Switch,
    /// The schema says nothing that is checked here.
    Anything,
}

impl Shape {
    /// What a JSON Schema asks for. Understands what [`super::schema::schema`] produces.
    #[must_use]
    pub fn of(schema: &Json) -> Self {
        let choices: Vec<String> = (schema.get("oneOf").and_then(Json::as_array))
            .into_iter()
            .flatten()
            .filter_map(|choice| choice.get("const")?.as_str().map(str::to_owned))
            .collect();
        if !choices.is_empty() {
            return Self::Choice(choices);
        }
        let format = schema.get("format").and_then(Json::as_str);
        match schema.get("type").and_then(Json::as_str) {
            Some("object") => Self::table(schema),
            Some("array") => Self::List(Box::new(
                schema.get("items").map_or(Self::Anything, Self::of),
            )),
            Some("string") if format == Some(duration::FORMAT) => Self::Duration,
            Some("string") => Self::Text,
            Some("integer") => Self::Count {
                least: schema.get("minimum").and_then(Json::as_i64).unwrap_or(0),
                most: (schema.get("maximum").and_then(Json::as_i64)).unwrap_or(i64::from(u32::MAX)),
            },
            Some("boolean") => Self::Switch,
            _ => Self::Anything,
        }
    }

    fn table(schema: &Json) -> Self {
        let keys = schema.get("properties").and_then(Json::as_object);
        let required = schema.get("required").and_then(Json::as_array);
        Self::Table {
            keys: (keys.into_iter().flatten())
                .map(|(key, value)| (key.clone(), Self::of(value)))
                .collect(),
            required: (required.into_iter().flatten())
                .filter_map(|key| key.as_str().map(str::to_owned))
                .collect(),
        }
    }

    /// The form of a key's value, if this is a table that knows it.
    #[must_use]
    pub fn key(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Table { keys, .. } => keys.get(key),
            _ => None,
        }
    }

    /// The form of the items, if this is a list.
    #[must_use]
    pub fn items(&self) -> Option<&Self> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The known keys, if this is a table.
    pub fn known(&self) -> impl Iterator<Item = &str> + Clone {
        let keys = match self {
            Self::Table { keys, .. } => Some(keys),
            _ => None,
        };
        keys.into_iter()
            .flat_map(|keys| keys.keys().map(String::as_str))
    }

    /// What is wanted, for people.
    fn wanted(&self) -> String {
        match self {
            Self::Table { .. } => "a table".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Choice(choices) => {
                format!("one of {}", listed(choices.iter().map(String::as_str)))
            }
            Self::Duration => "a duration such as \"90s\"".to_owned(),
            Self::Text => "a text in quotes".to_owned(),
            Self::Count { least, most } if *most == i64::from(u32::MAX) => {
                format!("a whole number from {least}")
            }
            Self::Count { least, most } => format!("a whole number from {least} to {most}"),
            Self::Switch => "true or false".to_owned(),
            Self::Anything => "a value".to_owned(),
        }
    }
}

/// Names in quotes, with commas.
pub fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Checks a value against its form and reports what is wrong. Yields what is right of it, ready for
/// the structures of [`super::raw`].
pub fn check(at: At<'_>, shape: &Shape, report: &mut Report) -> Option<Json> {
    let node = at.node();
    match (shape, &node.value) {
        (Shape::Table { keys, required }, Value::Table(entries)) => {
            Some(table(at, keys, required, entries, report))
        }
        (Shape::List(items), Value::List(nodes)) => {
            let checked = (0..nodes.len())
                .map(|index| check(at.item(index), items, report))
                .collect::<Vec<_>>();
            // An item that is wrong keeps its place, so that indexes stay those of the file.
            let blank = match **items {
                Shape::Table { .. } => Some(Json::Object(Map::new())),
                _ => None,
            };
            Some(
                checked
                    .into_iter()
                    .filter_map(|item| item.or(blank.clone()))
                    .collect(),
            )
        }
        (Shape::Choice(choices), Value::Text(text)) => {
            if choices.contains(text) {
                return Some(text.as_str().into());
            }
            report.problem(at, wrong_choice(text, choices, shape));
            None
        }
        (Shape::Duration, Value::Text(text)) => match duration::parse(text) {
            Ok(_) => Some(text.as_str().into()),
            Err(message) => {
                report.problem(at, message);
                None
            }
        },
        (Shape::Text, Value::Text(text)) => Some(text.as_str().into()),
        (Shape::Count { least, most }, Value::Integer(number)) => {
            if (*least..=*most).contains(number) {
                return Some((*number).into());
            }
            report.problem(
                at,
                format!("{number} is out of range: write {}", shape.wanted()),
            );
            None
        }
        (Shape::Switch, Value::Switch(on)) => Some((*on).into()),
        (Shape::Anything, _) => None,
        _ => {
            report.problem(at, wrong_type(node, shape));
            None
        }
    }
}

fn table(
    at: At<'_>,
    keys: &BTreeMap<String, Shape>,
    required: &[String],
    entries: &Entries,
    report: &mut Report,
) -> Json {
    let mut good = Map::new();
    for key in entries.keys() {
        let here = at.child(key);
        match keys.get(key) {
            Some(shape) => {
                if let Some(value) = check(here, shape, report) {
                    good.insert(key.clone(), value);
                }
            }
            None => report.problem(here, unknown_key(key, keys.keys().map(String::as_str))),
        }
    }
    for key in required.iter().filter(|key| !entries.contains_key(*key)) {
        report.problem(at.child(key), "is missing".to_owned());
    }
    Json::Object(good)
}

/// What to say of a key that nobody knows.
pub fn unknown_key<'a>(key: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(key, known.clone()) {
        Some(near) => format!("unknown key; did you mean `{near}`?"),
        None => format!("unknown key; known here are {}", listed(known)),
    }
}

fn wrong_choice(text: &str, choices: &[String], shape: &Shape) -> String {
    let said = format!("{} is not {}", shown(text), shape.wanted());
    match nearest(text, choices.iter().map(String::as_str)) {
        Some(near) => format!("{said}; did you mean `{near}`?"),
        None => said,
    }
}

fn wrong_type(node: &Node, shape: &Shape) -> String {
    let hint = match (shape, &node.value) {
        (Shape::Duration, Value::Integer(number)) => format!("; did you mean \"{number}s\"?"),
        (Shape::List(_), Value::Table(_)) => "; write its header in double brackets".to_owned(),
        (Shape::Table { .. }, Value::List(_)) => "; write its header in single brackets".to_owned(),
        _ => String::new(),
    };
    format!(
        "must be {}, not {}{hint}",
        shape.wanted(),
        node.value.kind()
    )
}
