//! Rows that people or newer versions wrote.

use std::sync::Arc;

use serde_json::{Value, json};
use understudy::adapters::store::codec::LAYOUT_PROPERTY;
use understudy::adapters::store::rows::{Properties, RowStore, Write, Written, binary};
use understudy::adapters::store::{Commit, Store, StoreError, keys};
use understudy::model::name::Vantage;

use crate::fixtures::{entry, properties, put, state, stores};
use crate::meaning::{beat, name};

async fn change(rows: &Arc<dyn RowStore>, key: &str, column: &str, value: Value) {
    let row = rows.get(key).await.unwrap().unwrap();
    let mut properties = row.properties;
    properties.insert(column.to_owned(), value);
    let write = Write::Replace {
        key: key.to_owned(),
        etag: row.etag,
        properties,
    };
    assert!(
        matches!(
            rows.transact(vec![write]).await.unwrap(),
            Written::Applied(_)
        ),
        "{key}"
    );
}

/// Rows that are none, most of them made of the good ones that are there.
async fn junk(rows: &Arc<dyn RowStore>) -> Vec<(&'static str, Properties)> {
    let copy = rows.get("group.good").await.unwrap().unwrap().properties;
    let heartbeat = rows
        .get("beat.francecentral.1")
        .await
        .unwrap()
        .unwrap()
        .properties;
    let mut damaged = heartbeat.clone();
    damaged.insert("vantage".to_owned(), json!("damaged"));
    damaged.insert("evidence00".to_owned(), binary(b"garbage"));
    vec![
        ("group.empty", properties(json!({}))),
        (
            "group.number",
            properties(json!({LAYOUT_PROPERTY: 1, "group": "number", "state": 7})),
        ),
        (
            "group.text",
            properties(json!({LAYOUT_PROPERTY: 1, "group": "text", "state": "{}"})),
        ),
        ("group.nolayout", properties(json!({"state": "{}"}))),
        ("group.layout", properties(json!({LAYOUT_PROPERTY: true}))),
        ("group.copied", copy),
        (
            "group.newer",
            properties(json!({LAYOUT_PROPERTY: 2, "anything": "else"})),
        ),
        ("beat.empty.1", properties(json!({}))),
        ("beat.damaged.1", damaged),
        ("beat.copied.1", heartbeat),
        ("foreign", properties(json!({"x": 1}))),
    ]
}

#[tokio::test]
async fn junk_is_reported_and_harms_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, rows) in stores(folder.path()) {
        let store = Store::new(Arc::clone(&rows));
        let good = name("good");
        store
            .commit(&good, None, &state(0, "west"), &[entry(0, "west", 0)])
            .await
            .unwrap();
        store.beat(None, beat(3, "x")).await.unwrap();
        let junk = junk(&rows).await;
        let keys: Vec<&str> = junk.iter().map(|(key, _)| *key).collect();
        for (key, properties) in &junk {
            put(&rows, key, properties.clone()).await;
        }
        put(
            &rows,
            "history.good.0000000000001.99.junk",
            properties(json!({"entry": 5})),
        )
        .await;

        let snapshot = store.snapshot().await.unwrap();
        assert_eq!(
            snapshot.groups.keys().collect::<Vec<_>>(),
            [&good],
            "{kind}"
        );
        assert_eq!(snapshot.heartbeats.len(), 1, "{kind}");
        let reported: std::collections::BTreeSet<&str> = snapshot
            .problems
            .iter()
            .map(|problem| problem.key.as_str())
            .collect();
        assert_eq!(reported, keys.iter().copied().collect(), "{kind}");
        assert!(
            snapshot
                .problem(&name("number"))
                .unwrap()
                .problem
                .contains("state"),
            "{kind}"
        );
        assert!(
            snapshot
                .problem(&name("copied"))
                .unwrap()
                .problem
                .contains("good"),
            "{kind}"
        );
        assert_eq!(store.history(&good).await.unwrap().len(), 1, "{kind}");

        // Nobody's row is written over by a group that has none to show.
        for odd in ["empty", "number", "newer", "copied"] {
            let before = rows.get(&format!("group.{odd}")).await.unwrap();
            let made = store.commit(&name(odd), None, &state(0, "west"), &[]).await;
            assert!(
                matches!(made, Err(StoreError::Unreadable(_))),
                "{kind}: {odd}: {made:?}"
            );
            assert_eq!(
                rows.get(&format!("group.{odd}")).await.unwrap(),
                before,
                "{kind}"
            );
        }
    }
}

#[tokio::test]
async fn a_row_of_a_newer_layout_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, rows) in stores(folder.path()) {
        let store = Store::new(Arc::clone(&rows));
        let group = name("contoso");
        let Commit::Done(read) = store
            .commit(&group, None, &state(0, "west"), &[])
            .await
            .unwrap()
        else {
            panic!("{kind}: lost");
        };
        let Commit::Done(first) = store.beat(None, beat(1, "x")).await.unwrap() else {
            panic!("{kind}: lost");
        };
        // 2 as text, as people may type it.
        change(&rows, "group.contoso", LAYOUT_PROPERTY, json!("2")).await;
        change(&rows, "beat.francecentral.1", LAYOUT_PROPERTY, json!(2)).await;
        let before = rows.scan("a", "z").await.unwrap();

        for row in [None, Some(&read)] {
            let written = store
                .commit(&group, row, &state(1, "north"), &[entry(1, "north", 1)])
                .await;
            assert!(
                matches!(&written, Err(StoreError::Unreadable(text)) if text.contains("update this deployment")),
                "{kind}: {written:?}"
            );
        }
        for row in [None, Some(first.as_ref())] {
            assert_eq!(
                store.beat(row, beat(2, "y")).await.unwrap(),
                Commit::Lost,
                "{kind}"
            );
        }
        let heartbeat = store.heartbeat(&Vantage::from("francecentral")).await;
        assert!(
            matches!(heartbeat, Err(StoreError::Unreadable(_))),
            "{kind}"
        );
        assert_eq!(rows.scan("a", "z").await.unwrap(), before, "{kind}");
    }
}

#[tokio::test]
async fn a_damaged_heartbeat_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, rows) in stores(folder.path()) {
        let store = Store::new(Arc::clone(&rows));
        let vantage = Vantage::from("francecentral");
        put(
            &rows,
            &keys::heartbeat(&vantage),
            properties(json!({"junk": true})),
        )
        .await;
        assert_eq!(
            store.beat(None, beat(1, "x")).await.unwrap(),
            Commit::Lost,
            "{kind}"
        );
        let blank = store.heartbeat(&vantage).await.unwrap().unwrap();
        assert!(blank.beat.evidence.is_empty(), "{kind}");
        assert!(
            matches!(
                store.beat(Some(&blank), beat(1, "x")).await.unwrap(),
                Commit::Done(_)
            ),
            "{kind}"
        );
        assert_eq!(
            store.snapshot().await.unwrap().heartbeats.len(),
            1,
            "{kind}"
        );
    }
}
