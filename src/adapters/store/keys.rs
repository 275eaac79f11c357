//! Row keys. Only `[A-Za-z0-9._-]`, at most 255 bytes (Azure Cosmos DB for Table allows no more), and
//! sorted so that one range holds all state and no history.
//!
//! | row | key |
//! | --- | --- |
//! | alert | `alert.<thread>` |
//! | heartbeat | `beat.<vantage>.<layout>` |
//! | group | `group.<group>` |
//! | history | `history.<group>.<milliseconds, counted down>.<index>.<write id>` |

use jiff::Timestamp;

use super::codec::LAYOUT;
use super::rows::is_key;
use crate::model::name::{GroupName, Vantage};

const ALERT: &str = "alert.";
const HEARTBEAT: &str = "beat.";
const GROUP: &str = "group.";
const HISTORY: &str = "history.";
/// Follows `.` among the characters of keys, so that `<prefix without the dot>0` ends its range.
const AFTER_DOT: char = '0';
/// The first among the characters of keys.
const FIRST: char = '-';
/// The last millisecond that still counts down with 13 digits: the year 2286.
const LAST_MILLISECOND: i64 = 9_999_999_999_999;
/// A longer name is cut and told apart by a hash.
const NAME_LIMIT: usize = 150;

/// The range of everything a tick reads: alerts, heartbeats and groups.
#[must_use]
pub fn state_range() -> (&'static str, &'static str) {
    ("alert.", "group0")
}

/// The range of all groups.
#[must_use]
pub fn group_range() -> (&'static str, &'static str) {
    ("group.", "group0")
}

/// The range of all alerts.
#[must_use]
pub fn alert_range() -> (&'static str, &'static str) {
    ("alert.", "alert0")
}

/// The key of the row that keeps a thread of alerts.
#[must_use]
pub fn alert(thread: &str) -> String {
    format!("{ALERT}{}", safe(thread))
}

/// Whether this is the key of an alert.
#[must_use]
pub fn is_alert(key: &str) -> bool {
    key.starts_with(ALERT)
}

/// The range of all history.
#[must_use]
pub fn all_history() -> (&'static str, &'static str) {
    ("history.", "history0")
}

/// The key of a vantage's heartbeat. A heartbeat of another layout has another key, so that versions
/// of Understudy that work side by side, or one that was rolled back, do not write over each other.
#[must_use]
pub fn heartbeat(vantage: &Vantage) -> String {
    format!("{HEARTBEAT}{}.{LAYOUT}", safe(vantage.as_str()))
}

/// Whether this is the key of a heartbeat.
#[must_use]
pub fn is_heartbeat(key: &str) -> bool {
    key.starts_with(HEARTBEAT)
}

/// The key of a group's row.
#[must_use]
pub fn group(group: &GroupName) -> String {
    format!("{GROUP}{}", safe(group.as_str()))
}

/// The group whose row has this key, as far as the key tells: a name that was too long is cut there.
#[must_use]
pub fn parse_group(key: &str) -> Option<GroupName> {
    key.strip_prefix(GROUP)
        .map(|part| GroupName::new(plain(part)))
}

/// Whether this is the key of a group's history entry.
#[must_use]
pub fn is_history(group: &GroupName, key: &str) -> bool {
    is_key(key) && key.starts_with(&history_range(group).0)
}

/// The first key after this one.
#[must_use]
pub fn after(key: &str) -> String {
    format!("{key}{FIRST}")
}

/// The range of a group's history.
#[must_use]
pub fn history_range(group: &GroupName) -> (String, String) {
    let name = safe(group.as_str());
    (
        format!("{HISTORY}{name}."),
        format!("{HISTORY}{name}{AFTER_DOT}"),
    )
}

/// The key of one history entry: newest first, and of two in one write the later first.
#[must_use]
pub fn history(group: &GroupName, at: Timestamp, index: usize, write_id: &str) -> String {
    let countdown = LAST_MILLISECOND.saturating_sub(at.as_millisecond()).max(0);
    format!(
        "{HISTORY}{}.{countdown:013}.{:02}.{write_id}",
        safe(group.as_str()),
        99_usize.saturating_sub(index)
    )
}

/// Any text as a part of a key: letters, digits and `-` stay, every other byte becomes `_xx`. Two
/// texts never share a key: `_` is written as `_5f`, and what is too long ends in a hash of the whole.
fn safe(text: &str) -> String {
    use std::fmt::Write as _;
    let mut key = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            key.push(char::from(byte));
        } else {
            let _ = write!(key, "_{byte:02x}");
        }
    }
    if key.len() > NAME_LIMIT {
        use sha2::Digest;
        let digest = sha2::Sha256::digest(text.as_bytes());
        key.truncate(NAME_LIMIT - 34);
        key.push_str("_h");
        for byte in digest.iter().take(16) {
            let _ = write!(key, "{byte:02x}");
        }
    }
    key
}

/// What [`safe`] was made of; what is no such text stays as it is.
fn plain(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = (*first == b'_')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match hex {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| part.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_its_group() {
        for name in ["contoso", "a b", "a_b", "ü.1", "_2e"] {
            let name = GroupName::from(name);
            assert_eq!(parse_group(&group(&name)), Some(name));
        }
    }

    #[test]
    fn nothing_comes_between_a_key_and_the_one_after() {
        let next = after("history.a.1.2.x");
        assert!("history.a.1.2.x" < next.as_str());
        for between in ["history.a.1.2.x-", "history.a.1.2.x.", "history.a.1.2.x0"] {
            assert!(next.as_str() <= between);
        }
        assert!(is_key(&next));
    }

    #[test]
    fn newer_entries_come_first_and_later_ones_of_a_write_before_earlier() {
        let name = GroupName::from("contoso");
        let early: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let late: Timestamp = "2026-01-01T00:00:01Z".parse().unwrap();
        assert!(history(&name, late, 0, "a") < history(&name, early, 0, "a"));
        assert!(history(&name, early, 1, "a") < history(&name, early, 0, "a"));
    }

    #[test]
    fn a_group_whose_name_begins_like_another_has_a_history_of_its_own() {
        let (from, to) = history_range(&GroupName::from("a"));
        let other = history(&GroupName::from("a-b"), Timestamp::UNIX_EPOCH, 0, "w");
        assert!(!(from.as_str()..to.as_str()).contains(&other.as_str()));
        let own = history(&GroupName::from("a"), Timestamp::UNIX_EPOCH, 0, "w");
        assert!((from.as_str()..to.as_str()).contains(&own.as_str()));
    }

    #[test]
    fn any_text_becomes_a_key_of_its_own_within_the_limit() {
        let texts = [
            "a",
            "a.b",
            "a_b",
            "a/b",
            "it's",
            "ü",
            "",
            "A",
            "_2e",
            ".",
            &"x".repeat(400),
            &"x".repeat(401),
            &"é".repeat(300),
        ];
        let keys: std::collections::BTreeSet<String> =
            texts.iter().map(|text| safe(text)).collect();
        assert_eq!(keys.len(), texts.len());
        for key in keys {
            assert!(key.len() <= NAME_LIMIT);
            assert!(
                key.bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
            );
        }
    }

    #[test]
    fn the_state_range_holds_heartbeats_and_groups_and_no_history() {
        let (from, to) = state_range();
        let inside = |key: &str| (from..to).contains(&key);
        assert!(inside(&heartbeat(&Vantage::from("france central"))));
        assert!(inside(&group(&GroupName::from("zzz"))));
        assert!(!inside(&history(
            &GroupName::from("a"),
            Timestamp::UNIX_EPOCH,
            0,
            "w"
        )));
    }
}
