//! `package`: the folder and the archive that are deployed.

mod contents;
mod libc;
mod mark;
mod write;

use std::io;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::render::count;
use super::{Printed, settings};
use contents::{Contents, Refusal};
use write::Place;

/// Bytes in a megabyte, as people count them.
const MEGABYTE: f64 = 1_000_000.0;

/// Makes the package of this folder at `out`, and beside it the archive. What is unwise goes to stderr.
pub(super) fn make(out: &Path, binary: Option<PathBuf>) -> Printed {
    let folder = Path::new(".");
    let Contents {
        mut files,
        executable,
        functions,
        schedule,
        mut warnings,
    } = contents::collect(folder, &settings::env()).map_err(failure)?;
    let place = Place::at(out, &executable).map_err(Failure::Failed)?;
    let is_itself = binary.is_none();
    let bytes = binary_bytes(binary).map_err(Failure::Failed)?;
    if !libc::is_program(&bytes) && !mark::is_understudy(&bytes) {
        return Err(Failure::Failed(
            "what --binary names is no program: neither a binary nor a script. Nothing was packaged".to_owned(),
        ));
    }
    warnings.extend(libc::warning(&bytes));
    if !is_itself {
        warnings.extend(mark::warning(&bytes));
    }
    let size = size(bytes.len());
    files.insert(executable.clone(), bytes);
    place.write(&files, &executable).map_err(Failure::Failed)?;
    for warning in &warnings {
        super::print(&mut io::stderr().lock(), &format!("warning: {warning}"));
    }
    let timer = schedule.map_or_else(String::new, |schedule| format!(", timer at {schedule}"));
    Ok(format!(
        "{} and {}: {}{timer}, {executable} of {size}\n\
         To deploy: az functionapp deployment source config-zip --resource-group GROUP --name APP --src {}\n",
        place.folder.display(),
        place.archive.display(),
        count(functions.len(), "function"),
        place.archive.display(),
    ))
}

/// Bytes in megabytes, and a size that would be none in bytes.
#[allow(clippy::cast_precision_loss)] // shown with one digit
fn size(bytes: usize) -> String {
    if bytes < 100_000 {
        count(bytes, "byte")
    } else {
        format!("{:.1} MB", bytes as f64 / MEGABYTE)
    }
}

/// The binary to package: this one unless another is named.
fn binary_bytes(named: Option<PathBuf>) -> Result<Vec<u8>, String> {
    let path = match named {
        Some(path) => path,
        None => std::env::current_exe()
            .map_err(|error| format!("the path of this program is unknown: {error}"))?,
    };
    let bytes = contents::read(&path)?
        .ok_or_else(|| format!("there is no binary at {}", path.display()))?;
    if bytes.is_empty() {
        return Err(format!("the binary {} is empty", path.display()));
    }
    Ok(bytes)
}

fn failure(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Because(why) => Failure::Failed(why),
        Refusal::Problems(problems) => {
            let lines: String = problems
                .iter()
                .map(|problem| settings::line("error", problem))
                .collect();
            Failure::Findings(format!(
                "{lines}{}: nothing was packaged. `understudy config check` looks again.\n",
                count(problems.len(), "problem")
            ))
        }
    }
}
