//! What callers send: bodies within a size and a time, JSON with the place of what is wrong, query
//! parameters as the host may have rewritten them.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use futures::StreamExt;
use jiff::SignedDuration;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use super::fault::Fault;

/// The largest body that is read.
pub const BODY_LIMIT: usize = 1024 * 1024;
/// A larger body is still taken in up to here and thrown away, so that its sender gets to read the answer
/// instead of a broken connection.
const DRAIN_LIMIT: usize = 32 * 1024 * 1024;
/// A body up to this size is read at once, whatever others there are.
const SMALL_BODY: usize = 16 * 1024;
/// Larger ones take turns, so that many at once fill no memory. One that waits for too long has
/// [`BODY_DEADLINE`] like the rest.
static LARGE_BODIES: Semaphore = Semaphore::const_new(32);
/// A body that takes longer is given up.
const BODY_DEADLINE: Duration = Duration::from_secs(10);
/// Longer messages about a body are cut: they repeat what was sent.
const MESSAGE_LIMIT: usize = 300;

/// The named parts of a path, decoded.
#[derive(Debug)]
pub struct Segments<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Segments<T> {
    type Rejection = Fault;

    /// Bytes that are no text name no group.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Self(segments)),
            Err(_) => Err(Fault::no_group(
                "there is no such group: its name is no text",
            )),
        }
    }
}

/// Reads a body, whether it comes with a length or in chunks.
///
/// # Errors
/// 413 over [`BODY_LIMIT`]; 400 where it breaks off or takes too long.
pub async fn read(body: Body) -> Result<Vec<u8>, Fault> {
    tokio::time::timeout(BODY_DEADLINE, collect(body))
        .await
        .unwrap_or_else(|_| {
            Err(Fault::invalid(format!(
                "the body did not arrive within {} s",
                BODY_DEADLINE.as_secs()
            )))
        })
}

async fn collect(body: Body) -> Result<Vec<u8>, Fault> {
    let mut chunks = body.into_data_stream();
    let mut kept = Vec::new();
    let mut seen = 0_usize;
    let mut turn = None;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Fault::invalid("the body broke off before its end"))?;
        seen = seen.saturating_add(chunk.len());
        if seen > SMALL_BODY && turn.is_none() {
            turn = LARGE_BODIES.acquire().await.ok();
        }
        if seen <= BODY_LIMIT {
            kept.extend_from_slice(&chunk);
        } else if seen > DRAIN_LIMIT {
            break;
        }
    }
    if seen > BODY_LIMIT {
        return Err(Fault::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestBodyTooLarge",
            format!("the body is larger than {BODY_LIMIT} bytes"),
        ));
    }
    Ok(kept)
}

/// Reads JSON into a type; an empty body is an empty object.
///
/// # Errors
/// 400 with what is wrong and where: the member in `target`, line and column in the message.
pub fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let body = if body.iter().all(u8::is_ascii_whitespace) {
        b"{}"
    } else {
        body
    };
    // A struct may also be read from an array; a body never is one.
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first.is_some_and(|byte| *byte == b'[') {
        return Err(Fault::invalid("the body is an array, not a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let message = format!("the body cannot be read: {}", told(error.inner()));
        if path == "." || path == "?" {
            Fault::invalid(message)
        } else {
            Fault::invalid_at(short(&path), message)
        }
    })?;
    reader.end().map_err(|error| {
        Fault::invalid(format!("the body goes on after its end: {}", told(&error)))
    })?;
    Ok(value)
}

/// What a reader says, without the whole of a long value that it did not expect, and without control
/// characters of it.
fn told(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let shown = cut(&text, MESSAGE_LIMIT);
    if text.chars().count() <= MESSAGE_LIMIT {
        return shown;
    }
    format!("{shown} at line {} column {}", error.line(), error.column())
}

