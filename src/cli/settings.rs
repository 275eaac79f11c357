//! `config check` and `config schema`: settings, judged without running anything.

use std::path::PathBuf;

use super::Printed;
use super::failure::Failure;
use super::render::count;
use crate::config::{self, Env, Finding};

/// Every problem and every warning of a configuration.
pub(super) fn check(file: Option<PathBuf>) -> Printed {
    let env = env();
    let path = file.unwrap_or_else(|| config::path(&env));
    let loaded = config::load(&path, &env);
    let mut text = String::new();
    for problem in &loaded.problems {
        text.push_str(&line("error", problem));
    }
    for warning in &loaded.warnings {
        text.push_str(&line("warning", warning));
    }
    let groups = count(loaded.settings.deployment.groups.len(), "group");
    if loaded.problems.is_empty() {
        text.push_str(&format!("ok: {groups}"));
        if !loaded.warnings.is_empty() {
            text.push_str(&format!(", {}", count(loaded.warnings.len(), "warning")));
        }
        text.push('\n');
        return Ok(text);
    }
    text.push_str(&format!(
        "{}, {}\n",
        count(loaded.problems.len(), "problem"),
        count(loaded.warnings.len(), "warning")
    ));
    Err(Failure::Findings(text))
}

/// The schema of the file.
pub(super) fn schema() -> Printed {
    serde_json::to_string_pretty(&config::schema())
        .map_err(|error| Failure::Failed(format!("the schema could not be written: {error}")))
}

/// App settings. A variable that is no text is none that anything here reads.
pub(super) fn env() -> Env {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// `understudy.toml:12: error: groups[0].name: ...`, which editors can jump to.
pub(super) fn line(kind: &str, finding: &Finding) -> String {
    let place = finding.line.map_or_else(
        || finding.origin.clone(),
        |line| format!("{}:{line}", finding.origin),
    );
    if finding.key.is_empty() {
        format!("{place}: {kind}: {}\n", finding.message)
    } else {
        format!("{place}: {kind}: {}: {}\n", finding.key, finding.message)
    }
}
