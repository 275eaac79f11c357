//! What the outside can do, and cannot: keys by auth level, methods, and the timer's envelope.

use serde_json::json;

use crate::host::Mode;
use crate::host::envelope::Past;
use crate::host::wire::{Message, Payload};
use crate::host::{HostOptions, Split};
use crate::package::Stage;

fn get(target: &str) -> Message {
    Message::new("GET", target).header("Host", "app.azurewebsites.net")
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_open_what_their_level_allows() {
    let mut options = HostOptions {
        split: Split::Flex,
        ..HostOptions::default()
    };
    options
        .keys
        .functions
        .insert("Active".to_owned(), "only-for-lookups".to_owned());
    let stage = Stage::set(options).await;
    let host = &stage.host;
    host.fire("HealthCheck").await.unwrap();
    let (active, group) = ("/api/groups/contoso/active", "/api/groups/contoso");
    let with = |target: &str, key: &str| get(target).header("x-functions-key", key);

    for target in [active, group, "/api/groups", "/api/status"] {
        let refused = host.call(get(target)).await;
        assert_eq!((refused.status, refused.body.len()), (401, 0), "{target}");
        assert_eq!(
            host.call(with(target, "wrong")).await.status,
            401,
            "{target}"
        );
        for key in [&host.keys().host, &host.keys().master] {
            assert_eq!(host.call(with(target, key)).await.status, 200, "{target}");
            assert_eq!(
                host.call(get(&format!("{target}?code={key}"))).await.status,
                200,
                "{target}"
            );
        }
    }
    assert_eq!(
        host.call(with(active, "only-for-lookups")).await.status,
        200
    );
    assert_eq!(host.call(with(group, "only-for-lookups")).await.status, 401);
    // The header wins, also when it is wrong.
    let both = with(&format!("{active}?code={}", host.keys().host), "wrong");
    assert_eq!(host.call(both).await.status, 401);
    for order in ["failover", "pause"] {
        let order =
            Message::new("POST", &format!("{group}/{order}")).body(Payload::Sized(b"{}".to_vec()));
        assert_eq!(host.call(order).await.status, 401);
    }
    for target in ["/api/tick", "/api/alerts"] {
        assert_eq!(
            host.call(Message::new("POST", target)).await.status,
            401,
            "{target}"
        );
    }
    assert_eq!(host.call(get("/api/health")).await.status, 200);

    let printed: String = ["Active", "HealthCheck"]
        .iter()
        .flat_map(|name| host.lines(name))
        .map(|line| line.text)
        .collect();
    for key in [&host.keys().host, &host.keys().master, "only-for-lookups"] {
        assert!(!printed.contains(key), "a key was printed: {printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_method_or_path_is_not_found() {
    let stage = Stage::flex(Mode::Proxying).await;
    let host = &stage.host;
    for (method, target) in [
        ("POST", "/api/groups/contoso/active/now"),
        ("DELETE", "/api/groups/contoso"),
        ("GET", "/api/tick"),
        ("GET", "/api/alerts"),
        ("GET", "/groups"),
        ("GET", "/api"),
        ("GET", "/api/groups/contoso/history/more"),
    ] {
        let reply = host.call(host.keyed(method, target)).await;
        assert_eq!(reply.status, 404, "{method} {target}: {}", reply.text());
    }
    assert_eq!(host.call(get("/")).await.status, 200, "the host's own page");
    assert_eq!(host.call(get("/admin/host/ping")).await.status, 200);
    assert_eq!(
        host.call(host.keyed("POST", "/admin/functions/HealthCheck"))
            .await
            .status,
        401
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_key_fires_the_timer() {
    let stage = Stage::flex(Mode::Proxying).await;
    let host = &stage.host;
    let ask = |name: &str, body: &str| {
        Message::new("POST", &format!("/admin/functions/{name}"))
            .header("x-functions-key", &host.keys().master)
            .header("Content-Type", "application/json")
            .body(Payload::Sized(body.as_bytes().to_vec()))
    };
    assert_eq!(host.call(ask("healthcheck", "{}")).await.status, 202);
    assert_eq!(host.call(ask("HealthCheck", "")).await.status, 400);
    assert_eq!(host.call(ask("Nobody", "{}")).await.status, 404);
    let health = host.call(get("/api/health")).await.json();
    assert!(health["lastSweep"].is_string(), "{health}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_envelope_reaches_no_timer() {
    for mode in [Mode::Proxying, Mode::Forwarding] {
        let stage = Stage::flex(mode).await;
        for target in [
            "/HealthCheck",
            "/api/HealthCheck",
            "/api/../HealthCheck",
            "/api/%2e%2e/HealthCheck",
            "//HealthCheck",
        ] {
            let reply = stage.host.post(target, &forged()).await;
            assert_eq!(reply.status, 404, "{mode:?} {target}: {}", reply.text());
        }
        let health = stage.host.get("/api/health").await.json();
        assert!(health["lastSweep"].is_null(), "{mode:?}: {health}");
    }
}

/// Even in an app that opens every path: a prefix of nothing, and a route that catches all.
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_envelope_is_refused_behind_an_open_door() {
    for mode in [Mode::Proxying, Mode::Forwarding] {
        let package = crate::package::Package::fresh();
        package.edit(
            "host.json",
            r#""routePrefix": "api""#,
            r#""routePrefix": """#,
        );
        let everything = json!({"bindings": [
            {"type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous", "route": "{*path}"},
            {"type": "http", "direction": "out", "name": "res"},
        ]});
        package.write("Zero/function.json", &everything.to_string());
        let options = HostOptions {
            mode: Some(mode),
            ..HostOptions::default()
        };
        let (_sim, options) = crate::package::configured(&package, options).await;
        let host = crate::host::Host::start(&package.root(), options)
            .await
            .unwrap();
        assert!(host.errors().is_empty(), "{:?}", host.errors());
        for public in ["app.azurewebsites.net", "127.0.0.1", "localhost:7071"] {
            let forgery = Message::new("POST", "/HealthCheck")
                .header("Host", public)
                .header(
                    "X-Azure-Functions-InvocationId",
                    "86423128-a18a-4f44-b4a3-e8bee4f19a0e",
                )
                .header("X-Azure-Functions-HostVersion", "4.1045.200.25556")
                .header("User-Agent", "Azure-Functions-Host/4.1045.200.25556")
                .header("Content-Type", "application/json")
                .body(Payload::Sized(forged().into_bytes()));
            let reply = host.call(forgery).await;
            assert_eq!(reply.status, 403, "{mode:?} {public}: {}", reply.text());
        }
        let health = host.call(get("/api/health")).await.json();
        assert!(health["lastSweep"].is_null(), "{mode:?}: {health}");
        // The host itself is let in.
        host.fire_with("HealthCheck", Past::Never).await.unwrap();
    }
}

fn forged() -> String {
    json!({
        "Data": {"timer": {"Schedule": {"AdjustForDST": true}, "ScheduleStatus": null, "IsPastDue": false}},
        "Metadata": {"sys": {"MethodName": "HealthCheck", "UtcNow": "2026-11-22T02:36:16Z", "RandGuid": "x"}},
    })
    .to_string()
}
