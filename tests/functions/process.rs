//! The binary as the host runs it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::handler::{Handler, TWO_SITES, command};

fn folder(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("understudy.toml"), config).unwrap();
    folder
}

fn settings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[tokio::test]
async fn it_answers_the_host_and_survives_being_killed() {
    let folder = folder(TWO_SITES);
    let handler = Handler::start(folder.path(), &settings(&[])).await;
    let (status, body) = handler.fire(&[]).await;
    assert_eq!(status, 200, "{body}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert!(body["Logs"].is_array() && body["Outputs"].is_object());
    let (status, _) = handler.fire(&[("x-forwarded-for", "203.0.113.9")]).await;
    assert_eq!(status, 403);
    let order = r#"{"reason":"rehearsal","force":true}"#;
    let (status, body) = handler
        .post("/api/groups/contoso/failover?code=k", order)
        .await;
    assert_eq!(status, 200, "{body}");
    assert!(!handler.kill().success());

    let handler = Handler::start(folder.path(), &settings(&[])).await;
    let (status, body) = handler.get("/api/groups/contoso/active").await;
    assert_eq!(status, 200, "{body}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["generation"], 1);
    assert_eq!(body["site"], "northeurope");
}

#[tokio::test]
async fn with_a_bad_configuration_it_stays_up_and_says_so() {
    let folder = folder("[store]\nkind = \"embedded\"\npath = \"state\"\nnonsense = 1\n");
    let handler = Handler::start(folder.path(), &settings(&[])).await;
    let (status, body) = handler.get("/api/health").await;
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("nonsense"), "{body}");
    let (status, _) = handler.get("/").await;
    assert_eq!(status, 200);
}

/// The setting stands in for a machine that has none: both lead to the same empty list.
#[tokio::test]
async fn without_ca_certificates_health_says_so_if_anything_needs_them() {
    let none = &[("SSL_CERT_FILE", "/nowhere/certificates.pem")][..];
    let probed = TWO_SITES.replacen("http://127.0.0.1:9/", "https://127.0.0.1:9/", 1);
    let control = TWO_SITES.replace(
        "[store]",
        "control_target = \"https://127.0.0.1:9/\"\n[store]",
    );
    let kept = TWO_SITES.replace(
        "kind = \"embedded\"\npath = \"state\"",
        "endpoint = \"https://127.0.0.1:9/acct\"",
    );
    for (name, config, pairs, is_missed) in [
        ("a probe over TLS", probed.as_str(), none, true),
        ("a control target over TLS", control.as_str(), none, true),
        ("a store over TLS", kept.as_str(), none, true),
        ("nothing over TLS", TWO_SITES, none, false),
    ] {
        let folder = folder(config);
        let handler = Handler::start(folder.path(), &settings(pairs)).await;
        let (status, body) = handler.get("/api/health").await;
        assert_eq!(status, if is_missed { 503 } else { 200 }, "{name}: {body}");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let told = body["reasons"].as_array().unwrap().iter().any(|reason| {
            let reason = reason.as_str().unwrap();
            reason.contains("CA certificate") && reason.contains("SSL_CERT_FILE points")
        });
        assert_eq!(told, is_missed, "{name}: {body}");
    }
}

/// Certificates that an app setting names are enough.
#[tokio::test]
async fn certificates_may_be_in_a_file_that_a_setting_names() {
    let folder = folder(&TWO_SITES.replacen("http://127.0.0.1:9/", "https://127.0.0.1:9/", 1));
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(["ca.example".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
    let named = settings(&[("SSL_CERT_FILE", "ca.pem")]);
    let handler = Handler::start(folder.path(), &named).await;
    let (status, body) = handler.get("/api/health").await;
    assert_eq!(status, 200, "{body}");
}

#[test]
fn without_a_good_port_it_says_so_in_one_line_and_fails() {
    for pairs in [
        &[][..],
        &[("FUNCTIONS_CUSTOMHANDLER_PORT", "seven")][..],
        &[("FUNCTIONS_CUSTOMHANDLER_PORT", "0")][..],
    ] {
        let output = command(Path::new("."), &settings(pairs)).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(said.trim().lines().count(), 1, "{said}");
        assert!(said.contains("FUNCTIONS_CUSTOMHANDLER_PORT"), "{said}");
    }
}

#[test]
fn a_port_that_is_taken_is_an_error() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let pairs = [("FUNCTIONS_CUSTOMHANDLER_PORT", port.as_str())];
    let output = command(Path::new("."), &settings(&pairs)).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(said.contains(&port), "{said}");
}
