//! This deployment's own tokens.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use futures::future::join_all;
use serde_json::json;
use understudy::adapters::azure::identity::{Identity, IdentityError};
use understudy::adapters::http::client;

use crate::support::azure::{Door, Fake, Reply, nobody, until};
use crate::{identity_with, patient, prober};

const SCOPE: &str = "https://storage.azure.com/.default";

#[tokio::test]
async fn it_speaks_the_platforms_protocol() {
    let fake = Fake::start().await;
    identity_with(&fake, &[]).token(SCOPE).await.unwrap();
    identity_with(&fake, &[("AZURE_CLIENT_ID", "user-assigned")])
        .token(SCOPE)
        .await
        .unwrap();
    let calls = fake.calls(Door::Identity);
    for call in &calls {
        assert_eq!(call.path, "/msi/token");
        assert_eq!(call.query["api-version"], "2019-08-01");
        assert_eq!(call.query["resource"], "https://storage.azure.com");
        assert_eq!(call.headers["x-identity-header"], "header-secret");
    }
    assert_eq!(calls[0].query.get("client_id"), None);
    assert_eq!(calls[1].query["client_id"], "user-assigned");
}

/// `azure_identity` chooses how it asks by the process's own environment, which only a new process can have.
#[test]
fn it_speaks_it_also_where_the_platform_has_set_the_environment() {
    for test in [
        "identity::it_speaks_the_platforms_protocol",
        "identity::failure_and_refusal_are_told_apart",
        "identity::one_failure_is_tried_again",
    ] {
        let run = std::process::Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact"])
            .env("IDENTITY_ENDPOINT", "http://localhost:1/msi/token")
            .env("IDENTITY_HEADER", "header-secret")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success() && said.contains("1 passed"), "{said}");
    }
}

#[tokio::test]
async fn one_token_per_audience_however_many_ask() {
    let fake = Fake::start().await;
    let identity = identity_with(&fake, &[]);
    assert_eq!(fake.count(Door::Identity), 0, "choosing touches no network");
    let all = join_all((0..100).map(|_| identity.token(SCOPE))).await;
    assert!(
        all.iter()
            .all(|token| token.as_ref().unwrap().secret.reveal() == "identity-secret-1")
    );
    assert_eq!(fake.count(Door::Identity), 1);
    identity
        .token("https://vault.azure.net/.default")
        .await
        .unwrap();
    assert_eq!(fake.count(Door::Identity), 2);
}

