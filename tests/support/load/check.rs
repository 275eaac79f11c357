//! What the store must hold after the load: every alert that was taken once, every group moved once.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use understudy::adapters::store::alerts::AlertRow;
use understudy::adapters::store::codec;
use understudy::adapters::store::rows::Row;
use understudy::model::history::HistoryKind;

use super::alerts::{Message, Taken};

/// Faults that are told of; the rest are counted.
const TOLD: usize = 10;

/// What is wrong with the alerts: rows that are missing, too many or older than what was taken. Those whose end is
/// not known (no answer came) would be faults already.
pub fn alerts(messages: &[Message], taken: &Taken, rows: &[AlertRow]) -> Vec<String> {
    let mut wanted: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for message in taken.taken.iter().map(|number| &messages[*number]) {
        if message.group.is_some() {
            let newest = wanted.entry(&message.thread).or_insert(message.event_at);
            *newest = message.event_at.max(*newest);
        }
    }
    let mut faults = Vec::new();
    for row in rows {
        match wanted.remove(row.alert.thread.as_str()) {
            None => faults.push(format!("{} has a row too many", row.alert.thread)),
            Some(event_at) if row.alert.event_at != event_at => faults.push(format!(
                "{} is kept as of {}, and a message of {event_at} was taken",
                row.alert.thread, row.alert.event_at
            )),
            Some(_) => {}
        }
    }
    faults.extend(
        wanted
            .keys()
            .map(|thread| format!("{thread} was taken and is lost")),
    );
    faults
}

/// What is wrong with the groups: each is on this site after exactly one move, and history tells nothing twice.
pub fn moves(groups: &[String], to: &str, records: &[Row], history: &[Row]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut missing: BTreeSet<&str> = groups.iter().map(String::as_str).collect();
    for row in records {
        let name = text(row, "group");
        match codec::decode_group(row, None) {
            Ok(kept) if missing.remove(name) => {
                let state = kept.state;
                if state.generation != 1 || state.active().as_str() != to {
                    let (at, on) = (state.generation, state.active());
                    faults.push(format!("{name} is at generation {at} on {on}"));
                }
            }
            Ok(_) => faults.push(format!("{name} has a record too many")),
            Err(problem) => faults.push(format!("{}: {problem}", row.key)),
        }
    }
    faults.extend(missing.iter().map(|name| format!("{name} has no record")));
    faults.extend(tellings(groups, history));
    faults
}

fn tellings(groups: &[String], history: &[Row]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut moves: BTreeMap<&str, usize> = BTreeMap::new();
    let mut told: BTreeSet<(&str, String)> = BTreeSet::new();
    for row in history {
        let name = text(row, "group");
        let entry = match codec::decode_history(row) {
            Ok(entry) => entry,
            Err(problem) => {
                faults.push(format!("{}: {problem}", row.key));
                continue;
            }
        };
        match entry.kind {
            HistoryKind::Failover => {
                *moves.entry(name).or_default() += 1;
                if entry.generation != 1 {
                    faults.push(format!(
                        "{name}: a failover of generation {}",
                        entry.generation
                    ));
                }
            }
            HistoryKind::Signal => {
                // `signal ID about SITE is STAGE; what follows`
                let reason = entry.reason.unwrap_or_default();
                let what = reason.split(';').next().unwrap_or_default().to_owned();
                if !told.insert((name, what.clone())) {
                    faults.push(format!("{name}: told twice: {what}"));
                }
            }
            HistoryKind::Switchover | HistoryKind::Failback => {
                faults.push(format!("{name}: a {}", entry.kind.as_str()));
            }
            _ => {}
        }
    }
    for group in groups {
        let count = moves.get(group.as_str()).copied().unwrap_or_default();
        if count != 1 {
            faults.push(format!("{group} has {count} failovers in its history"));
        }
    }
    faults
}

fn text<'a>(row: &'a Row, name: &str) -> &'a str {
    row.properties[name].as_str().unwrap_or_default()
}

/// The first of them, for people.
pub fn told(faults: &[String]) -> String {
    let mut lines: Vec<String> = faults.iter().take(TOLD).cloned().collect();
    if faults.len() > TOLD {
        lines.push(format!("and {} more", faults.len() - TOLD));
    }
    lines.join("\n")
}
