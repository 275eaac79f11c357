//! Every rule: the text, and exactly what is said of it, with its line.

use super::{STORE, lines, load_text};

struct Case {
    text: String,
    problems: &'static [&'static str],
    warnings: &'static [&'static str],
}

#[track_caller]
fn check(cases: Vec<Case>) {
    for case in cases {
        let loaded = load_text(&case.text);
        assert_eq!(
            lines(&loaded.problems),
            case.problems,
            "problems of\n{}",
            case.text
        );
        // What doubtful defaults mean for every group is told beside what is wrong with them.
        let mut warnings = lines(&loaded.warnings);
        let doubts = warnings.extract_if(.., |line| line == DOUBT).count();
        assert_eq!(warnings, case.warnings, "warnings of\n{}", case.text);
        let is_doubtful = case.problems.iter().any(|line| {
            let key = line.split(": ").nth(1).unwrap_or_default();
            let is_unknown_section = !key.contains('.') && line.contains(": unknown key");
            key.starts_with("controller") || key.starts_with("policy") || is_unknown_section
        });
        assert_eq!(
            doubts,
            usize::from(is_doubtful),
            "doubt about\n{}",
            case.text
        );
    }
}

/// Sections, then a good group.
fn top(text: &str, problems: &'static [&'static str], warnings: &'static [&'static str]) -> Case {
    let store = if text.contains("[store]") { "" } else { STORE };
    Case {
        text: format!("{text}\n{store}{}", super::GROUP),
        problems,
        warnings,
    }
}

/// One group, its text from line 3 on.
fn group(text: &str, problems: &'static [&'static str], warnings: &'static [&'static str]) -> Case {
    Case {
        text: format!("{STORE}{text}"),
        problems,
        warnings,
    }
}

/// One group whose second site is good, its first site's text from line 5 on.
fn site(text: &str, problems: &'static [&'static str], warnings: &'static [&'static str]) -> Case {
    let second = "[[groups.sites]]\nregion = \"eastus\"\nhttp = [{ name = \"h\", url = \"https://e.example\" }]\n";
    Case {
        text: format!("{STORE}[[groups]]\nname = \"a\"\n{text}\n{second}"),
        problems,
        warnings,
    }
}

const DOUBT: &str = "the policy is in doubt ([controller] or [policy] has problems, or a section is unknown): until that is mended, no group is moved automatically";

#[test]
fn form() {
    check(vec![
        top(
            "[polcy]\nhold = \"60s\"",
            &["1: polcy: unknown key; did you mean `policy`?"],
            &[],
        ),
        top(
            "[extras]",
            &["1: extras: unknown key; known here are `controller`, `groups`, `policy`, `store`"],
            &[],
        ),
        top(
            "[policy]\nprobe_intervall = \"30s\"",
            &["2: policy.probe_intervall: unknown key; did you mean `probe_interval`?"],
            &[],
        ),
        top(
            "[policy]\nhold = 60\nmode = \"observ\"\nalert = \"loud\"\nfail_threshold = 0\nfail_window = 3.5\nstandby = true",
            &[
                "2: policy.hold: must be a duration such as \"90s\", not a whole number; did you mean \"60s\"?",
                "3: policy.mode: `observ` is not one of `automatic`, `observe`; did you mean `observe`?",
                "4: policy.alert: `loud` is not one of `ignore`, `confirm`, `direct`",
                "5: policy.fail_threshold: 0 is out of range: write a whole number from 1",
                "6: policy.fail_window: must be a whole number from 1, not a number that is not whole or too large",
                "7: policy.standby: must be one of `warm`, `cold`, not true or false",
            ],
            &[],
        ),
        top(
            "[policy]\nhold = \"5 min\"\ncooldown = \"0s\"\nalert_ttl = \"999999h\"",
            &[
                "2: policy.hold: `5 min` is not a duration: write hours, minutes and seconds as in \"1h30m\", \"5m\" or \"30s\"",
                "3: policy.cooldown: `0s` is too short: 1s at least",
                "4: policy.alert_ttl: `999999h` is too long: ten years at most",
            ],
            &[],
        ),
        top(
            "[controller]\nmax_groups_moving = 5000000000\ntrust_principal = \"yes\"\nvantage = 2026-01-01",
            &[
                "2: controller.max_groups_moving: 5000000000 is out of range: write a whole number from 1",
                "3: controller.trust_principal: must be true or false, not a text",
                "4: controller.vantage: must be a text in quotes, not a date",
            ],
            &[],
        ),
        top(
            "[[policy]]\nhold = \"60s\"",
            &["1: policy: must be a table, not a list; write its header in single brackets"],
            &[],
        ),
    ]);
}

