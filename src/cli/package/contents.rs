//! What goes into a package: taken from the folder where there is something, from the binary itself otherwise.

use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use super::write::Files;
use crate::bundle;
use crate::config::{self, Env};
use crate::local::app_settings;
use crate::local::function_json::{self, Source};
use crate::local::host_json::{self, HostJson};
use crate::local::ours::{Lack, NO_TIMER};
use crate::local::schedule;
use crate::model::deployment::StoreSpec;

/// The configuration's name in a package.
pub(super) const CONFIGURATION: &str = "understudy.toml";

/// The app setting over the store's kind.
const KIND_SETTING: &str = "UNDERSTUDY__STORE__KIND";

/// Groups in files of their own.
const GROUPS: &str = "groups";

/// Everything of a package but the binary.
#[derive(Debug)]
pub(super) struct Contents {
    /// The files.
    pub(super) files: Files,
    /// The binary's path in the package: `defaultExecutablePath`.
    pub(super) executable: String,
    /// The functions' names.
    pub(super) functions: Vec<String>,
    /// The schedule that the timer got, where a configuration gave one.
    pub(super) schedule: Option<String>,
    /// What is unwise, or worth knowing.
    pub(super) warnings: Vec<String>,
}

/// Why there is no package.
#[derive(Debug)]
pub(super) enum Refusal {
    /// A sentence.
    Because(String),
    /// The configuration's problems.
    Problems(Vec<config::Finding>),
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        Self::Because(why)
    }
}

/// Collects what this folder gives.
///
/// # Errors
/// A file that cannot be read or that the host would not take; a configuration with problems.
pub(super) fn collect(folder: &Path, env: &Env) -> Result<Contents, Refusal> {
    let (mut files, functions) = host_files(folder)?;
    let host = host(&files)?;
    let executable = executable(&host.executable)?;
    let mut warnings = Vec::new();
    let schedule = configuration(folder, env, &mut files, &mut warnings)?;
    if let Some(schedule) = &schedule {
        set_schedule(&mut files, schedule)?;
    }
    warnings.extend(host.warnings.iter().cloned());
    let checked = check_functions(folder, &functions, &files, &host)?;
    warnings.extend(checked.warnings);
    let groups = folder.join(GROUPS);
    if groups.is_dir() {
        add_folder(&groups, GROUPS, &mut files)?;
    }
    if files.contains_key(&executable) {
        return Err(Refusal::Because(format!(
            "host.json's defaultExecutablePath is {executable}, which is another file of the package"
        )));
    }
    Ok(Contents {
        files,
        executable,
        functions,
        schedule: schedule.filter(|_| checked.has_timer),
        warnings,
    })
}

/// `host.json` and the functions, with their names.
fn host_files(folder: &Path) -> Result<(Files, Vec<String>), String> {
    let mut files = Files::new();
    let mut names = Vec::new();
    let Some(host) = read(&folder.join("host.json"))? else {
        files.insert("host.json".to_owned(), bundle::HOST_JSON.into());
        for (name, text) in bundle::FUNCTIONS {
            names.push((*name).to_owned());
            files.insert(format!("{name}/function.json"), (*text).into());
        }
        return Ok((files, names));
    };
    files.insert("host.json".to_owned(), host);
    // A checkout has them below `functions`, a packaged app at its root.
    for root in [folder.join("functions"), folder.to_owned()] {
        for (name, path) in function_folders(&root)? {
            add_folder(&path, &name, &mut files)?;
            names.push(name);
        }
        if !names.is_empty() {
            return Ok((files, names));
        }
    }
    Err(format!(
        "{} has a host.json and no functions/*/function.json: run this in the checkout's folder, or in one without host.json to package what the binary carries",
        folder.display()
    ))
}

