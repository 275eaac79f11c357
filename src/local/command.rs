//! The handler's command line and environment, as the host makes them from `customHandler.description`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::host_json::HostJson;

/// What the host starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// The program: a file below the script root, or a name to be looked up on `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Where it runs.
    pub directory: PathBuf,
}

/// What the host adds to its own environment for the handler. The id is new with every process.
#[must_use]
pub fn variables(root: &Path, port: u16, id: &str) -> [(&'static str, String); 5] {
    [
        ("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string()),
        ("FUNCTIONS_HTTPWORKER_PORT", port.to_string()),
        ("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", id.to_owned()),
        ("FUNCTIONS_HTTPWORKER_ID", id.to_owned()),
        (
            "FUNCTIONS_APP_ROOT_PATH",
            root.to_string_lossy().into_owned(),
        ),
    ]
}

/// What is started for this script root with this environment.
#[must_use]
pub fn of(root: &Path, host: &HostJson, environment: &BTreeMap<String, String>) -> CommandLine {
    let below = |folder: &Option<String>| match folder {
        Some(folder) => root.join(folder),
        None => root.to_owned(),
    };
    let executable = expand(&host.executable, environment);
    let joined = below(&host.worker_directory).join(&executable);
    CommandLine {
        // Used only if it is there; else the bare name is looked up on PATH.
        program: if joined.is_file() {
            joined
        } else {
            PathBuf::from(executable)
        },
        arguments: words(&expand(&host.arguments, environment)),
        directory: below(&host.working_directory),
    }
}

/// Variables in the place of `%NAME%`; what is not set goes.
#[must_use]
pub fn expand(text: &str, environment: &BTreeMap<String, String>) -> String {
    let parts: Vec<&str> = text.split('%').collect();
    if parts.len().is_multiple_of(2) {
        return text.to_owned();
    }
    let part = |(index, part): (usize, &&str)| {
        if index % 2 == 0 {
            (*part).to_owned()
        } else {
            environment.get(*part).cloned().unwrap_or_default()
        }
    };
    parts.iter().enumerate().map(part).collect()
}

/// A line's words: spaces part them, double quotes group, single ones do not.
#[must_use]
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            ' ' if !is_quoted => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}
