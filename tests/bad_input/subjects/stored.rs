//! Rows as the table service answers them: written by us, by another version, or by a person's hand.

use std::collections::BTreeMap;
use std::io::{Read, Write as _};
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use understudy::adapters::store::codec::{self, LAYOUT, LAYOUT_PROPERTY};
use understudy::adapters::store::heartbeat::{self, Heartbeat};
use understudy::adapters::store::rows::{Page, Place, Row, RowError, RowStore, Write, Written};
use understudy::adapters::store::{Commit, Snapshot, Store, entity, keys};
use understudy::controller::view::GroupView;
use understudy::decision::alert::{Told, signals};
use understudy::decision::explain::explain;
use understudy::decision::{Observation, decide, health};
use understudy::functions::render;
use understudy::model::evidence::{AccountEvidence, GroupEvidence, Unhealthy};
use understudy::model::history::HistoryEntry;
use understudy::model::name::{GroupName, Vantage};
use understudy::model::policy::{AlertPolicy, FailbackPolicy, Mode};
use understudy::model::sample::{Outcome, Sample};
use understudy::model::spec::GroupSpec;
use understudy::model::state::{GroupState, Pause};
use understudy::model::verdict::Verdict;

use super::alert_bodies as good;
use super::dice::Dice;
use super::memory_rows::MemoryRows;
use super::nasty::edited;
use super::{Meant, block_on, meant, now};

/// Rows that are read and never written.
#[derive(Debug)]
struct Still(Vec<Row>);

#[async_trait]
impl RowStore for Still {
    async fn get(&self, key: &str) -> Result<Option<Row>, RowError> {
        Ok(self.0.iter().find(|row| row.key == key).cloned())
    }

    async fn page(
        &self,
        (from, to): (&str, &str),
        _: &[&str],
        _: Option<Place>,
    ) -> Result<Page, RowError> {
        let rows = self
            .0
            .iter()
            .filter(|row| (from..to).contains(&row.key.as_str()));
        Ok(Page {
            rows: rows.cloned().collect(),
            next: None,
        })
    }

    async fn transact(&self, _: Vec<Write>) -> Result<Written, RowError> {
        Ok(Written::Conflict)
    }

    fn place(&self) -> String {
        "still".to_owned()
    }
}

/// A group in the middle of a failover, its history, a heartbeat and an alert, as they are written.
static GOOD: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let rows = Arc::new(MemoryRows::default());
    let store = Store::new(rows.clone());
    let spec = good::group();
    let (state, evidence) = failing(&spec);
    block_on(async {
        let seen = observation(Some(&evidence), &[]);
        let decision = decide(&state, &seen, &spec, now());
        assert_eq!(
            decision.next.generation,
            state.generation + 1,
            "{decision:?}"
        );
        let done = store
            .commit(&spec.name, None, &decision.next, &decision.history)
            .await
            .unwrap();
        assert!(matches!(done, Commit::Done(_)));
        let beat = Heartbeat {
            vantage: Vantage::from("france central"),
            began_at: now(),
            ended_at: now(),
            not_covered: vec![GroupName::from("other")],
            not_covered_count: 1,
            evidence: BTreeMap::from([(spec.name.clone(), Arc::new(evidence))]),
        };
        store.beat(None, beat).await.unwrap();
        let body = good::incident("West Europe", "Active").to_string();
        let alert = understudy::adapters::alert::read(body.as_bytes(), now()).unwrap();
        store
            .keep_alert(&alert, |_, new| Some(new.clone()))
            .await
            .unwrap();
        rows.scan("-", "zzzz").await.unwrap()
    })
});

/// Rows as they are written: a group's, its history, a heartbeat and an alert.
pub fn good_rows() -> &'static [Row] {
    &GOOD
}

static GROUP: LazyLock<GroupSpec> = LazyLock::new(good::group);

