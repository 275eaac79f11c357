//! App settings over the file.

use std::path::PathBuf;

use jiff::SignedDuration;
use understudy::config;
use understudy::model::name::GroupName;
use understudy::model::policy::{Mode, Policy};

use super::{GROUP, STORE, env, good, lines, load_with};

fn policy(loaded: &config::Loaded) -> Policy {
    let group = &loaded.settings.deployment.groups[&GroupName::from("contoso")];
    group.policy.clone()
}

#[test]
fn any_value_of_a_section_is_overridden_by_its_type() {
    let text = format!("{STORE}[policy]\nhold = \"60s\"\ncooldown = \"5m\"\n{GROUP}");
    let settings = [
        ("UNDERSTUDY__POLICY__HOLD", " 2m "),
        ("understudy__policy__Fail_Threshold", "5"),
        ("UNDERSTUDY__POLICY__MODE", "observe"),
        ("UNDERSTUDY__CONTROLLER__TRUST_PRINCIPAL", "True"),
        ("UNDERSTUDY__CONTROLLER__MAX_GROUPS_MOVING", "7"),
        ("UNDERSTUDY__CONTROLLER__VANTAGE", "mars"),
        ("UNDERSTUDY__CONTROLLER__SCHEDULE", "*/15 * * * * *"),
        ("WEBSITE_AUTH_ENABLED", "True"),
        ("UNDERSTUDY_CONFIG", "elsewhere.toml"),
        ("UNDERSTUDY_URL", "https://app.example"),
        ("UNDERSTUDY_KEY", "key"),
    ];
    let loaded = load_with(text, &settings);
    assert_eq!(lines(&loaded.problems), [""; 0]);
    assert_eq!(lines(&loaded.warnings), [""; 0]);
    let expected = Policy {
        hold: SignedDuration::from_mins(2),
        cooldown: SignedDuration::from_mins(5),
        fail_threshold: 5,
        fail_window: 5,
        mode: Mode::Observe,
        max_groups_moving: 7,
        ..Policy::default()
    };
    assert_eq!(policy(&loaded), expected);
    assert!(loaded.settings.trust_principal);
    assert_eq!(loaded.settings.deployment.vantage.as_str(), "mars");
    assert_eq!(loaded.settings.schedule, "*/15 * * * * *");
    assert_eq!(loaded.settings.deployment.schedule_interval.as_secs(), 15);
}

#[test]
fn a_group_wins_over_an_app_setting_for_all_groups() {
    let group = GROUP.replace(
        "name = \"contoso\"",
        "name = \"contoso\"\npolicy.hold = \"1m\"",
    );
    let loaded = load_with(
        format!("{STORE}{group}"),
        &[("UNDERSTUDY__POLICY__HOLD", "2m")],
    );
    assert_eq!(policy(&loaded).hold, SignedDuration::from_mins(1));
}

#[test]
fn a_problem_names_the_app_setting() {
    for (name, value, problem) in [
        (
            "UNDERSTUDY__POLICY__HOLD",
            "soon",
            "UNDERSTUDY__POLICY__HOLD: policy.hold: `soon` is not a duration: write hours, minutes and seconds as in \"1h30m\", \"5m\" or \"30s\"",
        ),
        (
            "UNDERSTUDY__POLICY__FAIL_THRESHOLD",
            "many",
            "UNDERSTUDY__POLICY__FAIL_THRESHOLD: policy.fail_threshold: must be a whole number from 1, not a text",
        ),
        (
            "UNDERSTUDY__POLICY__HODL",
            "1m",
            "UNDERSTUDY__POLICY__HODL: unknown key; did you mean `hold`?",
        ),
        (
            "UNDERSTUDY__POLCY__HOLD",
            "1m",
            "UNDERSTUDY__POLCY__HOLD: unknown section `polcy`; did you mean `policy`?",
        ),
        (
            "UNDERSTUDY__COLOUR",
            "red",
            "UNDERSTUDY__COLOUR: unknown section `colour`; known are `controller`, `store`, `policy`",
        ),
        (
            "UNDERSTUDY__POLICY",
            "1m",
            "UNDERSTUDY__POLICY: must be UNDERSTUDY__SECTION__KEY, with two underscores between the parts",
        ),
        (
            "UNDERSTUDY__GROUPS__0__NAME",
            "x",
            "UNDERSTUDY__GROUPS__0__NAME: groups are not overridden by app settings; change them in the file",
        ),
    ] {
        let loaded = load_with(format!("{STORE}{GROUP}"), &[(name, value)]);
        assert_eq!(lines(&loaded.problems).last().unwrap(), problem);
        assert_eq!(good(&loaded), ["contoso"]);
        // Doubt about what all groups share keeps them from moving. A name that is none may have been that of
        // `UNDERSTUDY__POLICY__MODE`.
        assert_eq!(policy(&loaded).mode, Mode::Observe, "{name}");
    }
}

