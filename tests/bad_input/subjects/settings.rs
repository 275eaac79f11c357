//! The configuration file, and the app settings over it.

use std::sync::LazyLock;

use understudy::config::{Env, Loaded, load_bytes};

use super::dice::Dice;
use super::{Meant, meant};

/// What no finding may repeat.
const SECRET: &str = "Tm9ib2R5U2hvdWxkU2VlVGhpcw";

/// Every key of every section.
static GOOD: LazyLock<String> = LazyLock::new(|| {
    format!(
        r#"
[controller]
vantage = "francecentral"
control_target = "https://www.example.com/"
schedule = "*/30 * * * * *"
max_groups_moving = 50
trust_principal = false

[store]
kind = "table"
connection_string = "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey={SECRET}==;EndpointSuffix=core.windows.net"
table_prefix = "understudy"

[policy]
mode = "automatic"
probe_interval = "30s"
probe_timeout = "10s"
latency_limit = "5s"
fail_threshold = 3
fail_window = 4
recover_threshold = 2
hold = "90s"
cooldown = "3600s"
max_moves_per_day = 2
prepare_timeout = "15m"
alert = "confirm"
alert_ttl = "2h"
failback = "manual"
failback_after = "1800s"
standby = "warm"

[[groups]]
name = "contoso"
tenant = "contoso"
policy = {{ hold = "60s" }}
[[groups.sites]]
region = "West Europe"
[groups.sites.video_indexer]
subscription_id = "00000000-0000-0000-0000-000000000000"
resource_group = "media"
account_name = "vi-weu"
account_id = "11111111-1111-1111-1111-111111111111"
stuck_after = "60m"
stuck_fails = false
[groups.sites.media_services]
kind = "mkio"
subscription_id = "00000000-0000-0000-0000-000000000000"
resource_group = "media"
account_name = "ms-weu"
streaming_endpoints = ["default"]
live_events = []
workloads = ["encoding", "live", "on-demand"]
streaming_probe = "https://{{host}}/"
canary = "asset/manifest"
arm_base = "https://app.mk.example"
token = "{SECRET}"
[[groups.sites]]
name = "north"
region = "northeurope"
[[groups.sites.http]]
name = "captions"
url = "https://captions-neu.example.com/health"
endpoint = "https://captions-neu.example.com"
expect_status = [200, 204]
expect_body = "ok"
"#
    )
});

/// Values that stand where others are expected.
const VALUES: &[&str] = &[
    "3",
    "-1",
    "0",
    "1e400",
    "nan",
    "inf",
    "9223372036854775808",
    "-9223372036854775808",
    "4294967296",
    "true",
    "\"\"",
    "\" \"",
    "[]",
    "{}",
    "[[]]",
    "[{}]",
    "{ a = 1 }",
    "{ a.b.c = 1 }",
    "2026-03-01T10:04:00Z",
    "\"0s\"",
    "\"1s\"",
    "\"9999999999999h\"",
    "\"é\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "'''\n'''",
    "\"\"\"\nx\"\"\"",
    "\"https://\"",
    "\"http://[::1]:99999/\"",
    "\"{host}{host}\"",
    "\"0 0 0 29 2 1\"",
    "\"00:00:00\"",
    "\"99:99:99\"",
    "\"a=b;;=;c\"",
    "\"UseDevelopmentStorage=true\"",
    "\"direct\"",
    "\"embedded\"",
    "[1, \"a\", 2.5, []]",
    "[99, 100, 599, 600, 65536]",
    "\"video_indexer\"",
    "# nothing",
    "=",
    "",
];
const LINES: &[&str] = &[
    "[[groups]]",
    "[groups]",
    "[[groups.sites]]",
    "[groups.sites.video_indexer]",
    "[[groups.sites.http]]",
    "[policy]",
    "[store]",
    "groups = 3",
    "sites = [[], {}, \"x\", 3.5]",
    "\"\" = 1",
    "\u{0}",
    "\"\"\"",
    "'''",
    "[",
    "]]",
    "a.b.c.d = 1",
    "policy.hold = \"1s\"",
    "\u{feff}",
    "[groups.0]",
    "name = \"contoso\"",
    "region = \"westeurope\"",
];
const NAMES: &[&str] = &[
    "UNDERSTUDY__POLICY__HOLD",
    "UNDERSTUDY__POLICY__FAIL_WINDOW",
    "UNDERSTUDY__STORE__KIND",
    "understudy__store__connection_string",
    "UNDERSTUDY__STORE__ENDPOINT",
    "UNDERSTUDY__CONTROLLER__SCHEDULE",
    "UNDERSTUDY__CONTROLLER__TRUST_PRINCIPAL",
    "UNDERSTUDY__",
    "UNDERSTUDY__GROUPS__0__NAME",
    "UNDERSTUDY__POLICY",
    "UNDERSTUDY_POLICY_HOLD",
    "UNDERSTUDY__X__Y",
    "UNDERSTUDY__POLICY__HOLD__S",
    "AzureWebJobsStorage",
    "AzureWebJobsStorage__accountName",
    "REGION_NAME",
    "WEBSITE_AUTH_ENABLED",
    "UNDERSTUDY__STORE__PATH",
];

