//! Single requests that no honest client sends: each is refused or its connection closed, and the next one is
//! answered.

use crate::stage::{LOOKUP, Stage};

const ORDER: &str = "/api/groups/contoso/pause";
const ALERTS: &str = "/api/alerts";
/// After these the caller says that no more comes; the others are whole, or seen to be wrong before their end.
const BROKEN_OFF: &[&str] = &["TLS", "a body that breaks off"];

fn request(method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes()
}

fn order(member: &str) -> Vec<u8> {
    request("POST", ORDER, "", &format!("{{\"reason\":\"x\",{member}}}"))
}

/// Sends these bytes on a connection of their own. Answered with 4xx, or closed.
async fn refused(stage: &Stage, what: &str, bytes: &[u8]) -> Option<u16> {
    let mut caller = stage.call().await;
    caller.say(bytes).await;
    if BROKEN_OFF.contains(&what) {
        caller.hang_up().await;
    }
    let answer = caller.answer().await;
    if let Some((status, body)) = &answer {
        assert!((400..500).contains(status), "{what}: {status} {body}");
        assert!(body.len() < 2_000, "{what}: {body}");
    }
    answer.map(|(status, _)| status)
}

#[tokio::test(flavor = "multi_thread")]
async fn nasty_bodies_are_refused() {
    let stage = Stage::set().await;
    let deep =
        |open: &str, close: &str| format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
    let inner = deep("[", "]");
    let object = format!("{}1{}", "{\"a\":".repeat(50_000), "}".repeat(50_000));
    let incident = |member: &str| {
        let body = crate::subjects::alert_bodies::incident("West Europe", "Active").to_string();
        request(
            "POST",
            ALERTS,
            "",
            &body.replacen('{', &format!("{{{member},"), 1),
        )
    };
    for (what, bytes) in [
        ("a deep array", order(&format!("\"to\":{}", deep("[", "]")))),
        (
            "a deep object",
            order(&format!("\"to\":{}", deep("{\"a\":", "}"))),
        ),
        (
            "a deep body",
            request(
                "POST",
                ORDER,
                "",
                &format!("{{\"reason\":{}}}", deep("{\"a\":", "}")),
            ),
        ),
        ("a deep alert", request("POST", ALERTS, "", &deep("[", "]"))),
        (
            "an alert with something deep",
            incident(&format!("\"x\":{}", deep("[", ""))),
        ),
        (
            "a deep envelope",
            request(
                "POST",
                "/HealthCheck",
                "x-azure-functions-hostversion: 4\r\n",
                &format!("{{\"Data\":{}}}", deep("{\"a\":", "}")),
            ),
        ),
        ("1e400", order("\"ifGeneration\":1e400")),
        ("2^70", order("\"ifGeneration\":1180591620717411303424")),
        ("-1e400 in an alert", incident("\"x\":-1e400")),
        ("half a pair", order("\"to\":\"\\ud800\"")),
        (
            "pairs the wrong way round",
            incident("\"x\":\"\\udc00\\ud800\""),
        ),
        (
            "NUL in a text",
            request("POST", ORDER, "", "{\"reason\":\"a\\u0000b\"}"),
        ),
        (
            "NUL in JSON",
            request("POST", ORDER, "", "{\"reason\":\"a\u{0}b\"}"),
        ),
        (
            "NUL for a body",
            request("POST", ALERTS, "", &"\u{0}".repeat(1_000)),
        ),
        (
            "a name of 10,000 bytes",
            order(&format!("\"to\":\"{}\"", "n".repeat(10_000))),
        ),
        (
            "a key of 10,000 bytes",
            order(&format!("\"{}\":1", "k".repeat(10_000))),
        ),
        (
            "a long reason",
            request(
                "POST",
                ORDER,
                "",
                &format!("{{\"reason\":\"{}\"}}", "é".repeat(10_000)),
            ),
        ),
        (
            "an envelope in a list",
            request(
                "POST",
                "/HealthCheck",
                "x-azure-functions-hostversion: 4\r\n",
                "[{}]",
            ),
        ),
    ] {
        let status = refused(&stage, what, &bytes).await;
        assert_eq!(status, Some(400), "{what}");
    }
    // Deep inside a text of an alert it is a list that cannot be read, and the alert is understood.
    for text in [inner, object] {
        let mut body = crate::subjects::alert_bodies::incident("West Europe", "Active");
        body["data"]["alertContext"]["properties"]["impactedServices"] = text.into();
        let (status, answer) = stage.handler.post(ALERTS, &body.to_string()).await;
        assert_eq!(status, 200, "{answer}");
    }
    stage.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nasty_paths_are_refused() {
    let stage = Stage::set().await;
    let long = "a".repeat(10_000);
    let longest = "a".repeat(300_000);
    for path in [
        "/api/groups/%00/active",
        "/api/groups/contoso%00/active",
        "/api/groups/contoso%2Factive",
        "/api/groups/..%2f..%2fetc/active",
        "/api/groups/%2e%2e/active",
        "/api/groups/../groups/contoso/nothing",
        "/api/groups/./contoso/nothing",
        "/api/groups/%ff%fe/active",
        "/api/groups/cont%6Fso%20/active",
        "/api/groups//active",
        "/api//groups",
        "//api/groups",
        "/api/groups/contoso/active/",
        "/api/groups/contoso/%61ctive",
        "/api%2Fgroups",
        "/%41pi/groups",
        "/api/groups/contoso\u{0}/active",
        "/api/groups/con toso/active",
        "/api/groups/contoso\\active",
        "/api/groups/ünïcode/active",
        "api/groups",
        "",
        "*",
        "http://169.254.169.254/metadata/identity",
        &format!("/api/groups/{long}/active"),
        &format!("/api/groups/contoso/active?min={long}"),
        &format!("/api/groups?next={long}"),
        &format!("/{longest}"),
        &format!("/api/groups?x={longest}&top=0"),
        "/api/groups?top=0&top=1",
        "/api/groups/contoso/active?min=1&min=2",
        "/api/groups/contoso/active?after=1&wait=1s&wait=2s",
        "/api/groups?phase=moving&phase=dancing",
    ] {
        let shown: String = path.chars().take(60).collect();
        // The host trims the slash at the end, and so do we.
        if path == "/api/groups/contoso/active/" {
            assert_eq!(stage.handler.get(path).await.0, 200);
            continue;
        }
        refused(&stage, &shown, &request("GET", path, "", "")).await;
    }
    for method in [
        "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "POST", "PROPFIND", "get", "G E T", "",
    ] {
        let status = refused(&stage, method, &request(method, LOOKUP, "", "")).await;
        assert!(matches!(status, Some(400 | 405)), "{method}: {status:?}");
    }
    refused(
        &stage,
        "CONNECT",
        b"CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\n\r\n",
    )
    .await;
    stage.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_is_refused() {
    let stage = Stage::set().await;
    let header = |line: &str| request("POST", ORDER, &format!("{line}\r\n"), "{\"reason\":\"x\"}");
    let many = "x: y\r\n".repeat(5_000);
    let long = format!("x: {}\r\n", "y".repeat(1_000_000));
    for (what, bytes) in [
        ("junk", b"\x00\x01\x02\xff\xfe\r\n\r\n".to_vec()),
        ("words", b"hello there\r\n\r\n".to_vec()),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("HTTP/9", b"GET / HTTP/9.9\r\n\r\n".to_vec()),
        ("no colon", header("novalue")),
        ("a space before the colon", header("transfer-encoding : chunked")),
        ("a folded line", header("x: a\r\n b")),
        ("NUL in a header", header("x: a\u{0}b")),
        ("two lengths", header("content-length: 3")),
        ("a negative length", b"POST /api/alerts HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n{}".to_vec()),
        ("a huge length", b"POST /api/alerts HTTP/1.1\r\nhost: x\r\ncontent-length: 18446744073709551616\r\n\r\n{}".to_vec()),
        ("an odd encoding", b"POST /api/alerts HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n{}".to_vec()),
        ("a bad chunk", b"POST /api/alerts HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}".to_vec()),
        ("a huge chunk", b"POST /api/alerts HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff1\r\n{}".to_vec()),
        ("a body that breaks off", b"POST /api/alerts HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{}".to_vec()),
        ("too many headers", request("GET", LOOKUP, &many, "")),
        ("a long header", request("GET", LOOKUP, &long, "")),
    ] {
        refused(&stage, what, &bytes).await;
    }
    stage.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_come_at_once_are_answered_in_order() {
    let stage = Stage::set().await;
    let mut caller = stage.call().await;
    let pair = [
        request("GET", LOOKUP, "", ""),
        request("GET", "/api/groups/nobody/active", "", ""),
    ]
    .concat();
    assert!(caller.say(&pair.repeat(100)).await);
    for turn in 0..100 {
        let found = caller.answer().await.expect("an answer");
        assert_eq!(found.0, 200, "{turn}: {}", found.1);
        let missing = caller.answer().await.expect("an answer");
        assert_eq!(missing.0, 404, "{turn}: {}", missing.1);
    }
    let mut bytes = pair.repeat(3);
    bytes.extend_from_slice(b"and now for something else\r\n\r\n");
    bytes.extend_from_slice(&pair);
    assert!(caller.say(&bytes).await);
    let statuses = caller.end().await;
    assert_eq!(statuses[..6], [200, 404, 200, 404, 200, 404]);
    assert!(
        statuses[6..].iter().all(|status| *status == 400),
        "{statuses:?}"
    );
    stage.is_well().await;
}