#[test]
fn controller() {
    check(vec![
        top(
            "[controller]\nvantage = \"a/b\"",
            &[
                "2: controller.vantage: is not a name: up to 63 characters, none of them / \\ ? # %, no space at its ends",
            ],
            &[],
        ),
        top(
            "[controller]\nvantage = \"West Europe\"",
            &[],
            &[
                "2: controller.vantage: `westeurope` is the primary region of group contoso: if it fails, Understudy may fail with it; run it in a third region",
            ],
        ),
        top(
            "[controller]\ncontrol_target = \"example.com\"",
            &["2: controller.control_target: is not a URL: it must begin with https://"],
            &[],
        ),
        top(
            "[controller]\ncontrol_target = \"http://example.com\"",
            &[],
            &[
                "2: controller.control_target: http:// is not encrypted, and anyone on the way can answer for it; write https://",
            ],
        ),
        top(
            "[controller]\nschedule = \"0 0 0 L * *\"",
            &[
                "2: controller.schedule: `0 0 0 L * *` is not a schedule: `L` is not known to Azure Functions",
            ],
            &[],
        ),
        top(
            "[controller]\nschedule = \"00:00:30\"",
            &[],
            &[
                "2: controller.schedule: the form hh:mm:ss works on App Service plans only; \"0 */5 * * * *\" works everywhere",
            ],
        ),
        top(
            "[controller]\ntrust_principal = true",
            &[],
            &[
                "2: controller.trust_principal: has no effect here: the platform's authentication is off (WEBSITE_AUTH_ENABLED is not true), so anyone could send these headers",
            ],
        ),
    ]);
}

#[test]
fn policy() {
    check(vec![
        top(
            "[policy]\nfail_window = 2",
            &[
                "2: policy.fail_window: 2 is less than fail_threshold (3): so many rounds can not fail among so few",
            ],
            &[],
        ),
        top(
            "[policy]\nprobe_interval = \"10s\"",
            &[],
            &[
                "1: policy.probe_timeout: 10s is not shorter than probe_interval (10s): a round may last until the next is due",
                "2: policy.probe_interval: 10s is shorter than the timer's schedule: rounds are up to 30s apart",
            ],
        ),
        top(
            "[policy]\nlatency_limit = \"10s\"\nhold = \"1s\"\nfail_threshold = 1",
            &[],
            &[
                "2: policy.latency_limit: 10s is not shorter than probe_timeout (10s): no answer is ever called slow",
                "3: policy.hold: 1s is shorter than probe_interval (30s): a group moves before the failed site is looked at again",
                "4: policy.fail_threshold: 1 makes an account unhealthy at its first failed round",
            ],
        ),
        group(
            &super::GROUP.replace(
                "name = \"contoso\"",
                "name = \"contoso\"\npolicy.fail_threshold = 5\npolicy.fail_window = 4",
            ),
            &[
                "7: groups[0].policy.fail_window: 4 is less than fail_threshold (5): so many rounds can not fail among so few",
            ],
            &[],
        ),
        group(
            &super::GROUP.replace(
                "name = \"contoso\"",
                "name = \"contoso\"\npolicy.hold = \"5s\"",
            ),
            &[],
            &[
                "6: groups[0].policy.hold: 5s is shorter than probe_interval (30s): a group moves before the failed site is looked at again",
            ],
        ),
    ]);
}

#[test]
fn an_unwise_default_is_told_once_and_not_again_for_every_group() {
    let second = super::GROUP.replace("contoso", "fabrikam").replace(
        "name = \"fabrikam\"",
        "name = \"fabrikam\"\npolicy.cooldown = \"2h\"",
    );
    check(vec![group(
        &format!("[policy]\nhold = \"5s\"\n{}{second}", super::GROUP),
        &[],
        &[
            "4: policy.hold: 5s is shorter than probe_interval (30s): a group moves before the failed site is looked at again",
        ],
    )]);
}

