//! Alerts in every store: one row for each thread, kept on its ETag, found again, and in the end forgotten.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use understudy::adapters::store::alerts::{AlertRow, Kept};
use understudy::adapters::store::codec::LAYOUT;
use understudy::adapters::store::rows::{RowStore, Write};
use understudy::adapters::store::{Store, StoreError, keys};
use understudy::decision::alert::newer;
use understudy::model::alert::{Alert, Impact};
use understudy::model::signal::{SignalKind, SignalStage};

use crate::azurite::{Azurite, fresh_table};
use crate::fixtures::{at, connect, properties, put, stores};
use crate::table_proxy::{Fault, Proxy};

pub fn alert(thread: &str, stage: SignalStage, seconds: i64) -> Alert {
    Alert {
        id: thread.to_owned(),
        thread: thread.to_owned(),
        kind: SignalKind::ServiceHealth,
        stage,
        event_at: at(seconds),
        received_at: at(seconds + 1),
        updated_at: at(seconds + 1),
        subscription: Some("s".to_owned()),
        impacts: Vec::new(),
        resources: Vec::new(),
        group: None,
        site: None,
        recorded_only: None,
        is_unclear: false,
        unclear_at: None,
    }
}

pub async fn every_store(check: impl AsyncFn(&str, Store, Arc<dyn RowStore>)) {
    let folder = tempfile::tempdir().unwrap();
    for (name, rows) in stores(folder.path()) {
        check(name, Store::new(Arc::clone(&rows)), rows).await;
    }
}

async fn only(store: &Store) -> Alert {
    let mut kept = store.alerts().await.unwrap();
    assert_eq!(kept.len(), 1);
    kept.remove(0).alert
}

#[tokio::test]
async fn a_thread_is_one_row_that_the_latest_event_writes() {
    every_store(async |name, store, _| {
        let first = alert("T/1 ü", SignalStage::Active, 10);
        let over = alert("T/1 ü", SignalStage::Resolved, 20);
        assert_eq!(
            store.keep_alert(&first, newer).await.unwrap(),
            Kept::News(first.clone()),
            "{name}"
        );
        assert_eq!(
            store.keep_alert(&first, newer).await.unwrap(),
            Kept::Known(first.clone())
        );
        let Kept::News(kept) = store.keep_alert(&over, newer).await.unwrap() else {
            panic!("{name}: a later event is news");
        };
        assert_eq!(kept.stage, SignalStage::Resolved);
        assert_eq!(
            store.keep_alert(&first, newer).await.unwrap(),
            Kept::Known(kept.clone()),
            "an older one never reopens"
        );
        assert_eq!(only(&store).await, kept);
        let nothing = store
            .keep_alert(&alert("T/2", SignalStage::Active, 5), |_, _| None)
            .await;
        assert_eq!(nothing.unwrap(), Kept::Nothing);
        let snapshot = store.snapshot().await.unwrap();
        assert_eq!(snapshot.alerts.len(), 1, "{name}");
        assert!(snapshot.problems.is_empty());
    })
    .await;
}

#[tokio::test]
async fn messages_of_one_thread_that_come_at_once_end_in_the_latest() {
    every_store(async |name, store, _| {
        let all = (0..6).map(|n| {
            let store = store.clone();
            async move {
                let message = alert("RACE", SignalStage::Active, n);
                store.keep_alert(&message, newer).await
            }
        });
        for result in futures::future::join_all(all).await {
            assert!(result.is_ok(), "{name}: {result:?}");
        }
        assert_eq!(only(&store).await.event_at, at(5), "{name}");
    })
    .await;
}

#[tokio::test]
async fn an_alert_that_names_more_than_a_row_holds_is_cut_and_can_be_read() {
    every_store(async |name, store, _| {
        let mut large = alert(&"x".repeat(1_000), SignalStage::Active, 1);
        large.impacts = (0..1_000)
            .map(|n| Impact {
                service: format!("Service {n} {}", "y".repeat(250)),
                service_id: None,
                regions: (0..40).map(|n| format!("Region {n}")).collect(),
            })
            .collect();
        store.keep_alert(&large, newer).await.unwrap();
        let kept = only(&store).await;
        assert!(
            !kept.impacts.is_empty() && kept.impacts.len() < 1_000,
            "{name}"
        );
        assert_eq!(kept.thread, large.thread);
        assert_eq!(
            store.keep_alert(&large, newer).await.unwrap(),
            Kept::Known(kept)
        );
    })
    .await;
}

