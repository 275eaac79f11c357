//! Every type that may hold a secret, with a real one in it, as `Debug` prints it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use understudy::adapters::activation::Activator;
use understudy::adapters::azure::account_token::AccountTokens;
use understudy::adapters::azure::arm::Arm;
use understudy::adapters::azure::credential::Source;
use understudy::adapters::azure::identity::Identity;
use understudy::adapters::azure::keeper::{Clock, Held, Token};
use understudy::adapters::http::client;
use understudy::adapters::probe::Prober;
use understudy::adapters::store::table::TableStore;
use understudy::adapters::store::{Store, connection};
use understudy::config;
use understudy::controller::Controller;
use understudy::functions::gate::App;
use understudy::local::child::Launch;
use understudy::local::host::Plan;
use understudy::local::host_json;
use understudy::model::deployment::{StoreSpec, TableAccess};
use understudy::model::name::GroupName;
use understudy::model::policy::Policy;
use understudy::model::secret::Secret;
use understudy::model::spec::{AccountSpec, VideoIndexerSpec};
use understudy::sim::{Fault, Scope, Service};

use crate::azurite::{Azurite, fresh_table};
use crate::secrets::{
    CLIENT_SECRET, MKIO_TOKEN, QUERY_KEY, SIGNATURE, STORE_KEY, azure, with_store,
};

const HEADER: &str = "Planted1dentityHeader";

/// Everything that was printed.
#[derive(Default)]
struct Printed(Vec<(String, String)>);

impl Printed {
    fn note(&mut self, what: &str, value: &dyn Debug) {
        self.0.push((what.to_owned(), format!("{value:?}")));
        self.0.push((what.to_owned(), format!("{value:#?}")));
    }

    fn says(&mut self, what: &str, text: impl Into<String>) {
        self.0.push((what.to_owned(), text.into()));
    }

    fn search(&self, planted: &[&str]) {
        assert!(self.0.len() > 20);
        for (what, text) in &self.0 {
            assert!(!text.is_empty(), "{what}");
            for secret in planted.iter().chain(&["eyJ"]) {
                assert!(!text.contains(secret), "{secret} is in {what}: {text}");
            }
        }
    }
}

const PLANTED: [&str; 7] = [
    CLIENT_SECRET,
    MKIO_TOKEN,
    QUERY_KEY,
    SIGNATURE,
    STORE_KEY,
    HEADER,
    azure_storage::EMULATOR_ACCOUNT_KEY,
];

fn settings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn identity(settings: &BTreeMap<String, String>) -> Identity {
    Identity::from_settings(&client().unwrap(), &|name| settings.get(name).cloned())
}

fn video_indexer(loaded: &config::Loaded) -> VideoIndexerSpec {
    let group = &loaded.settings.deployment.groups[&GroupName::from("contoso")];
    let accounts = group.sites.iter().flat_map(|site| &site.accounts);
    let mut found = accounts.filter_map(|account| match account {
        AccountSpec::VideoIndexer(spec) => Some(spec.clone()),
        _ => None,
    });
    found.next().expect("it has one")
}

#[test]
fn of_credentials() {
    let mut printed = Printed::default();
    printed.note("a secret", &Secret::new(STORE_KEY));
    let managed = settings(&[
        ("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi"),
        ("IDENTITY_HEADER", HEADER),
    ]);
    let application = settings(&[
        ("AZURE_TENANT_ID", "tenant"),
        ("AZURE_CLIENT_ID", "client"),
        ("AZURE_CLIENT_SECRET", CLIENT_SECRET),
    ]);
    let half = settings(&[("AZURE_CLIENT_SECRET", CLIENT_SECRET)]);
    for given in [&managed, &application, &half] {
        printed.note(
            "a source",
            &Source::choose(&|name| given.get(name).cloned()),
        );
        printed.note("an identity", &identity(given));
    }
    let token = Token {
        secret: Secret::new("eyJhbGciOiJub25lIn0.eyJ9.x"),
        expires_at: Timestamp::now(),
    };
    printed.note("a token", &token);
    let held = Held {
        token,
        minted_at: Timestamp::now(),
    };
    printed.note("a kept token", &held);

    let sas = format!("sv=2022-11-02&ss=t&sig={SIGNATURE}");
    let http = client().unwrap();
    for text in [
        format!("AccountName=acct;AccountKey={STORE_KEY}"),
        format!("AccountName=acct;SharedAccessSignature={sas}"),
        format!("TableEndpoint=https://acct.table.core.windows.net/?{sas}"),
        "UseDevelopmentStorage=true".to_owned(),
        format!("AccountKey={STORE_KEY};{sas}"),
        format!("AccountName={STORE_KEY}/;AccountKey={STORE_KEY}!"),
        format!("TableEndpoint=https://me:{STORE_KEY}@acct;SharedAccessSignature={sas}"),
        STORE_KEY.to_owned(),
    ] {
        match connection::parse(&text) {
            Ok(connection) => {
                printed.note("a connection", &connection);
                let store = TableStore::new(connection, "t", &http, &identity(&managed));
                printed.note("a table", &store);
            }
            Err(error) => printed.says("a bad connection string", error),
        }
        let access = TableAccess::ConnectionString(Secret::new(text));
        let table = "t".to_owned();
        let spec = StoreSpec::Table { access, table };
        printed.note("a store's settings", &spec);
        let store = Store::connect(&spec, &http, &identity(&managed));
        printed.note("a store", &store);
        printed.says("a store's place", store.place());
    }
    printed.search(&PLANTED);
}

