//! The lookup, against a bare axum route that gives the same answer from memory and against etcd's HTTP
//! answer to the same question: lookups per second as fast as they are answered, and the time that an answer
//! takes at a steady rate. Everything in one run, in turns.

mod support;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;
use support::app::{App, lookup, tick};
use support::client::{Load, Reply, Request, as_many, steadily};
use support::figures::{median, ratio, short};
use support::peer::{self, Running};
use support::plain::{route_command, target_command};
use support::process::{Process, free_port};
use support::table::{Table, machine};
use support::{Try, on_one_thread, play, say, turns};

/// Kept connections; the Functions host holds a few dozen to a busy handler.
const CONNECTIONS: usize = 32;
/// How often each contender has its turn.
const TURNS: usize = 7;
/// One turn.
const TURN: Duration = Duration::from_secs(2);
/// Before it is measured for the first time.
const WARM_UP: Duration = Duration::from_millis(500);
/// The steady rate, in requests per second.
const STEADY: u32 = 2_000;

fn main() -> Try {
    play(|| on_one_thread(measure()))
}

/// Who is asked what, and what came of it.
struct Contender<'a> {
    name: &'static str,
    process: &'a Process,
    request: Request,
    status: u16,
    /// The row that its ratio is to.
    against: usize,
    fast: Vec<Load>,
    /// CPU time of the server for each answer, in microseconds.
    cpu: Vec<f64>,
    steady: Vec<Load>,
}

impl<'a> Contender<'a> {
    fn new(name: &'static str, process: &'a Process, request: Request, status: u16) -> Self {
        Self {
            name,
            process,
            request,
            status,
            against: 0,
            fast: Vec::new(),
            cpu: Vec::new(),
            steady: Vec::new(),
        }
    }

    fn against(mut self, index: usize) -> Self {
        self.against = index;
        self
    }

    async fn go_fast(&mut self, lasting: Duration) -> Try<(Load, f64)> {
        let before = self.process.used()?.cpu;
        let address = self.process.address();
        let load = as_many(address, &self.request, self.status, CONNECTIONS, lasting).await?;
        let cpu = (self.process.used()?.cpu - before) * 1e6 / load.answers;
        Ok((load, cpu))
    }

    async fn go_steadily(&self, lasting: Duration) -> Try<Load> {
        let pace = (STEADY, CONNECTIONS);
        let address = self.process.address();
        steadily(address, &self.request, self.status, pace, lasting).await
    }
}

async fn measure() -> Try {
    let port = free_port()?;
    let target = Process::start_until(target_command(port)?, port, "/").await?;
    let app = App::new(1, target.address(), "30s")?;
    let ours = app.start().await?;
    tick(&ours).await?;
    let path = lookup(0);
    let reply = ours.ask(&Request::get(&path)).await?;
    let answer = app.keep(&path, &reply)?;
    let port = free_port()?;
    let bare = Process::start_until(route_command(port, &answer)?, port, "/").await?;
    same_answer(&reply, &bare.ask(&Request::get(&path)).await?)?;

    machine();
    let etcd = match peer::ETCD.find() {
        Some(program) => Some(peer::etcd(program).await?),
        None => None,
    };
    let tag = reply.header("etag").unwrap_or_default().to_owned();
    let mut contenders = ours_and_bare(&ours, &bare, &path, &tag);
    if let Some(etcd) = &etcd {
        contenders.extend(etcds(etcd, &path, &reply.body).await?);
    }
    take_turns(&mut contenders).await?;
    report(&contenders, reply.body.len());
    Ok(())
}

fn ours_and_bare<'a>(
    ours: &'a Process,
    bare: &'a Process,
    path: &str,
    tag: &str,
) -> Vec<Contender<'a>> {
    let whole = || Request::get(path);
    let known = || Request::with("GET", path, &[("If-None-Match", tag)], "");
    vec![
        Contender::new("understudy, 200", ours, whole(), 200).against(1),
        Contender::new("bare axum route, 200", bare, whole(), 200).against(1),
        Contender::new("understudy, `If-None-Match`, 304", ours, known(), 304).against(3),
        Contender::new("bare axum route, 304", bare, known(), 304).against(3),
    ]
}

