//! A network between the store and its table that loses answers: whatever it does, the record is right
//! and a move has one history entry.

use understudy::adapters::store::heartbeat::Heartbeat;
use understudy::adapters::store::{Commit, Store, StoreError};
use understudy::model::name::{GroupName, Vantage};

use crate::azurite::{Azurite, fresh_table};
use crate::fixtures::{at, connect, entry, state, table};
use crate::table_proxy::{Fault, Proxy};

struct Bench {
    proxy: Proxy,
    /// Through the proxy.
    store: Store,
    /// Past the proxy.
    direct: Store,
    group: GroupName,
}

impl Bench {
    async fn new() -> Self {
        let port = Azurite::shared().port();
        let proxy = Proxy::start(port).await;
        let table = fresh_table();
        Self {
            store: connect(proxy.port, &table),
            direct: connect(port, &table),
            proxy,
            group: GroupName::from("contoso"),
        }
    }

    /// Commits generation 1 on top of what is there, through the fault.
    async fn move_through(&self, faults: &[Fault]) -> Result<bool, StoreError> {
        let before = self.direct.group(&self.group).await.unwrap();
        self.proxy.spoil_writes(faults);
        let done = self
            .store
            .commit(
                &self.group,
                before.as_ref(),
                &state(1, "north"),
                &[entry(1, "north", 1)],
            )
            .await;
        assert!(self.proxy.is_spent(), "{faults:?}");
        done.map(|done| match done {
            Commit::Done(row) => {
                assert_eq!(*row.state, state(1, "north"));
                true
            }
            Commit::Lost => false,
        })
    }

    /// The generation and the number of history entries that are really there.
    async fn truth(&self) -> (u64, usize) {
        let row = self.direct.group(&self.group).await.unwrap();
        let history = self.direct.history(&self.group).await.unwrap();
        (row.map_or(0, |row| row.state.generation), history.len())
    }
}

fn beat(vantage: &str, seconds: i64) -> Heartbeat {
    Heartbeat {
        vantage: Vantage::from(vantage),
        began_at: at(seconds),
        ended_at: at(seconds + 1),
        not_covered: Vec::new(),
        not_covered_count: 0,
        evidence: std::collections::BTreeMap::new(),
    }
}

#[tokio::test]
async fn a_write_that_landed_is_found_to_be_ours() {
    for fault in [
        Fault::DropAnswer,
        Fault::HangAfter,
        Fault::ErrorAfter,
        Fault::Twice,
        Fault::Truncate,
        Fault::NoEtag,
    ] {
        for has_row in [false, true] {
            let bench = Bench::new().await;
            if has_row {
                bench
                    .direct
                    .commit(&bench.group, None, &state(0, "west"), &[])
                    .await
                    .unwrap();
            } else {
                bench
                    .direct
                    .commit(&GroupName::from("other"), None, &state(0, "west"), &[])
                    .await
                    .unwrap();
            }
            let done = bench.move_through(&[fault]).await;
            assert!(done.unwrap(), "{fault:?}, row before: {has_row}");
            assert_eq!(
                bench.truth().await,
                (1, 1),
                "{fault:?}, row before: {has_row}"
            );
        }
    }
}

#[tokio::test]
async fn the_row_that_is_found_can_be_written_next() {
    let bench = Bench::new().await;
    bench
        .direct
        .commit(&bench.group, None, &state(0, "west"), &[])
        .await
        .unwrap();
    let before = bench.store.group(&bench.group).await.unwrap();
    bench.proxy.spoil_writes(&[Fault::DropAnswer]);
    let done = bench
        .store
        .commit(&bench.group, before.as_ref(), &state(1, "north"), &[])
        .await
        .unwrap();
    let Commit::Done(row) = done else {
        panic!("lost");
    };
    let next = bench
        .store
        .commit(&bench.group, Some(&row), &state(2, "west"), &[])
        .await
        .unwrap();
    assert!(matches!(next, Commit::Done(_)));
}

