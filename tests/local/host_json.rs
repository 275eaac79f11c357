//! `host.json` against what is known of the host: keys, switches, overrides, refusals.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Value, json};
use understudy::local::host_json::{HostJson, HttpMode, read, time_span};
use understudy::local::json;
use understudy::local::retry::{Pause, Retry};

/// A good file with these members over it: of `customHandler`, and of the whole.
fn file(handler: Value, whole: Value) -> String {
    let mut root =
        json!({"version": "2.0", "customHandler": {"description": {"defaultExecutablePath": "x"}}});
    let merge = |place: &mut Value, more: Value| {
        for (name, value) in more.as_object().unwrap() {
            place[name] = value.clone();
        }
    };
    merge(&mut root["customHandler"], handler);
    merge(&mut root, whole);
    root.to_string()
}

fn with(handler: Value, whole: Value) -> Result<HostJson, String> {
    read(&file(handler, whole), &BTreeMap::new())
}

fn with_setting(name: &str, value: &str) -> Result<HostJson, String> {
    let settings = BTreeMap::from([(format!("AzureFunctionsJobHost__{name}"), value.to_owned())]);
    read(&file(json!({}), json!({})), &settings)
}

#[test]
fn the_defaults_are_the_hosts() {
    let host = with(json!({}), json!({})).unwrap();
    assert_eq!(host.http_mode, HttpMode::Envelope);
    assert_eq!(host.route_prefix, "api");
    assert_eq!(host.function_timeout, Some(Duration::from_secs(1800)));
    assert_eq!(host.initialization_timeout, Duration::from_secs(30));
    assert!(host.stderr_is_for_errors);
    assert_eq!((host.port, host.allowed, host.retry), (None, None, None));
    assert!(host.warnings.is_empty());
}

#[test]
fn proxying_wins_over_forwarding_and_a_flag_may_be_a_text() {
    for (forwarding, proxying, mode) in [
        (json!(true), json!(true), HttpMode::Proxying),
        (json!(false), json!("True"), HttpMode::Proxying),
        (json!("true"), json!(false), HttpMode::Forwarding),
        (json!(null), json!(null), HttpMode::Envelope),
    ] {
        let host = with(
            json!({"enableForwardingHttpRequest": forwarding, "enableProxyingHttpRequest": proxying}),
            json!({}),
        );
        assert_eq!(host.unwrap().http_mode, mode, "{forwarding} {proxying}");
    }
}

#[test]
fn keys_ignore_case_but_for_the_version() {
    let text = r#"{"version":"2.0","FunctionTimeout":"00:02:00","CUSTOMHANDLER":{
        "Description":{"DEFAULTEXECUTABLEPATH":"understudy"},"enableproxyinghttprequest":true},
        "Extensions":{"HTTP":{"RoutePrefix":"/v1/"}}}"#;
    let host = read(text, &BTreeMap::new()).unwrap();
    assert_eq!(host.executable, "understudy");
    assert_eq!(host.http_mode, HttpMode::Proxying);
    assert_eq!(host.function_timeout, Some(Duration::from_secs(120)));
    assert_eq!(host.route_prefix, "v1");
    let refused = read(&text.replace("version", "Version"), &BTreeMap::new()).unwrap_err();
    assert!(
        refused.contains("missing the required 'version'"),
        "{refused}"
    );
}

#[test]
fn comments_and_a_comma_too_many_are_borne() {
    let text = "\u{feff}{ // what it is\n \"version\": \"2.0\", /* not \"3.0\" */\n \"customHandler\": {\"description\": {\n\
        \"defaultExecutablePath\": \"a//b/*c*/,]\", \"arguments\": [\"serve\", \"\\\"//\",],},},\n} // the end";
    let host = read(text, &BTreeMap::new()).unwrap();
    assert_eq!(host.executable, "a//b/*c*/,]");
    assert_eq!(host.arguments, "serve \"//");
    assert_eq!(
        json::parse("[1, /* x */ 2 // y\n , ]").unwrap(),
        json!([1, 2])
    );
    for bad in [
        "{,}",
        "[,]",
        "[1,,]",
        "{\"a\": 1} /* open",
        "{'a': 1}",
        "{a: 1}",
        "{\"a\": \"open}",
        "/",
    ] {
        assert!(json::parse(bad).is_err(), "{bad}");
    }
    // A line is told as people see it.
    let why = json::parse("{ /* one\n two */\n \"a\": x }").unwrap_err();
    assert!(why.contains("line 3"), "{why}");
}

