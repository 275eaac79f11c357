//! An account's own token: minted once, kept to its expiry, paced.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use understudy::adapters::azure::pace::Pace;
use understudy::adapters::probe::Prober;
use understudy::model::sample::{Outcome, Reading, TokenFact};
use understudy::model::spec::AccountSpec;

use crate::support::azure::{Door, Fake, Manner, Reply, jwt, nobody, until};
use crate::{hasty, identity_with, patient, prober};

async fn ask(prober: &Prober, account: &AccountSpec) -> Reading {
    prober.probe("westeurope", account, &patient()).await
}

#[tokio::test]
async fn the_mint_is_asked_as_arm_wants_it() {
    let fake = Fake::start().await;
    let reading = ask(&prober(&fake), &fake.account("a")).await;
    assert_eq!(reading.outcome, Outcome::Ok, "{reading:?}");
    assert!(
        matches!(&reading.token, TokenFact::Held { issuer, .. } if *issuer == fake.spec("a").arm_base)
    );
    let mint = &fake.calls(Door::Mint)[0];
    assert_eq!(
        mint.path,
        format!("/arm{}/generateAccessToken", fake.spec("a").resource_id())
    );
    assert_eq!(mint.query["api-version"], "2025-04-01");
    assert_eq!(
        mint.body,
        json!({"permissionType": "Reader", "scope": "Account"})
    );
    assert_eq!(mint.bearer(), Some("identity-secret-1"));
    assert_eq!(
        fake.calls(Door::Identity)[0].query["resource"],
        "https://management.azure.com"
    );
}

#[tokio::test]
async fn one_mint_for_all_who_ask_and_for_all_rounds() {
    let fake = Fake::start().await;
    let (prober, account) = (prober(&fake), fake.account("a"));
    for _ in 0..3 {
        let all = join_all((0..20).map(|_| ask(&prober, &account))).await;
        assert!(all.iter().all(|reading| reading.outcome == Outcome::Ok));
    }
    assert_eq!((fake.count(Door::Mint), fake.count(Door::Identity)), (1, 1));
    ask(&prober, &fake.account("A")).await;
    assert_eq!(fake.count(Door::Mint), 1, "ARM's names know no case");
    ask(&prober, &fake.account("b")).await;
    assert_eq!(fake.count(Door::Mint), 2);
}

#[tokio::test]
async fn a_token_outlives_an_outage_of_arm_and_is_renewed_early() {
    let fake = Fake::start().await;
    let (prober, account) = (prober(&fake), fake.account("a"));
    let first = ask(&prober, &account).await;
    fake.always(Door::Mint, Reply::text(503, ""));
    fake.put_forward(49);
    ask(&prober, &account).await;
    assert_eq!(
        fake.count(Door::Mint),
        1,
        "not renewed before its last ten minutes"
    );
    fake.put_forward(2);
    let reading = ask(&prober, &account).await;
    assert_eq!(
        (reading.outcome, &reading.token),
        (Outcome::Ok, &first.token)
    );
    until("the renewal that fails", || fake.count(Door::Mint) == 2).await;
    fake.mend(Door::Mint);
    fake.put_forward(1);
    let mut token = first.token.clone();
    while token == first.token {
        token = ask(&prober, &account).await.token;
    }
    assert!(matches!(token, TokenFact::Held { .. }));
    assert_eq!(fake.count(Door::Mint), 3);
}

