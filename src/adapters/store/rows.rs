//! The seam under the store: rows of one partition, read by range, written with compare-and-swap.
//!
//! Two implementations ship: Azure Table Storage (`table`) and a local file (`embedded`). Whatever a
//! row means is known one floor up, in `store`; here a row is a key, an ETag and its properties.

use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{Stream, TryStreamExt, try_unfold};
use serde_json::{Map, Value};
use tokio::time::Instant;

/// A property name to value map. Values are JSON strings, booleans, 32-bit integers, or [`binary`]
/// values.
pub type Properties = Map<String, Value>;

/// One row as read.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The row key: `[A-Za-z0-9._-]`, at most 255 bytes (the limit of Azure Cosmos DB for Table).
    pub key: String,
    /// Opaque version of the row; changes with every write.
    pub etag: String,
    /// Everything else. Properties that the service adds (timestamps, types) are left out.
    pub properties: Properties,
}

/// One conditional write; several make a transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// The row must not exist.
    Insert {
        /// Row key.
        key: String,
        /// All properties.
        properties: Properties,
    },
    /// The row must have this ETag; all its properties are replaced.
    Replace {
        /// Row key.
        key: String,
        /// The ETag that was read.
        etag: String,
        /// All properties.
        properties: Properties,
    },
    /// The row must have this ETag, and is gone afterwards.
    Delete {
        /// Row key.
        key: String,
        /// The ETag that was read.
        etag: String,
    },
}

impl Write {
    /// The row key it is about.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Insert { key, .. } | Self::Replace { key, .. } | Self::Delete { key, .. } => key,
        }
    }
}

/// What became of a transaction that the store answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// Every write was applied; the new ETags in the order of the writes (empty for a delete).
    Applied(Vec<String>),
    /// Nothing was applied: a row existed, was missing, or had another ETag.
    Conflict,
}

/// Why the store could not be used. The text never holds a key, a token or a signature.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// Not reached, timed out, throttled or broken. A write may or may not have been applied.
    #[error("the store could not be reached: {detail}")]
    Unavailable {
        /// What was seen, in one line.
        detail: String,
    },
    /// The store refused us; a person must mend credentials, roles or the configuration.
    #[error("the store refused the request: {detail}")]
    Refused {
        /// What was seen, and what to do, in one line.
        detail: String,
    },
}

/// Some rows of a range.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// The rows, in no promised order, with at least the columns that were asked for.
    pub rows: Vec<Row>,
    /// Where the range goes on; `None` where these were the last.
    pub next: Option<Place>,
}

/// Where a range goes on, in the store's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The partition.
    pub partition: String,
    /// The row key, where it said one.
    pub row: Option<String>,
}

/// Rows of one table in one partition.
///
/// Every call ends by itself: within [`CALL_LIMIT_SECONDS`], or [`SCAN_LIMIT_SECONDS`] where it reads
/// page after page, or a local file as one page. No call sends a write twice.
#[async_trait]
pub trait RowStore: Send + Sync + std::fmt::Debug {
    /// The row with this key, if there is one.
    async fn get(&self, key: &str) -> Result<Option<Row>, RowError>;

    /// The rows with `from <= key < to`, from this place of the range on: the keys and these columns of them, or
    /// everything where none are named. As many as the store gives at once (1,000 of Table Storage), perhaps none.
    async fn page(
        &self,
        range: (&str, &str),
        columns: &[&str],
        place: Option<Place>,
    ) -> Result<Page, RowError>;

    /// All rows with `from <= key < to`, in no promised order.
    async fn scan(&self, from: &str, to: &str) -> Result<Vec<Row>, RowError> {
        self.list(from, to, &[]).await
    }

    /// The same, with the keys and these columns alone.
    async fn list(&self, from: &str, to: &str, columns: &[&str]) -> Result<Vec<Row>, RowError> {
        pages(self, (from, to), columns).try_concat().await
    }

    /// Applies all writes or none. At most 100 writes, each row at most once.
    async fn transact(&self, writes: Vec<Write>) -> Result<Written, RowError>;

    /// Where the rows are, for people: never with a secret.
    fn place(&self) -> String;

    /// Whether a row that has the ETag of before is the row of before, whatever people do to the store.
    fn etags_tell_all(&self) -> bool {
        true
    }
}

/// No single request to a store takes longer than this many seconds, so that a lookup (10 s) and an
/// order (30 s) keep their limits whatever the store does.
pub const CALL_LIMIT_SECONDS: u64 = 4;

/// A range of many pages takes no longer than this many seconds, each page [`CALL_LIMIT_SECONDS`].
/// 10,000 groups are about eleven pages.
pub const SCAN_LIMIT_SECONDS: u64 = 20;

/// The pages of a range to its end, each asked for when the one before was taken: whoever takes them one by one never
/// holds all rows. They end within [`SCAN_LIMIT_SECONDS`], what is done with a page before the next included.
pub fn pages<'a, R: RowStore + ?Sized>(
    rows: &'a R,
    range: (&'a str, &'a str),
    columns: &'a [&'a str],
) -> impl Stream<Item = Result<Vec<Row>, RowError>> + Send + 'a {
    let until = Instant::now() + Duration::from_secs(SCAN_LIMIT_SECONDS);
    try_unfold(Some(None), move |place| async move {
        let Some(place) = place else { return Ok(None) };
        let page = tokio::time::timeout_at(until, rows.page(range, columns, place))
            .await
            .map_err(|_| RowError::Unavailable {
                detail: format!(
                    "{}: not read to the end within {SCAN_LIMIT_SECONDS} s",
                    rows.place()
                ),
            })??;
        Ok(Some((page.rows, page.next.map(Some))))
    })
}

/// Whether this is a key that both stores take: `[A-Za-z0-9._-]`, 1 to 255 bytes. Nothing else ever
/// gets into a filter or a URL.
#[must_use]
pub fn is_key(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// What marks a binary property.
const BINARY: &str = "$binary";

/// A binary property: at most 64 KiB of bytes, kept as base64 text in this wrapper.
#[must_use]
pub fn binary(bytes: &[u8]) -> Value {
    use base64::Engine;
    binary_from_base64(&base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// A binary property whose bytes are at hand as base64 text.
#[must_use]
pub fn binary_from_base64(text: &str) -> Value {
    let mut object = Map::new();
    object.insert(BINARY.to_owned(), Value::from(text));
    Value::Object(object)
}

/// The base64 text of a [`binary`] value, or `None` if it is none.
#[must_use]
pub fn base64_text(value: &Value) -> Option<&str> {
    value.as_object()?.get(BINARY)?.as_str()
}

/// The bytes of a [`binary`] value, or `None` if it is none.
#[must_use]
pub fn bytes(value: &Value) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD
        .decode(base64_text(value)?)
        .ok()
}
