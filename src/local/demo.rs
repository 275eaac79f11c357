//! The demo: the whole app against the simulator, with two regions to break and mend, told on the terminal.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use crate::bundle;
use crate::config;
use crate::sim::config::{Options, toml};
use crate::sim::{Simulator, World};

use super::console::{Console, Tone};
use super::function_json::Source;
use super::host::{self, Host, Plan};
use super::scene::{History, Part, Scene};
use super::signals::Signals;
use super::story;
use super::voice::Logbook;
use super::{host_json, own_program, wire, with_schedule};

/// The group of the demo's world.
const GROUP: &str = "contoso";

/// Every two seconds: as often as it probes.
const SCHEDULE: &str = "*/2 * * * * *";

/// Starting a streaming endpoint or a live event takes longer in Azure; here, as long as it takes to watch.
const OPERATION: Duration = Duration::from_secs(4);

/// Between two looks at the app.
const LOOK: Duration = Duration::from_millis(500);

/// After this much silence one line says how things stand.
const SILENCE: Duration = Duration::from_secs(20);

/// If the app has not answered by then, it is said where its log is.
const SLOW_START: Duration = Duration::from_secs(15);

/// A look waits no longer for an answer.
const ANSWER: Duration = Duration::from_secs(5);

/// How much of the handler's log is shown when it ended.
const LAST_LINES: usize = 10;

/// Variables that mean something to the handler and must not come in from the developer's shell.
const UNWANTED: [&str; 8] = [
    "APPLICATIONINSIGHTS",
    "AZURE",
    "FUNCTIONS_",
    "IDENTITY_",
    "MSI_",
    "REGION_NAME",
    "UNDERSTUDY",
    "WEBSITE_",
];

/// The function folders that the demo carries.
#[must_use]
pub fn functions() -> Vec<Source> {
    bundle::FUNCTIONS
        .iter()
        .map(|(name, text)| Source::new(name, text))
        .collect()
}

/// Runs the app against the simulator until Ctrl-C.
///
/// # Errors
/// A line for people: the port is taken, a folder cannot be written, the handler cannot be kept running.
pub async fn run(port: u16) -> Result<(), String> {
    let console = Console::stdout();
    let listener = host::bind(port).await?;
    let signals = Signals::listen()?;
    let simulator = Simulator::start(world(), 0)
        .await
        .map_err(|error| format!("the simulator cannot be started: {error}"))?;
    let folder = tempfile::Builder::new()
        .prefix("understudy-demo-")
        .tempdir()
        .map_err(|error| format!("no folder for the demo's files: {error}"))?;
    let log = folder.path().join("handler.log");
    let file = File::create(&log)
        .map_err(|error| format!("{} cannot be written: {error}", log.display()))?;
    let plan = plan(&folder, &simulator)?;
    let voice = Arc::new(Logbook {
        console,
        file: Mutex::new(file),
    });
    let host = Host::start(plan, listener, voice)?;
    let base = format!("http://{}", host.address);
    open(console, &base, simulator.base_url(), &log);
    let ended = until_end(host, signals, narrate(console, &base, &simulator, &log)).await;
    if ended.is_err() {
        tell_last_lines(console, &log);
    }
    ended
}

/// Two regions; the second one's streaming endpoint and live event are stopped, and take a while to start.
fn world() -> World {
    World {
        operation_time: OPERATION,
        ..World::two_regions_streaming()
    }
}

/// Tells the story until Ctrl-C or the handler's end, then ends everything.
async fn until_end(
    mut host: Host,
    mut signals: Signals,
    story: impl Future<Output = ()>,
) -> Result<(), String> {
    tokio::select! {
        ended = host.ended() => ended,
        () = signals.received() => {
            host.stop().await;
            Ok(())
        }
        () = story => Ok(()),
    }
}

