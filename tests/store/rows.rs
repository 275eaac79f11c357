//! What both implementations of rows promise.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::json;
use understudy::adapters::store::rows::{RowError, Write, Written, binary, bytes};

use crate::azurite::{Azurite, fresh_table};
use crate::fixtures::{file, properties, sas, stores, table, text};

fn insert(key: &str, value: &str) -> Write {
    Write::Insert {
        key: key.to_owned(),
        properties: text(value),
    }
}

fn replace(key: &str, etag: &str, value: &str) -> Write {
    Write::Replace {
        key: key.to_owned(),
        etag: etag.to_owned(),
        properties: text(value),
    }
}

fn delete(key: &str, etag: &str) -> Write {
    Write::Delete {
        key: key.to_owned(),
        etag: etag.to_owned(),
    }
}

fn etag(written: &Written) -> String {
    match written {
        Written::Applied(etags) => etags[0].clone(),
        Written::Conflict => panic!("a conflict"),
    }
}

#[tokio::test]
async fn a_row_is_inserted_replaced_and_deleted_on_its_etag() {
    let folder = tempfile::tempdir().unwrap();
    for (name, rows) in stores(folder.path()) {
        assert_eq!(
            rows.get("group.a").await.unwrap(),
            None,
            "{name}: no table yet"
        );
        assert!(rows.scan("a", "z").await.unwrap().is_empty(), "{name}");

        let first = etag(&rows.transact(vec![insert("group.a", "1")]).await.unwrap());
        let again = rows.transact(vec![insert("group.a", "2")]).await.unwrap();
        assert_eq!(again, Written::Conflict, "{name}: it exists");

        let second = etag(
            &rows
                .transact(vec![replace("group.a", &first, "2")])
                .await
                .unwrap(),
        );
        assert_ne!(first, second, "{name}");
        let found = rows.get("group.a").await.unwrap().unwrap();
        assert_eq!(
            (found.properties, found.etag.as_str()),
            (text("2"), second.as_str()),
            "{name}"
        );
        let scanned = rows.scan("group.", "group0").await.unwrap();
        assert_eq!(scanned[0].etag, second, "{name}: a scan has the same ETag");

        for stale in [
            replace("group.a", &first, "3"),
            delete("group.a", &first),
            replace("group.none", &second, "3"),
            delete("group.none", &second),
        ] {
            let written = rows.transact(vec![stale.clone()]).await.unwrap();
            assert_eq!(written, Written::Conflict, "{name}: {stale:?}");
        }
        rows.transact(vec![delete("group.a", &second)])
            .await
            .unwrap();
        assert_eq!(rows.get("group.a").await.unwrap(), None, "{name}");

        let anew = etag(&rows.transact(vec![insert("group.a", "4")]).await.unwrap());
        assert!(
            anew != first && anew != second,
            "{name}: no ETag comes twice"
        );
    }
}

