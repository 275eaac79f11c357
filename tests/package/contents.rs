//! What is in a package.

use std::collections::BTreeSet;

use serde_json::Value;
use understudy::bundle;

use crate::program::{run, understudy};
use crate::workshop::{GOOD, Workshop};

fn names(files: &std::collections::BTreeMap<String, (u32, Vec<u8>)>) -> BTreeSet<String> {
    files.keys().cloned().collect()
}

fn carried() -> BTreeSet<String> {
    let functions = bundle::FUNCTIONS
        .iter()
        .map(|(name, _)| format!("{name}/function.json"));
    functions
        .chain(["host.json".to_owned(), "understudy".to_owned()])
        .collect()
}

#[test]
fn an_empty_folder_gives_what_the_binary_carries() {
    let shop = Workshop::new();
    let ran = shop.package();
    assert!(ran.err.contains("there is no understudy.toml"), "{ran:?}");
    assert!(
        ran.out.contains("dist.zip") && ran.out.contains("8 functions"),
        "{ran:?}"
    );
    let folder = shop.folder("dist");
    assert_eq!(names(&folder), carried());
    assert_eq!(shop.read("dist/host.json"), bundle::HOST_JSON);
    for (name, text) in bundle::FUNCTIONS {
        assert_eq!(shop.read(&format!("dist/{name}/function.json")), *text);
    }
    assert_eq!(
        shop.archive("dist.zip"),
        folder,
        "the archive holds the same, with the same modes"
    );
    for (name, (mode, _)) in &folder {
        assert_eq!(
            *mode,
            if name == "understudy" { 0o755 } else { 0o644 },
            "{name}"
        );
    }
}

#[test]
fn the_same_files_make_the_same_archive() {
    let (first, second) = (Workshop::new(), Workshop::new());
    for shop in [&first, &second] {
        shop.write("understudy.toml", GOOD);
        shop.package();
    }
    let bytes = |shop: &Workshop| std::fs::read(shop.root().join("dist.zip")).unwrap();
    assert!(bytes(&first) == bytes(&second));
    let before = bytes(&first);
    first.package();
    assert!(bytes(&first) == before);
}

#[test]
fn the_configuration_comes_along_and_sets_the_timers_schedule() {
    let shop = Workshop::new();
    shop.write("understudy.toml", GOOD);
    shop.write("groups/more.toml", "# more\n");
    shop.write("groups/below/deep.toml", "# deep\n");
    shop.write("groups/.draft", "secret");
    shop.write("groups/local.settings.json", "secret");
    shop.write("local.settings.json", "secret");
    let ran = shop.package();
    assert!(ran.out.contains("0 */5 * * * *"), "{ran:?}");
    let mut expected = carried();
    expected.extend(
        [
            "understudy.toml",
            "groups/more.toml",
            "groups/below/deep.toml",
        ]
        .map(str::to_owned),
    );
    assert_eq!(names(&shop.folder("dist")), expected);
    assert_eq!(names(&shop.archive("dist.zip")), expected);
    assert_eq!(shop.read("dist/understudy.toml"), GOOD);
    let timer: Value = serde_json::from_str(&shop.read("dist/HealthCheck/function.json")).unwrap();
    assert_eq!(timer["bindings"][0]["schedule"], "0 */5 * * * *");
    assert_eq!(timer["bindings"][0]["useMonitor"], false);
}

#[test]
fn a_schedule_of_an_app_setting_is_written_as_well() {
    let shop = Workshop::new();
    shop.write("understudy.toml", GOOD);
    let setting = [("UNDERSTUDY__CONTROLLER__SCHEDULE", "0 */7 * * * *")];
    let ran = shop.run_with(&["package", "--binary", "small"], &setting);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        shop.read("dist/HealthCheck/function.json")
            .contains("0 */7 * * * *")
    );
}

#[test]
fn a_checkouts_own_files_go_before_what_is_carried() {
    let shop = Workshop::new();
    let host = bundle::HOST_JSON.replace(
        r#""defaultExecutablePath": "understudy""#,
        r#""defaultExecutablePath": "./bin/app""#,
    );
    shop.write("host.json", &host);
    shop.write("functions/Mine/function.json", bundle::FUNCTIONS[0].1);
    shop.write("functions/Mine/notes.txt", "beside it");
    shop.write("functions/notes.txt", "no function");
    shop.write("functions/empty/readme", "no function");
    shop.package();
    let folder = shop.folder("dist");
    let expected = [
        "host.json",
        "Mine/function.json",
        "Mine/notes.txt",
        "bin/app",
    ]
    .map(str::to_owned);
    assert_eq!(names(&folder), expected.into());
    assert_eq!(shop.read("dist/host.json"), host);
    assert_eq!(folder["bin/app"].0, 0o755);
    assert_eq!(shop.archive("dist.zip")["bin/app"].0, 0o755);
}