/// A record whose active site has failed for long enough.
fn failing(spec: &GroupSpec) -> (GroupState, GroupEvidence) {
    let ago = |seconds: i64| now() - SignedDuration::from_secs(seconds);
    let mut state = GroupState::new(spec.sites[0].answer(), ago(90_000));
    state.generation = 6;
    state.clock = understudy::model::state::HoldClock::Running { since: ago(100) };
    state.paused = Some(Pause {
        by: "ada".to_owned(),
        reason: "over".to_owned(),
        since: ago(9_000),
        until: ago(5_000),
    });
    let account = |failed: bool| AccountEvidence {
        newest: Sample {
            at: now(),
            outcome: if failed { Outcome::Failed } else { Outcome::Ok },
            latency_ms: 12,
            detail: failed.then(|| "connection refused".to_owned()),
            host: "api.videoindexer.ai:443".to_owned(),
        },
        window: vec![if failed { Outcome::Failed } else { Outcome::Ok }; 3],
        failures: if failed { 3 } else { 0 },
        recoveries: if failed { 0 } else { 3 },
        standing: Verdict::Healthy,
        first_failed_at: failed.then(|| ago(160)),
        unhealthy: failed.then(|| Unhealthy {
            since: ago(100),
            first_failed_at: ago(160),
        }),
        well_since: (!failed).then(|| ago(90_000)),
        hosts: std::collections::BTreeMap::new(),
        states: std::collections::BTreeMap::new(),
    };
    let accounts = spec.sites.iter().enumerate();
    let accounts =
        accounts.flat_map(|(index, site)| site.probed().map(move |key| (key, account(index == 0))));
    let evidence = GroupEvidence {
        newest_at: now(),
        asked_twice: false,
        counted_at: Some(now()),
        unbroken_since: ago(90_000),
        accounts: accounts.collect(),
    };
    (state, evidence)
}

fn observation<'a>(
    evidence: Option<&'a GroupEvidence>,
    signals: &'a [understudy::model::signal::Signal],
) -> Observation<'a> {
    Observation {
        evidence,
        signals,
        signals_are_current: true,
        order: None,
        reports: &[],
        moving_elsewhere: 0,
        process: "process",
        move_id: "move",
    }
}

/// One entity in place of the row that it bears the key of.
pub fn stored_row(data: &[u8]) {
    let mut spec = GROUP.clone();
    let entity = match meant(data) {
        Meant::AsItIs(text) => text.to_vec(),
        Meant::Choices(mut dice) => {
            choose_policy(&mut spec, &mut dice);
            made(&mut dice)
        }
    };
    let at = [now(), Timestamp::MIN, Timestamp::MAX][entity.len() % 3];
    let Ok(entity) = serde_json::from_slice(&entity) else {
        return;
    };
    let Some(row) = entity::row(entity, Some("e1")) else {
        return;
    };
    // Made before the other executor below runs.
    let rest = &*REST;
    let alone = Store::new(Arc::new(Still(vec![row.clone()])));
    block_on(async {
        let snapshot = alone.snapshot().await.unwrap();
        check_snapshot(&row, &snapshot);
        check_history(&row, &alone).await;
        decide_on(&beside(&snapshot, rest), &spec, at);
    });
}

/// What the good rows say.
static REST: LazyLock<Snapshot> = LazyLock::new(|| {
    let store = Store::new(Arc::new(Still(GOOD.clone())));
    block_on(store.snapshot()).unwrap()
});

/// What was read, with good rows in place of what was not.
fn beside(read: &Snapshot, rest: &Snapshot) -> Snapshot {
    let mut whole = read.clone();
    if whole.groups.is_empty() {
        whole.groups.clone_from(&rest.groups);
    }
    if whole.heartbeats.is_empty() {
        whole.heartbeats.clone_from(&rest.heartbeats);
    }
    if whole.alerts.is_empty() {
        whole.alerts.clone_from(&rest.alerts);
    }
    whole
}