/// What is run: the handler's settings lead to the simulator, its file to a folder that goes with the demo.
fn plan(folder: &TempDir, simulator: &Simulator) -> Result<Plan, String> {
    let file = folder.path().join("understudy.toml");
    let text = toml(
        simulator.world(),
        simulator.base_url(),
        &options(&folder.path().join("state")),
    );
    std::fs::write(&file, text)
        .map_err(|error| format!("{} cannot be written: {error}", file.display()))?;
    let mut settings: config::Env = std::env::vars()
        .filter(|(name, _)| is_wanted(name))
        .collect();
    settings.extend(simulator.environment());
    settings.insert(
        "UNDERSTUDY_CONFIG".to_owned(),
        file.to_string_lossy().into_owned(),
    );
    settings.insert(
        "AZURE_FUNCTIONS_ENVIRONMENT".to_owned(),
        "Development".to_owned(),
    );
    Ok(Plan {
        host: host_json::read(bundle::HOST_JSON, &settings)?,
        functions: with_schedule(functions(), SCHEDULE),
        program: own_program()?,
        directory: folder.path().to_owned(),
        settings,
    })
}

/// A policy under which a broken region is left within about ten seconds: three failed rounds, two seconds
/// apart, and three seconds of hold time, which begins with the third round and ends before the second one after it.
fn options(state: &Path) -> Options {
    Options::embedded(&state.to_string_lossy())
        .controller("vantage", "demo")
        .controller("schedule", SCHEDULE)
        .policy("probe_interval", "2s")
        .policy("probe_timeout", "1s")
        .policy("latency_limit", "1s")
        .policy("fail_threshold", 3)
        .policy("recover_threshold", 2)
        .policy("hold", "3s")
        .policy("cooldown", "30s")
        .policy("max_moves_per_day", 1000)
        .policy("standby", "cold")
}

fn is_wanted(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    // Everything is on this machine: a proxy would only be in the way.
    !name.ends_with("_PROXY") && !UNWANTED.iter().any(|prefix| name.starts_with(prefix))
}

fn open(console: Console, base: &str, simulator: &str, log: &Path) {
    console.say(
        Tone::Strong,
        "Understudy's demo: a group \"contoso\" in two simulated regions, Video Indexer and Media Services in each, probed every 2 s.",
    );
    let reason = "trying it out";
    for (what, how) in [
        ("the page", format!("{base}/api/status")),
        (
            "what clients ask",
            format!("curl {base}/api/groups/{GROUP}/active"),
        ),
        (
            "break a region",
            format!("curl -X POST {simulator}/sim/break/westeurope"),
        ),
        (
            "mend it",
            format!("curl -X POST {simulator}/sim/mend/westeurope"),
        ),
        (
            "order a move",
            story::order_command(base, GROUP, "switchover", reason),
        ),
        (
            "the operator's view",
            format!("understudy show {GROUP} --url {base}"),
        ),
        ("the simulated Azure", format!("{simulator}/sim")),
        ("the handler's log", log.display().to_string()),
    ] {
        console.say(Tone::Plain, format!("  {what:<20} {how}"));
    }
    console.say(Tone::Faint, "Ctrl-C ends it and leaves nothing behind.");
}

/// Looks at the app as a client would, again and again, and tells what is new.
async fn narrate(console: Console, base: &str, simulator: &Simulator, log: &Path) {
    let client = wire::client();
    let begun = Instant::now();
    let mut spoken = Instant::now();
    let mut is_slow_told = false;
    let mut is_hint_told = false;
    let mut broken = BTreeSet::new();
    let mut previous: Option<Scene> = None;
    loop {
        let now_broken = broken_regions(simulator);
        for line in outages(&broken, &now_broken) {
            console.say(Tone::Notice, line);
            spoken = Instant::now();
        }
        broken = now_broken;
        let scene = Scene {
            outside: outside(simulator),
            ..look(&client, base, previous.as_ref()).await
        };
        for line in story::tell(previous.as_ref(), &scene) {
            console.line(&line);
            spoken = Instant::now();
        }
        if scene.group.as_ref().is_some_and(story::is_well) && !is_hint_told {
            is_hint_told = true;
            console.say(
                Tone::Plain,
                format!(
                    "          now break one: curl -X POST {}/sim/break/westeurope",
                    simulator.base_url()
                ),
            );
        }
        if scene.group.is_none() && begun.elapsed() > SLOW_START && !is_slow_told {
            is_slow_told = true;
            console.say(
                Tone::Bad,
                format!(
                    "the app does not answer; what the handler says is in {}",
                    log.display()
                ),
            );
        }
        if spoken.elapsed() > SILENCE
            && let Some(line) = story::pulse(&scene)
        {
            console.line(&line);
            spoken = Instant::now();
        }
        previous = Some(scene);
        tokio::time::sleep(LOOK).await;
    }
}

