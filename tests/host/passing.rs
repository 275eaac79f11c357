//! What the host makes of requests on their way to a handler, so that its tests prove what they seem to.

use std::path::PathBuf;

use serde_json::{Value, json};
use understudy::local::envelope::Answer;
use understudy::local::function_json::Output;
use uuid::Uuid;

use crate::host::Mode;
use crate::host::envelope::{self, guessed};
use crate::host::pass::{forwarded, proxied, rebuilt};
use crate::host::process::stderr_level;
use crate::host::wire::{Message, Payload, find};
use crate::host::{Host, HostOptions};
use crate::package::Package;

/// The handler that does what it is told; see the file.
pub fn odd() -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/support/host/odd_handler.mjs");
    std::fs::read_to_string(file).unwrap()
}

/// An app of the odd handler with these functions: a timer each, or with a route an HTTP function.
pub fn odd_app(functions: &[(&str, Option<&str>)]) -> Package {
    let package = Package::fresh();
    for (name, _) in understudy::bundle::FUNCTIONS {
        std::fs::remove_dir_all(package.root().join(name)).unwrap();
    }
    for (name, route) in functions {
        let config = match route {
            None => {
                json!({"bindings": [{"type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "0 0 0 1 1 *"}]})
            }
            Some(route) => json!({"bindings": [
                {"type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous", "route": route},
                {"type": "http", "direction": "out", "name": "res"},
            ]}),
        };
        package.write(&format!("{name}/function.json"), &config.to_string());
    }
    // Modules are told by their ending.
    package.write("odd.mjs", &odd());
    package.program("#!/bin/sh\nexec node odd.mjs \"$@\"\n", 0o755);
    package
}

/// A host over such an app, in this mode.
pub async fn odd_host(package: &Package, mode: Mode) -> Host {
    let options = HostOptions {
        mode: Some(mode),
        ..HostOptions::default()
    }
    .setting("PATH", &std::env::var("PATH").unwrap())
    .setting("OWN", "a setting");
    Host::start(&package.root(), options).await.unwrap()
}

#[test]
fn the_older_mode_takes_the_target_apart() {
    for (target, seen) in [
        ("/api/groups?x=1&x=2", "/api/groups?x=1,2"),
        ("/api/groups?x=1&X=2", "/api/groups?x=1,2"),
        ("/api/groups?y=a+b", "/api/groups?y=a%20b"),
        ("/api/groups?z", "/api/groups?z="),
        ("/api/a%20b%2Fc", "/api/a%20b%2Fc"),
        ("/api/a%3Fb/active", "/api/a"),
        ("/api/a%3Fb?c=d", "/api/a?c=d"),
        ("/api/%61", "/api/a"),
        (
            "/api/groups?after=7&wait=60s",
            "/api/groups?after=7&wait=60s",
        ),
    ] {
        assert_eq!(rebuilt(target), seen, "{target}");
    }
}

#[test]
fn the_older_mode_loses_headers_and_joins_others() {
    let request = Message::new("POST", "/api/x")
        .header("Host", "app.example")
        .header("Content-Type", "application/json")
        .header("Content-Encoding", "gzip")
        .header("Last-Modified", "x")
        .header("Accept", "a")
        .header("accept", "b")
        .header("User-Agent", "curl/8")
        .body(Payload::Sized(b"{}".to_vec()));
    let copy = forwarded(&request, Uuid::nil()).unwrap();
    let of = |name: &str| find(&copy.headers, name);
    assert_eq!(of("host"), Some("app.example"));
    assert_eq!(of("content-type"), Some("application/json"));
    assert_eq!((of("content-encoding"), of("last-modified")), (None, None));
    assert_eq!(of("accept"), Some("a, b"));
    assert_eq!(
        of("user-agent"),
        Some("curl/8 Azure-Functions-Host/4.1045.200.25556")
    );
    assert!(of("x-azure-functions-invocationid").is_some());
    let empty = forwarded(
        &request.clone().body(Payload::Sized(Vec::new())),
        Uuid::nil(),
    )
    .unwrap();
    assert_eq!(
        (find(&empty.headers, "content-type"), empty.body),
        (None, Payload::None)
    );
    assert!(
        forwarded(&request.body(Payload::Chunked(b"{}".to_vec())), Uuid::nil())
            .unwrap_err()
            .contains("chunked")
    );
}

#[test]
fn the_proxy_keeps_the_target_and_sets_its_marks() {
    let request = Message::new("GET", "/api/a%3Fb?x=1&x=2&y=a+b")
        .header("Host", "app.example")
        .header("Connection", "keep-alive")
        .header("X-Forwarded-Host", "forged.example")
        .header("x-ms-invocation-id", "forged")
        .header("Forwarded", "for=forged")
        .header("Content-Encoding", "gzip");
    let copy = proxied(&request, 4711, Uuid::nil());
    let of = |name: &str| find(&copy.headers, name);
    assert_eq!(copy.target, request.target);
    assert_eq!(of("host"), Some("127.0.0.1:4711"));
    assert_eq!(of("x-forwarded-host"), Some("app.example"));
    assert_eq!(
        of("x-ms-invocation-id"),
        Some("00000000-0000-0000-0000-000000000000")
    );
    assert_eq!((of("connection"), of("forwarded")), (None, None));
    assert_eq!(of("content-encoding"), Some("gzip"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_request_passes_one_mode_and_fails_in_the_other() {
    let package = odd_app(&[("Any", Some("any/{*rest}"))]);
    for (mode, status) in [(Mode::Proxying, 200), (Mode::Forwarding, 500)] {
        let host = odd_host(&package, mode).await;
        let request =
            Message::new("POST", "/api/any/thing").body(Payload::Chunked(vec![b'x'; 1000]));
        let reply = host.call(request).await;
        assert_eq!(reply.status, status, "{mode:?}");
        if status == 200 {
            assert_eq!(reply.json()["body"].as_str().unwrap().len(), 1000);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_handler_gets_the_hosts_environment_and_its_own() {
    let package = odd_app(&[("Any", Some("any"))]);
    package.edit(
        "host.json",
        r#""arguments": ["serve"]"#,
        r#""arguments": ["%OWN%", "%NOBODYS%x", "%FUNCTIONS_CUSTOMHANDLER_PORT%"]"#,
    );
    let host = odd_host(&package, Mode::Proxying).await;
    let seen = host.call(Message::new("GET", "/api/any")).await.json();
    let port = host.port("Any").to_string();
    let of = |name: &str| {
        seen["environment"][name]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(
        (
            of("FUNCTIONS_CUSTOMHANDLER_PORT"),
            of("FUNCTIONS_HTTPWORKER_PORT")
        ),
        (port.clone(), port.clone())
    );
    assert_eq!(
        of("FUNCTIONS_CUSTOMHANDLER_WORKER_ID"),
        of("FUNCTIONS_HTTPWORKER_ID")
    );
    assert!(Uuid::try_parse(&of("FUNCTIONS_HTTPWORKER_ID")).is_ok());
    assert_eq!(of("FUNCTIONS_APP_ROOT_PATH"), host.root().to_string_lossy());
    assert_eq!(
        (of("OWN"), of("FUNCTIONS_WORKER_RUNTIME")),
        ("a setting".to_owned(), "custom".to_owned())
    );
    assert!(
        of("CARGO_MANIFEST_DIR").is_empty(),
        "nothing of the test's own environment"
    );
    assert_eq!(seen["cwd"], host.root().to_string_lossy().as_ref());
    assert_eq!(seen["arguments"], json!(["a", "setting", "x", port]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_envelope_of_a_request_encodes_twice_and_its_answer_is_bound() {
    let package = odd_app(&[("Show", Some("show/{id:int}/{more?}"))]);
    let host = odd_host(&package, Mode::Envelope).await;
    let request = Message::new("POST", "/api/show/7?x=1&x=2")
        .header("Host", "app.example")
        .header("Content-Type", "application/json")
        .body(Payload::Sized(br#"{"a":1}"#.to_vec()));
    let reply = host.call(request).await;
    assert_eq!(
        (reply.status, reply.header("x-mine")),
        (201, Some("1")),
        "{}",
        reply.text()
    );
    assert_eq!(
        reply.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let seen = reply.json();
    assert_eq!(
        (seen["method"].as_str(), seen["url"].as_str()),
        (Some("POST"), Some("/Show"))
    );
    let headers: Vec<&str> = seen["rawHeaders"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(
        headers
            .windows(2)
            .any(|pair| pair == ["Transfer-Encoding", "chunked"]),
        "{headers:?}"
    );
    let envelope: Value = serde_json::from_str(seen["body"].as_str().unwrap()).unwrap();
    let data = &envelope["Data"]["req"];
    assert_eq!(
        (&data["Body"], &data["Query"]["x"], &data["Params"]["id"]),
        (&json!("{\"a\":1}"), &json!("1,2"), &json!("7"))
    );
    assert_eq!(data["Headers"]["Content-Type"], json!(["application/json"]));
    assert_eq!(
        (&envelope["Metadata"]["id"], &envelope["Metadata"]["x"]),
        (&json!("\"7\""), &json!("\"1,2\""))
    );
    assert_eq!(envelope["Metadata"]["sys"]["MethodName"], "Show");
    assert_eq!(
        host.call(Message::new("GET", "/api/show/seven"))
            .await
            .status,
        404,
        "the constraint"
    );
}

/// Without a name the host takes short words for base64; a member's body it leaves alone.
#[test]
fn a_returned_text_is_guessed_at() {
    for (text, bytes) in [
        ("test", &b"\xb5\xeb\x2d"[..]),
        ("1234", b"\xd7\x6d\xf8"),
        ("", b""),
        ("{\"a\":1}", b"{\"a\":1}"),
        ("hello", b"hello"),
        ("aGVsbG8=", b"hello"),
    ] {
        assert_eq!(guessed(text, false), bytes, "{text}");
        assert_eq!(guessed(text, true), text.as_bytes(), "{text}");
    }
    let returned = |value: Value, name: &str| {
        let output = Output {
            name: name.to_owned(),
            is_binary: false,
        };
        let answer = Answer {
            returned: Some(value),
            ..Answer::default()
        };
        envelope::answer(&answer, Some(&output))
    };
    let body = |value: Value| returned(value, "$return").unwrap().body;
    assert_eq!(body(json!("aGVsbG8=")), b"hello");
    assert_eq!(body(json!({"body": "aGVsbG8="})), b"aGVsbG8=");
    assert_eq!(body(json!({"a": 1})), b"{\n  \"a\": 1\n}");
    // Without a binding for it, a returned object's members are outputs.
    let res = returned(json!({"res": {"statusCode": 202, "body": "x"}}), "res").unwrap();
    assert_eq!((res.status, res.body), (202, b"x".to_vec()));
    assert!(returned(json!({"res": "x"}), "res").is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_come_in_base64_and_members_as_binding_data() {
    let package = odd_app(&[("Show", Some("show"))]);
    let host = odd_host(&package, Mode::Envelope).await;
    let show = async |kind: &str, body: &[u8]| {
        let request = Message::new("POST", "/api/show?code=K")
            .header("Content-Type", kind)
            .body(Payload::Sized(body.to_vec()));
        let seen = host.call(request).await.json();
        serde_json::from_str::<Value>(seen["body"].as_str().unwrap()).unwrap()
    };
    let text = show(
        "application/json",
        br#"{"a":1,"b":"x","c":[1],"d":{"e":2}}"#,
    )
    .await;
    assert_eq!(
        text["Data"]["req"]["Body"],
        r#"{"a":1,"b":"x","c":[1],"d":{"e":2}}"#
    );
    let metadata = &text["Metadata"];
    assert_eq!(
        (&metadata["a"], &metadata["b"], &metadata["d"]),
        (&json!("\"1\""), &json!("\"x\""), &json!({"e": 2}))
    );
    assert!(metadata["c"].is_null() && metadata["code"].is_null());
    for kind in [
        "application/octet-stream",
        "multipart/form-data; boundary=b",
    ] {
        let bytes = show(kind, b"\xff\x00").await;
        assert_eq!(bytes["Data"]["req"]["Body"], "/wA=", "{kind}");
    }
    let none = show("application/json", b"").await;
    assert!(none["Data"]["req"].get("Body").is_none());
}

fn get(target: &str) -> Message {
    Message::new("GET", target).header("Host", "app.example")
}

/// The older mode's losses can be switched off, for what a platform before the host makes up for.
#[tokio::test(flavor = "multi_thread")]
async fn strict_forwarding_is_a_switch() {
    let package = odd_app(&[("Any", Some("any/{*rest}"))]);
    for (strict_forwarding, url) in [(true, "/api/any/x?a=1,2"), (false, "/api/any/x?a=1&a=2")] {
        let options = HostOptions {
            mode: Some(Mode::Forwarding),
            strict_forwarding,
            ..HostOptions::default()
        }
        .setting("PATH", &std::env::var("PATH").unwrap());
        let host = Host::start(&package.root(), options).await.unwrap();
        let request = get("/api/any/x?a=1&a=2").header("Expires", "0");
        let seen = host.call(request).await.json();
        assert_eq!(seen["url"], url);
        assert_eq!(
            seen["rawHeaders"].to_string().contains("Expires"),
            !strict_forwarding
        );
        let chunked = Message::new("POST", "/api/any/x")
            .header("Host", "app.example")
            .body(Payload::Chunked(b"x".to_vec()));
        let status = if strict_forwarding { 500 } else { 200 };
        assert_eq!(host.call(chunked).await.status, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_may_have_a_hundred_megabytes() {
    let package = odd_app(&[("Any", Some("any"))]);
    let host = odd_host(&package, Mode::Proxying).await;
    let body = vec![b'x'; 100 * 1024 * 1024 + 1];
    let request = Message::new("POST", "/api/any").body(Payload::Sized(body));
    assert_eq!(host.call(request).await.status, 413);
}

#[test]
fn lines_on_stderr_have_levels() {
    for (line, strict, lenient) in [
        ("a WARNING", "Warning", "Warning"),
        ("it failed", "Error", "Error"),
        ("all is well", "Error", "Information"),
    ] {
        assert_eq!(stderr_level(line, true), strict, "{line}");
        assert_eq!(stderr_level(line, false), lenient, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admins_doors_tell_of_functions_and_their_errors() {
    let package = odd_app(&[("Any", Some("any")), ("Bad", Some("{"))]);
    let host = odd_host(&package, Mode::Proxying).await;
    let ask = async |target: &str| {
        let request = Message::new("GET", target).header("x-functions-key", &host.keys().master);
        host.call(request).await
    };
    assert_eq!(ask("/admin/host/status").await.json()["state"], "Running");
    let all = ask("/admin/functions").await.json();
    assert_eq!(all.as_array().unwrap().len(), 1);
    assert_eq!(ask("/admin/functions/any").await.json()["name"], "Any");
    assert!(ask("/admin/functions/any/status").await.json()["errors"].is_null());
    let bad = ask("/admin/functions/Bad/status").await.json();
    assert!(
        bad["errors"][0].as_str().unwrap().contains("unbalanced"),
        "{bad}"
    );
    assert_eq!(ask("/admin/functions/Bad").await.status, 404);
    assert_eq!(ask("/admin/elsewhere").await.status, 404);
    let keyless = host.call(Message::new("GET", "/admin/functions")).await;
    assert_eq!(keyless.status, 401);
}
