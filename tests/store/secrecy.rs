//! No credential and no row is ever printed: not by our code, not by the clients below it, at no level.

use std::io::Write;
use std::sync::{Arc, Mutex};

use understudy::adapters::store::Store;
use understudy::model::deployment::{StoreSpec, TableAccess};
use understudy::model::name::GroupName;
use understudy::model::secret::Secret;

use crate::azurite::{Azurite, connection_string, fresh_table};
use crate::fixtures::{entry, http, identity, sas, state};

/// Stands in rows, and nowhere else.
const BODY: &str = "xylophone";

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn store(connection_string: &str, table: &str) -> Store {
    let spec = StoreSpec::Table {
        access: TableAccess::ConnectionString(Secret::new(connection_string)),
        table: table.to_owned(),
    };
    Store::connect(&spec, &http(), &identity())
}

/// Create, insert, replace, stale replace, batch, reads; returns whatever could be printed of it.
async fn use_all(store: &Store) -> String {
    let group = GroupName::from("contoso");
    let mut said = format!("{store:?} {}\n", store.place());
    let mut note = |result: &dyn std::fmt::Debug| said.push_str(&format!("{result:?}\n"));
    note(
        &store
            .commit(&group, None, &state(0, BODY), &[])
            .await
            .map(|_| ()),
    );
    let before = store.group(&group).await.ok().flatten();
    let mut told = entry(1, BODY, 1);
    told.reason = Some(BODY.to_owned());
    for _ in 0..2 {
        let written = store
            .commit(
                &group,
                before.as_ref(),
                &state(1, BODY),
                std::slice::from_ref(&told),
            )
            .await;
        note(&written.map(|_| ()));
    }
    note(&store.snapshot().await.map(|_| ()));
    note(&store.history_page(&group, None, 10).await.map(|_| ()));
    said
}

#[tokio::test]
async fn nothing_secret_is_printed_at_any_level() {
    let captured = Captured::default();
    let writer = captured.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let azurite = Azurite::shared();
    let wrong_key = azurite.connection_string().replace("Eby8", "Aby8");
    let wrong_sas = sas("r").replace("sig=", "sig=AAAA");
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let unreachable_sas =
        sas("raud").replace(&format!(":{}/", azurite.port()), &format!(":{closed}/"));
    let table = fresh_table();
    let mut said = String::new();
    for connection in [
        azurite.connection_string(),
        sas("rwdlacu"),
        wrong_key,
        wrong_sas,
        connection_string(closed),
        unreachable_sas,
        "AccountName=acct;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ".to_owned(),
    ] {
        said.push_str(&use_all(&store(&connection, &table)).await);
    }
    let logged = String::from_utf8_lossy(&captured.0.lock().unwrap()).into_owned();
    assert!(logged.contains("made the table"), "nothing was captured");
    assert!(
        said.contains("403 AuthorizationFailure") && said.contains("is not base64"),
        "{said}"
    );
    for secret in ["SharedKey ", "Bearer ", "sig=", "Eby8", "Aby8", BODY] {
        for (name, text) in [("logs", &logged), ("errors", &said)] {
            if let Some(place) = text.find(secret) {
                let from = text[..place].rfind('\n').unwrap_or(0);
                panic!(
                    "{secret:?} in {name}: {}",
                    &text[from..text.len().min(place + 100)]
                );
            }
        }
    }
}