#[tokio::test]
async fn without_a_token_the_front_door_is_tried() {
    let denied = Reply::json(
        401,
        &json!({"ErrorType": "USER_NOT_ALLOWED", "Message": "no"}),
    );
    let cases = [
        (denied.clone(), Outcome::Unknown),
        (Reply::text(403, ""), Outcome::Unknown),
        (Reply::text(404, ""), Outcome::Unknown),
        (Reply::text(429, ""), Outcome::Unknown),
        (Reply::text(500, ""), Outcome::Failed),
        (Reply::text(504, ""), Outcome::Failed),
        (Reply::text(200, "<html>"), Outcome::Failed),
        (Reply::text(302, ""), Outcome::Failed),
    ];
    let fake = Fake::start().await;
    let prober = prober(&fake);
    for (door, status) in [(Door::Mint, 503), (Door::Mint, 200), (Door::Identity, 500)] {
        fake.well();
        fake.always(door, Reply::text(status, "<html>"));
        if door == Door::Identity {
            fake.put_forward(25 * 60);
        }
        for (reply, outcome) in &cases {
            let status = reply.status;
            fake.always(Door::List, reply.clone());
            let reading = ask(&prober, &fake.account("a")).await;
            assert_eq!(reading.outcome, *outcome, "{door:?} {status} {reading:?}");
            assert!(
                matches!(reading.token, TokenFact::Unavailable { .. }),
                "{reading:?}"
            );
        }
    }
    assert!(
        fake.calls(Door::List)
            .iter()
            .all(|call| call.bearer().is_none())
    );
    let mints = fake.count(Door::Mint);
    assert_eq!(
        mints,
        2 * cases.len(),
        "a missing token is asked for in every round"
    );
}

#[tokio::test]
async fn since_when_there_is_none_is_the_first_failure() {
    let fake = Fake::start().await;
    let (prober, account) = (prober(&fake), fake.account("a"));
    fake.always(Door::List, Reply::text(401, ""));
    fake.always(Door::Mint, Reply::text(503, ""));
    let first = ask(&prober, &account).await.token;
    fake.put_forward(5);
    assert_eq!(ask(&prober, &account).await.token, first);
    fake.always(Door::Mint, Reply::text(403, ""));
    assert_eq!(
        ask(&prober, &account).await.token,
        TokenFact::Absent,
        "ARM answered"
    );
    fake.always(Door::Mint, Reply::text(503, ""));
    let later = ask(&prober, &account).await.token;
    assert!(matches!(later, TokenFact::Unavailable { .. }) && later != first);
}

#[tokio::test]
async fn a_silent_arm_leaves_time_for_the_account() {
    let fake = Fake::start().await;
    fake.always(Door::Mint, Reply::text(200, "").manner(Manner::Silence));
    fake.always(Door::List, Reply::text(401, ""));
    let reading = prober(&fake)
        .probe("westeurope", &fake.account("a"), &hasty())
        .await;
    assert_eq!(reading.outcome, Outcome::Unknown, "{reading:?}");
    assert!(matches!(reading.token, TokenFact::Unavailable { .. }));
}

#[tokio::test]
async fn arms_refusals_are_for_people() {
    let fake = Fake::start().await;
    let prober = prober(&fake);
    let not_authorized =
        json!({"error": {"code": "AuthorizationFailed", "message": "The client may not."}});
    let cases = [
        (
            Reply::json(403, &not_authorized),
            Outcome::Denied,
            "Contributor",
        ),
        (Reply::text(401, ""), Outcome::Denied, "identity"),
        (Reply::text(400, ""), Outcome::Denied, "400"),
        (Reply::text(404, ""), Outcome::Missing, "404"),
    ];
    for (reply, outcome, word) in cases {
        fake.always(Door::Mint, reply);
        let reading = ask(&prober, &fake.account("a")).await;
        assert_eq!(reading.outcome, outcome);
        assert_eq!(reading.token, TokenFact::Absent);
        assert!(reading.detail.unwrap().contains(word));
    }
    assert_eq!(fake.count(Door::List), 0);
    fake.always(Door::Mint, Reply::text(429, "").with("retry-after", "3600"));
    fake.always(Door::List, Reply::text(401, ""));
    for round in 1..=2 {
        let before = fake.count(Door::Mint);
        let reading = ask(&prober, &fake.account("a")).await;
        assert_eq!(
            (reading.outcome, reading.token),
            (Outcome::Unknown, TokenFact::Absent)
        );
        assert_eq!(
            fake.count(Door::Mint),
            before + 1,
            "Retry-After skipped round {round}"
        );
    }
}