/// etcd, once as old an answer allowed as ours (a read that its own member answers), once with the newest.
async fn etcds<'a>(etcd: &'a Running, path: &str, body: &str) -> Try<[Contender<'a>; 2]> {
    let key = BASE64.encode(path);
    let put = json!({"key": key, "value": BASE64.encode(body)}).to_string();
    let kept = etcd.process.ask(&Request::post("/v3/kv/put", &put)).await?;
    let range = |serializable: bool| {
        let question = json!({"key": key, "serializable": serializable}).to_string();
        Request::post("/v3/kv/range", &question)
    };
    let found = etcd.process.ask(&range(true)).await?;
    if kept.status != 200 || !found.body.contains(&BASE64.encode(body)) {
        return Err(format!("etcd does not keep what it is given: {}", found.body).into());
    }
    let contender = |name, serializable| {
        Contender::new(name, &etcd.process, range(serializable), 200).against(0)
    };
    Ok([
        contender("etcd, `/v3/kv/range`, serializable", true),
        contender("etcd, `/v3/kv/range`, linearizable", false),
    ])
}

/// The bare route gives what ours gave, the time of the answer apart, which it repeats.
fn same_answer(ours: &Reply, bare: &Reply) -> Try {
    let named = |reply: &Reply| {
        let mut headers = reply.headers.clone();
        headers.retain(|(name, _)| name != "date");
        headers.sort();
        headers
    };
    if ours.body == bare.body && named(ours) == named(bare) {
        return Ok(());
    }
    Err(format!("the bare route answers otherwise: {bare:?}, not {ours:?}").into())
}

async fn take_turns(contenders: &mut [Contender<'_>]) -> Try {
    for one in &mut *contenders {
        one.go_fast(WARM_UP).await?;
    }
    let turns = turns(TURNS);
    for turn in 1..=turns {
        say(&format!("lookup: turn {turn} of {turns}"));
        for one in &mut *contenders {
            let (load, cpu) = one.go_fast(TURN).await?;
            one.fast.push(load);
            one.cpu.push(cpu);
        }
        for one in &mut *contenders {
            one.steady.push(one.go_steadily(TURN).await?);
        }
    }
    Ok(())
}

fn report(contenders: &[Contender<'_>], body: usize) {
    println!(
        "{CONNECTIONS} kept connections on loopback, one client thread, {} turns of {} s each, in turn; medians, \
         ratios turn by turn (least to greatest). CPU is the server's own, user and system. One group on the embedded store, a body of {body} bytes; `understudy` answers from \
         what it read at most 2 s ago. etcd's ratios are to `understudy, 200`.\n",
        turns(TURNS),
        TURN.as_secs()
    );
    let rate_at = format!("p50 at {STEADY}/s, µs");
    let mut table = Table::new(&[
        "lookup",
        "answers/s",
        "ratio",
        "CPU µs each",
        "ratio",
        "p99 under full load, µs",
        &rate_at,
        "p99, µs",
        "ratio of p99",
    ]);
    let rates =
        |one: &Contender<'_>| -> Vec<f64> { one.fast.iter().map(|load| load.rate).collect() };
    let tails =
        |one: &Contender<'_>| -> Vec<f64> { one.steady.iter().map(|load| load.p99).collect() };
    let cpu = |one: &Contender<'_>| -> Vec<f64> { one.cpu.clone() };
    for (index, one) in contenders.iter().enumerate() {
        let other = contenders.get(one.against).filter(|_| one.against != index);
        let against = |figures: &dyn Fn(&Contender<'_>) -> Vec<f64>| {
            other.map_or_else(String::new, |other| ratio(&figures(one), &figures(other)))
        };
        table.row(&[
            one.name,
            &short(median(rates(one))),
            &against(&rates),
            &short(median(cpu(one))),
            &against(&cpu),
            &short(median(one.fast.iter().map(|load| load.p99))),
            &short(median(one.steady.iter().map(|load| load.median))),
            &short(median(tails(one))),
            &against(&tails),
        ]);
    }
    table.print();
}
