//! What ten thousand HTTP probes cost: CPU seconds and memory of `understudy serve`, of the blackbox exporter
//! and of HAProxy's health checks, all against the same plain server on loopback.

mod support;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use support::app::{App, tick};
use support::client::{Request, each_once};
use support::figures::{median, ratio, short, thousands};
use support::peer::{self, Running};
use support::plain::{COUNT, target_command};
use support::process::{Process, free_port};
use support::table::{Table, machine};
use support::used::Used;
use support::{Try, on_one_thread, play, say, turns};

/// Endpoints, each probed once in a round.
const ENDPOINTS: usize = 10_000;
/// Rounds of each contender.
const TURNS: usize = 5;
/// From one round to the next, as it is configured for all.
const INTERVAL: u64 = 10;
/// Probes at once where the client decides that: as many as `understudy` has.
const AT_ONCE: usize = 500;
/// How often the count is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// A round that takes longer has failed.
const ROUND_LIMIT: Duration = Duration::from_secs(90);

fn main() -> Try {
    play(|| on_one_thread(measure()))
}

/// What one round of ten thousand probes cost.
#[derive(Clone, Copy)]
struct Cost {
    cpu: f64,
    resident: f64,
    peak: f64,
    seconds: f64,
}

/// Who probes.
enum Prober {
    Ours {
        process: Process,
        round: Instant,
    },
    Blackbox {
        running: Running,
        requests: Arc<[Request]>,
    },
    Haproxy {
        program: PathBuf,
    },
}

struct Contender {
    name: &'static str,
    prober: Prober,
    costs: Vec<Cost>,
}

/// What is probed, and says how often it was.
struct Target(Process);

impl Target {
    async fn count(&self) -> Try<u64> {
        Ok(self
            .0
            .ask(&Request::get(COUNT))
            .await?
            .body
            .trim()
            .parse()?)
    }

    async fn reached(&self, count: u64) -> Try {
        let deadline = Instant::now() + ROUND_LIMIT;
        while self.count().await? < count {
            if Instant::now() >= deadline {
                return Err("the probes do not arrive".into());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}

async fn measure() -> Try {
    let port = free_port()?;
    let target = Target(Process::start_until(target_command(port)?, port, COUNT).await?);
    let app = App::new(ENDPOINTS / 2, target.0.address(), &format!("{INTERVAL}s"))?;
    let process = app.start().await?;
    say("probes: the first tick writes the records");
    tick(&process).await?;
    let round = Instant::now();
    machine();
    let mut contenders = vec![Contender {
        name: "understudy, 5,000 groups of two",
        prober: Prober::Ours { process, round },
        costs: Vec::new(),
    }];
    if let Some(program) = peer::BLACKBOX.find() {
        let requests: Arc<[Request]> = (0..ENDPOINTS)
            .map(|index| format!("/probe?module=get&target=127.0.0.1:{port}/{index}"))
            .map(|path| Request::get(&path))
            .collect();
        let running = peer::blackbox(program).await?;
        each_once(running.process.address(), &requests, AT_ONCE).await?;
        contenders.push(Contender {
            name: "prometheus-blackbox-exporter, 10,000 calls",
            prober: Prober::Blackbox { running, requests },
            costs: Vec::new(),
        });
    }
    if let Some(program) = peer::HAPROXY.find() {
        contenders.push(Contender {
            name: "HAProxy, 10,000 servers",
            prober: Prober::Haproxy { program },
            costs: Vec::new(),
        });
    }
    let turns = turns(TURNS);
    for turn in 1..=turns {
        for one in &mut contenders {
            let cost = one.prober.round(&target).await?;
            say(&format!(
                "probes: turn {turn} of {turns}: {}: {:.2} s of CPU",
                one.name, cost.cpu
            ));
            one.costs.push(cost);
        }
    }
    report(&contenders);
    Ok(())
}

impl Prober {
    async fn round(&mut self, target: &Target) -> Try<Cost> {
        match self {
            Self::Ours { process, round } => {
                // All are due again only when the interval has passed since the last of them was asked.
                let due = *round + Duration::from_secs(INTERVAL);
                tokio::time::sleep_until(due.into()).await;
                let meter = Meter::begin(process, target).await?;
                tick(process).await?;
                let cost = meter.end(process, target).await?;
                *round = Instant::now();
                Ok(cost)
            }
            Self::Blackbox { running, requests } => {
                let process = &running.process;
                let meter = Meter::begin(process, target).await?;
                each_once(process.address(), requests, AT_ONCE).await?;
                meter.end(process, target).await
            }
            Self::Haproxy { program } => {
                // It cannot be stopped from checking, so it runs only in its turn. What it does at its start
                // is over when every server was checked once.
                let before = target.count().await?;
                let running =
                    peer::haproxy(program.clone(), target.0.address(), ENDPOINTS, INTERVAL).await?;
                target.reached(before + ENDPOINTS as u64).await?;
                let meter = Meter::begin(&running.process, target).await?;
                target.reached(meter.count + ENDPOINTS as u64).await?;
                meter.end(&running.process, target).await
            }
        }
    }
}

/// What was used and probed when a round began.
struct Meter {
    used: Used,
    count: u64,
    begun: Instant,
}

impl Meter {
    async fn begin(process: &Process, target: &Target) -> Try<Self> {
        Ok(Self {
            count: target.count().await?,
            used: process.used()?,
            begun: Instant::now(),
        })
    }

    /// The cost per ten thousand probes that arrived.
    async fn end(self, process: &Process, target: &Target) -> Try<Cost> {
        let (seconds, used) = (self.begun.elapsed().as_secs_f64(), process.used()?);
        let probes = target.count().await?.saturating_sub(self.count);
        if probes < ENDPOINTS as u64 {
            return Err(format!("only {probes} probes arrived").into());
        }
        Ok(Cost {
            cpu: (used.cpu - self.used.cpu) * 10_000.0 / probes as f64,
            resident: used.resident,
            peak: used.peak,
            seconds,
        })
    }
}

fn report(contenders: &[Contender]) {
    println!(
        "{} endpoints on one plain server on loopback, each asked once a round, {} rounds, in turn; medians, ratios round by \
         round (least to greatest). Memory and CPU are the prober's own (`/proc/PID`), per 10,000 probes that arrived. `understudy` and the \
         calls to the exporter: {AT_ONCE} at once; HAProxy spreads its checks over {INTERVAL} s. `understudy` keeps connections, judges, \
         packs and stores; the others open a connection for each probe, as they do.\n",
        thousands(ENDPOINTS as f64),
        turns(TURNS)
    );
    let mut table = Table::new(&[
        "prober",
        "CPU, s",
        "understudy to it",
        "memory after, MiB",
        "most, MiB",
        "a round, s",
    ]);
    let cpu = |one: &Contender| -> Vec<f64> { one.costs.iter().map(|cost| cost.cpu).collect() };
    let middle =
        |one: &Contender, figure: fn(&Cost) -> f64| short(median(one.costs.iter().map(figure)));
    for (index, one) in contenders.iter().enumerate() {
        let ours = contenders.first().filter(|_| index > 0);
        table.row(&[
            one.name,
            &middle(one, |cost| cost.cpu),
            &ours.map_or_else(String::new, |ours| ratio(&cpu(ours), &cpu(one))),
            &middle(one, |cost| cost.resident),
            &middle(one, |cost| cost.peak),
            &middle(one, |cost| cost.seconds),
        ]);
    }
    table.print();
}
