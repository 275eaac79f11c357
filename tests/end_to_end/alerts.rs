//! Alerts through the real binary: what is answered, what is kept, and what a group does about it.

use std::sync::atomic::{AtomicU32, Ordering};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use understudy::adapters::azure::identity::Identity;
use understudy::adapters::store::Store;
use understudy::model::deployment::{StoreSpec, TableAccess};
use understudy::model::secret::Secret;
use understudy::sim::config::Options;
use understudy::sim::{Fault, Kind, Scope, Service, World};

use crate::handler::Handler;
use crate::stage::{Stage, counted_round, entries, fire, get, post, quick, until};

const GROUP: &str = "/api/groups/contoso";
const LOOKUP: &str = "/api/groups/contoso/active";

/// A settled group on West Europe, one round old, whose next round does not count for an hour: what moves
/// it is the alert.
async fn settled(world: World, options: Options) -> (Stage, Handler) {
    let stage = Stage::set(world, options.policy("probe_interval", "1h")).await;
    let handler = stage.handler().await;
    counted_round(&handler).await;
    (stage, handler)
}

/// A Service Health incident of Video Indexer in the common schema; `minutes` is the event's age.
pub fn incident(world: &World, id: &str, region: &str, stage: &str, minutes: i64) -> Value {
    let subscription = &world.accounts[0].subscription_id;
    let event_at = Timestamp::now() - SignedDuration::from_mins(minutes);
    json!({
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {
            "essentials": {
                "alertId": format!("/subscriptions/{subscription}/providers/Microsoft.AlertsManagement/alerts/{id}-{minutes}"),
                "monitorCondition": "Fired",
                "monitoringService": "ServiceHealth",
                "alertTargetIDs": [format!("/subscriptions/{subscription}")],
                "firedDateTime": event_at,
            },
            "alertContext": {
                "channels": 1, "eventSource": 2, "level": 2, "claims": null,
                "eventTimestamp": event_at,
                "operationName": "Microsoft.ServiceHealth/incident/action",
                "properties": {
                    "incidentType": "Incident", "trackingId": id, "stage": stage,
                    "impactedServices": json!([{
                        "ServiceName": "Azure Applied AI Services \\ Azure Video Indexer",
                        "ImpactedRegions": [{"RegionName": region}],
                    }]).to_string(),
                },
                "status": if stage == "Active" { "Active" } else { "Resolved" },
            },
        },
    })
}

/// A rule that measures something on a resource of nobody, with these custom properties.
fn measured(id: &str, condition: &str, properties: &Value) -> Value {
    json!({
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {
            "essentials": {
                "alertId": id, "monitorCondition": condition, "monitoringService": "Platform",
                "alertTargetIDs": ["/subscriptions/0/resourceGroups/x/providers/microsoft.insights/components/y"],
                "firedDateTime": Timestamp::now() - SignedDuration::from_mins(1),
                "resolvedDateTime": (condition == "Resolved").then(Timestamp::now),
            },
            "alertContext": {"condition": {"allOf": []}},
            "customProperties": properties,
        },
    })
}