#[tokio::test]
async fn a_token_is_renewed_early_and_kept_to_its_end() {
    let fake = Fake::start().await;
    let identity = identity_with(&fake, &[]);
    let name = async || {
        identity
            .token(SCOPE)
            .await
            .map(|token| token.secret.reveal().to_owned())
    };
    assert_eq!(name().await.unwrap(), "identity-secret-1");

    fake.always(Door::Identity, Reply::text(503, ""));
    fake.put_forward(24 * 60 - 8);
    assert_eq!(
        name().await.unwrap(),
        "identity-secret-1",
        "good for eight more minutes"
    );
    until("the renewal that fails, twice", || {
        fake.count(Door::Identity) == 3
    })
    .await;
    for _ in 0..20 {
        assert_eq!(name().await.unwrap(), "identity-secret-1");
    }
    assert_eq!(fake.count(Door::Identity), 3, "not asked at every turn");

    fake.mend(Door::Identity);
    fake.put_forward(1);
    let mut renewed = String::new();
    while renewed != "identity-secret-4" {
        renewed = name().await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(fake.count(Door::Identity), 4);

    fake.always(Door::Identity, Reply::text(503, ""));
    fake.put_forward(25 * 60);
    assert!(
        matches!(
            identity.token(SCOPE).await,
            Err(IdentityError::Unavailable(_))
        ),
        "expired"
    );
}

#[tokio::test]
async fn failure_and_refusal_are_told_apart() {
    let fake = Fake::start().await;
    let refusal =
        json!({"statusCode": 400, "message": "No identity header-secret found"}).to_string();
    let cases = [
        (Reply::text(400, &refusal), "refused"),
        (Reply::text(401, ""), "refused"),
        (Reply::text(403, ""), "refused"),
        (Reply::text(404, ""), "refused"),
        (Reply::text(302, ""), "unavailable"),
        (Reply::text(429, ""), "unavailable"),
        (Reply::text(500, ""), "unavailable"),
        (Reply::text(200, "<html>"), "unavailable"),
        (Reply::text(200, "{}"), "unavailable"),
    ];
    for (reply, expected) in cases {
        let status = reply.status;
        fake.always(Door::Identity, reply);
        let before = fake.count(Door::Identity);
        let error = identity_with(&fake, &[]).token(SCOPE).await.unwrap_err();
        let kind = match &error {
            IdentityError::Unavailable(_) => "unavailable",
            IdentityError::Refused(_) => "refused",
        };
        assert_eq!(kind, expected, "{status}: {error}");
        let tries = if kind == "refused" { 1 } else { 2 };
        assert_eq!(fake.count(Door::Identity) - before, tries, "{status}");
        assert!(!error.to_string().contains("header-secret"), "{error}");
    }
    let gone = format!("{}/msi/token", nobody().await);
    let nowhere = identity_with(&fake, &[("IDENTITY_ENDPOINT", &gone)]);
    let error = nowhere.token(SCOPE).await.unwrap_err();
    assert!(
        matches!(&error, IdentityError::Unavailable(line) if line.contains("connection refused")),
        "{error}"
    );
}

#[tokio::test]
async fn one_failure_is_tried_again() {
    let fake = Fake::start().await;
    let expires = fake.clock().now().as_second() + 3600;
    fake.script(Door::Identity, move |_, n| match n {
        1 => Reply::text(500, ""),
        _ => Reply::json(
            200,
            &json!({"access_token": "t", "token_type": "Bearer",
            "expires_on": expires.to_string(), "resource": "r"}),
        ),
    });
    let token = identity_with(&fake, &[]).token(SCOPE).await.unwrap();
    assert_eq!(token.secret.reveal(), "t");
    assert_eq!(token.expires_at.as_second(), expires);
}

#[tokio::test]
async fn a_client_secret_is_for_elsewhere() {
    let fake = Fake::start().await;
    fake.always(
        Door::Identity,
        Reply::json(
            200,
            &json!({"access_token": "t", "token_type": "Bearer", "expires_in": 3600}),
        ),
    );
    let settings = [
        ("AZURE_TENANT_ID", "11111111-1111-1111-1111-111111111111"),
        ("AZURE_CLIENT_ID", "app"),
        ("AZURE_CLIENT_SECRET", "client-secret"),
        ("AZURE_AUTHORITY_HOST", fake.base.as_str()),
        ("IDENTITY_ENDPOINT", ""),
    ];
    let identity = identity_with(&fake, &settings);
    assert_eq!(identity.token(SCOPE).await.unwrap().secret.reveal(), "t");
    let call = &fake.calls(Door::Identity)[0];
    assert_eq!(
        call.path,
        "/11111111-1111-1111-1111-111111111111/oauth2/v2.0/token"
    );
    let body = call.body.as_str().unwrap();
    assert!(body.contains("client_secret=client-secret") && body.contains("storage.azure.com"));

    let refusal = json!({"error": "invalid_client", "error_description": "AADSTS7000222: expired client-secret\nTrace: x"});
    fake.always(Door::Identity, Reply::json(401, &refusal));
    let error = identity_with(&fake, &settings)
        .token(SCOPE)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("AADSTS7000222") && !error.contains("client-secret"),
        "{error}"
    );
}

#[tokio::test]
async fn nothing_usable_is_a_refusal_that_says_what_to_do() {
    let settings = BTreeMap::from([("AZURE_CLIENT_SECRET", "client-secret")]);
    let setting = |name: &str| settings.get(name).map(|value| (*value).to_owned());
    let identity = Identity::from_settings(&client().unwrap(), &setting);
    let error = identity.token(SCOPE).await.unwrap_err().to_string();
    assert!(
        error.contains("set all three") && !error.contains("client-secret"),
        "{error}"
    );
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_in_any_log_or_debug_text() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let fake = Fake::start().await;
    let prober = prober(&fake);
    let account = fake.account("a");
    let mut shown = format!(
        "{:?}",
        prober.probe("westeurope", &account, &patient()).await
    );
    fake.script(Door::List, |call, _| {
        Reply::text(401, call.bearer().unwrap_or_default())
    });
    shown += &format!(
        "{:?}",
        prober.probe("westeurope", &account, &patient()).await
    );
    fake.always(Door::Mint, Reply::text(500, "identity-secret-1"));
    fake.put_forward(70);
    shown += &format!(
        "{:?} {prober:?}",
        prober.probe("westeurope", &account, &patient()).await
    );
    drop(guard);
    shown += &String::from_utf8_lossy(&log.0.lock().unwrap());
    assert!(shown.contains("hyper"), "the log was not written");
    for secret in ["header-secret", "identity-secret", "eyJ", "Bearer"] {
        let at = shown.find(secret).map(|at| {
            shown[at.saturating_sub(200)..]
                .chars()
                .take(300)
                .collect::<String>()
        });
        assert_eq!(at, None, "{secret} was shown");
    }
}
