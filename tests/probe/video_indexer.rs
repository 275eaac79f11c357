//! Which answer of a Video Indexer account is which outcome, its work, and what ARM adds.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use understudy::model::policy::Policy;
use understudy::model::sample::{Outcome, Reading};
use understudy::model::spec::AccountSpec;

use crate::support::azure::{ACCOUNT_ID, Door, Fake, Manner, Reply, blurts, nobody, until};
use crate::{hasty, patient, prober};

async fn ask(fake: &Fake) -> Reading {
    prober(fake)
        .probe("westeurope", &fake.account("a"), &patient())
        .await
}

#[tokio::test]
async fn the_list_is_asked_for_with_the_token_in_the_header() {
    let fake = Fake::start().await;
    let reading = ask(&fake).await;
    assert_eq!((reading.outcome, reading.detail), (Outcome::Ok, None));
    assert_eq!(format!("http://{}", reading.host), fake.base);
    let call = &fake.calls(Door::List)[0];
    assert_eq!(
        call.path,
        format!("/vi/westeurope/Accounts/{ACCOUNT_ID}/Videos")
    );
    assert_eq!(call.query.keys().collect::<Vec<_>>(), ["pageSize"]);
    assert!(call.bearer().unwrap().starts_with("eyJ"));
}

#[tokio::test]
async fn every_answer_has_its_outcome() {
    let fake = Fake::start().await;
    let general = json!({"ErrorType": "GENERAL", "Message": "There was an error."}).to_string();
    let entries = r#"{"results":[null, 7, {"state": {}}, {"state": "Processing", "created": 5}]}"#;
    let cases = [
        (Reply::text(200, r#"{"results":[]}"#), Outcome::Ok),
        (Reply::text(200, entries), Outcome::Ok),
        (Reply::text(200, r#"{"results":null}"#), Outcome::Failed),
        (Reply::text(200, r#"{"results":{}}"#), Outcome::Failed),
        (Reply::text(200, "[]"), Outcome::Failed),
        (Reply::text(200, "null"), Outcome::Failed),
        (Reply::text(200, ""), Outcome::Failed),
        (Reply::text(200, "<html>Welcome</html>"), Outcome::Failed),
        (Reply::text(200, r#"{"results":["#), Outcome::Failed),
        (
            Reply::text(200, r#"{"results":[]}"#).manner(Manner::BrokenOff),
            Outcome::Failed,
        ),
        (Reply::text(204, ""), Outcome::Failed),
        (
            Reply::text(302, "").with("location", "/page"),
            Outcome::Failed,
        ),
        (Reply::text(400, &general), Outcome::Denied),
        (Reply::text(401, &general), Outcome::Denied),
        (Reply::text(403, ""), Outcome::Denied),
        (Reply::text(404, &general), Outcome::Missing),
        (Reply::text(408, ""), Outcome::Failed),
        (Reply::text(410, ""), Outcome::Missing),
        (
            Reply::text(429, "").with("retry-after", "30"),
            Outcome::Throttled,
        ),
        (Reply::text(500, &general), Outcome::Failed),
        (Reply::text(502, "<html>"), Outcome::Failed),
        (Reply::text(504, ""), Outcome::Failed),
    ];
    for (reply, outcome) in cases {
        let said = format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body));
        fake.always(Door::List, reply);
        let reading = ask(&fake).await;
        assert_eq!(reading.outcome, outcome, "{said}: {reading:?}");
        assert_eq!(reading.detail.is_none(), outcome == Outcome::Ok, "{said}");
    }
    assert_eq!(fake.count(Door::Page), 0, "a redirect was followed");
}

#[tokio::test]
async fn what_does_not_answer_is_failed() {
    let fake = Fake::start().await;
    let prober = prober(&fake);
    for (base, words) in [
        (nobody().await, "connection refused"),
        (blurts(b"").await, "the connection was closed"),
        ("https://no-such-host.invalid".to_owned(), "name not found"),
    ] {
        let mut spec = fake.spec("a");
        spec.api_base = base;
        let reading = prober
            .probe("westeurope", &AccountSpec::VideoIndexer(spec), &patient())
            .await;
        assert_eq!(reading.outcome, Outcome::Failed);
        assert!(
            reading.detail.as_ref().unwrap().starts_with(words),
            "{reading:?}"
        );
    }
    for manner in [Manner::Silence, Manner::Endless] {
        fake.always(Door::List, Reply::text(200, "{").manner(manner));
        let reading = prober
            .probe("westeurope", &fake.account("a"), &hasty())
            .await;
        assert_eq!(reading.outcome, Outcome::Failed);
        assert!(reading.detail.unwrap().starts_with("timed out after 1 s"));
    }
}

#[tokio::test]
async fn slow_is_degraded_and_huge_is_not_read_to_its_end() {
    let fake = Fake::start().await;
    let empty = Reply::text(200, r#"{"results":[]}"#);
    fake.always(Door::List, empty.after(Duration::from_millis(60)));
    let policy = Policy {
        latency_limit: SignedDuration::from_millis(50),
        ..patient()
    };
    let reading = prober(&fake)
        .probe("westeurope", &fake.account("a"), &policy)
        .await;
    assert_eq!(reading.outcome, Outcome::Degraded);
    assert!(reading.detail.unwrap().contains("more than 50 ms"));

    let padding = "x".repeat(8 << 20);
    for (body, outcome) in [
        (format!(r#"{{"results":["{padding}"]}}"#), Outcome::Degraded),
        (format!("<html>{padding}"), Outcome::Failed),
    ] {
        fake.always(Door::List, Reply::text(200, &body));
        assert_eq!(ask(&fake).await.outcome, outcome);
    }
}

fn videos(count: usize, state: &str, age: SignedDuration) -> Vec<Value> {
    let at = (Timestamp::now() - age).to_string();
    let video = json!({"id": "v", "state": state, "created": at, "lastModified": at});
    vec![video; count]
}

#[tokio::test]
async fn work_that_never_ends_is_degraded_or_failed() {
    let fake = Fake::start().await;
    let (new, old) = (SignedDuration::from_mins(5), SignedDuration::from_mins(90));
    let list = [videos(2, "Uploaded", new), videos(3, "Processing", old)].concat();
    fake.always(Door::List, Reply::json(200, &json!({"results": list})));
    let reading = ask(&fake).await;
    assert_eq!(reading.outcome, Outcome::Degraded);
    assert!(
        reading
            .detail
            .unwrap()
            .starts_with("3 videos are unfinished for longer than 1h")
    );
    let mut spec = fake.spec("a");
    spec.stuck_fails = true;
    let failed = prober(&fake)
        .probe("westeurope", &AccountSpec::VideoIndexer(spec), &patient())
        .await;
    assert_eq!(failed.outcome, Outcome::Failed);

    let list = [list, videos(1, "Processed", new)].concat();
    fake.always(Door::List, Reply::json(200, &json!({"results": list})));
    assert_eq!(ask(&fake).await.outcome, Outcome::Ok);
    assert!(
        fake.calls(Door::List)
            .iter()
            .all(|call| call.query["pageSize"] == "25")
    );
}

#[tokio::test]
async fn a_second_page_is_read_only_where_the_first_cannot_tell() {
    let fake = Fake::start().await;
    let (new, old) = (SignedDuration::from_mins(5), SignedDuration::from_mins(90));
    fake.script(Door::List, move |call, _| {
        let list = match call.query.get("skip").map(String::as_str) {
            None => videos(25, "Processing", new),
            Some("25") => videos(4, "Processing", old),
            Some(other) => panic!("skip={other}"),
        };
        Reply::json(200, &json!({"results": list}))
    });
    assert_eq!(ask(&fake).await.outcome, Outcome::Degraded);
    assert_eq!(fake.count(Door::List), 2);

    fake.script(Door::List, move |call, _| match call.query.get("skip") {
        None => Reply::json(200, &json!({"results": videos(25, "Processing", new)})),
        Some(_) => Reply::text(500, ""),
    });
    assert_eq!(
        ask(&fake).await.outcome,
        Outcome::Ok,
        "the first page was well"
    );
}

#[tokio::test]
async fn arm_is_read_rarely_and_never_makes_what_is_well_fail() {
    let fake = Fake::start().await;
    let (prober, account) = (prober(&fake), fake.account("a"));
    let broken = json!({"properties": {"accountId": ACCOUNT_ID, "provisioningState": "Failed"}});
    fake.always(Door::Account, Reply::json(200, &broken));
    let policy = patient();
    let ask = async || prober.probe("westeurope", &account, &policy).await;
    ask().await;
    until("the first read", || fake.count(Door::Account) == 1).await;
    let mut reading = ask().await;
    while reading.detail.is_none() {
        reading = ask().await;
    }
    assert_eq!(reading.outcome, Outcome::Ok);
    assert_eq!(
        reading.detail.as_deref(),
        Some("ARM says provisioningState Failed")
    );
    assert_eq!(fake.count(Door::Account), 1);
    let read = &fake.calls(Door::Account)[0];
    assert_eq!(read.path, format!("/arm{}", fake.spec("a").resource_id()));
    fake.put_forward(11);
    ask().await;
    until("the second read", || fake.count(Door::Account) == 2).await;
}

#[tokio::test]
async fn on_suspicion_arm_is_asked_and_explains() {
    let fake = Fake::start().await;
    let another = json!({"properties": {"accountId": "another", "provisioningState": "Succeeded"}});
    let gone = json!({"error": {"code": "ResourceNotFound", "message": "gone"}});
    let well = json!({"properties": {"accountId": ACCOUNT_ID, "provisioningState": "Succeeded"}});
    let cases = [
        (
            403,
            Reply::json(200, &well),
            Outcome::Denied,
            "ARM says the account is there and well",
        ),
        (
            500,
            Reply::json(404, &gone),
            Outcome::Failed,
            "ARM knows no such account",
        ),
        (
            401,
            Reply::json(404, &gone),
            Outcome::Missing,
            "ARM knows no such account",
        ),
        (
            401,
            Reply::json(200, &another),
            Outcome::Denied,
            "correct account_id",
        ),
        (500, Reply::text(503, ""), Outcome::Failed, "answered 500"),
    ];
    for (status, account, outcome, words) in cases {
        fake.always(Door::List, Reply::text(status, ""));
        fake.always(Door::Account, account);
        let reading = ask(&fake).await;
        assert_eq!(reading.outcome, outcome, "{reading:?}");
        assert!(
            reading.detail.as_ref().unwrap().contains(words),
            "{reading:?}"
        );
    }
    let before = fake.count(Door::Account);
    let (prober, account) = (prober(&fake), fake.account("a"));
    for _ in 0..10 {
        prober.probe("westeurope", &account, &patient()).await;
    }
    assert_eq!(
        fake.count(Door::Account),
        before + 1,
        "suspicion is no storm"
    );
}
