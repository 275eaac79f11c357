//! Which account an alert speaks of.

use serde_json::json;
use understudy::model::media::{MediaKind, Workload};
use understudy::model::spec::{AccountSpec, MediaServicesSpec};

use super::{bodies, matches, parsed};

#[test]
fn a_resource_speaks_of_its_account_whatever_the_letter_case() {
    let group = bodies::group();
    let mut body = bodies::measured("Platform", "Fired");
    assert_eq!(
        matches(&parsed(&body), &group, None)[0].site.as_str(),
        "westeurope"
    );
    body["data"]["essentials"]["alertTargetIDs"] = json!([bodies::resource_id().to_uppercase()]);
    assert_eq!(matches(&parsed(&body), &group, None).len(), 1);
    body["data"]["essentials"]["alertTargetIDs"] = json!([format!("{}2", bodies::resource_id())]);
    assert_eq!(matches(&parsed(&body), &group, None), []);
}

#[test]
fn an_incident_of_media_services_speaks_of_the_accounts_in_its_subscription() {
    let mut group = bodies::group();
    let subscription = bodies::SUBSCRIPTION;
    let id = format!(
        "/subscriptions/{subscription}/resourceGroups/media/providers/Microsoft.Media/mediaservices/ams"
    );
    for (resource_id, is_ours) in [
        (id.clone(), true),
        (id.to_ascii_uppercase(), true),
        (
            id.replace(subscription, "0000aaaa-0000-0000-0000-000000000000"),
            false,
        ),
        (
            format!("https://api.example/{subscription}/projects/one"),
            false,
        ),
    ] {
        group.sites[0].accounts = vec![AccountSpec::MediaServices(MediaServicesSpec {
            account_name: "ams".to_owned(),
            resource_id: resource_id.clone(),
            kind: MediaKind::Azure,
            arm_base: "https://arm.example".to_owned(),
            token: None,
            streaming_endpoints: Vec::new(),
            live_events: Vec::new(),
            workloads: vec![Workload::Encoding],
            streaming_probe: String::new(),
            canary: None,
            key_delivery: None,
            stuck_after: jiff::SignedDuration::from_hours(1),
            stuck_fails: false,
        })];
        group.sites[1].accounts.clear();
        let alert = parsed(&bodies::incident_of("Media Services", "West Europe"));
        let found = matches(&alert, &group, None);
        assert_eq!(found.len(), usize::from(is_ours), "{resource_id}");
    }
}
