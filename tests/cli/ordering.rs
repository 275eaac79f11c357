//! The orders: what is sent, and what is said about each answer.

use serde_json::{Value, json};

use super::*;
use crate::fake_api::{FakeApi, Told};

#[test]
fn every_order_is_posted_with_every_flag() {
    for order in ORDERS {
        let api = FakeApi::always(Told::json(200, group()));
        let ran = ask(
            &api,
            &[
                order,
                "contoso",
                "--reason",
                "a \"reason\"",
                "--to",
                "westeurope",
                "--force",
                "--if-generation",
                "7",
                "--for",
                "90m",
                "--yes",
            ],
        );
        assert_eq!(ran.code, 0, "{order}: {}", ran.err);
        assert!(
            ran.out.contains(&format!("contoso: {order} done")),
            "{}",
            ran.out
        );
        let asked = api.only();
        assert_eq!(asked.method, "POST");
        assert_eq!(asked.target, format!("/api/groups/contoso/{order}"));
        assert_eq!(
            serde_json::from_str::<Value>(&asked.body).unwrap(),
            json!({"reason": "a \"reason\"", "to": "westeurope", "force": true, "dryRun": false,
                "ifGeneration": 7, "for": "90m"})
        );
    }
}

#[test]
fn an_order_that_found_nothing_to_do_says_so() {
    let mut body = group();
    body["nothingToDo"] = json!(true);
    let ran = ask(
        &FakeApi::always(Told::json(200, body)),
        &["failback", "contoso", "--reason", "again", "--yes"],
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.contains("contoso: nothing to do for failback") && !ran.out.contains("done"),
        "{}",
        ran.out
    );
}

#[test]
fn orders_without_a_needed_reason_are_usage_errors_and_send_nothing() {
    let api = FakeApi::always(Told::json(200, group()));
    for order in ["failover", "switchover", "failback", "pause", "acknowledge"] {
        for arguments in [
            vec![order, "contoso"],
            vec![order, "contoso", "--reason", " "],
        ] {
            let ran = ask(&api, &arguments);
            assert_eq!(ran.code, 2, "{arguments:?}");
            assert!(ran.err.contains("--reason"), "{}", ran.err);
        }
    }
    assert_eq!(api.asked().len(), 0);
    for order in ["cancel", "resume", "drill"] {
        assert_eq!(ask(&api, &[order, "contoso"]).code, 0, "{order}");
    }
    let sent: Value = serde_json::from_str(&api.asked()[0].body).unwrap();
    assert_eq!(sent, json!({"force": false, "dryRun": false}));
}

#[test]
fn a_move_that_runs_is_said_and_how_to_watch_it() {
    let told = Told::json(202, moving()).header("location", "/api/groups/contoso");
    let api = FakeApi::always(told);
    let ran = ask(&api, &["failover", "contoso", "--reason", "x"]);
    assert_eq!(ran.code, 0);
    assert_eq!(
        ran.out,
        "contoso: a failover from northeurope to westeurope (generation 8) is under way\n\
         Watch it: understudy show contoso\n"
    );
}

#[test]
fn a_dry_run_says_what_would_happen() {
    let would = json!({"kind": "failover", "from": "westeurope", "to": "northeurope",
        "cause": "order", "generation": 8, "steps": []});
    let hold = json!({"code": "TargetUnfit", "message": "no other site is fit"});
    for (body, part) in [
        (
            json!({"would": would, "hold": null}),
            "contoso: would make a failover from westeurope to northeurope (generation 8); nothing was changed",
        ),
        (
            json!({"would": null, "hold": hold}),
            "contoso: failover would be refused: TargetUnfit: no other site is fit",
        ),
        (
            json!({"would": would, "hold": hold}),
            "although TargetUnfit: no other site is fit; nothing was changed",
        ),
        (
            json!({"would": null, "hold": null}),
            "contoso: failover would move nothing",
        ),
    ] {
        let api = FakeApi::always(Told::json(200, body));
        let ran = ask(&api, &["failover", "contoso", "--reason", "x", "--dry-run"]);
        let is_refused = part.contains("would be refused");
        assert_eq!(ran.code, i32::from(is_refused), "{part}");
        assert!(ran.out.contains(part), "{}", ran.out);
        let sent: Value = serde_json::from_str(&api.only().body).unwrap();
        assert_eq!(sent["dryRun"], json!(true));
    }
}

