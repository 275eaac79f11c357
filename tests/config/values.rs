//! What good settings become.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use understudy::model::deployment::FromRecord;
use understudy::model::name::{GroupName, Service};
use understudy::model::policy::{Mode, Policy};
use understudy::model::secret::Secret;
use understudy::model::spec::{AccountSpec, GroupSpec, Workload};

use super::{GROUP, STORE, lines, load_text, load_with};

fn group(text: &str, settings: &[(&str, &str)]) -> GroupSpec {
    let loaded = load_with(format!("{STORE}{text}"), settings);
    assert_eq!(lines(&loaded.problems), [""; 0]);
    let groups = &loaded.settings.deployment.groups;
    groups.values().next().unwrap().as_ref().clone()
}

#[test]
fn defaults() {
    let loaded = load_text(format!("{STORE}{GROUP}"));
    let deployment = &loaded.settings.deployment;
    let group = &deployment.groups[&GroupName::from("contoso")];
    assert_eq!(group.policy, Policy::default());
    assert_eq!(group.tenant, None);
    let site = group.primary().unwrap();
    assert_eq!(
        (site.name.as_str(), site.region.as_str()),
        ("westeurope", "westeurope")
    );
    let AccountSpec::Http(http) = &site.accounts[0] else {
        panic!("{site:?}");
    };
    assert_eq!(http.endpoint, http.url);
    assert_eq!(http.expect_status, [200]);
    assert_eq!(http.expect_body, None);
    assert_eq!(deployment.schedule_interval, SignedDuration::from_secs(30));
    assert_eq!(deployment.control_target, None);
    assert_eq!(deployment.from_record, FromRecord::These(vec![]));
    assert_eq!(loaded.settings.schedule, "*/30 * * * * *");
    assert!(!loaded.settings.trust_principal);
}

#[test]
fn the_window_follows_the_threshold_in_force() {
    let with = |policy: &str, own: &str| {
        let group_text = GROUP.replace("name = \"contoso\"", &format!("name = \"contoso\"\n{own}"));
        let spec = group(&format!("{policy}{group_text}"), &[]);
        (spec.policy.fail_threshold, spec.policy.fail_window)
    };
    assert_eq!(with("", "policy.fail_threshold = 5"), (5, 5));
    assert_eq!(with("[policy]\nfail_threshold = 4\n", ""), (4, 4));
    assert_eq!(
        with("[policy]\nfail_window = 6\n", "policy.fail_threshold = 5"),
        (5, 6)
    );
    assert_eq!(
        with("[policy]\nfail_threshold = 4\n", "policy.fail_window = 9"),
        (4, 9)
    );
}

#[test]
fn a_group_overrides_any_of_the_policy() {
    let own = "policy = { mode = \"observe\", probe_interval = \"1m\", hold = \"2m\", standby = \"cold\" }";
    let text = GROUP.replace(
        "name = \"contoso\"",
        &format!("name = \"contoso\"\ntenant = \"c\"\n{own}"),
    );
    let spec = group(
        &format!("[policy]\nhold = \"3m\"\ncooldown = \"4m\"\n{text}"),
        &[],
    );
    assert_eq!(spec.tenant.as_deref(), Some("c"));
    assert_eq!(spec.policy.mode, Mode::Observe);
    assert_eq!(spec.policy.probe_interval, SignedDuration::from_mins(1));
    assert_eq!(spec.policy.hold, SignedDuration::from_mins(2));
    assert_eq!(spec.policy.cooldown, SignedDuration::from_mins(4));
}

#[test]
fn two_sites_of_one_region_with_names() {
    let text = GROUP.replace(
        "region = \"northeurope\"",
        "region = \"West Europe\"\nname = \"second\"",
    );
    let spec = group(&text, &[]);
    let sites: Vec<_> = spec
        .sites
        .iter()
        .map(|site| (site.name.as_str(), site.region.as_str()))
        .collect();
    assert_eq!(
        sites,
        [("westeurope", "westeurope"), ("second", "westeurope")]
    );
}

