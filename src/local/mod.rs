//! The whole app on this machine, without Azure: a small host that drives the handler as the real one does.
//!
//! The handler is a child process, called over the same wire as in Azure: the timer's envelope, and requests that are
//! proxied. What the host reads, and what it refuses, is read and refused here by the same parts that the tests'
//! strict stand-in is built on:
//!
//! | what | where |
//! | --- | --- |
//! | `host.json` and app settings over it | `host_json`, `json` |
//! | `function.json`, and which functions are loaded | `function_json`, `app_settings`, `retry` |
//! | which function a request reaches | `route` |
//! | which of this binary's own functions are not there | `ours` |
//! | when a timer fires, and what is remembered of it | `schedule`, `monitor` |
//! | the envelope, and what an answer to it amounts to | `envelope` |
//! | the handler's command line and variables; its errors, counted | `command`, `child::Errors` |
//!
//! Where this host and the real one differ is told in docs/deploy.md.

pub mod activation;
pub mod app_settings;
pub mod child;
pub mod command;
pub mod console;
pub mod demo;
pub mod envelope;
pub mod front;
pub mod function_json;
pub mod host;
pub mod host_json;
pub mod json;
pub mod leash;
pub mod monitor;
pub mod ours;
pub mod proxy;
pub mod retry;
pub mod route;
pub mod scene;
pub mod schedule;
pub mod signals;
pub mod story;
pub mod timer;
pub mod voice;
pub mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bundle::TIMER;
use crate::config;
use console::{Console, Tone};
use host::{Host, Plan};
use ours::Lack;
use signals::Signals;
use voice::Terminal;

/// What `local` is asked to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// The port of the HTTP functions.
    pub port: u16,
    /// The configuration; `understudy.toml` of this folder unless given.
    pub config: Option<PathBuf>,
}

/// Runs the app until Ctrl-C.
///
/// # Errors
/// A line for people that says what is missing.
pub async fn run(options: Options) -> Result<(), String> {
    let console = Console::stdout();
    let directory =
        std::env::current_dir().map_err(|error| format!("this folder cannot be read: {error}"))?;
    let mut settings: config::Env = std::env::vars().collect();
    if let Some(file) = &options.config {
        settings.insert(
            "UNDERSTUDY_CONFIG".to_owned(),
            directory.join(file).to_string_lossy().into_owned(),
        );
    }
    settings
        .entry("AZURE_FUNCTIONS_ENVIRONMENT".to_owned())
        .or_insert_with(|| "Development".to_owned());
    let mut plan = read_folder(&directory, settings)?;
    let file = config::path(&plan.settings);
    if !directory.join(&file).is_file() {
        return Err(format!(
            "there is no configuration at {}: write one (README.md shows a first group), or name one with --config FILE",
            file.display()
        ));
    }
    let loaded = config::load(&file, &plan.settings);
    plan.functions = with_schedule(plan.functions, &loaded.settings.schedule);
    let listener = host::bind(options.port).await?;
    tell_findings(console, &loaded);
    tell_lack(console, &plan)?;
    let signals = Signals::listen()?;
    let host = Host::start(plan, listener, Arc::new(Terminal(console)))?;
    console.say(
        Tone::Strong,
        format!(
            "Understudy on http://{}, configured by {}",
            host.address,
            file.display()
        ),
    );
    for function in &host.functions {
        console.say(
            Tone::Plain,
            format!("  {:<12} {}", function.name, function.how),
        );
    }
    console.say(Tone::Plain, format!("  {TIMER}'s schedule is controller.schedule of the configuration, not function.json's. Keys are not checked. Ctrl-C ends."));
    until_end(host, signals).await
}

/// Waits for Ctrl-C or the handler's end, and ends everything.
async fn until_end(mut host: Host, mut signals: Signals) -> Result<(), String> {
    tokio::select! {
        ended = host.ended() => ended,
        () = signals.received() => {
            host.stop().await;
            Ok(())
        }
    }
}

fn read_folder(directory: &Path, settings: config::Env) -> Result<Plan, String> {
    let file = directory.join("host.json");
    let text = std::fs::read_to_string(&file).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!(
            "there is no host.json in {}: run this in the checkout's folder, or in a packaged app (`understudy demo` runs anywhere)",
            directory.display()
        ),
        _ => format!("{} cannot be read: {error}", file.display()),
    })?;
    Ok(Plan {
        host: host_json::read(&text, &settings)?,
        functions: function_json::find(directory)?,
        program: own_program()?,
        directory: directory.to_owned(),
        settings,
    })
}

/// The handler is this very binary, whatever path `host.json` gives for Azure.
fn own_program() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| format!("the path of this program is unknown: {error}"))
}

/// Puts the configured schedule into the timer's `function.json`, as `package` does.
#[must_use]
pub fn with_schedule(
    mut functions: Vec<function_json::Source>,
    schedule: &str,
) -> Vec<function_json::Source> {
    for source in functions.iter_mut().filter(|source| source.name == TIMER) {
        // A file that is no timer's is told of when it is read.
        if let Ok(text) = schedule::put(&source.text, schedule) {
            source.text = text;
        }
    }
    functions
}

fn tell_findings(console: Console, loaded: &config::Loaded) {
    for (tone, word, findings) in [
        (Tone::Bad, "problem", &loaded.problems),
        (Tone::Notice, "warning", &loaded.warnings),
    ] {
        for finding in findings {
            console.say(tone, format!("{word}: {finding}"));
        }
    }
    if !loaded.problems.is_empty() {
        console.say(Tone::Notice, "The app runs all the same and serves the groups that are good; /api/health says why it is not well.");
    }
}

/// Says which functions of this binary the folder does not have.
fn tell_lack(console: Console, plan: &Plan) -> Result<(), String> {
    let loaded = function_json::load(&plan.functions, &plan.host, &plan.settings)?;
    for sentence in Lack::of(&loaded, &plan.host).sentences() {
        console.say(Tone::Notice, format!("warning: {sentence}"));
    }
    Ok(())
}

/// Runs the app against the simulator until Ctrl-C.
///
/// # Errors
/// A line for people that says what is missing.
pub async fn demo(port: u16) -> Result<(), String> {
    demo::run(port).await
}