#[tokio::test]
async fn every_type_of_property_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let chunk: Vec<u8> = (0..64 * 1024_u32)
        .map(|number| (number % 251) as u8)
        .collect();
    let wanted = properties(json!({
        "text": "it's \"a\" ü 漢字 \\ \u{1F600}\n", "empty": "", "long": "x".repeat(30_000), "yes": true, "count": -7,
        "packed": binary(&chunk), "nothing": binary(&[]),
    }));
    for (name, rows) in stores(folder.path()) {
        rows.transact(vec![Write::Insert {
            key: "k".to_owned(),
            properties: wanted.clone(),
        }])
        .await
        .unwrap();
        let found = rows.get("k").await.unwrap().unwrap();
        assert_eq!(found.properties, wanted, "{name}");
        assert_eq!(bytes(&found.properties["packed"]).unwrap(), chunk, "{name}");
        assert_eq!(
            rows.scan("k", "l").await.unwrap()[0].properties,
            wanted,
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_transaction_is_applied_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    for (name, rows) in stores(folder.path()) {
        // Also the very first write, which makes the table.
        let made = rows
            .transact(vec![insert("a", "1"), insert("b", "1")])
            .await
            .unwrap();
        let Written::Applied(old) = made else {
            panic!("{name}: a conflict");
        };
        assert_eq!(old[1], rows.get("b").await.unwrap().unwrap().etag, "{name}");
        let etags = [
            etag(
                &rows
                    .transact(vec![replace("a", &old[0], "1")])
                    .await
                    .unwrap(),
            ),
            etag(
                &rows
                    .transact(vec![replace("b", &old[1], "1")])
                    .await
                    .unwrap(),
            ),
        ];
        let stale = [
            vec![insert("c", "1"), insert("a", "2")],
            vec![insert("c", "1"), replace("a", &old[0], "2")],
            vec![insert("c", "1"), replace("none", &etags[0], "2")],
            vec![
                replace("a", &etags[0], "2"),
                insert("b", "2"),
                insert("c", "1"),
            ],
            vec![insert("c", "1"), delete("b", &old[1])],
        ];
        for writes in stale {
            let written = rows.transact(writes.clone()).await.unwrap();
            assert_eq!(written, Written::Conflict, "{name}: {writes:?}");
            assert_eq!(rows.get("c").await.unwrap(), None, "{name}: {writes:?}");
            assert_eq!(
                rows.get("a").await.unwrap().unwrap().properties,
                text("1"),
                "{name}"
            );
        }
        let good = vec![
            insert("c", "1"),
            replace("a", &etags[0], "2"),
            delete("b", &etags[1]),
        ];
        assert!(
            matches!(rows.transact(good).await.unwrap(), Written::Applied(_)),
            "{name}"
        );
        let keys: BTreeSet<String> = rows
            .scan("a", "z")
            .await
            .unwrap()
            .into_iter()
            .map(|row| row.key)
            .collect();
        assert_eq!(
            keys,
            BTreeSet::from(["a".to_owned(), "c".to_owned()]),
            "{name}"
        );
    }
}

#[tokio::test]
async fn of_sixteen_writers_on_one_etag_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    for (name, rows) in stores(folder.path()) {
        let mut current = etag(&rows.transact(vec![insert("row", "0")]).await.unwrap());
        for round in 0..5 {
            let tries = (0..16).map(|writer| {
                let mut writes = vec![replace("row", &current, &format!("{round} {writer}"))];
                if writer % 2 == 0 {
                    writes.push(insert(&format!("history.{round}.{writer}"), "x"));
                }
                rows.transact(writes)
            });
            let won: Vec<String> = join_all(tries)
                .await
                .into_iter()
                .filter_map(|written| match written.unwrap() {
                    Written::Applied(etags) => Some(etags[0].clone()),
                    Written::Conflict => None,
                })
                .collect();
            assert_eq!(won.len(), 1, "{name}, round {round}");
            current.clone_from(&won[0]);
            assert_eq!(
                rows.get("row").await.unwrap().unwrap().etag,
                current,
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn a_range_of_more_than_a_page_is_read_whole_and_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    for (name, rows) in stores(folder.path()) {
        let keys: Vec<String> = (0..1_100).map(|index| format!("group.g{index}")).collect();
        for batch in keys.chunks(100) {
            let writes = batch.iter().map(|key| insert(key, "x")).collect();
            assert!(
                matches!(rows.transact(writes).await.unwrap(), Written::Applied(_)),
                "{name}"
            );
        }
        rows.transact(vec![
            insert("group0", "x"),
            insert("history.g1.1", "x"),
            insert("beat", "x"),
        ])
        .await
        .unwrap();
        let found: BTreeSet<String> = rows
            .scan("group.", "group0")
            .await
            .unwrap()
            .into_iter()
            .map(|row| row.key)
            .collect();
        assert_eq!(found, keys.into_iter().collect(), "{name}");

        let page = rows
            .page(("group.", "group0"), &["text"], None)
            .await
            .unwrap();
        assert_eq!(page.next.is_none(), page.rows.len() == 1_100, "{name}");
        let all = rows.list("group.", "group0", &["text"]).await.unwrap();
        assert_eq!(all.len(), 1_100, "{name}");
        assert_eq!(all[0].properties["text"], "x", "{name}");
    }
}

#[tokio::test]
async fn many_processes_may_make_the_table_or_the_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let fresh = fresh_table();
    let key = Azurite::shared().connection_string();
    let tables = (0..8).map(|_| table(&key, &fresh)).collect::<Vec<_>>();
    let files = (0..8).map(|_| file(folder.path())).collect::<Vec<_>>();
    for (name, stores) in [("table", tables), ("file", files)] {
        let writes = stores
            .iter()
            .enumerate()
            .map(|(index, rows)| rows.transact(vec![insert(&format!("k{index}"), "x")]));
        for written in join_all(writes).await {
            assert!(matches!(written.unwrap(), Written::Applied(_)), "{name}");
        }
        assert_eq!(stores[0].scan("k", "l").await.unwrap().len(), 8, "{name}");
    }
}

#[tokio::test]
async fn a_sas_that_makes_no_tables_is_enough_where_the_table_exists() {
    let fresh = fresh_table();
    let owner = table(&Azurite::shared().connection_string(), &fresh);
    owner.transact(vec![insert("a", "1")]).await.unwrap();
    let rows = table(&sas("raud"), &fresh);
    let first = etag(&rows.transact(vec![insert("b", "1")]).await.unwrap());
    rows.transact(vec![replace("b", &first, "2")])
        .await
        .unwrap();
    assert_eq!(rows.scan("a", "z").await.unwrap().len(), 2);

    let rows = table(&sas("r"), &fresh);
    assert!(rows.get("a").await.unwrap().is_some());
    let error = rows.transact(vec![insert("c", "1")]).await.unwrap_err();
    assert!(matches!(error, RowError::Refused { .. }), "{error}");
    assert!(
        error.to_string().contains("add, update and delete"),
        "{error}"
    );

    let error = table(&sas("raud"), &fresh_table())
        .transact(vec![insert("c", "1")])
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("make the table by hand"),
        "{error}"
    );
}

#[tokio::test]
async fn a_key_that_could_break_a_filter_is_refused() {
    let rows = table(&Azurite::shared().connection_string(), &fresh_table());
    for key in ["it's", "a/b", "", "a b", "ü", &"x".repeat(256)] {
        assert!(rows.get(key).await.is_err(), "{key}");
        assert!(rows.scan(key, "z").await.is_err(), "{key}");
        assert!(
            rows.transact(vec![insert(key, "x")]).await.is_err(),
            "{key}"
        );
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_used_says_where_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("occupied"), "x").unwrap();
    let blocked = file(&folder.path().join("occupied/below"));
    let error = blocked.get("a").await.unwrap_err();
    assert!(matches!(error, RowError::Refused { .. }), "{error}");
    assert!(
        error.to_string().contains("occupied") && error.to_string().contains("store.path"),
        "{error}"
    );

    std::fs::write(
        folder.path().join("state.sqlite"),
        "this is no database, but long enough to be looked at",
    )
    .unwrap();
    let error = file(folder.path()).get("a").await.unwrap_err();
    assert!(matches!(error, RowError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn a_folder_that_is_removed_under_a_process_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let rows = file(&path);
    rows.transact(vec![insert("a", "1")]).await.unwrap();
    std::fs::remove_dir_all(&path).unwrap();
    assert_eq!(
        rows.get("a").await.unwrap(),
        None,
        "a reader sees a new file"
    );
    rows.transact(vec![insert("a", "2")]).await.unwrap();
    assert_eq!(
        file(&path).get("a").await.unwrap().unwrap().properties,
        text("2")
    );
}
