//! Packages that are broken in one way each, and what the host says to them.

use crate::host::Mode;
use crate::host::process::State;
use crate::host::{Host, HostOptions};
use crate::package::{Package, configured};

#[tokio::test]
async fn a_bad_host_json_stops_the_host() {
    for (from, to, says) in [
        (r#""version": "2.0","#, "", "missing the required 'version'"),
        (
            r#""version": "2.0""#,
            r#""version": "1.0""#,
            "'1.0' is an invalid value",
        ),
        (
            r#""description""#,
            r#""descriptoin""#,
            "Missing worker Description.",
        ),
        (
            r#""defaultExecutablePath": "understudy""#,
            r#""defaultExecutablePath": " ""#,
            "DefaultExecutablePath cannot be empty",
        ),
        (
            r#""customHandler""#,
            r#""customHandlers""#,
            "no customHandler section",
        ),
        (
            r#""functionTimeout": "00:02:00""#,
            r#""functionTimeout": "2 minutes""#,
            "functionTimeout must be a time such as",
        ),
        (
            r#""enableProxyingHttpRequest": true"#,
            r#""enableProxyingHttpRequest": "yes""#,
            "Failed to convert",
        ),
        (
            r#""arguments": ["serve"]"#,
            r#""arguments": "serve""#,
            "no list",
        ),
        (
            r#""description""#,
            r#""port": 0, "description""#,
            "Unable to bind to port 0",
        ),
        (
            r#""description""#,
            r#""http": {"routes": [{"route": "{*r}"}]}, "description""#,
            "Detected both function.json files",
        ),
        (
            r#""version": "2.0""#,
            r#""version": "2.0", "configurationProfile": "mine""#,
            "not supported",
        ),
        ("{", "", "Unable to parse host configuration file"),
    ] {
        let package = Package::fresh();
        package.edit("host.json", from, to);
        let Err(why) = Host::start(&package.root(), HostOptions::default()).await else {
            panic!("{to}: the host starts");
        };
        assert!(why.contains(says), "{to}: {why}");
    }
}

#[tokio::test]
async fn keys_ignore_case_and_app_settings_override() {
    let package = Package::fresh();
    for (from, to) in [
        (
            "{\n  \"version\"",
            "{ // comments and a comma too many are borne\n  \"version\"",
        ),
        ("[\"serve\"]", "[\"serve\", /* one more */]"),
        ("customHandler", "CUSTOMHANDLER"),
        ("description", "Description"),
        ("routePrefix", "RoutePrefix"),
    ] {
        package.edit("host.json", from, to);
    }
    let options = HostOptions::default().setting(
        "AzureFunctionsJobHost__customHandler__description__defaultExecutablePath",
        "",
    );
    let refused = Host::start(&package.root(), options).await.err().unwrap();
    assert!(
        refused.contains("DefaultExecutablePath cannot be empty"),
        "{refused}"
    );
    assert!(
        Host::start(&package.root(), HostOptions::default())
            .await
            .is_ok()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_function_is_left_out_and_the_others_go_on() {
    for (file, from, to, says) in [
        ("Active", "{\n", "", "Unable to parse function.json"),
        (
            "Active",
            r#""name": "req""#,
            r#""name": "my_req""#,
            "The binding name my_req is invalid.",
        ),
        (
            "Active",
            r#""type": "http","#,
            r#""type": "queue","#,
            "are not registered",
        ),
        ("Active", "httpTrigger", "http", "has direction in, not out"),
        (
            "Active",
            "groups/{group}/active",
            "administration/{group}",
            "built in routes",
        ),
        (
            "Active",
            "groups/{group}/active",
            "runtime",
            "built in routes",
        ),
        (
            "Active",
            "groups/{group}/active",
            "groups/{group",
            "unbalanced",
        ),
        (
            "Active",
            "groups/{group}/active",
            "%NOBODYS%",
            "'%NOBODYS%' does not resolve to a value.",
        ),
        (
            "Groups",
            "groups/{group?}/{part?}",
            "GROUPS/{group}/active",
            "conflicts with the route defined by function 'Active'",
        ),
        (
            "Active",
            r#""authLevel": "function""#,
            r#""authLevel": "everyone""#,
            "AuthorizationLevel",
        ),
        (
            "Active",
            r#""name": "res""#,
            r#""name": "REQ""#,
            "Multiple bindings named",
        ),
        (
            "HealthCheck",
            "*/30 * * * * *",
            "every minute",
            "was not recognized",
        ),
        (
            "HealthCheck",
            "*/30 * * * * *",
            "%WHEN%",
            "'%WHEN%' does not resolve to a value.",
        ),
        (
            "HealthCheck",
            "timerTrigger",
            "queueTrigger",
            "are not registered",
        ),
    ] {
        let package = Package::fresh();
        package.edit(&format!("{file}/function.json"), from, to);
        let host = Host::start(&package.root(), HostOptions::default())
            .await
            .unwrap();
        let errors = host.errors();
        assert_eq!(errors.len(), 1, "{file} {to}: {errors:?}");
        assert!(errors[file].contains(says), "{file} {to}: {errors:?}");
        assert_eq!(
            host.functions().len(),
            understudy::bundle::FUNCTIONS.len() - 1
        );
    }
}

#[tokio::test]
async fn names_that_the_host_does_not_take() {
    for name in ["9lives", "my.function", "host", "Groß"] {
        let package = Package::fresh();
        let text = package.read("Tick/function.json").replace("tick", "tock");
        package.write(&format!("{name}/function.json"), &text);
        let host = Host::start(&package.root(), HostOptions::default())
            .await
            .unwrap();
        assert!(
            host.errors()[name].contains("not a valid function name"),
            "{:?}",
            host.errors()
        );
    }
}

#[tokio::test]
async fn folders_below_others_are_no_functions_and_settings_disable() {
    let package = Package::fresh();
    let text = package.read("Tick/function.json");
    package.write("functions/Deep/function.json", &text);
    let options = HostOptions::default().setting("AzureWebJobs_Tick_Disabled", "true");
    let host = Host::start(&package.root(), options).await.unwrap();
    assert!(!host.functions().contains(&"Deep") && !host.functions().contains(&"Tick"));
    assert_eq!(host.call(host.keyed("POST", "/api/tick")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binary_that_cannot_run_is_only_found_out_by_its_callers() {
    for (mode, text) in [(0o644, "#!/bin/sh\nexit 3\n"), (0o755, "no program\n")] {
        let package = Package::fresh();
        package.program(text, mode);
        let host = Host::start(&package.root(), HostOptions::default())
            .await
            .unwrap();
        let state = host
            .until("Active", |state| matches!(state, State::Dead(_)))
            .await;
        assert!(
            format!("{state:?}").contains("Failed to start Worker Channel"),
            "{state:?}"
        );
        assert_eq!(host.get("/api/groups").await.status, 500);
        assert!(host.fire("HealthCheck").await.is_err());
    }
}

/// Another output beside `http`'s absence brings the envelope back, which no HTTP function of ours speaks.
#[tokio::test(flavor = "multi_thread")]
async fn an_http_function_without_its_output_is_called_with_an_envelope() {
    let package = Package::fresh();
    let alone = r#"{"bindings":[{"type":"httpTrigger","direction":"in","name":"req","authLevel":"anonymous","methods":["get"],"route":"health"}]}"#;
    package.write("Health/function.json", alone);
    let (_sim, options) = configured(&package, HostOptions::default()).await;
    let host = Host::start(&package.root(), options).await.unwrap();
    assert!(host.errors().is_empty());
    assert_eq!(host.get("/api/health").await.status, 500);
    assert_eq!(
        host.get("/api/groups").await.status,
        200,
        "the others are proxied"
    );
}

/// Neither switch, and the handler's HTTP functions are out of reach: what `host.json` says matters.
#[tokio::test(flavor = "multi_thread")]
async fn without_either_switch_no_http_function_answers() {
    let package = Package::fresh();
    let options = HostOptions {
        mode: Some(Mode::Envelope),
        ..HostOptions::default()
    };
    let (_sim, options) = configured(&package, options).await;
    let host = Host::start(&package.root(), options).await.unwrap();
    assert_eq!(host.get("/api/groups").await.status, 500);
    host.fire("HealthCheck").await.unwrap();
}
