//! A store in memory that can be told to fail or to hang, as the seam under the store allows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use understudy::adapters::store::rows::{
    CALL_LIMIT_SECONDS, Page, Place, Row, RowError, RowStore, Write, Written,
};

/// How long a slow read of many rows takes.
pub const SLOW_SCAN: Duration = Duration::from_millis(1_800);

/// How long a read takes where it is slow.
pub const SLOW_READ: Duration = Duration::from_millis(500);

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
    /// Reads of many rows answer, each only after [`SLOW_SCAN`].
    SlowScans,
    /// The same of everything, writes too.
    SlowReads,
    /// It writes, but what it says of that is lost, after as long as a call may take. Reads take [`SLOW_READ`].
    LosesAnswers,
    /// It answers, but whoever writes a heartbeat finds that others have just written it.
    RacesForHeartbeats,
    /// A bug in it panics.
    Broken,
}

/// The rows.
#[derive(Debug)]
pub struct MemoryRows {
    rows: Mutex<BTreeMap<String, Row>>,
    written: AtomicU64,
    scanned: AtomicU64,
    mood: AtomicU8,
}

impl Default for MemoryRows {
    fn default() -> Self {
        Self {
            rows: Mutex::new(BTreeMap::new()),
            written: AtomicU64::new(0),
            scanned: AtomicU64::new(0),
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

    /// How often many rows were read.
    pub fn scans(&self) -> u64 {
        self.scanned.load(Ordering::SeqCst)
    }

    fn is(&self, moods: &[Mood]) -> bool {
        let mood = self.mood.load(Ordering::SeqCst);
        moods.iter().any(|one| *one as u8 == mood)
    }

    async fn answer(&self, is_scan: bool) -> Result<(), RowError> {
        if is_scan && self.is(&[Mood::SlowScans]) || self.is(&[Mood::SlowReads]) {
            tokio::time::sleep(SLOW_SCAN).await;
        }
        let fails = self.is(&[Mood::Down, Mood::Hanging, Mood::Broken])
            || is_scan && self.is(&[Mood::HangingScans]);
        if !fails {
            return Ok(());
        }
        if self.is(&[Mood::Hanging, Mood::HangingScans]) {
            tokio::time::sleep(Duration::from_secs(CALL_LIMIT_SECONDS)).await;
        }
        assert!(!self.is(&[Mood::Broken]), "this store is meant to panic");
        Err(no_answer())
    }

    fn rows(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, writes: Vec<Write>) -> Written {
        let mut rows = self.rows();
        if self.is(&[Mood::RacesForHeartbeats]) {
            let beats = rows.values_mut().filter(|row| row.key.starts_with("beat."));
            for row in beats {
                row.etag = format!("e{}", self.written.fetch_add(1, Ordering::SeqCst));
            }
        }
        let fits = writes.iter().all(|write| match write {
            Write::Insert { key, .. } => !rows.contains_key(key),
            Write::Replace { key, etag, .. } | Write::Delete { key, etag } => {
                rows.get(key).is_some_and(|row| row.etag == *etag)
            }
        });
        if !fits {
            return Written::Conflict;
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
        Written::Applied(etags)
    }
}

fn no_answer() -> RowError {
    RowError::Unavailable {
        detail: "no answer".to_owned(),
    }
}

#[async_trait]
impl RowStore for MemoryRows {
    async fn get(&self, key: &str) -> Result<Option<Row>, RowError> {
        self.answer(false).await?;
        if self.is(&[Mood::LosesAnswers]) {
            tokio::time::sleep(SLOW_READ).await;
        }
        Ok(self.rows().get(key).cloned())
    }

    async fn page(
        &self,
        (from, to): (&str, &str),
        _columns: &[&str],
        _place: Option<Place>,
    ) -> Result<Page, RowError> {
        self.scanned.fetch_add(1, Ordering::SeqCst);
        self.answer(true).await?;
        let rows = self.rows();
        let found = rows.range(from.to_owned()..to.to_owned());
        Ok(Page {
            rows: found.map(|(_, row)| row.clone()).collect(),
            next: None,
        })
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Written, RowError> {
        self.answer(false).await?;
        let written = self.apply(writes);
        if self.is(&[Mood::LosesAnswers]) {
            tokio::time::sleep(Duration::from_secs(CALL_LIMIT_SECONDS)).await;
            return Err(no_answer());
        }
        Ok(written)
    }

    fn place(&self) -> String {
        "memory".to_owned()
    }
}