fn function_folders(root: &Path) -> Result<Vec<(String, PathBuf)>, String> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{} cannot be read: {error}", root.display())),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| format!("{} cannot be read: {error}", root.display()))?;
        if entry.path().join("function.json").is_file() {
            let name = name_of(&entry)?;
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// Adds every file of a folder, and of those in it. The local settings of Azure's tools hold secrets.
fn add_folder(folder: &Path, to: &str, files: &mut Files) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{} cannot be read: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(told)? {
        let entry = entry.map_err(told)?;
        let name = name_of(&entry)?;
        if name.starts_with('.') || name == "local.settings.json" {
            continue;
        }
        let path = entry.path();
        let inside = format!("{to}/{name}");
        let kind = entry.file_type().map_err(told)?;
        if kind.is_dir() {
            add_folder(&path, &inside, files)?;
        } else if path.is_file() {
            let bytes = read(&path)?.unwrap_or_default();
            files.insert(inside, bytes);
        } else {
            return Err(format!(
                "{} is no file that can be packaged",
                path.display()
            ));
        }
    }
    Ok(())
}

fn name_of(entry: &fs::DirEntry) -> Result<String, String> {
    entry
        .file_name()
        .into_string()
        .map_err(|_| format!("{} has a name that is no text", entry.path().display()))
}

/// `host.json`, as the host reads it. The app settings that override it are Azure's, not this machine's.
fn host(files: &Files) -> Result<HostJson, String> {
    let text = files
        .get("host.json")
        .map_or("", |bytes| std::str::from_utf8(bytes).unwrap_or_default());
    host_json::read(text, &Env::new())
}

/// What a look at the functions found.
struct Checked {
    /// Whether the host would fire the timer.
    has_timer: bool,
    /// What is unwise.
    warnings: Vec<String>,
}

/// Refuses functions that the host would not load, and an Understudy without its timer; gives a line for each
/// function that needs an app setting, and for what else is not as this binary expects it.
fn check_functions(
    folder: &Path,
    names: &[String],
    files: &Files,
    host: &HostJson,
) -> Result<Checked, Refusal> {
    let sources: Vec<Source> = names
        .iter()
        .filter_map(|name| {
            let bytes = files.get(&format!("{name}/function.json"))?;
            let below = [folder.join("functions").join(name), folder.join(name)];
            Some(Source {
                name: name.clone(),
                text: String::from_utf8_lossy(bytes).into_owned(),
                folder: below.into_iter().find(|folder| folder.is_dir()),
            })
        })
        .collect();
    let settings = Env::new();
    let loaded = function_json::load(&sources, host, &settings)?;
    let lack = Lack::of(&loaded, host);
    let has_timer = (loaded.functions.iter()).any(|function| function.name == bundle::TIMER);
    let mut errors = loaded.errors;
    let mut warnings = lack.sentences();
    if loaded.disabled.iter().any(|name| name == bundle::TIMER) {
        warnings.push(format!(
            "{}/function.json disables the timer: nothing is probed unless somebody calls POST /api/tick",
            bundle::TIMER
        ));
    }
    for source in &sources {
        let unset = app_settings::unset(source, &settings);
        if !unset.is_empty() {
            errors.remove(&source.name);
            warnings.push(format!(
                "{}/function.json needs the app setting {}: without it Azure does not load the function",
                source.name,
                unset.join(" and ")
            ));
        }
    }
    // A folder of functions of other names alone is somebody's own affair.
    if errors.is_empty() && lack.timer && !lack.everything {
        return Err(Refusal::Because(format!(
            "{NO_TIMER}. Put its folder back, and list it in host.json's functions if there is such a list; where another \
             scheduler calls POST /api/tick instead, keep it with \"disabled\": true"
        )));
    }
    if errors.is_empty() {
        return Ok(Checked {
            has_timer,
            warnings,
        });
    }
    let lines: Vec<String> = errors
        .iter()
        .map(|(name, why)| format!("{name}/function.json: the host would not load it: {why}"))
        .collect();
    Err(Refusal::Because(lines.join("\n")))
}