#[test]
fn of_settings() {
    let mut printed = Printed::default();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("understudy.toml");
    let site = |region: &str, url: &str| {
        format!(
            "[[groups.sites]]\nregion = \"{region}\"\n[groups.sites.media_services]\nkind = \"mkio\"\naccount_name = \"{region}\"\ntoken = \"{MKIO_TOKEN}\"\n[[groups.sites.http]]\nname = \"web\"\nurl = \"{url}\"\n"
        )
    };
    let store = format!("connection_string = \"AccountName=acct;AccountKey={STORE_KEY}\"");
    let target = format!("https://control.example/?code={QUERY_KEY}");
    for (store, target, url) in [
        (
            store.as_str(),
            target.as_str(),
            format!("https://web.example/health?code={QUERY_KEY}"),
        ),
        (
            &format!("{store}\nkind = \"{STORE_KEY}\""),
            &target,
            format!("https://web.example?{QUERY_KEY}"),
        ),
        (
            &format!("conection_string = \"{STORE_KEY}\""),
            QUERY_KEY,
            format!("https://u:{QUERY_KEY}@web.example"),
        ),
        (
            &format!("connection_string = \"{STORE_KEY}\""),
            "",
            format!("ftp://web.example/?k={QUERY_KEY}"),
        ),
        (
            &format!("endpoint = \"https://acct.table.core.windows.net/?sig={SIGNATURE}\""),
            &target,
            format!("web?k={QUERY_KEY}"),
        ),
        (
            &format!("connection_string = \"{STORE_KEY}"),
            &target,
            String::new(),
        ),
    ] {
        let text = format!(
            "[controller]\ncontrol_target = \"{target}\"\n[store]\n{store}\n[[groups]]\nname = \"contoso\"\n{}{}",
            site("westeurope", &url),
            site("northeurope", &url),
        );
        std::fs::write(&file, text).unwrap();
        let env = settings(&[
            ("UNDERSTUDY__STORE__CONNECTION", STORE_KEY),
            ("UNDERSTUDY__STORE__KIND", STORE_KEY),
            (
                "AzureWebJobsStorage",
                &format!("AccountKey={STORE_KEY};oops"),
            ),
        ]);
        for env in [&BTreeMap::new(), &env] {
            let loaded = config::load(&file, env);
            printed.note("a configuration", &loaded);
            for finding in loaded.problems.iter().chain(&loaded.warnings) {
                printed.says("a finding", finding.to_string());
            }
            for group in loaded.settings.deployment.groups.values() {
                for site in &group.sites {
                    printed.note("a site's answer", &site.answer());
                }
            }
        }
    }
    printed.search(&PLANTED);
    // What a lookup hands out is not masked: that is what it is for.
    let url = format!("https://web.example/health?code={QUERY_KEY}");
    let text = format!(
        "[store]\n{store}\n[[groups]]\nname = \"contoso\"\n{}{}",
        site("westeurope", &url),
        site("northeurope", &url)
    );
    std::fs::write(&file, text).unwrap();
    let loaded = config::load(&file, &BTreeMap::new());
    let group = &loaded.settings.deployment.groups[&GroupName::from("contoso")];
    assert_eq!(group.sites[0].answer().accounts.http["web"], url);
    let shown = format!("{group:?}");
    assert!(
        shown.contains("https://web.example/health?code=[secret]"),
        "{shown}"
    );
}

