//! The record behind a managed identity: no key anywhere, tokens of the platform's identity endpoint, Azurite over
//! TLS.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use understudy::sim::config::toml;
use understudy::sim::{Kind, Simulator, World};

use crate::azurite::{Azurite, fresh_table};
use crate::stage::{Stage, counted_round, entries, fire, get, quick, until};

const LOOKUP: &str = "/api/groups/contoso/active";

/// A certificate for this machine, and the authority that vouches for it.
struct Certificates {
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Certificates {
    fn in_folder(folder: &Path) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&authority_key).unwrap();
        let issuer = Issuer::new(params, authority_key);
        let key = KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let leaf = CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        Self {
            authority: write("authority.pem", authority.pem()),
            certificate: write("certificate.pem", leaf.pem()),
            key: write("key.pem", key.serialize_pem()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_is_kept_with_tokens_of_the_platforms_identity() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::in_folder(folder.path());
    let azurite = Azurite::start_with_tokens(&certificates.certificate, &certificates.key);
    let sim = Simulator::start(World::two_regions(), 0).await.unwrap();
    let endpoint = format!("https://127.0.0.1:{}/devstoreaccount1", azurite.port());
    let options = quick()
        .store("endpoint", endpoint)
        .store("table_prefix", fresh_table());
    let text = toml(sim.world(), sim.base_url(), &options);
    let mut settings: BTreeMap<String, String> = sim.environment().into_iter().collect();
    settings.insert(
        "SSL_CERT_FILE".to_owned(),
        certificates.authority.to_str().unwrap().to_owned(),
    );
    let stage = Stage::with(sim, &text, settings);
    let timer = stage.handler().await;
    let http = stage.handler().await;
    counted_round(&timer).await;
    assert_eq!(get(&http, LOOKUP).await["generation"], 0);

    stage.sim.break_region("westeurope");
    until("the group has moved", async || {
        fire(&timer).await;
        (get(&http, LOOKUP).await["site"] == "northeurope").then_some(())
    })
    .await;
    assert_eq!(entries(&http, "contoso", "failover").await.len(), 1);
    // The timer's process needs a token for ARM and one for the store, the other only the latter.
    assert_eq!(stage.sim.count(Kind::Token), 3);
}
