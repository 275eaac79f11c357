//! Load: a region fails for every group while alerts and lookups come in at a steady rate; what lookups take at rest
//! and then, what alerts take, memory, and when the last group is served from the other side.
//!
//! `cargo bench --bench load -- [--groups N] [--seconds N] [--handlers N] [--store table|embedded]`
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

use load::Answers;
use load::check::told;
use load::lookups::Seen;
use load::scene::{Kept, Outage, Scene, Size};
use support::figures::{quantile, short};
use support::table::{Table, machine};
use support::used::Used;
use support::{Try, on_all_threads, play, say};

/// Alerts per second.
const ALERTS: u32 = 500;
/// Lookups per second.
const LOOKUPS: u32 = 2_000;
/// An alert must be answered within so many seconds.
const ALERT_LIMIT: f64 = 2.0;

/// What is asked for on the command line.
#[derive(Debug, Clone, Copy)]
struct Plan {
    size: Size,
    /// How long lookups are measured while nothing fails.
    seconds: usize,
}

impl Plan {
    fn read() -> Try<Self> {
        let (mut groups, mut handlers, mut seconds, mut kept) = (2_000, 1, 20, Kept::Table);
        let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(|| format!("{word} has no value"))?;
            match word.as_str() {
                "--groups" => groups = value.parse()?,
                "--handlers" => handlers = value.parse()?,
                "--seconds" => seconds = value.parse()?,
                "--store" if value == "embedded" => kept = Kept::Embedded,
                "--store" if value == "table" => kept = Kept::Table,
                _ => return Err(format!("{word} {value} is not understood").into()),
            }
        }
        let size = Size {
            groups,
            handlers,
            alerts: seconds * ALERTS as usize,
            alerts_per_second: ALERTS,
            lookups: seconds * LOOKUPS as usize,
            lookups_per_second: LOOKUPS,
            lookups_per_second_then: LOOKUPS,
            interval: 12,
            kept,
        };
        Ok(Self { size, seconds })
    }
}

fn main() -> Try {
    play(|| on_all_threads(measure(Plan::read()?)))
}

async fn measure(plan: Plan) -> Try {
    machine();
    let size = plan.size;
    say(&format!("load: {} groups are made and probed", size.groups));
    let scene = Scene::set(size).await;
    let lookups = plan.seconds * LOOKUPS as usize;
    let rest = scene.rest(lookups).await;
    say(&rest.answers.told("lookups at rest"));
    let quiet = scene.quiet(lookups).await;
    say(&quiet.answers.told("lookups while the timer fires"));
    let before = scene.used();
    let outage = scene.outage().await;
    let after = scene.used();
    say(&outage
        .lookups
        .answers
        .told("lookups while the region fails"));
    say(&outage.alerts.answers.told("alerts"));
    say(&format!(
        "ticks: {:.1?} s, {} failed",
        outage.ticks, outage.failed_ticks
    ));
    say(&format!("{before:.1?} before, {after:.1?} after"));
    report(&plan, [&rest, &quiet], &outage, (&before, &after));
    let mut faults = scene.faults(&outage).await;
    faults.extend(rest.answers.faults.into_iter().chain(quiet.answers.faults));
    if faults.is_empty() {
        return Ok(());
    }
    Err(format!("{} faults:\n{}", faults.len(), told(&faults)).into())
}

fn report(plan: &Plan, [rest, quiet]: [&Seen; 2], outage: &Outage, used: (&[Used], &[Used])) {
    let size = plan.size;
    let store = match size.kept {
        Kept::Table => "Azurite",
        Kept::Embedded => "the embedded store",
    };
    println!(
        "{} groups on {store}, handler processes: {}, all of it on this machine. Rates are what was sent and what was answered; \
         a ratio is to the p99 at rest.\n",
        size.groups, size.handlers
    );
    let mut table = Table::new(&[
        "",
        "number",
        "sent/s",
        "answered/s",
        "p50 ms",
        "p99 ms",
        "max ms",
        "ratio",
    ]);
    let least = rest.answers.within(0.99);
    let mut row = |name: &str, answers: &Answers, with_ratio: bool| {
        let p99 = answers.within(0.99);
        let ratio = if with_ratio {
            short(p99 / least)
        } else {
            String::new()
        };
        table.row(&[
            name,
            &short(answers.waits.len() as f64),
            &short(answers.offered_at),
            &short(answers.served()),
            &short(answers.within(0.5) * 1e3),
            &short(p99 * 1e3),
            &short(answers.within(1.0) * 1e3),
            &ratio,
        ]);
    };
    row("lookups at rest", &rest.answers, true);
    row("lookups while the timer fires", &quiet.answers, true);
    row(
        "lookups while the region fails",
        &outage.lookups.answers,
        true,
    );
    row("alerts meanwhile", &outage.alerts.answers, false);
    table.print();
    let alerts = &outage.alerts;
    let after = |share: f64| quantile(&outage.lookups.moved_after, share);
    let most = |used: &[Used], of: fn(&Used) -> f64| used.iter().map(of).fold(0.0, f64::max);
    println!(
        "Clients were told of the move of half of the groups after {:.1} s, of the last after {:.1} s. Of the alerts, \
         {} were refused with 503 and sent again, {} took longer than {ALERT_LIMIT} s. Memory: {:.0} MiB before, {:.0} MiB at most.\n",
        after(0.5),
        after(1.0),
        alerts.refused,
        alerts.answers.slower_than(ALERT_LIMIT),
        most(used.0, |one| one.resident),
        most(used.1, |one| one.peak),
    );
}