/// Sends an alert that must be answered 200. That the answer waits for no probe and not long for the store is held by
/// what hangs meanwhile, and on a paused clock in `tests/functions/alert.rs`: a busy machine may take its time.
pub async fn send(handler: &Handler, body: &Value) -> Value {
    let (status, answer) = post(handler, "/api/alerts", body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// Sends an alert again while it could not be kept, as Azure does; whether that was so. A store with thousands of rows
/// on a busy machine may give no answer in time.
async fn send_as_azure(handler: &Handler, body: &Value) -> (Value, bool) {
    let mut tries = 0;
    let answer = until("the alert is kept", async || {
        tries += 1;
        let (status, answer) = post(handler, "/api/alerts", body).await;
        assert!(matches!(status, 200 | 503), "{status}: {answer}");
        (status == 200).then_some(answer)
    })
    .await;
    (answer, tries > 1)
}

/// The table of this stage, read as the handlers read it.
pub fn store(stage: &Stage) -> Store {
    let settings: toml::Table = stage.configuration().parse().unwrap();
    let text = |key: &str| settings["store"][key].as_str().unwrap().to_owned();
    let spec = StoreSpec::Table {
        access: TableAccess::ConnectionString(Secret::new(text("connection_string"))),
        table: format!("{}state", text("table_prefix")),
    };
    let http = understudy::adapters::http::client().unwrap();
    Store::connect(&spec, &http, &Identity::from_settings(&http, &|_| None))
}

async fn moved(handler: &Handler) {
    until("the group has moved", async || {
        (get(handler, LOOKUP).await["generation"] == 1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_failed_round_confirms_an_incident_without_any_timer() {
    let (stage, handler) = settled(World::two_regions(), quick().policy("hold", "1h")).await;
    stage.sim.break_region("westeurope");
    let body = incident(stage.sim.world(), "4KX9-B10", "West Europe", "Active", 5);
    let answer = send(&handler, &body).await;
    assert_eq!(answer, json!({"matched": ["contoso"], "ignored": []}));
    moved(&handler).await;
    let moves = entries(&handler, "contoso", "failover").await;
    assert_eq!(moves.len(), 1);
    assert_eq!(moves[0]["cause"], "alert");
    assert_eq!(moves[0]["actor"], "understudy");
    let told = entries(&handler, "contoso", "signal").await;
    assert_eq!(told.len(), 1, "{told:?}");
    let group = get(&handler, GROUP).await;
    let signal = &group["signals"][0];
    assert_eq!(signal["id"], "4KX9-B10");
    assert_eq!(signal["kind"], "serviceHealth");
    assert_eq!(signal["region"], "westeurope");
    assert_eq!(signal["stage"], "active");
    let time = |name: &str| signal[name].as_str().unwrap().parse::<Timestamp>().unwrap();
    let life = time("expiresAt").duration_since(time("receivedAt"));
    assert_eq!(life, SignedDuration::from_hours(2));

    // Azure repeats; nothing is doubled.
    for _ in 0..5 {
        assert_eq!(send(&handler, &body).await["matched"], json!(["contoso"]));
    }
    fire(&handler).await;
    let group = get(&handler, GROUP).await;
    assert_eq!(group["generation"], 1);
    assert_eq!(group["signals"].as_array().unwrap().len(), 1);
    assert_eq!(entries(&handler, "contoso", "failover").await.len(), 1);
    assert_eq!(entries(&handler, "contoso", "signal").await.len(), 1);
    assert_eq!(store(&stage).alerts().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_no_round_confirms_waits_for_one_that_does() {
    let (stage, handler) = settled(World::two_regions(), quick()).await;
    let list = || stage.sim.count_of(Kind::List, "vi-weu");
    let before = list();
    let body = incident(stage.sim.world(), "WAIT-1", "westeurope", "Active", 5);
    send(&handler, &body).await;
    until("the alert starts a round", async || {
        (list() > before).then_some(())
    })
    .await;
    fire(&handler).await;
    assert_eq!(get(&handler, LOOKUP).await["generation"], 0);
    stage.sim.break_region("westeurope");
    // The next round that counts is an hour away, but every message of the incident starts one.
    let update = incident(stage.sim.world(), "WAIT-1", "westeurope", "Active", 1);
    send(&handler, &update).await;
    moved(&handler).await;
    let moves = entries(&handler, "contoso", "failover").await;
    assert_eq!(moves[0]["cause"], "alert", "{moves:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_failed_probe_is_asked_again_within_the_round() {
    let (stage, handler) = settled(World::two_regions(), quick()).await;
    let west = Scope::region("westeurope");
    stage
        .sim
        .set_times(Service::VideoIndexer, west, Fault::Down, 1);
    let before = stage.sim.count_of(Kind::List, "vi-weu");
    let body = incident(stage.sim.world(), "BLIP-1", "West Europe", "Active", 5);
    send(&handler, &body).await;
    until("the probe is made twice", async || {
        (stage.sim.count_of(Kind::List, "vi-weu") >= before + 2).then_some(())
    })
    .await;
    until("the round is folded", async || {
        let group = get(&handler, GROUP).await;
        let probe = &group["sites"][0]["accounts"][0]["lastProbe"];
        let at: Timestamp = probe["at"].as_str()?.parse().ok()?;
        let received: Timestamp = group["signals"][0]["receivedAt"].as_str()?.parse().ok()?;
        (at >= received).then_some(())
    })
    .await;
    fire(&handler).await;
    assert_eq!(get(&handler, LOOKUP).await["generation"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_alert_moves_alone_and_once() {
    let options = quick().policy("alert", "direct");
    let (stage, handler) = settled(World::two_regions(), options).await;
    let body = incident(stage.sim.world(), "DIR-1", "West Europe", "Active", 5);
    send(&handler, &body).await;
    moved(&handler).await;
    let (status, _) = post(
        &handler,
        "/api/groups/contoso/failback",
        &json!({"reason": "it works"}),
    )
    .await;
    assert_eq!(status, 200);
    // Whoever ordered it has seen the alert: neither its repeat nor the timer undoes a person.
    send(&handler, &body).await;
    fire(&handler).await;
    let group = get(&handler, GROUP).await;
    assert_eq!(group["generation"], 2, "{group}");
    assert_eq!(group["active"], "westeurope");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_ignores_alerts_records_them() {
    let options = quick().policy("alert", "ignore");
    let (stage, handler) = settled(World::two_regions(), options).await;
    stage.sim.break_region("westeurope");
    let before = stage.sim.count_of(Kind::List, "vi-weu");
    let body = incident(stage.sim.world(), "IGN-1", "West Europe", "Active", 5);
    let answer = send(&handler, &body).await;
    assert_eq!(answer["matched"], json!(["contoso"]));
    assert_eq!(answer["ignored"][0]["group"], "contoso");
    assert!(
        answer["ignored"][0]["why"]
            .as_str()
            .unwrap()
            .contains("ignore")
    );
    let told = until("history tells of it", async || {
        let told = entries(&handler, "contoso", "signal").await;
        (!told.is_empty()).then_some(told)
    })
    .await;
    assert!(
        told[0]["reason"]
            .as_str()
            .unwrap()
            .contains("only recorded")
    );
    fire(&handler).await;
    assert_eq!(stage.sim.count_of(Kind::List, "vi-weu"), before, "no round");
    assert_eq!(get(&handler, LOOKUP).await["generation"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_tick_acts_where_the_process_died_after_its_answer() {
    let (stage, handler) = settled(World::two_regions(), quick()).await;
    let west = Scope::region("westeurope");
    stage.sim.set(Service::VideoIndexer, west, Fault::Hang);
    let body = incident(stage.sim.world(), "KILL-1", "West Europe", "Active", 5);
    // Its probes hang, so the answer does not wait for them, and the kill comes before any ends.
    send(&handler, &body).await;
    handler.kill();
    let another = stage.handler().await;
    fire(&another).await;
    let group = get(&another, GROUP).await;
    assert_eq!(group["generation"], 1, "{group}");
    assert_eq!(group["signals"][0]["id"], "KILL-1");
    let moves = entries(&another, "contoso", "failover").await;
    assert_eq!(moves.len(), 1);
    assert_eq!(moves[0]["cause"], "alert");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_believed_by_their_own_time() {
    let (stage, handler) = settled(World::two_regions(), quick()).await;
    stage.sim.break_region("westeurope");
    let at = |stage_name: &str, minutes| {
        incident(
            stage.sim.world(),
            "ORD-1",
            "West Europe",
            stage_name,
            minutes,
        )
    };
    // The resolution comes first: a tombstone.
    let answer = send(&handler, &at("Resolved", 10)).await;
    assert_eq!(answer, json!({"matched": ["contoso"], "ignored": []}));
    let late = send(&handler, &at("Active", 20)).await;
    assert_eq!(late["matched"], json!(["contoso"]));
    let why = late["ignored"][0]["why"].as_str().unwrap();
    assert!(why.contains("later message"), "{why}");
    fire(&handler).await;
    let group = get(&handler, GROUP).await;
    assert_eq!(group["generation"], 0, "{group}");
    assert_eq!(group["signals"][0]["stage"], "resolved");
    // A newer one opens it again.
    send(&handler, &at("Active", 2)).await;
    moved(&handler).await;
    send(&handler, &at("RCA", 1)).await;
    let group = get(&handler, GROUP).await;
    assert_eq!(group["signals"].as_array().unwrap().len(), 1);
    assert_eq!(group["signals"][0]["stage"], "resolved");
    assert_eq!(store(&stage).alerts().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resolution_that_names_nothing_of_ours_ends_what_does() {
    let (stage, handler) = settled(World::two_regions(), quick()).await;
    let mut over = incident(stage.sim.world(), "END-1", "East US", "Resolved", 1);
    send(
        &handler,
        &incident(stage.sim.world(), "END-1", "West Europe", "Active", 5),
    )
    .await;
    send(&handler, &over).await;
    let kept = store(&stage).alerts().await.unwrap();
    assert_eq!(kept.len(), 1);
    let group = get(&handler, GROUP).await;
    assert_eq!(group["signals"], json!([]), "{group}");
    over["data"]["alertContext"]["properties"]["trackingId"] = json!("OTHER");
    assert_eq!(send(&handler, &over).await["matched"], json!([]));
    assert_eq!(store(&stage).alerts().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_expires() {
    let options = quick().policy("alert_ttl", "1s");
    let (stage, handler) = settled(World::two_regions(), options).await;
    send(
        &handler,
        &incident(stage.sim.world(), "TTL-1", "West Europe", "Active", 5),
    )
    .await;
    until("nobody believes it any more", async || {
        let group = get(&handler, GROUP).await;
        (group["signals"] == json!([])).then_some(())
    })
    .await;
    stage.sim.break_region("westeurope");
    fire(&handler).await;
    assert_eq!(get(&handler, LOOKUP).await["generation"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_names_its_group_by_a_custom_property() {
    let (stage, handler) = settled(World::two_regions(), quick()).await;
    stage.sim.break_region("westeurope");
    let elsewhere = json!({"understudyGroup": "contoso", "understudySite": "northeurope"});
    let answer = send(&handler, &measured("m-0", "Fired", &elsewhere)).await;
    assert_eq!(answer["matched"], json!(["contoso"]));
    let why = answer["ignored"][0]["why"].as_str().unwrap();
    assert!(why.contains("northeurope is not active"), "{why}");
    let unknown = json!({"understudyGroup": "nobody"});
    let answer = send(&handler, &measured("m-1", "Fired", &unknown)).await;
    assert_eq!(answer["matched"], json!([]));
    assert!(
        answer["ignored"][0]["why"]
            .as_str()
            .unwrap()
            .contains("nobody")
    );
    let named = json!({"understudyGroup": "contoso"});
    let answer = send(&handler, &measured("m-2", "Fired", &named)).await;
    assert_eq!(answer, json!({"matched": ["contoso"], "ignored": []}));
    moved(&handler).await;
    // It was raised against the site that was active then, and does not follow the group to the next,
    // nor anywhere when the group has been there and back.
    for to in ["northeurope", "westeurope", "northeurope"] {
        let body = json!({"reason": "there and back", "to": to, "force": true});
        let (status, answer) = post(&handler, "/api/groups/contoso/failover", &body).await;
        assert_eq!(status, 200, "{answer}");
        fire(&handler).await;
        let group = get(&handler, GROUP).await;
        assert_eq!(group["active"], to, "{group}");
        let regions: Vec<&str> = group["signals"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|signal| signal["id"] == "m-2")
            .map(|signal| signal["region"].as_str().unwrap())
            .collect();
        assert_eq!(regions, ["westeurope"], "{group}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_outage_of_ours_is_told_why() {
    let (stage, handler) = settled(World::two_regions(), quick()).await;
    let world = stage.sim.world();
    let mut maintenance = incident(world, "MNT-1", "West Europe", "Active", 5);
    maintenance["data"]["alertContext"]["properties"]["incidentType"] = json!("Maintenance");
    let mut test = incident(world, "TEST-TTT", "West Europe", "Active", 5);
    test["data"]["alertContext"]["properties"]["IsSynthetic"] = json!("True");
    for (body, word) in [(maintenance, "Maintenance"), (test, "test")] {
        let answer = send(&handler, &body).await;
        assert_eq!(answer["matched"], json!(["contoso"]));
        assert_eq!(answer["ignored"][0]["group"], "contoso");
        let why = answer["ignored"][0]["why"].as_str().unwrap();
        assert!(why.contains(word), "{why}");
    }
    let standby = incident(world, "NEU-1", "North Europe", "Active", 5);
    let answer = send(&handler, &standby).await;
    assert!(
        answer["ignored"][0]["why"]
            .as_str()
            .unwrap()
            .contains("not active")
    );
    let foreign = incident(world, "EUS-1", "East US", "Active", 5);
    let answer = send(&handler, &foreign).await;
    assert_eq!(answer["matched"], json!([]));
    for (body, status) in [
        ("{", 400),
        ("", 400),
        ("[]", 400),
        ("{\"schemaId\":\"other\"}", 400),
        (&" ".repeat(2 << 20), 413),
    ] {
        let (answered, text) = handler.post("/api/alerts", body).await;
        assert_eq!(answered, status, "{text}");
        assert!(text.contains("\"error\""), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_alert_is_one_row_for_two_thousand_groups() {
    let world = World::fleet(2_000, &["westeurope", "northeurope"], 1);
    let options = quick()
        .policy("probe_interval", "1h")
        .policy("hold", "1h")
        .policy("probe_timeout", "80s");
    let stage = Stage::set(world, options).await;
    let west = Scope::region("westeurope");
    stage.sim.set(Service::VideoIndexer, west, Fault::Hang);
    let handler = stage.handler().await;
    let body = |id: &str| incident(stage.sim.world(), id, "West Europe", "Active", 5);
    let alerts = async {
        until("probes hang", async || {
            let tokens = stage.sim.count_in(Kind::Mint, "westeurope");
            (tokens > 10 && stage.sim.in_flight() > 10).then_some(())
        })
        .await;
        let sizes = |answer: &Value| {
            let size = |list: &str| answer[list].as_array().unwrap().len();
            (size("matched"), size("ignored"))
        };
        let (first, second) = (body("BIG-1"), body("BIG-2"));
        for (body, ignored) in [(&first, 0), (&second, 0), (&first, 2_000)] {
            let (answer, was_repeated) = send_as_azure(&handler, body).await;
            let (matched, known) = sizes(&answer);
            assert_eq!(matched, 2_000);
            // What was kept although no answer of the store came in time is known when it is sent again.
            assert!(known == ignored || was_repeated, "{known}");
            assert!(stage.sim.in_flight() > 10, "its probes hang still");
        }
    };
    // The tick makes two thousand rows, and then waits for its probes, as the alerts come in.
    tokio::select! {
        () = alerts => {}
        _ = handler.fire(&[]) => panic!("the tick ended before the alerts came"),
    }
    assert_eq!(store(&stage).alerts().await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_alerts_makes_few_rounds() {
    let (stage, handler) = settled(World::two_regions(), quick()).await;
    let before = stage.sim.count_of(Kind::List, "vi-weu");
    let count = AtomicU32::new(0);
    let senders = (0..50).map(|_| async {
        loop {
            let n = count.fetch_add(1, Ordering::Relaxed);
            if n >= 500 {
                return;
            }
            let id = format!("STORM-{n}");
            let body = incident(stage.sim.world(), &id, "West Europe", "Active", 5);
            let (status, answer) = post(&handler, "/api/alerts", &body).await;
            assert_eq!((status, &answer["matched"]), (200, &json!(["contoso"])));
        }
    });
    futures::future::join_all(senders).await;
    assert_eq!(store(&stage).alerts().await.unwrap().len(), 500);
    fire(&handler).await;
    let rounds = stage.sim.count_of(Kind::List, "vi-weu") - before;
    assert!(
        (1..=100).contains(&rounds),
        "{rounds} rounds for 500 alerts"
    );
    assert_eq!(get(&handler, LOOKUP).await["generation"], 0);
    let told = entries(&handler, "contoso", "signal").await;
    assert_eq!(told.len(), 50, "history is told of no more at a time");
}