#[test]
fn of_the_local_host() {
    let mut printed = Printed::default();
    let secrets = settings(&[
        ("UNDERSTUDY__STORE__CONNECTION_STRING", STORE_KEY),
        ("AZURE_CLIENT_SECRET", CLIENT_SECRET),
    ]);
    let host = include_str!("../../host.json");
    let host = host_json::read(host, &secrets).unwrap();
    let directory = std::env::temp_dir();
    let launch = Launch {
        program: "understudy".into(),
        host: host.clone(),
        root: directory.clone(),
        environment: secrets.clone(),
        port: 1,
    };
    printed.note("what is started", &launch);
    let plan = Plan {
        host,
        functions: Vec::new(),
        program: "understudy".into(),
        directory,
        settings: secrets,
    };
    for _ in 0..10 {
        printed.note("a plan", &plan);
    }
    printed.search(&PLANTED);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_everything_that_runs_with_real_tokens_and_of_its_errors() {
    let mut printed = Printed::default();
    let (sim, given) = azure().await;
    let header = given["IDENTITY_HEADER"].clone();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("understudy.toml");
    let azurite = Azurite::shared().connection_string();
    std::fs::write(&file, with_store(&sim, &azurite)).unwrap();
    let loaded = config::load(&file, &given);
    let http = client().unwrap();
    let identity = identity(&given);
    let prober = Prober::new(http.clone(), identity.clone());
    let arm = Arm::new(http.clone(), identity.clone());
    let tokens = AccountTokens::new(arm.clone(), Clock::default());
    let store = Store::connect(&loaded.settings.store, &http, &identity);
    let controller = Controller::new(
        loaded.settings.deployment.clone(),
        store.clone(),
        prober.clone(),
        Activator::new(http.clone(), identity.clone()),
    );
    let app = App::new(Arc::clone(&controller), false);
    let spec = video_indexer(&loaded);
    let account = AccountSpec::VideoIndexer(spec.clone());
    let scope = "https://management.azure.com/.default";
    let limit = Duration::from_secs(5);
    for fault in [
        None,
        Some(Fault::Deny(None)),
        Some(Fault::Error(503)),
        Some(Fault::Garbage),
        Some(Fault::Down),
    ] {
        sim.mend_all();
        if let Some(fault) = fault {
            sim.revoke_account_tokens();
            for service in [Service::Identity, Service::Arm, Service::VideoIndexer] {
                sim.set(service, Scope::everywhere(), fault);
            }
        }
        printed.note("a fetched token", &identity.get(scope).await);
        printed.note("a minted token", &tokens.get(&spec, limit).await);
        printed.note("a secret of ARM", &arm.generate_access_token(&spec).await);
        printed.note("a resource", &arm.account(&spec).await);
        printed.note("a token anew", &tokens.renew(&spec).await);
        let policy = Policy::default();
        let reading = prober.probe("westeurope", &account, &policy).await;
        printed.note("a reading", &reading);
        printed.note("a tick", &controller.tick().await);
        let group = GroupName::from("contoso");
        printed.note("a lookup", &controller.lookup(&group, None).await);
        printed.note("a group", &controller.view(&group).await);
        printed.note("a snapshot", &store.snapshot().await);
        for (what, value) in [
            ("an identity", &identity as &dyn Debug),
            ("tokens", &tokens),
            ("ARM", &arm),
            ("a prober", &prober),
            ("a store", &store),
            ("a controller", &controller),
            ("an app", &app),
            ("settings", &loaded),
            ("a simulator", &sim),
        ] {
            printed.note(what, value);
        }
    }
    // A store that refuses, that is nowhere, and whose settings are no settings.
    let wrong = azurite.replace("Eby8", "Aby8");
    let nowhere =
        format!("AccountName=acct;AccountKey={STORE_KEY};TableEndpoint=http://127.0.0.1:1/acct");
    for text in [wrong.as_str(), &nowhere, STORE_KEY] {
        let access = TableAccess::ConnectionString(Secret::new(text));
        let table = fresh_table();
        let spec = StoreSpec::Table { access, table };
        let store = Store::connect(&spec, &http, &identity);
        let failed = store.snapshot().await.unwrap_err();
        printed.note("a store's error", &failed);
        printed.says("a store's error", failed.to_string());
    }
    printed.search(&[PLANTED.as_slice(), &[&header, "Aby8"]].concat());
}
