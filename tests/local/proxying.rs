//! What the handler sees of a request, what the caller sees of the answer, and the timer's call on the wire.

use bytes::Bytes;
use futures::StreamExt;
use serde_json::Value;
use understudy::local::function_json::Source;
use understudy::local::host::bind;

use super::stage::{Stage, fake, header, headers, plan, root, timer_function};

/// A timer that does not come during a test.
const NEVER: &str = "0 0 0 1 1 *";

#[tokio::test]
async fn method_path_query_and_body_arrive_as_they_were_sent() {
    let stage = Stage::set(fake(NEVER)).await;
    let seen: Value = stage
        .client
        .patch(stage.url("/api/Some%20thing/a%2Fb%3Fc?x=1&x=2&y=a+b%27&z&code=K"))
        .body("{\"a\": 1}\n")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(seen["method"], "PATCH");
    assert_eq!(
        seen["url"],
        "/api/Some%20thing/a%2Fb%3Fc?x=1&x=2&y=a+b%27&z&code=K"
    );
    assert_eq!(seen["body"], "{\"a\": 1}\n");
    assert_eq!(header(&seen, "content-length").as_deref(), Some("9"));
}

#[tokio::test]
async fn the_hosts_headers_are_set_and_those_of_the_connection_are_not_passed_on() {
    let stage = Stage::set(fake(NEVER)).await;
    let seen: Value = stage
        .client
        .get(stage.url("/api/x"))
        .header("Host", "app.example")
        .header("Connection", "X-Only-Here")
        .header("X-Only-Here", "1")
        .header("TE", "trailers")
        .header("Forwarded", "for=1.2.3.4")
        .header("X-Forwarded-For", "1.2.3.4")
        .header("X-Forwarded-Proto", "https")
        .header("X-Azure-Functions-InvocationId", "forged")
        .header("X-MS-Client-Principal-Name", "kept")
        .header("x-functions-key", "kept")
        .header("Content-Encoding", "gzip")
        .header("User-Agent", "me/1")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let value = |name: &str| header(&seen, name);
    assert!(value("host").unwrap().starts_with("127.0.0.1:"));
    assert_eq!(value("x-forwarded-host").as_deref(), Some("app.example"));
    assert_eq!(value("x-forwarded-for").as_deref(), Some("127.0.0.1"));
    assert_eq!(value("x-forwarded-proto").as_deref(), Some("http"));
    assert_eq!(
        value("x-azure-functions-invocationid"),
        value("x-ms-invocation-id")
    );
    assert_eq!(value("x-azure-functions-invocationid").unwrap().len(), 36);
    assert!(
        value("x-azure-functions-hostversion")
            .unwrap()
            .starts_with("4.")
    );
    assert_eq!(value("user-agent").as_deref(), Some("me/1"));
    assert_eq!(value("content-encoding").as_deref(), Some("gzip"));
    assert_eq!(value("x-functions-key").as_deref(), Some("kept"));
    assert_eq!(value("x-ms-client-principal-name").as_deref(), Some("kept"));
    for name in [
        "x-only-here",
        "te",
        "forwarded",
        "transfer-encoding",
        "content-length",
    ] {
        assert_eq!(value(name), None, "{name}");
    }
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let stage = Stage::set(fake(NEVER)).await;
    let (sender, receiver) = futures::channel::mpsc::unbounded::<Result<Bytes, std::io::Error>>();
    sender
        .unbounded_send(Ok(Bytes::from_static(b"first")))
        .unwrap();
    let answer = stage
        .client
        .post(stage.url("/api/stream"))
        .body(reqwest::Body::wrap_stream(receiver))
        .send()
        .await
        .unwrap();
    assert_eq!(
        answer.headers().get("x-mine"),
        None,
        "a header of the handler's connection"
    );
    let mut chunks = answer.bytes_stream();
    // The first part is back before the second one is sent.
    assert_eq!(chunks.next().await.unwrap().unwrap(), "first");
    sender
        .unbounded_send(Ok(Bytes::from_static(b"second")))
        .unwrap();
    assert_eq!(chunks.next().await.unwrap().unwrap(), "second");
    drop(sender);
    assert!(chunks.next().await.is_none());
}

