//! Who gives an order: the platform's authenticated principal where it is believed, else whoever holds a key.

use axum::http::HeaderMap;

/// The actor of an order that came with a function key alone.
pub const KEY: &str = "key";
/// Where the platform names who signed in: a name for people, an id for applications.
const PRINCIPAL: [&str; 2] = ["x-ms-client-principal-name", "x-ms-client-principal-id"];
/// Longer names are cut.
const LIMIT: usize = 200;

/// The actor. Without the platform's authentication in front of us anyone can send these headers, so they
/// count only where the configuration says that it is there.
#[must_use]
pub fn actor(headers: &HeaderMap, trust_principal: bool) -> String {
    PRINCIPAL
        .iter()
        .filter(|_| trust_principal)
        .filter_map(|name| headers.get(*name))
        .filter_map(|value| std::str::from_utf8(value.as_bytes()).ok())
        .map(|text| {
            let name: String = text
                .trim()
                .chars()
                .filter(|letter| !letter.is_control())
                .take(LIMIT)
                .collect();
            name
        })
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| KEY.to_owned())
}
