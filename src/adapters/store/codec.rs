//! Rows of groups and of history: their properties, and how they are read back. A row of a newer
//! layout is reported and never overwritten.

use std::sync::Arc;

use serde_json::{Value, json};

use super::StoreError;
use super::rows::{Properties, Row};
use crate::model::history::HistoryEntry;
use crate::model::name::GroupName;
use crate::model::state::GroupState;

/// The layout this version writes, and the newest it reads.
pub const LAYOUT: i64 = 1;
/// The property that names a row's layout.
pub const LAYOUT_PROPERTY: &str = "layoutVersion";
/// How many write ids a row remembers. A write is looked for right after it was sent; this many others
/// cannot come in between.
const REMEMBERED_WRITES: usize = 8;
/// Table Storage keeps at most 32 Ki UTF-16 characters in one text property; a longer text goes on in
/// further ones: `state`, `state1`, `state2` ...
const PART: usize = 30_000;
/// Parts of a record: with the rest they stay within an entity's 1 MiB.
const STATE_PARTS: usize = 15;
/// Parts of a history entry: several entries and a record fit one transaction (2 MiB in Cosmos DB).
const ENTRY_PARTS: usize = 4;
/// Where an entry is too large, of each text in it this much is kept ...
const SHORT: usize = 200;
/// ... and this many witnesses.
const WITNESSES: usize = 150;

/// A group's row as read.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupRow {
    /// The record.
    pub state: Arc<GroupState>,
    /// Its version in the store.
    pub etag: String,
    /// Ids of the last writes, newest last.
    pub writes: Vec<String>,
}

/// The write ids of the next row.
#[must_use]
pub fn remember(before: Option<&GroupRow>, write_id: &str) -> Vec<String> {
    let mut writes = before.map(|row| row.writes.clone()).unwrap_or_default();
    writes.push(write_id.to_owned());
    let surplus = writes.len().saturating_sub(REMEMBERED_WRITES);
    writes.drain(..surplus);
    writes
}

/// A group's row. What people look for stands in properties of its own; `state` is what is read back.
///
/// # Errors
/// When the record is too large for one row.
pub fn encode_group(
    group: &GroupName,
    state: &GroupState,
    writes: &[String],
) -> Result<Properties, StoreError> {
    let phase = if state.moving.is_some() {
        "moving"
    } else {
        "settled"
    };
    let mut properties = object(json!({
        LAYOUT_PROPERTY: LAYOUT,
        "group": group,
        "generation": state.generation,
        "active": state.active(),
        "since": state.since,
        "phase": phase,
        "writes": writes.join(" "),
    }));
    let text = to_json(state)?;
    if !insert_parts(&mut properties, "state", &text, STATE_PARTS) {
        return Err(StoreError::Broken(format!(
            "the record of {group} would take {} bytes, more than one row holds",
            text.len()
        )));
    }
    Ok(properties)
}

/// Reads a group's row, whose record may be known already.
///
/// # Errors
/// A line that says what is wrong with it.
pub fn decode_group(row: &Row, known: Option<Arc<GroupState>>) -> Result<GroupRow, String> {
    check_layout(row)?;
    let state = match known {
        Some(state) => state,
        None => Arc::new(decode_state(row)?),
    };
    let writes = row
        .properties
        .get("writes")
        .and_then(Value::as_str)
        .unwrap_or_default();
    Ok(GroupRow {
        state,
        etag: row.etag.clone(),
        writes: writes.split_whitespace().map(str::to_owned).collect(),
    })
}

fn decode_state(row: &Row) -> Result<GroupState, String> {
    let state = join_parts(row, "state").ok_or("it has no text property `state`")?;
    serde_json::from_str(&state).map_err(|error| format!("`state` is not a record: {error}"))
}

