//! The settings as a tree whose every value knows where it came from: a line of the file, or an app
//! setting.

use std::sync::Arc;

use litemap::LiteMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A line of the file, from 1.
    Line(usize),
    /// The file as a whole.
    File,
    /// The app setting of this name.
    Setting(Arc<str>),
}

/// A value of the tree. No `Debug`: it may be a secret.
#[derive(Clone)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it came from.
    pub source: Source,
}

/// What a node holds. Kinds that no setting has are only told apart, to name them in a problem.
#[derive(Clone)]
pub enum Value {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number that is not whole, or does not fit into 64 bits.
    OtherNumber,
    /// True or false.
    Switch(bool),
    /// A date or a time.
    Date,
    /// A list.
    List(Vec<Node>),
    /// A table.
    Table(Entries),
}

/// What a table holds, by key. Of ten thousand groups there are fifty thousand tables of two or three keys each.
pub type Entries = LiteMap<String, Node>;

impl Value {
    /// How people call what this is.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a whole number",
            Self::OtherNumber => "a number that is not whole or too large",
            Self::Switch(_) => "true or false",
            Self::Date => "a date",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

impl Node {
    /// A table without keys.
    #[must_use]
    pub const fn empty_table() -> Self {
        Self {
            value: Value::Table(Entries::new()),
            source: Source::File,
        }
    }

    /// The tree of a parsed file, which is taken apart on the way: both at once would be felt.
    #[must_use]
    pub fn from_toml(table: DeTable<'_>, lines: &Lines) -> Self {
        Self {
            value: table_value(table, lines),
            source: Source::File,
        }
    }

    /// Its entries, if it is a table.
    #[must_use]
    pub const fn table(&self) -> Option<&Entries> {
        match &self.value {
            Value::Table(entries) => Some(entries),
            _ => None,
        }
    }

    /// Its entries, if it is a table.
    pub const fn table_mut(&mut self) -> Option<&mut Entries> {
        match &mut self.value {
            Value::Table(entries) => Some(entries),
            _ => None,
        }
    }

    /// Its items, if it is a list.
    #[must_use]
    pub fn list(&self) -> Option<&[Self]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// Its text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entry of this key, if it is a table that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.table()?.get(key)
    }
}

fn table_value(table: DeTable<'_>, lines: &Lines) -> Value {
    let mut entries = Entries::with_capacity(table.len());
    for (key, value) in table {
        // A header's table is told by its header; a value by its key, which stands first.
        let line = lines.at(key.span().start);
        entries.insert(key.into_inner().into_owned(), node(value, line, lines));
    }
    Value::Table(entries)
}

fn node(value: Spanned<DeValue<'_>>, line: usize, lines: &Lines) -> Node {
    let converted = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::OtherNumber, Value::Integer),
        DeValue::Float(_) => Value::OtherNumber,
        DeValue::Boolean(on) => Value::Switch(on),
        DeValue::Datetime(_) => Value::Date,
        DeValue::Array(items) => Value::List(
            items
                .into_iter()
                .map(|item| {
                    let line = lines.at(item.span().start);
                    node(item, line, lines)
                })
                .collect(),
        ),
        DeValue::Table(table) => table_value(table, lines),
    };
    Node {
        value: converted,
        source: Source::Line(line),
    }
}

/// Finds the line of a place in a text.
#[derive(Debug)]
pub struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    /// Of this text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let starts = text.match_indices('\n').map(|(place, _)| place + 1);
        Self {
            starts: std::iter::once(0).chain(starts).collect(),
        }
    }

    /// The line, from 1, that holds this byte.
    #[must_use]
    pub fn at(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte)
    }
}

/// One place in the tree, and the way to it: what a finding is about.
#[derive(Clone, Copy)]
pub struct At<'a> {
    /// The node, or the nearest table that would hold it.
    node: &'a Node,
    up: Option<&'a At<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl<'a> At<'a> {
    /// The top of the tree.
    #[must_use]
    pub const fn root(node: &'a Node) -> Self {
        Self {
            node,
            up: None,
            step: Step::Root,
        }
    }

    /// The entry of this key. Where it is missing, findings name the key and the table's line.
    #[must_use]
    pub fn child(&'a self, key: &'a str) -> Self {
        Self {
            node: self.node.get(key).unwrap_or(self.node),
            up: Some(self),
            step: Step::Key(key),
        }
    }

    /// An item of a list.
    #[must_use]
    pub fn item(&'a self, index: usize) -> Self {
        let items = self.node.list();
        Self {
            node: items
                .and_then(|items| items.get(index))
                .unwrap_or(self.node),
            up: Some(self),
            step: Step::Index(index),
        }
    }

    /// The node that is there.
    #[must_use]
    pub const fn node(&self) -> &'a Node {
        self.node
    }

    /// Whether this table has the key.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.node.get(key).is_some()
    }

    /// Where it came from.
    #[must_use]
    pub const fn source(&self) -> &'a Source {
        &self.node.source
    }

    /// The way to it, for example `groups[0].sites[1].region`. Of what is no plain key only the beginning: a lost
    /// quotation mark makes a key of half a file, with its secrets.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = self.up.map_or_else(String::new, At::path);
        match self.step {
            Step::Root => {}
            Step::Key(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&shown(key));
            }
            Step::Index(index) => path.push_str(&format!("[{index}]")),
        }
        path
    }
}

/// The longest key that is told whole, in characters: no key of ours is as long.
const LONGEST_KEY: usize = 64;

/// A key as it is told.
fn shown(key: &str) -> String {
    let is_plain = |letter: &char| letter.is_alphanumeric() || "_-".contains(*letter);
    let plain: String = key.chars().take_while(is_plain).take(LONGEST_KEY).collect();
    if plain.len() == key.len() {
        plain
    } else {
        format!("{plain}…")
    }
}
