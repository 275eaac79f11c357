//! Which of two messages is believed, and what is said of one that changes nothing: a repeat, or one that is late.

use super::*;

#[test]
fn a_message_that_changes_nothing_is_told_why() {
    let of = |stage: &str, event_at: &str| parsed(&bodies::incident_at(stage, event_at));
    let active = of("Active", "2026-03-01T10:00:00Z");
    let over = of("Resolved", "2026-03-01T10:00:00Z");
    let early = of("Active", "2026-03-01T09:00:00Z");
    for (known, new, words) in [
        (
            &active,
            &active,
            "repeats a message of 2026-03-01T10:00:00Z",
        ),
        (&over, &over, "repeats"),
        (
            &active,
            &early,
            "it is of 2026-03-01T09:00:00Z, and a later message of 2026-03-01T10:00:00Z",
        ),
        (&over, &early, "later message"),
        (&over, &active, "an end of the same moment"),
    ] {
        assert_eq!(newer(Some(known), new), None);
        let why = why_known(known, new);
        assert!(why.contains(words), "{why}");
    }
}

#[test]
fn of_two_messages_the_later_event_is_believed_however_they_arrive() {
    let active = parsed(&bodies::incident_at("Active", "2026-03-01T10:00:00Z"));
    let resolved = parsed(&bodies::incident_at("Resolved", "2026-03-01T11:00:00Z"));
    let again = parsed(&bodies::incident_at("Active", "2026-03-01T11:30:00Z"));
    assert_eq!(newer(None, &active), Some(active.clone()));
    assert_eq!(newer(Some(&active), &active), None, "a repeat");
    assert_eq!(
        newer(Some(&active), &resolved).unwrap().stage,
        SignalStage::Resolved
    );
    assert_eq!(
        newer(Some(&resolved), &active),
        None,
        "an older message never reopens"
    );
    assert_eq!(
        newer(Some(&resolved), &again).unwrap().stage,
        SignalStage::Active
    );
    let same_time = parsed(&bodies::incident_at("Resolved", "2026-03-01T10:00:00Z"));
    assert_eq!(
        newer(Some(&active), &same_time).unwrap().stage,
        SignalStage::Resolved
    );
    assert_eq!(newer(Some(&same_time), &active), None);
}

#[test]
fn an_update_lives_longer_and_asks_for_no_new_confirmation() {
    let mut active = parsed(&bodies::incident_at("Active", "2026-03-01T10:00:00Z"));
    active.received_at = at("2026-03-01T10:01:00Z");
    active.updated_at = active.received_at;
    let update = parsed(&bodies::incident_at("Active", "2026-03-01T11:00:00Z"));
    let kept = newer(Some(&active), &update).unwrap();
    assert_eq!(kept.received_at, at("2026-03-01T10:01:00Z"));
    assert_eq!(kept.updated_at, now());
}

#[test]
fn an_update_that_names_more_needs_a_round_of_its_own() {
    let mut active = parsed(&bodies::incident_at("Active", "2026-03-01T10:00:00Z"));
    active.received_at = at("2026-03-01T10:01:00Z");
    let mut wider = parsed(&bodies::incident_at("Active", "2026-03-01T11:00:00Z"));
    wider.impacts[0].regions.push("West Europe".to_owned());
    assert_eq!(newer(Some(&active), &wider).unwrap().received_at, now());
    let mut unknown = active.clone();
    unknown.recorded_only = Some("of no account".to_owned());
    let update = parsed(&bodies::incident_at("Active", "2026-03-01T11:00:00Z"));
    assert_eq!(newer(Some(&unknown), &update).unwrap().received_at, now());
    let over = parsed(&bodies::incident_at("Resolved", "2026-03-01T11:00:00Z"));
    assert_eq!(
        newer(Some(&active), &over).unwrap().received_at,
        active.received_at,
        "it is still the alert that came in then"
    );
}

#[test]
fn people_see_one_signal_for_each_incident() {
    let mut body = bodies::incident("North Europe", "Active");
    *body.pointer_mut(bodies::IMPACTED).unwrap() = json!([{
        "ServiceName": "Azure Video Indexer",
        "ImpactedRegions": [{"RegionName": "West Europe"}, {"RegionName": "North Europe"}],
    }]);
    let alert = parsed(&body);
    let found = signals(&[Told::of(&alert)], &bodies::group(), None, now());
    assert_eq!(found.len(), 2);
    for site in ["westeurope", "northeurope"] {
        let shown = one_per_incident(&found, &site.into());
        assert_eq!(shown.len(), 1);
        assert_eq!(shown[0].site.as_str(), site);
    }
}

#[test]
fn of_an_incident_what_goes_on_is_shown_first_then_the_active_site_then_evidence() {
    let alert = parsed(&bodies::incident("North Europe", "Active"));
    let found = signals(&[Told::of(&alert)], &bodies::group(), None, now());
    let signal = |stage, site: &str, is_evidence| Signal {
        stage,
        site: site.into(),
        is_evidence,
        ..found[0].clone()
    };
    let in_order = [
        signal(SignalStage::Active, "northeurope", true),
        signal(SignalStage::Active, "northeurope", false),
        signal(SignalStage::Active, "westeurope", true),
        signal(SignalStage::Resolved, "northeurope", true),
        signal(SignalStage::Resolved, "westeurope", false),
    ];
    for (at, first) in in_order.iter().enumerate() {
        for second in in_order.iter().skip(at) {
            for both in [
                [first.clone(), second.clone()],
                [second.clone(), first.clone()],
            ] {
                assert_eq!(one_per_incident(&both, &"northeurope".into()), [first]);
            }
        }
    }
}

#[test]
fn of_equals_the_first_is_shown() {
    let alert = parsed(&bodies::incident("North Europe", "Active"));
    let found = signals(&[Told::of(&alert)], &bodies::group(), None, now());
    let mut other = found[0].clone();
    other.region = None;
    let both = [found[0].clone(), other];
    assert_eq!(one_per_incident(&both, &"northeurope".into()), [&both[0]]);
}