#[tokio::test]
async fn a_write_that_never_arrived_is_sent_once_more_if_there_is_time() {
    let bench = Bench::new().await;
    bench
        .direct
        .commit(&bench.group, None, &state(0, "west"), &[])
        .await
        .unwrap();
    assert!(bench.move_through(&[Fault::Busy]).await.unwrap());
    assert_eq!(bench.truth().await, (1, 1));

    let bench = Bench::new().await;
    bench
        .direct
        .commit(&bench.group, None, &state(0, "west"), &[])
        .await
        .unwrap();
    let error = bench
        .move_through(&[Fault::Busy, Fault::Busy])
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::Unavailable(_))
            && error.to_string().contains("503 ServerBusy: is"),
        "{error}"
    );
    assert_eq!(bench.truth().await, (0, 0));

    // The caller has waited long enough.
    let error = bench.move_through(&[Fault::HangBefore]).await.unwrap_err();
    assert!(error.to_string().contains("no answer in time"), "{error}");
    assert_eq!(bench.truth().await, (0, 0));
}

#[tokio::test]
async fn a_race_that_is_lost_is_lost_whole() {
    let bench = Bench::new().await;
    bench
        .direct
        .commit(&bench.group, None, &state(0, "west"), &[])
        .await
        .unwrap();
    let before = bench.store.group(&bench.group).await.unwrap();
    bench
        .direct
        .commit(
            &bench.group,
            before.as_ref(),
            &state(1, "east"),
            &[entry(1, "east", 0)],
        )
        .await
        .unwrap();
    for faults in [
        &[][..],
        &[Fault::DropAnswer],
        &[Fault::Busy],
        &[Fault::Truncate],
    ] {
        bench.proxy.spoil_writes(faults);
        let lost = bench
            .store
            .commit(
                &bench.group,
                before.as_ref(),
                &state(1, "north"),
                &[entry(1, "north", 1)],
            )
            .await
            .unwrap();
        assert_eq!(lost, Commit::Lost, "{faults:?}");
        let inserted = bench
            .store
            .commit(&bench.group, None, &state(0, "west"), &[])
            .await
            .unwrap();
        assert_eq!(inserted, Commit::Lost, "{faults:?}");
    }
    let row = bench.direct.group(&bench.group).await.unwrap().unwrap();
    assert_eq!(*row.state, state(1, "east"));
    assert_eq!(bench.truth().await, (1, 1));
}

#[tokio::test]
async fn a_write_of_ours_is_found_under_writes_of_others() {
    let bench = Bench::new().await;
    bench
        .direct
        .commit(&bench.group, None, &state(0, "west"), &[])
        .await
        .unwrap();
    let before = bench.store.group(&bench.group).await.unwrap();
    // Ours lands, its answer hangs, and meanwhile another process goes on from it.
    bench.proxy.spoil_writes(&[Fault::HangAfter]);
    let ours_state = state(1, "north");
    let ours = bench
        .store
        .commit(&bench.group, before.as_ref(), &ours_state, &[]);
    let other = async {
        loop {
            let row = bench.direct.group(&bench.group).await.unwrap().unwrap();
            if row.state.generation == 1 {
                let next = state(2, "west");
                return bench
                    .direct
                    .commit(&bench.group, Some(&row), &next, &[])
                    .await
                    .unwrap();
            }
        }
    };
    let (ours, other) = tokio::join!(ours, other);
    assert!(matches!(other, Commit::Done(_)));
    match ours.unwrap() {
        Commit::Done(row) => assert_eq!(row.state.generation, 2, "as it now stands"),
        Commit::Lost => panic!("it was applied"),
    }
}