#[test]
fn the_line_is_made_of_arguments_path_and_more() {
    let host = with(
        json!({"description": {"defaultExecutablePath": "node", "arguments": ["--a", 7], "defaultWorkerPath": "my app.js",
            "workerArguments": ["--b"], "workingDirectory": "w", "workerDirectory": "d", "useStdErrorStreamForErrorsOnly": false}}),
        json!({}),
    )
    .unwrap();
    assert_eq!(host.arguments, "--a 7 \"my app.js\" --b");
    assert_eq!(host.working_directory.as_deref(), Some("w"));
    assert_eq!(host.worker_directory.as_deref(), Some("d"));
    assert!(!host.stderr_is_for_errors);
}

#[test]
fn app_settings_override() {
    let of = |name: &str, value: &str| with_setting(name, value).unwrap();
    let host = of("customHandler__enableForwardingHttpRequest", "true");
    assert_eq!(host.http_mode, HttpMode::Forwarding);
    let host = of("CUSTOMHANDLER__description__arguments", r#"["a","b"]"#);
    assert_eq!(host.arguments, "a b");
    assert_eq!(of("extensions__http__routePrefix", "").route_prefix, "");
    let host = of("functionTimeout", "-1");
    assert_eq!(host.function_timeout, None);
    let refused = with_setting("customHandler__description__defaultExecutablePath", "");
    assert!(refused.unwrap_err().contains("cannot be empty"));
}

#[test]
fn what_the_host_refuses_is_refused_in_a_sentence() {
    let handler = |handler| file(handler, json!({}));
    let whole = |whole| file(json!({}), whole);
    let described = |name: &str, value: Value| {
        handler(json!({"description": {"defaultExecutablePath": "x", name: value}}))
    };
    for (text, says) in [
        ("{".to_owned(), "Unable to parse host configuration file"),
        ("[]".to_owned(), "JSON object"),
        ("{}".to_owned(), "missing the required 'version'"),
        (
            r#"{"version":"2.0"}"#.to_owned(),
            "no customHandler section",
        ),
        (
            r#"{"version":"2.0","httpWorker":{}}"#.to_owned(),
            "name it customHandler",
        ),
        (
            whole(json!({"version": "3.0"})),
            "'3.0' is an invalid value",
        ),
        (
            whole(json!({"configurationProfile": "mine"})),
            "not supported",
        ),
        (
            whole(json!({"functionTimeout": "2 minutes"})),
            "functionTimeout",
        ),
        (
            whole(json!({"functions": "Active"})),
            "functions is no list",
        ),
        (
            whole(json!({"retry": {"maxRetryCount": -2}})),
            "maxRetryCount",
        ),
        (
            handler(json!({"description": null})),
            "Missing worker Description.",
        ),
        (
            described("defaultExecutablePath", json!(" ")),
            "cannot be empty",
        ),
        (described("arguments", json!("serve")), "no list"),
        (described("arguments", json!([["serve"]])), "no text"),
        (
            described("useStdErrorStreamForErrorsOnly", json!("no")),
            "true or false",
        ),
        (
            handler(json!({"enableProxyingHttpRequest": 1})),
            "Failed to convert configuration value",
        ),
        (handler(json!({"type": "grpc"})), "customHandler.type"),
        (
            handler(json!({"initializationTimeout": "soon"})),
            "initializationTimeout",
        ),
        (handler(json!({"port": 0})), "Unable to bind to port 0"),
        (handler(json!({"port": "x"})), "Unable to bind to port x"),
        (
            handler(json!({"port": 65536})),
            "Unable to bind to port 65536",
        ),
    ] {
        let error = read(&text, &BTreeMap::new()).unwrap_err();
        assert!(error.contains(says), "{text}: {error}");
        assert!(error.contains("host.json"), "{error}");
    }
}

#[test]
fn what_the_host_only_warns_of() {
    let both = with(json!({"type": "None"}), json!({"httpWorker": {}})).unwrap();
    assert_eq!(both.warnings.len(), 2, "{:?}", both.warnings);
    for (value, warned) in [
        (json!(-5), 1),
        (json!(0), 1),
        (json!("many"), 1),
        (json!(-1), 0),
        (json!("20"), 0),
    ] {
        let http = json!({"extensions": {"http": {"maxConcurrentRequests": value}}});
        let warnings = with(json!({}), http).unwrap().warnings;
        assert_eq!(warnings.len(), warned, "{value}: {warnings:?}");
    }
}

#[test]
fn a_profile_brings_defaults_and_routes() {
    let profile = json!({"configurationProfile": "mcp-custom-handler"});
    let host = with(json!({}), profile.clone()).unwrap();
    assert!(host.has_routes && host.route_prefix.is_empty());
    assert_eq!(host.http_mode, HttpMode::Proxying);
    let host = with(json!({"enableProxyingHttpRequest": false}), profile).unwrap();
    assert_eq!(host.http_mode, HttpMode::Envelope);
    let host = with(json!({"http": {"routes": [{"route": "{*r}"}]}}), json!({})).unwrap();
    assert!(host.has_routes);
}

#[test]
fn a_port_that_is_taken_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let host = with(json!({"port": port.to_string()}), json!({})).unwrap();
    assert_eq!(host.port, Some(port));
    let why = host.handler_port().unwrap_err();
    assert!(
        why.contains(&format!("Unable to bind to port {port}")),
        "{why}"
    );
    assert_ne!(
        with(json!({}), json!({})).unwrap().handler_port().unwrap(),
        0
    );
}