/// Any policy that a configuration may have, from the shortest times to the longest.
fn choose_policy(spec: &mut GroupSpec, dice: &mut Dice<'_>) {
    let lengths = [1, 30, 3_600, i64::MAX / 1_000_000_000, i64::MAX];
    let policy = &mut spec.policy;
    if dice.one_of(2) {
        policy.alert = AlertPolicy::Direct;
        policy.failback = FailbackPolicy::Automatic;
    }
    if dice.one_of(4) {
        policy.mode = Mode::Observe;
    }
    for length in [
        &mut policy.hold,
        &mut policy.probe_interval,
        &mut policy.cooldown,
        &mut policy.failback_after,
        &mut policy.prepare_timeout,
        &mut policy.alert_ttl,
    ] {
        if dice.one_of(4) {
            *length = SignedDuration::from_secs(*dice.pick(&lengths));
        }
    }
}

/// A good row's entity with edits: of the JSON inside it, of its columns, or of its key.
fn made(dice: &mut Dice<'_>) -> Vec<u8> {
    let mut row = dice.pick(&GOOD[..]).clone();
    for name in ["state", "entry", "alert"] {
        if let Some(inner) = row.properties.get(name).and_then(Value::as_str)
            && dice.one_of(2)
        {
            let inner: Value = serde_json::from_str(inner).unwrap();
            row.properties
                .insert(name.to_owned(), Value::from(edited(&inner, dice)));
        }
    }
    if row.properties.contains_key("evidence00") && dice.one_of(2) {
        edit_evidence(&mut row, dice);
    }
    match dice.below(8) {
        0 => row.key = dice.pick(&GOOD[..]).key.clone(),
        1 => row.key = row.key.replace("contoso", "fabrikam"),
        2 => row.key.push_str(&dice.text()),
        _ => {}
    }
    let entity = entity::body(&row.key, &row.properties);
    if dice.one_of(2) {
        edited(&entity, dice).into_bytes()
    } else {
        entity.to_string().into_bytes()
    }
}

fn edit_evidence(row: &mut Row, dice: &mut Dice<'_>) {
    let packed = understudy::adapters::store::rows::bytes(&row.properties["evidence00"]).unwrap();
    let mut text = String::new();
    flate2::read::DeflateDecoder::new(&packed[..])
        .read_to_string(&mut text)
        .unwrap();
    let mut text = edited(&serde_json::from_str(&text).unwrap(), dice).into_bytes();
    dice.damage(&mut text);
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    deflate.write_all(&text).unwrap();
    let mut packed = deflate.finish().unwrap();
    if dice.one_of(4) {
        dice.damage(&mut packed);
    }
    row.properties.insert(
        "evidence00".to_owned(),
        json!({"$binary": STANDARD.encode(packed)}),
    );
}

/// A row is read as what its key says, or reported, and never both nor anything else.
fn check_snapshot(row: &Row, snapshot: &Snapshot) {
    let (from, to) = keys::state_range();
    let is_state = (from..to).contains(&row.key.as_str());
    let read = snapshot.groups.len() + snapshot.heartbeats.len() + snapshot.alerts.len();
    assert_eq!(
        read + snapshot.problems.len(),
        usize::from(is_state),
        "{row:?}"
    );
    let layout = row.properties.get(LAYOUT_PROPERTY).and_then(Value::as_f64);
    assert!(
        read == 0 || layout.is_none_or(|layout| layout < 2.0),
        "a newer layout was read: {row:?}"
    );
    for problem in &snapshot.problems {
        assert!(
            !problem.problem.contains('\n') && problem.problem.len() < 2_000,
            "{problem:?}"
        );
    }
    for (name, group) in &snapshot.groups {
        assert_eq!(keys::group(name), row.key);
        let properties = codec::encode_group(name, &group.state, &group.writes).unwrap();
        let row = Row {
            properties,
            ..row.clone()
        };
        let again = codec::decode_group(&row, None).unwrap();
        assert_eq!(again.state, group.state);
        assert_eq!(again.writes, group.writes);
    }
    for beat in &snapshot.heartbeats {
        assert_eq!(keys::heartbeat(&beat.beat.vantage), row.key);
        let properties = heartbeat::encode(&beat.beat, "w").unwrap().0;
        let again = heartbeat::decode(&Row {
            properties,
            ..row.clone()
        })
        .unwrap();
        // What is too long for a row is kept in part.
        let mut expected = beat.beat.evidence.clone();
        for seen in expected.values_mut() {
            for (_, account) in Arc::make_mut(seen).accounts.iter_mut() {
                let detail = account.newest.detail.take();
                account.newest.detail = detail.map(|text| text.chars().take(1_000).collect());
            }
        }
        assert_eq!(again.beat.evidence, expected);
    }
    for alert in &snapshot.alerts {
        assert_eq!(
            keys::alert(&alert.alert.thread),
            row.key,
            "an alert under another's key"
        );
    }
}

