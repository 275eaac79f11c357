//! Settings: a file and app settings, turned into model types with every problem named.
//!
//! | looking for | file |
//! | --- | --- |
//! | every key, its type and default | `raw`, and its JSON Schema in `schema` |
//! | from text to a tree that knows its lines | `node` |
//! | app settings over the file | `overlay` |
//! | unknown keys, wrong types, missing keys | `shape` |
//! | what makes a group good | `groups`, `accounts`, `media`, `policy` |
//! | where the record is kept | `store` |
//! | pieces that several sections have | `pieces` |
//! | the order of all this, and what a broken file leaves | `load` |
//! | durations, schedules, URLs | `duration`, `schedule`, `urls` |

mod accounts;
pub mod duration;
mod groups;
mod load;
mod media;
mod nearest;
mod node;
mod overlay;
mod pieces;
mod policy;
pub mod raw;
mod reading;
mod report;
pub mod schedule;
mod schema;
mod shape;
mod store;
mod urls;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::model::deployment::Settings;

pub use load::{load, load_bytes};
pub use schema::schema;

/// App settings: the environment's variables.
pub type Env = BTreeMap<String, String>;

/// One thing that is wrong, or unwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file, or the app setting's name.
    pub origin: String,
    /// The line in the file, from 1.
    pub line: Option<usize>,
    /// The key, for example `groups[0].sites[1].region`. Empty where it is about the file or the app
    /// setting as a whole.
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Finding {
    /// `file:line: key: message`, without what is not known.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.origin)?;
        if let Some(line) = self.line {
            write!(formatter, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(formatter, ": {}", self.key)?;
        }
        write!(formatter, ": {}", self.message)
    }
}

/// What was read.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings, as far as they are good.
    pub settings: Settings,
    /// What is wrong.
    pub problems: Vec<Finding>,
    /// What is unwise.
    pub warnings: Vec<Finding>,
}

/// What a look at the settings found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What is wrong, in the order of the file, app settings last.
    pub problems: Vec<Finding>,
    /// What is unwise, in the same order.
    pub warnings: Vec<Finding>,
}

/// The file that is read: `UNDERSTUDY_CONFIG`, else `understudy.toml` in the working directory.
#[must_use]
pub fn path(env: &Env) -> PathBuf {
    env.get("UNDERSTUDY_CONFIG")
        .filter(|path| !path.is_empty())
        .map_or_else(|| PathBuf::from("understudy.toml"), PathBuf::from)
}

/// Everything that is wrong or unwise in the file and the app settings, at once.
#[must_use]
pub fn check(path: &Path, env: &Env) -> Checked {
    let loaded = load(path, env);
    Checked {
        problems: loaded.problems,
        warnings: loaded.warnings,
    }
}
