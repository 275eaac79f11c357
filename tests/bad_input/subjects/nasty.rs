//! JSON that is almost right: a good value in which a member or two is replaced by something nasty.

use serde_json::Value;

use super::dice::Dice;

/// What stands where another value is expected. JSON text and not values, since some of it is no value that
/// a JSON library can hold.
const NASTY: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "1",
    "2",
    "0.5",
    "1e2",
    "1e400",
    "-1e400",
    "1e-400",
    "18446744073709551615",
    "18446744073709551616",
    "1180591620717411303424",
    "9223372036854775808",
    "-9223372036854775809",
    "4294967296",
    "253402300800",
    "NaN",
    "01",
    "+1",
    "\"\"",
    "\" \"",
    "\"7\"",
    "\"true\"",
    "\"null\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\ud83d\\udd25\"",
    "\"\\u0000\"",
    "\"a\\u0000b\"",
    "\"\u{0}\"",
    "\"\\x\"",
    "\"\\u202e\"",
    "\"視頻\"",
    "[]",
    "{}",
    "[null]",
    "[[]]",
    "[{}]",
    "{\"\":\"\"}",
    "{\"a\":1,\"a\":2}",
    "{\"$binary\":\"AAE=\"}",
    "{\"$binary\":7}",
    "\"{}\"",
    "\"[]\"",
    "\"[{}]\"",
    "\"0001-01-01T00:00:00\"",
    "\"-009999-01-02T01:59:59Z\"",
    "\"9999-12-30T22:00:00Z\"",
    "\"9999-12-31T23:59:59.999999999Z\"",
    "\"+010000-01-01T00:00:00Z\"",
    "\"2026-03-01\"",
    "\"2026-03-01T10:04:00Z\"",
    "\"/subscriptions/\"",
    "\"/subscriptions//\"",
    "\"resolved\"",
    "\"Active\"",
    "\"all\"",
    "tru",
    "",
    "}",
    "/**/1",
];
/// Around a number of a nasty text, in place of the text itself.
const MARK: char = '\u{E000}';
/// In front of a key that is there twice.
const TWICE: char = '\u{E001}';

/// One nasty value as JSON text.
fn nasty(dice: &mut Dice<'_>) -> String {
    match dice.below(16) {
        0 => {
            let depth = *dice.pick(&[20, 126, 127, 128, 129, 400]);
            let (open, close) =
                *dice.pick(&[("[", "]"), ("{\"a\":", "}"), ("[", ""), ("{\"a\":", "")]);
            format!("{}1{}", open.repeat(depth), close.repeat(depth))
        }
        1 => Value::from(dice.text()).to_string(),
        2 => dice.number().to_string(),
        3 => format!(
            "\"{}\"",
            dice.pick(&["x", "é", "\u{1F525}", "\\ud800", ","])
                .repeat(*dice.pick(&[64, 301, 1001, 8_193]))
        ),
        _ => (*dice.pick(NASTY)).to_owned(),
    }
}

/// The text of this value after none to three edits of its members.
pub fn edited(value: &Value, dice: &mut Dice<'_>) -> String {
    let mut value = value.clone();
    let mut texts = Vec::new();
    for _ in 0..dice.below(4) {
        edit(&mut value, dice, &mut texts);
    }
    let mut text = value.to_string();
    for (number, nasty) in texts.iter().enumerate() {
        text = text.replace(&format!("\"{MARK}{number}{MARK}\""), nasty);
    }
    if text.contains([MARK, TWICE]) {
        text.retain(|letter| letter != MARK && letter != TWICE);
    }
    text
}

fn edit(value: &mut Value, dice: &mut Dice<'_>, texts: &mut Vec<String>) {
    let mut placeholder = |dice: &mut Dice<'_>| {
        texts.push(nasty(dice));
        Value::from(format!("{MARK}{}{MARK}", texts.len() - 1))
    };
    let mut places = Vec::new();
    list(value, &mut String::new(), &mut places);
    let place = dice.pick(&places[..]).clone();
    let (parent, key) = place.rsplit_once('/').unwrap_or(("", ""));
    let key = key.replace("~1", "/").replace("~0", "~");
    match (dice.below(8), place.is_empty()) {
        (0, false) => {
            if let Some(Value::Object(members)) = value.pointer_mut(parent) {
                members.remove(&key);
            }
        }
        (1, false) => {
            let second = placeholder(dice);
            if let Some(Value::Object(members)) = value.pointer_mut(parent) {
                members.insert(format!("{TWICE}{key}"), second);
            }
        }
        (2, false) => {
            if let Some(Value::Object(members)) = value.pointer_mut(parent)
                && let Some(member) = members.remove(&key)
            {
                let renamed = [key.to_uppercase(), key.to_lowercase(), dice.text()];
                members.insert(dice.pick(&renamed).clone(), member);
            }
        }
        (3, _) => replace(value, &place, |old| Value::from(old.to_string())),
        (4, _) => replace(value, &place, |old| Value::from(vec![old])),
        (5, _) => {
            let other = value
                .pointer(dice.pick::<String>(&places))
                .cloned()
                .unwrap_or_default();
            replace(value, &place, |_| other);
        }
        _ => {
            let new = placeholder(dice);
            replace(value, &place, |_| new);
        }
    }
}

fn replace(value: &mut Value, place: &str, new: impl FnOnce(Value) -> Value) {
    if let Some(there) = value.pointer_mut(place) {
        *there = new(there.take());
    }
}

/// The JSON pointers of a value and all that is in it.
fn list(value: &Value, place: &mut String, places: &mut Vec<String>) {
    places.push(place.clone());
    let length = place.len();
    let mut go = |key: &str, member: &Value| {
        place.push('/');
        place.push_str(key);
        list(member, place, places);
        place.truncate(length);
    };
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                go(&key.replace('~', "~0").replace('/', "~1"), member);
            }
        }
        Value::Array(entries) => {
            for (index, entry) in entries.iter().enumerate() {
                go(&index.to_string(), entry);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
