//! Stores to test, and things to keep in them.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use understudy::adapters::azure::identity::Identity;
use understudy::adapters::store::Store;
use understudy::adapters::store::connection;
use understudy::adapters::store::embedded::EmbeddedStore;
use understudy::adapters::store::rows::{Properties, RowStore, Write, Written};
use understudy::adapters::store::table::TableStore;
use understudy::model::answer::{Answer, AnswerAccounts};
use understudy::model::deployment::{StoreSpec, TableAccess};
use understudy::model::history::{HistoryEntry, HistoryKind};
use understudy::model::moves::Cause;
use understudy::model::name::SiteName;
use understudy::model::secret::Secret;
use understudy::model::state::GroupState;

use crate::azurite::{Azurite, connection_string, fresh_table};

pub fn http() -> reqwest::Client {
    understudy::adapters::http::client().unwrap()
}

pub fn identity() -> Identity {
    Identity::from_settings(&http(), &|_| None)
}

/// Rows in this table, reached by this connection string.
pub fn table(connection_string: &str, table: &str) -> Arc<dyn RowStore> {
    let connection = connection::parse(connection_string).unwrap();
    Arc::new(TableStore::new(connection, table, &http(), &identity()))
}

/// Rows in a local file in this folder.
pub fn file(folder: &Path) -> Arc<dyn RowStore> {
    Arc::new(EmbeddedStore::new(folder))
}

/// A store as a deployment would connect it.
pub fn connect(port: u16, table: &str) -> Store {
    let spec = StoreSpec::Table {
        access: TableAccess::ConnectionString(Secret::new(connection_string(port))),
        table: table.to_owned(),
    };
    Store::connect(&spec, &http(), &identity())
}

/// A connection string with an account SAS for containers and entities that allows this, for example
/// `raud`.
pub fn sas(permissions: &str) -> String {
    use base64::Engine;
    use hmac::{Hmac, Mac};
    let account = azure_storage::EMULATOR_ACCOUNT;
    let engine = base64::engine::general_purpose::STANDARD;
    let key = engine.decode(azure_storage::EMULATOR_ACCOUNT_KEY).unwrap();
    let expiry = "2099-01-01T00:00:00Z";
    let text = format!("{account}\n{permissions}\nt\nco\n\n{expiry}\n\n\n2019-02-02\n");
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
    mac.update(text.as_bytes());
    let pairs = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("sv", "2019-02-02")
        .append_pair("ss", "t")
        .append_pair("srt", "co")
        .append_pair("se", expiry)
        .append_pair("sp", permissions)
        .append_pair("sig", &engine.encode(mac.finalize().into_bytes()))
        .finish();
    format!(
        "TableEndpoint=http://127.0.0.1:{}/{account};SharedAccessSignature={pairs}",
        Azurite::shared().port(),
    )
}

/// Every store that ships, each empty; the folder must outlive them.
pub fn stores(folder: &Path) -> Vec<(&'static str, Arc<dyn RowStore>)> {
    vec![
        (
            "key",
            table(&Azurite::shared().connection_string(), &fresh_table()),
        ),
        ("sas", table(&sas("rwdlacu"), &fresh_table())),
        ("file", file(folder)),
    ]
}

pub fn properties(value: serde_json::Value) -> Properties {
    value.as_object().unwrap().clone()
}

pub fn text(value: &str) -> Properties {
    properties(json!({ "text": value }))
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

/// A record at this generation.
pub fn state(generation: u64, site: &str) -> GroupState {
    let answer = Answer {
        site: SiteName::from(site),
        region: site.to_owned(),
        accounts: AnswerAccounts::default(),
    };
    let mut state = GroupState::new(answer, at(0));
    state.generation = generation;
    state
}

/// The history entry of a move to this site.
pub fn entry(generation: u64, site: &str, seconds: i64) -> HistoryEntry {
    HistoryEntry {
        at: at(seconds),
        generation,
        rule: "R1".to_owned(),
        kind: HistoryKind::Failover,
        from: SiteName::from("elsewhere"),
        to: Some(SiteName::from(site)),
        actor: "understudy".to_owned(),
        reason: None,
        cause: Cause::Automatic,
        forced: false,
        hold: None,
        times: None,
        evidence: Vec::new(),
        active: SiteName::from(site),
    }
}

/// Inserts a row as somebody else would.
pub async fn put(rows: &Arc<dyn RowStore>, key: &str, properties: Properties) {
    let write = Write::Insert {
        key: key.to_owned(),
        properties,
    };
    assert!(
        matches!(
            rows.transact(vec![write]).await.unwrap(),
            Written::Applied(_)
        ),
        "{key}"
    );
}
