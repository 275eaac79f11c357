//! The signals that `show` prints: what they say of which site, what that is worth, and how wide it gets.

use serde_json::{Value, json};

use super::*;
use crate::fake_api::{FakeApi, Told};

const SUBSCRIPTION: &str = "/subscriptions/5b0c1c5e-0d4f-4d7a-9c55-6b8f1d0f7a01";

fn shown(signal: &Value) -> String {
    let mut body = group();
    body["active"] = json!("westeurope");
    body["signals"] = json!([signal]);
    let ran = ask(
        &FakeApi::always(Told::json(200, body)),
        &["show", "contoso"],
    );
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let at = ran
        .out
        .find("signals\n")
        .expect("the signals have a heading");
    ran.out[at..].to_owned()
}

fn signal(site: &str, is_evidence: bool, why: Option<&str>) -> Value {
    let account = format!(
        "{SUBSCRIPTION}/resourceGroups/{}/providers/Microsoft.VideoIndexer/accounts/vi-{}",
        "a-resource-group-with-a-name-of-the-longest-kind-that-azure-allows-to-anybody-who-wants-one",
        "westeurope-production-of-a-tenant"
    );
    json!({
        "id": format!("{SUBSCRIPTION}/providers/Microsoft.AlertsManagement/alerts/{}", "1234abcd5678ef01".repeat(4)),
        "kind": "resourceHealth", "region": "westeurope", "service": account, "stage": "active",
        "receivedAt": "2026-11-22T02:35:00.123Z", "expiresAt": "2026-11-22T04:35:00Z",
        "site": site, "isEvidence": is_evidence, "why": why,
    })
}

#[test]
fn ids_of_the_real_world_fit_a_terminal() {
    let mut incident = signal("westeurope", true, None);
    incident["id"] = json!("4KX9-B10");
    incident["kind"] = json!("serviceHealth");
    incident["service"] = json!("Azure Applied AI Services \\ Azure Video Indexer");
    let why = "a resource health event caused by UserInitiated is no evidence: only the platform's are; \
        and it repeats a message that is known already";
    for signal in [
        signal("westeurope", false, Some(why)),
        signal(&"s".repeat(63), true, None),
        incident,
    ] {
        let text = shown(&signal);
        for line in text.lines() {
            assert!(
                line.chars().count() <= 100,
                "{} wide: {line}",
                line.chars().count()
            );
        }
        assert!(
            text.contains("2026-11-22T02:35:00Z, expires 2026-11-22T04:35:00Z"),
            "{text}"
        );
    }
    let text = shown(&signal("westeurope", true, None));
    assert!(
        text.contains(&"1234abcd5678ef01".repeat(4)),
        "an id can be copied: {text}"
    );
    assert!(
        text.contains("of Microsoft.VideoIndexer/accounts/vi-westeurope-production-of-a-tenant"),
        "{text}"
    );
}

#[test]
fn a_signal_tells_its_site_and_what_it_is_worth() {
    let text = shown(&signal("westeurope", true, None));
    assert!(
        text.contains("resourceHealth, active about westeurope: evidence\n"),
        "{text}"
    );
    let text = shown(&signal("northeurope", true, None));
    assert!(
        text.contains("about northeurope: no evidence while another site is active"),
        "{text}"
    );
    let text = shown(&signal(
        "westeurope",
        false,
        Some("a test alert is no evidence"),
    ));
    assert!(
        text.contains("about westeurope: only recorded: a test alert is no evidence"),
        "{text}"
    );
    let mut unclear = signal("westeurope", false, Some("no stage"));
    unclear["isUnclear"] = json!(true);
    assert!(
        shown(&unclear).contains("resourceHealth, unclear about westeurope: only recorded"),
        "{}",
        shown(&unclear)
    );
    let mut over = signal("westeurope", true, None);
    over["stage"] = json!("resolved");
    assert!(shown(&over).contains("resolved about westeurope\n"));
    // An app of before tells neither the site nor what it is worth.
    let plain = shown(&group()["signals"][0]);
    assert!(
        plain.contains("serviceHealth, active about westeurope\n"),
        "{plain}"
    );
}

#[test]
fn an_alert_has_one_short_name_in_every_table_and_its_whole_one_as_json() {
    let id = format!("{SUBSCRIPTION}/providers/Microsoft.AlertsManagement/alerts/1234-abcd");
    let page = json!({"next": null, "entries": [{
        "at": "2026-11-22T02:35:00Z", "generation": 8, "rule": "S2", "kind": "failover", "from": "westeurope",
        "to": "northeurope", "actor": "understudy", "cause": "alert", "evidence": [],
        "reason": format!("An alert and a failed round agree: fail over. Alert {id}; failed: http web"),
    }, {
        "at": "2026-11-22T02:34:00Z", "generation": 7, "rule": "S5", "kind": "failover", "from": "westeurope",
        "to": "northeurope", "actor": "anna", "cause": "order", "evidence": [], "reason": format!("see {id}"),
    }]});
    let history = ask(
        &FakeApi::always(Told::json(200, page.clone())),
        &["history", "contoso"],
    );
    assert!(
        history.out.contains("Alert 1234-abcd; failed: http web"),
        "{}",
        history.out
    );
    assert!(
        history.out.contains(&format!("see {id}")),
        "what a person wrote stays: {}",
        history.out
    );
    let whole = ask(
        &FakeApi::always(Told::json(200, page)),
        &["history", "contoso", "--json"],
    );
    assert!(whole.out.contains(&format!("Alert {id}")), "{}", whole.out);
}
