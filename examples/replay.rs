//! Replays real bodies of Azure through the code that reads and matches them: `cargo run --example replay --
//! FOLDER`. The folder's layout is `alerts/**.json`; what each body must become stands in `replay.txt` beside
//! this file. Fails for a body that is misjudged, and for one that the table does not know.

#[path = "replay/bodies.rs"]
mod bodies;
#[path = "replay/groups.rs"]
mod groups;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use understudy::adapters::alert;
use understudy::decision::alert::{Told, trim};
use understudy::model::signal::{SignalKind, SignalStage};
use understudy::model::spec::GroupSpec;

const TABLE: &str = include_str!("replay.txt");

/// One row of the table.
struct Row<'a> {
    file: &'a str,
    sent_as: &'a str,
    schema: &'a str,
    kind: &'a str,
    stage: &'a str,
    worth: &'a str,
    sites: Vec<&'a str>,
}

impl<'a> Row<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [file, sent_as, schema, kind, stage, worth, sites] = cells.as_slice() else {
            return None;
        };
        Some(Self {
            file,
            sent_as,
            schema,
            kind,
            stage,
            worth,
            sites: sites
                .split_whitespace()
                .filter(|site| *site != "-")
                .collect(),
        })
    }
}

fn main() -> ExitCode {
    let Some(folder) = std::env::args().nth(1).map(PathBuf::from) else {
        eprintln!("which folder? cargo run --example replay -- FOLDER");
        return ExitCode::from(2);
    };
    let folder = folder.join("alerts");
    let mut failures = Vec::new();
    let mut rows = Vec::new();
    for line in TABLE.lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match Row::read(line) {
            Some(row) => rows.push(row),
            None => failures.push(format!("not a row of seven cells: {line}")),
        }
    }
    let files: BTreeSet<String> = json_files(&folder)
        .iter()
        .map(|file| {
            file.strip_prefix(&folder)
                .unwrap_or(file)
                .display()
                .to_string()
        })
        .collect();
    for file in files
        .iter()
        .filter(|file| rows.iter().all(|row| row.file != *file))
    {
        failures.push(format!(
            "{file}: not in the table: say in examples/replay.txt what it must become"
        ));
    }
    let groups = groups::all();
    for row in &rows {
        match judge(&folder, row, &groups) {
            Ok(line) => println!("{} {}: {line}", row.file, row.sent_as),
            Err(problem) => failures.push(format!("{} {}: {problem}", row.file, row.sent_as)),
        }
    }
    for failure in &failures {
        println!("FAILED: {failure}");
    }
    println!(
        "{} bodies, {} readings, {} wrong",
        files.len(),
        rows.len(),
        failures.len()
    );
    if failures.is_empty() && !files.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Reads one body, and compares everything that the table says of it.
fn judge(folder: &Path, row: &Row<'_>, groups: &[GroupSpec]) -> Result<String, String> {
    let text = std::fs::read_to_string(folder.join(row.file)).map_err(|error| error.to_string())?;
    let body = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let body = bodies::sent_as(body, row.sent_as)?;
    let now = Timestamp::now();
    let mut alert = match alert::read(body.to_string().as_bytes(), now) {
        Ok(alert) => alert,
        Err(error) => {
            let words = row
                .worth
                .strip_prefix("refused: ")
                .ok_or_else(|| error.to_string())?;
            return same("the refusal", true, error.to_string().contains(words))
                .map(|()| error.to_string());
        }
    };
    if row.worth.starts_with("refused") {
        return Err("a part of an alert was taken for a whole one".to_owned());
    }
    trim(&mut alert);
    let schema = body.get("schemaId").and_then(serde_json::Value::as_str);
    same("the schema", row.schema, schema.unwrap_or_default())?;
    same("the kind", row.kind, kind(alert.kind))?;
    same("the stage", row.stage, stage(alert.stage, alert.is_unclear))?;
    let worth = alert.recorded_only.as_deref();
    match (row.worth.strip_prefix("recorded: "), worth) {
        (Some(words), Some(why)) if why.contains(words) => {}
        (None, None) if row.worth == "evidence" => {}
        (_, why) => {
            return Err(format!(
                "it is {}, not {}",
                why.unwrap_or("evidence"),
                row.worth
            ));
        }
    }
    let told = Told::of(&alert);
    let sites: Vec<String> = groups
        .iter()
        .flat_map(|group| {
            let found = told.matches(group, None);
            found
                .into_iter()
                .map(|one| format!("{}/{}", group.name, one.site))
        })
        .collect();
    let sites: Vec<&str> = sites.iter().map(String::as_str).collect();
    same("the sites", &row.sites, &sites)?;
    Ok(format!(
        "{} {}, {}, speaks of {}",
        row.kind,
        row.stage,
        worth.unwrap_or("evidence"),
        sites.join(" ")
    ))
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, wanted: T, found: T) -> Result<(), String> {
    if wanted == found {
        Ok(())
    } else {
        Err(format!(
            "{what}: {wanted:?} is expected, and it is {found:?}"
        ))
    }
}

const fn kind(kind: SignalKind) -> &'static str {
    match kind {
        SignalKind::ServiceHealth => "serviceHealth",
        SignalKind::ResourceHealth => "resourceHealth",
        SignalKind::Metric => "metric",
        SignalKind::Other => "other",
    }
}

const fn stage(stage: SignalStage, is_unclear: bool) -> &'static str {
    match (stage, is_unclear) {
        (_, true) => "unclear",
        (SignalStage::Active, false) => "active",
        (SignalStage::Resolved, false) => "resolved",
    }
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "json") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
