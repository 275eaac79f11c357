//! Rows in Azure Table Storage, Azurite or Azure Cosmos DB for Table, through `azure_data_tables` and
//! the sealed transport. Together with `sealed` the only place that knows the 0.21 crates.
//!
//! Each call makes its own client: that costs nothing beside the request, and so the transport has
//! the call's own deadline and token, and can say what became of this call.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core_021::{ClientOptions, RetryOptions, TransportOptions};
use azure_data_tables::clients::{TableClient, TableServiceClientBuilder};
use azure_data_tables::{Filter, IfMatchCondition, Select};
use azure_storage::{CloudLocation, StorageCredentials};
use futures::StreamExt;
use serde_json::Value;
use tokio::time::Instant;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;

use super::connection::{Connection, Proof};
use super::entity::{self, PARTITION};
use super::rows::{
    CALL_LIMIT_SECONDS, Page, Place, Row, RowError, RowStore, Write, Written, is_key,
};
use super::sealed::{Ending, Sealed, Signer};
use super::trouble::{self, Trouble};
use crate::adapters::azure::identity::{Identity, IdentityError};

/// What a call is given before it ends.
const CALL_LIMIT: Duration = Duration::from_secs(CALL_LIMIT_SECONDS);
/// The most writes of one entity-group transaction.
const BATCH_LIMIT: usize = 100;

/// One table.
pub struct TableStore {
    connection: Connection,
    table: String,
    http: reqwest::Client,
    identity: Identity,
}

impl std::fmt::Debug for TableStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("TableStore")
            .field("connection", &self.connection)
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

/// One call's client, and where its transport notes what happened.
struct Call {
    table: TableClient,
    ending: Arc<Mutex<Option<Ending>>>,
}