#[test]
fn what_is_wrong_with_the_store_leaves_the_policy() {
    let settings = [("UNDERSTUDY__STORE__KIND", "tabel")];
    let loaded = load_with(format!("{STORE}{GROUP}"), &settings);
    assert!(!loaded.problems.is_empty());
    assert_eq!(policy(&loaded).mode, Mode::Automatic);
}

#[test]
fn an_empty_one_overrides_nothing() {
    let text = format!("{STORE}[policy]\nhold = \"60s\"\n{GROUP}");
    let loaded = load_with(text, &[("UNDERSTUDY__POLICY__HOLD", "")]);
    assert_eq!(lines(&loaded.problems), [""; 0]);
    assert_eq!(
        lines(&loaded.warnings),
        ["UNDERSTUDY__POLICY__HOLD: is empty, so it overrides nothing; remove it"]
    );
    assert_eq!(policy(&loaded).hold, SignedDuration::from_secs(60));
}

#[test]
fn two_that_differ_only_in_capitals_are_a_problem() {
    let settings = [
        ("UNDERSTUDY__POLICY__HOLD", "1m"),
        ("understudy__policy__hold", "2m"),
    ];
    let loaded = load_with(format!("{STORE}{GROUP}"), &settings);
    assert_eq!(
        lines(&loaded.problems),
        ["understudy__policy__hold: sets the same as UNDERSTUDY__POLICY__HOLD; remove one"]
    );
    assert_eq!(
        lines(&loaded.warnings),
        [
            "the policy is in doubt ([controller] or [policy] has problems, or a section is unknown): until that is mended, no group is moved automatically"
        ]
    );
    assert_eq!(policy(&loaded).mode, Mode::Observe);
}

#[test]
fn single_underscores_are_told() {
    let loaded = load_with(
        format!("{STORE}{GROUP}"),
        &[("UNDERSTUDY_POLICY_HOLD", "1m")],
    );
    assert_eq!(
        lines(&loaded.warnings),
        ["UNDERSTUDY_POLICY_HOLD: sets nothing; did you mean UNDERSTUDY__POLICY__HOLD?"]
    );
}

#[test]
fn the_principal_is_trusted_only_where_the_platform_authenticates() {
    for (configured, platform, trusted) in [
        ("true", Some("true"), true),
        ("true", Some("TRUE"), true),
        ("true", Some("false"), false),
        ("true", None, false),
        ("false", Some("true"), false),
    ] {
        let mut settings = vec![("UNDERSTUDY__CONTROLLER__TRUST_PRINCIPAL", configured)];
        settings.extend(platform.map(|value| ("WEBSITE_AUTH_ENABLED", value)));
        let loaded = load_with(format!("{STORE}{GROUP}"), &settings);
        assert_eq!(
            loaded.settings.trust_principal, trusted,
            "{configured} {platform:?}"
        );
    }
}

#[test]
fn the_vantage_is_the_region_unless_configured() {
    for (text, settings, vantage) in [
        ("", &[][..], "local"),
        ("", &[("REGION_NAME", "France Central")], "francecentral"),
        (
            "[controller]\nvantage = \"Sweden Central\"\n",
            &[("REGION_NAME", "France Central")],
            "swedencentral",
        ),
        ("[controller]\nvantage = \"desk 7\"\n", &[], "desk 7"),
    ] {
        let loaded = load_with(format!("{text}{STORE}{GROUP}"), settings);
        assert_eq!(loaded.settings.deployment.vantage.as_str(), vantage);
    }
}

#[test]
fn the_file_is_named_by_an_app_setting() {
    assert_eq!(config::path(&env(&[])), PathBuf::from("understudy.toml"));
    assert_eq!(
        config::path(&env(&[("UNDERSTUDY_CONFIG", "")])),
        PathBuf::from("understudy.toml")
    );
    assert_eq!(
        config::path(&env(&[("UNDERSTUDY_CONFIG", "/etc/u.toml")])),
        PathBuf::from("/etc/u.toml")
    );
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    let secret = "AccountName=a;AccountKey=c2VjcmV0";
    for key in [
        "POLICY__HOLD",
        "POLICY__MODE",
        "POLICY__FAIL_WINDOW",
        "CONTROLLER__SCHEDULE",
        "CONTROLLER__CONTROL_TARGET",
        "CONTROLLER__TRUST_PRINCIPAL",
        "STORE__KIND",
        "STORE__ENDPOINT",
        "STORE__TABLE_PREFIX",
        "STORE__KEY",
    ] {
        let name = format!("UNDERSTUDY__{key}");
        let text = "[store]\nconnection_string = \"UseDevelopmentStorage=true\"\n";
        let loaded = load_with(format!("{text}{GROUP}"), &[(&name, secret)]);
        assert!(!loaded.problems.is_empty(), "{key}");
        let shown = format!("{loaded:?}");
        assert!(!shown.contains("c2VjcmV0"), "{key}: {shown}");
    }
}
