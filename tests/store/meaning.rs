//! What rows mean: records, heartbeats and history as they are written and read; rows that people or
//! newer versions wrote.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use understudy::adapters::store::codec::LAYOUT_PROPERTY;
use understudy::adapters::store::heartbeat::{self, Heartbeat};
use understudy::adapters::store::keys;
use understudy::adapters::store::rows::Row;
use understudy::adapters::store::{Commit, Store, StoreError};
use understudy::model::deployment::StoreSpec;
use understudy::model::evidence::{AccountEvidence, GroupEvidence, Unhealthy};
use understudy::model::history::Witness;
use understudy::model::name::{AccountKey, GroupName, Service, SiteName, Vantage};
use understudy::model::sample::{Outcome, Sample};
use understudy::model::verdict::Verdict;

use crate::fixtures::{at, entry, http, identity, properties, put, state, stores};

pub fn name(text: &str) -> GroupName {
    GroupName::from(text)
}

/// Evidence with everything in it; accounts named by number so that little repeats.
fn evidence(group: u32, accounts: u32, detail: &str) -> GroupEvidence {
    let since = i64::from(group % 97);
    let sample = |account: u32| Sample {
        at: Timestamp::from_millisecond(at(since).as_millisecond() + i64::from(account)).unwrap(),
        outcome: Outcome::ALL[(group + account) as usize % Outcome::ALL.len()],
        latency_ms: 20 + (group * 31 + account * 17) % 900,
        detail: (!detail.is_empty()).then(|| format!("{detail} {group}/{account}")),
        host: "api.videoindexer.ai:443".to_owned(),
    };
    let account = |number: u32| {
        let key = AccountKey {
            site: SiteName::new(if number.is_multiple_of(2) {
                "westeurope"
            } else {
                "northeurope"
            }),
            service: Service::VideoIndexer,
            name: format!("vi-{group:05}-{number}"),
        };
        let seen = AccountEvidence {
            newest: sample(number),
            window: vec![Outcome::Ok, Outcome::Failed, Outcome::Throttled],
            failures: group % 5,
            recoveries: number,
            standing: Verdict::Healthy,
            first_failed_at: group.is_multiple_of(3).then(|| at(since - 60)),
            unhealthy: group.is_multiple_of(3).then(|| Unhealthy {
                since: at(since - 30),
                first_failed_at: at(since - 60),
            }),
            well_since: (group % 3 == 1).then(|| at(since - 3_600)),
            hosts: BTreeMap::from([(
                "default".to_owned(),
                format!(
                    "ms{group:05}{number}-{}.streaming.media.azure.net",
                    key.site
                ),
            )]),
            states: BTreeMap::from([(
                "default".to_owned(),
                ["Running", "Stopped"][usize::from(number > 0)].to_owned(),
            )]),
        };
        (key, seen)
    };
    GroupEvidence {
        newest_at: at(since),
        asked_twice: group.is_multiple_of(2),
        counted_at: (!group.is_multiple_of(4)).then(|| at(since - 30)),
        unbroken_since: at(since - 86_400),
        accounts: (0..accounts).map(account).collect(),
    }
}

/// A heartbeat of groups of two accounts.
pub fn beat(groups: u32, detail: &str) -> Heartbeat {
    Heartbeat {
        vantage: Vantage::from("francecentral"),
        began_at: at(0),
        ended_at: at(9),
        not_covered: vec![name("g1"), name("g2")],
        not_covered_count: 2,
        evidence: (0..groups)
            .map(|group| {
                (
                    GroupName::new(format!("tenant-{group:05}")),
                    Arc::new(evidence(group, 2, detail)),
                )
            })
            .collect(),
    }
}

fn read_back(beat: &Heartbeat) -> Heartbeat {
    let row = Row {
        key: keys::heartbeat(&beat.vantage),
        etag: "1".to_owned(),
        properties: heartbeat::encode(beat, "w").unwrap().0,
    };
    heartbeat::decode(&row).unwrap().beat
}