/// An entry of history is read as one of its own group, or left out.
async fn check_history(row: &Row, store: &Store) {
    let group = &GROUP.name;
    let entries = store.history(group).await.unwrap();
    assert!(entries.is_empty() || keys::is_history(group, &row.key));
    let page = store.history_page(group, None, 10).await.unwrap();
    assert_eq!(page.entries, entries);
    let newest = store.newest_entry(group).await;
    for (_, entry) in &entries {
        let bears = row.properties.get("group").and_then(Value::as_str);
        assert!(
            bears.is_none_or(|name| name == group.as_str()),
            "another group's entry"
        );
        let properties = codec::encode_history(group, entry).unwrap();
        assert_eq!(
            codec::decode_history(&Row {
                properties,
                ..row.clone()
            })
            .as_ref(),
            Ok(entry)
        );
        assert_eq!(newest.as_ref().unwrap().as_ref(), Some(entry));
        serde_json::to_string(&render::entry(entry)).unwrap();
    }
    if newest.is_err() {
        assert!(
            codec::is_newer(row),
            "only a newer layout stops the rebuilding: {newest:?}"
        );
    }
}

/// Whatever was read can be judged, decided on, shown and written.
fn decide_on(snapshot: &Snapshot, spec: &GroupSpec, at: Timestamp) {
    let Some(row) = snapshot.groups.get(&spec.name) else {
        return;
    };
    let evidence = snapshot
        .heartbeats
        .iter()
        .find_map(|beat| beat.of(&spec.name));
    let told: Vec<Told<'_>> = snapshot
        .alerts
        .iter()
        .map(|row| Told::of(&row.alert))
        .collect();
    let found = signals(&told, spec, Some(&row.state), now());
    let decision = decide(
        &row.state,
        &observation(evidence.map(AsRef::as_ref), &found),
        spec,
        at,
    );
    assert!(
        decision.next.generation >= row.state.generation,
        "a generation fell"
    );
    check_written(&decision.next, &decision.history, &spec.name);
    let view = GroupView {
        name: spec.name.clone(),
        sites: health::assess(spec, evidence.map(AsRef::as_ref), at),
        explanation: explain(
            &decision.next,
            evidence.map(AsRef::as_ref),
            spec,
            &found,
            decision.hold.as_ref(),
            at,
        ),
        spec: Some(Arc::new(spec.clone())),
        vantage: Vantage::from("here"),
        state: Arc::new(decision.next),
        evidence: evidence.cloned(),
        signals: found.clone(),
        hold: decision.hold,
        as_of: at,
    };
    serde_json::to_string(&render::whole(&view)).unwrap();
}

fn check_written(state: &GroupState, history: &[HistoryEntry], group: &GroupName) {
    let row = |key: String, properties| Row {
        key,
        etag: String::new(),
        properties,
    };
    let properties = codec::encode_group(group, state, &[]).unwrap();
    assert_eq!(properties[LAYOUT_PROPERTY], LAYOUT);
    assert_eq!(
        *codec::decode_group(&row(keys::group(group), properties), None)
            .unwrap()
            .state,
        *state
    );
    for entry in history {
        let properties = codec::encode_history(group, entry).unwrap();
        let read = codec::decode_history(&row(keys::history(group, entry.at, 0, "w"), properties));
        assert_eq!(read.as_ref(), Ok(entry));
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    super::seeds(GOOD.iter().map(|row| {
        let entity = entity::body(&row.key, &row.properties);
        entity.to_string().into_bytes()
    }))
}