/// The file and the app settings.
pub fn configuration(data: &[u8]) {
    match meant(data) {
        Meant::AsItIs(file) => {
            // After a NUL come app settings, one a line.
            let (file, settings) = file.split_at(
                file.iter()
                    .position(|byte| *byte == 0)
                    .unwrap_or(file.len()),
            );
            let env = String::from_utf8_lossy(settings)
                .lines()
                .filter_map(|line| line.split_once('='))
                .map(|(name, value)| (name.trim_matches('\0').to_owned(), value.to_owned()))
                .collect();
            check(&load_bytes("understudy.toml", file.to_vec(), &env));
        }
        Meant::Choices(mut dice) => {
            let mut env = Env::new();
            for _ in 0..dice.below(4) {
                let value = if dice.one_of(3) {
                    dice.text()
                } else {
                    dice.pick(VALUES).trim_matches('"').to_owned()
                };
                env.insert((*dice.pick(NAMES)).to_owned(), value);
            }
            let loaded = load_bytes("understudy.toml", file(&mut dice), &env);
            check(&loaded);
            for finding in loaded.problems.iter().chain(&loaded.warnings) {
                assert!(!finding.to_string().contains(SECRET), "{finding}");
            }
        }
    }
}

/// The good file with a few lines lost, doubled, replaced, moved, cut or given another value.
fn file(dice: &mut Dice<'_>) -> Vec<u8> {
    let mut lines: Vec<String> = GOOD.lines().map(str::to_owned).collect();
    for _ in 0..dice.below(4) {
        let at = dice.below(lines.len());
        let line = lines[at].clone();
        match dice.below(8) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, line),
            2 => lines.insert(at, (*dice.pick(LINES)).to_owned()),
            3 => lines[at] = line.chars().take(dice.below(20)).collect(),
            4 => {
                let other = dice.below(lines.len());
                lines.swap(at, other);
            }
            5 => lines.insert(at, format!("{} = {}", dice.text(), dice.pick(VALUES))),
            _ => {
                if let Some((key, _)) = line.split_once(" = ") {
                    let text = dice.text();
                    let value = if dice.one_of(4) {
                        format!("{text:?}")
                    } else {
                        (*dice.pick(VALUES)).to_owned()
                    };
                    lines[at] = format!("{key} = {value}");
                }
            }
        }
    }
    lines.join("\n").into_bytes()
}

/// What is served is whole, and nothing that was left out is unsaid.
fn check(loaded: &Loaded) {
    let deployment = &loaded.settings.deployment;
    assert_eq!(deployment.problems.len(), loaded.problems.len());
    assert!(deployment.schedule_interval.is_positive());
    for (name, group) in &deployment.groups {
        assert_eq!(name, &group.name);
        assert!((1..=63).contains(&name.as_str().len()));
        assert!(group.sites.len() >= 2);
        assert!(group.sites.iter().all(|site| !site.accounts.is_empty()));
        let policy = &group.policy;
        assert!(
            policy.fail_threshold >= 1
                && policy.fail_window >= policy.fail_threshold
                && policy.recover_threshold >= 1
        );
        for length in [
            policy.probe_interval,
            policy.probe_timeout,
            policy.latency_limit,
            policy.hold,
            policy.alert_ttl,
        ] {
            assert!(length.as_secs() >= 1, "{name}: {length:?}");
        }
    }
    for finding in loaded.problems.iter().chain(&loaded.warnings) {
        assert!(!finding.message.is_empty());
        assert!(
            !finding.message.contains('\n'),
            "one line: {}",
            finding.message
        );
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let settings = format!(
        "{}\0\nUNDERSTUDY__POLICY__HOLD=5s\nREGION_NAME=West Europe\n",
        *GOOD
    );
    super::seeds([GOOD.clone().into_bytes(), settings.into_bytes()])
}
