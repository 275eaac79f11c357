//! Rows in a local file (SQLite), for local runs, demos and tests. Several processes may share it: a
//! reader never waits, writers wait for each other.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior, params};
use tokio::sync::Mutex;

use super::rows::{
    CALL_LIMIT_SECONDS, Page, Place, Properties, Row, RowError, RowStore, SCAN_LIMIT_SECONDS,
    Write, Written,
};

/// The file within the configured folder.
const FILE: &str = "state.sqlite";
/// `PRAGMA user_version` of files that this version reads.
const FILE_VERSION: i64 = 1;
/// How long SQLite waits for another process's write; within the limit of a call.
const BUSY_LIMIT: Duration = Duration::from_secs(CALL_LIMIT_SECONDS - 1);
/// Between two tries to open a file that another process is just making.
const OPEN_PAUSE: Duration = Duration::from_millis(20);
/// `version` counts all writes of the file, so that a row made anew never has an old ETag.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS rows (
        key TEXT PRIMARY KEY NOT NULL,
        version INTEGER NOT NULL,
        properties TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS counter (
        only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
        version INTEGER NOT NULL
    );
    INSERT OR IGNORE INTO counter VALUES (1, 0);
";

/// A local file. Cloning shares its connections.
#[derive(Debug, Clone)]
pub struct EmbeddedStore {
    path: PathBuf,
    reader: Slot,
    writer: Slot,
}

/// A connection, opened by the first call and again after a failure, and which file it is to.
type Slot = Arc<Mutex<Option<(Connection, Option<FileId>)>>>;

/// Tells a file from another that has taken its place.
type FileId = (u64, u64);

impl EmbeddedStore {
    /// The file in this folder. Touches no disk; the first call makes folder and file.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self {
            path: folder.join(FILE),
            reader: Slot::default(),
            writer: Slot::default(),
        }
    }

    /// Runs blocking work on a connection, and gives up waiting after the limit: the work itself
    /// may still end, as with a request to a remote store.
    async fn run<T: Send + 'static>(
        &self,
        slot: &Slot,
        seconds: u64,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, RowError> {
        let (path, slot) = (self.path.clone(), Arc::clone(slot));
        // Its turn is waited for here and not on a thread: threads that only wait are memory, each its own.
        let blocking = async {
            let mut slot = slot.lock_owned().await;
            tokio::task::spawn_blocking(move || on_connection(&path, &mut slot, work)).await
        };
        match tokio::time::timeout(Duration::from_secs(seconds), blocking).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(self.unavailable(&format!("the work was lost: {error}"))),
            Err(_) => Err(self.unavailable(&format!("not done within {seconds} s"))),
        }
    }

    fn unavailable(&self, detail: &str) -> RowError {
        RowError::Unavailable {
            detail: format!("{}: {detail}", self.path.display()),
        }
    }
}

fn on_connection<T>(
    path: &Path,
    slot: &mut Option<(Connection, Option<FileId>)>,
    work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
) -> Result<T, RowError> {
    // Someone may have removed the folder to start afresh; an open file would live on unseen.
    if slot
        .as_ref()
        .is_some_and(|(_, file)| *file != file_id(path))
    {
        *slot = None;
    }
    let (open, _) = match &mut *slot {
        Some(open) => open,
        empty => {
            let connection = open(path)?;
            empty.insert((connection, file_id(path)))
        }
    };
    work(open).map_err(|error| {
        *slot = None;
        judge(path, &error)
    })
}

#[cfg(unix)]
fn file_id(path: &Path) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// Elsewhere a file that is open cannot be removed.
#[cfg(not(unix))]
fn file_id(path: &Path) -> Option<FileId> {
    path.exists().then_some((0, 0))
}

fn open(path: &Path) -> Result<Connection, RowError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| RowError::Refused {
            detail: format!(
                "the folder {} cannot be made ({error}): set store.path to one that can be written",
                folder.display()
            ),
        })?;
    }
    let ends_at = Instant::now() + BUSY_LIMIT;
    loop {
        match prepare(path) {
            // Turning a new file to WAL does not wait for others who do the same.
            Err(error) if is_busy(&error) && Instant::now() < ends_at => {
                std::thread::sleep(OPEN_PAUSE);
            }
            Err(error) => return Err(judge(path, &error)),
            Ok((connection, FILE_VERSION)) => return Ok(connection),
            Ok((_, version)) => {
                return Err(RowError::Refused {
                    detail: format!(
                        "{} is a file of version {version}, this version of Understudy reads {FILE_VERSION}: \
                         update it, or set store.path to another folder",
                        path.display()
                    ),
                });
            }
        }
    }
}

