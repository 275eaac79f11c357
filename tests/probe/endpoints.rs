//! HTTP endpoints and the control target.

use std::time::Duration;

use jiff::SignedDuration;
use understudy::adapters::probe::Prober;
use understudy::model::policy::Policy;
use understudy::model::sample::{Outcome, Reading, TokenFact};

use crate::support::azure::{Door, Fake, Manner, Reply, blurts, nobody, page_at};
use crate::{hasty, patient, prober};

async fn ask(
    fake: &Fake,
    expect_status: &[u16],
    expect_body: Option<&str>,
    policy: &Policy,
) -> Reading {
    let account = fake.page(expect_status, expect_body);
    prober(fake).probe("westeurope", &account, policy).await
}

#[tokio::test]
async fn every_status_has_its_outcome() {
    let fake = Fake::start().await;
    let cases: [(u16, &[u16], Outcome); 18] = [
        (200, &[200], Outcome::Ok),
        (204, &[200], Outcome::Failed),
        (204, &[200, 204], Outcome::Ok),
        (302, &[200], Outcome::Failed),
        (302, &[302], Outcome::Ok),
        (400, &[200], Outcome::Failed),
        (401, &[200], Outcome::Denied),
        (401, &[401], Outcome::Ok),
        (403, &[200], Outcome::Denied),
        (404, &[200], Outcome::Missing),
        (404, &[404], Outcome::Ok),
        (410, &[200], Outcome::Missing),
        (418, &[200], Outcome::Failed),
        (429, &[200], Outcome::Throttled),
        (429, &[429], Outcome::Ok),
        (500, &[200], Outcome::Failed),
        (503, &[200], Outcome::Failed),
        (503, &[503], Outcome::Ok),
    ];
    for (status, expected, outcome) in cases {
        let reply = Reply::text(status, "")
            .with("location", "/page")
            .with("retry-after", "30");
        fake.always(Door::Page, reply);
        let reading = ask(&fake, expected, None, &patient()).await;
        assert_eq!(
            reading.outcome, outcome,
            "{status} where {expected:?} is expected"
        );
        assert_eq!(reading.token, TokenFact::NotNeeded);
        assert_eq!(format!("http://{}", reading.host), fake.base);
        assert_eq!(reading.detail.is_none(), outcome == Outcome::Ok);
    }
    assert_eq!(
        fake.count(Door::Page),
        cases.len(),
        "a redirect was followed"
    );
}

#[tokio::test]
async fn the_text_must_be_there() {
    let fake = Fake::start().await;
    let late = format!("{}ready", " ".repeat(2 << 20));
    let early = format!("ready{}", " ".repeat(2 << 20));
    let cases = [
        ("all is ready", "ready", Outcome::Ok),
        ("all is broken", "ready", Outcome::Failed),
        ("", "ready", Outcome::Failed),
        (early.as_str(), "ready", Outcome::Ok),
        (late.as_str(), "ready", Outcome::Failed),
        ("größe", "größe", Outcome::Ok),
    ];
    for (body, wanted, outcome) in cases {
        fake.always(Door::Page, Reply::text(200, body));
        let reading = ask(&fake, &[200], Some(wanted), &patient()).await;
        assert_eq!(reading.outcome, outcome, "{:?}", reading.detail);
    }
}

#[tokio::test]
async fn slow_is_degraded_and_silent_is_failed() {
    let fake = Fake::start().await;
    fake.always(
        Door::Page,
        Reply::text(200, "").after(Duration::from_millis(60)),
    );
    let policy = Policy {
        latency_limit: SignedDuration::from_millis(50),
        ..patient()
    };
    let slow = ask(&fake, &[200], None, &policy).await;
    assert_eq!(slow.outcome, Outcome::Degraded);
    assert!(slow.latency_ms >= 60, "{}", slow.latency_ms);
    assert!(slow.detail.unwrap().contains("more than 50 ms"));

    fake.always(Door::Page, Reply::text(200, "").manner(Manner::Silence));
    let silent = ask(&fake, &[200], None, &hasty()).await;
    assert_eq!(silent.outcome, Outcome::Failed);
    assert_eq!(silent.detail.as_deref(), Some("timed out after 1 s"));
    assert!(silent.latency_ms >= 1000);

    fake.always(Door::Page, Reply::text(200, "half").manner(Manner::Endless));
    let half = ask(&fake, &[200], None, &hasty()).await;
    assert_eq!(half.outcome, Outcome::Failed);
    assert_eq!(half.detail.as_deref(), Some("timed out after 1 s"));
}

#[tokio::test]
async fn broken_connections_are_failed_and_told_in_words() {
    let fake = Fake::start().await;
    fake.always(
        Door::Page,
        Reply::text(200, "half").manner(Manner::BrokenOff),
    );
    let half = ask(&fake, &[200], None, &patient()).await;
    assert_eq!(half.outcome, Outcome::Failed);

    let cases = [
        (nobody().await, "connection refused"),
        (
            blurts(b"").await,
            "the connection was closed before the answer was complete",
        ),
        (
            blurts(b"SSH-2.0-OpenSSH_9.2\r\n").await,
            "the answer is not HTTP",
        ),
        (
            blurts(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await,
            "the connection was closed before the answer was complete",
        ),
        ("http://no-such-host.invalid".to_owned(), "name not found"),
        (
            blurts(b"HTTP/1.1 200 OK\r\n\r\n")
                .await
                .replace("http:", "https:"),
            "TLS failed",
        ),
    ];
    let prober = prober(&fake);
    for (base, words) in cases {
        let url = base.replace("://", "://user:page-secret@") + "/a?key=page-secret";
        let reading = prober
            .probe("westeurope", &page_at(&url, &[200], None), &patient())
            .await;
        assert_eq!(reading.outcome, Outcome::Failed, "{base}");
        let detail = reading.detail.unwrap();
        assert!(detail.starts_with(words), "{base}: {detail}");
        assert!(!detail.contains("page-secret") && !reading.host.contains("page-secret"));
    }
}

#[tokio::test]
async fn any_answer_of_the_control_target_is_alive() {
    let fake = Fake::start().await;
    let prober: Prober = prober(&fake);
    for status in [200, 302, 404, 500] {
        fake.always(Door::Page, Reply::text(status, ""));
        assert!(
            !prober.control_failed(&fake.base, &patient()).await,
            "{status}"
        );
    }
    assert!(prober.control_failed(&nobody().await, &patient()).await);
    fake.always(Door::Page, Reply::text(200, "").manner(Manner::Silence));
    assert!(prober.control_failed(&fake.base, &hasty()).await);
}

/// URLs that nothing can be asked at.
const NO_URLS: [&str; 4] = [
    "https://192.0.2.999/?key=page-secret",
    "https://page-secret:x/",
    "ftp://page-secret.example/",
    "page-secret",
];

#[tokio::test]
async fn what_cannot_be_asked_has_not_failed() {
    let fake = Fake::start().await;
    let prober = prober(&fake);
    for url in NO_URLS {
        let account = page_at(url, &[200], None);
        let reading = prober.probe("westeurope", &account, &patient()).await;
        assert_eq!(reading.outcome, Outcome::Unknown, "{url}");
        let detail = reading.detail.unwrap();
        assert!(
            detail.starts_with("the request cannot be made") && !detail.contains("page-secret"),
            "{url}: {detail}"
        );
        assert!(!prober.control_failed(url, &patient()).await, "{url}");
    }
}
