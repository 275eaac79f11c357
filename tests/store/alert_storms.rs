//! Alerts that come at once share transactions; each is kept once and told for itself, whatever becomes of the others.

use std::sync::Arc;

use futures::future::join_all;
use serde_json::json;
use understudy::adapters::store::alerts::Kept;
use understudy::adapters::store::{Store, StoreError, keys};
use understudy::decision::alert::newer;
use understudy::model::alert::Alert;
use understudy::model::signal::SignalStage;

use crate::alerts::{alert, every_store};
use crate::azurite::{Azurite, fresh_table};
use crate::fixtures::{at, connect, properties, put};
use crate::table_proxy::{Fault, Proxy};

/// Keeps all of these at the same time.
async fn at_once(store: &Store, alerts: &[Alert]) -> Vec<Result<Kept, StoreError>> {
    join_all(alerts.iter().map(|one| store.keep_alert(one, newer))).await
}

fn storm(threads: std::ops::Range<i64>) -> Vec<Alert> {
    threads
        .map(|n| alert(&format!("STORM-{n}"), SignalStage::Active, n))
        .collect()
}

#[tokio::test]
async fn hundreds_at_once_are_few_writes_and_a_row_each() {
    let proxy = Proxy::start(Azurite::shared().port()).await;
    let store = connect(proxy.port, &fresh_table());
    let first = alert("FIRST", SignalStage::Active, 0);
    store.keep_alert(&first, newer).await.unwrap();
    proxy.take_seen();
    let alerts = storm(0..300);
    for (kept, one) in at_once(&store, &alerts).await.into_iter().zip(&alerts) {
        assert_eq!(kept.unwrap(), Kept::News(one.clone()));
    }
    let asked = proxy.take_seen().len();
    assert!(asked <= 10, "{asked} requests for 300 alerts");
    assert_eq!(store.alerts().await.unwrap().len(), 301);
}

#[tokio::test]
async fn two_processes_that_take_the_same_storm_keep_it_once() {
    every_store(async |name, store, rows| {
        let other = Store::new(Arc::clone(&rows));
        let (ours, mut theirs) = (storm(0..60), storm(30..90));
        for one in &mut theirs {
            // The same message, which the other process hears at another time.
            one.received_at = at(1_000);
            one.updated_at = at(1_000);
        }
        let (here, there) = tokio::join!(at_once(&store, &ours), at_once(&other, &theirs));
        let is_news = |kept: &Result<Kept, StoreError>| match kept {
            Ok(Kept::News(_)) => true,
            Ok(Kept::Known(_)) => false,
            other => panic!("{name}: {other:?}"),
        };
        let news = here
            .iter()
            .chain(&there)
            .filter(|kept| is_news(kept))
            .count();
        assert_eq!(news, 90, "{name}: each is news to one of the two");
        assert_eq!(store.alerts().await.unwrap().len(), 90, "{name}");
    })
    .await;
}

#[tokio::test]
async fn messages_of_one_thread_within_a_storm_are_held_against_each_other() {
    every_store(async |name, store, _| {
        let mut alerts = storm(0..20);
        let over = alert("STORM-5", SignalStage::Resolved, 100);
        alerts.push(over);
        alerts.extend(storm(0..20));
        let kept = at_once(&store, &alerts).await;
        let repeats = kept.iter().skip(21);
        assert!(
            repeats
                .clone()
                .all(|kept| matches!(kept, Ok(Kept::Known(_)))),
            "{name}: {kept:?}"
        );
        let Ok(Kept::News(end)) = &kept[20] else {
            panic!("{name}: {:?}", kept[20]);
        };
        assert_eq!(end.stage, SignalStage::Resolved, "{name}");
        let rows = store.alerts().await.unwrap();
        assert_eq!(rows.len(), 20, "{name}");
        let ended = rows.iter().filter(|row| row.alert.event_at == at(100));
        assert_eq!(ended.count(), 1, "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_row_that_may_not_be_written_takes_no_other_with_it() {
    every_store(async |name, store, rows| {
        let newer_row = json!({"layoutVersion": 99, "alert": "{}"});
        put(&rows, &keys::alert("STORM-3"), properties(newer_row)).await;
        let kept = at_once(&store, &storm(0..10)).await;
        for (number, kept) in kept.iter().enumerate() {
            match kept {
                Err(StoreError::Unreadable(_)) => assert_eq!(number, 3, "{name}"),
                Ok(Kept::News(_)) => assert_ne!(number, 3, "{name}"),
                other => panic!("{name}: {other:?}"),
            }
        }
        assert_eq!(store.alerts().await.unwrap().len(), 9, "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_transaction_whose_answer_is_lost_is_found_again() {
    for fault in [
        Fault::DropAnswer,
        Fault::ErrorAfter,
        Fault::Twice,
        Fault::Busy,
        Fault::Close,
    ] {
        let proxy = Proxy::start(Azurite::shared().port()).await;
        let store = connect(proxy.port, &fresh_table());
        let before = alert("BEFORE", SignalStage::Active, 1);
        store.keep_alert(&before, newer).await.unwrap();
        proxy.spoil_writes(&[fault]);
        for kept in at_once(&store, &storm(0..40)).await {
            assert!(matches!(kept, Ok(Kept::News(_))), "{fault:?}: {kept:?}");
        }
        assert!(proxy.is_spent());
        assert_eq!(store.alerts().await.unwrap().len(), 41, "{fault:?}");
    }
}
