//! The host's unkind ways with answers and ends, each of which the handler must never run into.

use std::time::Duration;

use serde_json::json;

use crate::host::Mode;
use crate::host::process::State;
use crate::host::wire::Message;
use crate::host::{Host, HostOptions};
use crate::package::Stage;
use crate::passing::{odd_app, odd_host};

#[tokio::test(flavor = "multi_thread")]
async fn what_an_answer_to_an_envelope_amounts_to() {
    let names = [
        "Bare", "Fails", "Good", "List", "Logs", "Lower", "Moved", "Text",
    ];
    let package = odd_app(&names.map(|name| (name, None)));
    let host = odd_host(&package, Mode::Proxying).await;
    for (name, logs) in [
        ("Good", vec!["good", "1", "true"]),
        ("Lower", vec!["lower"]),
        ("Bare", vec![]),
        ("Moved", vec!["good", "1", "true"]),
    ] {
        assert_eq!(host.fire(name).await.unwrap(), logs, "{name}");
    }
    for (name, says) in [
        ("Fails", "does not indicate success: 500"),
        ("Text", "No MediaTypeFormatter"),
        ("List", "Invalid HttpResponseMessage"),
        ("Logs", "Invalid HttpResponseMessage"),
    ] {
        let why = host.fire(name).await.unwrap_err();
        assert!(why.contains(says), "{name}: {why}");
    }
    assert_eq!(host.starts("Good"), 1, "no answer ends the process");
    let levels: Vec<&str> = host.lines("Good").iter().map(|line| line.level).collect();
    assert!(
        ["Information", "Warning", "Error"]
            .iter()
            .all(|level| levels.contains(level)),
        "{levels:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_answer_is_waited_for_until_the_process_is_killed() {
    let names = ["Empty", "Gone", "Good", "Null"];
    let package = odd_app(&names.map(|name| (name, None)));
    let options = HostOptions {
        function_timeout: Some(Duration::from_secs(1)),
        ..HostOptions::default()
    }
    .setting("PATH", &std::env::var("PATH").unwrap());
    let host = Host::start(&package.root(), options).await.unwrap();
    for (index, name) in ["Empty", "Gone", "Null"].iter().enumerate() {
        let why = host.fire(name).await.unwrap_err();
        assert!(why.contains("Timeout value was exceeded"), "{name}: {why}");
        let replaced = u32::try_from(index).unwrap() + 2;
        host.started("Good", replaced).await;
    }
    // Three kills for slowness are no errors: the host is still there.
    assert!(host.fire("Good").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_leaves_with_0_is_not_restarted() {
    let package = odd_app(&[("Good", None), ("Leave", None), ("Web", Some("web"))]);
    let host = odd_host(&package, Mode::Proxying).await;
    assert!(host.fire("Good").await.is_ok());
    assert!(host.fire("Leave").await.is_err());
    host.until("Good", |state| matches!(state, State::Dead(_)))
        .await;
    assert!(
        host.fire("Good").await.is_err(),
        "the connection is refused"
    );
    assert_eq!(host.call(Message::new("GET", "/api/web")).await.status, 500);
    assert_eq!(host.starts("Good"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_error_ends_the_host_and_a_wanted_restart_is_none() {
    let package = odd_app(&[("Again", None), ("Dies", None), ("Web", Some("web"))]);
    let host = odd_host(&package, Mode::Proxying).await;
    for start in 2..=4 {
        assert!(host.fire("Again").await.is_err());
        host.started("Web", start).await;
    }
    for start in 5..=6 {
        assert!(host.fire("Dies").await.is_err());
        host.started("Web", start).await;
    }
    assert!(host.fire("Dies").await.is_err());
    let state = host
        .until("Web", |state| matches!(state, State::HostDown(_)))
        .await;
    assert!(
        format!("{state:?}").contains("Exceeded http worker restart retry count"),
        "{state:?}"
    );
    assert_eq!(host.call(Message::new("GET", "/api/web")).await.status, 503);
    assert_eq!(
        host.starts("Web"),
        6,
        "the first, three on purpose, two after errors"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_packaged_handler_never_lets_the_host_hang() {
    let stage = Stage::flex(Mode::Proxying).await;
    let host = &stage.host;
    // A bad envelope is a failed run that is answered, not one that hangs or ends the process.
    let port = host.port("HealthCheck");
    host.fire("HealthCheck").await.unwrap();
    for body in ["", "null", "{}", "[]", &json!({"Data": 7}).to_string()] {
        let call = Message::new("POST", "/HealthCheck")
            .header("Host", &format!("127.0.0.1:{port}"))
            .header(
                "X-Azure-Functions-InvocationId",
                "86423128-a18a-4f44-b4a3-e8bee4f19a0e",
            )
            .header("Content-Type", "application/json; charset=utf-8")
            .body(crate::host::wire::Payload::Chunked(
                body.as_bytes().to_vec(),
            ));
        let reply = crate::host::wire::send(port, &call).await.unwrap();
        assert_eq!(reply.status, 400, "{body}: {}", reply.text());
        assert!(!reply.body.is_empty(), "{body}");
    }
    host.fire("HealthCheck").await.unwrap();
    assert_eq!(host.starts("HealthCheck"), 1);
    let errors: Vec<String> = host
        .lines("Active")
        .into_iter()
        .filter(|line| line.level != "Information")
        .map(|line| line.text)
        .collect();
    assert!(
        errors.is_empty(),
        "the host takes stderr for errors: {errors:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_host_leaves_no_process() {
    let stage = Stage::flex(Mode::Proxying).await;
    stage.host.fire("HealthCheck").await.unwrap();
    let ports = [stage.host.port("HealthCheck"), stage.host.port("Active")];
    stage
        .host
        .until("Active", |state| *state == State::Ready)
        .await;
    stage.host.stop().await;
    for port in ports {
        let error = crate::host::wire::send(port, &Message::new("GET", "/"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    }
}
