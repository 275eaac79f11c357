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
    let cases: [(&str, &[&str], &[&str]); 8] = [
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
