//! The timer's envelope and who may send it; the tick for outside schedulers, health, the page, and paths.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use understudy::adapters::store::keys;
use understudy::adapters::store::rows::{Properties, RowStore, Write};
use understudy::functions::gate::Gate;
use understudy::functions::router::{answer, router};
use understudy::model::name::Vantage;

use crate::doors::{Answer, Doors, deployment, group, group_with_steps, request};
use crate::handler::{HOST_HEADERS, envelope};
use crate::rows::Mood;

async fn fire(doors: &Doors, headers: &[(&str, &str)], body: Body) -> Answer {
    let mut all = HOST_HEADERS.to_vec();
    all.extend_from_slice(headers);
    doors
        .send(request(Method::POST, "/HealthCheck", &all, body))
        .await
}

fn status(last: Value) -> Value {
    json!({"Last": last, "Next": "2026-09-24T13:09:00+00:00", "LastUpdated": "0001-01-01T00:00:00"})
}

#[tokio::test]
async fn every_form_of_the_envelope_is_a_tick() {
    let doors = Doors::of(vec![group("contoso")]);
    for schedule in [
        json!(null),
        status(json!("0001-01-01T00:00:00")),
        status(json!("0001-01-01T00:00:00+00:00")),
        status(json!("2026-09-24T13:08:00.0096035+02:00")),
    ] {
        let body = envelope(&schedule, true).to_string();
        let answer = fire(&doors, &[], Body::from(body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{schedule}: {}", answer.text);
        assert_eq!(answer.header("content-type"), "application/json");
        let back = answer.json();
        assert_eq!(back["Outputs"], json!({}));
        assert_eq!(back["ReturnValue"], json!(null));
        let lines = back["Logs"].as_array().unwrap();
        assert!(!lines.is_empty() && lines.iter().all(Value::is_string));
    }
    let row = doors.again().get("/api/groups/contoso/active").await;
    assert_eq!(row.header("etag"), "\"0\"", "the tick made the row");
}

#[tokio::test]
async fn an_envelope_in_chunks_is_read() {
    let doors = Doors::of(vec![group("contoso")]);
    let body = envelope(&json!(null), false).to_string();
    let bytes: Vec<Vec<u8>> = body.as_bytes().chunks(7).map(<[u8]>::to_vec).collect();
    let chunks = futures::stream::iter(bytes.into_iter().map(Ok::<_, std::io::Error>));
    let answer = fire(&doors, &[], Body::from_stream(chunks)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

#[tokio::test]
async fn what_is_no_envelope_is_refused() {
    let doors = Doors::of(vec![group("contoso")]);
    for body in [
        "",
        "null",
        "[]",
        "{}",
        "\"x\"",
        "{",
        r#"{"Data":null}"#,
        r#"{"Data":[]}"#,
        r#"{"data":{"timer":{}}}"#,
    ] {
        let answer = fire(&doors, &[], Body::from(body)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        answer.code();
    }
    assert_eq!(doors.rows.writes(), 0);
}

#[tokio::test]
async fn a_public_request_does_not_reach_the_timer() {
    let doors = Doors::of(vec![group("contoso")]);
    let body = envelope(&json!(null), false).to_string();
    for header in [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-host", "app.azurewebsites.net"),
        ("x-forwarded-proto", "https"),
        ("x-ms-invocation-id", "86423128-a18a-4f44-b4a3-e8bee4f19a0e"),
        ("x-original-url", "/HealthCheck"),
        ("disguised-host", "app.azurewebsites.net"),
        ("x-arr-log-id", "1"),
        ("x-arr-ssl", "1"),
        ("x-functions-key", "k"),
        ("x-ms-client-principal-name", "ada"),
        ("x-azure-clientip", "203.0.113.9"),
        ("client-ip", "203.0.113.9"),
    ] {
        let answer = fire(&doors, &[header], Body::from(body.clone())).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{header:?}");
    }
    let send = |path: &str, headers: &[(&str, &str)]| {
        doors.send(request(
            Method::POST,
            path,
            headers,
            Body::from(body.clone()),
        ))
    };
    let writes = doors.rows.writes();
    let own: Vec<_> = HOST_HEADERS
        .iter()
        .copied()
        .filter(|(name, _)| *name != "host")
        .collect();
    let mut public = own.clone();
    public.push(("host", "app.azurewebsites.net"));
    for (path, headers) in [
        ("/HealthCheck", public.as_slice()),
        ("/HealthCheck?code=k", &HOST_HEADERS[..]),
        ("/HealthCheck", &[("content-type", "application/json")][..]),
    ] {
        let answer = send(path, headers).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(answer.code(), "HostOnly");
    }
    for path in ["/api/HealthCheck", "/api/healthcheck"] {
        assert_eq!(
            send(path, &HOST_HEADERS).await.status,
            StatusCode::NOT_FOUND
        );
    }
    assert_eq!(doors.rows.writes(), writes);
    let reduced = [HOST_HEADERS[1]];
    assert_eq!(
        send("/HealthCheck", &reduced).await.status,
        StatusCode::OK,
        "one of the host's own headers is enough"
    );
}

#[tokio::test]
async fn a_tick_that_could_not_read_state_is_a_failed_run() {
    let doors = Doors::of(vec![group("contoso")]);
    doors.rows.be(Mood::Down);
    let body = envelope(&json!(null), false).to_string();
    let answer = fire(&doors, &[], Body::from(body)).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    answer.code();
    let answer = doors.post("/api/tick", "").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.code(), "StoreUnavailable");
}

#[tokio::test]
async fn a_panic_is_an_answer_that_tells_nothing_of_it() {
    let doors = Doors::of(vec![group("contoso")]);
    doors.rows.be(Mood::Broken);
    let answer = doors.get("/api/groups/contoso").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.code(), "InternalError");
    assert!(!answer.text.contains("meant to"));
    let body = envelope(&json!(null), false).to_string();
    let answer = fire(&doors, &[], Body::from(body)).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    let answer = doors.get("/api/groups/contoso/active").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_tick_from_outside_says_whether_its_round_counted() {
    let doors = Doors::of(vec![group("contoso")]);
    let first = doors.post("/api/tick", "anything").await;
    assert_eq!(first.status, StatusCode::OK);
    assert_eq!(first.json()["counted"], true);
    let second = doors.post("/api/tick", "").await;
    assert_eq!(second.json()["counted"], false, "before its time");
}

#[tokio::test]
async fn health_tells_its_reasons() {
    let doors = Doors::of(vec![group("contoso")]);
    let answer = doors.get("/api/health").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.json()["status"], "ok");
    assert_eq!(answer.json()["reasons"], json!([]));
    assert_eq!(answer.json()["vantage"], "francecentral");

    let mut bad = deployment(vec![]);
    bad.problems
        .push("understudy.toml:3: groups[0].name: no name".to_owned());
    let doors = Doors::over(doors.rows, bad, false);
    doors.rows.be(Mood::Down);
    let answer = doors.get("/api/health").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["status"], "failing");
    let reasons = answer.json()["reasons"].as_array().unwrap().clone();
    assert_eq!(reasons.len(), 2);
    assert!(reasons[0].as_str().unwrap().contains("groups[0].name"));
    assert_eq!(answer.code(), "AppNotWell");
    assert_eq!(answer.header("x-ms-error-code"), "AppNotWell");
    assert!(
        answer.json()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("groups[0].name")
    );
}

#[tokio::test]
async fn the_page_shows_every_group_escaped_and_without_a_script() {
    let mut spec = group("contoso");
    spec.sites[1].name = "<b>north</b>&\"'".into();
    let doors = Doors::of(vec![spec]);
    doors.seed(&["westeurope"]).await;
    let answer = doors.get("/api/status?code=s3cret").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_ne!(answer.header("refresh"), "");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("cache-control"), "no-store");
    let page = answer.text;
    for part in [
        "<html lang=\"en\">",
        "contoso",
        "westeurope",
        "unhealthy",
        "HoldTime",
        "&lt;b&gt;north&lt;/b&gt;&amp;&quot;&#39;",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for part in ["<b>", "<script", "s3cret", "http://", "https://"] {
        assert!(!page.contains(part), "{part}");
    }
    doors.rows.be(Mood::Down);
    // What was read a moment ago is shown for a second: another process has read nothing.
    let answer = doors.again().get("/api/status").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.text.contains("the store does not answer"));
}

#[tokio::test]
async fn the_page_shows_the_steps_of_a_move() {
    let doors = Doors::of(vec![group_with_steps("contoso")]);
    doors.seed(&[]).await;
    assert!(!doors.get("/api/status").await.text.contains("start "));
    let order = json!({"reason": "it failed"}).to_string();
    let moved = doors.post("/api/groups/contoso/failover", order).await;
    assert_eq!(moved.status, StatusCode::ACCEPTED, "{}", moved.text);
    let page = doors.get("/api/status").await.text;
    let step = "<li>start streaming endpoint default in northeurope: ";
    assert!(page.contains(step), "{page}");
}

#[tokio::test]
async fn paths_are_matched_as_the_host_matches_them() {
    let doors = Doors::of(vec![group("contoso")]);
    doors.seed(&[]).await;
    for path in [
        "/API/Groups/contoso/Active",
        "/api/groups/contoso/active/",
        "/api/groups/conto%73o/active",
        "/api/GROUPS",
        "/api/groups/contoso/HISTORY/",
        "/api/Health/",
        "/",
    ] {
        assert_eq!(doors.get(path).await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(
        doors.post("/api/Groups/contoso/Resume/", "").await.status,
        StatusCode::OK
    );
    for path in [
        "/api",
        "/api/nothing",
        "/groups",
        "/api/groups/contoso/active/now",
        "/api//groups",
    ] {
        let answer = doors.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.code(), "NotFound", "{path}");
    }
    for (method, path) in [
        (Method::POST, "/api/groups/contoso/active"),
        (Method::DELETE, "/api/groups/contoso"),
        (Method::GET, "/api/tick"),
        (Method::GET, "/api/groups/contoso/failover"),
        (Method::GET, "/HealthCheck"),
    ] {
        let mut headers = HOST_HEADERS.to_vec();
        headers.retain(|(name, _)| *name != "content-type");
        let answer = doors
            .send(request(method, path, &headers, Body::empty()))
            .await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(answer.code(), "MethodNotAllowed");
        assert_ne!(answer.header("allow"), "");
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_app_is_put_together_only_the_readiness_probe_is_answered() {
    let (gate, key) = Gate::closed();
    let closed = router(gate);
    let ask = |path: &str| {
        answer(
            closed.clone(),
            request(Method::GET, path, &[], Body::empty()),
        )
    };
    assert_eq!(ask("/").await.status(), StatusCode::OK);
    assert_eq!(
        ask("/api/health").await.status(),
        StatusCode::SERVICE_UNAVAILABLE,
        "whoever waited too long is told to come back"
    );
    let doors = Doors::of(vec![group("contoso")]);
    let app = understudy::functions::gate::App::new(doors.controller.clone(), false);
    let (lookup, ()) = tokio::join!(ask("/api/groups/contoso/active"), async {
        tokio::task::yield_now().await;
        key.open(std::sync::Arc::new(app));
    });
    assert_eq!(lookup.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_timer_that_finds_only_junk_still_shows_that_it_runs() {
    let doors = Doors::of(vec![group("contoso")]);
    let junk = Write::Insert {
        key: "group.contoso".to_owned(),
        properties: Properties::new(),
    };
    doors.rows.transact(vec![junk]).await.unwrap();
    let body = || Body::from(envelope(&json!(null), false).to_string());
    fire(&doors, &[], body()).await;
    let written = doors.rows.writes();
    let answer = fire(&doors, &[], body()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert!(answer.text.contains("group.contoso"), "{}", answer.text);
    assert_eq!(doors.rows.writes(), written + 1, "the heartbeat alone");
}

#[tokio::test]
async fn evidence_of_groups_that_another_configuration_knows_survives_a_sweep() {
    let doors = Doors::of(vec![group("contoso")]);
    let body = || Body::from(envelope(&json!(null), false).to_string());
    fire(&doors, &[], body()).await;
    let others = deployment(vec![group("fabrikam")]);
    let other = Doors::over(doors.rows.clone(), others, false);
    fire(&other, &[], body()).await;
    for (doors, name) in [(doors.again(), "contoso"), (other.again(), "fabrikam")] {
        let group = doors.get(&format!("/api/groups/{name}")).await.json();
        let probe = &group["sites"][0]["accounts"][0]["lastProbe"];
        assert_eq!(probe["outcome"], "failed", "{name}: {group}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tick_whose_heartbeat_others_write_all_the_time_says_that_its_rounds_are_lost() {
    let doors = Doors::of(vec![group("contoso")]);
    let theirs = Write::Insert {
        key: keys::heartbeat(&Vantage::from("francecentral")),
        properties: Properties::new(),
    };
    doors.rows.transact(vec![theirs]).await.unwrap();
    doors.rows.be(Mood::RacesForHeartbeats);
    let body = || Body::from(envelope(&json!(null), false).to_string());
    let is_lost = |answer: &Answer| {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.text.contains("the rounds of 1 group are lost")
    };
    assert!(is_lost(&fire(&doors, &[], body()).await));
    doors.rows.be(Mood::Well);
    assert!(!is_lost(&fire(&doors, &[], body()).await));
}
