//! Bad groups beside good ones, and files that cannot be read.

use std::fmt::Write as _;

use understudy::config::{check, load};
use understudy::model::deployment::{FromRecord, StoreSpec};
use understudy::model::name::GroupName;
use understudy::model::policy::Mode;

use super::{GROUP, STORE, env, good, lines, load_text, load_with};

#[test]
fn a_bad_group_is_answered_from_its_record_and_harms_no_other() {
    let bad = GROUP
        .replace("contoso", "fabrikam")
        .replace("northeurope", "westeurope");
    let loaded = load_text(format!("{STORE}{bad}{GROUP}"));
    assert_eq!(good(&loaded), ["contoso"]);
    let deployment = &loaded.settings.deployment;
    assert_eq!(
        deployment.from_record,
        FromRecord::These(vec!["fabrikam".into()])
    );
    assert_eq!(
        deployment.groups[&GroupName::from("contoso")].policy.mode,
        Mode::Automatic
    );
    let shown: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    assert_eq!(deployment.problems, shown);
    assert_eq!(shown.len(), 1);
}

#[test]
fn of_two_groups_with_one_name_neither_is_served() {
    let other = GROUP.replace("contoso", "fabrikam");
    let loaded = load_text(format!("{STORE}{GROUP}{other}{GROUP}"));
    assert_eq!(good(&loaded), ["fabrikam"]);
    let from_record = &loaded.settings.deployment.from_record;
    assert!(from_record.holds(&"contoso".into()), "{from_record:?}");
    assert!(!from_record.holds(&"fabrikam".into()));
}

#[test]
fn a_group_without_a_readable_name_could_be_any() {
    for name in ["name = \"Contoso\"", "nmae = \"contoso\"", "name = 3"] {
        let bad = GROUP.replace("name = \"contoso\"", name);
        let good_one = GROUP.replace("contoso", "fabrikam");
        let loaded = load_text(format!("{STORE}{bad}{good_one}"));
        assert_eq!(good(&loaded), ["fabrikam"], "{name}");
        assert_eq!(loaded.settings.deployment.from_record, FromRecord::Any);
    }
}

#[test]
fn an_unknown_section_may_have_held_groups() {
    let loaded = load_text(format!("{STORE}{GROUP}[[grups]]\nname = \"fabrikam\"\n"));
    assert_eq!(good(&loaded), ["contoso"]);
    assert_eq!(loaded.settings.deployment.from_record, FromRecord::Any);
}

#[test]
fn doubt_about_the_shared_policy_keeps_groups_from_moving_and_from_nothing_else() {
    for text in [
        "[policy]\nhld = \"10m\"\n",
        "[controller]\ncontrol_target = \"x\"\n",
    ] {
        let loaded = load_text(format!("{text}{STORE}{GROUP}"));
        assert_eq!(good(&loaded), ["contoso"]);
        let group = &loaded.settings.deployment.groups[&GroupName::from("contoso")];
        assert_eq!(group.policy.mode, Mode::Observe);
        assert_eq!(
            loaded.settings.deployment.from_record,
            FromRecord::These(vec![])
        );
    }
}

#[test]
fn a_window_too_short_leaves_a_policy_that_can_be_relied_on() {
    let loaded = load_text(format!("{STORE}[policy]\nfail_window = 1\n{GROUP}"));
    let group = &loaded.settings.deployment.groups[&GroupName::from("contoso")];
    assert!(group.policy.fail_window >= group.policy.fail_threshold);
}

#[test]
fn a_missing_file_leaves_the_store_of_the_app_settings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.toml");
    let loaded = load(&path, &env(&[("UNDERSTUDY__STORE__KIND", "embedded")]));
    assert_eq!(
        lines(&loaded.problems),
        [format!(
            "{}: no such file: write one, or name another in UNDERSTUDY_CONFIG",
            path.display()
        )]
    );
    assert!(matches!(loaded.settings.store, StoreSpec::Embedded { .. }));
    assert_eq!(loaded.settings.deployment.from_record, FromRecord::Any);
    assert!(good(&loaded).is_empty());
}