fn prepare(path: &Path) -> rusqlite::Result<(Connection, i64)> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_LIMIT)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let read = |connection: &Connection| {
        connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
    };
    if read(&connection)? == 0 {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if read(&transaction)? == 0 {
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "user_version", FILE_VERSION)?;
        }
        transaction.commit()?;
    }
    let version = read(&connection)?;
    Ok((connection, version))
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

fn judge(path: &Path, error: &rusqlite::Error) -> RowError {
    let detail = format!("{}: {error}", path.display());
    match error.sqlite_error_code() {
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::NotADatabase
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::DiskFull,
        ) => RowError::Refused {
            detail: format!("{detail}: mend the file, or set store.path to another folder"),
        },
        _ => RowError::Unavailable { detail },
    }
}

fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let text: String = row.get(2)?;
    Ok(Row {
        key: row.get(0)?,
        etag: row.get::<_, i64>(1)?.to_string(),
        // A row that was damaged by hand reads as one without properties: reported, and no other harmed.
        properties: serde_json::from_str(&text).unwrap_or_default(),
    })
}

/// Applies the writes within an immediate transaction; `None` if any does not meet its condition.
fn apply(connection: &mut Connection, writes: &[Write]) -> rusqlite::Result<Option<Vec<String>>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut etags = Vec::with_capacity(writes.len());
    for write in writes {
        let version: i64 = transaction.query_row(
            "UPDATE counter SET version = version + 1 RETURNING version",
            [],
            |row| row.get(0),
        )?;
        let (changed, etag) = match write {
            Write::Insert { key, properties } => (
                transaction.execute(
                    "INSERT INTO rows VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                    params![key, version, json(properties)],
                )?,
                version.to_string(),
            ),
            Write::Replace {
                key,
                etag,
                properties,
            } => (
                transaction.execute(
                    "UPDATE rows SET version = ?2, properties = ?3 WHERE key = ?1 AND version = ?4",
                    params![key, version, json(properties), before(etag)],
                )?,
                version.to_string(),
            ),
            Write::Delete { key, etag } => (
                transaction.execute(
                    "DELETE FROM rows WHERE key = ?1 AND version = ?2",
                    params![key, before(etag)],
                )?,
                String::new(),
            ),
        };
        if changed != 1 {
            transaction.rollback()?;
            return Ok(None);
        }
        etags.push(etag);
    }
    transaction.commit()?;
    Ok(Some(etags))
}

fn json(properties: &Properties) -> String {
    serde_json::Value::Object(properties.clone()).to_string()
}

/// An ETag that is none of ours matches no row.
fn before(etag: &str) -> i64 {
    etag.parse().unwrap_or(-1)
}

#[async_trait]
impl RowStore for EmbeddedStore {
    async fn get(&self, key: &str) -> Result<Option<Row>, RowError> {
        let key = key.to_owned();
        self.run(&self.reader, CALL_LIMIT_SECONDS, move |connection| {
            connection
                .prepare_cached("SELECT key, version, properties FROM rows WHERE key = ?1")?
                .query_row([key], read_row)
                .optional()
        })
        .await
    }

    /// All rows of the range with all columns: a local file gives them at once.
    async fn page(
        &self,
        (from, to): (&str, &str),
        _columns: &[&str],
        _place: Option<Place>,
    ) -> Result<Page, RowError> {
        let (from, to) = (from.to_owned(), to.to_owned());
        let reading = self.run(&self.reader, SCAN_LIMIT_SECONDS, move |connection| {
            connection
                .prepare_cached(
                    "SELECT key, version, properties FROM rows WHERE key >= ?1 AND key < ?2",
                )?
                .query_map([from, to], read_row)?
                .collect()
        });
        Ok(Page {
            rows: reading.await?,
            next: None,
        })
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Written, RowError> {
        self.run(&self.writer, CALL_LIMIT_SECONDS, move |connection| {
            Ok(apply(connection, &writes)?.map_or(Written::Conflict, Written::Applied))
        })
        .await
    }

    fn place(&self) -> String {
        format!("file {}", self.path.display())
    }

    /// Rows are repaired in a file by hand, without another version, and a file put in its place counts from 0 again.
    fn etags_tell_all(&self) -> bool {
        false
    }
}