#[tokio::test]
async fn a_heartbeat_whose_answer_is_lost_is_no_failure() {
    for fault in [
        Fault::DropAnswer,
        Fault::HangAfter,
        Fault::ErrorAfter,
        Fault::Busy,
        Fault::NoEtag,
    ] {
        let bench = Bench::new().await;
        let first = bench.direct.beat(None, beat("paris", 0)).await.unwrap();
        let Commit::Done(first) = first else {
            panic!("lost");
        };
        bench.proxy.spoil_writes(&[fault]);
        let second = bench
            .store
            .beat(Some(&first), beat("paris", 30))
            .await
            .unwrap();
        let Commit::Done(second) = second else {
            panic!("{fault:?}: lost");
        };
        assert!(bench.proxy.is_spent());
        let found = bench
            .direct
            .heartbeat(&Vantage::from("paris"))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (found.beat.began_at, &found.etag),
            (at(30), &second.etag),
            "{fault:?}"
        );
        let stale = bench
            .store
            .beat(Some(&first), beat("paris", 60))
            .await
            .unwrap();
        assert_eq!(stale, Commit::Lost);
    }
}

#[tokio::test]
async fn a_read_on_a_broken_connection_is_sent_again_and_others_fail_in_time() {
    let bench = Bench::new().await;
    bench
        .direct
        .commit(&bench.group, None, &state(0, "west"), &[])
        .await
        .unwrap();
    for fault in [Fault::DropAnswer, Fault::Truncate] {
        bench.proxy.spoil_reads(&[fault]);
        assert!(
            bench.store.group(&bench.group).await.unwrap().is_some(),
            "{fault:?}"
        );
        bench.proxy.spoil_reads(&[fault]);
        assert_eq!(
            bench.store.snapshot().await.unwrap().groups.len(),
            1,
            "{fault:?}"
        );
    }
    for fault in [Fault::HangBefore, Fault::Busy, Fault::ErrorAfter] {
        bench.proxy.spoil_reads(&[fault, fault]);
        for error in [
            bench
                .store
                .group(&bench.group)
                .await
                .map(|_| ())
                .unwrap_err(),
            bench.store.snapshot().await.map(|_| ()).unwrap_err(),
        ] {
            assert!(
                matches!(error, StoreError::Unavailable(_)),
                "{fault:?}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn reads_make_no_table_and_one_scan_is_one_request() {
    let bench = Bench::new().await;
    assert!(bench.store.snapshot().await.unwrap().groups.is_empty());
    assert_eq!(bench.store.group(&bench.group).await.unwrap(), None);
    assert!(
        bench
            .proxy
            .take_seen()
            .iter()
            .all(|line| line.starts_with("GET "))
    );

    bench
        .store
        .commit(&bench.group, None, &state(0, "west"), &[])
        .await
        .unwrap();
    let lines = bench.proxy.take_seen();
    assert_eq!(lines.len(), 3, "tried, made, written: {lines:?}");
    bench.store.snapshot().await.unwrap();
    assert_eq!(bench.proxy.take_seen().len(), 1);
}

#[tokio::test]
async fn two_thousand_new_groups_are_one_question_to_history() {
    let bench = Bench::new().await;
    let names: Vec<GroupName> = (0..2_000)
        .map(|index| GroupName::new(format!("g{index}")))
        .collect();
    bench
        .direct
        .commit(&names[7], None, &state(3, "north"), &[entry(3, "north", 5)])
        .await
        .unwrap();
    let found = bench.store.newest_entries(&names).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[&names[7]].as_ref().unwrap().generation, 3);
    assert_eq!(bench.proxy.take_seen().len(), 2);
}

#[tokio::test]
async fn nobody_there_and_somebody_else_there_are_told_apart() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = connect(port, "t").snapshot().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");

    // A web server that knows no tables must not pass for an empty store.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, axum::Router::new()).await });
    let error = connect(port, "t").snapshot().await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the endpoint of a table service?"),
        "{error}"
    );
    let rows = table(&crate::azurite::connection_string(port), "t");
    assert!(rows.get("a").await.is_err());
}
