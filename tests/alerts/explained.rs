//! What people are told of an alert that waits: what it still takes, and why one moves nothing.

use understudy::model::name::ByAccount;

use understudy::decision::explain::explain;
use understudy::model::evidence::{AccountEvidence, GroupEvidence};
use understudy::model::sample::{Outcome, Sample};
use understudy::model::verdict::Verdict;

use super::*;

const ARRIVED: &str = "2026-03-01T12:00:00Z";

fn told(body: &Value, group: &GroupSpec, evidence: Option<&GroupEvidence>) -> String {
    let state = GroupState::new(group.sites[0].answer(), at("2026-03-01T00:00:00Z"));
    let alert = parsed(body);
    let found = signals(&[Told::of(&alert)], group, Some(&state), now());
    explain(&state, evidence, group, &found, None, now()).join("\n")
}

/// A round of the first site's account.
fn round(group: &GroupSpec, started_at: &str, outcome: Outcome) -> GroupEvidence {
    let at = at(started_at);
    let key = group.sites[0].accounts[0].key(&group.sites[0].name);
    let account = AccountEvidence {
        newest: Sample {
            at,
            outcome,
            latency_ms: 10,
            detail: None,
            host: "api.videoindexer.ai:443".to_owned(),
        },
        window: vec![outcome],
        failures: u32::from(outcome == Outcome::Failed),
        recoveries: 0,
        standing: Verdict::Healthy,
        first_failed_at: None,
        unhealthy: None,
        well_since: None,
        hosts: std::collections::BTreeMap::new(),
        states: std::collections::BTreeMap::new(),
    };
    GroupEvidence {
        newest_at: at,
        asked_twice: true,
        counted_at: Some(at),
        unbroken_since: at,
        accounts: ByAccount::from_iter([(key, account)]),
    }
}

#[test]
fn an_alert_that_waits_for_a_round_says_that_one_is_enough() {
    let group = bodies::group();
    let body = bodies::incident("West Europe", "Active");
    let before = round(&group, "2026-03-01T11:59:50Z", Outcome::Failed);
    let well = round(&group, ARRIVED, Outcome::Ok);
    let failed = round(&group, ARRIVED, Outcome::Failed);
    for (evidence, so_far) in [
        (None, "no such round has ended yet"),
        (Some(&before), "no such round has ended yet"),
        (Some(&well), "the newest one did not fail"),
        (Some(&failed), "the newest one failed"),
    ] {
        let text = told(&body, &group, evidence);
        assert!(
            text.contains("An alert (4KX9-B10) says that westeurope fails"),
            "{text}"
        );
        assert!(
            text.contains("one failed round that began after it is enough"),
            "{text}"
        );
        assert!(
            text.contains("without the threshold of 3 and without the hold time"),
            "{text}"
        );
        assert!(text.contains(so_far), "{text}");
    }
}

#[test]
fn an_alert_that_moves_nothing_says_why() {
    let mut group = bodies::group();
    let standby = told(&bodies::incident("North Europe", "Active"), &group, None);
    assert!(standby.contains("northeurope is not active"), "{standby}");
    assert!(!standby.contains("one failed round"), "{standby}");
    let recorded = bodies::resource_health("Unavailable", "UserInitiated", "Active");
    let recorded = told(&recorded, &group, None);
    assert!(
        recorded.contains("only recorded") && recorded.contains("UserInitiated"),
        "{recorded}"
    );
    let incident = bodies::incident("West Europe", "Active");
    group.policy.alert = AlertPolicy::Direct;
    let direct = told(&incident, &group, None);
    assert!(direct.contains("enough alone"), "{direct}");
    group.policy.alert = AlertPolicy::Ignore;
    let ignored = told(&incident, &group, None);
    assert!(ignored.contains("policy is to ignore alerts"), "{ignored}");
}

#[test]
fn what_decides_comes_first_and_what_is_only_recorded_last() {
    let group = bodies::group();
    let body = bodies::resource_health("Unavailable", "UserInitiated", "Active");
    let well = round(&group, ARRIVED, Outcome::Ok);
    let text = told(&body, &group, Some(&well));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("No move"), "{text}");
    let mut from_the_end = lines.iter().rev();
    let last = from_the_end.find(|line| !line.contains("see docs/runbook.md"));
    assert!(last.unwrap().contains("only recorded"), "{text}");
}

#[test]
fn alerts_about_the_active_site_come_before_those_about_others() {
    let group = bodies::group();
    let state = GroupState::new(group.sites[0].answer(), at("2026-03-01T00:00:00Z"));
    let all = [
        bodies::resource_health("Unavailable", "UserInitiated", "Active"),
        bodies::incident("North Europe", "Active"),
        bodies::incident("West Europe", "Active"),
    ];
    let all: Vec<Alert> = all.iter().map(parsed).collect();
    let told: Vec<Told> = all.iter().map(Told::of).collect();
    let found = signals(&told, &group, Some(&state), now());
    let lines = explain(&state, None, &group, &found, None, now());
    let of_alerts: Vec<&String> = lines
        .iter()
        .filter(|line| line.starts_with("An alert"))
        .collect();
    let wanted = [
        "says that westeurope",
        "says that northeurope",
        "is only recorded",
    ];
    assert_eq!(of_alerts.len(), wanted.len(), "{of_alerts:?}");
    for (line, wanted) in of_alerts.iter().zip(wanted) {
        assert!(line.contains(wanted), "{of_alerts:?}");
    }
}
