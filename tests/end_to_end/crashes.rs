//! SIGKILL at random moments over ticks, orders, alerts and failovers, under the strict stand-in for the Functions
//! host: whatever was going on, the rows lead to the same end, nothing that was acknowledged is lost, and nothing
//! is doubled.
//!
//! `UNDERSTUDY_KILLS` sets how many kills (default 200), `UNDERSTUDY_SEED` repeats a run's choices.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use understudy::sim::World;

use crate::alerts::{incident, store};
use crate::host::{Host, HostOptions, Split};
use crate::package::Package;
use crate::stage::{Stage, quick, until};

const SITES: [&str; 2] = ["westeurope", "northeurope"];
const MOVES: [&str; 3] = ["failover", "switchover", "failback"];

/// A setting of this test, or its default.
fn setting<T: FromStr>(name: &str, default: T) -> T {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// The function by which each of the two processes is named: the timer's, and that of all HTTP functions.
const PROCESSES: [&str; 2] = ["HealthCheck", "Active"];
/// At the third error the host gives up, and the platform starts another.
const KILLS_OF_ONE_HOST: u32 = 2;

/// The packaged app in its host.
struct App {
    package: Package,
    options: HostOptions,
    host: Arc<Host>,
    kills: u32,
}

impl App {
    async fn of(stage: &Stage) -> Self {
        let package = Package::fresh();
        package.write("understudy.toml", &stage.configuration());
        let mut options = HostOptions {
            split: Split::Flex,
            ..HostOptions::default()
        };
        options.settings.extend(stage.sim.environment());
        let host = Self::start(&package, &options).await;
        Self {
            package,
            options,
            host,
            kills: 0,
        }
    }

    async fn start(package: &Package, options: &HostOptions) -> Arc<Host> {
        let started = Host::start(&package.root(), options.clone()).await;
        Arc::new(started.expect("a good package"))
    }

    /// Kills one of the processes. The host restarts it, and is replaced before it gives up.
    async fn kill(&mut self, process: &str) {
        self.host.kill_handler(process).await;
        self.kills += 1;
        if self.kills.is_multiple_of(KILLS_OF_ONE_HOST) {
            self.host = Self::start(&self.package, &self.options).await;
        }
    }

    async fn get(&self, path: &str) -> Value {
        let reply = self.host.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply.json()
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let reply = self.host.post(path, &body.to_string()).await;
        (reply.status, reply.json())
    }

    async fn fire(&self) {
        self.host.fire(PROCESSES[0]).await.expect("a tick");
    }
}

/// What was asked, and what was answered before the process died, if anything was.
struct Asked {
    what: What,
    answered: Option<(u16, Value)>,
}

enum What {
    Tick,
    Alert {
        id: String,
        stage: &'static str,
    },
    Order {
        reason: String,
        kind: &'static str,
        to: &'static str,
    },
}

struct Run {
    rng: Rng,
    stage: Stage,
    app: App,
    asked: u32,
    alerts: Vec<String>,
}

impl Run {
    /// One request of any kind, on its way.
    fn ask(&mut self) -> JoinHandle<Asked> {
        self.asked += 1;
        let name = format!("n{}", self.asked);
        let (path, body, what) = match self.rng.u32(0..10) {
            0..=4 => (String::new(), Value::Null, What::Tick),
            5..=7 => self.order(name),
            _ => self.alert(name),
        };
        let host = Arc::clone(&self.app.host);
        tokio::spawn(async move {
            let answered = match &what {
                // The host knows only whether a run failed: a process that died fails it, and so does a 500.
                What::Tick => match host.fire(PROCESSES[0]).await {
                    Ok(_) => Some((200, Value::Null)),
                    Err(why) if why.contains("success: 5") => Some((500, Value::from(why))),
                    Err(_) => None,
                },
                What::Alert { .. } | What::Order { .. } => {
                    let reply = host.post(&path, &body.to_string()).await;
                    let body = serde_json::from_slice(&reply.body).ok();
                    body.map(|body| (reply.status, body))
                }
            };
            Asked { what, answered }
        })
    }

    fn order(&mut self, reason: String) -> (String, Value, What) {
        let kinds = [
            "failover",
            "switchover",
            "failback",
            "pause",
            "resume",
            "acknowledge",
            "acknowledge",
        ];
        let kind = kinds[self.rng.usize(0..kinds.len())];
        let to = match kind {
            "failback" => SITES[0],
            _ => SITES[self.rng.usize(0..2)],
        };
        let mut body = json!({"reason": reason});
        if matches!(kind, "failover" | "switchover") {
            body["to"] = json!(to);
            body["force"] = json!(self.rng.u32(0..4) == 0);
        }
        if kind == "pause" {
            body["for"] = json!("1s");
        }
        let path = format!("/api/groups/contoso/{kind}");
        (path, body, What::Order { reason, kind, to })
    }

    fn alert(&mut self, name: String) -> (String, Value, What) {
        let repeat = !self.alerts.is_empty() && self.rng.bool();
        let id = if repeat {
            self.alerts[self.rng.usize(0..self.alerts.len())].clone()
        } else {
            self.alerts.push(name.clone());
            name
        };
        let region = ["West Europe", "North Europe"][self.rng.usize(0..2)];
        let stage = ["Active", "Active", "Resolved"][self.rng.usize(0..3)];
        let minutes = self.rng.i64(1..60);
        let body = incident(self.stage.sim.world(), &id, region, stage, minutes);
        ("/api/alerts".to_owned(), body, What::Alert { id, stage })
    }

    /// At most one region is down at a time.
    fn break_or_mend(&mut self) {
        match self.rng.u32(0..8) {
            0 => {
                self.stage.sim.mend_all();
                self.stage.sim.break_region(SITES[self.rng.usize(0..2)]);
            }
            1 => self.stage.sim.mend_all(),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_it_converges_and_loses_and_doubles_nothing() {
    let kills: u32 = setting("UNDERSTUDY_KILLS", 200);
    let seed: u64 = setting("UNDERSTUDY_SEED", fastrand::u64(..));
    println!("UNDERSTUDY_SEED={seed} UNDERSTUDY_KILLS={kills}");
    let options = quick()
        .policy("cooldown", "1s")
        .policy("max_moves_per_day", 1_000);
    let stage = Stage::set(World::two_regions(), options).await;
    let app = App::of(&stage).await;
    app.fire().await;
    let mut run = Run {
        rng: Rng::with_seed(seed),
        stage,
        app,
        asked: 0,
        alerts: Vec::new(),
    };
    let mut answers = Vec::new();
    for _ in 0..kills {
        run.break_or_mend();
        let asking: Vec<JoinHandle<Asked>> = (0..run.rng.u32(2..6)).map(|_| run.ask()).collect();
        tokio::time::sleep(Duration::from_millis(run.rng.u64(0..120))).await;
        let process = PROCESSES[run.rng.usize(0..2)];
        run.app.kill(process).await;
        for one in asking {
            answers.push(one.await.expect("a request ends"));
        }
    }
    let end = converge(&run).await;
    check_history(&run, &end, &answers).await;
    check_alerts(&run, &answers).await;
}

/// All is mended, every incident is over, a person orders West Europe: from anywhere the end is the same.
async fn converge(run: &Run) -> Value {
    let app = &run.app;
    run.stage.sim.mend_all();
    for id in &run.alerts {
        let over = incident(run.stage.sim.world(), id, "West Europe", "Resolved", 0);
        let (status, answer) = app.post("/api/alerts", &over).await;
        assert_eq!(status, 200, "{answer}");
    }
    until("West Europe takes over", async || {
        app.fire().await;
        let body = json!({"reason": "the end", "to": "westeurope"});
        let (status, _) = app.post("/api/groups/contoso/switchover", &body).await;
        (status == 200).then_some(())
    })
    .await;
    for kind in ["resume", "acknowledge"] {
        let path = format!("/api/groups/contoso/{kind}");
        let (status, _) = app.post(&path, &json!({"reason": "the end"})).await;
        assert_eq!(status, 200);
    }
    let group = until("all is well", async || {
        app.fire().await;
        let group = app.get("/api/groups/contoso").await;
        let sites = group["sites"].as_array().unwrap();
        let are_well = sites.iter().all(|site| site["verdict"] == "healthy");
        (are_well && group["active"] == "westeurope").then_some(group)
    })
    .await;
    assert_eq!(group["phase"], "settled", "{group}");
    assert_eq!(group["hold"], Value::Null, "{group}");
    assert_eq!(group["paused"], Value::Null, "{group}");
    let signals = group["signals"].as_array().unwrap();
    assert!(signals.iter().all(|signal| signal["stage"] == "resolved"));
    group
}

/// The whole history, oldest first.
async fn history(app: &App) -> Vec<Value> {
    let mut entries = Vec::new();
    let mut next = String::new();
    loop {
        let path = format!("/api/groups/contoso/history?top=100{next}");
        let page = app.get(&path).await;
        entries.extend(page["entries"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(token) => next = format!("&next={token}"),
            None => break,
        }
    }
    entries.reverse();
    entries
}

async fn check_history(run: &Run, end: &Value, answers: &[Asked]) {
    let entries = history(&run.app).await;
    let is_move = |entry: &&Value| MOVES.contains(&entry["kind"].as_str().unwrap());
    let mut moves: Vec<&Value> = entries.iter().filter(is_move).collect();
    moves.sort_by_key(|entry| entry["generation"].as_u64());
    // One entry for each generation, and each move begins where the one before it ended.
    let mut active = json!("westeurope");
    let mut reached = BTreeMap::from([(0, active.clone())]);
    for (before, entry) in moves.iter().enumerate() {
        let generation = u64::try_from(before).unwrap() + 1;
        assert_eq!(entry["generation"], generation, "{entry}");
        assert_eq!(entry["from"], active, "{entry}");
        active = entry["to"].clone();
        reached.insert(generation, active.clone());
    }
    assert_eq!(end["generation"], moves.len());
    assert_eq!(end["active"], active);

    let count = |kind: &str, reason: &str| {
        let all = entries.iter();
        all.filter(|entry| entry["kind"] == kind && entry["reason"] == reason)
            .count()
    };
    for asked in answers {
        match &asked.what {
            What::Tick => {
                let status = asked.answered.as_ref().map(|(status, _)| *status);
                assert!(matches!(status, None | Some(200)), "a tick: {status:?}");
            }
            What::Alert { .. } => {}
            What::Order { reason, kind, to } => {
                let told = count(kind, reason);
                let refused = count("refused", reason);
                assert!(told + refused <= 1, "{kind} {reason} is doubled");
                match &asked.answered {
                    None => {}
                    Some((200 | 202, _)) if *kind == "resume" => {}
                    Some((200 | 202, _)) if matches!(*kind, "pause" | "acknowledge") => {
                        assert_eq!(told, 1, "{reason}")
                    }
                    Some((200 | 202, group)) => {
                        // Either it moved the group, or there was nothing to do.
                        let generation = group["generation"].as_u64().unwrap();
                        assert_eq!(reached[&generation], *to, "{kind} {reason}: {group}");
                    }
                    Some((409, _)) => assert_eq!(refused, 1, "{kind} {reason}"),
                    Some(other) => panic!("{kind} {reason}: {other:?}"),
                }
            }
        }
    }
    // A message is told of once at most, however many processes read it; at the end each was resolved.
    for id in &run.alerts {
        for (stage, last) in [("Active", 0), ("Resolved", 1)] {
            let sent = answers.iter().filter(|asked| {
                matches!(&asked.what, What::Alert { id: one, stage: its } if one == id && *its == stage)
            });
            let begins = format!("signal {id} about ");
            let ends = format!(" is {}", stage.to_lowercase());
            let told = entries.iter().filter(|entry| {
                let reason = entry["reason"].as_str().unwrap_or_default();
                reason.starts_with(&begins) && reason.ends_with(&ends)
            });
            assert!(
                told.count() <= sent.count() + last,
                "{id} {stage} is doubled"
            );
        }
    }
    let by_itself = moves
        .iter()
        .filter(|entry| entry["cause"] != "order")
        .count();
    println!(
        "{} moves, {by_itself} of them by itself, {} entries, {} requests",
        moves.len(),
        entries.len(),
        run.asked
    );
}

/// Every alert that was answered is one row.
async fn check_alerts(run: &Run, answers: &[Asked]) {
    let kept = store(&run.stage).alerts().await.unwrap();
    let rows: BTreeSet<&str> = kept.iter().map(|row| row.alert.id.as_str()).collect();
    assert_eq!(rows.len(), kept.len(), "one row for each incident");
    for asked in answers {
        if let (What::Alert { id, .. }, Some((status, answer))) = (&asked.what, &asked.answered) {
            assert_eq!(*status, 200, "{answer}");
            assert!(rows.contains(id.as_str()), "{id} was answered and is lost");
        }
    }
}
