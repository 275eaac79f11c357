//! Lookups of many groups at once, on a paused clock: reads that are slow or fail are told as what they are, and a store
//! that is well is never called stale.

use std::time::Duration;

use axum::http::StatusCode;
use futures::future::join_all;
use understudy::adapters::store::rows::{RowStore, Write};

use crate::doors::{Doors, group};
use crate::rows::{Mood, SLOW_SCAN};

/// More groups than are read one by one in a second.
const GROUPS: usize = 100;
/// What was known is too old by then.
const LATER: Duration = Duration::from_secs(3);

fn name(index: usize) -> String {
    format!("tenant-{index:03}")
}

async fn seeded() -> Doors {
    let doors = Doors::of((0..GROUPS).map(|index| group(&name(index))).collect());
    doors.seed(&[]).await;
    doors
}

/// Looks all groups up at once: how many are called stale.
async fn stale_of_all(doors: &Doors) -> usize {
    let paths: Vec<String> = (0..GROUPS)
        .map(|index| format!("/api/groups/{}/active", name(index)))
        .collect();
    let answers = join_all(paths.iter().map(|path| doors.get(path))).await;
    let is_stale = answers.iter().map(|answer| {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()["stale"] == true
    });
    is_stale.filter(|is_stale| *is_stale).count()
}

#[tokio::test(start_paused = true)]
async fn one_scan_serves_all_that_ask_at_once() {
    let doors = seeded().await;
    let before = doors.rows.scans();
    assert_eq!(stale_of_all(&doors).await, 0);
    assert_eq!(doors.rows.scans() - before, 1);
    assert_eq!(stale_of_all(&doors).await, 0);
    assert_eq!(doors.rows.scans() - before, 1, "what is fresh is not read");
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_hangs_or_fails_makes_no_answer_stale_while_single_reads_work() {
    let doors = seeded().await;
    assert_eq!(stale_of_all(&doors).await, 0);
    doors.rows.be(Mood::HangingScans);
    let before = doors.rows.scans();
    for round in 0..5 {
        tokio::time::advance(LATER).await;
        assert_eq!(stale_of_all(&doors).await, 0, "round {round}");
    }
    let scans = doors.rows.scans() - before;
    assert!(
        scans <= 2,
        "{scans} scans, though the first was seen to hang"
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_scan_makes_no_answer_stale_and_is_not_made_again() {
    let doors = seeded().await;
    assert_eq!(stale_of_all(&doors).await, 0);
    doors.rows.be(Mood::SlowScans);
    let before = doors.rows.scans();
    tokio::time::advance(LATER).await;
    let (first, second) = tokio::join!(stale_of_all(&doors), async {
        // These come while it goes on, and are too young for a scan of their own to end in time.
        tokio::time::sleep(SLOW_SCAN / 2).await;
        stale_of_all(&doors).await
    });
    assert_eq!((first, second), (0, 0));
    for round in 0..5 {
        tokio::time::advance(LATER).await;
        assert_eq!(stale_of_all(&doors).await, 0, "round {round}");
    }
    assert_eq!(doors.rows.scans() - before, 1);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_no_scan_brings_starts_no_scan_after_scan() {
    let doors = seeded().await;
    let key = format!("group.{}", name(7));
    let etag = doors.rows.get(&key).await.unwrap().unwrap().etag;
    let gone = vec![Write::Delete { key, etag }];
    doors.rows.transact(gone).await.unwrap();
    assert_eq!(stale_of_all(&doors).await, 0);
    let path = format!("/api/groups/{}/active", name(7));
    let before = doors.rows.scans();
    // Its answer is old enough to be renewed ahead, and stays so.
    tokio::time::advance(Duration::from_millis(1_500)).await;
    for _ in 0..50 {
        assert_eq!(doors.get(&path).await.json()["stale"], false);
        // What goes on behind the answer comes to its end.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(doors.rows.scans() - before, 1);
}
