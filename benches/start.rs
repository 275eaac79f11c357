//! The start: from starting the process to its first answers, against a bare axum binary, and with how many
//! groups it grows.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use support::app::{App, lookup, tick};
use support::client::Request;
use support::figures::{median, millis, ratio, short, thousands};
use support::plain::{route_command, target_command};
use support::process::{Process, free_port, local};
use support::table::{Table, machine};
use support::{Try, play, say, turns};

/// How many groups are configured.
const SIZES: [usize; 3] = [1, 1_000, 10_000];
/// How often each contender is started.
const TURNS: usize = 15;
/// A port that is not open yet is tried again after this long.
const LOOK: Duration = Duration::from_micros(100);
/// A process that has not answered by then will not.
const START_LIMIT: Duration = Duration::from_secs(60);

fn main() -> Try {
    play(measure)
}

/// One start.
#[derive(Clone, Copy)]
struct Started {
    /// To the answer of `GET /`, in milliseconds.
    alive: f64,
    /// To the first lookup's.
    looked_up: f64,
    /// Its memory then, in MiB.
    resident: f64,
}

struct Contender {
    name: String,
    command: Box<dyn Fn(u16) -> Try<Command>>,
    starts: Vec<Started>,
}

fn measure() -> Try {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let port = free_port()?;
    let _target = runtime.block_on(Process::start_until(target_command(port)?, port, "/"))?;
    let mut apps = Vec::new();
    for groups in SIZES {
        say(&format!("start: writing the records of {groups} groups"));
        let app = App::new(groups, local(port), "30s")?;
        let answer = runtime.block_on(first_records(&app))?;
        apps.push((groups, app, answer));
    }
    let mut contenders = Vec::new();
    if let Some((_, _, answer)) = apps.first() {
        let answer = answer.clone();
        contenders.push(Contender {
            name: "bare axum binary".to_owned(),
            command: Box::new(move |port| route_command(port, &answer)),
            starts: Vec::new(),
        });
    }
    for (groups, app, _) in apps {
        contenders.push(Contender {
            name: format!("understudy, groups: {}", thousands(groups as f64)),
            command: Box::new(move |port| Ok(app.command(port))),
            starts: Vec::new(),
        });
    }
    machine();
    let turns = turns(TURNS);
    for turn in 0..=turns {
        say(&format!("start: turn {turn} of {turns}"));
        for one in &mut contenders {
            let started = start(one.command.as_ref())?;
            // The first turn brings the files into memory.
            if turn > 0 {
                one.starts.push(started);
            }
        }
    }
    report(&contenders);
    Ok(())
}

/// A tick writes the records; the answer to the first group's lookup is kept for the bare binary.
async fn first_records(app: &App) -> Try<PathBuf> {
    let process = app.start().await?;
    tick(&process).await?;
    let path = lookup(0);
    app.keep(&path, &process.ask(&Request::get(&path)).await?)
}

fn start(command: &dyn Fn(u16) -> Try<Command>) -> Try<Started> {
    let port = free_port()?;
    let command = command(port)?;
    let begun = Instant::now();
    let process = Process::start(command, port)?;
    until_answered(port, "/", begun)?;
    let alive = millis(begun.elapsed());
    until_answered(port, &lookup(0), begun)?;
    Ok(Started {
        alive,
        looked_up: millis(begun.elapsed()),
        resident: process.used()?.resident,
    })
}

/// Asks until it is answered: at first the port is not open.
fn until_answered(port: u16, path: &str, begun: Instant) -> Try {
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    let mut stream = loop {
        match TcpStream::connect(local(port)) {
            Ok(stream) => break stream,
            Err(_) if begun.elapsed() < START_LIMIT => std::thread::sleep(LOOK),
            Err(error) => return Err(format!("it does not open its port: {error}").into()),
        }
    };
    stream.set_read_timeout(Some(START_LIMIT))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if answer.starts_with(b"HTTP/1.1 200 ") {
        return Ok(());
    }
    Err(format!("{path} was answered {}", String::from_utf8_lossy(&answer)).into())
}

fn report(contenders: &[Contender]) {
    println!(
        "From starting the process to its answer, {} starts each, in turn, files in memory; medians, ratios to the bare \
         binary start by start (least to greatest). Groups of two HTTP endpoints, their records in the embedded store.\n",
        turns(TURNS)
    );
    let mut table = Table::new(&[
        "process",
        "`GET /`, ms",
        "ratio",
        "first lookup, ms",
        "ratio",
        "memory then, MiB",
    ]);
    let of = |one: &Contender, figure: fn(&Started) -> f64| -> Vec<f64> {
        one.starts.iter().map(figure).collect()
    };
    for (index, one) in contenders.iter().enumerate() {
        let bare = contenders.first().filter(|_| index > 0);
        let against = |figure| {
            bare.map_or_else(String::new, |bare| {
                ratio(&of(one, figure), &of(bare, figure))
            })
        };
        table.row(&[
            &one.name,
            &short(median(of(one, |start| start.alive))),
            &against(|start| start.alive),
            &short(median(of(one, |start| start.looked_up))),
            &against(|start| start.looked_up),
            &short(median(of(one, |start| start.resident))),
        ]);
    }
    table.print();
}
