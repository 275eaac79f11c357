//! What callers get wrong: a clear error that says where, and nothing else is harmed.

use serde_json::{Value, json};

use crate::handler::{Handler, envelope};
use crate::stage::{Stage, ask, counted_round, get, hasty, two_endpoints};

const ORDER: &str = "/api/groups/contoso/pause";
const LOOKUP: &str = "/api/groups/contoso/active";

/// One handler that has ticked, and every row as it stands then. Nothing moves the heartbeat by itself.
async fn settled() -> (Stage, Handler) {
    let options = hasty().policy("probe_interval", "60s");
    let stage = Stage::set(two_endpoints(&["contoso"]), options).await;
    let app = stage.handler().await;
    counted_round(&app).await;
    (stage, app)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_body_is_refused_with_its_place() {
    let (stage, app) = settled().await;
    let before = stage.all_rows().await;
    let long = "x".repeat(1001);
    let nested = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    for (body, place) in [
        (r#"{"reason":"#, "line 1 column"),
        (r#"{"reason":"x"} trailing"#, "after its end"),
        ("reason=x", "line 1 column"),
        ("[]", "array"),
        ("null", "body"),
        ("7", "body"),
        (r#""pause""#, "body"),
        (r#"{"reason":7}"#, "reason"),
        (r#"{"reason":null}"#, "reason"),
        (r#"{"reason":"x","force":"yes"}"#, "force"),
        (r#"{"reason":"x","dryRun":1}"#, "dryRun"),
        (r#"{"reason":"x","ifGeneration":-1}"#, "ifGeneration"),
        (r#"{"reason":"x","ifGeneration":1.5}"#, "ifGeneration"),
        (r#"{"reason":"x","ifGeneration":1e99}"#, "ifGeneration"),
        (r#"{"reason":"x","to":["a"]}"#, "to"),
        (r#"{"reason":"x","for":60}"#, "for"),
        (r#"{"reason":"x","reason":"y"}"#, "reason"),
        (r#"{"reason":"x","dryrun":true}"#, "dryrun"),
        (r#"{"reason":"x\u0000y"}"#, "control character"),
        (&format!(r#"{{"reason":"{long}"}}"#), "1001 characters"),
        (&nested, "array"),
        (&format!(r#"{{"reason":{nested}}}"#), "reason"),
    ] {
        let shown: String = body.chars().take(60).collect();
        let answer = ask(&app, "POST", ORDER, body).await;
        answer.fails(400, "InvalidRequest");
        let error = answer.body["error"].to_string();
        assert!(error.contains(place), "{shown}: {place}: {error}");
        assert!(error.len() < 1000, "{shown}: {error}");
    }
    let huge = format!(r#"{{"reason":"{}"}}"#, "x".repeat(1024 * 1024));
    let answer = ask(&app, "POST", ORDER, &huge).await;
    answer.fails(413, "RequestBodyTooLarge");
    let bytes = reqwest::Client::new()
        .post(app.url(ORDER))
        .body(b"{\"reason\":\"\xff\"}".to_vec())
        .send()
        .await
        .unwrap();
    assert_eq!(bytes.status(), 400, "not UTF-8");
    assert_eq!(stage.all_rows().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_path_or_method_is_refused() {
    let (stage, app) = settled().await;
    let before = stage.all_rows().await;
    let reason = json!({"reason": "x"}).to_string();
    let long = "a".repeat(64);
    for (method, path, status, code) in [
        ("POST", "/api/groups/nobody/pause", 404, "GroupNotFound"),
        ("POST", "/api/groups/CONTOSO/pause", 404, "GroupNotFound"),
        (
            "POST",
            &format!("/api/groups/{long}/pause"),
            404,
            "GroupNotFound",
        ),
        ("POST", "/api/groups/a%2Fb/pause", 404, "GroupNotFound"),
        ("POST", "/api/groups/%00/pause", 404, "GroupNotFound"),
        (
            "POST",
            "/api/groups/group.contoso/pause",
            404,
            "GroupNotFound",
        ),
        ("POST", "/api/groups/contoso/restart", 404, "NotFound"),
        ("POST", "/api/groups/contoso/pause/now", 404, "NotFound"),
        ("POST", "/api/groups", 405, "MethodNotAllowed"),
        ("DELETE", "/api/groups/contoso", 405, "MethodNotAllowed"),
        ("PUT", ORDER, 405, "MethodNotAllowed"),
        ("GET", ORDER, 405, "MethodNotAllowed"),
        ("POST", LOOKUP, 405, "MethodNotAllowed"),
        ("GET", "/api/groups/nobody", 404, "GroupNotFound"),
        ("GET", "/api/groups/nobody/active", 404, "GroupNotFound"),
        ("GET", "/api/groups/nobody/history", 404, "GroupNotFound"),
        (
            "GET",
            "/api/groups/contoso/nothing",
            405,
            "MethodNotAllowed",
        ),
        ("GET", "/api/nothing", 404, "NotFound"),
        ("GET", "/", 200, ""),
        ("GET", "/groups", 404, "NotFound"),
        ("GET", "/api/tick", 405, "MethodNotAllowed"),
        ("POST", "/healthcheck", 404, "NotFound"),
    ] {
        let answer = ask(&app, method, path, &reason).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        assert_eq!(answer.code_or_none(), code, "{method} {path}");
    }
    assert_eq!(stage.all_rows().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_query_is_refused_with_the_parameter() {
    let (stage, app) = settled().await;
    let before = stage.all_rows().await;
    for (path, target) in [
        ("/api/groups?top=0", "top"),
        ("/api/groups?top=-1", "top"),
        ("/api/groups?top=many", "top"),
        ("/api/groups?top=1&top=2", "top"),
        ("/api/groups?next=%21%21", "next"),
        ("/api/groups?phase=dancing", "phase"),
        ("/api/groups?verdict=fine", "verdict"),
        ("/api/groups/contoso/history?top=x", "top"),
        ("/api/groups/contoso/history?next=%F0", "next"),
        ("/api/groups/contoso/active?after=x", "after"),
        ("/api/groups/contoso/active?after=-1", "after"),
        ("/api/groups/contoso/active?min=1.5", "min"),
        ("/api/groups/contoso/active?min=99999999999999999999", "min"),
        ("/api/groups/contoso/active?after=1&wait=121s", "wait"),
        ("/api/groups/contoso/active?after=1&wait=soon", "wait"),
        ("/api/groups/contoso/active?after=1&wait=-5s", "wait"),
        ("/api/groups/contoso/active?wait=5s", "wait"),
    ] {
        let answer = ask(&app, "GET", path, "").await;
        answer.fails(400, "InvalidRequest");
        assert_eq!(answer.body["error"]["target"], target, "{path}");
    }
    // What the host adds, what nobody knows, and what is empty harms nothing.
    for path in [
        "/api/groups?code=abc&clientId=default&x=1",
        "/api/groups?top=&next=&tenant=",
        "/api/groups?top=1000000",
        "/api/groups/contoso/history?top=100&&=&",
        "/api/groups/contoso/active?after=&wait=",
        "/api/groups/contoso/active?min=0&after=",
        "/api/groups/contoso/active?%ff=%00",
    ] {
        ask(&app, "GET", path, "").await.done();
    }
    assert_eq!(stage.all_rows().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_envelope_is_refused_and_the_next_one_ticks() {
    let (stage, app) = settled().await;
    for body in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        r#"{"Data":7,"Metadata":{}}"#.to_owned(),
        r#"{"data":{"timer":{}}}"#.to_owned(),
        envelope(&Value::Null, false).to_string()[..40].to_owned(),
    ] {
        let answer = host(&app, body.clone(), &[]).await;
        assert_eq!(answer, 400, "{body}");
    }
    let good = envelope(&Value::Null, false).to_string();
    for (name, value) in [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-functions-key", "abc"),
        ("cookie", "a=b"),
        ("authorization", "Bearer abc"),
        ("x-arr-log-id", "1"),
        ("host", "app.azurewebsites.net"),
    ] {
        let answer = host(&app, good.clone(), &[(name, value)]).await;
        assert_eq!(answer, 403, "{name}");
    }
    let before = stage.all_rows().await;
    assert_eq!(host(&app, good, &[]).await, 200);
    assert_eq!(stage.all_rows().await, before, "its round is not due yet");
}

/// A call of the timer's route with the host's own header and these; the status.
async fn host(app: &Handler, body: String, more: &[(&str, &str)]) -> u16 {
    let mut request = reqwest::Client::new()
        .post(app.url("/HealthCheck"))
        .header("user-agent", "Azure-Functions-Host/4.1045.200.25556")
        .body(body);
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_headers_harm_nothing() {
    let (_stage, app) = settled().await;
    let long = "\"x\",".repeat(2000);
    for (name, value) in [
        ("if-none-match", ","),
        ("if-none-match", "W/"),
        ("if-none-match", "\"0"),
        ("if-none-match", long.as_str()),
        ("content-type", "text/html; charset=klingon"),
        ("accept", "application/xml"),
        ("accept-encoding", "nothing"),
        ("x-ms-client-principal-name", "somebody else"),
        ("x-azure-functions-invocationid", "../../etc"),
    ] {
        let request = reqwest::Client::new().get(app.url(LOOKUP));
        let answer = request.header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{name}: {value}");
        let order = reqwest::Client::new().post(app.url(ORDER));
        let order = order.header(name, value).body(r#"{"reason":"x"}"#);
        let answer = order.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{name}: {value}");
        let group: Value = answer.json().await.unwrap();
        assert_eq!(group["paused"]["by"], "key", "{name}");
    }
    let shown = get(&app, LOOKUP).await;
    assert_eq!(shown["site"], "westeurope");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strange_reason_is_kept_as_it_is_and_harms_no_page() {
    let (_stage, app) = settled().await;
    for reason in [
        "<script>alert(1)</script> & \"quotes\" 'single'",
        "a\nb\tc",
        &"\u{1F525}".repeat(1000),
        "\u{202e}reversed \u{e9}\u{301}",
        "'; DROP TABLE state; --",
        "PartitionKey eq 'x'",
    ] {
        let body = json!({"reason": reason}).to_string();
        let group = ask(&app, "POST", ORDER, &body).await.done();
        assert_eq!(group["paused"]["reason"], reason);
        let history = get(&app, "/api/groups/contoso/history?top=1").await;
        assert_eq!(history["entries"][0]["reason"], reason);
        let (status, page) = app.get("/api/status").await;
        assert_eq!(status, 200, "{reason}");
        assert!(!page.contains("<script>alert"), "{page}");
    }
}