#[test]
fn groups() {
    check(vec![
        group(
            "",
            &["groups: no groups are configured: add a [[groups]]"],
            &[],
        ),
        group(
            "[groups]\nname = \"a\"",
            &["3: groups: must be a list, not a table; write its header in double brackets"],
            &[],
        ),
        group(
            "[[groups]]",
            &[
                "3: groups[0].name: is missing",
                "3: groups[0].sites: is missing",
            ],
            &[],
        ),
        group(
            &super::GROUP.replace("\"contoso\"", "\"Contoso\"\ntenant = \" \""),
            &[
                "5: groups[0].name: `Contoso` is not a group's name: 1 to 63 of a-z, 0-9 and -",
                "6: groups[0].tenant: is empty: name the tenant, or leave the key out",
            ],
            &[],
        ),
        group(
            &format!("{}{}", super::GROUP, super::GROUP),
            &["18: groups[1].name: `contoso` is the name of groups[0] as well: names are unique"],
            &[],
        ),
        site(
            "",
            &["6: groups[0].sites: has 1 of the two or more sites that a group needs"],
            &[],
        ),
        site(
            "[[groups.sites]]\nregion = \"East US\"\nhttp = [{ name = \"h\", url = \"https://w.example\" }]",
            &[
                "5: groups[0].sites: two sites are named `eastus`: sites in the same region need a `name` each",
            ],
            &[],
        ),
        site(
            "[[groups.sites]]\nregion = \"westus\"\nhttp = []",
            &["5: groups[0].sites[0]: has no account: add video_indexer, media_services or http"],
            &[],
        ),
        site(
            "[[groups.sites]]\nregoin = \"westus\"\nname = \"a b/c\"\nhttp = [{ name = \"h\", url = \"https://w.example\" }]",
            &[
                "5: groups[0].sites[0].region: is missing",
                "6: groups[0].sites[0].regoin: unknown key; did you mean `region`?",
                "7: groups[0].sites[0].name: is not a name: up to 63 characters, none of them / \\ ? # %, no space at its ends",
            ],
            &[],
        ),
        site(
            "[[groups.sites]]\nregion = \"West Uerope\"\nhttp = [{ name = \"h\", url = \"https://w.example\" }]",
            &[],
            &[
                "6: groups[0].sites[0].region: `westuerope` is no public region that is known here; did you mean `westeurope`?",
            ],
        ),
        site(
            "[[groups.sites]]\nregion = \"\"\nhttp = [{ name = \"h\", url = \"https://w.example\" }]",
            &["6: groups[0].sites[0].region: `` is not a region's name"],
            &[],
        ),
        site(
            "[[groups.sites]]\nregion = \"westus\"\nhttp = [{ name = \"h\", url = \"https://e.example\" }]",
            &[],
            &[
                "5: groups[0].sites: the same HTTP endpoint is configured twice: a move between them changes nothing",
            ],
        ),
    ]);
}

#[test]
fn http() {
    check(vec![
        site(
            "[[groups.sites]]\nregion = \"westus\"\n[[groups.sites.http]]\nname = \"h\"\nurl = \"w.example\"\nexpect_status = [200, 99, \"ok\"]\n[[groups.sites.http]]\nname = \"h\"\nurl = \"https://me:secret@w.example\"\nexpect_status = []",
            &[
                "9: groups[0].sites[0].http[0].url: is not a URL: it must begin with https://",
                "10: groups[0].sites[0].http[0].expect_status[1]: 99 is out of range: write a whole number from 100 to 599",
                "10: groups[0].sites[0].http[0].expect_status[2]: must be a whole number from 100 to 599, not a text",
                "12: groups[0].sites[0].http[1].name: `h` is the name of another endpoint of this site",
                "13: groups[0].sites[0].http[1].url: must not hold a user name or a password",
                "14: groups[0].sites[0].http[1].expect_status: is empty: list the statuses that are good, or leave the key out",
            ],
            &[],
        ),
        site(
            "[[groups.sites]]\nregion = \"westus\"\n[[groups.sites.http]]\nname = \"h\"\nurl = \"http://w.example\"\nendpoint = \"http://localhost:1\"",
            &[],
            &[
                "9: groups[0].sites[0].http[0].url: http:// is not encrypted, and anyone on the way can answer for it; write https://",
                "10: groups[0].sites[0].http[0].endpoint: http:// is not encrypted; on loopback that is good for trials",
            ],
        ),
        site(
            "[[groups.sites]]\nregion = \"westus\"\n[[groups.sites.http]]\nname = \"h\"\nurl = \"https://w.example/?code=secret\"\n[[groups.sites.http]]\nname = \"i\"\nurl = \"https://i.example/?code=secret\"\nendpoint = \"https://i.example\"",
            &[],
            &[
                "9: groups[0].sites[0].http[0].url: has a query, which may hold a key, and every lookup hands it out: name an endpoint without it",
            ],
        ),
    ]);
}

