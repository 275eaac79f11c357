//! Address, key, exit codes, help, and the ways in which talking to the app can fail.

use std::process::Stdio;

use serde_json::{Value, json};

use super::*;
use crate::fake_api::{FakeApi, Told};

#[test]
fn a_missing_key_is_asked_for_where_none_was_given() {
    let api = FakeApi::always(Told::other(401, "text/plain", ""));
    let ran = run(understudy().args(["status", "--url", api.url()]));
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("it wants a key"), "{}", ran.err);
    assert_eq!(api.only().key, None);
}

#[test]
fn an_app_that_cannot_be_reached_is_named_with_what_to_try() {
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let ran = run(understudy().args(["status", "--url", &url, "--key", KEY]));
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains(&format!("{url}/api cannot be reached")),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("understudy local"), "{}", ran.err);
    assert!(!ran.err.contains(KEY));
}

#[test]
fn a_machine_without_certificates_is_told_what_to_do() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let ask = |scheme: &str| {
        let url = format!("{scheme}://{address}");
        run(understudy()
            .args(["status", "--url", &url])
            .env("SSL_CERT_FILE", "/nowhere/certificates.pem"))
    };
    let ran = ask("https");
    assert_eq!(ran.code, 1);
    let says = "no CA certificates can be read from where SSL_CERT_FILE points";
    assert!(ran.err.contains(says), "{}", ran.err);
    let plain = ask("http");
    assert!(!plain.err.contains("certificates"), "{}", plain.err);
}

#[test]
fn the_address_may_have_api_and_slashes_and_stand_anywhere() {
    for suffix in ["", "/", "/api", "/api/"] {
        let api = FakeApi::always(Told::json(200, group()));
        let url = format!("{}{suffix}", api.url());
        let before = run(understudy().args(["--url", &url, "show", "contoso"]));
        let after = run(understudy().args(["show", "contoso", "--url", &url]));
        let variable = run(understudy()
            .args(["show", "contoso"])
            .env("UNDERSTUDY_URL", &url));
        for ran in [before, after, variable] {
            assert_eq!(ran.code, 0, "{suffix}: {}", ran.err);
        }
        for asked in api.asked() {
            assert_eq!(asked.target, "/api/groups/contoso");
        }
        assert_eq!(api.asked().len(), 3);
    }
}

#[test]
fn the_key_goes_into_a_header_and_nowhere_else() {
    let api = FakeApi::start(|asked| match asked.target.as_str() {
        "/api/groups/contoso" => Told::json(200, group()),
        _ => Told::json(
            404,
            json!({"error": {"code": "GroupNotFound", "message": "no"}}),
        ),
    });
    for arguments in [
        vec!["show", "contoso"],
        vec!["show", "fabrikam"],
        vec!["show", "contoso", "--json"],
        vec!["show", "--help"],
        vec!["--help"],
        vec!["show", "BAD"],
        vec!["show"],
        vec![],
    ] {
        let ran = run(understudy()
            .args(&arguments)
            .env("UNDERSTUDY_URL", api.url())
            .env("UNDERSTUDY_KEY", KEY));
        assert!(
            !ran.out.contains(KEY) && !ran.err.contains(KEY),
            "{arguments:?}"
        );
    }
    let asked = api.asked();
    assert_eq!(asked.len(), 3);
    for asked in asked {
        assert_eq!(asked.key.as_deref(), Some(KEY));
        assert!(!asked.target.contains(KEY) && !asked.body.contains(KEY));
    }
}

#[test]
fn a_key_is_not_carried_to_where_a_redirect_points() {
    let other = FakeApi::always(Told::json(200, group()));
    let target = format!("{}/api/groups/contoso", other.url());
    let api = FakeApi::always(Told::other(307, "text/plain", "").header("location", &target));
    let ran = ask(&api, &["show", "contoso"]);
    assert_eq!(ran.code, 1);
    assert_eq!(other.asked().len(), 0);
}

#[test]
fn usage_errors_exit_with_2_and_send_nothing() {
    let api = FakeApi::always(Told::json(200, group()));
    for arguments in [
        vec!["nonsense"],
        vec!["show"],
        vec!["show", "a", "b"],
        vec!["show", "../etc"],
        vec!["status", "--force"],
        vec![
            "failover",
            "contoso",
            "--reason",
            "x",
            "--if-generation",
            "many",
        ],
        vec!["local", "--port", "99999"],
        vec!["config"],
        vec!["config", "check", "--json"],
        vec!["show", "contoso", "--url", ""],
        vec!["show", "contoso", "--url", "my-app.azurewebsites.net"],
        vec!["show", "contoso", "--url", "https://x.example/?code=1"],
    ] {
        let mut command = understudy();
        command.args(&arguments);
        if !arguments.contains(&"--url") {
            command.env("UNDERSTUDY_URL", api.url());
        }
        let ran = run(&mut command);
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.err);
        assert_eq!(ran.out, "", "{arguments:?}");
        assert!(!ran.err.is_empty(), "{arguments:?}");
    }
    assert_eq!(api.asked().len(), 0);
    let ran = run(understudy().args(["status"]));
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("UNDERSTUDY_URL"), "{}", ran.err);
}

#[test]
fn help_names_every_verb_and_no_verb_is_help() {
    let help = run(understudy().arg("--help"));
    assert_eq!(help.code, 0);
    let bare = run(&mut understudy());
    assert_eq!((bare.code, bare.out.as_str()), (2, ""));
    let verbs = [
        "serve", "local", "demo", "package", "config", "status", "show", "history", "explain",
    ];
    for verb in verbs.into_iter().chain(ORDERS) {
        let line = format!("\n  {verb}");
        assert!(
            help.out.contains(&line),
            "{verb} is missing in\n{}",
            help.out
        );
        assert!(
            bare.err.contains(&line),
            "{verb} is missing in\n{}",
            bare.err
        );
    }
    let version = run(understudy().arg("--version"));
    assert_eq!(
        version.out.trim(),
        format!("understudy {}", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_reader_that_has_read_enough_is_no_failure() {
    let many: Vec<Value> = (0..2000)
        .map(|number| listed(&format!("g{number}")))
        .collect();
    let api = FakeApi::always(Told::json(200, json!({"groups": many, "next": null})));
    for extra in [&["status"][..], &["status", "--json"][..]] {
        let mut child = understudy()
            .args(extra)
            .args(["--url", api.url()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        let err = String::from_utf8(ended.stderr).unwrap();
        assert_eq!((ended.status.code(), err.as_str()), (Some(0), ""));
    }
}