#[tokio::test]
async fn two_thousand_groups_fit_one_heartbeat_row_and_come_back_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let beat = beat(2_000, "connection refused by the data plane of");
    for (kind, rows) in stores(folder.path()) {
        let (ours, store) = (Store::new(Arc::clone(&rows)), Store::new(rows));
        let Commit::Done(first) = ours.beat(None, beat.clone()).await.unwrap() else {
            panic!("{kind}: lost");
        };
        let found = store.heartbeat(&beat.vantage).await.unwrap().unwrap();
        assert_eq!(found, first, "{kind}");
        let snapshot = store.snapshot().await.unwrap();
        assert_eq!(snapshot.heartbeat(&beat.vantage), Some(&first), "{kind}");
    }
}

#[test]
fn ten_thousand_groups_fit_however_much_failing_accounts_have_to_say() {
    let quiet = beat(10_000, "");
    assert_eq!(read_back(&quiet), quiet);
    let numbers: String = (0..200_u32)
        .map(|number| format!("{:x}", number.wrapping_mul(2_654_435_761)))
        .collect();
    let mut loud = beat(10_000, "");
    for (index, (_, seen)) in loud
        .evidence
        .values_mut()
        .flat_map(|group| Arc::make_mut(group).accounts.iter_mut())
        .enumerate()
    {
        seen.newest.detail = Some(format!(
            "{}{index}{}",
            &numbers[index % 700..],
            &numbers[index % 300..]
        ));
    }
    let mut found = read_back(&loud);
    for (_, seen) in found
        .evidence
        .values_mut()
        .flat_map(|group| Arc::make_mut(group).accounts.iter_mut())
    {
        seen.newest.detail = None;
    }
    assert_eq!(found, quiet, "only details may suffer");
}

#[tokio::test]
async fn a_record_and_its_history_come_back() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, rows) in stores(folder.path()) {
        let (ours, store) = (Store::new(Arc::clone(&rows)), Store::new(rows));
        for odd in [
            "contoso",
            "a",
            "a-b",
            "0",
            &"x".repeat(63),
            "with space",
            "it's",
            "ü/\\#?",
            &"é".repeat(150),
        ] {
            let group = name(odd);
            let Commit::Done(row) = ours
                .commit(&group, None, &state(0, "west"), &[])
                .await
                .unwrap()
            else {
                panic!("{kind}: {odd}: lost");
            };
            let entries = [
                entry(1, "north", 1),
                entry(1, "north", 1),
                entry(1, "north", 0),
            ];
            ours.commit(&group, Some(&row), &state(1, "north"), &entries)
                .await
                .unwrap();
            let found = store.group(&group).await.unwrap().unwrap();
            assert_eq!(*found.state, state(1, "north"), "{kind}: {odd}");
            let history = store.history(&group).await.unwrap();
            let times: Vec<Timestamp> = history.iter().map(|(_, entry)| entry.at).collect();
            assert_eq!(times, [at(1), at(1), at(0)], "{kind}: {odd}: newest first");
            assert_eq!(
                store.snapshot().await.unwrap().groups[&group],
                found,
                "{kind}: {odd}"
            );
        }
        let snapshot = store.snapshot().await.unwrap();
        assert_eq!(
            (snapshot.groups.len(), snapshot.problems.len()),
            (9, 0),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn a_row_is_read_anew_once_others_have_written_it_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, rows) in stores(folder.path()) {
        let (ours, theirs) = (Store::new(Arc::clone(&rows)), Store::new(rows));
        let (group, vantage) = (name("contoso"), Vantage::from("francecentral"));
        let look = async || {
            let snapshot = ours.snapshot().await.unwrap();
            let beat = snapshot.heartbeat(&vantage).unwrap();
            let state = &snapshot.groups[&group].state;
            assert_eq!(ours.group(&group).await.unwrap().unwrap().state, *state);
            (Arc::clone(state), Arc::clone(beat))
        };
        let is_same = |one: &(Arc<_>, Arc<_>), other: &(Arc<_>, Arc<_>)| {
            Arc::ptr_eq(&one.0, &other.0) && Arc::ptr_eq(&one.1, &other.1)
        };

        let written = ours.commit(&group, None, &state(0, "west"), &[]).await;
        let Commit::Done(row) = written.unwrap() else {
            panic!("{kind}: lost");
        };
        let Commit::Done(first) = ours.beat(None, beat(1, "")).await.unwrap() else {
            panic!("{kind}: lost");
        };
        // People may repair rows of a file without another ETag.
        let is_kept = kind != "file";
        let before = look().await;
        assert_eq!(is_same(&before, &(row.state, first)), is_kept, "{kind}");

        let row = theirs.group(&group).await.unwrap();
        let next = state(1, "north");
        theirs
            .commit(&group, row.as_ref(), &next, &[])
            .await
            .unwrap();
        let beaten = theirs.heartbeat(&vantage).await.unwrap();
        theirs
            .beat(beaten.as_deref(), beat(2, "refused"))
            .await
            .unwrap();
        let after = look().await;
        assert_eq!(*after.0, next, "{kind}");
        assert_eq!(after.1.beat, beat(2, "refused"), "{kind}");
        assert_eq!(is_same(&look().await, &after), is_kept, "{kind}");

        // What a row cannot hold is kept nowhere else: every process sees the same.
        let long = beat(2, &"x".repeat(2_000));
        let written = ours.beat(Some(&after.1), long.clone()).await.unwrap();
        assert!(matches!(written, Commit::Done(_)), "{kind}: lost");
        let seen = look().await.1;
        assert_ne!(seen.beat, long, "{kind}");
        let there = theirs.heartbeat(&vantage).await.unwrap().unwrap();
        assert_eq!(seen.beat, there.beat, "{kind}");
    }
}

