//! What the subjects have found, each as the one input that shows it.

use std::sync::Arc;

use serde_json::{Value, json};
use understudy::adapters::store::Store;
use understudy::adapters::store::rows::{Row, RowStore, Write};
use understudy::decision::alert::Told;

use crate::subjects::alert_bodies::{IMPACTED, group, incident};
use crate::subjects::memory_rows::MemoryRows;
use crate::subjects::now;

/// The sites that an incident with this name for its service speaks of.
fn sites_named(service: &Value) -> usize {
    let mut body = incident("West Europe", "Active");
    let listing = json!([
        {"ImpactedRegions": [{"RegionName": "West Europe"}], "ServiceName": service},
        {"ImpactedRegions": [{"RegionName": "Brazil South"}], "ServiceName": "Storage"},
    ]);
    *body.pointer_mut(IMPACTED).unwrap() = Value::from(listing.to_string());
    let alert = understudy::adapters::alert::read(body.to_string().as_bytes(), now()).unwrap();
    Told::of(&alert).matches(&group(), None).len()
}

#[test]
fn only_no_name_at_all_stands_for_every_service() {
    for every in [json!(null), json!(""), json!(" "), json!("All services")] {
        assert_eq!(sites_named(&every), 1, "{every}");
    }
    for other in [
        json!("存储"),
        json!("-"),
        json!(["Storage"]),
        json!({"name": "Storage"}),
        json!([]),
        json!(7),
    ] {
        assert_eq!(sites_named(&other), 0, "{other}");
    }
}

async fn put(rows: &MemoryRows, key: &str, row: &Row) {
    let write = Write::Insert {
        key: key.to_owned(),
        properties: row.properties.clone(),
    };
    rows.transact(vec![write]).await.unwrap();
}

#[tokio::test]
async fn a_row_that_was_copied_to_another_key_is_junk() {
    let rows = Arc::new(MemoryRows::default());
    for row in crate::subjects::good_rows() {
        put(&rows, &row.key, row).await;
        let kind = row.key.split('.').next().unwrap();
        let copy = match kind {
            "history" => row.key.replace("contoso", "fabrikam"),
            _ => format!("{}-copy", row.key),
        };
        put(&rows, &copy, row).await;
    }
    let store = Store::new(rows);
    let snapshot = store.snapshot().await.unwrap();
    assert_eq!(
        (
            snapshot.groups.len(),
            snapshot.heartbeats.len(),
            snapshot.alerts.len()
        ),
        (1, 1, 1)
    );
    let mut junk: Vec<&str> = snapshot
        .problems
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    junk.sort_unstable();
    assert_eq!(junk.len(), 3, "{junk:?}");
    assert!(junk.iter().all(|key| key.ends_with("-copy")), "{junk:?}");
    assert_eq!(store.history(&"contoso".into()).await.unwrap().len(), 1);
    assert_eq!(store.history(&"fabrikam".into()).await.unwrap(), []);
    assert_eq!(store.newest_entry(&"fabrikam".into()).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_wrong_with_a_row_is_told_shortly() {
    let rows = Arc::new(MemoryRows::default());
    let good = crate::subjects::good_rows()
        .iter()
        .find(|row| row.key.starts_with("group."));
    let mut row = good.unwrap().clone();
    row.properties.insert(
        "state".to_owned(),
        Value::from(json!("long\n".repeat(5_000)).to_string()),
    );
    put(&rows, &row.key, &row).await;
    let problems = Store::new(rows).snapshot().await.unwrap().problems;
    assert!(
        problems[0].problem.starts_with("`state` is not a record"),
        "{}",
        problems[0].problem
    );
    assert!(problems[0].problem.chars().count() <= 301 && !problems[0].problem.contains('\n'));
}

/// A quotation mark that was lost makes a key of everything up to the next one.
#[test]
fn a_key_that_swallowed_a_secret_is_not_told_whole() {
    let file = "[controller]\n\"vantage = 'x' connection_string = 'AccountKey=c2VjcmV0'\" = 1\n";
    let loaded = understudy::config::load_bytes(
        "understudy.toml",
        file.as_bytes().to_vec(),
        &std::collections::BTreeMap::new(),
    );
    let told: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    assert!(
        told.iter().any(|line| line.contains("controller.vantage…")),
        "{told:?}"
    );
    assert!(
        told.iter().all(|line| !line.contains("AccountKey")),
        "{told:?}"
    );
}