/// The regions in which something is wrong, in the simulator's own words.
fn broken_regions(simulator: &Simulator) -> BTreeSet<String> {
    simulator
        .faults()
        .into_iter()
        .map(|line| line.scope)
        .collect()
}

/// Every streaming endpoint and live event, account by account, in the simulator's own words.
fn outside(simulator: &Simulator) -> Vec<Part> {
    let accounts = simulator.world().media.iter();
    accounts
        .flat_map(|account| {
            let endpoints = account.streaming_endpoints.iter();
            let events = account.live_events.iter();
            let endpoints =
                endpoints.map(|each| ("streamingEndpoints", "streaming endpoint", &each.name));
            let events = events.map(|each| ("liveEvents", "live event", &each.name));
            endpoints.chain(events).filter_map(|(family, what, name)| {
                let state = simulator.media_state(&account.name, &format!("{family}/{name}"))?;
                Some(Part {
                    // The rendered configuration names a site after its region.
                    site: account.region.clone(),
                    account: account.name.clone(),
                    name: format!("{what} {name}"),
                    state: state.as_str(),
                })
            })
        })
        .collect()
}

fn outages(before: &BTreeSet<String>, now: &BTreeSet<String>) -> Vec<String> {
    let broken = now
        .difference(before)
        .map(|scope| format!("outage    {scope} is broken"));
    let mended = before
        .difference(now)
        .map(|scope| format!("outage    {scope} is mended"));
    broken.chain(mended).collect()
}

/// The group first and its history last: whatever the first answers know, history knows as well.
async fn look(client: &reqwest::Client, base: &str, previous: Option<&Scene>) -> Scene {
    let url = format!("{base}/api/groups/{GROUP}");
    let group = ask(client, &url).await;
    let lookup = ask(client, &format!("{url}/active")).await;
    let history: Option<History> = ask(client, &format!("{url}/history")).await;
    let earlier = || {
        previous
            .map(|scene| scene.history.clone())
            .unwrap_or_default()
    };
    Scene {
        at: Timestamp::now(),
        base: base.to_owned(),
        group,
        lookup,
        history: history.map_or_else(earlier, |page| page.entries),
        outside: Vec::new(),
    }
}

async fn ask<T: DeserializeOwned>(client: &reqwest::Client, url: &str) -> Option<T> {
    let answer = client.get(url).timeout(ANSWER).send().await.ok()?;
    answer.error_for_status().ok()?.json().await.ok()
}

fn tell_last_lines(console: Console, log: &Path) {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
        console.say(Tone::Faint, line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_developers_own_azure_stays_outside() {
        for name in [
            "AZURE_CLIENT_ID",
            "IDENTITY_ENDPOINT",
            "UNDERSTUDY__STORE__KIND",
            "AzureWebJobsStorage",
            "https_proxy",
        ] {
            assert!(!is_wanted(name), "{name}");
        }
        for name in ["PATH", "HOME", "RUST_LOG", "TMPDIR"] {
            assert!(is_wanted(name), "{name}");
        }
    }

    #[test]
    fn an_outage_is_told_when_it_begins_and_when_it_ends() {
        let none = BTreeSet::new();
        let one = BTreeSet::from(["westeurope".to_owned()]);
        assert_eq!(outages(&none, &one), ["outage    westeurope is broken"]);
        assert_eq!(outages(&one, &none), ["outage    westeurope is mended"]);
        assert!(outages(&one, &one).is_empty());
    }
}