#[tokio::test]
async fn history_is_read_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, rows) in stores(folder.path()) {
        let store = Store::new(rows);
        let group = name("contoso");
        let entries: Vec<_> = (0..25_u32)
            .map(|index| entry(u64::from(index), "north", i64::from(index)))
            .collect();
        store
            .commit(&group, None, &state(25, "north"), &entries)
            .await
            .unwrap();
        store
            .commit(
                &name("contoso-2"),
                None,
                &state(9, "north"),
                &[entry(9, "north", 99)],
            )
            .await
            .unwrap();
        let mut seen = Vec::new();
        let mut after: Option<String> = None;
        let mut pages = 0;
        loop {
            let page = store
                .history_page(&group, after.as_deref(), 10)
                .await
                .unwrap();
            seen.extend(page.entries.iter().map(|(_, entry)| entry.generation));
            pages += 1;
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert_eq!(pages, 3, "{kind}");
        assert_eq!(seen, (0..25).rev().collect::<Vec<u64>>(), "{kind}");
        let foreign = store
            .history_page(&group, Some("history.contoso-2.1"), 10)
            .await
            .unwrap();
        assert!(
            foreign.entries.is_empty() && foreign.next.is_none(),
            "{kind}"
        );
        let exact = store.history_page(&group, None, 25).await.unwrap();
        assert!(exact.entries.len() == 25 && exact.next.is_none(), "{kind}");
    }
}

