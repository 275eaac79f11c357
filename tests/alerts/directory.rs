//! The directory names every group that an alert speaks of, and no other.

use std::collections::BTreeSet;

use understudy::decision::alert::directory::Directory;

use super::*;

/// A group like the usual one, of another name; its accounts are of this subscription.
fn other(name: &str, subscription: &str) -> GroupSpec {
    let mut group = bodies::group();
    group.name = name.into();
    for account in group.sites.iter_mut().flat_map(|site| &mut site.accounts) {
        if let AccountSpec::VideoIndexer(spec) = account {
            spec.subscription_id = subscription.to_owned();
            spec.account_name = format!("{}-of-{name}", spec.account_name);
        }
    }
    group
}

/// The names of those that the directory finds; they are those that the alert matches.
fn found(body: &Value, groups: &[GroupSpec]) -> Vec<String> {
    let alert = parsed(body);
    let told = Told::of(&alert);
    let directory = Directory::of(groups);
    let candidates = directory.candidates(&told);
    let matched = groups
        .iter()
        .filter(|spec| !told.matches(spec, None).is_empty());
    let matched: BTreeSet<_> = matched.map(|spec| &spec.name).collect();
    assert_eq!(candidates, matched);
    candidates.into_iter().map(ToString::to_string).collect()
}

#[test]
fn the_directory_finds_the_groups_that_an_alert_matches() {
    let groups = [
        bodies::group(),
        other("fabrikam", bodies::SUBSCRIPTION),
        other("tailspin", "00000000-0000-0000-0000-000000000001"),
    ];
    let incident = |region: &str| bodies::incident(region, "Active");
    let of_the_subscription = ["contoso", "fabrikam"];
    assert_eq!(
        found(&incident("West Europe"), &groups),
        of_the_subscription
    );
    assert_eq!(
        found(&incident("North Europe"), &groups),
        of_the_subscription
    );
    assert!(found(&incident("East US"), &groups).is_empty());
    let elsewhere = bodies::incident_of("Azure Kubernetes Service", "West Europe");
    assert!(found(&elsewhere, &groups).is_empty());
    let on_its_account = bodies::resource_health("Unavailable", "PlatformInitiated", "Active");
    assert_eq!(found(&on_its_account, &groups), ["contoso"]);
}

#[test]
fn a_part_of_an_account_and_the_name_of_a_group_find_it() {
    let groups = [bodies::group(), other("fabrikam", bodies::SUBSCRIPTION)];
    let directory = Directory::of(&groups);
    let names = |alert: &Alert| -> Vec<String> {
        let told = Told::of(alert);
        let all = directory.candidates(&told);
        all.into_iter().map(ToString::to_string).collect()
    };
    let body = bodies::resource_health("Unavailable", "PlatformInitiated", "Active");
    let mut alert = parsed(&body);
    alert.resources = vec![format!("{}/projects/one", bodies::resource_id())];
    assert_eq!(names(&alert), ["contoso"]);
    alert.resources = vec![format!("{}-of-fabrikam", bodies::resource_id())];
    assert_eq!(names(&alert), ["fabrikam"]);
    alert.resources = vec![format!("{}x", bodies::resource_id())];
    assert!(names(&alert).is_empty());
    alert.group = Some("FABRIKAM".to_owned());
    assert_eq!(names(&alert), ["fabrikam"], "its name comes first");
}