impl Call {
    fn ending(&self) -> Option<Ending> {
        self.ending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl TableStore {
    /// A table reached like this. Touches no network.
    #[must_use]
    pub fn new(
        connection: Connection,
        table: &str,
        http: &reqwest::Client,
        identity: &Identity,
    ) -> Self {
        Self {
            connection,
            table: table.to_owned(),
            http: http.clone(),
            identity: identity.clone(),
        }
    }

    async fn signer(&self, deadline: Instant) -> Result<Signer, RowError> {
        match &self.connection.proof {
            Proof::Key { account, key } => Ok(Signer::Key {
                account: account.clone(),
                key: key.clone(),
            }),
            Proof::Sas(sas) => Ok(Signer::Sas(sas.clone())),
            Proof::Identity { scope } => {
                match tokio::time::timeout_at(deadline, self.identity.token(scope)).await {
                    Ok(Ok(token)) => Ok(Signer::Bearer(token.secret)),
                    Ok(Err(IdentityError::Unavailable(detail))) => Err(RowError::Unavailable {
                        detail: format!("no token for the store: {detail}"),
                    }),
                    Ok(Err(IdentityError::Refused(detail))) => Err(RowError::Refused {
                        detail: format!("no token for the store: {detail}"),
                    }),
                    Err(_) => Err(RowError::Unavailable {
                        detail: "no token for the store in time".to_owned(),
                    }),
                }
            }
        }
    }

    async fn call(&self, deadline: Instant) -> Result<Call, RowError> {
        let signer = self.signer(deadline).await?;
        let sealed = Sealed::new(self.http.clone(), signer, deadline);
        let ending = sealed.ending();
        let location = CloudLocation::Custom {
            account: String::new(),
            uri: self.connection.endpoint.clone(),
        };
        let options =
            ClientOptions::new(TransportOptions::new(Arc::new(sealed))).retry(RetryOptions::none());
        let service =
            TableServiceClientBuilder::with_location(location, StorageCredentials::anonymous())
                .client_options(options)
                .build();
        Ok(Call {
            table: service.table_client(&self.table),
            ending,
        })
    }

    /// What to make of a call that the table client did not call a success.
    fn trouble(&self, call: &Call) -> Trouble {
        trouble::of(call.ending(), &self.connection, &self.table)
    }

    /// Makes the table. One that is there already is as good, whoever made it.
    async fn create(&self, deadline: Instant) -> Result<(), RowError> {
        let call = self.call(deadline).await?;
        let done = quiet(call.table.create().into_future()).await;
        match (done, call.ending()) {
            (Ok(_), _)
            | (
                _,
                Some(Ending::Answered {
                    status: 200..300, ..
                }),
            ) => {
                tracing::info!("made the table {}", self.table);
                Ok(())
            }
            (Err(_), _) => match self.trouble(&call) {
                Trouble::Conflict => Ok(()),
                Trouble::Error(RowError::Refused { detail }) => Err(RowError::Refused {
                    detail: format!(
                        "there is no table {}, and it could not be made: {detail}; or make the table by hand",
                        self.table
                    ),
                }),
                other => Err(other.into()),
            },
        }
    }

    async fn read_row(&self, key: &str, deadline: Instant) -> Result<Option<Row>, Trouble> {
        let call = self.call(deadline).await.map_err(Trouble::Error)?;
        let entity = call
            .table
            .partition_key_client(PARTITION)
            .entity_client(key);
        match quiet(entity.get::<Value>().into_future()).await {
            Ok(found) => Ok(entity::row(found.entity, Some(found.etag.as_ref()))),
            Err(_) => match self.trouble(&call) {
                Trouble::NoRow | Trouble::NoTable => Ok(None),
                other => Err(other),
            },
        }
    }

    async fn read_page(
        &self,
        (from, to): (&str, &str),
        columns: &[&str],
        place: Option<Place>,
        deadline: Instant,
    ) -> Result<Page, Trouble> {
        let is_first = place.is_none();
        let call = self.call(deadline).await.map_err(Trouble::Error)?;
        let filter =
            format!("PartitionKey eq '{PARTITION}' and RowKey ge '{from}' and RowKey lt '{to}'");
        let mut query = call.table.query().filter(Filter::new(filter));
        if !columns.is_empty() {
            let select = format!("PartitionKey,RowKey,{}", columns.join(","));
            query = query.select(Select::new(select));
        }
        if let Some(place) = place {
            query = query.initial_partition_key(place.partition);
            if let Some(row) = place.row {
                query = query.initial_row_key(row);
            }
        }
        let mut pages = Box::pin(query.into_stream::<Value>());
        match quiet(pages.next()).await {
            None => Ok(Page::default()),
            Some(Ok(page)) => {
                let next = azure_core_021::prelude::Continuable::continuation(&page);
                let entities = page.entities.into_iter();
                Ok(Page {
                    rows: entities
                        .filter_map(|value| entity::row(value, None))
                        .collect(),
                    next: next.map(|(partition, row)| Place { partition, row }),
                })
            }
            Some(Err(_)) => match self.trouble(&call) {
                // A table that goes between two pages has lost what is missing.
                Trouble::NoTable | Trouble::NoRow if is_first => Ok(Page::default()),
                other => Err(other),
            },
        }
    }

    async fn write_one(&self, write: &Write, deadline: Instant) -> Result<Vec<String>, Trouble> {
        let call = self.call(deadline).await.map_err(Trouble::Error)?;
        let entity = |key: &str| {
            call.table
                .partition_key_client(PARTITION)
                .entity_client(key)
        };
        let done = match write {
            Write::Insert { key, properties } => {
                match call.table.insert::<_, Value>(entity::body(key, properties)) {
                    Ok(request) => quiet(request.into_future())
                        .await
                        .map(|done| done.etag.as_ref().to_owned()),
                    Err(error) => Err(error),
                }
            }
            Write::Replace {
                key,
                etag,
                properties,
            } => match entity(key).update(entity::body(key, properties), condition(etag)) {
                Ok(request) => quiet(request.into_future())
                    .await
                    .map(|done| done.etag.as_ref().to_owned()),
                Err(error) => Err(error),
            },
            Write::Delete { key, etag } => {
                let request = entity(key).delete().if_match(condition(etag));
                quiet(request.into_future()).await.map(|_| String::new())
            }
        };
        done.map(|etag| vec![etag]).map_err(|_| self.trouble(&call))
    }

    async fn write_batch(
        &self,
        writes: &[Write],
        deadline: Instant,
    ) -> Result<Vec<String>, Trouble> {
        let call = self.call(deadline).await.map_err(Trouble::Error)?;
        let mut batch = call.table.partition_key_client(PARTITION).transaction();
        for write in writes {
            let added = match write {
                Write::Insert { key, properties } => batch.insert(entity::body(key, properties)),
                Write::Replace {
                    key,
                    etag,
                    properties,
                } => batch.update(key, entity::body(key, properties), Some(condition(etag))),
                Write::Delete { key, etag } => batch.delete(key, Some(condition(etag))),
            };
            batch = added.map_err(|_| {
                refused("a row of the transaction could not be written as JSON".to_owned())
            })?;
        }
        let Ok(done) = quiet(batch.into_future()).await else {
            return Err(self.trouble(&call));
        };
        // A transaction that failed comes as success with one answer, that of the write that failed.
        let answers = &done.operation_responses;
        if let Some(failed) = answers.iter().find(|one| !one.status_code.is_success()) {
            let (code, message) = match call.ending() {
                Some(Ending::Answered { code, message, .. }) => (code, message),
                _ => (None, None),
            };
            let inner = Ending::Answered {
                status: u16::from(failed.status_code),
                code,
                message,
            };
            return Err(trouble::of(Some(inner), &self.connection, &self.table));
        }
        if answers.len() != writes.len() {
            return Err(Trouble::Error(RowError::Unavailable {
                detail: format!(
                    "it answered {} of the {} writes of a transaction",
                    answers.len(),
                    writes.len()
                ),
            }));
        }
        Ok(answers
            .iter()
            .map(|one| {
                one.etag
                    .as_ref()
                    .map_or_else(String::new, ToString::to_string)
            })
            .collect())
    }

    async fn write(&self, writes: &[Write], deadline: Instant) -> Result<Vec<String>, Trouble> {
        match writes {
            [] => Ok(Vec::new()),
            [one] => self.write_one(one, deadline).await,
            _ => self.write_batch(writes, deadline).await,
        }
    }
}

#[async_trait]
impl RowStore for TableStore {
    async fn get(&self, key: &str) -> Result<Option<Row>, RowError> {
        check_keys([key])?;
        let deadline = Instant::now() + CALL_LIMIT;
        match self.read_row(key, deadline).await {
            Err(Trouble::Broken(_)) => Ok(self.read_row(key, deadline).await?),
            found => Ok(found?),
        }
    }

    async fn page(
        &self,
        range: (&str, &str),
        columns: &[&str],
        place: Option<Place>,
    ) -> Result<Page, RowError> {
        check_keys([range.0, range.1])?;
        let deadline = Instant::now() + CALL_LIMIT;
        let read = self.read_page(range, columns, place.clone(), deadline);
        match read.await {
            Err(Trouble::Broken(_)) => Ok(self.read_page(range, columns, place, deadline).await?),
            read => Ok(read?),
        }
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Written, RowError> {
        check_keys(writes.iter().map(Write::key))?;
        if writes.len() > BATCH_LIMIT {
            return Err(RowError::Refused {
                detail: format!(
                    "a transaction of {} writes; {BATCH_LIMIT} is the limit",
                    writes.len()
                ),
            });
        }
        let deadline = Instant::now() + CALL_LIMIT;
        let mut outcome = self.write(&writes, deadline).await;
        let is_all_inserts = writes
            .iter()
            .all(|write| matches!(write, Write::Insert { .. }));
        // Cosmos DB may call a missing table a missing resource; an insert misses no row.
        let misses_table = match &outcome {
            Err(Trouble::NoTable) => true,
            Err(Trouble::NoRow) => is_all_inserts,
            _ => false,
        };
        if misses_table {
            self.create(deadline).await?;
            outcome = self.write(&writes, deadline).await;
        }
        match outcome {
            Ok(etags) => Ok(Written::Applied(etags)),
            Err(Trouble::Conflict | Trouble::NoRow) => Ok(Written::Conflict),
            Err(other) => Err(other.into()),
        }
    }

    fn place(&self) -> String {
        format!("table {} at {}", self.table, self.connection.endpoint)
    }
}

/// Runs a call of the 0.21 crates with their logs off, whatever the level: they print whole rows.
async fn quiet<F: Future>(call: F) -> F::Output {
    call.with_subscriber(Dispatch::none()).await
}

fn condition(etag: &str) -> IfMatchCondition {
    IfMatchCondition::Etag(etag.to_owned().into())
}

fn refused(detail: String) -> Trouble {
    Trouble::Error(RowError::Refused { detail })
}

fn check_keys<'a>(keys: impl IntoIterator<Item = &'a str>) -> Result<(), RowError> {
    match keys.into_iter().find(|key| !is_key(key)) {
        None => Ok(()),
        Some(key) => Err(RowError::Refused {
            detail: format!("{key:?} is no row key"),
        }),
    }
}
