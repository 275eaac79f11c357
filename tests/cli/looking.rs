//! `status`, `show`, `history` and `explain`: what is asked, and what is printed.

use serde_json::{Value, json};

use super::*;
use crate::fake_api::{FakeApi, Told};

#[test]
fn status_lists_every_page_and_counts() {
    let api = FakeApi::start(|asked| {
        Told::json(
            200,
            match asked.target.as_str() {
                "/api/groups" => json!({"groups": [listed("a1"), listed("a2")], "next": "t/1 ="}),
                _ => json!({"groups": [listed("b1")], "next": null}),
            },
        )
    });
    let ran = ask(&api, &["status"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[0].starts_with("GROUP"), "{}", ran.out);
    for (line, name) in lines[1..].iter().zip(["a1", "a2", "b1"]) {
        assert!(line.starts_with(name), "{}", ran.out);
        for cell in [
            "unhealthy",
            "settled",
            "observe",
            "ObserveMode",
            "2026-11-22T02:36:16Z",
        ] {
            assert!(line.contains(cell), "{cell} is missing in {line}");
        }
    }
    assert!(
        ran.out.ends_with(
            "\n3 groups, 0 moving, 3 held\nObserveMode: see docs/runbook.md#hold-observe-mode\n\
             unhealthy: see docs/runbook.md#verdict-unhealthy\n"
        ),
        "{}",
        ran.out
    );
    let targets: Vec<String> = api.asked().into_iter().map(|asked| asked.target).collect();
    assert_eq!(targets, ["/api/groups", "/api/groups?next=t%2F1+%3D"]);
}

#[test]
fn status_filters_and_says_when_nothing_matches() {
    let api = FakeApi::always(Told::json(200, json!({"groups": [], "next": null})));
    let filtered = ask(
        &api,
        &[
            "status",
            "--tenant",
            "a b",
            "--phase",
            "moving",
            "--verdict",
            "healthy",
        ],
    );
    assert_eq!(filtered.out, "No group matches.\n");
    assert_eq!(
        api.only().target,
        "/api/groups?tenant=a+b&phase=moving&verdict=healthy"
    );
    assert_eq!(ask(&api, &["status"]).out, "No groups are configured.\n");
}

#[test]
fn an_app_that_is_not_well_is_told_beside_what_it_says() {
    let api = FakeApi::start(|asked| {
        let group = json!({"group": "a", "generation": 1, "active": "west",
            "explanation": ["west is healthy."],
            "sites": [{"site": "west", "region": "westeurope", "role": null, "verdict": "misconfigured"}]});
        Told::json(
            200,
            match asked.target.as_str() {
                "/api/groups" => json!({"groups": [group], "next": null}),
                _ => group,
            },
        )
    });
    for verb in [&["status"][..], &["explain", "a"]] {
        let well = ask(&api, verb);
        assert_eq!((well.code, well.err.as_str()), (0, ""));
        assert!(!well.out.contains("not well"), "{}", well.out);
    }
    api.is_unwell(Told::json(
        503,
        json!({"status": "failing", "reasons": ["bad configuration: a.toml:7: \u{1b}[2J", "no sweep"],
            "error": {"code": "AppNotWell", "message": "…"}}),
    ));
    for verb in [&["status"][..], &["explain", "a"]] {
        let ran = ask(&api, verb);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        let (_, told) = ran.out.split_once("The app itself is not well").unwrap();
        assert!(told.ends_with("\n  no sweep\n"), "{}", ran.out);
        assert!(told.contains("  bad configuration: a.toml:7: "));
        assert!(!told.contains('\u{1b}'), "{told:?}");
    }
    // What something on the way says instead is no health.
    api.is_unwell(Told::other(502, "text/html", "<html>"));
    assert!(!ask(&api, &["status"]).out.contains("not well"));
    let shown = ask(&api, &["show", "a"]);
    assert_eq!((shown.code, shown.err.as_str()), (0, ""));
    assert!(shown.out.contains("misconfigured"), "{}", shown.out);
}

#[test]
fn an_app_that_repeats_its_page_is_not_followed_for_ever() {
    let api = FakeApi::always(Told::json(
        200,
        json!({"groups": [listed("a")], "next": "x"}),
    ));
    let ran = ask(&api, &["status"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("again and again"), "{}", ran.err);
    assert_eq!(api.asked().len(), 2);
}

#[test]
fn show_tells_sites_accounts_move_signals_hold_and_pause() {
    let mut body = moving();
    body["hold"] =
        json!({"code": "HoldTime", "message": "not long enough", "until": "2026-11-22T02:42:00Z"});
    body["paused"] = json!({"by": "ann", "reason": "works", "since": "2026-11-22T02:00:00Z",
        "until": "2026-11-22T03:00:00Z"});
    let api = FakeApi::always(Told::json(200, body));
    let ran = ask(&api, &["show", "contoso"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(api.only().target, "/api/groups/contoso");
    assert_eq!(api.only().method, "GET");
    for part in [
        "contoso: northeurope serves since 2026-11-22T02:36:16Z (generation 7)",
        "tenant contoso, mode automatic, moving, as of 2026-11-22T02:40:00Z",
        "held: HoldTime: not long enough (until 2026-11-22T02:42:00Z)",
        "automatic moves are paused until 2026-11-22T03:00:00Z by ann: works",
        "westeurope   westeurope   primary    standby  unhealthy",
        "3 x failed",
        "10000 ms",
        "timed out after 10 s",
        "never",
        "\nwesteurope is unhealthy: see docs/runbook.md#verdict-unhealthy\n",
        "under way: failover from northeurope to westeurope (generation 8), cause order",
        "not flipped yet",
        "start streaming endpoint default",
        "AB12-345",
    ] {
        assert!(
            ran.out.contains(part),
            "{part:?} is missing in\n{}",
            ran.out
        );
    }
}

#[test]
fn show_tells_what_is_still_to_be_stopped() {
    let mut body = group();
    body["leftovers"] = json!([
        {"site": "westeurope", "since": "2026-11-22T02:36:16Z", "waitsForRecovery": true, "steps": []},
        {"site": "southeurope", "since": "2026-11-22T02:36:17Z", "waitsForRecovery": false,
         "steps": [{"name": "stop live event studio", "state": "failed", "attempts": 2,
            "detail": "it answered 503"}]},
        {"site": "northeurope", "since": "2026-11-22T02:36:18Z", "waitsForRecovery": false,
         "steps": [{"name": "start live event studio", "state": "running", "attempts": 1}]},
    ]);
    let api = FakeApi::always(Told::json(200, body));
    let ran = ask(&api, &["show", "contoso"]);
    for part in [
        "\nto be stopped in westeurope since 2026-11-22T02:36:16Z, once it is well again\n",
        "\nto be stopped in southeurope since 2026-11-22T02:36:17Z\nSTEP ",
        "\nstop live event studio  failed  2         it answered 503\n",
        "\nto be started in northeurope since 2026-11-22T02:36:18Z\nSTEP ",
    ] {
        assert!(
            ran.out.contains(part),
            "{part:?} is missing in\n{}",
            ran.out
        );
    }
}

#[test]
fn history_shows_its_newest_page_and_all_of_it_when_asked() {
    let api = FakeApi::start(|asked| {
        Told::json(
            200,
            if asked.target.contains("next=") {
                json!({"entries": [{"at": "2026-11-20T00:00:00Z", "generation": 6, "rule": "R9",
                    "kind": "refused", "from": "westeurope", "actor": "key", "cause": "order",
                    "reason": null, "forced": true, "evidence": [],
                    "hold": {"code": "TargetUnfit", "message": "no other site is fit"}}], "next": null})
            } else {
                let mut entry = entry();
                let failed = |name: &str, detail: Option<&str>| {
                    json!({"site": "westeurope", "service": "http", "name": name,
                    "verdict": "degraded", "outcome": "failed", "at": "2026-11-20T00:00:00Z", "detail": detail})
                };
                entry["evidence"] = json!([failed("page", Some("connection refused")), failed("captions", None),
                    failed("third", None), {"site": "westeurope", "service": "http", "name": "latched",
                    "verdict": "unhealthy", "outcome": "ok", "at": "2026-11-20T00:00:00Z"}, {"site": "northeurope", "service": "http", "name": "page",
                    "verdict": "healthy", "outcome": "ok", "at": "2026-11-20T00:00:00Z"}]);
                json!({"entries": [entry], "next": "older"})
            },
        )
    });
    let newest = ask(&api, &["history", "contoso"]);
    assert_eq!(newest.code, 0);
    for part in [
        "failover",
        "understudy",
        "S3",
        "2m 30s",
        "westeurope is unhealthy (http page: connection refused; http captions: failed; and 1 more)",
    ] {
        assert!(
            newest.out.contains(part),
            "{part} is missing in\n{}",
            newest.out
        );
    }
    assert!(newest.out.contains("understudy history contoso --all"));
    assert_eq!(api.only().target, "/api/groups/contoso/history");
    let all = ask(&api, &["history", "contoso", "--all"]);
    assert!(all.out.contains("refused (forced)"), "{}", all.out);
    assert!(all.out.contains("TargetUnfit: no other site is fit"));
    assert!(!all.out.contains("There is more"));
}

#[test]
fn explain_prints_one_sentence_a_line() {
    let api = FakeApi::always(Told::json(200, group()));
    let ran = ask(&api, &["explain", "contoso"]);
    assert_eq!(ran.code, 0);
    assert_eq!(
        ran.out,
        "northeurope serves since 02:36.\nNo move is asked for.\n"
    );
}

#[test]
fn json_is_the_answer_as_it_came() {
    // Spacing and an unknown member survive only if the answer is not read and written again.
    let group = group().to_string().replacen('{', "{  \"new\": 1.50,\n", 1);
    let groups = format!("{{ \"groups\" : [{group}], \"next\":null}}");
    let history = format!("{{\"entries\":[ {} ],\"next\":null}}", entry());
    for (verb, body) in [
        (vec!["show", "contoso"], &group),
        (vec!["explain", "contoso"], &group),
        (vec!["status"], &groups),
        (vec!["history", "contoso"], &history),
        (vec!["drill", "contoso"], &group),
        (vec!["failover", "contoso", "--reason", "x"], &group),
    ] {
        let api = FakeApi::always(Told::json(200, body));
        api.is_unwell(Told::json(503, json!({"reasons": ["no sweep"]})));
        let mut arguments = verb.clone();
        arguments.push("--json");
        let ran = ask(&api, &arguments);
        assert_eq!(ran.code, 0, "{verb:?}: {}", ran.err);
        assert_eq!(ran.out.trim_end_matches('\n'), body, "{verb:?}");
    }
}

#[test]
fn json_of_several_pages_is_one_answer_of_the_same_shape() {
    let api = FakeApi::start(|asked| {
        Told::json(
            200,
            if asked.target.contains("next=") {
                json!({"groups": [listed("b")], "next": null})
            } else {
                json!({"groups": [listed("a")], "next": "t"})
            },
        )
    });
    let ran = ask(&api, &["status", "--json"]);
    let whole: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        whole,
        json!({"groups": [listed("a"), listed("b")], "next": null})
    );
}

#[test]
fn json_of_an_error_is_the_error_and_people_are_told_beside_it() {
    let body = json!({"error": {"code": "TargetUnfit", "message": "no other site is fit"}});
    let api = FakeApi::always(Told::json(409, &body));
    let ran = ask(&api, &["failover", "contoso", "--reason", "x", "--json"]);
    assert_eq!(ran.code, 1);
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), body);
    assert!(ran.err.contains("TargetUnfit"), "{}", ran.err);
}

#[test]
fn what_an_answer_says_cannot_drive_the_terminal() {
    let mut body = group();
    body["explanation"] = json!(["\u{1b}[2Jgone\u{7}"]);
    body["sites"][0]["accounts"][0]["lastProbe"]["detail"] = json!("\u{1b}]0;title\u{7}\nline");
    let api = FakeApi::always(Told::json(200, body));
    for verb in ["show", "explain"] {
        let ran = ask(&api, &[verb, "contoso"]);
        assert_eq!(ran.code, 0);
        assert!(!ran.out.contains(['\u{1b}', '\u{7}']), "{}", ran.out);
    }
}

#[test]
fn status_asks_whether_rounds_are_made_where_nothing_is_known() {
    let mut unseen = group();
    for site in unseen["sites"].as_array_mut().unwrap() {
        site["verdict"] = json!("unknown");
    }
    let listed = |groups: Value| {
        let body = json!({"groups": groups, "next": null});
        ask(&FakeApi::always(Told::json(200, body)), &["status"]).out
    };
    let out = listed(json!([unseen]));
    assert!(
        out.contains("/api/health") && out.contains("/api/tick"),
        "{out}"
    );
    let out = listed(json!([unseen, group()]));
    assert!(!out.contains("/api/tick"), "{out}");
}