/// The query's parameters. The host adds its own (`code`), so unknown ones are no error.
#[derive(Debug, Clone, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// The parameters of this URI, decoded.
    #[must_use]
    pub fn of(uri: &Uri) -> Self {
        let pairs = uri.query().unwrap_or_default().as_bytes();
        Self(
            url::form_urlencoded::parse(pairs)
                .map(|(key, value)| (key.into_owned(), value.into_owned()))
                .collect(),
        )
    }

    fn values(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// Whether there is such a parameter, with a value or without.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.0
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(key))
    }

    /// Every value of a parameter. A forwarding host joins repeated ones with commas.
    #[must_use]
    pub fn many(&self, key: &str) -> Vec<&str> {
        self.values(key)
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .filter(|value| !value.is_empty())
            .collect()
    }

    /// The only value of a parameter.
    ///
    /// # Errors
    /// 400 where it is given twice with different values.
    pub fn one(&self, key: &str) -> Result<Option<&str>, Fault> {
        let values = self.many(key);
        match values.first() {
            None => Ok(None),
            Some(first) if values.iter().all(|value| value == first) => Ok(Some(first)),
            Some(_) => Err(Fault::invalid_at(
                key,
                format!("`{key}` is given more than once"),
            )),
        }
    }

    /// A whole number.
    ///
    /// # Errors
    /// 400 where it is none, or given twice.
    pub fn number(&self, key: &str) -> Result<Option<u64>, Fault> {
        self.one(key)?
            .map(|text| {
                text.parse().map_err(|_| {
                    Fault::invalid_at(
                        key,
                        format!("`{key}` is `{}`, not a whole number from 0", short(text)),
                    )
                })
            })
            .transpose()
    }

    /// A duration such as `60s`.
    ///
    /// # Errors
    /// 400 where it is none, or given twice.
    pub fn duration(&self, key: &str) -> Result<Option<SignedDuration>, Fault> {
        self.one(key)?
            .map(|text| {
                duration(text).ok_or_else(|| Fault::invalid_at(key, bad_duration(key, text)))
            })
            .transpose()
    }
}

/// The sentence for a text that is no duration.
#[must_use]
pub fn bad_duration(name: &str, text: &str) -> String {
    format!(
        "`{name}` is `{}`, not a duration: write \"30s\", \"5m\" or \"1h30m\"",
        short(text)
    )
}

/// A caller's text as it is repeated in an error: bounded, without control characters.
#[must_use]
pub fn short(text: &str) -> String {
    cut(text, 60)
}

fn cut(text: &str, limit: usize) -> String {
    let mut kept: String = text
        .chars()
        .filter(|letter| !letter.is_control())
        .take(limit)
        .collect();
    if text.chars().count() > limit {
        kept.push('…');
    }
    kept
}

/// `30s`, `5m`, `1h30m`: whole numbers with `h`, `m`, `s`, each at most once and in this order.
#[must_use]
pub fn duration(text: &str) -> Option<SignedDuration> {
    let mut rest = text.trim();
    let mut seconds: i64 = 0;
    let mut any = false;
    for (unit, length) in [('h', 3600_i64), ('m', 60), ('s', 1)] {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at_checked(digits)?;
        let Some(after) = after.strip_prefix(unit) else {
            continue;
        };
        let count: i64 = number.parse().ok()?;
        seconds = seconds.checked_add(count.checked_mul(length)?)?;
        any = true;
        rest = after;
    }
    (any && rest.is_empty()).then(|| SignedDuration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_hours_minutes_and_seconds() {
        let seconds = |text| duration(text).map(|length| length.as_secs());
        assert_eq!(seconds("30s"), Some(30));
        assert_eq!(seconds("5m"), Some(300));
        assert_eq!(seconds("1h30m"), Some(5400));
        assert_eq!(seconds("1h1m1s"), Some(3661));
        assert_eq!(seconds("0s"), Some(0));
        for text in [
            "",
            "60",
            "s",
            "-5s",
            "5s5s",
            "1m1h",
            "1.5h",
            "5 m",
            "5x",
            "99999999999999999999s",
            "9223372036854775807h",
            "５s",
            "5sé",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn a_repeated_parameter_is_read_however_the_host_joins_it() {
        let params = |query: &str| Params::of(&format!("/x?{query}").parse().unwrap());
        assert_eq!(params("after=7&after=7").number("after").unwrap(), Some(7));
        assert_eq!(params("after=7,7").number("after").unwrap(), Some(7));
        assert!(params("after=7,8").number("after").is_err());
        assert!(params("after=7&after=8").number("after").is_err());
        assert_eq!(
            params("tenant=a&tenant=b,c").many("tenant"),
            ["a", "b", "c"]
        );
        assert_eq!(params("after=").number("after").unwrap(), None);
        assert!(params("after=-1").number("after").is_err());
        assert!(
            params("after=99999999999999999999")
                .number("after")
                .is_err()
        );
    }
}
