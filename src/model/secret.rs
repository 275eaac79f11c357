//! A text that must never be seen: a key, a token, a connection string, the values in a URL's query.

use std::fmt;

/// Wraps a secret. Neither `Debug` nor any answer shows it; [`Secret::reveal`] is for the one place that
/// sends it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself. Only where it goes on the wire.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(HIDDEN)
    }
}

/// What stands in the place of a secret.
pub const HIDDEN: &str = "[secret]";

/// A URL as it may be printed: its query may hold a key or a SAS, so only the names in it are told, and neither a
/// fragment nor a user.
#[must_use]
pub fn masked(url: &str) -> String {
    let (rest, fragment) = split(url, '#');
    let (place, query) = split(rest, '?');
    let mut text = match place.split_once("://") {
        Some((scheme, after)) => {
            let host_ends = after.find('/').unwrap_or(after.len());
            let (host, path) = after.split_at(host_ends);
            match host.rsplit_once('@') {
                Some((_, host)) => format!("{scheme}://{HIDDEN}@{host}{path}"),
                None => place.to_owned(),
            }
        }
        None => place.to_owned(),
    };
    if let Some(query) = query {
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) => format!("{name}={HIDDEN}"),
            None => HIDDEN.to_owned(),
        });
        text.push('?');
        text.push_str(&pairs.collect::<Vec<_>>().join("&"));
    }
    if fragment.is_some() {
        text.push('#');
        text.push_str(HIDDEN);
    }
    text
}

fn split(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_query_only_the_names_are_told() {
        let cases = [
            ("https://example.com/health", "https://example.com/health"),
            (
                "https://example.com/health?code=hunter2&v=1",
                "https://example.com/health?code=[secret]&v=[secret]",
            ),
            (
                "https://example.com?hunter2",
                "https://example.com?[secret]",
            ),
            (
                "https://example.com/a?sig=hunter2==#hunter2",
                "https://example.com/a?sig=[secret]#[secret]",
            ),
            (
                "https://me:hunter2@example.com/a@b",
                "https://[secret]@example.com/a@b",
            ),
            ("nonsense", "nonsense"),
        ];
        for (url, expected) in cases {
            assert_eq!(masked(url), expected);
        }
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "[secret]");
    }
}