#[tokio::test]
async fn the_newest_entry_is_that_of_the_highest_generation() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, rows) in stores(folder.path()) {
        let store = Store::new(Arc::clone(&rows));
        let group = name("contoso");
        assert_eq!(store.newest_entry(&group).await.unwrap(), None, "{kind}");
        // The clock of whoever made generation 8 was behind.
        let entries = [
            entry(7, "north", 100),
            entry(8, "west", 50),
            entry(8, "west", 60),
            entry(6, "west", 10),
        ];
        store
            .commit(&group, None, &state(8, "west"), &entries)
            .await
            .unwrap();
        put(
            &rows,
            "history.contoso.0000000000001.99.junk",
            properties(json!({"generation": 99, "entry": "{"})),
        )
        .await;
        let newest = store.newest_entry(&group).await.unwrap().unwrap();
        assert_eq!((newest.generation, newest.at), (8, at(60)), "{kind}");
        let many = store
            .newest_entries(&[name("other"), group.clone()])
            .await
            .unwrap();
        assert_eq!(many.len(), 1, "{kind}");
        assert_eq!(many[&group].as_ref().unwrap(), &newest, "{kind}");

        // What a newer version wrote last must not be passed over.
        put(
            &rows,
            "history.contoso.0000000000002.99.newer",
            properties(json!({LAYOUT_PROPERTY: 2, "generation": 9})),
        )
        .await;
        assert!(
            matches!(
                store.newest_entry(&group).await,
                Err(StoreError::Unreadable(_))
            ),
            "{kind}"
        );
        let many = store
            .newest_entries(&[name("other"), group.clone()])
            .await
            .unwrap();
        assert!(many[&group].is_err(), "{kind}");
    }
}

#[tokio::test]
async fn a_move_is_never_held_up_by_the_size_of_its_story() {
    let folder = tempfile::tempdir().unwrap();
    let witness = |number: u32, length: usize| Witness {
        site: SiteName::from("west"),
        service: Service::Http,
        name: format!("account{number}"),
        verdict: Verdict::Unhealthy,
        outcome: Outcome::Failed,
        at: at(0),
        detail: Some("ü\u{1F600}".repeat(length)),
    };
    for (kind, rows) in stores(folder.path()) {
        let (ours, store) = (Store::new(Arc::clone(&rows)), Store::new(rows));
        let mut long = entry(1, "north", 1);
        long.evidence = (0..40).map(|number| witness(number, 700)).collect();
        let mut huge = entry(2, "north", 2);
        huge.reason = Some("because ".repeat(100_000));
        huge.evidence = (0..400).map(|number| witness(number, 5_000)).collect();
        let mut record = state(2, "north");
        record.noted_signals = (0..2_000)
            .map(|number| format!("/subscriptions/{number:040}"))
            .collect();
        let done = ours
            .commit(&name("big"), None, &record, &[long.clone(), huge])
            .await
            .unwrap();
        assert!(matches!(done, Commit::Done(_)), "{kind}");
        assert_eq!(
            *store.group(&name("big")).await.unwrap().unwrap().state,
            record,
            "{kind}"
        );
        let history: BTreeMap<u64, _> = store
            .history(&name("big"))
            .await
            .unwrap()
            .into_iter()
            .map(|(_, entry)| (entry.generation, entry))
            .collect();
        assert_eq!(history[&1], long, "{kind}: whole");
        assert!(history[&2].evidence.len() >= 100, "{kind}: shortened");
    }
}

#[tokio::test]
async fn a_store_that_is_not_configured_says_why_at_every_call() {
    let store = Store::connect(
        &StoreSpec::Unusable("[store] says nothing".to_owned()),
        &http(),
        &identity(),
    );
    let group = name("contoso");
    let errors = [
        store.snapshot().await.map(|_| ()).unwrap_err(),
        store.group(&group).await.map(|_| ()).unwrap_err(),
        store
            .commit(&group, None, &state(0, "west"), &[])
            .await
            .map(|_| ())
            .unwrap_err(),
        store
            .heartbeat(&Vantage::from("v"))
            .await
            .map(|_| ())
            .unwrap_err(),
        store.beat(None, beat(1, "")).await.map(|_| ()).unwrap_err(),
        store.history(&group).await.map(|_| ()).unwrap_err(),
        store.newest_entry(&group).await.map(|_| ()).unwrap_err(),
    ];
    for error in errors {
        assert!(
            matches!(&error, StoreError::Broken(text) if text.contains("[store] says nothing")),
            "{error}"
        );
    }
}