#[tokio::test]
async fn junk_is_written_over_and_a_newer_layout_is_not() {
    every_store(async |name, store, rows| {
        put(
            &rows,
            &keys::alert("JUNK"),
            properties(json!({"alert": "{"})),
        )
        .await;
        let newer_row = json!({"layoutVersion": 99, "alert": "{}"});
        put(&rows, &keys::alert("LATER"), properties(newer_row)).await;
        assert_eq!(store.alerts().await.unwrap(), [], "{name}");
        let junk = alert("JUNK", SignalStage::Active, 1);
        store.keep_alert(&junk, newer).await.unwrap();
        assert_eq!(only(&store).await, junk);
        let later = store
            .keep_alert(&alert("LATER", SignalStage::Active, 1), newer)
            .await;
        assert!(matches!(later, Err(StoreError::Unreadable(_))), "{later:?}");
    })
    .await;
}

#[tokio::test]
async fn what_nobody_believes_any_more_is_removed_unless_it_has_changed() {
    every_store(async |name, store, _| {
        for n in 0..130 {
            let message = alert(&format!("OLD-{n}"), SignalStage::Active, n);
            store.keep_alert(&message, newer).await.unwrap();
        }
        let seen = store.alerts().await.unwrap();
        store.forget_alerts(&seen, at(121)).await.unwrap();
        let left = store.alerts().await.unwrap();
        assert_eq!(left.len(), 10, "{name}");
        assert!(left.iter().all(|row| row.alert.updated_at >= at(121)));
        let again = alert("OLD-129", SignalStage::Resolved, 500);
        store.keep_alert(&again, newer).await.unwrap();
        store.forget_alerts(&left, Timestamp::MAX).await.unwrap();
        let kept = store.alerts().await.unwrap();
        assert!(kept.iter().any(|row| row.alert.id == "OLD-129"), "{name}");
    })
    .await;
}

#[tokio::test]
async fn thousands_of_outlived_alerts_hide_no_live_one() {
    every_store(async |name, store, rows| {
        // Azurite reads the whole table for every page, so its share is two pages and a half.
        let count: u32 = if name == "file" { 10_000 } else { 2_500 };
        let old: Vec<u32> = (0..count).collect();
        for some in old.chunks(100) {
            let writes = some.iter().map(|n| {
                let outlived = alert(&format!("OLD-{n:05}"), SignalStage::Active, 10);
                let text = serde_json::to_string(&outlived).unwrap();
                Write::Insert {
                    key: keys::alert(&outlived.thread),
                    properties: properties(json!({"layoutVersion": LAYOUT, "alert": text})),
                }
            });
            rows.transact(writes.collect()).await.unwrap();
        }
        // The keys of the live ones stand before and behind all others.
        for thread in ["A-LIVE", "Z-LIVE"] {
            let live = alert(thread, SignalStage::Active, 5_000);
            store.keep_alert(&live, newer).await.unwrap();
        }
        let is_live = |row: &AlertRow| row.alert.id.ends_with("LIVE");
        let seen = store.snapshot().await.unwrap().alerts;
        assert_eq!(seen.len(), count as usize + 2, "{name}");
        assert_eq!(seen.iter().filter(|row| is_live(row)).count(), 2, "{name}");
        store.forget_alerts(&seen, at(1_000)).await.unwrap();
        let left = store.alerts().await.unwrap();
        assert_eq!(
            left.len(),
            count as usize + 2 - 500,
            "{name}: a tick removes 500 and leaves the rest to the next"
        );
        assert_eq!(left.iter().filter(|row| is_live(row)).count(), 2, "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_found_again() {
    for fault in [
        Fault::DropAnswer,
        Fault::ErrorAfter,
        Fault::Truncate,
        Fault::Twice,
        Fault::Busy,
    ] {
        let proxy = Proxy::start(Azurite::shared().port()).await;
        let table = fresh_table();
        let store = connect(proxy.port, &table);
        let before = alert("BEFORE", SignalStage::Active, 1);
        store.keep_alert(&before, newer).await.unwrap();
        proxy.spoil_writes(&[fault]);
        let message = alert("LOST", SignalStage::Active, 1);
        let kept = store.keep_alert(&message, newer).await;
        assert_eq!(kept.unwrap(), Kept::News(message), "{fault:?}");
        assert!(proxy.is_spent());
        assert_eq!(store.alerts().await.unwrap().len(), 2, "{fault:?}");
    }
}
