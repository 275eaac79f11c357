//! Durations as they are written in settings: `30s`, `5m`, `1h30m`.

use std::borrow::Cow;

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use super::report::shown;

/// Longer ones are surely mistaken, and would overflow when they are added to a time.
const LONGEST: SignedDuration = SignedDuration::from_hours(10 * 366 * 24);

/// The `format` by which the schema marks a duration.
pub const FORMAT: &str = "understudy-duration";

/// Reads hours, minutes and seconds in this order, each at most once, without spaces.
///
/// # Errors
/// A text that is not of this form, shorter than 1 s, or longer than ten years; the line says which.
pub fn parse(text: &str) -> Result<SignedDuration, String> {
    let malformed = || {
        format!(
            "{} is not a duration: write hours, minutes and seconds as in \"1h30m\", \"5m\" or \"30s\"",
            shown(text)
        )
    };
    let too_long = || format!("{} is too long: ten years at most", shown(text));
    let mut units = [('h', 3600_i64), ('m', 60), ('s', 1)].into_iter();
    let mut rest = text;
    let mut seconds = 0_i64;
    if rest.is_empty() {
        return Err(malformed());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|letter: char| !letter.is_ascii_digit())
            .filter(|length| *length > 0)
            .ok_or_else(malformed)?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.chars().next().ok_or_else(malformed)?;
        let (_, size) = units
            .find(|(name, _)| *name == unit)
            .ok_or_else(malformed)?;
        let part = number
            .parse::<i64>()
            .ok()
            .and_then(|number| number.checked_mul(size));
        seconds = part
            .and_then(|part| seconds.checked_add(part))
            .ok_or_else(too_long)?;
        rest = tail.get(unit.len_utf8()..).unwrap_or_default();
    }
    let duration = SignedDuration::from_secs(seconds);
    if seconds < 1 {
        Err(format!("`{text}` is too short: 1s at least"))
    } else if duration > LONGEST {
        Err(too_long())
    } else {
        Ok(duration)
    }
}

/// Writes it back in the same form; parts of a second are dropped.
#[must_use]
pub fn render(duration: SignedDuration) -> String {
    let total = duration.as_secs();
    let parts = [
        (total / 3600, 'h'),
        (total / 60 % 60, 'm'),
        (total % 60, 's'),
    ];
    let text: String = parts
        .iter()
        .filter(|(number, _)| *number != 0)
        .map(|(number, unit)| format!("{number}{unit}"))
        .collect();
    if text.is_empty() {
        "0s".to_owned()
    } else {
        text
    }
}

/// A duration in the settings file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub SignedDuration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        parse(&text).map(Self).map_err(de::Error::custom)
    }
}

impl JsonSchema for Span {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": FORMAT,
            "pattern": "^(?=.)([0-9]+h)?([0-9]+m)?([0-9]+s)?$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for (text, seconds) in [
            ("1s", 1),
            ("30s", 30),
            ("5m", 300),
            ("1h30m", 5400),
            ("2h", 7200),
            ("1h1m1s", 3661),
        ] {
            let duration = parse(text).unwrap();
            assert_eq!(duration.as_secs(), seconds, "{text}");
            assert_eq!(render(duration), text);
        }
        assert_eq!(parse("3600s").map(render), Ok("1h".to_owned()));
        assert_eq!(parse("90s").map(render), Ok("1m30s".to_owned()));
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "", "5", "s", "5 m", "5M", "m5", "1m1h", "1s1s", "1.5h", "-1s", "5ms", "1d", " 5s",
            "5s ", "PT5S", "٣s", "1hé",
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.contains("is not a duration"), "{text}: {message}");
        }
        assert_eq!(
            parse("0s"),
            Err("`0s` is too short: 1s at least".to_owned())
        );
        for text in ["999999h", "99999999999999999999s", "9223372036854775807h"] {
            assert_eq!(
                parse(text),
                Err(format!("`{text}` is too long: ten years at most"))
            );
        }
    }
}