const ACCOUNTS: &str = r#"
[[groups]]
name = "contoso"
  [[groups.sites]]
  region = "West Europe"
    [groups.sites.video_indexer]
    subscription_id = "00000000-0000-0000-0000-000000000001"
    resource_group = "rg"
    account_name = "vi"
    account_id = "00000000-0000-0000-0000-000000000002"
    api_base = "http://127.0.0.1:9/"
    [groups.sites.media_services]
    subscription_id = "00000000-0000-0000-0000-000000000001"
    resource_group = "rg"
    account_name = "ams"
    live_events = ["stage"]
    streaming_probe = ""
  [[groups.sites]]
  region = "North Europe"
    [groups.sites.media_services]
    kind = "mkio"
    account_name = "project"
    token = "$MKIO_TOKEN"
    workloads = ["encoding"]
"#;

#[test]
fn accounts() {
    let spec = group(ACCOUNTS, &[("MKIO_TOKEN", "hush")]);
    let [weu, neu] = spec.sites.as_slice() else {
        panic!("{spec:?}");
    };
    let AccountSpec::VideoIndexer(vi) = &weu.accounts[0] else {
        panic!("{weu:?}");
    };
    assert_eq!(vi.api_base, "http://127.0.0.1:9");
    assert_eq!(vi.arm_base, "https://management.azure.com");
    assert_eq!(vi.stuck_after, SignedDuration::from_mins(60));
    assert!(!vi.stuck_fails);
    let AccountSpec::MediaServices(ams) = &weu.accounts[1] else {
        panic!("{weu:?}");
    };
    assert_eq!(
        ams.activation(),
        ["streaming endpoint default", "live event stage"]
    );
    assert_eq!(ams.streaming_probe, "");
    assert_eq!(ams.workloads.len(), 3);
    assert_eq!(ams.stuck_after, SignedDuration::from_mins(60));
    assert_eq!(ams.arm_base, "https://management.azure.com");
    assert_eq!(ams.token, None);
    assert_eq!(
        ams.resource_id,
        "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Media/mediaServices/ams"
    );
    let AccountSpec::MediaServices(mkio) = &neu.accounts[0] else {
        panic!("{neu:?}");
    };
    assert!(mkio.activation().is_empty());
    assert_eq!(mkio.workloads, [Workload::Encoding]);
    assert_eq!(mkio.streaming_probe, "https://{host}/");
    assert_eq!(mkio.token, Some(Secret::new("hush")));
    assert_eq!(
        mkio.api_url("/transforms", "v"),
        "https://api.mk.io/api/ams/project/transforms"
    );
    assert!(
        ams.api_url("", "2023-01-01")
            .ends_with("/mediaServices/ams?api-version=2023-01-01")
    );
    assert_eq!(mkio.resource_id, "https://api.mk.io/api/ams/project");
}

#[test]
fn what_the_example_has_as_comments_is_good_as_it_is() {
    let text = include_str!("../../understudy.example.toml")
        .lines()
        .map(|line| match line.strip_prefix("    # ") {
            Some(setting) if setting.starts_with('[') || setting.contains(" = ") => setting,
            _ => line,
        });
    let text: String = text.map(|line| format!("{line}\n")).collect();
    let loaded = load_with(&text, &[("MKIO_TOKEN", "t")]);
    assert_eq!(lines(&loaded.problems), [""; 0]);
    let group = &loaded.settings.deployment.groups[&GroupName::from("contoso")];
    for site in &group.sites {
        let kinds = site.accounts.iter().map(|one| one.key(&site.name).service);
        let all = BTreeSet::from([Service::VideoIndexer, Service::MediaServices, Service::Http]);
        assert_eq!(kinds.collect::<BTreeSet<_>>(), all, "{}", site.name);
    }
}

#[test]
fn the_examples_placeholders_are_told() {
    let loaded = load_text(include_str!("../../understudy.example.toml"));
    assert_eq!(lines(&loaded.problems), Vec::<String>::new());
    let told = lines(&loaded.warnings);
    let placeholders = told.iter().filter(|line| line.contains("placeholder"));
    assert_eq!(placeholders.count(), 4, "{told:?}");
}
