//! Azure Monitor's webhooks, and the JSON inside the JSON of Service Health.

use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};
use understudy::adapters::alert;
use understudy::adapters::store::Store;
use understudy::adapters::store::alerts::Kept;
use understudy::decision::alert::directory::Directory;
use understudy::decision::alert::{Told, newer, signals};
use understudy::model::alert::Alert;
use understudy::model::name::{GroupName, SiteName};
use understudy::model::region;
use understudy::model::spec::{AccountSpec, GroupSpec};

use super::alert_bodies as good;
use super::dice::Dice;
use super::memory_rows::MemoryRows;
use super::nasty::edited;
use super::{Meant, check_told, meant, now, seeds};

static BODIES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let mut log = good::metric_in_the_older_schema("Activated");
    log["schemaId"] = json!("Microsoft.Insights/LogAlert");
    log["data"] = json!({"AlertRuleName": "stalls", "SubscriptionId": good::SUBSCRIPTION, "ResourceId": good::resource_id(),
        "SearchIntervalEndtimeUtc": "2026-03-01T10:05:00Z"});
    let mut classic = good::metric_in_the_older_schema("Activated");
    classic = json!({"status": "Activated", "context": classic["data"]["context"], "properties": {"understudySite": "westeurope"}});
    let budget = json!({"schemaId": "AIP Budget Notification", "data": {"SubscriptionId": good::SUBSCRIPTION, "BudgetName": "b"}});
    let mut named = good::measured("Platform", "Fired");
    named["data"]["customProperties"] =
        json!({"understudyGroup": "contoso", "understudySite": "northeurope"});
    vec![
        good::incident("West Europe", "Active"),
        good::incident_in_the_older_schema("West Europe", "Resolved"),
        good::resource_health("Unavailable", "PlatformInitiated", "Active"),
        good::measured("Platform", "Fired"),
        good::measured("Prometheus", "Resolved"),
        good::metric_in_the_older_schema("Deactivated"),
        named,
        log,
        classic,
        budget,
    ]
});

/// What the text of `impactedServices` holds in a real incident.
static LISTING: LazyLock<Value> = LazyLock::new(|| {
    json!([
        {"ImpactedRegions": [{"RegionName": "West Europe"}, {"RegionName": "North Europe"}],
         "ServiceName": "Azure Applied AI Services \\ Azure Video Indexer", "ServiceGuid": null},
        {"ImpactedRegions": [{"RegionName": "West Europe"}], "ServiceName": "Storage", "ServiceGuid": "c2b5dd1a"},
    ])
});

/// A group that no alert here speaks of.
static BYSTANDER: LazyLock<GroupSpec> = LazyLock::new(|| {
    let mut spec = good::group();
    spec.name = GroupName::from("fabrikam");
    for site in &mut spec.sites {
        for account in &mut site.accounts {
            if let AccountSpec::VideoIndexer(account) = account {
                account.subscription_id = "deadbeef-0000-4000-8000-000000000000".to_owned();
                account.resource_group = "fabrikam".to_owned();
            }
        }
    }
    spec
});
static GROUP: LazyLock<GroupSpec> = LazyLock::new(good::group);

static DIRECTORY: LazyLock<Directory> = LazyLock::new(|| Directory::of([&*GROUP, &*BYSTANDER]));

/// A whole body.
pub fn alert(data: &[u8]) {
    match meant(data) {
        Meant::AsItIs(body) => check(body),
        Meant::Choices(mut dice) => {
            let body = edited(dice.pick(&BODIES[..]), &mut dice);
            let mut body = body.into_bytes();
            dice.damage(&mut body);
            check(&body);
        }
    }
}

/// The list of impacted services, escaped as Azure escapes it or as a list, in a body that says of itself
/// nothing that concerns us.
pub fn service_health(data: &[u8]) {
    let listing = match meant(data) {
        Meant::AsItIs(text) => String::from_utf8_lossy(text).into_owned(),
        Meant::Choices(mut dice) => listing(&mut dice),
    };
    let mut body = good::incident_of("SQL Database", "Brazil South");
    *body.pointer_mut(good::IMPACTED).unwrap() = match serde_json::from_str(&listing) {
        Ok(value) if listing.len() % 2 == 0 => value,
        _ => Value::from(listing),
    };
    check(body.to_string().as_bytes());
}

