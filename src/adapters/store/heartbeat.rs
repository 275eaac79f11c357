//! A vantage's heartbeat: when the last sweep began and ended, what it did not cover, and the evidence
//! of every account, packed. It is the only row that a quiet tick writes.
//!
//! The evidence stands in binary properties of at most 64 KiB each (the limit of Table Storage).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::StoreError;
use super::codec::{LAYOUT, LAYOUT_PROPERTY, check_layout, object};
use super::pack::{pack, unpack};
use super::rows::{self, Properties, Row};
use crate::model::evidence::GroupEvidence;
use crate::model::name::{GroupName, Vantage};

/// Largest binary property of Table Storage, in bytes.
const CHUNK: usize = 64 * 1024;
/// Chunks that fit an entity of 1 MiB beside the other properties.
const CHUNKS: usize = 15;
/// Names of uncovered groups that are listed; the rest is a number.
const LISTED: usize = 200;
/// How long each account's detail may be, tried in turn until the row is small enough: many failing
/// accounts must not keep the heartbeat from being written.
const DETAIL_LIMITS: [usize; 4] = [1_000, 120, 40, 0];
/// The property that names the write, so that a writer can find out whether it was applied.
pub const WRITE: &str = "write";

/// What one vantage knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Heartbeat {
    /// Which one.
    pub vantage: Vantage,
    /// When the last sweep began.
    pub began_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Groups that were due and not covered; of more than 200 the row keeps 200 by name.
    pub not_covered: Vec<GroupName>,
    /// How many were not covered.
    pub not_covered_count: usize,
    /// What is known of each group.
    pub evidence: BTreeMap<GroupName, Arc<GroupEvidence>>,
}

/// A heartbeat as read.
#[derive(Debug, Clone, PartialEq)]
pub struct HeartbeatRow {
    /// What it says.
    pub beat: Heartbeat,
    /// Its version in the store.
    pub etag: String,
}

impl HeartbeatRow {
    /// What is known of one group.
    #[must_use]
    pub fn of(&self, group: &GroupName) -> Option<&Arc<GroupEvidence>> {
        self.beat.evidence.get(group)
    }
}

/// The row of a heartbeat, and whether it says all that the heartbeat does.
///
/// # Errors
/// When it does not fit one row, even without any details.
pub fn encode(beat: &Heartbeat, write_id: &str) -> Result<(Properties, bool), StoreError> {
    let (packed, limit) = fitting(beat)?;
    let accounts = beat.evidence.values().flat_map(|seen| seen.accounts.iter());
    let mut details = accounts.filter_map(|(_, account)| account.newest.detail.as_ref());
    let is_whole =
        beat.not_covered.len() <= LISTED && details.all(|detail| detail.chars().count() <= limit);
    let listed: Vec<&str> = beat
        .not_covered
        .iter()
        .take(LISTED)
        .map(GroupName::as_str)
        .collect();
    let mut properties = object(json!({
        LAYOUT_PROPERTY: LAYOUT,
        "vantage": beat.vantage,
        "beganAt": beat.began_at,
        "endedAt": beat.ended_at,
        "groups": beat.evidence.len(),
        "notCovered": listed.join(" "),
        "notCoveredCount": beat.not_covered_count,
        WRITE: write_id,
    }));
    for (index, chunk) in packed.chunks(CHUNK).enumerate() {
        properties.insert(chunk_name(index), rows::binary(chunk));
    }
    Ok((properties, is_whole))
}

/// The evidence, and of how many characters its details are at most.
fn fitting(beat: &Heartbeat) -> Result<(Vec<u8>, usize), StoreError> {
    let mut size = 0;
    for limit in DETAIL_LIMITS {
        let packed = pack(&beat.evidence, limit).map_err(|error| {
            StoreError::Broken(format!("the heartbeat could not be packed: {error}"))
        })?;
        size = packed.len();
        if size <= CHUNK * CHUNKS {
            return Ok((packed, limit));
        }
    }
    Err(StoreError::Broken(format!(
        "the heartbeat of {} groups packs to {size} bytes, more than one row holds: split the groups over several deployments",
        beat.evidence.len(),
    )))
}

fn chunk_name(index: usize) -> String {
    format!("evidence{index:02}")
}

/// Reads a heartbeat.
///
/// # Errors
/// A line that says what is wrong with it.
pub fn decode(row: &Row) -> Result<HeartbeatRow, String> {
    check_layout(row)?;
    let text = |name: &str| {
        row.properties
            .get(name)
            .and_then(serde_json::Value::as_str)
            .ok_or_else(|| format!("it has no text property `{name}`"))
    };
    let time = |name: &str| {
        text(name)?
            .parse::<Timestamp>()
            .map_err(|error| format!("`{name}` is not a time: {error}"))
    };
    let vantage = Vantage::from(text("vantage")?);
    if super::keys::heartbeat(&vantage) != row.key {
        return Err(format!("its key is not that of its `vantage` {vantage}"));
    }
    let mut packed = Vec::new();
    for index in 0..CHUNKS {
        let name = chunk_name(index);
        match row.properties.get(&name) {
            Some(value) => {
                packed.extend(rows::bytes(value).ok_or_else(|| format!("`{name}` is not binary"))?)
            }
            None => break,
        }
    }
    let not_covered: Vec<GroupName> = text("notCovered")?
        .split_whitespace()
        .map(GroupName::from)
        .collect();
    Ok(HeartbeatRow {
        beat: Heartbeat {
            vantage,
            began_at: time("beganAt")?,
            ended_at: time("endedAt")?,
            not_covered_count: row
                .properties
                .get("notCoveredCount")
                .and_then(serde_json::Value::as_u64)
                .and_then(|count| usize::try_from(count).ok())
                .unwrap_or(not_covered.len()),
            not_covered,
            evidence: unpack(&packed)
                .map_err(|error| format!("its evidence is damaged: {error}"))?,
        },
        etag: row.etag.clone(),
    })
}

/// A heartbeat that knows nothing, in place of one that could not be read.
#[must_use]
pub fn blank(vantage: &Vantage, row: &Row) -> HeartbeatRow {
    HeartbeatRow {
        beat: Heartbeat {
            vantage: vantage.clone(),
            began_at: Timestamp::UNIX_EPOCH,
            ended_at: Timestamp::UNIX_EPOCH,
            not_covered: Vec::new(),
            not_covered_count: 0,
            evidence: BTreeMap::new(),
        },
        etag: row.etag.clone(),
    }
}
