//! How a handler grows with its groups: tick time, CPU seconds, memory, requests to the store, lookups
//! meanwhile, and how long a whole region's outage takes to be over.
//!
//! `cargo bench --bench scale -- [--accounts http|vi] [--store table|embedded] [--ticks N] [GROUPS …]`; without sizes
//! the growth table: groups of two HTTP sites up to ten thousand, and a thousand of two Video Indexer accounts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(dead_code)]

#[path = "../tests/support/azurite.rs"]
mod azurite;
#[path = "../tests/support/handler.rs"]
mod handler;
#[path = "../tests/support/load/mod.rs"]
mod load;
#[path = "../tests/support/program.rs"]
mod program;
#[path = "../tests/support/stage.rs"]
mod stage;
mod support;
#[path = "../tests/support/table_proxy.rs"]
mod table_proxy;

use std::time::{Duration, Instant};

use serde_json::Value;
use understudy::sim::config::Options;
use understudy::sim::{Simulator, World};

use azurite::{Azurite, connection_string, fresh_table};
use handler::Handler;
use load::Answers;
use load::lookups::{self, Asking};
use stage::{Stage, get};
use support::process::local;
use support::used::{Used, used_by};
use support::{Try, on_all_threads, play};
use table_proxy::Proxy;

/// Long enough for a tick of ten thousand groups, short enough to wait for.
const INTERVAL: Duration = Duration::from_secs(12);
const REGIONS: [&str; 2] = ["westeurope", "northeurope"];
/// More than any outage here takes.
const TICKS_OF_AN_OUTAGE: usize = 20;
/// Lookups per second, and how many of them at rest.
const LOOKUPS: u32 = 200;
const LOOKUPS_AT_REST: usize = 1_000;

#[derive(Debug, Clone)]
struct Plan {
    /// Which accounts, and how many groups of them.
    sizes: Vec<(String, usize)>,
    store: String,
    ticks: usize,
}

impl Plan {
    fn read() -> Self {
        let mut plan = Self {
            sizes: Vec::new(),
            store: "table".to_owned(),
            ticks: 3,
        };
        let mut accounts = "http".to_owned();
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().expect("a value");
            match word.as_str() {
                "--accounts" => accounts = value(),
                "--store" => plan.store = value(),
                "--ticks" => plan.ticks = value().parse().expect("a count"),
                // What cargo adds.
                "--bench" => {}
                number => {
                    let groups = number.parse().expect("a number of groups");
                    plan.sizes.push((accounts.clone(), groups));
                }
            }
        }
        if plan.sizes.is_empty() {
            let http = [10, 100, 1_000, 10_000].map(|groups| ("http".to_owned(), groups));
            plan.sizes.extend(http);
            plan.sizes.push(("vi".to_owned(), 1_000));
        }
        plan
    }
}

fn world(accounts: &str, groups: usize) -> World {
    if accounts == "vi" {
        return World::fleet(groups, &REGIONS, 10);
    }
    let mut world = World::with_regions(&REGIONS);
    for index in 0..groups {
        let group = format!("tenant-{index:04}");
        for region in REGIONS {
            world.add_endpoint(Some(&group), region, &group, 200, "well");
        }
    }
    world
}