#[test]
fn errors_say_what_it_is_and_what_to_do() {
    let error = |status: u16, code: &str, message: &str| {
        Told::json(status, json!({"error": {"code": code, "message": message}}))
    };
    let cases = [
        (
            error(409, "SourceUnfit", "the active site is not fit"),
            vec![
                "SourceUnfit: the active site is not fit",
                "understudy failover contoso",
            ],
        ),
        (
            Told::json(
                409,
                json!({"error": {"code": "Moving", "message": "a move is under way"},
                "hold": {"code": "Moving", "message": "a move is under way",
                    "until": "2026-11-22T03:00:00Z"}}),
            ),
            vec!["(until 2026-11-22T03:00:00Z)", "understudy cancel contoso"],
        ),
        (
            error(412, "GenerationMismatch", "the group is at generation 8"),
            vec![
                "GenerationMismatch: the group is at generation 8",
                "understudy show contoso",
            ],
        ),
        (
            error(404, "GroupNotFound", "there is no group contoso"),
            vec![
                "GroupNotFound: there is no group contoso",
                "understudy status",
            ],
        ),
        (
            Told::json(
                400,
                json!({"error": {"code": "InvalidRequest", "message": "not a duration",
                "target": "for"}}),
            ),
            vec!["InvalidRequest: not a duration (at for)"],
        ),
        (
            error(503, "StoreUnavailable", "the store cannot be reached")
                .header("retry-after", "5"),
            vec!["StoreUnavailable", "try again", "It asks to wait 5 s."],
        ),
        (
            Told::other(401, "text/plain", ""),
            vec![
                "answered 401",
                "the key was not accepted",
                "--key or UNDERSTUDY_KEY",
            ],
        ),
        (
            Told::other(503, "text/html", "<html>Service Unavailable</html>"),
            vec!["answered 503 (text/html)", "starting or stopped"],
        ),
        (
            Told::other(404, "text/html", "<html>"),
            vec!["answered 404", "is --url its address"],
        ),
        (
            Told::other(200, "text/html", "<html>Your app is up and running</html>"),
            vec!["answered 200 with a web page", "no answer of Understudy"],
        ),
        (
            Told::json(200, json!({"hello": "world"})),
            vec!["no answer of Understudy"],
        ),
        (
            Told::other(302, "text/html", "")
                .header("location", "https://login.example/x?code=abc"),
            vec!["redirects to https://login.example; keys are not taken along"],
        ),
    ];
    for (told, parts) in cases {
        let api = FakeApi::always(told);
        let ran = ask(&api, &["switchover", "contoso", "--reason", "x"]);
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert_eq!(ran.out, "");
        for part in parts {
            assert!(
                ran.err.contains(part),
                "{part:?} is missing in\n{}",
                ran.err
            );
        }
        assert!(!ran.err.contains("abc"), "{}", ran.err);
        assert_eq!(api.asked().len(), 1, "an order is never repeated");
    }
}

#[test]
fn an_order_whose_answer_was_lost_may_have_been_taken() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let closer = std::thread::spawn(move || {
        use std::io::Read;
        let (mut stream, _) = listener.accept().unwrap();
        let mut seen = [0_u8; 64];
        assert!(stream.read(&mut seen).unwrap() > 0);
    });
    let ran = run(understudy().args(["drill", "contoso", "--url", &url]));
    closer.join().unwrap();
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("understudy show contoso"), "{}", ran.err);
}
