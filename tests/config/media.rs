//! What is wrong, or unwise, in the settings of a Media Services account.

use understudy::config::Finding;

use super::{STORE, lines, load_with};

const HEAD: &str = r#"[[groups]]
name = "a"
[[groups.sites]]
region = "westus"
[groups.sites.media_services]
kind = "mkio"
account_name = "m"
token = "$MKIO"
"#;
const TAIL: &str = r#"[[groups.sites]]
region = "eastus"
http = [{ name = "h", url = "https://e.example" }]
"#;

/// The lines without the way to the account.
fn told(findings: &[Finding]) -> Vec<String> {
    let lines = lines(findings).into_iter();
    lines
        .map(|line| line.replace("groups[0].sites[0].media_services.", ""))
        .collect()
}

#[test]
fn what_is_asked_of_media_services() {
    let cases: [(&str, &[&str], &[&str]); 10] = [
        (
            "arm_base = \"https://api.mk.io/api/ams\"",
            &[
                "11: arm_base: must end before /api/ams: that and the project are put behind it; the project is account_name",
            ],
            &[],
        ),
        (
            "key_delivery = \"https://{host}/keys\"",
            &[
                "11: key_delivery: holds a placeholder, and keys are not behind the streaming host: write the URL in full",
            ],
            &[],
        ),
        (
            "streaming_probe = \"https://{name}/\"",
            &[
                "11: streaming_probe: holds a placeholder that is not known: write {host} for the name of the streaming host",
            ],
            &[],
        ),
        (
            "streaming_probe = \"https://{host}/{path}\"",
            &[
                "11: streaming_probe: holds a placeholder that is not known: write {host} for the name of the streaming host",
            ],
            &[],
        ),
        (
            "streaming_probe = \"https://cdn.example/\"",
            &[],
            &[
                "11: streaming_probe: does not hold {host}: the same URL is asked for every streaming endpoint",
            ],
        ),
        (
            "canary = \"//elsewhere/x\"\nkey_delivery = \"keys\"",
            &[
                "11: canary: is not a path on the streaming host, such as \"/canary/manifest\"",
                "12: key_delivery: is not a URL: it must begin with https://",
            ],
            &[],
        ),
        (
            "canary = \"/x\"\nworkloads = [\"live\"]",
            &[],
            &["11: canary: is not used: workloads does not list \"on-demand\""],
        ),
        (
            "streaming_endpoints = []",
            &[],
            &[
                "11: streaming_endpoints: is empty: no host of the account is probed, handed out or started",
            ],
        ),
        (
            "live_events = [\"a\", \"A\"]",
            &["11: live_events[1]: `A` is listed twice"],
            &[],
        ),
        (
            "stuck_after = \"5m\"\nstuck_fails = true\nstreaming_probe = \"\"",
            &[],
            &[],
        ),
    ];
    for (keys, problems, warnings) in cases {
        let text = format!("{STORE}{HEAD}{keys}\n{TAIL}");
        let loaded = load_with(&text, &[("MKIO", "hush")]);
        assert_eq!(told(&loaded.problems), problems, "{keys}");
        assert_eq!(told(&loaded.warnings), warnings, "{keys}");
    }
}

#[test]
fn groups_that_share_what_the_moves_of_one_stop_are_told() {
    let group = |name: &str, standby: &str, account: &str| {
        let site = |region: &str, account: &str| {
            format!(
                "[[groups.sites]]\nregion = \"{region}\"\nmedia_services = {{ kind = \"mkio\", account_name = \"{account}\", token = \"$MKIO\" }}\n"
            )
        };
        format!(
            "[[groups]]\nname = \"{name}\"\npolicy = {{ standby = \"{standby}\" }}\n{}{}",
            site("westus", account),
            site("eastus", &format!("{name}-other"))
        )
    };
    let warned = |one: &str, other: &str, account: &str| {
        let text = format!(
            "{STORE}{}{}",
            group("a", one, "m"),
            group("b", other, account)
        );
        let loaded = load_with(&text, &[("MKIO", "hush")]);
        assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
        lines(&loaded.warnings)
    };
    assert!(warned("warm", "warm", "m").is_empty());
    assert!(warned("cold", "cold", "n").is_empty());
    for (one, other, cold) in [("cold", "warm", "a"), ("warm", "cold", "b")] {
        let told = warned(one, other, "M");
        assert_eq!(told.len(), 1, "{told:?}");
        let words =
            format!("the standby of {cold} is cold: what its moves stop is stopped for both");
        assert!(told[0].contains(&words), "{told:?}");
    }
}