#[test]
fn a_file_that_cannot_be_read_leaves_no_guess_about_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let host = env(&[("AzureWebJobsStorage", "UseDevelopmentStorage=true")]);
    let loaded = load(folder.path(), &host);
    assert!(matches!(loaded.settings.store, StoreSpec::Unusable(_)));
    assert_eq!(loaded.problems.len(), 1);

    let loaded = load_with(
        b"[policy]\nhold = \"\xff\"\n",
        &[("AzureWebJobsStorage", "UseDevelopmentStorage=true")],
    );
    assert_eq!(
        lines(&loaded.problems),
        ["2: is not UTF-8 here: save the file as UTF-8"]
    );
    assert!(matches!(loaded.settings.store, StoreSpec::Unusable(_)));
}

#[test]
fn a_syntax_error_leaves_the_store_unless_it_is_there() {
    let broken_group = format!("{STORE}{GROUP}\n[[groups]\nname = \"x\"\n");
    let loaded = load_text(&broken_group);
    assert!(
        lines(&loaded.problems)[0].starts_with("17: is not TOML here: "),
        "{:?}",
        loaded.problems
    );
    assert!(matches!(loaded.settings.store, StoreSpec::Embedded { .. }));
    assert_eq!(loaded.settings.deployment.from_record, FromRecord::Any);
    assert!(good(&loaded).is_empty());

    let host = [("AzureWebJobsStorage", "UseDevelopmentStorage=true")];
    for broken_store in [
        "[store]\nkind = \"embedded\npath = \"x\"\n",
        "[store\nkind = \"embedded\"\n",
        "store.kind = \n",
    ] {
        let loaded = load_with(format!("{broken_store}{GROUP}"), &host);
        assert!(
            matches!(loaded.settings.store, StoreSpec::Unusable(_)),
            "{broken_store}"
        );
    }
}

#[test]
fn a_syntax_error_repeats_no_secret() {
    let text = format!("[store]\nconnection_string = \"AccountKey=c2VjcmV0\n{GROUP}");
    let loaded = load_text(text);
    assert!(!loaded.problems.is_empty());
    let shown = format!("{loaded:?}");
    assert!(!shown.contains("c2VjcmV0"), "{shown}");
}

#[test]
fn the_byte_order_mark_and_crlf_are_no_problem() {
    let text = format!("\u{feff}{STORE}{GROUP}").replace('\n', "\r\n");
    let loaded = load_text(text);
    assert_eq!(lines(&loaded.problems), [""; 0]);
    let loaded = load_text(format!("{STORE}{GROUP}x = 1").replace('\n', "\r\n"));
    let shown = lines(&loaded.problems);
    assert!(
        shown[0].starts_with("16: groups[0].sites[1].http[0].x:"),
        "{shown:?}"
    );
}

#[test]
fn check_tells_what_load_tells() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("understudy.toml");
    let text = "[policy]\nhold = \"1s\"\n[store]\nkind = \"embedded\"\n";
    std::fs::write(&path, text).unwrap();
    let (checked, loaded) = (check(&path, &env(&[])), load(&path, &env(&[])));
    assert_eq!(checked.problems, loaded.problems);
    assert_eq!(checked.warnings, loaded.warnings);
    assert_eq!(
        checked.warnings[0].to_string(),
        format!(
            "{}:2: policy.hold: 1s is shorter than probe_interval (30s): a group moves before the failed site is looked at again",
            path.display()
        )
    );
}

#[test]
fn ten_thousand_groups() {
    let mut text = STORE.to_owned();
    for number in 0..10_000 {
        let group = GROUP.replace("contoso", &format!("tenant-{number}"));
        write!(
            text,
            "{}",
            group.replace("weu.example", &format!("weu-{number}.example"))
        )
        .unwrap();
    }
    let loaded = load_text(text);
    assert_eq!(lines(&loaded.problems), [""; 0]);
    assert_eq!(loaded.settings.deployment.groups.len(), 10_000);
}
