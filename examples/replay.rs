//! Replays real bodies of Azure through the code that reads them: `cargo run --example replay -- FOLDER`.
//! The folder's layout is `alerts/**.json`. Says what each became, and fails when one is misread.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use understudy::adapters::alert;

fn main() -> ExitCode {
    let Some(folder) = std::env::args().nth(1).map(PathBuf::from) else {
        eprintln!("which folder? cargo run --example replay -- FOLDER");
        return ExitCode::from(2);
    };
    let mut failures = 0;
    let mut read = 0;
    for file in json_files(&folder.join("alerts")) {
        read += 1;
        let name = file
            .strip_prefix(&folder)
            .unwrap_or(&file)
            .display()
            .to_string();
        let found = std::fs::read(&file)
            .map_err(|error| error.to_string())
            .and_then(|body| replay(&body));
        match found {
            Ok(line) => println!("{name}: {line}"),
            Err(line) => {
                failures += 1;
                println!("{name}: FAILED: {line}");
            }
        }
    }
    println!("{read} bodies, {failures} misread");
    if failures > 0 || read == 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// A whole alert must be understood; a part of one (samples that show only the context) must be refused.
fn replay(body: &[u8]) -> Result<String, String> {
    let value: serde_json::Value = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    let is_whole = value.get("schemaId").is_some();
    match (alert::read(body, Timestamp::now()), is_whole) {
        (Ok(alert), true) => Ok(format!(
            "{:?} {:?} {} ({})",
            alert.kind,
            alert.stage,
            alert.id,
            alert.recorded_only.as_deref().unwrap_or("evidence"),
        )),
        (Err(error), false) => Ok(format!("refused: {error}")),
        (Ok(_), false) => Err("a part of an alert was taken for a whole one".to_owned()),
        (Err(error), true) => Err(error.to_string()),
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
