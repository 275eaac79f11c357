//! A store in memory that can be told to fail or to hang, as the seam under the store allows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use understudy::adapters::store::rows::{
    CALL_LIMIT_SECONDS, Row, RowError, RowStore, Write, Written,
};

/// How the store behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mood {
    /// It answers.
    Well,
    /// It refuses connections.
    Down,
    /// It takes as long as a call may and then fails.
    Hanging,
    /// The same for what reads many rows; single ones are read and written.
    HangingScans,
    /// A bug in it panics.
    Broken,
}

/// The rows.
#[derive(Debug)]
pub struct MemoryRows {
    rows: Mutex<BTreeMap<String, Row>>,
    written: AtomicU64,
    mood: AtomicU8,
}

impl Default for MemoryRows {
    fn default() -> Self {
        Self {
            rows: Mutex::new(BTreeMap::new()),
            written: AtomicU64::new(0),
            mood: AtomicU8::new(Mood::Well as u8),
        }
    }
}

impl MemoryRows {
    /// Changes how it behaves.
    pub fn be(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::SeqCst);
    }

    /// How often it was written to.
    pub fn writes(&self) -> u64 {
        self.written.load(Ordering::SeqCst)
    }

    async fn answer(&self, is_scan: bool) -> Result<(), RowError> {
        let mood = self.mood.load(Ordering::SeqCst);
        let hangs = mood == Mood::Hanging as u8 || is_scan && mood == Mood::HangingScans as u8;
        if mood == Mood::Well as u8 || mood == Mood::HangingScans as u8 && !is_scan {
            return Ok(());
        }
        if hangs {
            tokio::time::sleep(Duration::from_secs(CALL_LIMIT_SECONDS)).await;
        }
        assert_ne!(mood, Mood::Broken as u8, "this store is meant to panic");
        Err(RowError::Unavailable {
            detail: "no answer".to_owned(),
        })
    }

    fn rows(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RowStore for MemoryRows {
    async fn get(&self, key: &str) -> Result<Option<Row>, RowError> {
        self.answer(false).await?;
        Ok(self.rows().get(key).cloned())
    }

    async fn scan(&self, from: &str, to: &str) -> Result<Vec<Row>, RowError> {
        self.answer(true).await?;
        let rows = self.rows();
        Ok(rows
            .range(from.to_owned()..to.to_owned())
            .map(|(_, row)| row.clone())
            .collect())
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Written, RowError> {
        self.answer(false).await?;
        let mut rows = self.rows();
        let fits = writes.iter().all(|write| match write {
            Write::Insert { key, .. } => !rows.contains_key(key),
            Write::Replace { key, etag, .. } | Write::Delete { key, etag } => {
                rows.get(key).is_some_and(|row| row.etag == *etag)
            }
        });
        if !fits {
            return Ok(Written::Conflict);
        }
        let mut etags = Vec::new();
        for write in writes {
            let etag = format!("e{}", self.written.fetch_add(1, Ordering::SeqCst));
            match write {
                Write::Insert { key, properties }
                | Write::Replace {
                    key, properties, ..
                } => {
                    let row = Row {
                        key: key.clone(),
                        etag: etag.clone(),
                        properties,
                    };
                    rows.insert(key, row);
                    etags.push(etag);
                }
                Write::Delete { key, .. } => {
                    rows.remove(&key);
                    etags.push(String::new());
                }
            }
        }
        Ok(Written::Applied(etags))
    }

    fn place(&self) -> String {
        "memory".to_owned()
    }
}