/// What one size cost.
#[derive(Debug, Default)]
struct Figures {
    first_answer: Duration,
    cold: Tick,
    warm: Vec<Tick>,
    rest: Answers,
    during: Answers,
    memory: f64,
    peak_memory: f64,
    outage: Vec<(f64, usize)>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Tick {
    took: Duration,
    cpu: f64,
    reads: usize,
    writes: usize,
}

fn main() -> Try {
    play(|| on_all_threads(measure_all(Plan::read())))
}

async fn measure_all(plan: Plan) -> Try {
    println!(
        "{} cores; {} store; an interval of {} s",
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        match plan.store.as_str() {
            "table" => "Azurite as the",
            _ => "the embedded",
        },
        INTERVAL.as_secs(),
    );
    println!();
    println!("| {} |", COLUMNS.join(" | "));
    println!("| --- |{}", " ---: |".repeat(COLUMNS.len() - 1));
    for (accounts, groups) in plan.sizes.clone() {
        let figures = measure(&plan, &accounts, groups).await;
        figures.print(&accounts, groups);
    }
    Ok(())
}

const COLUMNS: [&str; 13] = [
    "accounts",
    "groups",
    "start ms",
    "cold tick s",
    "tick s",
    "CPU s",
    "reads",
    "writes",
    "memory MiB, at most",
    "lookup p99 ms at rest",
    "during a tick",
    "ratio",
    "outage: moved by tick, the last after s",
];

async fn measure(plan: &Plan, accounts: &str, groups: usize) -> Figures {
    let azurite = (plan.store == "table").then(Azurite::start);
    let proxy = match &azurite {
        Some(azurite) => Some(Proxy::start(azurite.port()).await),
        None => None,
    };
    let sim = Simulator::start(world(accounts, groups), 0)
        .await
        .expect("a port");
    let options = Options::default()
        .policy("probe_interval", format!("{}s", INTERVAL.as_secs()))
        .policy("hold", "1s");
    let options = match &proxy {
        Some(proxy) => options
            .store("connection_string", connection_string(proxy.port))
            .store("table_prefix", fresh_table()),
        None => options.store("kind", "embedded").store("path", "state"),
    };
    let text = understudy::sim::config::toml(sim.world(), sim.base_url(), &options);
    let settings = sim.environment().into_iter().collect();
    let stage = Stage::with(sim, &text, settings);

    let mut figures = Figures::default();
    let began = Instant::now();
    let handler = stage.handler().await;
    figures.first_answer = began.elapsed();
    let one = async || {
        if let Some(proxy) = &proxy {
            proxy.take_seen();
        }
        let before = used(&handler);
        let began = Instant::now();
        fire(&handler).await;
        let mut tick = Tick {
            took: began.elapsed(),
            cpu: used(&handler).cpu - before.cpu,
            ..Tick::default()
        };
        if let Some(proxy) = &proxy {
            let seen = proxy.take_seen();
            tick.reads = seen.iter().filter(|line| line.starts_with("GET ")).count();
            tick.writes = seen.len() - tick.reads;
        }
        tick
    };
    eprintln!("start: {:?}", used(&handler));
    let next = Instant::now() + INTERVAL;
    figures.cold = one().await;
    eprintln!("cold: {:?} {:?}", figures.cold, used(&handler));
    tokio::time::sleep_until(next.into()).await;
    for _ in 0..plan.ticks {
        let next = Instant::now() + INTERVAL;
        figures.warm.push(one().await);
        eprintln!("warm: {:?} {:?}", figures.warm.last(), used(&handler));
        tokio::time::sleep_until(next.into()).await;
    }
    figures.memory = used(&handler).resident;
    figures.rest = asked(&stage, &handler, LOOKUPS_AT_REST, async {}).await;
    tokio::time::sleep(INTERVAL).await;
    figures.during = asked(&stage, &handler, 1, fire(&handler)).await;
    figures.outage = outage(&stage, &handler, groups).await;
    figures.peak_memory = used(&handler).peak;
    figures
}

fn used(handler: &Handler) -> Used {
    used_by(handler.pid()).expect("it runs")
}

/// Lookups while something else is going on, and at least so many.
async fn asked(
    stage: &Stage,
    handler: &Handler,
    at_least: usize,
    meanwhile: impl Future<Output = ()>,
) -> Answers {
    let running = lookups::begin(Asking {
        handlers: vec![local(handler.port())],
        groups: stage.sim.world().groups(),
        per_second: LOOKUPS,
        at_least,
        per_second_then: LOOKUPS,
        until_all_on: None,
    });
    meanwhile.await;
    let answers = running.finish().await.answers;
    assert!(answers.faults.is_empty(), "{:?}", answers.faults);
    answers
}

/// Fires the timer once. A tick that failed is said: the next goes on.
async fn fire(handler: &Handler) {
    let (status, body) = handler.fire(&[]).await;
    if status != 200 {
        eprintln!("a tick failed: {status} {body}");
    }
}

/// Breaks the first region; after each tick: seconds since then, and how many are served from the other.
async fn outage(stage: &Stage, handler: &Handler, groups: usize) -> Vec<(f64, usize)> {
    let began = Instant::now();
    stage.sim.break_region(REGIONS[0]);
    let mut seen = Vec::new();
    for _ in 0..TICKS_OF_AN_OUTAGE {
        let next = Instant::now() + INTERVAL;
        fire(handler).await;
        let ticked = began.elapsed();
        let moved = moved(handler).await;
        eprintln!(
            "ticked after {ticked:?}, looked after {:?}",
            began.elapsed()
        );
        seen.push((began.elapsed().as_secs_f64(), moved));
        eprintln!("outage: {:?} {:?}", seen.last(), used(handler));
        if moved == groups {
            break;
        }
        tokio::time::sleep_until(next.into()).await;
    }
    seen
}

async fn moved(handler: &Handler) -> usize {
    let mut moved = 0;
    let mut path = "/api/groups?top=100".to_owned();
    loop {
        let page = get(handler, &path).await;
        let groups = page["groups"].as_array().expect("groups");
        moved += groups
            .iter()
            .filter(|group| group["active"] == REGIONS[1])
            .count();
        match &page["next"] {
            Value::String(next) => path = format!("/api/groups?top=100&next={next}"),
            _ => return moved,
        }
    }
}

impl Figures {
    fn print(&self, accounts: &str, groups: usize) {
        let mut warm = self.warm.clone();
        warm.sort_by_key(|tick| tick.took);
        let tick = warm.get(warm.len() / 2).copied().unwrap_or_default();
        let (rest, during) = (self.rest.within(0.99), self.during.within(0.99));
        println!(
            "| {accounts} | {groups} | {:.0} | {:.2} | {:.2} | {:.2} | {} | {} | {:.0}, {:.0} | {:.2} | {:.2} | {:.1} | {} |",
            self.first_answer.as_secs_f64() * 1e3,
            self.cold.took.as_secs_f64(),
            tick.took.as_secs_f64(),
            tick.cpu,
            tick.reads,
            tick.writes,
            self.memory,
            self.peak_memory,
            rest * 1e3,
            during * 1e3,
            during / rest,
            self.outage_in_words(),
        );
    }

    /// How many had moved after each tick since the outage began, and when that was all.
    fn outage_in_words(&self) -> String {
        let moved: Vec<String> = self
            .outage
            .iter()
            .map(|(_, moved)| moved.to_string())
            .collect();
        let last = self.outage.last().map_or(0.0, |(seconds, _)| *seconds);
        format!("{}; {last:.1}", moved.join(", "))
    }
}