fn listing(dice: &mut Dice<'_>) -> String {
    let mut text = edited(&LISTING, dice).into_bytes();
    dice.damage(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn check(body: &[u8]) {
    let alert = match alert::read(body, now()) {
        Ok(alert) => alert,
        Err(error) => return check_told(&error.to_string()),
    };
    assert!(alert.event_at <= now() && alert.received_at == now() && alert.updated_at == now());
    assert!(!alert.id.is_empty() && !alert.thread.is_empty());
    assert!(alert.thread.chars().count() <= 1_500);
    let texts = alert.resources.iter().chain([&alert.id]);
    assert!(
        texts
            .chain(&alert.group)
            .chain(&alert.site)
            .all(|text| text.chars().count() <= 300)
    );
    assert!(alert.impacts.len() <= 1_000 && alert.resources.len() <= 1_000);
    let text = serde_json::to_string(&alert).unwrap();
    assert_eq!(
        serde_json::from_str::<Alert>(&text).unwrap(),
        alert,
        "it reads back as it was"
    );
    check_meaning(&alert, &text.to_lowercase());
    check_kept(&alert);
}

/// It speaks of nothing that it does not name.
fn check_meaning(alert: &Alert, text: &str) {
    let told = Told::of(alert);
    let found = DIRECTORY.candidates(&told);
    for group in [&*GROUP, &*BYSTANDER] {
        assert!(
            found.contains(&group.name) || told.matches(group, None).is_empty(),
            "a group that it speaks of is not found: {text}"
        );
    }
    let names_bystander = text.contains("fabrikam") || text.contains("deadbeef");
    assert!(
        names_bystander || told.matches(&BYSTANDER, None).is_empty(),
        "{text}"
    );
    for found in told.matches(&GROUP, None) {
        let evidence = found.recorded_only.is_none();
        if evidence && alert.group.is_none() && !alert.impacts.is_empty() {
            assert!(names(alert, &found.site), "{} in {text}", found.site);
        }
    }
    let told = [told];
    let found = signals(&told, &GROUP, None, now());
    assert!(
        found
            .iter()
            .all(|signal| signal.id == alert.id && signal.stage == alert.stage)
    );
    let later = good::moved_to_northeurope(now());
    let _ = signals(&told, &GROUP, Some(&later), now());
}

/// Whether an impact names this site's region, and Video Indexer or everything.
fn names(alert: &Alert, site: &SiteName) -> bool {
    alert.impacts.iter().any(|impact| {
        let service = impact.service.to_lowercase();
        let letters: String = service
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let is_ours = letters.contains("video") || letters.contains("appliedai");
        let is_all = service.trim().is_empty() || letters == "all" || letters == "allservices";
        (is_ours || is_all || impact.service_id.is_some())
            && impact
                .regions
                .iter()
                .any(|one| region::programmatic(one) == site.as_str())
    })
}

/// It is kept as it is, once, however often it comes.
fn check_kept(alert: &Alert) {
    assert_eq!(newer(Some(alert), alert), None, "a repeat is no news");
    let store = Store::new(Arc::new(MemoryRows::default()));
    super::block_on(async {
        let first = store.keep_alert(alert, newer).await.unwrap();
        let again = store.keep_alert(alert, newer).await.unwrap();
        assert_eq!(first, Kept::News(alert.clone()));
        let kept = store.alerts().await.unwrap();
        assert_eq!(kept.len(), 1);
        assert!(kept[0].alert == *alert || serde_json::to_string(alert).unwrap().len() > 100_000);
        assert!(understudy::adapters::store::rows::is_key(&kept[0].key));
        assert!(matches!(again, Kept::Known(_)));
    });
}

pub fn alert_seeds() -> Vec<Vec<u8>> {
    seeds(BODIES.iter().map(|body| body.to_string().into_bytes()))
}

pub fn service_health_seeds() -> Vec<Vec<u8>> {
    let texts = [
        LISTING.to_string(),
        format!("{} ", *LISTING),
        "[]".to_owned(),
    ];
    seeds(texts.map(String::into_bytes))
}
