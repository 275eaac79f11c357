//! Ranges of several pages: read to the end or not at all, and each page asked for when the one before was taken.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use tokio::time::Instant;
use understudy::adapters::store::rows::{
    Page, Place, Row, RowError, RowStore, SCAN_LIMIT_SECONDS, Write, Written,
};
use understudy::adapters::store::{Store, StoreError};
use understudy::model::name::GroupName;

use crate::azurite::{Azurite, fresh_table};
use crate::fixtures::{connect, state};
use crate::table_proxy::{Fault, Proxy};

/// More than one page of Table Storage.
const GROUPS: usize = 1_100;

#[tokio::test]
async fn a_broken_page_is_asked_for_once_more_and_half_a_range_is_none() {
    let port = Azurite::shared().port();
    let proxy = Proxy::start(port).await;
    let table = fresh_table();
    let (store, direct) = (connect(proxy.port, &table), connect(port, &table));
    let groups: Vec<GroupName> = (0..GROUPS)
        .map(|index| GroupName::new(format!("tenant-{index:04}")))
        .collect();
    let first = state(0, "west");
    let made = join_all(
        groups
            .iter()
            .map(|group| direct.commit(group, None, &first, &[])),
    );
    assert!(made.await.iter().all(Result::is_ok));
    for fault in [Fault::DropAnswer, Fault::Truncate] {
        proxy.take_seen();
        proxy.spoil_reads(&[Fault::None, fault]);
        let snapshot = store.snapshot().await.unwrap();
        assert_eq!(snapshot.groups.len(), GROUPS, "{fault:?}");
        assert_eq!(
            proxy.take_seen().len(),
            3,
            "{fault:?}: two pages, one of them twice"
        );
    }
    for fault in [Fault::HangBefore, Fault::Busy] {
        proxy.spoil_reads(&[Fault::None, fault]);
        let error = store.snapshot().await.map(|_| ()).unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    }
}

/// Pages without end, each after a while.
#[derive(Debug)]
struct Endless(Duration);

#[async_trait]
impl RowStore for Endless {
    async fn get(&self, _: &str) -> Result<Option<Row>, RowError> {
        Ok(None)
    }

    async fn page(&self, _: (&str, &str), _: &[&str], _: Option<Place>) -> Result<Page, RowError> {
        tokio::time::sleep(self.0).await;
        Ok(Page {
            rows: Vec::new(),
            next: Some(Place {
                partition: "p".to_owned(),
                row: None,
            }),
        })
    }

    async fn transact(&self, _: Vec<Write>) -> Result<Written, RowError> {
        Ok(Written::Conflict)
    }

    fn place(&self) -> String {
        "table endless".to_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn a_range_without_end_is_given_up_in_time_and_says_where() {
    for pause in [1, 3, 60].map(Duration::from_secs) {
        let began = Instant::now();
        let store = Store::new(Arc::new(Endless(pause)));
        let error = store.snapshot().await.map(|_| ()).unwrap_err();
        assert!(began.elapsed() <= Duration::from_secs(SCAN_LIMIT_SECONDS + 1));
        assert!(error.to_string().contains("table endless"), "{error}");
    }
}
