//! Writing the package: a folder and a zip archive with the same files, so that either both are new or both are old.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// The run bit and the rest, of the binary.
const RUNS: u32 = 0o755;
/// Of every other file.
const IS_READ: u32 = 0o644;

/// Files of a package by their path in it, which uses `/`.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// Where a package goes.
#[derive(Debug)]
pub(super) struct Place {
    /// The folder.
    pub(super) folder: PathBuf,
    /// The archive beside it.
    pub(super) archive: PathBuf,
    parent: PathBuf,
}

impl Place {
    /// The place at this path, if what is there already may be replaced: nothing, an empty folder, or an earlier
    /// package whose binary has this name.
    ///
    /// # Errors
    /// Why it is not touched.
    pub(super) fn at(out: &Path, executable: &str) -> Result<Self, String> {
        let Some(name) = out.file_name() else {
            return Err(format!(
                "--out {} names no folder of its own; give it a name, for example dist",
                out.display()
            ));
        };
        let parent = match out.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let mut archive = name.to_owned();
        archive.push(".zip");
        let place = Self {
            folder: out.with_file_name(name),
            archive: out.with_file_name(archive),
            parent,
        };
        place.folder_may_go(executable)?;
        place.archive_may_go()?;
        Ok(place)
    }

    fn folder_may_go(&self, executable: &str) -> Result<(), String> {
        let shown = self.folder.display();
        let kept = |why: &str| {
            Err(format!(
                "{shown} is not replaced: {why}. Give another --out, or remove it yourself"
            ))
        };
        match fs::symlink_metadata(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(format!("{shown} cannot be looked at: {error}")),
            Ok(found) if !found.is_dir() => return kept("it is no folder"),
            Ok(_) => {}
        }
        let mut names = BTreeSet::new();
        for entry in fs::read_dir(&self.folder)
            .map_err(|error| format!("{shown} cannot be read: {error}"))?
        {
            let entry = entry.map_err(|error| format!("{shown} cannot be read: {error}"))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_ours = ["host.json", "understudy.toml", "groups", executable]
                .contains(&name.as_str())
                || entry.path().join("function.json").is_file();
            if !is_ours {
                return kept(&format!("it holds {name}, which no package holds"));
            }
            names.insert(name);
        }
        let is_package = names.contains("host.json") && names.contains(executable);
        if names.is_empty() || is_package {
            return Ok(());
        }
        kept("it is no earlier package")
    }

    fn archive_may_go(&self) -> Result<(), String> {
        let shown = self.archive.display();
        match fs::symlink_metadata(&self.archive) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(format!("{shown} cannot be looked at: {error}")),
            Ok(_) => {}
        }
        let is_package = File::open(&self.archive)
            .ok()
            .and_then(|file| ZipArchive::new(file).ok())
            .is_some_and(|archive| archive.index_for_name("host.json").is_some());
        if is_package {
            return Ok(());
        }
        Err(format!(
            "{shown} is not replaced: it is no earlier package. Give another --out, or remove it yourself"
        ))
    }

    /// Writes both. They are complete before what was there goes.
    ///
    /// # Errors
    /// What could not be written.
    pub(super) fn write(&self, files: &Files, executable: &str) -> Result<(), String> {
        fs::create_dir_all(&self.parent)
            .map_err(|error| format!("{} cannot be made: {error}", self.parent.display()))?;
        let aside = tempfile::Builder::new()
            .prefix(".understudy-package-")
            .tempdir_in(&self.parent)
            .map_err(|error| format!("{} cannot be written to: {error}", self.parent.display()))?;
        let folder = aside.path().join("folder");
        let archive = aside.path().join("archive");
        write_folder(&folder, files, executable)
            .map_err(|error| format!("{} cannot be written: {error}", self.folder.display()))?;
        write_archive(&archive, files, executable)
            .map_err(|error| format!("{} cannot be written: {error}", self.archive.display()))?;
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)
                .map_err(|error| format!("{} cannot be removed: {error}", self.folder.display()))?;
        }
        for (from, to) in [(&folder, &self.folder), (&archive, &self.archive)] {
            fs::rename(from, to)
                .map_err(|error| format!("{} cannot be written: {error}", to.display()))?;
        }
        Ok(())
    }
}

fn mode(path: &str, executable: &str) -> u32 {
    if path == executable { RUNS } else { IS_READ }
}

fn write_folder(folder: &Path, files: &Files, executable: &str) -> std::io::Result<()> {
    fs::create_dir(folder)?;
    for (path, bytes) in files {
        let file = folder.join(path);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&file, bytes)?;
        set_mode(&file, mode(path, executable))?;
    }
    Ok(())
}

#[cfg(unix)]
fn set_mode(file: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_file: &Path, _mode: u32) -> std::io::Result<()> {
    // Only the archive carries the run bit from here.
    Ok(())
}

/// Sorted, and with one fixed time, so that the same files make the same archive.
fn write_archive(archive: &Path, files: &Files, executable: &str) -> zip::result::ZipResult<()> {
    let mut zip = ZipWriter::new(File::create(archive)?);
    for (path, bytes) in files {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .unix_permissions(mode(path, executable));
        zip.start_file(path.as_str(), options)?;
        zip.write_all(bytes)?;
    }
    zip.finish()?.sync_all()?;
    Ok(())
}