#[test]
fn time_spans() {
    assert_eq!(time_span("1.02:03:04"), Some(Duration::from_secs(93_784)));
    assert_eq!(time_span("00:00:30"), Some(Duration::from_secs(30)));
    assert_eq!(time_span("00:02"), Some(Duration::from_secs(120)));
    assert_eq!(time_span("1.00:02"), Some(Duration::from_secs(86_520)));
    assert_eq!(time_span("00:00:01.25"), Some(Duration::from_millis(1_250)));
    assert_eq!(
        time_span("1.00:00:00.0000001"),
        Some(Duration::new(86_400, 100))
    );
    for bad in [
        "",
        "30",
        "00:00:00",
        "24:00:00",
        "00:61:00",
        "a:b:c",
        "00:00:-1",
        "00:02.5",
        "00:00:01.",
        "00:00:01.00000001",
        "00:00:01.-1",
    ] {
        assert_eq!(time_span(bad), None, "{bad}");
    }
}

#[test]
fn retry_policies() {
    let seconds = Duration::from_secs;
    let fixed = json!({"strategy": "fixedDelay", "maxRetryCount": 3, "delayInterval": "00:00:10"});
    let host = with(json!({}), json!({"retry": fixed})).unwrap();
    let fixed = host.retry.unwrap();
    assert_eq!(
        fixed,
        Retry {
            times: Some(3),
            pause: Pause::Fixed(seconds(10))
        }
    );
    let pauses: Vec<_> = (0..4).map(|attempt| fixed.after(attempt)).collect();
    assert_eq!(
        pauses,
        [
            Some(seconds(10)),
            Some(seconds(10)),
            Some(seconds(10)),
            None
        ]
    );
    let growing = Retry::read(&json!({
        "strategy": "exponentialBackoff", "maxRetryCount": -1,
        "minimumInterval": "00:00:10", "maximumInterval": "00:15:00",
    }))
    .unwrap();
    for (attempt, pause) in [(0, 10), (1, 20), (6, 640), (7, 900), (4_000_000, 900)] {
        assert_eq!(growing.after(attempt), Some(seconds(pause)), "{attempt}");
    }
    for bad in [
        json!({"strategy": "fixedDelay", "delayInterval": "00:00:10"}),
        json!({"strategy": "fixedDelay", "maxRetryCount": 3}),
        json!({"strategy": "fixedDelay", "maxRetryCount": "x", "delayInterval": "00:00:10"}),
        json!({"strategy": "fixedDelay", "maxRetryCount": 3, "delayInterval": "soon"}),
        json!({"strategy": "never", "maxRetryCount": 3, "delayInterval": "00:00:10"}),
        json!({"strategy": "exponentialBackoff", "maxRetryCount": 3, "minimumInterval": "00:00:10"}),
        json!({"strategy": "exponentialBackoff", "maxRetryCount": 3, "minimumInterval": "00:00:10", "maximumInterval": "00:00:09"}),
    ] {
        assert!(Retry::read(&bad).is_err(), "{bad}");
    }
}