#[tokio::test]
async fn an_identity_that_refuses_is_for_people() {
    let fake = Fake::start().await;
    fake.always(Door::Identity, Reply::text(400, ""));
    let reading = ask(&prober(&fake), &fake.account("a")).await;
    assert_eq!(
        (reading.outcome, reading.token),
        (Outcome::Denied, TokenFact::Absent)
    );
    assert!(reading.detail.unwrap().contains("AZURE_CLIENT_ID"));
}

#[tokio::test]
async fn arm_that_does_not_believe_an_old_identity_token_is_asked_with_a_new_one() {
    let fake = Fake::start().await;
    let prober = prober(&fake);
    ask(&prober, &fake.account("a")).await;
    until("the account was read", || fake.count(Door::Account) == 1).await;
    let good = jwt(
        "b",
        fake.clock().now() + jiff::SignedDuration::from_hours(1),
    );
    fake.script(Door::Mint, move |call, _| match call.bearer() {
        Some("identity-secret-2") => Reply::json(200, &json!({"accessToken": good})),
        _ => Reply::text(401, ""),
    });
    let reading = ask(&prober, &fake.account("b")).await;
    assert_eq!(reading.outcome, Outcome::Ok, "{reading:?}");
    assert_eq!(fake.count(Door::Mint), 3);
}

#[tokio::test]
async fn an_account_that_does_not_believe_an_old_token_gets_a_new_one() {
    let fake = Fake::start().await;
    let (prober, account) = (prober(&fake), fake.account("a"));
    ask(&prober, &account).await;
    let old = fake.calls(Door::List)[0].bearer().unwrap().to_owned();
    fake.script(Door::List, move |call, _| match call.bearer() {
        Some(token) if token != old => Reply::json(200, &json!({"results": []})),
        _ => Reply::text(401, ""),
    });
    let reading = ask(&prober, &account).await;
    assert_eq!(reading.outcome, Outcome::Ok, "{reading:?}");
    assert_eq!((fake.count(Door::List), fake.count(Door::Mint)), (3, 2));

    fake.always(Door::List, Reply::text(403, ""));
    let refused = ask(&prober, &account).await;
    assert_eq!(refused.outcome, Outcome::Denied);
    assert_eq!((fake.count(Door::List), fake.count(Door::Mint)), (5, 3));
    for _ in 0..5 {
        assert_eq!(ask(&prober, &account).await.outcome, Outcome::Denied);
    }
    assert_eq!(
        fake.count(Door::Mint),
        3,
        "a refusal of a new token is not answered by minting for ever"
    );
    fake.put_forward(6);
    ask(&prober, &account).await;
    assert_eq!(fake.count(Door::Mint), 4);
}

#[tokio::test]
async fn a_first_token_that_is_refused_is_denied_at_once() {
    let fake = Fake::start().await;
    let body = json!({"ErrorType": "USER_NOT_ALLOWED", "Message": "not your account"});
    fake.always(Door::List, Reply::json(401, &body));
    let reading = ask(&prober(&fake), &fake.account("a")).await;
    assert_eq!(reading.outcome, Outcome::Denied);
    assert!(
        reading
            .detail
            .unwrap()
            .contains("USER_NOT_ALLOWED: not your account")
    );
    assert_eq!((fake.count(Door::List), fake.count(Door::Mint)), (1, 1));
}

#[tokio::test]
async fn a_refused_token_that_cannot_be_replaced_says_nothing() {
    let fake = Fake::start().await;
    let (prober, account) = (prober(&fake), fake.account("a"));
    ask(&prober, &account).await;
    fake.always(Door::List, Reply::text(401, ""));
    fake.always(Door::Mint, Reply::text(503, ""));
    for _ in 0..2 {
        let reading = ask(&prober, &account).await;
        assert_eq!(reading.outcome, Outcome::Unknown, "{reading:?}");
        assert!(matches!(reading.token, TokenFact::Unavailable { .. }));
    }
    assert!(
        fake.calls(Door::List).last().unwrap().bearer().is_none(),
        "it was dropped"
    );
}