#[test]
fn video_indexer() {
    check(vec![
        site(
            "[[groups.sites]]\nregion = \"westus\"\n[groups.sites.video_indexer]\nsubscription_id = \"s\"\nresource_group = \"a/b\"\naccount_name = \"\"\napi_base = \"http://vi.example\"\narm_base = \"https://arm.example/?a=b\"\nstuck_after = \"1\"\nstuck_fails = 1",
            &[
                "7: groups[0].sites[0].video_indexer.account_id: is missing",
                "9: groups[0].sites[0].video_indexer.resource_group: is not a name of Azure: it is empty, too long, or holds a space or one of / \\ ? # %",
                "10: groups[0].sites[0].video_indexer.account_name: is not a name of Azure: it is empty, too long, or holds a space or one of / \\ ? # %",
                "11: groups[0].sites[0].video_indexer.api_base: http:// is refused: a bearer token is sent there; write https:// (http:// is for loopback only)",
                "12: groups[0].sites[0].video_indexer.arm_base: must be a base URL, without `?` and `#`",
                "13: groups[0].sites[0].video_indexer.stuck_after: `1` is not a duration: write hours, minutes and seconds as in \"1h30m\", \"5m\" or \"30s\"",
                "14: groups[0].sites[0].video_indexer.stuck_fails: must be true or false, not a whole number",
            ],
            &[
                "8: groups[0].sites[0].video_indexer.subscription_id: `s` is not a GUID, as Azure's ids are",
            ],
        ),
        site(
            "[[groups.sites]]\nregion = \"westus\"\nvideo_indexer = 3",
            &["7: groups[0].sites[0].video_indexer: must be a table, not a whole number"],
            &[],
        ),
    ]);
}

#[test]
fn media_services() {
    check(vec![
        site(
            "[[groups.sites]]\nregion = \"westus\"\n[groups.sites.media_services]\naccount_name = \"m\"\nworkloads = [\"encoding\", \"demand\"]\nstreaming_probe = \"host\"\ncanary = \"https://x\"\nlive_events = [\"a b\"]\ntoken = \"t\"",
            &[
                "7: groups[0].sites[0].media_services.subscription_id: is missing; kind azure needs it",
                "7: groups[0].sites[0].media_services.resource_group: is missing; kind azure needs it",
                "9: groups[0].sites[0].media_services.workloads[1]: `demand` is not one of `encoding`, `live`, `on-demand`; did you mean `on-demand`?",
                "10: groups[0].sites[0].media_services.streaming_probe: is not a URL: it must begin with https://",
                "11: groups[0].sites[0].media_services.canary: is not a path on the streaming host, such as \"/canary/manifest\"",
                "12: groups[0].sites[0].media_services.live_events[0]: is not a name of Azure: it is empty, too long, or holds a space or one of / \\ ? # %",
            ],
            &[
                "12: groups[0].sites[0].media_services.live_events: is not used: workloads does not list \"live\"",
                "13: groups[0].sites[0].media_services.token: is used only with kind mkio",
            ],
        ),
        site(
            "[[groups.sites]]\nregion = \"westus\"\n[groups.sites.media_services]\nkind = \"mkio\"\naccount_name = \"m\"\nsubscription_id = \"s\"",
            &[
                "7: groups[0].sites[0].media_services.token: is missing; kind mkio needs it: write \"$NAME\", the app setting that holds it",
            ],
            &["10: groups[0].sites[0].media_services.subscription_id: is not used with kind mkio"],
        ),
        site(
            "[[groups.sites]]\nregion = \"westus\"\nmedia_services = { kind = \"mkio\", account_name = \"m\", token = \"$MKIO\", workloads = [] }",
            &[
                "7: groups[0].sites[0].media_services.workloads: is empty: list what the account is used for, or leave the key out",
                "7: groups[0].sites[0].media_services.token: the app setting `MKIO` is not set, or empty",
            ],
            &[],
        ),
        site(
            "[[groups.sites]]\nregion = \"westus\"\nmedia_services = { kind = \"mkio\", account_name = \"m\", token = \"hush\", arm_base = \"http://m.example\" }",
            &[
                "7: groups[0].sites[0].media_services.arm_base: http:// is refused: a bearer token is sent there; write https:// (http:// is for loopback only)",
            ],
            &[
                "7: groups[0].sites[0].media_services.token: a secret stands in the file: put it into an app setting and write \"$NAME\" here",
            ],
        ),
        site(
            "[[groups.sites]]\nregion = \"westus\"\nmedia_services = { kind = \"mkio\", account_name = \"m\", token = \"MKIO_TOKEN\" }",
            &[],
            &[
                "7: groups[0].sites[0].media_services.token: looks like the name of an app setting: write \"$\" before it, else it is sent as the token itself",
            ],
        ),
    ]);
}

#[test]
fn everything_is_told_at_once() {
    let bad = super::GROUP.replace("contoso", "Bad");
    let text = format!(
        "[policy]\nhold = 1\n[store]\nkind = \"disk\"\n{bad}{}",
        super::GROUP
    );
    check(vec![Case {
        text,
        problems: &[
            "2: policy.hold: must be a duration such as \"90s\", not a whole number; did you mean \"1s\"?",
            "4: store.kind: `disk` is not one of `table`, `embedded`",
            "7: groups[0].name: `Bad` is not a group's name: 1 to 63 of a-z, 0-9 and -",
        ],
        warnings: &[],
    }]);
}
