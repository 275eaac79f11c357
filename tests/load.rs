//! Under load: a region fails while five hundred alerts and two thousand lookups come in each second. Nothing is lost,
//! nothing is doubled, memory is bounded, and lookups are answered. `benches/load.rs` measures the same at full size.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(dead_code)]

#[path = "support/azurite.rs"]
mod azurite;
#[path = "support/handler.rs"]
mod handler;
#[path = "support/load/mod.rs"]
mod load;
#[path = "support/program.rs"]
mod program;
#[path = "support/stage.rs"]
mod stage;
// The client and the figures of the benchmarks, which do as little as they can.
#[path = "../benches/support/mod.rs"]
mod support;

use load::check::told;
use load::scene::{Kept, Scene, Size};

/// What the contract allows a process of two thousand groups, in MiB; here are fewer.
const MEMORY: f64 = 256.0;

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_lookups_come_in_while_every_group_moves() {
    let size = Size {
        groups: 300,
        handlers: 2,
        alerts: 2_500,
        alerts_per_second: 500,
        lookups: 10_000,
        lookups_per_second: 2_000,
        lookups_per_second_then: 200,
        interval: 2,
        kept: Kept::Table,
    };
    let scene = Scene::set(size).await;
    let outage = scene.outage().await;
    let used = scene.used();
    // For whoever looks: a busy machine may take its time, so no time is held here.
    println!("{}", outage.lookups.answers.told("lookups"));
    println!("{}", outage.alerts.answers.told("alerts"));
    println!(
        "{} attempts refused, {} slower than 2 s; ticks {:.1?} s, {} failed; the last group after {:.1?} s; {used:.1?}",
        outage.alerts.refused,
        outage.alerts.answers.slower_than(2.0),
        outage.ticks,
        outage.failed_ticks,
        outage.lookups.moved_after.last(),
    );

    let faults = scene.faults(&outage).await;
    assert!(
        faults.is_empty(),
        "{} faults\n{}",
        faults.len(),
        told(&faults)
    );
    assert!(outage.lookups.answers.waits.len() >= size.lookups);
    assert_eq!(
        outage.alerts.taken.len(),
        size.alerts,
        "every alert was taken"
    );
    assert_eq!(outage.lookups.moved_after.len(), size.groups);
    for one in used {
        assert!(one.peak < MEMORY, "{one:.1?}");
    }
}