#[tokio::test]
async fn mints_wait_their_turn_and_waiting_is_no_failure() {
    let fake = Fake::start().await;
    fake.always(Door::List, Reply::text(401, ""));
    fake.always(Door::Mint, Reply::text(200, "").manner(Manner::Silence));
    let pace = Pace {
        per_second: 1,
        burst: 1,
        at_once: 1,
        at_once_overall: 1,
    };
    let prober = Prober::with(
        fake.http.clone(),
        identity_with(&fake, &[]),
        fake.clock(),
        pace,
    );
    let accounts: Vec<AccountSpec> = (0..10).map(|n| fake.account(&format!("a{n}"))).collect();
    let policy = hasty();
    let readings = join_all(
        accounts
            .iter()
            .map(|account| prober.probe("westeurope", account, &policy)),
    )
    .await;
    assert!(
        readings
            .iter()
            .all(|reading| reading.outcome == Outcome::Unknown),
        "{readings:?}"
    );
    let waiting = |reading: &&Reading| reading.token == TokenFact::Absent;
    let told = |reading: &Reading| {
        reading
            .detail
            .as_ref()
            .unwrap()
            .contains("waiting for its turn")
    };
    assert_eq!(readings.iter().filter(waiting).count(), 9, "{readings:?}");
    assert!(readings.iter().filter(waiting).all(told));
    assert_eq!(fake.count(Door::Mint), 1);

    fake.always(Door::List, Reply::text(503, ""));
    let down = prober.probe("westeurope", &accounts[5], &policy).await;
    assert_eq!(
        down.outcome,
        Outcome::Failed,
        "a dead front door is no question of tokens"
    );
}

#[tokio::test]
async fn a_witness_is_asked_anew_and_keeps_what_it_has() {
    let fake = Fake::start().await;
    let (prober, account) = (prober(&fake), fake.account("a"));
    let first = ask(&prober, &account).await.token;
    let second = prober.renew(&account).await;
    assert!(matches!(second, TokenFact::Held { .. }) && second != first);
    assert_eq!(fake.count(Door::Mint), 2);
    fake.always(Door::Mint, Reply::text(503, ""));
    assert!(matches!(
        prober.renew(&account).await,
        TokenFact::Unavailable { .. }
    ));
    assert_eq!(
        ask(&prober, &account).await.token,
        second,
        "what it has stays good"
    );
    fake.always(Door::Mint, Reply::text(429, ""));
    assert_eq!(prober.renew(&account).await, second);
    assert_eq!(
        prober.renew(&fake.page(&[200], None)).await,
        TokenFact::NotNeeded
    );
}

#[tokio::test]
async fn an_unreachable_arm_is_named_as_issuer() {
    let fake = Fake::start().await;
    fake.always(
        Door::List,
        Reply::text(401, "").after(Duration::from_millis(1)),
    );
    let mut spec = fake.spec("a");
    spec.arm_base = nobody().await;
    let reading = ask(&prober(&fake), &AccountSpec::VideoIndexer(spec.clone())).await;
    assert_eq!(reading.outcome, Outcome::Unknown);
    assert!(
        matches!(&reading.token, TokenFact::Unavailable { issuer, .. } if *issuer == spec.arm_base)
    );
    assert!(reading.detail.unwrap().contains("connection refused"));
}

#[tokio::test]
async fn a_token_that_cannot_be_sent_says_nothing_of_the_account() {
    let fake = Fake::start().await;
    fake.always(
        Door::Mint,
        Reply::json(200, &json!({"accessToken": "no\nheader"})),
    );
    let reading = ask(&prober(&fake), &fake.account("a")).await;
    assert_eq!(reading.outcome, Outcome::Unknown, "{reading:?}");
    let detail = reading.detail.unwrap();
    assert!(detail.starts_with("the request cannot be made"), "{detail}");
    assert_eq!(fake.count(Door::List), 0);
}
