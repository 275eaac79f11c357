//! Settings: every rule with its exact message and line, what a broken file leaves, app settings, the
//! schema, and that nothing crashes the reader.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "config/files.rs"]
mod files;
#[path = "config/fuzz.rs"]
mod fuzz;
#[path = "config/media.rs"]
mod media;
#[path = "config/overrides.rs"]
mod overrides;
#[path = "config/rules.rs"]
mod rules;
#[path = "config/schema.rs"]
mod schema;
#[path = "config/store.rs"]
mod store;
#[path = "config/values.rs"]
mod values;

use understudy::config::{Env, Finding, Loaded, load};

/// A group that is good, for tests of something else.
pub const GROUP: &str = r#"
[[groups]]
name = "contoso"
  [[groups.sites]]
  region = "westeurope"
    [[groups.sites.http]]
    name = "captions"
    url = "https://weu.example.com/health"
  [[groups.sites]]
  region = "northeurope"
    [[groups.sites.http]]
    name = "captions"
    url = "https://neu.example.com/health"
"#;

/// A store that is good, for the same.
pub const STORE: &str = "[store]\nkind = \"embedded\"\n";

/// App settings.
pub fn env(pairs: &[(&str, &str)]) -> Env {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// Loads this text from a file, with these app settings.
pub fn load_with(text: impl AsRef<[u8]>, settings: &[(&str, &str)]) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("understudy.toml");
    std::fs::write(&path, text).unwrap();
    let mut loaded = load(&path, &env(settings));
    let shown = path.display().to_string();
    for finding in loaded.problems.iter_mut().chain(&mut loaded.warnings) {
        finding.origin = finding.origin.replace(&shown, "understudy.toml");
    }
    let problems = &mut loaded.settings.deployment.problems;
    for line in problems {
        *line = line.replace(&shown, "understudy.toml");
    }
    loaded
}

/// Loads this text without app settings.
pub fn load_text(text: impl AsRef<[u8]>) -> Loaded {
    load_with(text, &[])
}

/// Findings as they are shown, without the file's name: `3: policy.hold: …`.
pub fn lines(findings: &[Finding]) -> Vec<String> {
    findings
        .iter()
        .map(|finding| {
            let line = finding.to_string();
            let line = line.strip_prefix("understudy.toml").unwrap_or(&line);
            line.trim_start_matches([':', ' ']).to_owned()
        })
        .collect()
}

/// The names of the groups that are served.
pub fn good(loaded: &Loaded) -> Vec<&str> {
    (loaded.settings.deployment.groups.keys())
        .map(|name| name.as_str())
        .collect()
}