#[test]
fn a_package_can_be_packaged_again() {
    let shop = Workshop::new();
    shop.write("understudy.toml", GOOD);
    shop.package();
    let inner = shop.root().join("dist");
    let ran = run(understudy()
        .args(["package", "--binary", "understudy", "--out", "../again"])
        .current_dir(&inner));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(shop.folder("again"), shop.folder("dist"));
}

#[test]
fn a_bad_configuration_is_told_and_nothing_is_packaged() {
    let shop = Workshop::new();
    shop.write(
        "understudy.toml",
        GOOD.replace("probe_interval", "probe_intervall")
            .replace("0 */5 * * * *", "often"),
    );
    let ran = shop.run(&["package", "--binary", "small"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.out
            .contains("understudy.toml:2: error: controller.schedule"),
        "{ran:?}"
    );
    assert!(
        ran.out.contains("probe_intervall") && ran.out.contains("2 problems: nothing was packaged"),
        "{ran:?}"
    );
    assert!(!shop.root().join("dist").exists() && !shop.root().join("dist.zip").exists());
}

/// Also where only an app setting says so; in Azure that setting may be another, so it is no error.
#[test]
fn a_record_in_a_local_file_is_warned_of() {
    let embedded = GOOD.replace(
        "endpoint = \"https://acct.table.core.windows.net\"",
        "kind = \"embedded\"",
    );
    let setting = ("UNDERSTUDY__STORE__KIND", "embedded");
    let in_azure = ("WEBSITE_SITE_NAME", "app");
    for (file, settings, source) in [
        (embedded.as_str(), &[][..], Some("understudy.toml")),
        (GOOD, &[setting][..], Some("UNDERSTUDY__STORE__KIND")),
        (embedded.as_str(), &[in_azure][..], Some("understudy.toml")),
        (GOOD, &[][..], None),
    ] {
        let shop = Workshop::new();
        shop.write("understudy.toml", file);
        let ran = shop.run_with(&["package", "--binary", "small"], settings);
        assert_eq!(ran.code, 0, "{ran:?}");
        let told: Vec<&str> = ran
            .err
            .lines()
            .filter(|line| line.contains("store.kind") && line.contains("lost"))
            .collect();
        assert_eq!(told.len(), usize::from(source.is_some()), "{ran:?}");
        for line in told {
            let begins = format!("warning: {}:", source.unwrap_or_default());
            assert!(
                line.starts_with(&begins) && line.contains("table"),
                "{line}"
            );
        }
    }
}

#[test]
fn a_secret_in_the_file_is_warned_of_and_not_repeated() {
    let shop = Workshop::new();
    let key = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC1zZWNyZXQ=";
    let store = format!(
        "connection_string = \"DefaultEndpointsProtocol=https;AccountName=acct;AccountKey={key};EndpointSuffix=core.windows.net\""
    );
    shop.write(
        "understudy.toml",
        GOOD.replace("endpoint = \"https://acct.table.core.windows.net\"", &store),
    );
    let ran = shop.package();
    assert!(
        ran.err
            .lines()
            .any(|line| line.contains("connection_string") && line.contains("secret")),
        "{ran:?}"
    );
    assert!(!ran.err.contains(key) && !ran.out.contains(key), "{ran:?}");
}

#[test]
fn a_token_that_only_azure_has_is_no_reason_for_no_package() {
    let shop = Workshop::new();
    let media = "    [groups.sites.media_services]\n    kind = \"mkio\"\n    account_name = \"project\"\n    arm_base = \"https://api.mk.io\"\n    token = \"$MKIO_TOKEN\"\n  [[groups.sites]]\n  region = \"northeurope\"";
    shop.write(
        "understudy.toml",
        GOOD.replace("  [[groups.sites]]\n  region = \"northeurope\"", media),
    );
    let ran = shop.package();
    assert!(
        ran.err
            .contains("the app setting MKIO_TOKEN is not set here"),
        "{ran:?}"
    );
    let ran = shop.run_with(
        &["package", "--binary", "small"],
        &[("MKIO_TOKEN", "a-token-of-mine")],
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        !ran.err.contains("MKIO_TOKEN") && !ran.err.contains("a-token-of-mine"),
        "{ran:?}"
    );
    let printed = shop
        .folder("dist")
        .values()
        .any(|(_, bytes)| String::from_utf8_lossy(bytes).contains("a-token-of-mine"));
    assert!(!printed, "the token is in the package");
}

#[test]
fn a_host_json_without_functions_or_without_sense_is_refused() {
    for (host, functions, says) in [
        (
            bundle::HOST_JSON.to_owned(),
            false,
            "no functions/*/function.json",
        ),
        ("{".to_owned(), true, "host.json is not valid JSON"),
        (
            bundle::HOST_JSON.replace("\"understudy\"", "\"/usr/bin/understudy\""),
            true,
            "plain relative path",
        ),
        (
            bundle::HOST_JSON.replace("\"understudy\"", "\"../understudy\""),
            true,
            "plain relative path",
        ),
        (
            bundle::HOST_JSON.replace("\"understudy\"", "\"%HOME%/understudy\""),
            true,
            "plain relative path",
        ),
        (
            bundle::HOST_JSON.replace("\"understudy\"", "\"host.json\""),
            true,
            "another file of the package",
        ),
    ] {
        let shop = Workshop::new();
        shop.write("host.json", host);
        if functions {
            shop.write("functions/Mine/function.json", bundle::FUNCTIONS[0].1);
        }
        let ran = shop.run(&["package", "--binary", "small"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(
            ran.err.contains(says) && !shop.root().join("dist").exists(),
            "{says}: {ran:?}"
        );
    }
}

#[test]
fn a_comment_in_a_function_json_is_no_fault() {
    let shop = Workshop::new();
    shop.write("understudy.toml", GOOD);
    shop.write("host.json", bundle::HOST_JSON);
    let (_, timer) = bundle::FUNCTIONS
        .iter()
        .find(|(name, _)| *name == bundle::TIMER)
        .unwrap();
    shop.write(
        "functions/HealthCheck/function.json",
        format!("// every five minutes\n{timer}"),
    );
    shop.package();
    assert!(
        shop.read("dist/HealthCheck/function.json")
            .contains("0 */5 * * * *")
    );
}

#[test]
fn a_function_that_the_host_would_not_load_is_refused_with_the_reason() {
    let good = bundle::FUNCTIONS[0].1;
    let routed = |route: &str| good.replace("groups/{group}/active", route);
    assert!(good.contains("groups/{group}/active"));
    for (text, says) in [
        (routed("groups/{group"), "groups/{group"),
        (
            routed("admin/x"),
            "conflicts with one or more built in routes",
        ),
        ("{}".to_owned(), "At least one binding must be declared"),
        ("{".to_owned(), "not valid JSON"),
    ] {
        let shop = Workshop::new();
        shop.write("host.json", bundle::HOST_JSON);
        shop.write("functions/Mine/function.json", text);
        let ran = shop.run(&["package", "--binary", "small"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(
            ran.err.contains("Mine/function.json") && ran.err.contains(says),
            "{says}: {ran:?}"
        );
        assert!(!shop.root().join("dist").exists());
    }
}

#[test]
fn a_function_that_needs_an_app_setting_is_warned_of() {
    let shop = Workshop::new();
    shop.write("host.json", bundle::HOST_JSON);
    let text = bundle::FUNCTIONS[0]
        .1
        .replace("groups/{group}/active", "%WHERE%");
    shop.write("functions/Mine/function.json", text);
    let ran = shop.run(&["package", "--binary", "small"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.err
            .contains("Mine/function.json needs the app setting WHERE"),
        "{ran:?}"
    );
}

/// A checkout of ours without these functions.
fn without(left_out: &[&str]) -> Workshop {
    let shop = Workshop::new();
    shop.write("understudy.toml", GOOD);
    shop.write("host.json", bundle::HOST_JSON);
    for (name, text) in bundle::FUNCTIONS {
        if !left_out.contains(name) {
            shop.write(&format!("functions/{name}/function.json"), text);
        }
    }
    shop
}

#[test]
fn an_understudy_without_its_timer_is_refused() {
    let shop = without(&[bundle::TIMER]);
    let ran = shop.run(&["package", "--binary", "small"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.err.contains("HealthCheck, the timer, is not there"),
        "{ran:?}"
    );
    assert!(!shop.root().join("dist").exists());
}

#[test]
fn a_timer_that_is_disabled_is_warned_of_and_not_promised() {
    let shop = without(&[]);
    let text = shop.read("functions/HealthCheck/function.json");
    let disabled = text.replacen('{', "{\"disabled\": true,", 1);
    shop.write("functions/HealthCheck/function.json", disabled);
    let ran = shop.package();
    assert!(ran.err.contains("disables the timer"), "{ran:?}");
    assert!(!ran.out.contains("timer at"), "{ran:?}");
}

#[test]
fn other_functions_that_are_not_there_are_named() {
    let ran = without(&["Order", "Alert"]).package();
    assert!(
        ran.err.contains("2 functions are") && ran.err.contains(": Alert, Order"),
        "{ran:?}"
    );
    assert!(ran.out.contains("timer at 0 */5 * * * *"), "{ran:?}");
    let ran = without(&[]).package();
    assert!(!ran.err.contains("not there"), "{ran:?}");
}

#[test]
fn what_is_no_program_is_refused() {
    let shop = Workshop::new();
    shop.write("small", "root:x:0:0:root:/root:/bin/bash\n");
    let ran = shop.run(&["package", "--binary", "small"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("is no program"), "{ran:?}");
    assert!(!shop.root().join("dist").exists());
}

#[test]
fn a_small_binary_has_a_size() {
    let shop = Workshop::new();
    shop.write("small", "#!/bin/sh\nexit 0\n");
    let ran = shop.package();
    assert!(ran.out.contains("understudy of 17 bytes"), "{ran:?}");
    assert!(!ran.err.contains("all the same"), "{ran:?}");
}