#[tokio::test]
async fn redirects_and_cookies_go_to_the_caller() {
    let stage = Stage::set(fake(NEVER)).await;
    let answer = stage
        .client
        .get(stage.url("/api/moved"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.headers()["location"], "/api/elsewhere");
    assert_eq!(answer.headers().get_all("set-cookie").iter().count(), 2);
}

#[tokio::test]
async fn only_routes_reach_the_handler() {
    let stage = Stage::set(fake(NEVER)).await;
    // The envelope's door is on the handler's port, and no public path leads to it.
    let forged = stage
        .client
        .post(stage.url("/Beat"))
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(forged.status(), 404);
    assert_eq!(stage.status("/").await, 200);
    assert_eq!(stage.status("/admin/host/status").await, 200);
    assert_eq!(stage.status("/admin/elsewhere").await, 404);
    assert_eq!(stage.json("/api/calls").await, serde_json::json!([]));
}

#[tokio::test]
async fn the_timer_calls_in_chunks_with_the_hosts_headers() {
    let stage = Stage::set(fake("* * * * * *")).await;
    stage.ear.hears("ran Beat [\"beat\"]", 2).await;
    let calls = stage.json("/api/calls").await;
    let call = &calls[0];
    assert_eq!(call["method"], "POST");
    assert_eq!(call["url"], "/Beat");
    assert_eq!(
        header(call, "transfer-encoding").as_deref(),
        Some("chunked")
    );
    assert_eq!(header(call, "content-length"), None);
    assert_eq!(
        header(call, "content-type").as_deref(),
        Some("application/json; charset=utf-8")
    );
    assert!(
        header(call, "user-agent")
            .unwrap()
            .starts_with("Azure-Functions-Host/4.")
    );
    assert_eq!(
        header(call, "x-azure-functions-invocationid")
            .unwrap()
            .len(),
        36
    );
    assert!(
        headers(call)
            .iter()
            .all(|(name, _)| !name.starts_with("x-forwarded-") && name != "x-ms-invocation-id")
    );
    let body: Value = serde_json::from_str(call["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["Data"]["timer"]["ScheduleStatus"], Value::Null);
    assert_eq!(body["Metadata"]["sys"]["MethodName"], "Beat");
}

#[tokio::test]
async fn a_timer_can_be_run_out_of_turn() {
    let stage = Stage::set(fake(NEVER)).await;
    let run = |name: &str, kind: &str, body: &'static str| {
        stage
            .client
            .post(stage.url(&format!("/admin/functions/{name}")))
            .header("Content-Type", kind)
            .body(body)
            .send()
    };
    assert_eq!(
        run("Beat", "application/json", "{\"input\":\"\"}")
            .await
            .unwrap()
            .status(),
        202
    );
    stage.ear.hears("ran Beat", 1).await;
    assert_eq!(run("Beat", "text/plain", "{}").await.unwrap().status(), 415);
    assert_eq!(
        run("Beat", "application/json", "").await.unwrap().status(),
        400
    );
    assert_eq!(
        run("Nobody", "application/json", "{}")
            .await
            .unwrap()
            .status(),
        404
    );
    // A schedule slower than a minute is monitored: the first call says that it never ran.
    let calls = stage.json("/api/calls").await;
    let body: Value = serde_json::from_str(calls[0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(
        body["Data"]["timer"]["ScheduleStatus"]["Last"],
        "0001-01-01T00:00:00"
    );
}

#[tokio::test]
async fn a_failed_run_is_tried_again_where_the_file_asks_for_it() {
    let policy = serde_json::json!({"strategy": "fixedDelay", "maxRetryCount": 2, "delayInterval": "00:00:01"});
    let mut flaky = timer_function(NEVER);
    flaky.name = "Flaky".to_owned();
    let mut config: Value = serde_json::from_str(&flaky.text).unwrap();
    config["retry"] = policy;
    flaky.text = config.to_string();
    let script = root().join("tests/support/host/odd_handler.mjs");
    let stage = Stage::set(plan("node", &[script.to_str().unwrap()], vec![flaky])).await;
    let asked = stage
        .client
        .post(stage.url("/admin/functions/Flaky"))
        .header("Content-Type", "application/json")
        .body("{}");
    assert_eq!(asked.send().await.unwrap().status(), 202);
    stage.ear.hears("ran Flaky", 1).await;
    let failed = stage.ear.heard();
    let failed = failed
        .iter()
        .filter(|line| line.contains("failed Flaky the handler answered 500"));
    assert_eq!(failed.count(), 2);
    // The third attempt says so to the handler.
    stage.ear.hears(r#"\"RetryCount\":2"#, 1).await;
}

#[tokio::test]
async fn what_azure_would_refuse_is_told_at_once() {
    let mut plan = fake(NEVER);
    plan.functions.extend([
        Source::new(
            "Bad",
            r#"{"bindings": [{"type": "queueTrigger", "name": "item"}]}"#,
        ),
        Source::new(
            "AAlone",
            r#"{"bindings": [{"type": "httpTrigger", "name": "req", "route": "alone"}],}"#,
        ),
    ]);
    let stage = Stage::set(plan).await;
    stage
        .ear
        .hears(
            "failed Bad it is not loaded: The binding type(s) 'queuetrigger' are not registered",
            1,
        )
        .await;
    stage
        .ear
        .hears("failed AAlone without exactly one", 1)
        .await;
    // It has the route all the same, and its callers get what they would get in Azure.
    assert_eq!(stage.status("/api/alone").await, 500);
    assert_eq!(stage.status("/api/other").await, 200);
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_with_what_to_do() {
    let taken = bind(0).await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = bind(port).await.unwrap_err();
    assert!(
        error.contains(&port.to_string()) && error.contains("--port"),
        "{error}"
    );
}