/// The binary's path in the package, below its root.
fn executable(named: &str) -> Result<String, String> {
    let mut parts = Vec::new();
    for component in Path::new(named.trim()).components() {
        match component {
            Component::CurDir => {}
            Component::Normal(part) => parts.push(part.to_string_lossy()),
            _ => parts.clear(),
        }
        if !matches!(component, Component::CurDir | Component::Normal(_)) {
            break;
        }
    }
    if parts.is_empty() || named.contains(['%', '\\']) || named.contains("..") {
        return Err(format!(
            "host.json's defaultExecutablePath is {named}: the binary goes into the package, so it must be a plain relative path such as understudy"
        ));
    }
    Ok(parts.join("/"))
}

/// Adds the configuration, if there is one, and gives its schedule.
fn configuration(
    folder: &Path,
    env: &Env,
    files: &mut Files,
    warnings: &mut Vec<String>,
) -> Result<Option<String>, Refusal> {
    let path = folder.join(CONFIGURATION);
    let Some(bytes) = read(&path)? else {
        warnings.push(format!(
            "there is no {CONFIGURATION} in this folder: the app will say that it is not configured until one is packaged with it"
        ));
        return Ok(None);
    };
    let (env, only_in_azure) = with_tokens(&bytes, env);
    let loaded = config::load(Path::new(CONFIGURATION), &env);
    if !loaded.problems.is_empty() {
        return Err(Refusal::Problems(loaded.problems));
    }
    warnings.extend(loaded.warnings.iter().map(ToString::to_string));
    warnings.extend(
        only_in_azure
            .iter()
            .map(|name| format!("the app setting {name} is not set here: it must be set in Azure")),
    );
    let told = loaded
        .warnings
        .iter()
        .any(|warning| warning.key == "store.kind");
    if matches!(loaded.settings.store, StoreSpec::Embedded { .. }) && !told {
        let source = env
            .keys()
            .find(|name| name.eq_ignore_ascii_case(KIND_SETTING))
            .filter(|name| env.get(*name).is_some_and(|value| !value.trim().is_empty()))
            .map_or(CONFIGURATION, String::as_str);
        warnings.push(format!(
            "{source}: store.kind: embedded keeps the record in a file of one machine: in Azure that file is \
             lost when the instance goes, and the processes of the timer and of the HTTP functions may each have \
             their own; use table there, in the file or with the app setting {KIND_SETTING}"
        ));
    }
    files.insert(CONFIGURATION.to_owned(), bytes);
    Ok(Some(loaded.settings.schedule))
}

/// The app settings with those that the file names as `$NAME` and that only Azure has, and the names of these: a
/// secret that is not on this machine is no reason for no package.
fn with_tokens(bytes: &[u8], env: &Env) -> (Env, Vec<String>) {
    fn named(value: &toml::Value, found: &mut Vec<String>) {
        match value {
            toml::Value::Table(table) => {
                for (key, value) in table {
                    match value {
                        toml::Value::String(text) if key == "token" => {
                            found.extend(text.trim().strip_prefix('$').map(str::to_owned));
                        }
                        value => named(value, found),
                    }
                }
            }
            toml::Value::Array(items) => items.iter().for_each(|item| named(item, found)),
            _ => {}
        }
    }
    let mut env = env.clone();
    let mut found = Vec::new();
    let tree = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.parse::<toml::Table>().ok());
    if let Some(tree) = tree {
        named(&toml::Value::Table(tree), &mut found);
    }
    found.sort();
    found.dedup();
    found.retain(|name| {
        !name.is_empty() && env.get(name).is_none_or(|value| value.trim().is_empty())
    });
    for name in &found {
        env.insert(name.clone(), "set in Azure".to_owned());
    }
    (env, found)
}

fn set_schedule(files: &mut Files, schedule: &str) -> Result<(), String> {
    let name = format!("{}/function.json", bundle::TIMER);
    // A folder may leave functions out.
    let Some(bytes) = files.get_mut(&name) else {
        return Ok(());
    };
    let text = String::from_utf8_lossy(bytes).into_owned();
    *bytes = schedule::put(&text, schedule)
        .map_err(|why| format!("{name}: {why}"))?
        .into_bytes();
    Ok(())
}

/// The file's bytes; `None` where there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}