/// A history entry's row. An entry that is too large is written with less evidence and shorter texts:
/// a move is never held up by the size of its own story.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn encode_history(group: &GroupName, entry: &HistoryEntry) -> Result<Properties, StoreError> {
    let mut properties = object(json!({
        LAYOUT_PROPERTY: LAYOUT,
        "group": group,
        "at": entry.at,
        "generation": entry.generation,
        "kind": entry.kind.as_str(),
        "rule": entry.rule,
        "actor": cut(&entry.actor),
        "active": entry.active,
    }));
    let whole = to_json(entry)?;
    if !insert_parts(&mut properties, "entry", &whole, ENTRY_PARTS) {
        let mut short = shortened(entry);
        if !insert_parts(&mut properties, "entry", &to_json(&short)?, ENTRY_PARTS) {
            short.evidence.clear();
            insert_parts(&mut properties, "entry", &to_json(&short)?, ENTRY_PARTS);
        }
    }
    Ok(properties)
}

fn shortened(entry: &HistoryEntry) -> HistoryEntry {
    let mut short = entry.clone();
    short.actor = cut(&short.actor);
    short.reason = short.reason.as_deref().map(cut);
    if let Some(hold) = &mut short.hold {
        hold.message = cut(&hold.message);
    }
    short.evidence.truncate(WITNESSES);
    for witness in &mut short.evidence {
        witness.detail = witness.detail.as_deref().map(cut);
    }
    short
}

fn cut(text: &str) -> String {
    text.chars().take(SHORT).collect()
}

/// Reads a history entry.
///
/// # Errors
/// A line that says what is wrong with it.
pub fn decode_history(row: &Row) -> Result<HistoryEntry, String> {
    check_layout(row)?;
    let entry = join_parts(row, "entry").ok_or("it has no text property `entry`")?;
    serde_json::from_str(&entry).map_err(|error| format!("`entry` is not an entry: {error}"))
}

/// A column that holds a count, whatever number type it was given.
#[must_use]
pub fn count(row: &Row, name: &str) -> Option<u64> {
    let value = row.properties.get(name)?;
    value
        .as_u64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}

/// Whether a newer version of Understudy wrote this row.
#[must_use]
pub fn is_newer(row: &Row) -> bool {
    layout(row).is_some_and(|version| version > LAYOUT)
}

/// Refuses rows without a layout, or of a newer one.
///
/// # Errors
/// A line that says which.
pub fn check_layout(row: &Row) -> Result<(), String> {
    match layout(row) {
        Some(version) if version > LAYOUT => Err(format!(
            "its layout is {version}, this version reads up to {LAYOUT}: update this deployment"
        )),
        Some(version) if version >= 1 => Ok(()),
        _ => Err(format!(
            "its property `{LAYOUT_PROPERTY}` is missing or not a version"
        )),
    }
}

fn layout(row: &Row) -> Option<i64> {
    let value = row.properties.get(LAYOUT_PROPERTY)?;
    value
        .as_i64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
        // A number that was typed in by hand may have become a Double.
        .or_else(|| value.as_f64().map(|number| number as i64))
}

pub(super) fn object(value: Value) -> Properties {
    match value {
        Value::Object(properties) => properties,
        _ => Properties::new(),
    }
}

pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Broken(format!("a row could not be written: {error}")))
}

fn part_name(name: &str, index: usize) -> String {
    match index {
        0 => name.to_owned(),
        _ => format!("{name}{index}"),
    }
}

/// Spreads a text over properties; `false`, and nothing inserted, if it takes more than `limit`.
pub(super) fn insert_parts(
    properties: &mut Properties,
    name: &str,
    text: &str,
    limit: usize,
) -> bool {
    let mut parts = vec![String::new()];
    let mut length = 0;
    for character in text.chars() {
        if length + character.len_utf16() > PART {
            parts.push(String::new());
            length = 0;
        }
        length += character.len_utf16();
        if let Some(part) = parts.last_mut() {
            part.push(character);
        }
    }
    if parts.len() > limit {
        return false;
    }
    for (index, part) in parts.into_iter().enumerate() {
        properties.insert(part_name(name, index), Value::from(part));
    }
    true
}

pub(super) fn join_parts(row: &Row, name: &str) -> Option<String> {
    let mut text = row.properties.get(name)?.as_str()?.to_owned();
    for index in 1.. {
        match row.properties.get(&part_name(name, index)) {
            Some(part) => text.push_str(part.as_str()?),
            None => break,
        }
    }
    Some(text)
}
